//! People and their roles.
use super::{
    Problem,
    controls::submitted,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    catalog,
    db::Sql,
    grants,
    people::{self, providers::store as provider_store, store},
    requests, vault,
};
use app::{
    audit::action::Action,
    error::Error,
    people::page::{self, PersonLine, RoleLine, TeamLine},
    people::period::Period,
    people::second::{LINKED, NEW},
    policies::model::{Role, Tier},
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;

type Answer = Result<Response, Problem>;

pub(super) fn state(person: &store::Person) -> &'static str {
    if person.disabled_at.is_some() {
        "disabled"
    } else if person.joined_at.is_none() {
        "invited"
    } else {
        "active"
    }
}

/// People on one page.
const PAGE: usize = 100;

#[derive(Default, Deserialize)]
pub struct PeopleQuery {
    #[serde(default)]
    q: String,
    /// The name and id of the last one on the page before.
    #[serde(default)]
    after: String,
}

pub async fn people(signed: Signed, Query(query): Query<PeopleQuery>) -> Answer {
    signed.sees_now()?;
    Ok(shown(people_page(&signed, &Form::default(), query).await?))
}

async fn people_page(signed: &Signed, form: &Form, query: PeopleQuery) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/people").await?;
    let mut db = console.read().await?;
    let (now, key) = (console.now(), console.seal_key());
    let roles = store::roles(&mut db, now, key).await?;
    let memberships = store::memberships(&mut db, None, now, key).await?;
    let teams = store::teams(&mut db).await?;
    let projects = catalog::store::projects(&mut db).await?;
    let mut lines = Vec::new();
    for person in store::list(&mut db).await? {
        let mine = roles.iter().filter(|row| row.person_id == person.id);
        let words: Vec<String> = mine
            .filter_map(|row| {
                let role = row.words()?;
                Some(match &row.project_id {
                    Some(id) => {
                        let project = projects.iter().find(|project| project.id == *id)?;
                        let seen = catalog::sees(console, &signed.caller, project);
                        format!("{role} of {}", if seen { project.name.as_str() } else { "a private project" })
                    }
                    None => role,
                })
            })
            .collect();
        let theirs = memberships.iter().filter(|row| row.person_id == person.id);
        let team = |id: &str| teams.iter().find(|team| team.id == id).map(|team| team.name.clone());
        lines.push(PersonLine {
            id: person.id.parse().map_err(|_| Error::Unavailable)?,
            state: state(&person),
            name: person.name,
            login: person.login,
            roles: if words.is_empty() { "Member".into() } else { words.join(", ") },
            teams: theirs.filter_map(|row| team(&row.team_id)).collect::<Vec<_>>().join(", "),
        });
    }
    let count = |id: &str| memberships.iter().filter(|row| row.team_id == id).count();
    let teams = teams.iter().map(|team| TeamLine {
        id: team.id.clone(),
        slug: team.slug.clone(),
        name: team.name.clone(),
        people: count(&team.id),
    });
    // Each word stands somewhere in the line, in any case.
    let words: Vec<String> = query.q.split_whitespace().map(str::to_lowercase).collect();
    lines.retain(|line| {
        let all =
            [&line.name, &line.login, &line.roles, &line.teams].map(|text| text.to_lowercase()).join("\n") + line.state;
        words.iter().all(|word| all.contains(word.as_str()))
    });
    let fitting = lines.len();
    lines.sort_by(|a, b| (&a.name, a.id.as_str()).cmp(&(&b.name, b.id.as_str())));
    let place = |line: &PersonLine| format!("{}\n{}", line.name, line.id);
    lines.retain(|line| query.after.is_empty() || place(line) > query.after);
    let next = (lines.len() > PAGE).then(|| place(&lines[PAGE - 1]));
    lines.truncate(PAGE);
    let view = page::People {
        query: query.q.chars().take(200).collect(),
        fitting,
        next,
        people: lines,
        teams: teams.collect(),
        invite: console.would(&signed.caller, Action::InvitePerson, None, Default::default()),
        deciders: people::deciders(&mut db, now, key).await?,
    };
    Ok(page::people(&shell, view, form))
}

