//! Identity providers (OpenID Connect Core 1.0): their settings, what groups give, and names for people whom one brings.
use super::model::{display, line, login};
use crate::{error::FieldError, policies::model::Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is known of one provider beside its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the button says.
    pub name: String,
    /// Exactly as the provider writes itself (`iss`).
    pub issuer: String,
    pub client_id: String,
    /// The claim of the ID token that lists groups.
    pub groups_claim: String,
    /// Whether whoever the provider vouches for gets an account by signing in. Else people are invited and join with it.
    pub admits: bool,
    /// The authentication context (`acr`) that is asked for and insisted on.
    pub acr: Option<String>,
    /// How long ago somebody may have authenticated there, in seconds. Absent: as the provider likes.
    pub max_age: Option<u32>,
}

impl Settings {
    /// In canonical form, or what is wrong at which field.
    pub fn check(self) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut say = |field: &'static str, message: &str| wrong.push(FieldError { field, message: message.into() });
        let name = display(&self.name).unwrap_or_else(|why| {
            say("name", why);
            String::new()
        });
        let issuer = self.issuer.trim().to_owned();
        let host = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://")).unwrap_or_default();
        if host.is_empty() || issuer.contains(['?', '#', ' ']) || !issuer.is_ascii() || issuer.len() > 500 {
            say("issuer", "An address such as https://id.example, as the provider writes itself.");
        }
        let client_id = self.client_id.trim().to_owned();
        if client_id.is_empty() || line(&client_id, 200).is_err() {
            say("client_id", "The name by which the provider knows this console; at most 200 characters.");
        }
        let groups_claim = self.groups_claim.trim().to_owned();
        if groups_claim.is_empty() || groups_claim.len() > 200 || !groups_claim.bytes().all(|b| b.is_ascii_graphic()) {
            say("groups_claim", "The name of a claim, such as groups.");
        }
        let acr = self.acr.map(|acr| acr.trim().to_owned()).filter(|acr| !acr.is_empty());
        if acr.as_ref().is_some_and(|acr| acr.len() > 200 || !acr.bytes().all(|byte| byte.is_ascii_graphic())) {
            say("acr", "One value, without spaces.");
        }
        if self.max_age.is_some_and(|seconds| !(60..=86_400).contains(&seconds)) {
            say("max_age", "Between 1 minute and 24 hours.");
        }
        if wrong.is_empty() {
            Ok(Self { name, issuer, client_id, groups_claim, admits: self.admits, acr, max_age: self.max_age })
        } else {
            Err(wrong)
        }
    }

    /// Against how they were: does nothing open that was closed?
    pub fn tightens(&self, former: &Settings) -> bool {
        self.issuer == former.issuer
            && self.client_id == former.client_id
            && self.groups_claim == former.groups_claim
            && (!self.admits || former.admits)
            && (former.acr.is_none() || self.acr == former.acr)
            && former.max_age.is_none_or(|before| self.max_age.is_some_and(|after| after <= before))
    }
}

/// What belonging to a group gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Gives {
    Role { role: Role, project: Option<String> },
    Team { team: String },
}

/// A group's name as rules compare it: exactly as the provider sends it, without spaces around. Groups are not folded: two that
/// differ by case are two groups, as they are at the provider.
pub fn group(text: &str) -> Result<String, &'static str> {
    let text = line(text, 300)?;
    if text.is_empty() { Err("This is needed.") } else { Ok(text) }
}

/// One rule of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub group: String,
    pub gives: Gives,
}

/// What rules give somebody who belongs to these groups: each thing once, by the first rule that gives it.
pub fn given<'r>(rules: &'r [Rule], groups: &BTreeSet<String>) -> Vec<&'r Rule> {
    let mut found: Vec<&Rule> = Vec::new();
    for rule in rules.iter().filter(|rule| groups.contains(&rule.group)) {
        if !found.iter().any(|known| known.gives == rule.gives) {
            found.push(rule);
        }
    }
    found
}

/// A sign-in name for somebody whom a provider brings, from what it calls them: the first spelling that is free. It is only a
/// name: who they are is decided by issuer and subject alone, so a name that is taken never leads into its owner's account.
pub fn free_login(wished: &str, taken: impl Fn(&str) -> bool) -> Option<String> {
    let local = wished.split('@').next().unwrap_or_default();
    let kept: String =
        local.to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
    let base = kept.trim_start_matches(|first: char| !first.is_ascii_lowercase());
    let base: String = if base.is_empty() { "person".into() } else { base.chars().take(58).collect() };
    std::iter::once(base.clone())
        .chain((2..10_000).map(|number| format!("{base}-{number}")))
        .find(|candidate| login(candidate).as_deref() == Ok(candidate.as_str()) && !taken(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            name: " Example   ID ".into(),
            issuer: "https://id.example/realms/a".into(),
            client_id: "countersign".into(),
            groups_claim: "groups".into(),
            admits: true,
            acr: Some(" ".into()),
            max_age: Some(3600),
        }
    }

    #[test]
    fn settings_are_checked_at_their_fields() {
        let good = settings().check().unwrap();
        assert_eq!((good.name.as_str(), good.acr.as_deref()), ("Example ID", None));
        for (bad, field) in [
            (Settings { name: String::new(), ..settings() }, "name"),
            (Settings { issuer: "id.example".into(), ..settings() }, "issuer"),
            (Settings { issuer: "https://id.example?x".into(), ..settings() }, "issuer"),
            (Settings { issuer: "https://".into(), ..settings() }, "issuer"),
            (Settings { client_id: " ".into(), ..settings() }, "client_id"),
            (Settings { groups_claim: "a b".into(), ..settings() }, "groups_claim"),
            (Settings { acr: Some("a b".into()), ..settings() }, "acr"),
            (Settings { max_age: Some(5), ..settings() }, "max_age"),
        ] {
            let wrong = bad.check().unwrap_err();
            assert_eq!(wrong.iter().map(|error| error.field).collect::<Vec<_>>(), [field]);
        }
    }

    #[test]
    fn rules_give_each_thing_once() {
        let rule = |id: &str, group: &str, gives| Rule { id: id.into(), group: group.into(), gives };
        let lead = Gives::Role { role: Role::Lead, project: Some("p".into()) };
        let rules = [
            rule("1", "a", lead.clone()),
            rule("2", "b", lead),
            rule("3", "b", Gives::Team { team: "t".into() }),
            rule("4", "A", Gives::Role { role: Role::Admin, project: None }),
        ];
        let given = |groups: &[&str]| {
            let groups = groups.iter().map(ToString::to_string).collect();
            given(&rules, &groups).iter().map(|rule| rule.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(given(&["a", "b"]), ["1", "3"]);
        assert_eq!(given(&["b"]), ["2", "3"]);
        assert!(given(&["c", " a", "a\u{200b}"]).is_empty());
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_over() {
        let taken = |name: &str| ["mara", "mara-2", "person"].contains(&name);
        for (wished, login) in [
            ("Mara@example.org", "mara-3"),
            ("MARA", "mara-3"),
            ("jonas", "jonas"),
            ("ｍａｒａ", "person-2"),
            ("мара", "person-2"),
            ("", "person-2"),
            ("42.answer", "answer"),
        ] {
            assert_eq!(free_login(wished, taken).as_deref(), Some(login), "{wished}");
        }
        assert_eq!(free_login(&"x".repeat(300), |_| false).map(|login| login.len()), Some(58));
    }
}
