//! What groups give: rules of an administrator, applied at each sign-in; what a rule gave ends with it at once.
use super::{
    super::{Caller, Term, careers, store as people, store::Person},
    store::{self, GroupRule, Identity},
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    catalog,
    console::Console,
    controls::{self, Submitted},
    db::Sql,
    policies::Situation,
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::Change,
    error::{Conflict, Error},
    id::GroupRuleId,
    people::provider::{Gives, Rule, given, group},
    policies::model::Role,
};
use std::collections::BTreeSet;

/// A rule: what belonging to a group gives. It loosens, and waits for somebody else.
pub async fn set_group_rule(
    console: &Console,
    caller: &Caller,
    provider: &str,
    name: &str,
    gives: Gives,
) -> Result<Submitted, Error> {
    let name = group(name).map_err(|why| Error::invalid("group", why))?;
    let rule = console.id::<GroupRuleId>()?.to_string();
    controls::submit(console, caller, Change::SetGroupRule { rule, provider: provider.into(), group: name, gives })
        .await
}

/// Does what a rule gives exist?
pub(crate) async fn check_gives(db: &mut impl Sql, gives: &Gives) -> Result<(), Error> {
    match gives {
        Gives::Role { role: Role::Member, .. } => Err(Error::invalid("gives", "Everybody is a member.")),
        Gives::Role { project: Some(project), .. } => {
            catalog::store::find_project(db, project).await?.map(|_| ()).ok_or(Error::NotFound)
        }
        Gives::Role { project: None, .. } => Ok(()),
        Gives::Team { team } => people::find_team(db, team).await?.map(|_| ()).ok_or(Error::NotFound),
    }
}

pub(crate) async fn set(
    console: &Console,
    tx: &mut Tx,
    by: &str,
    id: &str,
    provider: &str,
    name: &str,
    gives: &Gives,
) -> Result<(), Error> {
    let (role, project_id, team_id) = match gives {
        Gives::Role { role, project } => (Some(role.code().to_owned()), project.clone(), None),
        Gives::Team { team } => (None, None, Some(team.clone())),
    };
    let row = GroupRule {
        id: id.into(),
        provider_id: provider.into(),
        group_name: name.into(),
        role,
        project_id,
        team_id,
        set_by: by.into(),
        valid_from: console.now(),
        valid_to: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert_rule(tx, &row).await?;
    tx.seal(&row)
}

/// Removes a rule; what it gave ends in the same step.
pub async fn remove_group_rule(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let row = store::find_rule(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let subject = Subject { row: Some(id.into()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::RemoveGroupRule, subject, Situation::default()).await?;
    // No sign-in gives by this rule what is taken here.
    store::lock(&mut tx, &row.provider_id, console.seal_key()).await?;
    let mut events = close(console, &mut tx, row).await?;
    if events.is_empty() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    events[0] = event;
    tx.commit(events).await
}

/// Closes a rule within a change; the first event says so. Nothing where it was closed before.
pub(super) async fn close(console: &Console, tx: &mut Tx, row: GroupRule) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    if store::close_rule(tx, &row.id, now).await? == 0 {
        return Ok(Vec::new());
    }
    let subject = Subject { row: Some(row.id.clone()), ..Subject::default() };
    let mut events = vec![Event::new(Action::RemoveGroupRule).on(subject)];
    let id = row.id.clone();
    tx.seal(&GroupRule { valid_to: Some(now), ..row })?;
    for role in people::roles(tx, now, key).await?.into_iter().filter(|role| role.rule_id.as_ref() == Some(&id)) {
        events.extend(take_role(console, tx, role).await?);
    }
    let members = people::memberships(tx, None, now, key).await?;
    for member in members.into_iter().filter(|member| member.rule_id.as_ref() == Some(&id)) {
        events.extend(leave(console, tx, member).await?);
    }
    Ok(events)
}

/// The last administrator keeps the role, whatever a provider says: somebody else is made one first.
async fn take_role(console: &Console, tx: &mut Tx, role: people::RoleRow) -> Result<Option<Event>, Error> {
    let administers = role.role == Role::Admin.code() && role.project_id.is_none();
    if administers && careers::is_last_administrator(console, tx, &role.person_id).await? {
        tracing::error!(person = role.person_id, "the last administrator keeps the role that no group gives any more");
        return Ok(None);
    }
    careers::take_role(console, tx, role).await
}

async fn leave(console: &Console, tx: &mut Tx, row: people::Membership) -> Result<Option<Event>, Error> {
    let left = careers::leave_team(console, tx, row).await?;
    Ok(left.map(|subject| Event::new(Action::RemoveMember).on(subject)))
}

/// Rows that some rule of a provider gave this person: roles and memberships.
async fn held_by_rules(
    console: &Console,
    tx: &mut Tx,
    person: &str,
    provider: &str,
) -> Result<(Vec<people::RoleRow>, Vec<people::Membership>), Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut theirs = BTreeSet::new();
    let roles = people::roles_of(tx, person, now, key).await?;
    let members = people::memberships(tx, Some(person), now, key).await?;
    let rules = roles.iter().map(|row| &row.rule_id).chain(members.iter().map(|row| &row.rule_id)).flatten();
    for rule in rules.cloned().collect::<BTreeSet<_>>() {
        if store::find_rule(tx, &rule, key).await?.is_some_and(|row| row.provider_id == provider) {
            theirs.insert(rule);
        }
    }
    let by = |rule: &Option<String>| rule.as_ref().is_some_and(|rule| theirs.contains(rule));
    Ok((
        roles.into_iter().filter(|row| by(&row.rule_id)).collect(),
        members.into_iter().filter(|row| by(&row.rule_id)).collect(),
    ))
}

/// Gives what rules say for these groups and takes what they no longer say, within a sign-in.
pub(super) async fn apply(
    console: &Console,
    tx: &mut Tx,
    person: &Person,
    provider: &str,
    groups: &BTreeSet<String>,
) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let rows = store::rules(tx, provider, key).await?;
    let rules: Vec<Rule> = rows.iter().filter_map(GroupRule::rule).collect();
    let wanted = given(&rules, groups);
    let wants = |gives: &Gives| wanted.iter().any(|rule| rule.gives == *gives);
    let mut events = Vec::new();
    let (roles, members) = held_by_rules(console, tx, &person.id, provider).await?;
    for role in roles {
        let known = Role::from_code(&role.role);
        let gives = known.map(|known| Gives::Role { role: known, project: role.project_id.clone() });
        if !gives.is_some_and(|gives| wants(&gives)) {
            events.extend(take_role(console, tx, role).await?);
        }
    }
    for member in members {
        if !wants(&Gives::Team { team: member.team_id.clone() }) {
            events.extend(leave(console, tx, member).await?);
        }
    }
    let held_roles = people::roles_of(tx, &person.id, now, key).await?;
    let held_teams = people::memberships(tx, Some(&person.id), now, key).await?;
    for rule in wanted {
        let Some(row) = rows.iter().find(|row| row.id == rule.id) else { continue };
        match &rule.gives {
            Gives::Role { role, project } => {
                if !held_roles.iter().any(|held| held.role == role.code() && held.project_id == *project) {
                    let term = Term { by: &row.set_by, rule: Some(&row.id), until: None, reads: None };
                    let given = careers::give_role(console, tx, &person.id, *role, project.as_deref(), term);
                    events.extend(given.await?);
                }
            }
            Gives::Team { team } => {
                if !held_teams.iter().any(|held| held.team_id == *team) {
                    let subject = careers::join_team(console, tx, team, &person.id, Some(&row.id)).await?;
                    events.push(Event::new(Action::AddMember).on(subject).detail("rule", row.id.clone()));
                }
            }
        }
    }
    Ok(events)
}

