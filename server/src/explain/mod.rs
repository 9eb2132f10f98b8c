//! Explaining access: the questions that decide, asked again without deciding anything.
//!
//! ```text
//! somebody × a secret ──▶ the engine, as at the act itself ──▶ verdict, rule and line, what would change it, whom to ask
//! a secret × a time   ──▶ grants, roles and policies of then ──▶ who could take it, who knew it
//! a past decision     ──▶ what it was made from, as kept      ──▶ the rule as written then, and the answer of today
//! ```
//!
//! What is said here is never worked out a second way: situations come from the operations themselves, and what would change an
//! answer is found by asking the engine.
mod access;
mod asking;
mod decided;

pub use access::access;
pub use decided::decided;

use crate::{
    audit::event::Event,
    catalog::{self, Located},
    console::Console,
    db::Sql,
    grants::{self, Holder, store::Grant},
    people::{self, Caller, store::Person, store::RoleRow},
    policies::{Principal, Situation, documents},
    requests, vault,
    workloads::{self, store::Workload},
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Error, Refusal},
    explain::model::{
        Act, Ask, Explanation, Given, GrantRoute, HeldRole, Help, Known, Named, Need, Place, Source, Verdict,
        WorkloadRoute, help,
    },
    id::{PersonId, WorkloadId},
    policies::model::{Class, Right, Role, Tier},
    time::Moment,
};
use asking::Asking;

/// Whose access is explained.
#[derive(Clone, Debug)]
pub enum Whom {
    Person(Person),
    Workload(Workload),
}

impl Whom {
    /// By an id, by a person's sign-in name, or by a workload's short name. A workload of a project that the caller may not know of
    /// is nobody.
    pub async fn find(console: &Console, db: &mut impl Sql, caller: &Caller, name: &str) -> Result<Self, Error> {
        let key = console.seal_key();
        let name = name.trim();
        let nobody = || Error::invalid("who", "Nobody here is called so.");
        if name.parse::<PersonId>().is_ok() {
            return people::store::find(db, name, key).await?.map(Self::Person).ok_or_else(nobody);
        }
        let login = app::people::model::login(name).unwrap_or_default();
        if let Some(person) = people::store::find_by_login(db, &login, key).await? {
            return Ok(Self::Person(person));
        }
        let workload = match name.parse::<WorkloadId>() {
            Ok(_) => workloads::store::find(db, name, key).await?,
            Err(_) => workloads::store::list(db, key).await?.into_iter().find(|row| row.slug == name),
        };
        let workload = workload.ok_or_else(nobody)?;
        let project = catalog::store::find_project(db, &workload.project_id).await?;
        let seen = caller.teams.contains(&workload.team_id)
            || project.is_some_and(|project| catalog::sees(console, caller, &project));
        if seen { Ok(Self::Workload(workload)) } else { Err(nobody()) }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Person(person) => &person.id,
            Self::Workload(workload) => &workload.id,
        }
    }

    /// Is it the caller, or a workload of a team of theirs?
    pub fn is_own(&self, caller: &Caller) -> bool {
        match self {
            Self::Person(person) => person.id == caller.id(),
            Self::Workload(workload) => caller.teams.contains(&workload.team_id),
        }
    }

    fn named(&self) -> Named {
        match self {
            Self::Person(person) => named_person(person),
            Self::Workload(workload) => named_workload(workload),
        }
    }
}

fn named_person(person: &Person) -> Named {
    Named { id: person.id.clone(), name: person.name.clone(), href: format!("/people/{}", person.id) }
}

fn named_workload(workload: &Workload) -> Named {
    Named { id: workload.id.clone(), name: workload.slug.clone(), href: format!("/workloads/{}", workload.id) }
}

async fn person(console: &Console, db: &mut impl Sql, id: &str) -> Result<Named, Error> {
    let found = people::store::find(db, id, console.seal_key()).await?;
    Ok(found
        .as_ref()
        .map_or_else(|| Named { id: id.into(), name: "unknown".into(), href: format!("/people/{id}") }, named_person))
}

