//! An explanation: answers of the engine with the rules that gave them, every route to a value, and who can help.
use crate::{
    audit::action::Action,
    error::Refusal,
    grants::model::State,
    people::period::Period,
    policies::model::{Class, Right, Role, Tier},
    time::Moment,
};

/// Somebody or something with the page about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub name: String,
    pub href: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Yes,
    /// Once they have shown with a second factor that it is them.
    WithFactor,
    No(Refusal),
}

impl Verdict {
    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::WithFactor => "with_factor",
            Self::No(refusal) => refusal.code(),
        }
    }

    pub fn is_open(self) -> bool {
        !matches!(self, Self::No(_))
    }
}

/// A rule as it is written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub version: u32,
    /// In its document, or in the built-in policies; from 1.
    pub line: usize,
    pub text: String,
    /// The document of the organisation that it stands in; none for a built-in rule.
    pub document: Option<String>,
    /// It allows; else it forbids.
    pub permits: bool,
}

/// One change that alone, or with the others beside it, would let the engine say yes: tried, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Grant(Right),
    RoleHere(Role),
    Role(Role),
    TwoDeciders,
}

impl Need {
    pub fn words(self) -> String {
        match self {
            Self::Grant(right) => format!("an approved request to {}", right.words()),
            Self::RoleHere(role) => format!("the role {role} of this project"),
            Self::Role(role) => format!("the role {role} of the organisation"),
            Self::TwoDeciders => "two people who can decide".into(),
        }
    }
}

/// Who can help with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// Whoever signs requests here.
    Approvers,
    /// Whoever lets suspended access go on.
    Confirmers,
    Leads,
    Administrators,
    /// Whoever writes policies.
    PolicyWriters,
    /// Whoever sets what holds at a protection level.
    LevelSetters,
    /// Nobody else is needed.
    Oneself(&'static str),
}

/// Whom to ask, by what was said. Whatever is not named here is a matter of roles, and roles are given by administrators.
pub fn help(refusal: Refusal) -> Help {
    use Refusal::*;
    match refusal {
        NoGrant | GrantEnded | GrantRight => Help::Approvers,
        GrantSuspended => Help::Confirmers,
        GrantEarly => Help::Oneself("Wait until it begins."),
        CopyOnly => Help::Oneself("Copy it: the value goes into the clipboard without being shown."),
        NewFactor => Help::Oneself("Wait until 24 hours have passed since it was added."),
        TooManyGuesses => Help::Oneself("Use a passkey or a recovery code, or wait a day."),
        NewcomerDecides => Help::Oneself("Wait until 24 hours have passed, or leave it to somebody else."),
        LinkedAccounts | OwnRequest | OwnChange | OwnBenefit | ChangedTrust | SecondPerson | MutualApproval => {
            Help::Oneself("Leave it to somebody else.")
        }
        FactorNeeded | NoFactor => Help::Oneself("Add a second factor on your account’s page."),
        OtherEnvironment => {
            Help::Oneself("A workload reads in its own environment alone. Make one for this environment.")
        }
        TokenScope => Help::Oneself("Do it in a browser, or make a token that is for it."),
        NoSuchVersion => Help::Leads,
        Policy => Help::PolicyWriters,
        NoPerson => Help::LevelSetters,
        _ => Help::Administrators,
    }
}

/// Who can help, by name, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub words: String,
    pub people: Vec<Named>,
    pub href: Option<(String, &'static str)>,
}

/// What the engine says of one act.
#[derive(Clone, Debug)]
pub struct Act {
    pub action: Action,
    pub verdict: Verdict,
    /// None where no rule allows it, or where something else than a rule stands in the way.
    pub rule: Option<Rule>,
    /// The fewest changes that would open it; each inner list is one way.
    pub needs: Vec<Vec<Need>>,
    pub ask: Option<Ask>,
    /// What else policies look at here, which is not known of somebody else or changes by the hour.
    pub depends: Vec<&'static str>,
}

impl Act {
    /// What somebody would do: the trail says it of what was done.
    pub fn words(&self) -> &'static str {
        match self.action {
            Action::ViewCatalog => "See that it exists",
            Action::SubmitRequest => "Ask for access",
            Action::RevealSecret => "See the value",
            Action::CopySecret => "Copy the value",
            Action::FetchSecret => "Fetch the value",
            Action::WriteVersion => "Write a new value",
            Action::EditSecret => "Edit description and class",
            Action::StartRotation => "Start a rotation",
            other => other.words(),
        }
    }
}

