//! What each change does: how the thing stands before and after, and the step itself.
use crate::{
    audit::{event::Event, ledger::Tx},
    catalog,
    console::Console,
    levels,
    people::{self, Term, providers, providers::store as provider_store, store},
    policies::{Situation, documents},
    workloads,
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::{Change, Control},
    error::{Conflict, Error, Refusal},
    people::delegation::Span,
    policies::model::Role,
};

/// What policy is asked about, and what the trail says once it acts.
pub(super) fn action(change: &Change) -> Action {
    match change {
        Change::GiveRole { .. } => Action::AssignRole,
        Change::AddMember { .. } => Action::AddMember,
        Change::EnablePerson { .. } => Action::EnablePerson,
        Change::NameEmergency { .. } => Action::NameEmergency,
        Change::SetProvider { .. } => Action::SetProvider,
        Change::RemoveProvider { .. } => Action::RemoveProvider,
        Change::SetGroupRule { .. } => Action::SetGroupRule,
        Change::SetClass { .. } => Action::EditSecret,
        Change::IssueCredential { .. } => Action::IssueCredential,
        Change::SetPolicy { .. } => Action::SetPolicy,
        Change::RemovePolicy { .. } => Action::RemovePolicy,
        Change::Delegate { .. } => Action::Delegate,
        Change::SetLevel { .. } => Action::SetLevel,
    }
}

