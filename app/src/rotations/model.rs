//! The rules of a rotation that touch nothing: its states, what a probe means, when an old credential counts as dead.
use crate::{policies::model::words, time::Moment};
use chrono::TimeDelta;

words! {
    /// How far a rotation is.
    Step {
        Queued = "queued", "Waiting to begin";
        /// The new value is sealed; the target was not touched.
        PendingCreated = "pending_created", "New value made";
        /// The target is about to be changed, or was: only a probe tells.
        SetUnknown = "set_unknown", "Setting it on the target";
        SetOnTarget = "set_on_target", "Set on the target";
        VerifiedNew = "verified_new", "New value works";
        /// The new value is current; the old one still works for those who have not moved.
        Overlap = "overlap", "In use; old value still works";
        /// The old value is handed out again; the new one is about to be withdrawn from the target.
        RollingBack = "rolling_back", "Going back to the old value";
        /// The old credential is about to be disabled, or was.
        Disabling = "disabling", "Disabling the old value";
        OldDisabled = "old_disabled", "Old value disabled";
        /// Shown dead once; looked at again after an hour and after a day.
        VerifiedDead = "verified_dead", "Old value is dead";
        NeedsPerson = "needs_person", "Needs a person";
        /// Somebody else has to agree before it begins.
        Waiting = "waiting", "Waiting for approval";
        Closed = "closed", "Closed";
        Cancelled = "cancelled", "Cancelled";
        RolledBack = "rolled_back", "Rolled back";
        Superseded = "superseded", "Overtaken by a newer value";
    }
}

impl Step {
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Closed | Self::Cancelled | Self::RolledBack | Self::Superseded)
    }

    /// Is it on its way to disabling the old value, so that it can be told to wait for nobody?
    pub fn can_be_hastened(self) -> bool {
        matches!(
            self,
            Self::Queued
                | Self::PendingCreated
                | Self::SetUnknown
                | Self::SetOnTarget
                | Self::VerifiedNew
                | Self::Overlap
        )
    }

    /// Is the new value what is handed out?
    pub fn is_promoted(self) -> bool {
        matches!(self, Self::Overlap | Self::Disabling | Self::OldDisabled | Self::VerifiedDead | Self::Closed)
    }
}

words! {
    /// What changes a credential.
    RotatorKind {
        /// A random value for consumers that fetch it; there is no target to ask.
        Generated = "generated", "A generated value, fetched by its consumers";
        /// The password of one PostgreSQL role: between setting and promotion new connections with the old one fail.
        PostgresSingle = "postgres-single", "PostgreSQL, one role (a brief gap)";
        /// Two PostgreSQL roles in turn: no gap.
        PostgresAlternating = "postgres-alternating", "PostgreSQL, two roles in turn (no gap)";
        /// A receiver that its owner runs is told by signed calls.
        Webhook = "webhook", "A receiver of yours, told by signed calls";
    }
}

words! {
    /// What began a rotation. Figures never mix them.
    Trigger {
        Manual = "manual", "by hand";
        Age = "age", "by age";
        Scheduled = "scheduled", "as scheduled";
        Incident = "incident", "after a leak";
        Leaver = "leaver", "after somebody left";
    }
}

words! {
    /// What is known of the old credential's end.
    Grade {
        /// Refused at every endpoint while the new one was accepted.
        Proved = "proved", "proved dead";
        /// Somebody says so, by name.
        Attested = "attested", "attested";
        /// Its own date passed: a certificate's notAfter, a role's `VALID UNTIL`.
        Expired = "expired", "expired";
        /// Nothing shows it: there is no target to ask.
        Unverified = "unverified", "not verified";
    }
}

/// What a target says of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Accepted,
    /// Refused *as a credential*; with the target's own code.
    Refused(String),
    /// Anything else: network, TLS, overload, a rule about the place. Says nothing about the credential.
    Unclear(String),
}

