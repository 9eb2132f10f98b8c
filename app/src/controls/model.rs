//! Which way a change goes, and what a confirmation binds to. Who may confirm is in `people/second.rs`.
use crate::{
    levels::model::Level,
    people::{
        period::{Period, narrows},
        provider::{Gives, Settings},
        second::LINKED,
    },
    policies::model::{Class, Role, words},
    time::Moment,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a proposal waits.
pub const WAITS: TimeDelta = TimeDelta::days(7);

/// What somebody wants to change. Stored as proposed; nothing of it is a secret in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    GiveRole {
        person: String,
        role: Role,
        project: Option<String>,
        /// When it ends by itself.
        until: Option<Moment>,
        /// Of an auditor: the period whose events they read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reads: Option<Period>,
    },
    AddMember {
        person: String,
        team: String,
    },
    EnablePerson {
        person: String,
    },
    /// Local sign-in goes on for this person where a provider is used.
    NameEmergency {
        person: String,
    },
    /// A new provider, or other settings of one.
    SetProvider {
        provider: String,
        settings: Settings,
        /// The client's secret, wrapped. Absent: as before.
        sealed_secret: Option<String>,
    },
    RemoveProvider {
        provider: String,
    },
    /// Another class of a production secret.
    SetClass {
        secret: String,
        class: Class,
    },
    /// A client secret of a production workload works from now on.
    IssueCredential {
        credential: String,
        workload: String,
        /// Whose members gain by it.
        team: String,
    },
    SetGroupRule {
        rule: String,
        provider: String,
        group: String,
        gives: Gives,
    },
    /// A new policy, or another text of one.
    SetPolicy {
        policy: String,
        slug: String,
        name: String,
        text: String,
    },
    RemovePolicy {
        policy: String,
    },
    SetLevel {
        level: Level,
    },
    /// Somebody decides on requests in another one's place while they are away.
    Delegate {
        /// Who decides: they gain by it.
        person: String,
        absent: String,
        starts_at: Moment,
        ends_at: Moment,
    },
}

/// One control as it stands: what [`direction`] compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    Role {
        role: Role,
        project: Option<String>,
        until: Option<Moment>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reads: Option<Period>,
    },
    /// Membership of a team: its members issue client secrets for the workloads that it keeps or will keep.
    Member,
    /// An account that works, with so many roles.
    Account {
        roles: usize,
    },
    EmergencyAccount,
    /// A client secret that works.
    Credential,
    /// `others`: how many other providers there are. Without any, everybody's password works again.
    Provider {
        settings: Settings,
        secret: String,
        others: usize,
    },
    GroupRule {
        group: String,
        gives: Gives,
    },
    /// How much harm a secret could do: what its class asks for is asked of whoever wants it.
    Class {
        class: Class,
    },
    /// Nothing tells of two texts which one allows more: every change of a policy waits for somebody else.
    Policy {
        name: String,
        text: String,
    },
    /// What holds in environments of a protection level.
    Level {
        level: Level,
    },
    Delegation {
        delegate: String,
        starts_at: Moment,
        ends_at: Moment,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Takes away or narrows: acts at once.
    Tightening,
    /// Opens something, or might: waits for another person.
    Loosening,
}

/// Which way does it go? What is not known to tighten loosens.
pub fn direction(before: Option<&Control>, after: Option<&Control>) -> Direction {
    use Control::*;
    use Direction::*;
    match (before, after) {
        (None, None) => Tightening,
        (Some(before), Some(after)) if before == after => Tightening,
        (Some(Class { class }), Some(Class { class: higher })) if higher > class => Tightening,
        (Some(Level { level }), Some(Level { level: new })) if new.tightens(level) => Tightening,
        (Some(Class { .. } | Policy { .. } | Level { .. }), None) | (Some(Provider { others: 0, .. }), None) => {
            Loosening
        }
        (Some(_), None) => Tightening,
        (
            Some(Role { role, project, until, reads }),
            Some(Role { role: new_role, project: new_project, until: new_until, reads: new_reads }),
        ) if role == new_role
            && project == new_project
            && until.is_none_or(|until| new_until.is_some_and(|new| new <= until))
            && narrows(*reads, *new_reads) =>
        {
            Tightening
        }
        (
            Some(Provider { settings, secret, .. }),
            Some(Provider { settings: new_settings, secret: new_secret, .. }),
        ) if secret == new_secret && new_settings.tightens(settings) => Tightening,
        _ => Loosening,
    }
}