/// What it is about, the project too, so that its leads may propose what is theirs; and what policy is asked of it by whoever
/// proposes it.
pub(super) async fn about(console: &Console, change: &Change, proposer: &str) -> Result<(Subject, Situation), Error> {
    let row = |id: &String| Subject { row: Some(id.clone()), ..Subject::default() };
    let subject = match change {
        Change::GiveRole { person, project, .. } => {
            Subject { person: Some(person.clone()), project: project.clone(), ..Subject::default() }
        }
        Change::AddMember { person, team } => {
            Subject { person: Some(person.clone()), team: Some(team.clone()), ..Subject::default() }
        }
        Change::EnablePerson { person } | Change::NameEmergency { person } | Change::Delegate { person, .. } => {
            Subject { person: Some(person.clone()), ..Subject::default() }
        }
        Change::SetProvider { provider, .. } | Change::RemoveProvider { provider } => row(provider),
        Change::SetGroupRule { rule, .. } => row(rule),
        Change::SetLevel { .. } => Subject::default(),
        Change::SetPolicy { policy, .. } | Change::RemovePolicy { policy } => row(policy),
        Change::IssueCredential { credential, workload, .. } => {
            return workloads::credential_situation(console, credential, workload, proposer).await;
        }
        Change::SetClass { secret, .. } => {
            let mut db = console.read().await?;
            let located = catalog::Located::find(&mut db, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
            return Ok((located.subject(), catalog::secret_situation(&located)));
        }
    };
    Ok((subject, Situation { own: change.of_oneself() == Some(proposer), ..Situation::default() }))
}

/// How the control stands now, and how it would stand; an error where the change is not possible.
pub(super) async fn outlook(
    console: &Console,
    tx: &mut Tx,
    change: &Change,
) -> Result<(Option<Control>, Option<Control>), Error> {
    let (now, key) = (console.now(), console.seal_key());
    if let Some(person) = change.person() {
        let person = store::lock(tx, person, key).await?.ok_or(Error::NotFound)?;
        let disabled = person.disabled_at.is_some();
        if disabled != matches!(change, Change::EnablePerson { .. }) {
            return Err(Error::Conflict(if disabled { Conflict::EditedMeanwhile } else { Conflict::AlreadyDone }));
        }
    }
    match change {
        Change::GiveRole { person, role, project, until, reads } => {
            if let Some(project) = project {
                catalog::store::find_project(tx, project).await?.ok_or(Error::NotFound)?;
            }
            if until.is_some_and(|until| until <= now) {
                return Err(Error::invalid("until", "This day is over."));
            }
            if *role == Role::Admin
                && project.is_none()
                && until.is_some()
                && people::is_last_administrator(console, tx, person).await?
            {
                return Err(Error::invalid("until", Refusal::LastAdministrator.to_string()));
            }
            let held = store::roles_of(tx, person, now, key).await?;
            let held = held.iter().find(|row| row.role == role.code() && row.project_id == *project);
            if reads.is_some() && *role != Role::Auditor {
                return Err(Error::invalid("reads_from", "Auditors alone read a period."));
            }
            if reads.is_some_and(|period| period.from >= period.until) {
                return Err(Error::invalid("reads_until", "The last day comes before the first."));
            }
            let control = |until, reads| Control::Role { role: *role, project: project.clone(), until, reads };
            match held {
                Some(held) if held.valid_to == *until && held.period() == *reads => {
                    Err(Error::Conflict(Conflict::AlreadyDone))
                }
                held => Ok((held.map(|row| control(row.valid_to, row.period())), Some(control(*until, *reads)))),
            }
        }
        Change::AddMember { person, team } => {
            store::find_team(tx, team).await?.ok_or(Error::NotFound)?;
            let held = store::memberships(tx, Some(person), now, key).await?;
            if held.iter().any(|row| row.team_id == *team) {
                return Err(Error::Conflict(Conflict::AlreadyDone));
            }
            Ok((None, Some(Control::Member)))
        }
        Change::EnablePerson { person } => {
            let roles = store::roles_of(tx, person, now, key).await?.len();
            Ok((None, Some(Control::Account { roles })))
        }
        Change::NameEmergency { person } => {
            let named = provider_store::emergency_accounts(tx, key).await?;
            if named.iter().any(|row| row.person_id == *person) {
                return Err(Error::Conflict(Conflict::AlreadyDone));
            }
            Ok((None, Some(Control::EmergencyAccount)))
        }
        Change::SetProvider { provider, settings, sealed_secret } => {
            let all = provider_store::providers(tx, key).await?;
            let others = all.iter().filter(|row| row.provider_id != *provider);
            if others.clone().any(|row| row.issuer == settings.issuer) {
                return Err(Error::invalid("issuer", "Another provider here has this issuer."));
            }
            let others = others.count();
            let present = all.iter().find(|row| row.provider_id == *provider);
            let secret = match (sealed_secret, present) {
                (Some(sealed), _) => sealed.clone(),
                (None, Some(row)) => row.sealed_secret.clone(),
                (None, None) => return Err(Error::invalid("client_secret", "This is needed.")),
            };
            let before = present.map(|row| Control::Provider {
                settings: row.settings(),
                secret: row.sealed_secret.clone(),
                others,
            });
            let after = Control::Provider { settings: settings.clone(), secret, others };
            if before.as_ref() == Some(&after) {
                return Err(Error::Conflict(Conflict::AlreadyDone));
            }
            if before.is_none() && others == 0 {
                providers::emergency_first(console, tx).await?;
            }
            Ok((before, Some(after)))
        }
        Change::RemoveProvider { provider } => {
            let all = provider_store::providers(tx, key).await?;
            let row = all.iter().find(|row| row.provider_id == *provider).ok_or(Error::NotFound)?;
            let before = Control::Provider {
                settings: row.settings(),
                secret: row.sealed_secret.clone(),
                others: all.len() - 1,
            };
            Ok((Some(before), None))
        }
        Change::SetGroupRule { provider, group, gives, .. } => {
            provider_store::find(tx, provider, key).await?.ok_or(Error::NotFound)?;
            providers::groups::check_gives(tx, gives).await?;
            let rules = provider_store::rules(tx, provider, key).await?;
            let same = |rule: app::people::provider::Rule| rule.group == *group && rule.gives == *gives;
            if rules.iter().filter_map(|row| row.rule()).any(same) {
                return Err(Error::Conflict(Conflict::AlreadyDone));
            }
            Ok((None, Some(Control::GroupRule { group: group.clone(), gives: gives.clone() })))
        }
        Change::SetPolicy { policy, slug, name, text } => {
            documents::outlook(console, tx, policy, Some((slug, name, text))).await
        }
        Change::RemovePolicy { policy } => documents::outlook(console, tx, policy, None).await,
        Change::SetLevel { level } => levels::outlook(console, tx, level).await,
        Change::Delegate { person, absent, starts_at, ends_at } => {
            let span = Span { starts_at: *starts_at, ends_at: *ends_at, ended_at: None };
            people::delegation::outlook(console, tx, person, absent, span).await
        }
        Change::IssueCredential { credential, workload, .. } => {
            let workload = workloads::store::lock(tx, workload, key).await?.ok_or(Error::NotFound)?;
            let row = workloads::store::find_credential(tx, credential, key).await?.ok_or(Error::NotFound)?;
            if workload.disabled_at.is_some() || row.revoked_at.is_some() || now >= row.expires_at || !row.waits() {
                return Err(Error::Conflict(Conflict::AlreadyDone));
            }
            Ok((None, Some(Control::Credential)))
        }
        Change::SetClass { secret, class } => {
            let secret = catalog::store::lock(tx, secret, key).await?.ok_or(Error::NotFound)?;
            if secret.archived_at.is_some() {
                return Err(Error::Conflict(Conflict::Archived));
            }
            if secret.class() == *class {
                return Err(Error::Conflict(Conflict::AlreadyDone));
            }
            Ok((Some(Control::Class { class: secret.class() }), Some(Control::Class { class: *class })))
        }
    }
}

/// Does it, in somebody's name, within a change. `event` becomes the first of the events.
pub(super) async fn apply(
    console: &Console,
    tx: &mut Tx,
    by: &str,
    change: &Change,
    event: Event,
) -> Result<Vec<Event>, Error> {
    match change {
        Change::GiveRole { person, role, project, until, reads } => {
            let term = Term { by, rule: None, until: *until, reads: *reads };
            let events = people::give_role(console, tx, person, *role, project.as_deref(), term).await?;
            Ok(joined(event, events))
        }
        Change::AddMember { person, team } => {
            let subject = people::join_team(console, tx, team, person, None).await?;
            Ok(vec![event.on(subject)])
        }
        Change::EnablePerson { person } => {
            people::enable(console, tx, by, person).await?;
            Ok(vec![event])
        }
        Change::NameEmergency { person } => {
            let subject = providers::name_emergency(console, tx, by, person).await?;
            Ok(vec![event.on(subject)])
        }
        Change::SetProvider { provider, settings, sealed_secret } => {
            providers::set(console, tx, by, provider, settings, sealed_secret.as_deref(), event).await
        }
        Change::IssueCredential { credential, .. } => {
            workloads::confirm_credential(console, tx, credential).await?;
            Ok(vec![event])
        }
        Change::SetClass { secret, class } => {
            let (subject, before, voided) = catalog::set_class(console, tx, secret, *class).await?;
            let event = event.on(subject).detail("class_before", before.code()).detail("class", class.code());
            Ok(std::iter::once(event).chain(voided).collect())
        }
        Change::SetPolicy { policy, slug, name, text } => {
            documents::set(console, tx, by, policy, (slug, name, text), event).await
        }
        Change::RemovePolicy { policy } => documents::take(console, tx, policy, event).await,
        Change::SetLevel { level } => levels::set(console, tx, by, level, event).await,
        Change::Delegate { person, absent, starts_at, ends_at } => {
            let span = Span { starts_at: *starts_at, ends_at: *ends_at, ended_at: None };
            Ok(vec![people::delegation::set(console, tx, person, absent, span, event).await?])
        }
        Change::RemoveProvider { provider } => providers::remove(console, tx, provider, event).await,
        Change::SetGroupRule { rule, provider, group, gives } => {
            providers::groups::set(console, tx, by, rule, provider, group, gives).await?;
            let event = event.private("group", group.clone());
            Ok(vec![match gives {
                app::people::provider::Gives::Role { role, project } => {
                    let project = project.clone();
                    let subject = Subject { project, ..event.subject.clone() };
                    event.on(subject).detail("role", Role::code(*role))
                }
                app::people::provider::Gives::Team { team } => {
                    let subject = Subject { team: Some(team.clone()), ..event.subject.clone() };
                    event.on(subject)
                }
            }])
        }
    }
}

/// The operation's event with what its first effect says, then the other effects.
fn joined(event: Event, effects: Vec<Event>) -> Vec<Event> {
    let mut effects = effects.into_iter();
    let first = effects.next();
    let event = match first {
        Some(mut first) => {
            first.detail.extend(event.detail);
            Event { subject: first.subject, detail: first.detail, private: first.private, ..event }
        }
        None => event,
    };
    std::iter::once(event).chain(effects).collect()
}