/// What a crash or a lost answer left, by what the target says of both candidates.
pub fn resolve(old: &Standing, new: &Standing) -> Resolved {
    match (old, new) {
        (_, Standing::Accepted) => Resolved::Set,
        (Standing::Accepted, Standing::Refused(_)) => Resolved::NotSet,
        (Standing::Refused(_), Standing::Refused(_)) => Resolved::Neither,
        _ => Resolved::Unclear,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The target has the new credential.
    Set,
    /// The target still has the old one: setting it again harms nothing.
    NotSet,
    /// It takes neither: somebody changed it by other means. Both are kept, a person decides.
    Neither,
    /// It could not be asked: later.
    Unclear,
}

/// One endpoint asked about both credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub endpoint: String,
    pub old: Standing,
    pub old_at: Moment,
    pub new: Standing,
    pub new_at: Moment,
}

/// How far apart the two answers of one endpoint may lie. A wrong and an expired credential are refused with the same words,
/// so it is the pair that proves.
pub const TOGETHER: TimeDelta = TimeDelta::seconds(60);

/// When a dead credential is looked at again.
pub const REPEATS: [TimeDelta; 2] = [TimeDelta::hours(1), TimeDelta::hours(24)];

/// What probes of every endpoint, and the sessions that outlived the change, amount to.
pub fn judge(probes: &[Probe], sessions_left: u32) -> Verdict {
    if probes.is_empty() {
        return Verdict::Ungraded;
    }
    if let Some(probe) = probes.iter().find(|probe| probe.old == Standing::Accepted) {
        return Verdict::Alive(probe.endpoint.clone());
    }
    for probe in probes {
        let refused = matches!(probe.old, Standing::Refused(_));
        let apart = (probe.new_at - probe.old_at).abs();
        if !refused || probe.new != Standing::Accepted || apart > TOGETHER {
            return Verdict::Unclear(probe.endpoint.clone());
        }
    }
    if sessions_left > 0 { Verdict::Sessions(sessions_left) } else { Verdict::Dead }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Dead,
    /// The old credential still opens this endpoint.
    Alive(String),
    /// This endpoint's answers prove nothing.
    Unclear(String),
    /// Sessions opened with the old credential are still there.
    Sessions(u32),
    /// There is no endpoint to ask.
    Ungraded,
}

/// How often a step is tried before a person is asked.
pub const ATTEMPTS: i32 = 8;

/// How long to wait after the `attempt`-th failure (from 1): doubling from 10 seconds to an hour, spread by up to a fifth so
/// that what failed together does not come back together. `jitter` is any number.
pub fn wait(attempt: i32, jitter: u32) -> TimeDelta {
    let doubled = 10_000_i64 << attempt.clamp(1, 10).saturating_sub(1);
    let base = doubled.min(3_600_000);
    let spread = base / 5;
    TimeDelta::milliseconds(base - spread + i64::from(jitter) % (2 * spread + 1))
}

words! {
    /// The characters of a generated value, without look-alikes where a person might read it out.
    Alphabet {
        Signs = "signs", "letters, digits and - _ . ~";
        Letters = "letters", "letters and digits";
        Small = "small", "small letters and digits";
        Hex = "hex", "hexadecimal digits";
    }
}

impl Alphabet {
    fn all(self) -> &'static [u8] {
        match self {
            Self::Signs => b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_.~",
            Self::Letters => b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789",
            Self::Small => b"abcdefghijkmnopqrstuvwxyz23456789",
            Self::Hex => b"0123456789abcdef",
        }
    }
}

/// What a generated value looks like, and which typed ones are not taken again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRules {
    pub length: usize,
    /// Characters that the target cannot take.
    pub forbidden: String,
    pub letters: Alphabet,
    /// How many values back none is typed again.
    pub not_again: u32,
}

impl ValueRules {
    pub const SHORTEST: usize = 20;
    pub const LONGEST: usize = 128;
    /// What a value has to be worth, so that trying them all is hopeless whatever the target's hash is.
    pub const BITS: f64 = 100.0;
    pub const MOST_BACK: u32 = 24;