impl Change {
    /// Who gains by it: they never confirm it themselves.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::GiveRole { person, .. }
            | Self::AddMember { person, .. }
            | Self::EnablePerson { person }
            | Self::NameEmergency { person }
            | Self::Delegate { person, .. } => Some(person),
            Self::SetProvider { .. }
            | Self::RemoveProvider { .. }
            | Self::SetGroupRule { .. }
            | Self::SetClass { .. }
            | Self::IssueCredential { .. }
            | Self::SetPolicy { .. }
            | Self::SetLevel { .. }
            | Self::RemovePolicy { .. } => None,
        }
    }

    /// Whose members gain by it: none of them confirms it.
    pub fn team(&self) -> Option<&str> {
        match self {
            Self::IssueCredential { team, .. } => Some(team),
            _ => None,
        }
    }

    /// Is it about what is one's own to propose, and whose?
    pub fn of_oneself(&self) -> Option<&str> {
        match self {
            Self::Delegate { absent, .. } => Some(absent),
            _ => None,
        }
    }

    /// Would both come to the same? The id that a new row would get makes no difference.
    pub fn is_same(&self, other: &Change) -> bool {
        match (self, other) {
            (
                Self::SetGroupRule { provider, group, gives, .. },
                Self::SetGroupRule { provider: theirs, group: their_group, gives: their_gives, .. },
            ) => (provider, group, gives) == (theirs, their_group, their_gives),
            (one, other) => one == other,
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::GiveRole { .. } => "give-role",
            Self::AddMember { .. } => "add-member",
            Self::EnablePerson { .. } => "enable-person",
            Self::NameEmergency { .. } => "name-emergency",
            Self::SetProvider { .. } => "set-provider",
            Self::RemoveProvider { .. } => "remove-provider",
            Self::SetGroupRule { .. } => "set-group-rule",
            Self::SetClass { .. } => "set-class",
            Self::IssueCredential { .. } => "issue-credential",
            Self::SetPolicy { .. } => "set-policy",
            Self::RemovePolicy { .. } => "remove-policy",
            Self::Delegate { .. } => "delegate",
            Self::SetLevel { .. } => "set-level",
        }
    }
}

words! {
    /// How a proposal ended.
    Outcome {
        Confirmed = "confirmed", "Confirmed, in effect";
        Declined = "declined", "Declined";
        Withdrawn = "withdrawn", "Withdrawn";
        Expired = "expired", "Expired, nobody confirmed";
        Overtaken = "overtaken", "Overtaken: what it changes had changed";
    }
}

/// A proposal's state at a moment: computed from facts, never stored. `None`: it waits.
pub fn state(outcome: Option<Outcome>, expires_at: Moment, now: Moment) -> Option<Outcome> {
    outcome.or_else(|| (now >= expires_at).then_some(Outcome::Expired))
}

/// What a confirmation binds to. Format 1: frozen.
#[derive(Serialize)]
pub struct Terms<'a> {
    pub id: &'a str,
    pub change: &'a Change,
    /// What it changes, as it stood when it was proposed.
    pub before: Option<&'a Control>,
    pub proposed_by: &'a str,
}

impl Terms<'_> {
    /// SHA-256(`countersign/control/v1` ‖ JCS of the terms), base64url.
    pub fn digest(&self) -> String {
        let json = serde_json_canonicalizer::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(Sha256::new().chain_update("countersign/control/v1").chain_update(json).finalize())
    }
}

/// How long an installation may be set up by people who all depend on each other.
pub const FOUNDING: TimeDelta = LINKED;

