//! People: sign-in and sessions, invitations, teams, roles, disabling. States and invariants are in `app/src/people`.
pub mod attempts;
mod careers;
pub mod delegation;
pub mod factors;
pub mod familiar;
pub mod passwords;
pub mod providers;
mod second;
mod sign_in;
pub mod store;
pub mod tokens;
pub mod turns;

pub use careers::*;
pub use second::{Begun, decides, second};
pub use sign_in::*;
pub use tokens::{
    create_access_token, end_access_token, end_every_access_token, recognise_access_token, use_access_token_for,
};

use crate::{
    audit::{
        event::Who,
        ledger::{Basis, Tx},
        row_seal::SealKey,
    },
    cause,
    console::Console,
    db::Sql,
    policies::{self, Principal, Situation, codes},
};
use app::{
    audit::leaf::Subject, error::Error, id::PersonId, people::second::LINKED, policies::model::Role, time::Moment,
};
use std::collections::BTreeSet;
use store::{Person, RoleRow, Session};
use tokens::store::AccessToken;

/// Tables whose rows are never deleted, and in which it counts that somebody is not there.
const COMPLETE: [&str; 3] = ["people", "roles", "memberships"];

/// Where it decides that somebody is not there, everybody whom the trail names has to be: rows that the owner of the database took
/// away stop it.
pub async fn all_are_there(console: &Console, db: &mut impl Sql) -> Result<(), Error> {
    for table in COMPLETE {
        // In this order: what is heard of meanwhile is there too.
        let named = console.seal_key().heard().count(table);
        let there = store::rows_in(db, table).await?;
        if there < named {
            tracing::error!(table, there, named, "rows that the trail names are missing");
            cause::note(|| format!("{table}: {} rows are missing", named - there));
            return Err(Error::Unavailable);
        }
    }
    Ok(())
}

/// Was nobody ever here? Then the first administrator can be made.
pub async fn is_empty(console: &Console, db: &mut impl Sql) -> Result<bool, Error> {
    let empty = store::rows_in(db, "people").await? == 0;
    if empty {
        all_are_there(console, db).await?;
    }
    Ok(empty)
}

/// How a persona of a demonstration signs in: by a click.
pub const DEMO: &str = "demo";

/// How somebody came in: what has to hold for as long as they act.
#[derive(Clone, Debug)]
pub enum Entry {
    /// By an operation of the service itself, in a demonstration or a test.
    Direct,
    Browser(Session),
    /// A program of theirs.
    Token(AccessToken),
}

/// Somebody signed in, with what they are now.
#[derive(Clone, Debug)]
pub struct Caller {
    /// When this was loaded.
    pub at: Moment,
    pub who: Who,
    pub person: Person,
    pub entry: Entry,
    pub roles: Vec<RoleRow>,
    pub teams: Vec<String>,
    /// What the provider of this session last said of them.
    pub groups: BTreeSet<String>,
    /// Has a second factor enrolled here.
    pub factor: bool,
    /// All that they have is new: see [`factors::standing`].
    pub new_factor: bool,
    /// What was proved with it, for this request alone.
    pub proved: Option<factors::Proof>,
}

impl Caller {
    /// Loads a person who may act, with roles and teams as of now.
    pub async fn load(console: &Console, person: Person, entry: Entry, origin: Who) -> Result<Self, Error> {
        let id: PersonId = person.id.parse().map_err(|_| Error::Unavailable)?;
        let (method, session) = match &entry {
            Entry::Direct => (DEMO, None),
            Entry::Browser(session) => (session.method.as_str(), Some(&session.id)),
            Entry::Token(token) => ("token", Some(&token.id)),
        };
        let who = Who::person(&id, method, session.map(String::as_str)).from(&origin);
        let mut db = console.read().await?;
        let (now, key) = (console.now(), console.seal_key());
        let roles = store::roles_of(&mut db, &person.id, now, key).await?;
        let teams = store::memberships(&mut db, Some(&person.id), now, key).await?;
        let teams = teams.into_iter().map(|row| row.team_id).collect();
        let (factor, new_factor) = factors::standing(&mut db, &person.id, now, key).await?;
        let identity = match &entry {
            Entry::Browser(session) => session.identity_id.clone(),
            Entry::Direct | Entry::Token(_) => None,
        };
        let groups = match identity {
            Some(identity) => providers::store::find_identity(&mut db, &identity, key).await?.map(|row| row.groups()),
            None => None,
        };
        policies::documents::follow(&console.engine, &mut db, key).await?;
        let groups = groups.unwrap_or_default();
        Ok(Self { at: now, who, person, entry, roles, teams, groups, factor, new_factor, proved: None })
    }

    /// The browser's session, if that is how they came.
    pub fn session(&self) -> Option<&Session> {
        match &self.entry {
            Entry::Browser(session) => Some(session),
            Entry::Direct | Entry::Token(_) => None,
        }
    }