pub async fn invite(signed: Signed, fields: Fields) -> Answer {
    let made = people::invite_person(signed.console(), &signed.caller, fields.get("login"), fields.get("name")).await;
    match made {
        Ok((id, link, _)) => {
            let address = format!("{}/link/{}", signed.site().base_url, *link);
            let shell = signed.shell("/people").await?;
            Ok(shown(page::link_made(&shell, fields.get("name"), &address, true, &format!("/people/{id}"))))
        }
        Err(error) => Ok(mistaken(people_page(&signed, &fields.again(error, &[])?, PeopleQuery::default()).await?)),
    }
}

pub async fn create_team(signed: Signed, fields: Fields) -> Answer {
    let made = people::create_team(signed.console(), &signed.caller, fields.get("slug"), fields.get("team_name")).await;
    match made {
        Ok((_, receipt)) => Ok(done("/people", Action::CreateTeam, receipt)),
        Err(error) => {
            let mut form = fields.again(error, &[])?;
            form.errors.iter_mut().filter(|error| error.field == "name").for_each(|error| error.field = "team_name");
            Ok(mistaken(people_page(&signed, &form, PeopleQuery::default()).await?))
        }
    }
}

#[derive(Default, Deserialize)]
pub struct PersonQuery {
    #[serde(default)]
    disable: String,
}

pub async fn person(signed: Signed, Path(id): Path<String>, Query(query): Query<PersonQuery>) -> Answer {
    signed.sees_now()?;
    let console = signed.console();
    let shell = signed.shell("/people").await?;
    let mut db = console.read().await?;
    let (now, key) = (console.now(), console.seal_key());
    let person = store::find(&mut db, &id, key).await?.ok_or(Error::NotFound)?;
    let mut names = Names::default();
    let mut roles = Vec::new();
    for row in store::roles_of(&mut db, &id, now, key).await? {
        let Some(role) = Role::from_code(&row.role) else { continue };
        let scope = match &row.project_id {
            Some(project) => catalog::store::find_project(&mut db, project).await?.map(|project| {
                if catalog::sees(console, &signed.caller, &project) { project.name } else { "a private project".into() }
            }),
            None => None,
        };
        let rule = match &row.rule_id {
            Some(rule) => provider_store::find_rule(&mut db, rule, key).await?,
            None => None,
        };
        let given_by = match (rule, &row.given_by) {
            (Some(rule), _) => {
                format!("the group {}: given again at the next sign-in while rule and group stand", rule.group_name)
            }
            (None, Some(by)) => names.person(&mut db, signed.site(), by).await?,
            (None, None) => "set-up".into(),
        };
        let words =
            scope.map_or_else(|| format!("{role}, whole organisation"), |project| format!("{role} of {project}"));
        let words = match row.period() {
            Some(period) => format!("{words}, events of {}", period.words()),
            None => words,
        };
        roles.push(RoleLine { id: row.id, words, since: row.valid_from, until: row.valid_to, given_by });
    }
    let mut teams = Vec::new();
    for row in store::memberships(&mut db, Some(&id), now, key).await? {
        teams.push((row.id, names.team(&mut db, &row.team_id).await?));
    }
    let mut knows = Vec::new();
    for secret in vault::store::known_to(&mut db, &id).await? {
        if let Some(located) = catalog::Located::find(&mut db, &secret, key).await?
            && located.environment.tier() == Tier::Production
            && catalog::sees(console, &signed.caller, &located.project)
        {
            knows.push((secret, format!("{} in {}", located.secret.path, located.project.slug)));
        }
    }
    let tokens = super::account::tokens(console, &mut db, &id).await?;
    let current = signed.caller.session().map(|session| session.id.as_str());
    let sessions = super::account::sessions(console, &mut db, &id, current).await?;
    let factors = super::factors::factors(console, &mut db, &id).await?;
    let delegations = super::account::delegations(console, &mut db, &id, false).await?;
    let bars = bars(&mut db, &mut names, &signed, &person).await?;
    let identities = super::account::identities(console, &mut db, &id).await?;
    let cuts = vec![
        ("Open sessions", sessions.len()),
        ("Personal access tokens", tokens.len()),
        ("Access held", grants::store::active_of(&mut db, grants::Holder::Person(&id), now, key).await?.len()),
        ("Open requests", requests::store::open_of(&mut db, &id, now, key).await?.len()),
        ("Signatures on requests that still wait", requests::store::signatures_of(&mut db, &id, now, key).await?.len()),
        ("Standing in, from and to them", delegations.len()),
        (
            "Client secrets of workloads that they issued",
            crate::workloads::store::issued_by(&mut db, &id, now, key).await?.len(),
        ),
        ("Links that they made for others", store::open_links_by(&mut db, &id, now, key).await?.len()),
    ];
    let projects = catalog::store::projects(&mut db).await?;
    let projects = projects.into_iter().filter(|project| catalog::sees(console, &signed.caller, project));
    let projects = projects.map(|project| (project.id, format!("the project {}", project.name))).collect();
    let all_teams = store::teams(&mut db).await?.into_iter().map(|team| (team.id, team.name)).collect();
    let would = |action| console.would(&signed.caller, action, None, Default::default());
    let view = page::Person {
        id: person.id.parse().map_err(|_| Error::Unavailable)?,
        state: state(&person),
        name: person.name,
        login: person.login,
        created_at: person.created_at,
        roles,
        teams,
        cuts,
        tokens: would(Action::EndAccessToken).is_none().then_some(tokens),
        factors: would(Action::ResetFactors).is_none().then_some(factors),
        sessions: would(Action::EndSession).is_none().then_some(sessions),
        identities: if would(Action::UnlinkIdentity).is_none() { identities } else { Vec::new() },
        unlink: true,
        bars,
        delegations,
        end_delegation: would(Action::EndDelegation).is_none(),
        knows,
        manage: would(Action::AssignRole),
        disable: would(Action::DisablePerson),
        projects,
        all_teams,
        confirm_disable: query.disable == "ask",
    };
    Ok(shown(page::person(&shell, view)))
}