/// How access was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// By a level whose policy has no human step.
    ByRule,
    By(Vec<Named>),
}

/// A grant, as a route to a value.
#[derive(Clone, Debug)]
pub struct GrantRoute {
    pub id: String,
    pub request: String,
    pub right: Right,
    pub state: State,
    pub from: Moment,
    pub until: Moment,
    pub given: Given,
    /// The approval policy that it was given under.
    pub policy: String,
}

/// A way to a value through a workload: by issuing oneself a client secret for it.
#[derive(Clone, Debug)]
pub struct WorkloadRoute {
    pub workload: Named,
    pub rule: Option<Rule>,
    pub verdict: Verdict,
    pub until: Moment,
}

#[derive(Clone, Debug)]
pub struct Known {
    pub version: i32,
    pub how: String,
    pub since: Moment,
    pub current: bool,
}

/// A role that counts here, and where it comes from.
#[derive(Clone, Debug)]
pub struct HeldRole {
    pub role: Role,
    /// Of an auditor: the period whose events they read.
    pub reads: Option<Period>,
    /// None: in the whole organisation.
    pub project: Option<String>,
    pub from: Moment,
    pub until: Option<Moment>,
    pub source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    ByHand(Option<Named>),
    Group(String),
}

/// A secret and where it lies.
#[derive(Clone, Debug)]
pub struct Place {
    pub secret: String,
    pub path: String,
    pub project: (String, String),
    pub environment: String,
    pub tier: Tier,
    pub class: Class,
}

/// May they, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub whom: Named,
    pub workload: bool,
    /// The reader's own.
    pub own: bool,
    /// Nothing of what follows is theirs to do while this holds.
    pub account: Option<String>,
    pub place: Place,
    pub acts: Vec<Act>,
    pub grants: Vec<GrantRoute>,
    pub workloads: Vec<WorkloadRoute>,
    pub roles: Vec<HeldRole>,
    pub known: Vec<Known>,
}

/// Somebody who could take a value at a time.
#[derive(Clone, Debug)]
pub struct Reader {
    pub who: Named,
    pub workload: bool,
    pub grant: GrantRoute,
    /// What the policies of that time say of using it.
    pub verdict: Verdict,
    pub rule: Option<Rule>,
    /// What else policies looked at that is not known of then, or that another hour changes.
    pub depends: Vec<&'static str>,
    /// Who could issue themself a client secret for it.
    pub behind: Vec<Named>,
}

/// Somebody who knew a version that might work at a time.
#[derive(Clone, Debug)]
pub struct Knower {
    pub who: Named,
    pub known: Known,
}

/// Who can, or could, read a secret.
#[derive(Clone, Debug)]
pub struct Access {
    pub place: Place,
    pub at: Moment,
    pub past: bool,
    pub readers: Vec<Reader>,
    pub knowers: Vec<Knower>,
}

/// A decision that was made, with what it was made from.
#[derive(Clone, Debug)]
pub struct Decided {
    pub seq: u64,
    pub at: Moment,
    pub action: Action,
    pub allowed: bool,
    pub refusal: Option<Refusal>,
    pub rule_id: String,
    pub version: u32,
    /// As it was written then; none for "no rule allows it".
    pub rule: Option<Rule>,
    /// The rule allowed it; what refused is no policy: separation of duties, an end, a waiting time.
    pub fixed: bool,
    /// None where it is not kept any more.
    pub facts: Option<Vec<(String, String)>>,
    /// The same question with what is in force now.
    pub now: Option<Verdict>,
    pub now_rule: Option<Rule>,
    pub ask: Option<Ask>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_somebody_who_can_help() {
        for refusal in Refusal::ALL {
            // A refusal that only asks for a factor is never answered with "ask an administrator".
            if matches!(refusal, Refusal::FactorNeeded | Refusal::NoFactor) {
                assert!(matches!(help(*refusal), Help::Oneself(_)));
            }
        }
        assert_eq!(help(Refusal::NoGrant), Help::Approvers);
        assert_eq!(help(Refusal::Policy), Help::PolicyWriters);
        assert_eq!(help(Refusal::NoRule), Help::Administrators);
    }
}