async fn people_named(console: &Console, db: &mut impl Sql, ids: Vec<String>) -> Result<Vec<Named>, Error> {
    let mut found = Vec::new();
    for id in ids {
        let row = people::store::find(db, &id, console.seal_key()).await?.filter(Person::is_active);
        found.extend(row.as_ref().map(named_person));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn place(located: &Located) -> Place {
    Place {
        secret: located.secret.id.clone(),
        path: located.secret.path.clone(),
        project: (located.project.slug.clone(), located.project.name.clone()),
        environment: located.environment.slug.clone(),
        tier: located.environment.tier(),
        class: located.secret.class(),
    }
}

/// May this caller have it explained? What is about others is evidence: it takes a role, and is recorded. The event is the
/// caller's to record.
pub async fn permit(
    console: &Console,
    caller: &Caller,
    located: &Located,
    whom: Option<&Whom>,
) -> Result<Event, Error> {
    let principal = caller.principal(Some(&located.project.id));
    let own = whom.is_some_and(|whom| whom.is_own(caller));
    let situation = Situation { own, ..Situation::default() };
    let (person, workload) = match whom {
        Some(Whom::Person(person)) => (Some(person.id.clone()), None),
        Some(Whom::Workload(workload)) => (None, Some(workload.id.clone())),
        None => (None, None),
    };
    let about = Subject { person, workload, ..located.subject() };
    let event = console.permit(&caller.who, &principal, Action::ExplainAccess, about, situation).await?;
    Ok(event.private("path", located.secret.path.clone()))
}

/// May they, by which grant, role, rule and line; every route; and whom to ask.
pub async fn explain(console: &Console, caller: &Caller, whom: &Whom, located: &Located) -> Result<Explanation, Error> {
    let mut db = console.read().await?;
    let (now, key) = (console.now(), console.seal_key());
    documents::follow(&console.engine, &mut db, key).await?;
    let secret = &located.secret.id;
    let holder = match whom {
        Whom::Person(person) => Holder::Person(&person.id),
        Whom::Workload(workload) => Holder::Workload(&workload.id),
    };
    let mut routes = Vec::new();
    for grant in grants::store::ever_on(&mut db, holder, secret, 20, key).await? {
        routes.push(grant_route(console, &mut db, &grant, now).await?);
    }
    let (mut acts, mut by_workload, mut roles, mut known) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    match whom {
        Whom::Person(person) => {
            let rows = people::store::roles_of(&mut db, &person.id, now, key).await?;
            acts = acts_of(console, &mut db, caller, person, &rows, located).await?;
            by_workload = workload_routes(console, &mut db, person, &rows, located).await?;
            roles = held_roles(console, &mut db, &rows, located).await?;
            known =
                known_to(&mut db, Some(&person.id), located, None).await?.into_iter().map(|(_, known)| known).collect();
        }
        Whom::Workload(workload) => {
            let grant = grants::effective(&mut db, holder, secret, Right::Read, now, key).await?;
            let asking = Asking::now(console, Principal::workload(&workload.id), located, None);
            let situation = Situation { grant: grant.is_some(), ..catalog::secret_situation(located) };
            let mut act = asking.act(Action::FetchSecret, situation);
            if workload.environment_id != located.environment.id {
                act.close(Refusal::OtherEnvironment);
            } else if act.verdict.is_open() && !has_value(&mut db, located).await? {
                act.close(Refusal::NoSuchVersion);
            }
            acts.push(act);
        }
    }
    for act in &mut acts {
        if let Verdict::No(refusal) = act.verdict {
            // Where a grant alone opens it, whoever gives grants can help.
            let granted = act.needs.iter().any(|way| matches!(way.as_slice(), [Need::Grant(_)]));
            let helps = if granted { Help::Approvers } else { help(refusal) };
            act.ask = Some(ask(console, &mut db, Some(located), helps, whom.id()).await?);
        }
    }
    Ok(Explanation {
        account: account(console, &mut db, whom, located, now).await?,
        whom: whom.named(),
        workload: matches!(whom, Whom::Workload(_)),
        own: whom.id() == caller.id(),
        place: place(located),
        acts,
        grants: routes,
        workloads: by_workload,
        roles,
        known,
    })
}

trait Closed {
    fn close(&mut self, refusal: Refusal);
}

impl Closed for Act {
    /// Something that is no rule stands in the way.
    fn close(&mut self, refusal: Refusal) {
        self.verdict = Verdict::No(refusal);
        self.rule = None;
        self.needs = Vec::new();
    }
}

/// What keeps somebody from acting at all.
async fn account(
    console: &Console,
    db: &mut impl Sql,
    whom: &Whom,
    located: &Located,
    now: Moment,
) -> Result<Option<String>, Error> {
    let key = console.seal_key();
    if located.secret.archived_at.is_some() {
        return Ok(Some("The secret is archived: nobody takes its value any more.".into()));
    }
    Ok(match whom {
        Whom::Person(person) if person.disabled_at.is_some() => Some(Refusal::Disabled.to_string()),
        Whom::Person(person) if person.joined_at.is_none() => {
            Some("They were invited and have not joined yet: nobody signs in with this account.".into())
        }
        Whom::Person(_) => None,
        Whom::Workload(workload) if workload.disabled_at.is_some() => Some("This workload is disabled.".into()),
        Whom::Workload(workload) => {
            let credentials = workloads::store::credentials(db, &workload.id, key).await?;
            let tokens = workloads::store::open_tokens(db, &workload.id, now, key).await?;
            let signs_in = credentials.iter().any(|row| row.works(now)) || !tokens.is_empty();
            (!signs_in).then(|| "It has no client secret that works, so it cannot sign in.".into())
        }
    })
}

/// Is there a value to take?
async fn has_value(db: &mut impl Sql, located: &Located) -> Result<bool, Error> {
    Ok(vault::current(db, located.clone()).await?.is_some())
}

/// Somebody as the engine would know them at a time. How they would sign in, and from where, is not known of others.
async fn principal_of(
    console: &Console,
    db: &mut impl Sql,
    person: &Person,
    roles: &[RoleRow],
    project: &str,
) -> Result<Principal, Error> {
    let key = console.seal_key();
    let (factor, new_factor) = people::factors::standing(db, &person.id, console.now(), key).await?;
    let identities = people::providers::store::identities_of(db, &person.id, key).await?;
    Ok(Principal {
        factor,
        // As for whoever is clicked in a demonstration.
        proved: console.demo && !factor,
        new_factor,
        groups: identities.iter().flat_map(|row| row.groups()).collect(),
        ..people::principal(&person.id, roles, Some(project))
    })
}

async fn acts_of(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    person: &Person,
    roles: &[RoleRow],
    located: &Located,
) -> Result<Vec<Act>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let secret = &located.secret.id;
    let own = person.id == caller.id();
    let mut principal = principal_of(console, db, person, roles, &located.project.id).await?;
    if own && caller.session().is_some() {
        let theirs = caller.principal(Some(&located.project.id));
        (principal.method, principal.acr) = (theirs.method, theirs.acr);
    }
    let address = caller.who.address.clone().filter(|_| own);
    let asking = Asking::now(console, principal, located, address);
    let (_, taking) = vault::taking(console, db, &person.id, located).await?;
    let there = has_value(db, located).await?;
    let teams = people::store::memberships(db, Some(&person.id), now, key).await?;
    let of_team = teams.iter().any(|row| row.team_id == located.secret.team_id);
    let writes = grants::effective(db, Holder::Person(&person.id), secret, Right::Write, now, key).await?;
    let here = catalog::secret_situation(located);
    let seen = grants::holds_any_in(db, Holder::Person(&person.id), &located.project.id, now, key).await?;
    let mut acts = Vec::new();
    for (action, situation) in [
        (Action::ViewCatalog, Situation { open: located.project.is_open, grant: seen, ..Situation::default() }),
        (Action::SubmitRequest, here),
        (Action::RevealSecret, taking),
        (Action::CopySecret, taking),
        (Action::WriteVersion, Situation { grant: writes.is_some(), team: of_team, ..here }),
        (Action::EditSecret, here),
        (Action::StartRotation, here),
    ] {
        let mut act = asking.act(action, situation);
        let takes = matches!(action, Action::RevealSecret | Action::CopySecret);
        let level = console.level(located.environment.tier());
        match level.takes(action == Action::RevealSecret) {
            // What the level keeps from people no grant gives them.
            Err(why) if takes && (act.verdict.is_open() || act.verdict == Verdict::No(Refusal::NoGrant)) => {
                act.close(why)
            }
            _ if act.verdict == Verdict::No(Refusal::NoGrant) => {
                let why = grants::why_none(db, &person.id, secret, Right::Read, now, key).await?;
                act.verdict = Verdict::No(why);
            }
            _ if takes && act.verdict.is_open() && !there => act.close(Refusal::NoSuchVersion),
            _ => {}
        }
        acts.push(act);
    }
    Ok(acts)
}

/// Ways through a workload: whoever may issue a client secret for it can fetch what it may, in its name.
async fn workload_routes(
    console: &Console,
    db: &mut impl Sql,
    person: &Person,
    roles: &[RoleRow],
    located: &Located,
) -> Result<Vec<WorkloadRoute>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let teams = people::store::memberships(db, Some(&person.id), now, key).await?;
    let principal = principal_of(console, db, person, roles, &located.project.id).await?;
    let asking = Asking::now(console, principal, located, None);
    let mut routes = Vec::new();
    for grant in grants::store::active_for(db, &located.secret.id, now, key).await? {
        let Some(id) = &grant.workload_id else { continue };
        let workload = workloads::store::find(db, id, key).await?.filter(|row| row.disabled_at.is_none());
        let Some(workload) = workload else { continue };
        let team = teams.iter().any(|row| row.team_id == workload.team_id);
        let act = asking.act(Action::IssueCredential, workloads::situation(located.environment.tier(), team));
        if act.verdict.is_open() {
            routes.push(WorkloadRoute {
                workload: named_workload(&workload),
                rule: act.rule,
                verdict: act.verdict,
                until: grant.expires_at,
            });
        }
    }
    Ok(routes)
}

