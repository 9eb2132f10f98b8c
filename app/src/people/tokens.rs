//! Personal access tokens: what a program may do in somebody's name. A token narrows what its owner may; it never widens it.
use crate::{audit::action::Action, policies::model::words};
use chrono::TimeDelta;

/// The longest life of a token.
pub const LONGEST: TimeDelta = TimeDelta::days(90);

/// How many working tokens one person may have.
pub const MOST: usize = 20;

words! {
    /// What a token is for. Nothing that needs a second person is ever done by one: approving, confirming and attesting stay with
    /// people in a browser. Nor does any scope read a value.
    Scope {
        ReadRotations = "rotations:read", "Read rotations, their calendar, cases and figures";
        Rotate = "rotations:write", "Check, begin, pause and settle rotations, and read them";
        ReadAccess = "access:read", "Read the requests that you may see, your inbox and what you hold; have access explained";
        AskAccess = "access:write", "Ask for access, withdraw requests, give back what you hold, and read them";
        ReadTrail = "trail:read", "Search the trail, have exports and bundles made and take them, as far as you may read";
        ReadMetrics = "metrics:read", "Read counts for a monitor (Prometheus)";
        Witness = "log:witness", "Read the log's heads and proofs, and leave a witness's cosignatures";
    }
}

impl Scope {
    /// Whoever may change things may read them.
    pub fn includes(self, other: Scope) -> bool {
        self == other
            || matches!((self, other), (Self::Rotate, Self::ReadRotations) | (Self::AskAccess, Self::ReadAccess))
    }

    /// Does it cover this action? Everything that is not named here is covered by no token.
    pub fn covers(self, action: Action) -> bool {
        use Action::*;
        match self {
            Self::ReadRotations => action == ViewCatalog,
            Self::ReadAccess => matches!(action, ViewCatalog | ViewRequest | ExplainAccess),
            Self::AskAccess => {
                matches!(
                    action,
                    ViewCatalog | ViewRequest | ExplainAccess | SubmitRequest | WithdrawRequest | GiveBackGrant
                )
            }
            Self::ReadTrail => matches!(action, Action::ReadTrail | StartExport | CancelExport | DownloadExport),
            Self::ReadMetrics => action == Action::ReadTrail,
            Self::Witness => action == CosignHead,
            Self::Rotate => matches!(
                action,
                ViewCatalog
                    | CheckRotation
                    | StartRotation
                    | PauseRotation
                    | ResumeRotation
                    | CancelRotation
                    | CutOff
                    | RollBack
                    | ResolveRotation
            ),
        }
    }
}

/// As stored: codes in their order, a space between.
pub fn join(scopes: &[Scope]) -> String {
    Scope::ALL.iter().filter(|scope| scopes.contains(scope)).map(|scope| scope.code()).collect::<Vec<_>>().join(" ")
}

/// What [`join`] wrote. A scope that this version does not know allows nothing.
pub fn split(stored: &str) -> Vec<Scope> {
    stored.split(' ').filter_map(Scope::from_code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_takes_a_value_or_the_place_of_a_second_person() {
        use Action::*;
        let never = [
            RevealSecret,
            CopySecret,
            FetchSecret,
            WriteVersion,
            ApproveRequest,
            DenyRequest,
            ApproveRotation,
            ConfirmPlan,
            AttestDeath,
            CancelCase,
            ResumeGrant,
            DestroyVersion,
            InvitePerson,
            AssignRole,
            ResetPassword,
            ChangePassword,
            CreateAccessToken,
            IssueCredential,
        ];
        for action in never {
            assert!(Scope::ALL.iter().all(|scope| !scope.covers(action)), "{action:?}");
        }
    }

    #[test]
    fn scopes_are_stored_in_one_order() {
        assert_eq!(join(&[Scope::Rotate, Scope::ReadRotations]), "rotations:read rotations:write");
        assert_eq!(split("rotations:write future:all"), [Scope::Rotate]);
        assert_eq!(split(""), []);
    }
}
