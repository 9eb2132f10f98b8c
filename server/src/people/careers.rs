//! What becomes of people: invited, given roles and teams, disabled, enabled.
use super::{
    Caller, about, delegation, factors, make_link, providers,
    sign_in::{close_links_made_by, close_sessions},
    store::{self, Membership, Person, RoleRow, Team},
    tokens::end_access_tokens_of,
};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Receipt, Tx},
    },
    console::Console,
    controls::{self, Submitted},
    grants, notifications,
    policies::Situation,
    requests, rotations, vault, workloads,
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::Change,
    error::{Conflict, Error, Refusal},
    id::{MembershipId, PersonId, RoleId, TeamId},
    people::{
        model,
        period::{Period, narrows},
    },
    policies::model::Role,
    time::Moment,
};
use zeroize::Zeroizing;

/// A new person, and the link by which they set their own password. Until then nobody can sign in as them.
pub async fn invite_person(
    console: &Console,
    caller: &Caller,
    login: &str,
    name: &str,
) -> Result<(String, Zeroizing<String>, Receipt), Error> {
    let login = model::login(login).map_err(|why| Error::invalid("login", why))?;
    let name = vault::name(console, "name", name).await?;
    let now = console.now();
    let person = Person {
        id: console.id::<PersonId>()?.to_string(),
        login: login.clone(),
        name: name.clone(),
        password_hash: None,
        created_at: now,
        joined_at: None,
        disabled_at: None,
        set_up_by: Some(caller.id().into()),
        set_up_at: Some(now),
        factor_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let (mut tx, event) = console.begin(caller, Action::InvitePerson, about(&person), Situation::default()).await?;
    if store::insert(&mut tx, &person).await? == 0 {
        return Err(Error::invalid("login", "That sign-in name is taken."));
    }
    tx.seal(&person)?;
    let link = make_link(console, &mut tx, &person.id, "join", Some(caller.id())).await?;
    let event = event.on(Subject { row: Some(link.id), ..about(&person) });
    let receipt = tx.commit(vec![event.private("login", login).private("name", name)]).await?;
    Ok((person.id, link.text, receipt))
}

/// A link by which a person sets a new password. Administrators never see or set one.
pub async fn reset_password(
    console: &Console,
    caller: &Caller,
    id: &str,
) -> Result<(Zeroizing<String>, Receipt), Error> {
    let subject = Subject { person: Some(id.into()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::ResetPassword, subject, Situation::default()).await?;
    let person = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let person = Person { set_up_by: Some(caller.id().into()), set_up_at: Some(console.now()), ..person };
    store::save(&mut tx, &person).await?;
    tx.seal(&person)?;
    let link = make_link(console, &mut tx, &person.id, "reset", Some(caller.id())).await?;
    let mut events = vec![event.on(Subject { row: Some(link.id), ..about(&person) })];
    events.extend(link.closed);
    Ok((link.text, tx.commit(events).await?))
}

/// Closes an account and everything that hangs on it, in one change: sessions, tokens, grants, open requests.
pub async fn disable_person(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let subject = Subject { person: Some(id.into()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::DisablePerson, subject, Situation::default()).await?;
    let person = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if person.disabled_at.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    if is_last_administrator(console, &mut tx, id).await? || !providers::keeps_a_way_in(console, &mut tx, id).await? {
        return Err(tx.refuse(event, Refusal::LastAdministrator).await);
    }
    let left_at = console.now();
    let person = Person { disabled_at: Some(left_at), ..person };
    store::save(&mut tx, &person).await?;
    rotations::store::note_leaver(&mut tx, id, left_at).await?;
    tx.seal(&person)?;
    let mut events = vec![event];
    events.extend(close_sessions(console, &mut tx, id, None).await?);
    events.extend(end_access_tokens_of(console, &mut tx, id).await?);
    events.extend(close_links_made_by(console, &mut tx, id).await?);
    events.extend(workloads::end_credentials_of(console, &mut tx, id).await?);
    events.extend(delegation::end_all_of(console, &mut tx, id).await?);
    events.extend(requests::void_everything_of(console, &mut tx, id, "requester_disabled").await?);
    events.extend(grants::revoke_grants_of(console, &mut tx, grants::Holder::Person(id), caller.id()).await?);
    tx.commit(events).await
}

/// Opens an account again. With roles it loosens, and waits for somebody else.
pub async fn enable_person(console: &Console, caller: &Caller, id: &str) -> Result<Submitted, Error> {
    controls::submit(console, caller, Change::EnablePerson { person: id.into() }).await
}

/// The same within a change. Counts as set up anew: whoever opens an account again decides nothing together with it for a week.
pub async fn enable(console: &Console, tx: &mut Tx, by: &str, id: &str) -> Result<(), Error> {
    let person = store::lock(tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let now = console.now();
    let person = Person { disabled_at: None, set_up_by: Some(by.into()), set_up_at: Some(now), ..person };
    store::save(tx, &person).await?;
    tx.seal(&person)
}

pub(crate) async fn is_last_administrator(console: &Console, db: &mut Tx, id: &str) -> Result<bool, Error> {
    store::lock_administrators(db).await?;
    let mut others = 0;
    let mut is_one = false;
    for role in store::roles(db, console.now(), console.seal_key()).await? {
        if role.role != Role::Admin.code() || role.project_id.is_some() {
            continue;
        }
        if role.person_id == id {
            is_one = true;
        } else if role.valid_to.is_none()
            && store::find(db, &role.person_id, console.seal_key()).await?.is_some_and(|other| other.is_active())
        {
            others += 1;
        }
    }
    Ok(is_one && others == 0)
}

pub async fn create_team(
    console: &Console,
    caller: &Caller,
    slug: &str,
    name: &str,
) -> Result<(String, Receipt), Error> {
    let slug = model::slug(slug).map_err(|why| Error::invalid("slug", why))?;
    let name = vault::name(console, "name", name).await?;
    let team = Team { id: console.id::<TeamId>()?.to_string(), slug, name, created_at: console.now() };
    let subject = Subject { team: Some(team.id.clone()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::CreateTeam, subject, Situation::default()).await?;
    if store::insert_team(&mut tx, &team).await? == 0 {
        return Err(Error::invalid("slug", "That name is taken."));
    }
    let receipt = tx.commit(vec![event.private("name", team.name)]).await?;
    Ok((team.id, receipt))
}

/// Adds somebody to a team. Where the team keeps workloads or secrets it loosens, and waits for somebody else.
pub async fn add_member(console: &Console, caller: &Caller, team: &str, person: &str) -> Result<Submitted, Error> {
    controls::submit(console, caller, Change::AddMember { person: person.into(), team: team.into() }).await
}

/// The same within a change, by hand or by a rule of a provider.
pub async fn join_team(
    console: &Console,
    tx: &mut Tx,
    team: &str,
    person: &str,
    rule: Option<&str>,
) -> Result<Subject, Error> {
    let row = Membership {
        id: console.id::<MembershipId>()?.to_string(),
        team_id: team.into(),
        person_id: person.into(),
        rule_id: rule.map(Into::into),
        valid_from: console.now(),
        valid_to: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert_membership(tx, &row).await?;
    tx.seal(&row)?;
    Ok(about_membership(&row))
}

pub async fn remove_member(console: &Console, caller: &Caller, membership: &str) -> Result<Receipt, Error> {
    let row = store::find_membership(&mut console.read().await?, membership, console.seal_key()).await?;
    let row = row.ok_or(Error::NotFound)?;
    let subject = about_membership(&row);
    let (mut tx, event) = console.begin(caller, Action::RemoveMember, subject, Situation::default()).await?;
    if leave_team(console, &mut tx, row).await?.is_none() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    tx.commit(vec![event]).await
}

/// Ends a membership within a change; `None` where it had ended.
pub async fn leave_team(console: &Console, tx: &mut Tx, row: Membership) -> Result<Option<Subject>, Error> {
    let now = console.now();
    if store::close_membership(tx, &row.id, now).await? == 0 {
        return Ok(None);
    }
    let row = Membership { valid_to: Some(now), ..row };
    tx.seal(&row)?;
    Ok(Some(about_membership(&row)))
}

fn about_membership(row: &Membership) -> Subject {
    Subject {
        team: Some(row.team_id.clone()),
        person: Some(row.person_id.clone()),
        row: Some(row.id.clone()),
        ..Subject::default()
    }
}

/// Gives a role in the organisation, or in one project, for good or until a day. It loosens, and waits for somebody else.
pub async fn assign_role(
    console: &Console,
    caller: &Caller,
    person: &str,
    role: Role,
    project: Option<&str>,
    until: Option<Moment>,
) -> Result<Submitted, Error> {
    let (person, project) = (person.into(), project.map(Into::into));
    let change = Change::GiveRole { person, role, project, until, reads: None };
    controls::submit(console, caller, change).await
}

/// Makes somebody an auditor of a period: they read its events, and nothing of before, of later or of now.
pub async fn assign_auditor(
    console: &Console,
    caller: &Caller,
    person: &str,
    project: Option<&str>,
    until: Option<Moment>,
    period: Period,
) -> Result<Submitted, Error> {
    let (person, project) = (person.into(), project.map(Into::into));
    let change = Change::GiveRole { person, role: Role::Auditor, project, until, reads: Some(period) };
    controls::submit(console, caller, change).await
}

/// Where a role comes from and how long it lasts.
pub struct Term<'a> {
    /// Who gave it, or made the rule that gives it.
    pub by: &'a str,
    pub rule: Option<&'a str>,
    pub until: Option<Moment>,
    /// Of an auditor: the period whose events they read.
    pub reads: Option<Period>,
}

/// Gives a role within a change. One that is held with another end is replaced by it.
pub async fn give_role(
    console: &Console,
    tx: &mut Tx,
    person: &str,
    role: Role,
    project: Option<&str>,
    term: Term<'_>,
) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let held = store::roles_of(tx, person, now, console.seal_key()).await?;
    let former = held.into_iter().find(|row| row.role == role.code() && row.project_id.as_deref() == project);
    let (mut events, mut kept) = (Vec::new(), None);
    if let Some(former) = former {
        // What only ends earlier stays what it was: since when, from whom, by which rule.
        let shortened = term.until.filter(|until| former.valid_to.is_none_or(|end| *until <= end));
        if let Some(until) = shortened.filter(|_| former.period() == term.reads) {
            store::shorten_role(tx, &former.id, until).await?;
            let row = RoleRow { valid_to: Some(until), ..former };
            tx.seal(&row)?;
            let event = Event::new(Action::AssignRole).on(about_role(&row)).detail("role", role.code());
            return Ok(vec![event.detail("until", app::time::rfc3339(until))]);
        }
        events.extend(take_role(console, tx, former.clone()).await?);
        // What only reads less stays what it was too: a rule's role ends with the rule.
        let no_later = former.valid_to.is_none_or(|end| term.until.is_some_and(|until| until <= end));
        kept = Some(former).filter(|former| no_later && narrows(former.period(), term.reads));
    }
    let row = RoleRow {
        id: console.id::<RoleId>()?.to_string(),
        person_id: person.into(),
        project_id: project.map(Into::into),
        role: role.code().into(),
        given_by: kept.as_ref().map_or_else(|| Some(term.by.into()), |former| former.given_by.clone()),
        rule_id: kept.as_ref().map_or_else(|| term.rule.map(Into::into), |former| former.rule_id.clone()),
        valid_from: now,
        valid_to: term.until,
        reads_from: term.reads.map(|period| period.from),
        reads_until: term.reads.map(|period| period.until),
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert_role(tx, &row).await?;
    tx.seal(&row)?;
    notifications::tell(console, tx, [person], "role.assigned", person).await?;
    let mut event = Event::new(Action::AssignRole).on(about_role(&row)).detail("role", role.code());
    if let Some(rule) = term.rule {
        event = event.detail("rule", rule);
    }
    if let Some(until) = term.until {
        event = event.detail("until", app::time::rfc3339(until));
    }
    if let Some(period) = term.reads {
        event = event.detail("reads_from", app::time::rfc3339(period.from));
        event = event.detail("reads_until", app::time::rfc3339(period.until));
    }
    events.insert(0, event);
    Ok(events)
}

/// Takes a role away within a change; nothing where it had ended.
pub async fn take_role(console: &Console, tx: &mut Tx, row: RoleRow) -> Result<Option<Event>, Error> {
    let now = console.now();
    if store::close_role(tx, &row.id, now).await? == 0 {
        return Ok(None);
    }
    let row = RoleRow { valid_to: Some(now), ..row };
    tx.seal(&row)?;
    Ok(Some(Event::new(Action::RemoveRole).on(about_role(&row)).detail("role", row.role.clone())))
}

fn about_role(row: &RoleRow) -> Subject {
    Subject {
        person: Some(row.person_id.clone()),
        project: row.project_id.clone(),
        row: Some(row.id.clone()),
        ..Subject::default()
    }
}

pub async fn remove_role(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let row = store::find_role(&mut console.read().await?, id, console.seal_key()).await?;
    let row = row.ok_or(Error::NotFound)?;
    let (mut tx, event) = console.begin(caller, Action::RemoveRole, about_role(&row), Situation::default()).await?;
    store::lock(&mut tx, &row.person_id, console.seal_key()).await?;
    if row.role == Role::Admin.code()
        && row.project_id.is_none()
        && (is_last_administrator(console, &mut tx, &row.person_id).await?
            || !providers::keeps_a_way_in(console, &mut tx, &row.person_id).await?)
    {
        return Err(tx.refuse(event, Refusal::LastAdministrator).await);
    }
    let (person, role) = (row.person_id.clone(), row.role.clone());
    if take_role(console, &mut tx, row).await?.is_none() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    notifications::tell(console, &mut tx, [person.as_str()], "role.removed", &person).await?;
    tx.commit(vec![event.detail("role", role)]).await
}

/// A link for a new password, made by whoever owns the host. It works for people who are not disabled.
pub async fn reset_from_host(console: &Console, who: &Who, login: &str) -> Result<Zeroizing<String>, Error> {
    let found =
        store::find_by_login(&mut console.read().await?, login, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let mut tx = console.ledger.begin(who).await?;
    let person = store::lock(&mut tx, &found.id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let link = make_link(console, &mut tx, &person.id, "reset", None).await?;
    // Its seal names this event from now on, as after every event about a person.
    tx.seal(&person)?;
    let subject = Subject { row: Some(link.id), ..about(&person) };
    let mut events = vec![Event::new(Action::ResetPassword).on(subject).detail("from", "host")];
    events.extend(link.closed);
    // Whoever lost everything gets in again: the host's owner could read it all anyway.
    events.extend(factors::close_factors(console, &mut tx, &found.id).await?);
    tx.commit(events).await?;
    Ok(link.text)
}