    /// Do the rules leave a value worth having?
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&self.length) {
            return Err(("length", "Between 20 and 128 characters."));
        }
        if !self.forbidden.is_ascii() || self.forbidden.len() > 32 {
            return Err(("forbidden", "At most 32 ASCII characters."));
        }
        if self.alphabet().len() < 10 {
            return Err(("forbidden", "Leave at least ten characters to choose from."));
        }
        if self.bits() < Self::BITS {
            return Err(("length", "Too short for so few characters: a value has to be worth 100 bits."));
        }
        if !(1..=Self::MOST_BACK).contains(&self.not_again) {
            return Err(("again", "Between 1 and 24."));
        }
        Ok(())
    }

    /// The characters to choose from, less what is forbidden.
    pub fn alphabet(&self) -> Vec<u8> {
        let allowed = |letter: &u8| !self.forbidden.as_bytes().contains(letter);
        self.letters.all().iter().copied().filter(allowed).collect()
    }

    fn bits(&self) -> f64 {
        self.length as f64 * (self.alphabet().len() as f64).log2()
    }
}

impl Default for ValueRules {
    fn default() -> Self {
        Self { length: 40, forbidden: String::new(), letters: Alphabet::Signs, not_again: 5 }
    }
}

words! {
    /// What a person can choose where the machine stopped.
    Choice {
        /// The same step again.
        Retry = "retry", "Try again";
        /// The target has the new value: go on from there.
        KeepNew = "keep_new", "The new value is set: go on";
        /// The target has the old value: end without a change.
        KeepOld = "keep_old", "Keep the old value";
        /// Sessions of the old value that cannot be ended are known, and may stay.
        Accept = "accept", "The sessions that are left may stay";
        /// Whoever still uses the old value has to follow.
        Disable = "disable", "Disable the old value now";
        /// The old value is dead, says this person.
        Attest = "attest", "The old value is dead: I attest it";
    }
}

/// What can be chosen for a rotation that stopped before `stopped`.
pub fn choices(stopped: Step) -> &'static [Choice] {
    match stopped {
        Step::Queued | Step::PendingCreated => &[Choice::Retry, Choice::KeepOld],
        Step::SetUnknown | Step::SetOnTarget | Step::VerifiedNew => &[Choice::Retry, Choice::KeepNew, Choice::KeepOld],
        Step::Overlap => &[Choice::Retry, Choice::Disable],
        Step::RollingBack => &[Choice::Retry, Choice::KeepOld],
        Step::Disabling => &[Choice::Retry, Choice::Accept, Choice::Attest],
        Step::OldDisabled | Step::VerifiedDead => &[Choice::Retry, Choice::Attest],
        _ => &[],
    }
}

