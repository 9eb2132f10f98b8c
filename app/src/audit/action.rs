//! Every action, once: its name in code, its code in the trail (past tense: it happened) and its words on the screen.

macro_rules! actions {
    ($($name:ident = $code:literal, $words:literal;)*) => {
        /// What somebody or something did, or was refused to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $($name),* }

        impl Action {
            pub const ALL: &'static [Action] = &[$(Action::$name),*];

            /// The code in the ledger; part of the frozen format: may be added to, never changed.
            pub fn code(self) -> &'static str {
                match self { $(Action::$name => $code),* }
            }

            /// The name in code, in policies and in the golden matrix.
            pub fn name(self) -> &'static str {
                match self { $(Action::$name => stringify!($name)),* }
            }

            /// What the screen says of the event.
            pub fn words(self) -> &'static str {
                match self { $(Action::$name => $words),* }
            }

            pub fn from_code(code: &str) -> Option<Action> {
                match code { $($code => Some(Action::$name),)* _ => None }
            }
        }
    };
}

actions! {
    CreateLog = "log.created", "Ledger created";
    StartService = "service.started", "Service started";
    StopService = "service.stopped", "Service stopped";
    Heartbeat = "service.heartbeat", "Heartbeat";
    RestoreLog = "log.restored", "Ledger resumed after a recorded restore";
    RejectRow = "integrity.row_rejected", "A stored row failed its seal";
    SuppressRepeats = "refusal.repeated", "Repeated refusals";

    SignIn = "session.started", "Signed in";
    SignOut = "session.ended", "Signed out";
    EndSession = "session.revoked", "Session ended";
    InvitePerson = "person.invited", "Invited a person";
    JoinOrganisation = "person.joined", "Joined";
    ChangePassword = "person.password_changed", "Changed the password";
    ResetPassword = "person.reset_issued", "Issued a link to set a new password";
    CreateAccessToken = "person.token_created", "Made a personal access token";
    EndAccessToken = "person.token_ended", "Ended a personal access token";
    CloseLink = "person.link_closed", "A link that was not used ended";
    DisablePerson = "person.disabled", "Disabled a person";
    EnablePerson = "person.enabled", "Enabled a person";
    CreateTeam = "team.created", "Created a team";
    AddMember = "team.member_added", "Added a member";
    RemoveMember = "team.member_removed", "Removed a member";
    AssignRole = "role.assigned", "Gave a role";
    RemoveRole = "role.removed", "Took a role away";
    ViewPeople = "people.listed", "Read people and teams";

    ProposeChange = "control.proposed", "Proposed a change of control";
    ConfirmChange = "control.confirmed", "Confirmed a change of control";
    DeclineChange = "control.declined", "Declined a change of control";
    WithdrawChange = "control.withdrawn", "Withdrew a change of control";
    ExpireChange = "control.expired", "A proposed change of control expired";
    OvertakeChange = "control.overtaken", "A proposed change of control was overtaken";
    ViewChanges = "control.read", "Read changes of control";

    SetProvider = "provider.set", "Set an identity provider";
    RemoveProvider = "provider.removed", "Removed an identity provider";
    CheckProvider = "provider.checked", "Asked an identity provider what it offers";
    SetGroupRule = "provider.rule_set", "Set what a group gives";
    RemoveGroupRule = "provider.rule_removed", "Removed what a group gives";
    Delegate = "delegation.made", "Named somebody to decide in their place";
    EndDelegation = "delegation.ended", "Nobody decides in their place any more";
    NameEmergency = "person.emergency_named", "Named an emergency account";
    UnnameEmergency = "person.emergency_unnamed", "An account is no longer one for emergencies";
    LinkIdentity = "person.identity_linked", "Linked an identity of a provider";
    UnlinkIdentity = "person.identity_unlinked", "Unlinked an identity of a provider";
    EnrolFactor = "person.factor_enrolled", "Enrolled a second factor";
    RemoveFactor = "person.factor_removed", "Removed a second factor";
    RenewCodes = "person.recovery_codes_made", "Made recovery codes";
    ResetFactors = "person.factors_reset", "Took somebody's second factors away";
    ProveFactor = "person.proved", "Proved with a second factor that it is them";
    ReadGroups = "person.groups_read", "A provider told somebody's groups";
    SignOutAtProvider = "session.provider_logout", "A provider ended sessions";

    SaveDraft = "policy.draft_saved", "Saved the draft of a policy";
    DiscardDraft = "policy.draft_discarded", "Discarded the draft of a policy";
    SetLevel = "level.set", "Set what holds at a protection level";
    SupersedeLevel = "level.superseded", "What held at a protection level holds no more";
    SetPolicy = "policy.set", "Brought a policy into force";
    RemovePolicy = "policy.removed", "Took a policy out of force";
    ViewPolicies = "policy.read", "Read policies";

    CreateProject = "project.created", "Created a project";
    CreateEnvironment = "environment.created", "Created an environment";
    ViewCatalog = "catalog.read", "Read the catalog";
    CreateSecret = "secret.created", "Created a secret";
    EditSecret = "secret.edited", "Edited a secret's description";
    ArchiveSecret = "secret.archived", "Archived a secret";
    MoveSecret = "secret.moved", "Moved a secret";
    ImportSecrets = "secret.imported", "Imported values";
    WriteVersion = "secret.version_written", "Wrote a new value";
    DeleteVersion = "secret.version_deleted", "Deleted a version";
    UndeleteVersion = "secret.version_undeleted", "Restored a version";
    ScheduleDestruction = "secret.destruction_scheduled", "Asked for a version to be destroyed";
    DestroyVersion = "secret.version_destroyed", "Destroyed a version for ever";
    RotateKey = "environment.key_rotated", "Made a new environment key";
    RewrapVersions = "environment.rewrapped", "Wrapped values with the new key";
    DestroyKey = "environment.key_destroyed", "Destroyed an old environment key";
    RevealSecret = "secret.revealed", "Revealed a value";
    CopySecret = "secret.copied", "Copied a value";
    FetchSecret = "secret.fetched", "Fetched a value";

    SubmitRequest = "request.submitted", "Asked for access";
    ApproveRequest = "request.approved", "Approved";
    DenyRequest = "request.denied", "Denied";
    WithdrawRequest = "request.withdrawn", "Withdrew a request";
    ExpireRequest = "request.expired", "Request expired";
    VoidRequest = "request.voided", "Request lost its effect";
    DecideLate = "request.decided_late", "Answered a request that had ended";
    VoidDecision = "request.signature_voided", "A signature lost its effect";
    ViewRequest = "request.read", "Read a request";
    IssueGrant = "grant.issued", "Access began";
    RevokeGrant = "grant.revoked", "Revoked access";
    GiveBackGrant = "grant.given_back", "Gave access back";
    SuspendGrant = "grant.suspended", "Access suspended";
    ResumeGrant = "grant.resumed", "Confirmed suspended access";
    EndGrant = "grant.ended", "Access ended";

    ConfigureRotation = "rotation.plan_set", "Set how a secret rotates";
    ConfirmPlan = "rotation.plan_confirmed", "Confirmed where a secret's values go";
    SetDefault = "rotation.default_set", "Set when secrets of an environment rotate";
    PauseRotation = "rotation.paused", "Paused a secret's schedule";
    ResumeRotation = "rotation.unpaused", "Ended the pause of a secret's schedule";
    MissRotation = "rotation.missed", "A scheduled rotation was missed";
    CheckRotation = "rotation.checked", "Checked whether a rotation would work";
    StartRotation = "rotation.started", "Started a rotation";
    ApproveRotation = "rotation.approved", "Agreed that a rotation begins";
    CutOff = "rotation.cut_off", "Cut the old value off, whoever still uses it";
    RollBack = "rotation.rollback_chosen", "Went back to the old value";
    WithdrawNew = "rotation.rolled_back", "Withdrew the new value from the target";
    CancelRotation = "rotation.cancelled", "Cancelled a rotation";
    ReportLeak = "incident.leak_reported", "Reported a leak";
    ContainCase = "incident.contained", "Contained a leak";
    OpenCase = "case.opened", "A secret has to be rotated";
    MoveCase = "case.began_earlier", "A case began earlier than thought";
    CloseCase = "case.closed", "Closed a case";
    ReopenCase = "case.reopened", "Opened a case again";
    CancelCase = "case.cancelled", "Cancelled a case";
    ExpireVersion = "secret.version_expired", "A value ended by its own date";
    AttestDeath = "case.attested", "Attested that an old value is dead";
    CreatePending = "rotation.pending_created", "Made the new value";
    IntendSet = "rotation.set_intended", "About to set the new value on the target";
    SetOnTarget = "rotation.set_on_target", "Set the new value on the target";
    VerifyNew = "rotation.new_verified", "The target takes the new value";
    PromoteVersion = "rotation.promoted", "The new value is in use";
    IntendDisable = "rotation.disable_intended", "About to disable the old value";
    DisableOld = "rotation.old_disabled", "Disabled the old value at the target";
    ProveDead = "rotation.old_dead", "The old value was shown to be dead";
    ReopenRotation = "rotation.reopened", "The old value works again";
    FailStep = "rotation.step_failed", "A step of a rotation failed";
    AskPerson = "rotation.needs_person", "A rotation needs a person";
    ResolveRotation = "rotation.resolved", "Decided how a rotation goes on";
    SupersedeRotation = "rotation.superseded", "A newer value overtook a rotation";
    CloseRotation = "rotation.closed", "Closed a rotation";

    CreateWorkload = "workload.created", "Created a workload";
    DisableWorkload = "workload.disabled", "Disabled a workload";
    IssueCredential = "workload.credential_issued", "Issued a client secret";
    RevokeCredential = "workload.credential_revoked", "Revoked a client secret";
    IssueToken = "token.issued", "Exchanged a client secret for a token";
    RevokeToken = "token.revoked", "Token ended";
    ViewWorkloads = "workload.listed", "Read workloads";

    ReadTrail = "trail.read", "Read the trail";
    ExplainAccess = "access.explained", "Looked up who can reach a secret";
    StartExport = "export.started", "Asked for an export";
    CancelExport = "export.cancelled", "Cancelled an export";
    FinishExport = "export.finished", "An export was made";
    FailExport = "export.failed", "An export could not be made";
    DownloadExport = "export.downloaded", "Took an export";
    StopStream = "stream.stopped", "A live copy of the trail stopped";
    ResumeStream = "stream.resumed", "A live copy of the trail goes on";
    CosignHead = "log.head_cosigned", "Left a witness's cosignature";
    SaveView = "view.saved", "Kept a view of the trail";
    RemoveView = "view.removed", "Removed a view of the trail";
    AssignSignal = "signal.assigned", "Assigned a signal";
    SnoozeSignal = "signal.snoozed", "Put a signal off";
    RejectSignal = "signal.not_useful", "Called a signal not useful";
    CloseSignal = "signal.closed", "Closed a signal";
    ReopenSignal = "signal.reopened", "Opened a signal again";
}