/// The rules of separation that bite this person now: what they see when an approval of theirs is refused, before it is.
async fn bars(
    db: &mut impl Sql,
    names: &mut Names,
    signed: &Signed,
    person: &store::Person,
) -> Result<Vec<String>, Error> {
    let now = signed.console().now();
    let mut bars = Vec::new();
    let roles = store::roles_of(db, &person.id, now, signed.console().seal_key()).await?;
    let deciding = |row: &&store::RoleRow| {
        [Role::Lead.code(), Role::Security.code(), Role::Admin.code()].contains(&row.role.as_str())
    };
    if roles.iter().any(|row| deciding(&row)) && !people::factors::decides(signed.console(), db, &person.id).await? {
        bars.push(
            "No second factor is enrolled here: nothing is decided in production until 24 hours after one is.".into(),
        );
    }
    let youngest = roles.iter().filter(deciding).map(|row| row.valid_from).max();
    let since = youngest.map(|at| at.max(person.counts_since()));
    if let Some(since) = since.filter(|since| now - *since < NEW) {
        bars.push(format!(
            "Account or role is younger than 24 hours: it decides nothing in production until {}.",
            app::time::long(since + NEW)
        ));
    }
    let set_up = person.set_up_by.as_ref().zip(person.set_up_at).filter(|(_, at)| now - *at < LINKED);
    if let Some((by, at)) = set_up {
        let by = names.person(db, signed.site(), by).await?;
        let until = app::time::long(at + LINKED);
        bars.push(format!("Counts as one person with {by}, who set up the account, until {until}: neither decides on what the other asks, and they never fill two seats."));
    }
    let mut given: Vec<(&String, app::time::Moment)> = roles
        .iter()
        .filter(|row| now - row.valid_from < LINKED)
        .filter_map(|row| Some((row.given_by.as_ref()?, row.valid_from)))
        .filter(|(by, _)| set_up.is_none_or(|(other, _)| other != *by))
        .collect();
    given.sort();
    given.dedup_by(|a, b| a.0 == b.0);
    for (by, at) in given {
        let (by, until) = (names.person(db, signed.site(), by).await?, app::time::long(at + LINKED));
        bars.push(format!("Counts as one person with {by}, who gave a role, until {until}."));
    }
    Ok(bars)
}

