//! Who can take a secret, who could on a past date, and who knows it.
use super::{Asking, Whom, grant_route, known_to, people_named, person, place, principal_of};
use crate::{
    audit::{self, store::Narrow},
    catalog::{self, Located},
    console::Console,
    db::Sql,
    grants::store::{self as grants, Grant},
    people::{
        self,
        store::{Membership, RoleRow},
    },
    policies::{Principal, Situation, documents, organisation::Organisation, store as policies},
    vault,
    workloads::{self, store::Workload},
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    explain::model::{Access, Knower, Named, Reader, Verdict},
    grants::model::State,
    levels::model::Level,
    policies::model::Right,
    time::Moment,
};
use std::{collections::HashMap, sync::Arc};

/// Who can take it at a time: each holder of a grant, with what the policies of that time say of using it.
pub async fn access(console: &Console, located: &Located, past: Option<Moment>) -> Result<Access, Error> {
    let at = past.unwrap_or_else(|| console.now());
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
    let then = Then {
        organisation,
        at,
        past: past.is_some(),
        level: console.level_at(located.environment.tier(), at),
        deciders: people::deciders(&mut db, at, key).await?,
        there: past.is_some() || vault::current(&mut db, located.clone()).await?.is_some(),
        archived: located.secret.archived_at.is_some_and(|archived| archived <= at),
        roles: people::store::roles(&mut db, at, key).await?,
        members: people::store::memberships(&mut db, None, at, key).await?,
    };
    let mut behind = HashMap::new();
    let mut readers = Vec::new();
    for grant in grants::in_force_on(&mut db, &located.secret.id, at, key).await? {
        let suspended = match past {
            None => grant.suspended_at.is_some(),
            Some(at) => was_suspended(&mut db, &grant, at).await?,
        };
        readers.extend(reader(console, &mut db, &then, located, &grant, suspended, &mut behind).await?);
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

/// What everybody is judged by: loaded once for all readers of a secret.
struct Then {
    organisation: Arc<Organisation>,
    at: Moment,
    past: bool,
    level: Level,
    deciders: u32,
    /// There is a value to take.
    there: bool,
    archived: bool,
    roles: Vec<RoleRow>,
    members: Vec<Membership>,
}

impl Then {
    fn roles_of(&self, person: &str) -> Vec<RoleRow> {
        self.roles.iter().filter(|row| row.person_id == person).cloned().collect()
    }

    /// Of a day that is over people are judged by the factors that they have now, new or not.
    fn judge(&self, principal: Principal) -> Principal {
        Principal { new_factor: principal.new_factor && !self.past, ..principal }
    }
}

/// Who could issue themself a client secret, by the team and project of a workload.
type Behind = HashMap<(String, String), Vec<Named>>;

async fn reader(
    console: &Console,
    db: &mut impl Sql,
    then: &Then,
    located: &Located,
    grant: &Grant,
    suspended: bool,
    behind: &mut Behind,
) -> Result<Option<Reader>, Error> {
    let key = console.seal_key();
    let holder = match (&grant.person_id, &grant.workload_id) {
        (Some(id), _) => people::store::find(db, id, key).await?.map(Whom::Person),
        (None, Some(id)) => workloads::store::find(db, id, key).await?.map(Whom::Workload),
        (None, None) => None,
    };
    let Some(holder) = holder else { return Ok(None) };
    let mut route = grant_route(console, db, grant, then.at).await?;
    // What ended since was open then.
    route.state = if suspended { State::Suspended } else { State::Active };
    let writes = route.right == Right::Write;
    let situation = Situation { grant: !suspended, deciders: then.deciders, ..catalog::secret_situation(located) };
    let (principal, action, issuers) = match &holder {
        Whom::Person(person) => {
            let roles = then.roles_of(&person.id);
            let principal = then.judge(principal_of(console, db, person, &roles, &located.project.id).await?);
            (principal, if writes { Action::WriteVersion } else { Action::CopySecret }, Vec::new())
        }
        Whom::Workload(workload) => {
            let key = (workload.team_id.clone(), workload.project_id.clone());
            if !behind.contains_key(&key) {
                let found = issuers(console, db, then, located, workload).await?;
                behind.insert(key.clone(), found);
            }
            (Principal::workload(&workload.id), Action::FetchSecret, behind.get(&key).cloned().unwrap_or_default())
        }
    };
    let asking = Asking::then(console, then.organisation.clone(), principal, located, then.at);
    let (mut verdict, mut rule) = asking.answer(action, situation);
    let kept = matches!(holder, Whom::Person(_)) && !writes;
    let closed = match then.level.takes(false) {
        _ if suspended => Some(Refusal::GrantSuspended),
        _ if then.archived => Some(Refusal::GrantEnded),
        Err(why) if kept => Some(why),
        _ if !writes && !then.there => Some(Refusal::NoSuchVersion),
        _ => None,
    };
    if let Some(why) = closed.filter(|_| verdict.is_open() || suspended) {
        (verdict, rule) = (Verdict::No(why), None);
    }
    Ok(Some(Reader {
        workload: matches!(holder, Whom::Workload(_)),
        who: holder.named(),
        grant: route,
        verdict,
        rule,
        depends: asking.depends(action),
        behind: issuers,
    }))
}

async fn issuers(
    console: &Console,
    db: &mut impl Sql,
    then: &Then,
    located: &Located,
    workload: &Workload,
) -> Result<Vec<Named>, Error> {
    let key = console.seal_key();
    let members = then.members.iter().filter(|row| row.team_id == workload.team_id);
    let team: Vec<String> = members.map(|row| row.person_id.clone()).collect();
    let here = |project: &Option<String>| project.as_ref().is_none_or(|id| *id == workload.project_id);
    let leads = then.roles.iter().filter(|row| here(&row.project_id)).map(|row| row.person_id.clone());
    let mut able: Vec<String> = leads.chain(team.iter().cloned()).collect();
    able.sort_unstable();
    able.dedup();
    let mut found = Vec::new();
    for id in able {
        let Some(person) = people::store::find(db, &id, key).await? else { continue };
        let principal = principal_of(console, db, &person, &then.roles_of(&id), &located.project.id).await?;
        let principal = then.judge(principal);
        let asking = Asking::then(console, then.organisation.clone(), principal, located, then.at);
        let situation = workloads::situation(located.environment.tier(), team.contains(&id));
        if asking.answer(Action::IssueCredential, situation).0.is_open() {
            found.push(id);
        }
    }
    people_named(console, db, found).await
}
