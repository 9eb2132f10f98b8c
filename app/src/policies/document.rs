//! Organisation policies as people write them: Cedar, in versioned documents.
use super::model::Tier;

/// The longest document, in characters.
pub const LONGEST: usize = 20_000;
/// Rules in one document.
pub const MOST_RULES: usize = 50;
/// Documents in force at once.
pub const MOST_DOCUMENTS: usize = 1_000;

/// Something wrong with a document, where it is: lines and columns from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Something that is allowed and is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Which rule, as the trail would name it.
    pub rule: String,
    pub kind: LintKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintKind {
    Everyone,
    Unapproved,
    NeverMatches,
    ChangesNothing,
    Fails,
    PastAuditors,
}

impl LintKind {
    pub fn words(self) -> &'static str {
        match self {
            Self::Everyone => "allows this to everybody: no condition speaks of a role, a team, a group or a grant",
            Self::Unapproved => "allows values in production without a grant. It has no effect: values need one",
            Self::NeverMatches => "never matched, in any situation that was tried",
            Self::Fails => "cannot be computed in some situations: whatever it concerns is refused there",
            Self::PastAuditors => {
                "does not bind auditors of a period: they hold another role, \"past-auditor\". Name it too if they are meant"
            }
            Self::ChangesNothing => "changes nothing: wherever it matches, the answer is the same without it",
        }
    }
}

/// A line of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Both,
    Before,
    After,
}

/// What to begin from, for each protection level.
pub fn template(tier: Tier) -> &'static str {
    match tier {
        Tier::Development => {
            r#"// Development: everybody may ask, also in projects that they do not belong to.
@id("anybody-asks")
permit (principal is Person, action == Action::"SubmitRequest", resource)
when { context.tier == "development" && principal.org.contains("member") };
"#
        }
        Tier::Test => {
            r#"// Test: values are taken by people only from the company's own networks.
@id("own-networks")
forbid (principal is Person, action in [Action::"RevealSecret", Action::"CopySecret"], resource)
when { context.tier == "test" }
unless { context has address && context.address.isInRange(ip("10.0.0.0/8")) };
"#
        }
        Tier::Staging => {
            r#"// Staging: nobody approves at night or at the week-end (UTC).
@id("working-hours")
forbid (principal is Person, action == Action::"ApproveRequest", resource)
when { context.tier == "staging" }
unless { context.hour >= 6 && context.hour < 20 && context.weekday < 6 };
"#
        }
        Tier::Production => {
            r#"// Production: people take values only after signing in through the identity provider, as one of its group.
@id("on-call")
forbid (principal is Person, action in [Action::"RevealSecret", Action::"CopySecret"], resource)
when { context.tier == "production" }
unless { context.method == "provider" && context.groups.contains("on-call") };
"#
        }
    }
}