pub async fn reset(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let (link, _) = people::reset_password(console, &signed.caller, &id).await?;
    let name = Names::default().person(&mut console.read().await?, signed.site(), &id).await?;
    let address = format!("{}/link/{}", signed.site().base_url, *link);
    let shell = signed.shell("/people").await?;
    Ok(shown(page::link_made(&shell, &name, &address, false, &format!("/people/{id}"))))
}

pub async fn disable(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = people::disable_person(signed.console(), &signed.caller, &id).await?;
    // What they know goes on working: it is the next thing to look at.
    if !vault::store::known_to(&mut signed.console().read().await?, &id).await?.is_empty() {
        return Ok(done(&format!("/rotations/select?person={id}"), Action::DisablePerson, receipt));
    }
    Ok(done(&format!("/people/{id}"), Action::DisablePerson, receipt))
}

pub async fn enable(signed: Signed, Path(id): Path<String>) -> Answer {
    let outcome = people::enable_person(signed.console(), &signed.caller, &id).await?;
    Ok(submitted(&format!("/people/{id}"), Action::EnablePerson, outcome))
}

pub async fn assign_role(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let role = Role::from_code(fields.get("role")).ok_or_else(|| Error::invalid("role", "Choose a role."))?;
    let project = Some(fields.get("project")).filter(|project| !project.is_empty());
    let until = match fields.get("until") {
        "" => None,
        day => Some(end_of(day).ok_or_else(|| Error::invalid("until", "A day, such as 2027-03-31."))?),
    };
    let (console, caller) = (signed.console(), &signed.caller);
    let day = |name: &'static str| match fields.get(name) {
        "" => Ok(None),
        day => {
            day.parse::<chrono::NaiveDate>().map(Some).map_err(|_| Error::invalid(name, "A day, such as 2027-03-31."))
        }
    };
    let outcome = match (day("reads_from")?, day("reads_until")?) {
        (None, None) => people::assign_role(console, caller, &id, role, project, until).await?,
        (Some(_), Some(_)) if role != Role::Auditor => {
            return Err(Error::invalid("reads_from", "Auditors alone read a period.").into());
        }
        (Some(from), Some(_)) => {
            let last =
                end_of(fields.get("reads_until")).ok_or_else(|| Error::invalid("reads_until", "Choose a day."))?;
            let period = Period { from: from.and_time(chrono::NaiveTime::MIN).and_utc(), until: last };
            people::assign_auditor(console, caller, &id, project, until, period).await?
        }
        (None, Some(_)) => return Err(Error::invalid("reads_from", "A period has a first day.").into()),
        (Some(_), None) => return Err(Error::invalid("reads_until", "A period has a last day.").into()),
    };
    Ok(submitted(&format!("/people/{id}"), Action::AssignRole, outcome))
}

/// The end of a day, in UTC.
fn end_of(day: &str) -> Option<app::time::Moment> {
    let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    Some(day.succ_opt()?.and_hms_opt(0, 0, 0)?.and_utc())
}

pub async fn add_member(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let outcome = people::add_member(signed.console(), &signed.caller, fields.get("team"), &id).await?;
    Ok(submitted(&format!("/people/{id}"), Action::AddMember, outcome))
}

pub async fn remove_role(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let row = store::find_role(&mut console.read().await?, &id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let receipt = people::remove_role(console, &signed.caller, &id).await?;
    Ok(done(&format!("/people/{}", row.person_id), Action::RemoveRole, receipt))
}

pub async fn remove_member(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let row =
        store::find_membership(&mut console.read().await?, &id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let receipt = people::remove_member(console, &signed.caller, &id).await?;
    Ok(done(&format!("/people/{}", row.person_id), Action::RemoveMember, receipt))
}