    /// Goes on only if the account is still active, and the session or token that brought it here still open; the change then rests on
    /// these rows and on the caller's roles.
    pub async fn goes_on(&self, tx: &mut Tx, now: Moment, key: &SealKey) -> Result<(), Error> {
        let person = store::find(tx, &self.person.id, key).await?.filter(Person::is_active);
        tx.rests_on([Basis::of(&person.ok_or(Error::Unauthenticated)?)]);
        tx.rests_on(self.roles.iter().map(Basis::of));
        match &self.entry {
            // An operation of the service itself has no session and no token.
            Entry::Direct => return Ok(()),
            Entry::Browser(session) => {
                let session = store::find_session_by_id(tx, &session.id, key).await?.filter(|row| row.is_open(now));
                tx.rests_on([Basis::of(&session.ok_or(Error::Unauthenticated)?)]);
            }
            Entry::Token(token) => {
                let token = tokens::store::find(tx, &token.id, key).await?.filter(|row| row.works(now));
                tx.rests_on([Basis::of(&token.ok_or(Error::Unauthenticated)?)]);
            }
        }
        Ok(())
    }

    pub fn id(&self) -> &str {
        &self.person.id
    }

    /// Was it shown for this act that it is them? The service itself needs no factor; nor does a persona of a demonstration, who was
    /// clicked, until somebody enrols one for it.
    pub(crate) fn has_proved(&self) -> bool {
        match &self.entry {
            Entry::Direct => true,
            Entry::Browser(session) => self.proved.is_some() || (session.method == DEMO && !self.factor),
            Entry::Token(_) => false,
        }
    }

    /// Roles in the whole organisation. Everybody is a member.
    pub fn organisation_roles(&self) -> Vec<Role> {
        organisation_roles(&self.roles)
    }

    /// Roles that count in one project: its own, and lead of the organisation.
    pub fn roles_here(&self, project: Option<&str>) -> Vec<Role> {
        roles_here(&self.roles, project)
    }

    /// The same with the roles alone that read what is, not only a period.
    pub fn unlimited(&self) -> Caller {
        let roles = self.roles.iter().filter(|row| row.period().is_none()).cloned().collect();
        Caller { roles, ..self.clone() }
    }

    pub fn is(&self, role: Role) -> bool {
        self.organisation_roles().contains(&role)
    }

    pub fn leads(&self, project: &str) -> bool {
        self.roles_here(Some(project)).contains(&Role::Lead)
    }

    pub fn principal(&self, project: Option<&str>) -> Principal {
        let scopes = match &self.entry {
            Entry::Token(token) => Some(token.scopes()),
            Entry::Direct | Entry::Browser(_) => None,
        };
        let (method, acr) = match &self.entry {
            Entry::Direct => (DEMO, None),
            Entry::Browser(session) => (method_word(&session.method), session.acr.clone()),
            Entry::Token(_) => ("token", None),
        };
        Principal {
            scopes,
            method,
            acr,
            groups: self.groups.clone(),
            factor: self.factor,
            proved: self.has_proved(),
            // What was proved counts; before that, what they could prove it with.
            new_factor: match self.proved {
                Some(proof) => self.at < proof.counts_from,
                None => self.new_factor,
            },
            ..principal(&self.person.id, &self.roles, project)
        }
    }
}

/// How a session began, as policies speak of it.
fn method_word(method: &str) -> &'static str {
    [PASSWORD, DEMO, "provider"].into_iter().find(|known| *known == method).unwrap_or_default()
}

/// An auditor of a period alone, as policies know them: a role of its own, which no rule for auditors takes in.
pub const PAST_AUDITOR: &str = "past-auditor";

/// Somebody as the engine knows them, with these roles.
pub fn principal(id: &str, roles: &[RoleRow], project: Option<&str>) -> Principal {
    let mut principal = Principal {
        scopes: None,
        factor: false,
        proved: false,
        new_factor: false,
        method: "",
        acr: None,
        groups: BTreeSet::new(),
        workload: false,
        id: id.into(),
        org: codes(organisation_roles(roles)),
        here: codes(roles_here(roles, project)),
    };
    for row in roles.iter().filter(|row| row.period().is_some()) {
        match &row.project_id {
            None => _ = principal.org.insert(PAST_AUDITOR),
            Some(theirs) if project == Some(theirs) => _ = principal.here.insert(PAST_AUDITOR),
            Some(_) => {}
        }
    }
    principal
}

