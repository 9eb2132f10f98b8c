//! What is wrong with a document, and what is probably not meant.
use super::{
    Engine, Principal, Question, Situation, codes,
    organisation::{Document, GOVERNED, Organisation, Rule, actions, rules_of},
    parse::{Unreadable, parse, with_room},
    written::{placed, position},
};
use crate::people::PAST_AUDITOR;
use app::{
    audit::action::Action,
    policies::{
        document::{Lint, LintKind, MOST_RULES, Mistake},
        model::{Class, Role, Tier},
    },
    time::Moment,
};
use cedar_policy::{Decision, Effect, PolicySet, ValidationMode, Validator};
use chrono::TimeDelta;
use miette::Diagnostic;
use std::collections::BTreeSet;

/// Everything that keeps a document from being proposed.
pub fn mistakes(engine: &Engine, text: &str) -> Vec<Mistake> {
    match parse(text) {
        Ok(parsed) => with_room(|| mistakes_of(engine, text, &parsed)),
        Err(Unreadable::TooMuch(mistake)) => vec![mistake],
        Err(unreadable) => unreadable.diagnostics().map(|(error, message)| mistake(text, error, &message)).collect(),
    }
}

/// The same away from the threads that answer requests: it takes a core for a while.
pub async fn mistakes_aside(engine: &Engine, text: &str) -> Result<Vec<Mistake>, app::error::Error> {
    let (engine, text) = (engine.clone(), text.to_owned());
    let found = tokio::task::spawn_blocking(move || mistakes(&engine, &text)).await;
    found.map_err(|_| app::error::Error::Unavailable)
}

fn mistakes_of(engine: &Engine, text: &str, parsed: &PolicySet) -> Vec<Mistake> {
    let whole = |message: &str| vec![Mistake { line: 1, column: 1, message: message.into() }];
    let count = parsed.policies().count();
    if parsed.templates().next().is_some() {
        return whole("Templates with slots are not used here: write each rule out.");
    }
    if count == 0 {
        return whole("There is no rule in it.");
    }
    if count > MOST_RULES {
        return whole("A document has at most 50 rules: cut it in two.");
    }
    let mut found = Vec::new();
    let checked = Validator::new(engine.schema().clone()).validate(parsed, ValidationMode::Strict);
    found.extend(checked.validation_errors().map(|error| mistake(text, error, &error.to_string())));
    let mut names = BTreeSet::new();
    for (policy, start) in placed(text, parsed) {
        let (line, column) = position(text, start);
        let at = |message: String| Mistake { line, column, message };
        if let Some(name) = policy.annotation("id") {
            let fits = app::people::model::slug(name).is_ok();
            if !fits || !names.insert(name.to_owned()) {
                found.push(at(format!(
                    "@id(\"{name}\"): one name per rule, of lower-case letters, digits and hyphens."
                )));
            }
        }
        let unknown = actions(policy).unwrap_or_default();
        let mut unknown = unknown.iter().filter(|name| !GOVERNED.iter().any(|known| known.name() == name.as_str()));
        if let Some(name) = unknown.next() {
            found.push(at(format!(
                "{name} is not governed by organisation policies: seeing names, and what only closes, never is."
            )));
        }
    }
    found.sort_by_key(|mistake| (mistake.line, mistake.column));
    found.dedup();
    found
}

fn mistake(text: &str, error: &dyn Diagnostic, message: &str) -> Mistake {
    let offset = error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
    let (line, column) = position(text, offset);
    let help = error.help().map(|help| format!(". {help}")).unwrap_or_default();
    Mistake { line, column, message: format!("{message}{help}") }
}

/// Situations that differ in whatever a rule can ask for.
fn tried(now: Moment) -> Vec<(Principal, Situation, Moment)> {
    let person = |org: &[Role], here: &[Role]| Principal {
        factor: true,
        proved: true,
        org: codes(org.iter().copied().chain([Role::Member])),
        here: codes(here.iter().copied()),
        workload: false,
        ..Principal::workload("tried")
    };
    let mut principals = vec![person(&[], &[]), person(&[], &[Role::Lead]), Principal::workload("tried")];
    principals.extend([Role::Security, Role::Auditor, Role::Admin].map(|role| person(&[role], &[])));
    let mut past = person(&[], &[]);
    past.org = [PAST_AUDITOR].into();
    principals.push(past);
    principals.push(person(&[], &[Role::Auditor]));
    principals.push(Principal { new_factor: true, ..person(&[Role::Security], &[Role::Lead]) });
    let all = Situation { own: true, team: true, grant: true, open: true, deciders: 2, ..Situation::default() };
    let none = Situation { deciders: 2, ..Situation::default() };
    let mut situations = vec![all, none, Situation { loosens: true, ..all }];
    for tier in Tier::ALL {
        for class in Class::ALL {
            for kind in [all, none] {
                situations.push(Situation { tier: Some(*tier), class: Some(*class), ..kind });
            }
        }
    }
    // A week in steps of five hours: every weekday, every part of the day.
    let moments: Vec<Moment> = (0..34).map(|step| now + TimeDelta::hours(5 * step)).collect();
    let mut found = Vec::new();
    for (number, principal) in principals.iter().enumerate() {
        for (other, situation) in situations.iter().enumerate() {
            // Two moments for each, so that together they meet all of them.
            for at in [number * 7 + other, number * 11 + other * 3 + 1] {
                found.push((principal.clone(), *situation, moments[at % moments.len()]));
            }
        }
    }
    found
}