/// Where a choice leads.
pub fn chosen(stopped: Step, choice: Choice) -> Option<Step> {
    if !choices(stopped).contains(&choice) {
        return None;
    }
    Some(match choice {
        Choice::Retry | Choice::Accept => stopped,
        Choice::KeepNew => Step::SetOnTarget,
        Choice::KeepOld => Step::RolledBack,
        Choice::Disable => Step::Disabling,
        Choice::Attest => Step::Closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Standing {
        Standing::Refused("28P01".into())
    }

    fn unclear() -> Standing {
        Standing::Unclear("timeout".into())
    }

    #[test]
    fn only_answers_about_the_credential_decide() {
        use Resolved::*;
        let cases = [
            (Standing::Accepted, Standing::Accepted, Set),
            (refused(), Standing::Accepted, Set),
            (unclear(), Standing::Accepted, Set),
            (Standing::Accepted, refused(), NotSet),
            (refused(), refused(), Neither),
            (unclear(), refused(), Unclear),
            (Standing::Accepted, unclear(), Unclear),
            (refused(), unclear(), Unclear),
            (unclear(), unclear(), Unclear),
        ];
        for (old, new, wanted) in cases {
            assert_eq!(resolve(&old, &new), wanted, "{old:?} {new:?}");
        }
    }

    #[test]
    fn dead_takes_the_pair_at_every_endpoint_within_a_minute() {
        let at = Moment::default();
        let good = |endpoint: &str| Probe {
            endpoint: endpoint.into(),
            old: refused(),
            old_at: at,
            new: Standing::Accepted,
            new_at: at + TOGETHER,
        };
        let two = |other: Probe| [good("a"), other];
        assert_eq!(judge(&two(good("b")), 0), Verdict::Dead);
        assert_eq!(judge(&[], 0), Verdict::Ungraded, "nothing to ask proves nothing");
        assert_eq!(judge(&two(good("b")), 3), Verdict::Sessions(3));
        let alive = Probe { old: Standing::Accepted, ..good("b") };
        assert_eq!(judge(&two(alive), 0), Verdict::Alive("b".into()));
        for unproven in [
            Probe { old: unclear(), ..good("b") },
            Probe { new: unclear(), ..good("b") },
            Probe { new: refused(), ..good("b") },
            Probe { new_at: at + TOGETHER + TimeDelta::microseconds(1), ..good("b") },
            Probe { new_at: at - TOGETHER - TimeDelta::microseconds(1), ..good("b") },
        ] {
            assert_eq!(judge(&two(unproven), 0), Verdict::Unclear("b".into()));
        }
    }

    #[test]
    fn waits_double_within_bounds() {
        for attempt in 1..40 {
            for jitter in [0, 1, 7, u32::MAX] {
                let waited = wait(attempt, jitter);
                assert!(waited >= TimeDelta::seconds(8) && waited <= TimeDelta::minutes(72), "{attempt} {waited}");
            }
        }
        assert!(wait(4, 0) >= wait(1, 0) * 8 - TimeDelta::milliseconds(1));
    }

    #[test]
    fn every_stop_offers_a_way_on_and_nothing_else() {
        for step in Step::ALL {
            for choice in Choice::ALL {
                let leads = chosen(*step, *choice);
                assert_eq!(leads.is_some(), choices(*step).contains(choice));
                if *choice == Choice::KeepOld && leads.is_some() {
                    assert!(!step.is_promoted(), "what is in use is not rolled back by this");
                }
            }
            assert_eq!(
                choices(*step).is_empty(),
                step.has_ended() || matches!(step, Step::NeedsPerson | Step::Waiting)
            );
        }
    }

    #[test]
    fn rules_leave_a_value_worth_having() {
        assert_eq!(ValueRules::default().check(), Ok(()));
        let usual = ValueRules::default;
        let rules = |length, forbidden: &str| ValueRules { length, forbidden: forbidden.into(), ..usual() };
        assert_eq!(rules(19, "").check().map_err(|(field, _)| field), Err("length"));
        assert_eq!(rules(129, "").check().map_err(|(field, _)| field), Err("length"));
        let most = "CDEFGHJKLMNPQRSTUVWXYZ";
        assert_eq!(rules(40, most).check(), Ok(()));
        let hex = |length, forbidden: &str| ValueRules { letters: Alphabet::Hex, ..rules(length, forbidden) };
        assert_eq!(hex(24, "").check().map_err(|(field, _)| field), Err("length"), "96 bits");
        assert_eq!(hex(25, "").check(), Ok(()), "100 bits");
        assert_eq!(hex(128, "0123456").check().map_err(|(field, _)| field), Err("forbidden"));
        for not_again in [0, 25] {
            let rules = ValueRules { not_again, ..usual() };
            assert_eq!(rules.check().map_err(|(field, _)| field), Err("again"));
        }
        for letters in Alphabet::ALL {
            let alphabet = ValueRules { letters: *letters, ..usual() }.alphabet();
            let alike = alphabet.iter().any(|letter| b"IlO".contains(letter));
            assert!(!alike && (*letters == Alphabet::Hex || !alphabet.contains(&b'0')), "{letters:?}");
        }
        assert!(!rules(40, "-~").alphabet().contains(&b'~'));
    }
}