/// Roles in the whole organisation among somebody's roles. Everybody is a member, except an auditor of a
/// period who holds no other role: they see that period, and nothing of the present.
pub fn organisation_roles(roles: &[RoleRow]) -> Vec<Role> {
    let held = roles.iter().filter(|row| row.project_id.is_none() && row.period().is_none());
    let mut held: Vec<Role> = held.filter_map(|row| Role::from_code(&row.role)).collect();
    let looks_back_alone = !roles.is_empty() && roles.iter().all(|row| row.period().is_some());
    if !looks_back_alone && !held.contains(&Role::Member) {
        held.push(Role::Member);
    }
    held
}

/// What counts in a project among somebody's roles.
pub fn roles_here(roles: &[RoleRow], project: Option<&str>) -> Vec<Role> {
    roles
        .iter()
        .filter(|row| row.period().is_none())
        .filter(|row| match (&row.project_id, project) {
            (Some(theirs), Some(project)) => theirs == project,
            (None, Some(_)) => row.role == Role::Lead.code(),
            _ => false,
        })
        .filter_map(|row| Role::from_code(&row.role))
        .collect()
}

/// When two people last became one for a week: one made an account or a link for the other, a third set both anew, or one gave the
/// other a role (by hand, or by a rule that they made). What was taken back or done over since counts all the same.
pub async fn linked_at(
    console: &Console,
    db: &mut impl Sql,
    one: &Person,
    other: &str,
) -> Result<Option<Moment>, Error> {
    let (since, key) = (console.now() - LINKED, console.seal_key());
    let Some(other) = store::find(db, other, key).await? else { return Ok(None) };
    // Of factors taken away and accounts opened again, whoever did it last.
    let mut latest = linked_by_set_up(one, &other);
    for (whose, by) in [(&one.id, &other.id), (&other.id, &one.id)] {
        let given = store::roles_of_since(db, whose, since, key).await?;
        let given = given.iter().filter(|row| row.given_by.as_ref() == Some(by)).map(|row| row.valid_from).max();
        let links = store::links_since(db, whose, since, key).await?;
        let linked = links.iter().filter(|link| link.created_by.as_ref() == Some(by)).map(|link| link.created_at).max();
        latest = latest.max(given).max(linked);
    }
    Ok(latest)
}

/// When one of two people last set up the other's account, or a third one set both anew.
fn linked_by_set_up(one: &Person, other: &Person) -> Option<Moment> {
    let by = |whose: &Person, by: &Person| whose.set_up_at.filter(|_| whose.set_up_by.as_deref() == Some(&by.id));
    let each = by(one, other).max(by(other, one));
    // Set anew after having joined: whoever did it to both could be both.
    let anew = |person: &Person| person.set_up_at.filter(|at| person.joined_at.is_some_and(|joined| *at > joined));
    let same = one.set_up_by.is_some() && one.set_up_by == other.set_up_by;
    each.max(anew(one).zip(anew(other)).filter(|_| same).map(|(a, b)| a.min(b)))
}

/// Who holds a role in the whole organisation.
pub async fn holders(console: &Console, db: &mut impl Sql, role: Role) -> Result<Vec<String>, Error> {
    let roles = store::roles(db, console.now(), console.seal_key()).await?;
    let held = roles.into_iter().filter(|row| row.project_id.is_none() && row.role == role.code());
    Ok(held.map(|row| row.person_id).collect())
}

/// How many people could decide on access: active, with a deciding role anywhere.
pub async fn deciders(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<u32, Error> {
    let roles = store::roles(db, now, key).await?;
    let deciding = |row: &&RoleRow| [Role::Lead.code(), Role::Security.code()].contains(&row.role.as_str());
    let mut people: Vec<&str> = roles.iter().filter(deciding).map(|row| row.person_id.as_str()).collect();
    people.sort_unstable();
    people.dedup();
    let mut count = 0;
    for id in people {
        count += u32::from(store::find(db, id, key).await?.is_some_and(|person| person.is_active()));
        // Two are enough for every rule that asks.
        if count == 2 {
            break;
        }
    }
    Ok(count)
}

/// Everybody who oversees the organisation: administrators and security.
pub async fn overseers(console: &Console, db: &mut impl Sql) -> Result<Vec<String>, Error> {
    let mut people = holders(console, db, Role::Admin).await?;
    people.extend(holders(console, db, Role::Security).await?);
    people.sort();
    people.dedup();
    Ok(people)
}

/// Everybody of security now: who is told of leaks.
pub async fn security(console: &Console, db: &mut impl Sql) -> Result<Vec<String>, Error> {
    let roles = store::roles(db, console.now(), console.seal_key()).await?;
    let of_security = roles.into_iter().filter(|row| row.role == Role::Security.code() && row.project_id.is_none());
    Ok(of_security.map(|row| row.person_id).collect())
}

fn about(person: &Person) -> Subject {
    Subject { person: Some(person.id.clone()), ..Subject::default() }
}

fn own(is_own: bool) -> Situation {
    Situation { own: is_own, ..Situation::default() }
}