/// What is allowed and probably not meant. Found by asking, not by reading: the rules are tried in some hundred situations each.
pub fn lints(engine: &Engine, organisation: &Organisation, document: &Document, now: Moment) -> Vec<Lint> {
    let Ok(rules) = rules_of(document) else { return Vec::new() };
    let Ok(with) = organisation.with(&document.id, Some(document.clone())) else { return Vec::new() };
    let tried = tried(now);
    let mut found = Vec::new();
    for rule in rules {
        let id = rule.policy.id().to_string();
        let lint = |kind| Lint { rule: id.clone(), kind };
        let text = rule.policy.to_string();
        let permits = rule.policy.effect() == Effect::Permit;
        let speaks = |word: &&str| text.contains(*word);
        let of_somebody = ["org", "here", "own", "team", "grant", "groups", "principal =="];
        if permits && !of_somebody.iter().any(speaks) {
            found.push(lint(LintKind::Everyone));
        }
        // What the moment brings cannot be tried out: networks, groups and ways of signing in are anybody's.
        let open_ended = ["address", "groups", "method", "acr", "environment", "principal =="].iter().any(speaks);
        if !permits && text.contains(&format!("\"{}\"", Role::Auditor.code())) && !text.contains(PAST_AUDITOR) {
            // Where it binds auditors and, all else alike, not those of a period.
            let action = actions(&rule.policy).and_then(|known| first_of(&known)).unwrap_or(Action::StartExport);
            let binds = |principal: &Principal, (situation, at): (Situation, Moment)| {
                engine.matches(&rule, &trial(&rule, principal, action, situation, at)) == Some(true)
            };
            let holding = |role: &'static str| Principal {
                factor: true,
                proved: true,
                workload: false,
                org: [role, Role::Member.code()].into(),
                here: [role].into(),
                ..Principal::workload("tried")
            };
            let apart = |auditor: &Principal, past: &Principal| {
                tried
                    .iter()
                    .map(|(_, situation, at)| (*situation, *at))
                    .any(|it| binds(auditor, it) && !binds(past, it))
            };
            // What cannot be tried out is taken at its word.
            if open_ended || apart(&holding(Role::Auditor.code()), &holding(PAST_AUDITOR)) {
                found.push(lint(LintKind::PastAuditors));
            }
        }
        let without = with.without(&id);
        let (mut matched, mut changes, mut unapproved, mut fails) = (false, false, false, false);
        let asked =
            GOVERNED.iter().filter(|action| actions(&rule.policy).is_none_or(|known| known.contains(action.name())));
        for action in asked {
            for (principal, situation, at) in &tried {
                let question = trial(&rule, principal, *action, *situation, *at);
                match engine.matches(&rule, &question) {
                    Some(true) => {}
                    Some(false) => continue,
                    None => {
                        fails = true;
                        continue;
                    }
                }
                matched = true;
                let values = matches!(action, Action::RevealSecret | Action::CopySecret | Action::FetchSecret);
                unapproved |= permits && values && situation.tier == Some(Tier::Production) && !situation.grant;
                changes |= engine.allows(&with, &question) != engine.allows(&without, &question);
                if changes && (unapproved || !permits) {
                    break;
                }
            }
        }
        if fails {
            found.push(lint(LintKind::Fails));
        }
        if unapproved {
            found.push(lint(LintKind::Unapproved));
        }
        if !matched && !open_ended {
            found.push(lint(LintKind::NeverMatches));
        } else if matched && !changes {
            found.push(lint(LintKind::ChangesNothing));
        }
    }
    found
}

/// What a rule is tried with.
fn trial<'a>(
    rule: &'a Rule,
    principal: &'a Principal,
    action: Action,
    situation: Situation,
    at: Moment,
) -> Question<'a> {
    let (project, resource) = (rule.project(), "tried");
    Question { principal, action, resource, situation, project, environment: None, address: None, at }
}

/// The first action of a rule that can be governed.
fn first_of(names: &BTreeSet<String>) -> Option<Action> {
    GOVERNED.iter().copied().find(|action| names.contains(action.name()))
}

/// Would every one of these people be kept from giving roles, or from letting people in, at any hour of a week? Changing policies
/// itself is never governed; but an organisation that nobody administers is not what anybody means.
pub fn locks_out(engine: &Engine, with: &Organisation, administrators: &[Principal], now: Moment) -> bool {
    let free = |principal: &Principal, action: Action| {
        (0..168).any(|hour| {
            let question = Question {
                principal,
                action,
                resource: "administration",
                situation: Situation { loosens: true, ..Situation::default() },
                project: None,
                environment: None,
                address: None,
                at: now + TimeDelta::hours(hour),
            };
            engine.allows(with, &question) == Decision::Allow
        })
    };
    let needed = [Action::AssignRole, Action::InvitePerson];
    !needed.iter().all(|action| administrators.iter().any(|principal| free(principal, *action)))
}