/// Takes everything that rules gave by one identity, because it is no longer this person's.
pub(super) async fn take_given(
    console: &Console,
    tx: &mut Tx,
    person: &Person,
    identity: &Identity,
) -> Result<Vec<Event>, Error> {
    let key = console.seal_key();
    let mut events = Vec::new();
    for provider in store::providers(tx, key).await?.into_iter().filter(|row| row.issuer == identity.issuer) {
        events.extend(apply(console, tx, person, &provider.provider_id, &BTreeSet::new()).await?);
    }
    Ok(events)
}

/// What a rule would change for people whose groups are known: who would get it at the next sign-in, and who has it already.
pub struct Outlook {
    pub gain: Vec<String>,
    pub have: Vec<String>,
}

/// The dry run of a new rule.
pub async fn outlook(
    console: &Console,
    db: &mut impl Sql,
    issuer: &str,
    name: &str,
    gives: &Gives,
) -> Result<Outlook, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut found = Outlook { gain: Vec::new(), have: Vec::new() };
    for identity in store::identities_at(db, issuer, key).await? {
        if !identity.groups().contains(name) {
            continue;
        }
        let holds = match gives {
            Gives::Role { role, project } => people::roles_of(db, &identity.person_id, now, key)
                .await?
                .iter()
                .any(|row| row.role == role.code() && row.project_id == *project),
            Gives::Team { team } => {
                let held = people::memberships(db, Some(&identity.person_id), now, key).await?;
                held.iter().any(|row| row.team_id == *team)
            }
        };
        if holds { found.have.push(identity.person_id) } else { found.gain.push(identity.person_id) }
    }
    Ok(found)
}

/// Who would lose something at once if a rule were removed.
pub async fn losers(console: &Console, db: &mut impl Sql, rule: &str) -> Result<Vec<String>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let roles = people::roles(db, now, key).await?;
    let members = people::memberships(db, None, now, key).await?;
    let by = |row: &Option<String>| row.as_deref() == Some(rule);
    let mut people: Vec<String> = roles
        .into_iter()
        .filter(|row| by(&row.rule_id))
        .map(|row| row.person_id)
        .chain(members.into_iter().filter(|row| by(&row.rule_id)).map(|row| row.person_id))
        .collect();
    people.sort();
    people.dedup();
    Ok(people)
}