/// May a loosening act without a second person? Only where nobody could be one: while the installation is founded, when
/// everybody was let in by somebody who is there; and where nobody else (`others`) held a role that confirms for a week.
pub fn acts_alone(able: usize, others: usize, founded_at: Moment, now: Moment) -> bool {
    able == 0 && (others == 0 || now - founded_at < FOUNDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Control {
        let settings = Settings {
            name: "Example".into(),
            issuer: "https://id.example".into(),
            client_id: "countersign".into(),
            groups_claim: "groups".into(),
            admits: false,
            acr: None,
            max_age: None,
        };
        Control::Provider { settings, secret: "a".into(), others: 0 }
    }

    fn with(change: impl Fn(&mut Settings)) -> Control {
        match provider() {
            Control::Provider { mut settings, secret, others } => {
                change(&mut settings);
                Control::Provider { settings, secret, others }
            }
            other => other,
        }
    }

    fn everything() -> Vec<Control> {
        let at = Moment::default();
        let mut all = vec![
            Control::Member,
            Control::Account { roles: 0 },
            Control::Account { roles: 2 },
            Control::EmergencyAccount,
            provider(),
            with(|settings| settings.admits = true),
            with(|settings| settings.acr = Some("mfa".into())),
            with(|settings| settings.max_age = Some(60)),
            with(|settings| settings.max_age = Some(600)),
            with(|settings| settings.issuer = "https://other.example".into()),
            with(|settings| settings.groups_claim = "roles".into()),
            Control::Delegation { delegate: "d".into(), starts_at: at, ends_at: at + TimeDelta::days(1) },
            Control::Delegation { delegate: "d".into(), starts_at: at, ends_at: at + TimeDelta::days(2) },
            Control::GroupRule { group: "a".into(), gives: Gives::Team { team: "t".into() } },
            Control::GroupRule { group: "b".into(), gives: Gives::Role { role: Role::Admin, project: None } },
        ];
        all.extend(Class::ALL.iter().map(|class| Control::Class { class: *class }));
        for tier in crate::policies::model::Tier::ALL {
            let level = Level::built_in(*tier);
            let (longer, slower) = (
                Level { grant_minutes: level.grant_minutes + 1, ..level },
                Level { dead_hours: level.dead_hours + 1, ..level },
            );
            all.extend([level, longer, slower].map(|level| Control::Level { level }));
        }
        for days in [30, 90] {
            let reads = Some(Period { from: at, until: at + TimeDelta::days(days) });
            for until in [None, Some(at)] {
                all.push(Control::Role { role: Role::Auditor, project: None, until, reads });
            }
        }
        for role in Role::ALL {
            for until in [None, Some(at), Some(at + TimeDelta::days(1))] {
                for project in [None, Some("p".to_owned())] {
                    all.push(Control::Role { role: *role, project, until, reads: None });
                }
            }
        }
        all
    }

    /// If one way tightens, the way back loosens: nothing can be opened in two steps that each act at once.
    #[test]
    fn what_tightens_is_not_undone_at_once() {
        let all = everything();
        let each = || std::iter::once(None).chain(all.iter().map(Some));
        for before in each() {
            for after in each() {
                if before == after {
                    continue;
                }
                let ways = [direction(before, after), direction(after, before)];
                assert!(ways.contains(&Direction::Loosening), "{before:?} and {after:?}");
            }
        }
    }

    #[test]
    fn each_kind_has_its_direction() {
        use Direction::*;
        let role = |until| Control::Role { role: Role::Auditor, project: None, until, reads: None };
        let at = Moment::default();
        for (before, after, way) in [
            (None, Some(role(None)), Loosening),
            (Some(role(None)), None, Tightening),
            (Some(role(None)), Some(role(Some(at))), Tightening),
            (Some(role(Some(at))), Some(role(None)), Loosening),
            (None, Some(Control::Member), Loosening),
            (Some(Control::Member), None, Tightening),
            (None, Some(Control::Account { roles: 0 }), Loosening),
            (None, Some(provider()), Loosening),
            (Some(provider()), None, Loosening),
            (Some(provider()), Some(with(|settings| settings.acr = Some("mfa".into()))), Tightening),
            (Some(provider()), Some(with(|settings| settings.admits = true)), Loosening),
            (Some(with(|settings| settings.admits = true)), Some(provider()), Tightening),
            (Some(provider()), Some(with(|settings| settings.name = "New name".into())), Tightening),
            (Some(provider()), Some(with(|settings| settings.client_id = "x".into())), Loosening),
            (Some(with(|s| s.max_age = Some(60))), Some(with(|s| s.max_age = Some(600))), Loosening),
            (Some(with(|s| s.max_age = Some(600))), Some(with(|s| s.max_age = Some(60))), Tightening),
        ] {
            assert_eq!(direction(before.as_ref(), after.as_ref()), way, "{before:?} → {after:?}");
        }
    }

    #[test]
    fn alone_is_for_the_first_days_and_for_one_person() {
        let now = Moment::default();
        let founded = |days| now - TimeDelta::days(days);
        assert!(acts_alone(0, 3, founded(6), now));
        assert!(!acts_alone(1, 3, founded(6), now), "somebody independent is there");
        assert!(!acts_alone(0, 3, founded(7), now), "the others age into it: wait for them");
        assert!(acts_alone(0, 0, founded(700), now));
    }

    #[test]
    fn a_confirmation_binds_to_all_of_it() {
        let change = Change::GiveRole { person: "p".into(), role: Role::Lead, project: None, until: None, reads: None };
        let other = Change::GiveRole { person: "p".into(), role: Role::Admin, project: None, until: None, reads: None };
        let terms = |id, change, before, proposed_by| Terms { id, change, before, proposed_by }.digest();
        let control = Control::EmergencyAccount;
        let digests = [
            terms("a", &change, None, "x"),
            terms("b", &change, None, "x"),
            terms("a", &other, None, "x"),
            terms("a", &change, Some(&control), "x"),
            terms("a", &change, None, "y"),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn a_proposal_ends_by_itself() {
        let now = Moment::default();
        assert_eq!(state(None, now + WAITS, now), None);
        assert_eq!(state(None, now, now), Some(Outcome::Expired));
        assert_eq!(state(Some(Outcome::Declined), now, now), Some(Outcome::Declined));
    }
}