async fn held_roles(
    console: &Console,
    db: &mut impl Sql,
    rows: &[RoleRow],
    located: &Located,
) -> Result<Vec<HeldRole>, Error> {
    let mut held = Vec::new();
    for row in rows {
        let here = row.project_id.as_ref().is_none_or(|project| *project == located.project.id);
        let Some(role) = Role::from_code(&row.role).filter(|_| here) else { continue };
        let source = match (&row.rule_id, &row.given_by) {
            (Some(rule), _) => {
                let rule = people::providers::store::find_rule(db, rule, console.seal_key()).await?;
                let group = rule.and_then(|row| row.rule()).map(|rule| rule.group);
                Source::Group(group.unwrap_or_else(|| "a rule that is gone".into()))
            }
            (None, Some(by)) => Source::ByHand(Some(person(console, db, by).await?)),
            (None, None) => Source::ByHand(None),
        };
        held.push(HeldRole {
            role,
            reads: row.period(),
            project: row.project_id.as_ref().map(|_| located.project.name.clone()),
            from: row.valid_from,
            until: row.valid_to,
            source,
        });
    }
    Ok(held)
}

async fn grant_route(console: &Console, db: &mut impl Sql, grant: &Grant, at: Moment) -> Result<GrantRoute, Error> {
    let key = console.seal_key();
    let request = requests::store::find(db, &grant.request_id, key).await?;
    let decisions = requests::store::decisions(db, &grant.request_id, key).await?;
    let signed: Vec<String> = request
        .iter()
        .flat_map(|request| request.standing(&decisions))
        .filter(|decision| decision.decided_at <= at)
        .map(|decision| decision.person_id.clone())
        .collect();
    let mut by = Vec::new();
    for id in &signed {
        by.push(person(console, db, id).await?);
    }
    Ok(GrantRoute {
        id: grant.id.clone(),
        request: grant.request_id.clone(),
        right: grant.right(),
        state: grant.state(at),
        from: grant.starts_at,
        until: grant.expires_at,
        given: if by.is_empty() { Given::ByRule } else { Given::By(by) },
        policy: request.map(|request| request.policy).unwrap_or_default(),
    })
}

