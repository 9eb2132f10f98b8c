//! Tables whose rows carry no seal of the kind that [`super::state`] compares with the trail, each with the reason. Whatever is in none
//! of the two lists fails a test: a new table is sealed, or says here what the owner of the database can do with it.
pub const UNSEALED: &[(&str, &str)] = &[
    ("access_token_uses", "shown: when and from where a token was used last"),
    ("audit_checkpoints", "signed by the log's key; the newest lies beside the keys too"),
    ("audit_disclosures", "each is shown only where it opens a commitment of a sealed event"),
    (
        "audit_events",
        "each has a seal of its own, and lies in the signed tree; columns are for finding it, and count for what the leaf says",
    ),
    (
        "audit_streams",
        "how far a live copy is: moved back, events are sent again; moved on, the numbers at the receiver have a gap",
    ),
    ("audit_tiles", "hashes of sealed events, compared with the newest signed head"),
    ("browser_sessions", "encrypted for the browser that it is of"),
    ("cosigned_heads", "signed by a witness"),
    (
        "environment_keys",
        "wrapped under the root key for its environment and generation; which one is in use decides only what the next value is \
         encrypted with, and the bytes of a destroyed one are gone from here (an older copy of the database has them)",
    ),
    ("expiry_looks", "when targets are asked again whether a date holds"),
    ("grant_secrets", "an index: the grant's sealed row names its secrets"),
    (
        "knowledge",
        "who took a value: a row more makes a case for a rotation; a row less hides one, and the trail still says who took it",
    ),
    ("leavers", "whose values are still to be looked at: a queue that events fill"),
    (
        "ledger_head",
        "the number of events: smaller or larger than what is signed and sealed, nothing is signed any more",
    ),
    ("metric_actors", "counted from the trail, and can be counted again"),
    ("metric_hours", "counted from the trail, and can be counted again"),
    ("notices", "what people were told: a hint with a link, which opens nothing"),
    ("policy_drafts", "a text that nobody confirmed: what is confirmed is in the sealed proposal"),
    ("policy_inputs", "what a decision was asked with, for a what-if: its digest is in the event"),
    ("projection_cursors", "how far a count is: it can be counted again"),
    ("report_chunks", "encrypted for their job and place"),
    ("report_jobs", "sealed, over what was asked for and what it came to: progress changes without events"),
    ("request_secrets", "an index: the request's sealed row names its secrets"),
    ("rotation_due", "when a schedule is looked at: the plan is sealed"),
    (
        "rotation_leases",
        "which replica takes a step: each step is compared with the sealed row before it is kept; a lease without end holds a rotation up, and its page says so",
    ),
    ("saved_views", "words of a search: what it finds is decided for each reader"),
    ("search_postings", "an index of the trail, which can be made again; what is found is decided for each reader"),
    ("search_terms", "an index of the trail, which can be made again"),
    ("secret_moves", "where secrets lay before: written when one is moved, read by nothing"),
    (
        "secret_versions",
        "encrypted for secret, path and version, so that no other value can take its place, and which one is in use is in the secret's sealed row; but a deleted version that is not destroyed can be marked as not deleted, which opens it to holders of a grant on the secret; who asked for a destruction, and from when, can be forged for one that a second person then confirms; the proof that a version is dead is worth what the trail says of it",
    ),
    (
        "seen_heads",
        "the head that each person was shown: made older, a contradiction is missed; made wrong, one is shown",
    ),
    (
        "session_touches",
        "when a session was used last: moved on, it lives without use until its sealed end, eight hours after the sign-in at most",
    ),
    (
        "set_aside",
        "what a job tries again later: a row more keeps it from an item, and its page says so; access ends without it, but a rotation waits",
    ),
    ("signal_answers", "what somebody said of a signal: the event says it too"),
    ("signal_memory", "what is usual for somebody: learnt from the trail, and can be learnt again"),
    ("signals", "what stood out: found in the trail, and can be found again"),
    ("stashes", "encrypted for the person and the form"),
    ("store_identity", "under a check value of the keys"),
    ("teams", "their names: who belongs to one is sealed"),
    ("used_logouts", "logout tokens that were taken: one that is taken twice ends sessions twice"),
    (
        "used_proofs",
        "answers of passkeys that were taken: a row less lets one that somebody saw be sent again, within two minutes",
    ),
    ("value_marks", "by which a live value in a text is recognised: a row less lets one be typed there"),
];
