//! Who can take a secret, who could on a past date, and who knows it.
use super::{Asking, Whom, grant_route, known_to, people_named, person, place, principal_of};
use crate::{
    audit::{self, store::Narrow},
    catalog::{self, Located},
    console::Console,
    db::Sql,
    grants::store::{self as grants, Grant},
    people,
    policies::{Situation, documents, organisation::Organisation, store as policies},
    workloads::{self, store::Workload},
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    explain::model::{Access, Knower, Reader, Verdict},
    grants::model::State,
    policies::model::Right,
    time::Moment,
};
use std::sync::Arc;

/// Who can take it at a time: each holder of a grant, with what the policies of that time say of using it.
pub async fn access(console: &Console, located: &Located, at: Moment) -> Result<Access, Error> {
    let now = console.now();
    let past = (at < now).then_some(at);
    let mut db = console.read().await?;
    let key = console.seal_key();
    documents::follow(&console.engine, &mut db, key).await?;
    let organisation = match past {
        None => console.engine.organisation(),
        Some(at) => {
            let rows = policies::in_force_at(&mut db, at, key).await?;
            let documents = rows.iter().map(|row| row.document()).collect();
            let then = Organisation::new(documents, 0).map_err(|error| {
                tracing::error!(%error, "policies of a time before do not parse");
                Error::Unavailable
            })?;
            Arc::new(then)
        }
    };
    let mut readers = Vec::new();
    for grant in grants::in_force_on(&mut db, &located.secret.id, at, key).await? {
        let suspended = match past {
            None => grant.suspended_at.is_some(),
            Some(at) => was_suspended(&mut db, &grant, at).await?,
        };
        readers.extend(reader(console, &mut db, &organisation, located, &grant, at, suspended).await?);
    }
    let mut knowers = Vec::new();
    for (id, known) in known_to(&mut db, None, located, past).await? {
        knowers.push(Knower { who: person(console, &mut db, &id).await?, known });
    }
    Ok(Access { place: place(located), at, past: past.is_some(), readers, knowers })
}

/// By the trail: a suspension that was confirmed since leaves nothing in the grant itself.
async fn was_suspended(db: &mut impl Sql, grant: &Grant, at: Moment) -> Result<bool, Error> {
    let mut latest = Vec::new();
    for action in [Action::SuspendGrant, Action::ResumeGrant] {
        let narrow = Narrow {
            action: Some(action.code().into()),
            outcome: Some("allowed".into()),
            request: Some(grant.request_id.clone()),
            to: Some(at),
            ..Narrow::default()
        };
        latest.push(audit::store::list(db, &narrow, None, 1).await?.first().map(|row| row.seq));
    }
    Ok(latest[0].is_some() && latest[0] > latest[1])
}

async fn reader(
    console: &Console,
    db: &mut impl Sql,
    organisation: &Arc<Organisation>,
    located: &Located,
    grant: &Grant,
    at: Moment,
    suspended: bool,
) -> Result<Option<Reader>, Error> {
    let key = console.seal_key();
    let holder = match (&grant.person_id, &grant.workload_id) {
        (Some(id), _) => people::store::find(db, id, key).await?.map(Whom::Person),
        (None, Some(id)) => workloads::store::find(db, id, key).await?.map(Whom::Workload),
        (None, None) => None,
    };
    let Some(holder) = holder else { return Ok(None) };
    let mut route = grant_route(console, db, grant, at).await?;
    // What ended since was open then.
    route.state = if suspended { State::Suspended } else { State::Active };
    let here = Situation { grant: !suspended, ..catalog::secret_situation(located) };
    let (asking, action, situation, behind) = match &holder {
        Whom::Person(person) => {
            let roles = people::store::roles_of(db, &person.id, at, key).await?;
            let principal = principal_of(console, db, person, &roles, &located.project.id).await?;
            let asking = Asking::then(console, organisation.clone(), principal, located, at);
            let situation = Situation { deciders: people::deciders(db, at, key).await?, ..here };
            let action = if route.right == Right::Write { Action::WriteVersion } else { Action::CopySecret };
            (asking, action, situation, Vec::new())
        }
        Whom::Workload(workload) => {
            let principal = crate::policies::Principal::workload(&workload.id);
            let asking = Asking::then(console, organisation.clone(), principal, located, at);
            let behind = behind(console, db, organisation, located, workload, at).await?;
            (asking, Action::FetchSecret, here, people_named(console, db, behind).await?)
        }
    };
    let (mut verdict, rule) = asking.answer(action, situation);
    if suspended {
        verdict = Verdict::No(Refusal::GrantSuspended);
    }
    Ok(Some(Reader {
        workload: matches!(holder, Whom::Workload(_)),
        who: holder.named(),
        grant: route,
        verdict,
        rule,
        behind,
    }))
}

/// Who could issue themself a client secret for a workload.
async fn behind(
    console: &Console,
    db: &mut impl Sql,
    organisation: &Arc<Organisation>,
    located: &Located,
    workload: &Workload,
    at: Moment,
) -> Result<Vec<String>, Error> {
    let key = console.seal_key();
    let members = people::store::memberships(db, None, at, key).await?;
    let members = members.into_iter().filter(|row| row.team_id == workload.team_id).map(|row| row.person_id);
    let team: Vec<String> = members.collect();
    let roles = people::store::roles(db, at, key).await?;
    let here = |project: &Option<String>| project.as_ref().is_none_or(|id| *id == workload.project_id);
    let mut able: Vec<String> =
        roles.iter().filter(|row| here(&row.project_id)).map(|row| row.person_id.clone()).collect();
    able.extend(team.iter().cloned());
    able.sort_unstable();
    able.dedup();
    let mut found = Vec::new();
    for id in able {
        let Some(person) = people::store::find(db, &id, key).await? else { continue };
        let theirs: Vec<_> = roles.iter().filter(|row| row.person_id == id).cloned().collect();
        let principal = principal_of(console, db, &person, &theirs, &located.project.id).await?;
        let asking = Asking::then(console, organisation.clone(), principal, located, at);
        let situation = Situation { team: team.contains(&id), ..Situation::default() };
        if asking.answer(Action::IssueCredential, situation).0.is_open() {
            found.push(id);
        }
    }
    Ok(found)
}