/// Who knows versions of a secret whose credential is not dead: now, or at a time before.
async fn known_to(
    db: &mut impl Sql,
    only: Option<&str>,
    located: &Located,
    past: Option<Moment>,
) -> Result<Vec<(String, Known)>, Error> {
    let rows = vault::store::knowledge_on(db, &located.secret.id).await?;
    let held = |row: &vault::store::Knowledge| match past {
        Some(at) => row.since <= at && row.until.is_none_or(|until| until > at),
        None => row.until.is_none(),
    };
    let rows = rows.into_iter().filter(|row| only.is_none_or(|id| id == row.person_id)).filter(held);
    Ok(rows
        .map(|row| {
            let current = past.is_none() && located.secret.current_version == Some(row.version);
            (row.person_id, Known { version: row.version, how: row.how, since: row.since, current })
        })
        .collect())
}

/// Who can help with a refusal, by name; never whoever was refused.
async fn ask(
    console: &Console,
    db: &mut impl Sql,
    located: Option<&Located>,
    helps: Help,
    refused: &str,
) -> Result<Ask, Error> {
    let (tier, class) =
        located.map_or((Tier::Production, Class::Critical), |at| (at.environment.tier(), at.secret.class()));
    let request = located.map(|at| (format!("/requests/new?secret={}", at.secret.id), "Ask for access"));
    let seats = console.level(tier).seats(class);
    let (words, ids, href) = match helps {
        Help::Oneself(words) => (words.to_owned(), Vec::new(), None),
        Help::Approvers if seats.is_empty() => {
            ("Ask for access: at this protection level it is given at once, by rule.".into(), Vec::new(), request)
        }
        Help::Approvers => {
            let mut ids = Vec::new();
            for role in seats {
                ids.extend(deciding(console, db, *role, located).await?);
            }
            let seats: Vec<&str> = seats.iter().map(|role| role.code()).collect();
            (format!("Ask for access. It takes one {}:", seats.join(" and one ")), ids, request)
        }
        Help::Confirmers => {
            let mut ids = deciding(console, db, Role::Lead, located).await?;
            ids.extend(people::security(console, db).await?);
            ("Somebody else confirms it:".into(), ids, None)
        }
        Help::Leads => ("A value is written by:".into(), deciding(console, db, Role::Lead, located).await?, None),
        Help::LevelSetters => (
            "Protection levels are set by administrators:".into(),
            people::holders(console, db, Role::Admin).await?,
            None,
        ),
        Help::Administrators => {
            ("Roles are given by administrators:".into(), people::holders(console, db, Role::Admin).await?, None)
        }
        Help::PolicyWriters => {
            ("Policies are written by administrators and security:".into(), people::overseers(console, db).await?, None)
        }
    };
    let mut ids: Vec<String> = ids.into_iter().filter(|id| id != refused).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(Ask { words, people: people_named(console, db, ids).await?, href })
}

/// Who holds the role that a seat asks for, here.
async fn deciding(
    console: &Console,
    db: &mut impl Sql,
    role: Role,
    located: Option<&Located>,
) -> Result<Vec<String>, Error> {
    match (role, located) {
        (Role::Lead, Some(located)) => catalog::leads(console, db, &located.project.id).await,
        (role, _) => people::holders(console, db, role).await,
    }
}