impl Action {
    /// Is it how somebody looks into what happened? These go on where nothing else is opened.
    pub fn looks_into(self) -> bool {
        use Action::*;
        matches!(self, SignIn | ReadTrail | StartExport | CancelExport | DownloadExport | CosignHead | ExplainAccess)
    }

    /// Does it only take away or record? Such acts go on when nothing may be opened any more.
    pub fn closes(self) -> bool {
        use Action::*;
        matches!(
            self,
            SignOut
                | EndSession
                | CloseLink
                | EndAccessToken
                | DisablePerson
                | RemoveMember
                | RemoveRole
                | DeclineChange
                | WithdrawChange
                | ExpireChange
                | OvertakeChange
                | ViewChanges
                | ViewPolicies
                | DiscardDraft
                | RemoveGroupRule
                | UnnameEmergency
                | EndDelegation
                | UnlinkIdentity
                | ProveFactor
                | SignOutAtProvider
                | ArchiveSecret
                | DeleteVersion
                | DenyRequest
                | WithdrawRequest
                | RevokeGrant
                | GiveBackGrant
                | SuspendGrant
                | PauseRotation
                | CancelRotation
                | CutOff
                | ReportLeak
                | ContainCase
                | AttestDeath
                | DecideLate
                | DisableWorkload
                | RevokeCredential
                | ExpireRequest
                | VoidRequest
                | VoidDecision
                | EndGrant
                | RevokeToken
                | ReadTrail
                | ExplainAccess
                | CancelExport
                | ViewPeople
                | ViewCatalog
                | ViewRequest
                | ViewWorkloads
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_one_to_one() {
        let codes: BTreeSet<_> = Action::ALL.iter().map(|action| action.code()).collect();
        assert_eq!(codes.len(), Action::ALL.len());
        for action in Action::ALL {
            assert_eq!(Action::from_code(action.code()), Some(*action));
        }
    }
}
