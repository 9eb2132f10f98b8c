//! Sign-in, links, people and teams.
use super::{
    Problem, Site,
    visitor::{Fields, Names, Signed, Visitor, done, local, mistaken, shown},
};
use crate::{
    audit::ledger::Receipt,
    catalog, grants,
    people::{self, Caller, open_session, store},
    requests, vault,
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    people::page::{self, PersonLine, Persona, RoleLine, TeamLine},
    policies::model::{Role, Tier},
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::{Redirect, Response},
};
use serde::Deserialize;

type Answer = Result<Response, Problem>;

#[derive(Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// The personas of a demonstration: one for each way of working.
async fn personas(site: &Site) -> Result<Vec<Persona>, Error> {
    if !site.console.demo {
        return Ok(Vec::new());
    }
    let mut db = site.console.read().await?;
    let mut found = Vec::new();
    for (login, words) in crate::demo::PERSONAS {
        if let Some(person) = store::find_by_login(&mut db, login, site.console.seal_key()).await? {
            found.push(Persona { id: person.id, name: person.name, words });
        }
    }
    Ok(found)
}

pub async fn sign_in_page(visitor: Visitor, Query(query): Query<Next>) -> Answer {
    let site = &visitor.site;
    if visitor.caller().await?.is_some() {
        return Ok(redirect(local(&query.next)));
    }
    if store::count(&mut site.console.read().await?).await? == 0 {
        return Ok(redirect("/set-up"));
    }
    let personas = personas(site).await?;
    Ok(shown(page::sign_in(&visitor.door(), &Form::default(), None, &query.next, personas)))
}

fn redirect(to: &str) -> Response {
    axum::response::IntoResponse::into_response(Redirect::to(to))
}

pub async fn sign_in(visitor: Visitor, fields: Fields) -> Answer {
    let console = &visitor.site.console;
    let next = local(fields.get("next")).to_owned();
    let former = visitor.caller().await?;
    let (login, password) = (fields.get("login").to_owned(), fields.secret("password"));
    match people::check_password(console, &visitor.who, &login, password).await {
        Ok(person) => {
            let receipt = switch(&visitor, former, &person, "password").await?;
            Ok(done(&next, Action::SignIn, receipt))
        }
        Err(Error::Refused(refusal)) => {
            let form = Form::default().with("login", login);
            let personas = personas(&visitor.site).await?;
            let page = page::sign_in(&visitor.door(), &form, Some(refusal), &next, personas);
            let mut response = mistaken(page);
            *response.status_mut() = super::error::status(&Error::Refused(refusal));
            if refusal == Refusal::WrongCredentials {
                *response.status_mut() = axum::http::StatusCode::UNAUTHORIZED;
            }
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens a session under a new id of the browser, and ends the one that the browser had.
async fn switch(
    visitor: &Visitor,
    former: Option<Caller>,
    person: &store::Person,
    method: &str,
) -> Result<Receipt, Error> {
    let console = &visitor.site.console;
    let browser = visitor.new_browser().await?;
    let (_, receipt) = open_session(console, &visitor.who, person, method, browser).await?;
    if let Some(former) = former {
        people::sign_out(console, &former).await?;
    }
    Ok(receipt)
}

/// Signs in as a persona. Exists in demonstrations alone.
pub async fn demo_sign_in(visitor: Visitor, fields: Fields) -> Answer {
    let console = &visitor.site.console;
    if !console.demo {
        return Err(Error::NotFound.into());
    }
    let person = store::find(&mut console.read().await?, fields.get("person"), console.seal_key()).await?;
    let person = person.filter(|person| crate::demo::PERSONAS.iter().any(|(login, _)| *login == person.login));
    let person = person.filter(store::Person::is_active).ok_or(Error::NotFound)?;
    let receipt = switch(&visitor, visitor.caller().await?, &person, "demo").await?;
    Ok(done("/", Action::SignIn, receipt))
}

async fn empty_installation(visitor: &Visitor) -> Result<(), Problem> {
    let count = store::count(&mut visitor.site.console.read().await?).await?;
    if count > 0 {
        return Err(Error::NotFound.into());
    }
    if visitor.site.is_private { Ok(()) } else { Err(Error::Refused(Refusal::NotPublic).into()) }
}

pub async fn set_up_page(visitor: Visitor) -> Answer {
    empty_installation(&visitor).await?;
    Ok(shown(page::set_up(&visitor.door(), &Form::default())))
}

pub async fn set_up(visitor: Visitor, fields: Fields) -> Answer {
    empty_installation(&visitor).await?;
    let (login, name) = (fields.get("login").to_owned(), fields.get("name").to_owned());
    let (code, password) = (fields.secret("code"), fields.secret("new_password"));
    match people::set_up(&visitor.site.console, &visitor.who, &code, &login, &name, password).await {
        Ok(receipt) => Ok(done("/sign-in", Action::JoinOrganisation, receipt)),
        Err(error) => {
            let form = fields.again(error, &["code", "new_password"])?;
            Ok(mistaken(page::set_up(&visitor.door(), &form)))
        }
    }
}

pub async fn link_page(visitor: Visitor, Path(token): Path<String>) -> Answer {
    let (link, person) = people::find_link(&visitor.site.console, &token).await?;
    let action = format!("/link/{token}");
    Ok(shown(page::use_link(&visitor.door(), &Form::default(), &person.name, link.kind == "join", &action)))
}

pub async fn use_link(visitor: Visitor, Path(token): Path<String>, fields: Fields) -> Answer {
    let console = &visitor.site.console;
    let joins = people::find_link(console, &token).await.is_ok_and(|(link, _)| link.kind == "join");
    match people::use_link(console, &visitor.who, &token, fields.secret("new_password")).await {
        Ok(receipt) => {
            Ok(done("/sign-in", if joins { Action::JoinOrganisation } else { Action::ChangePassword }, receipt))
        }
        Err(error) => {
            let form = fields.again(error, &["new_password"])?;
            let (link, person) = people::find_link(console, &token).await?;
            let action = format!("/link/{token}");
            Ok(mistaken(page::use_link(&visitor.door(), &form, &person.name, link.kind == "join", &action)))
        }
    }
}

fn state(person: &store::Person) -> &'static str {
    if person.disabled_at.is_some() {
        "disabled"
    } else if person.joined_at.is_none() {
        "invited"
    } else {
        "active"
    }
}

pub async fn people(signed: Signed) -> Answer {
    Ok(shown(people_page(&signed, &Form::default()).await?))
}

async fn people_page(signed: &Signed, form: &Form) -> Result<String, Error> {
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
                let role = Role::from_code(&row.role)?;
                Some(match &row.project_id {
                    Some(id) => {
                        let project = projects.iter().find(|project| project.id == *id)?;
                        let seen = catalog::sees(console, &signed.caller, project);
                        format!("{role} of {}", if seen { project.name.as_str() } else { "a private project" })
                    }
                    None => role.to_string(),
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
    let teams =
        teams.iter().map(|team| TeamLine { slug: team.slug.clone(), name: team.name.clone(), people: count(&team.id) });
    let view = page::People {
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
        Err(error) => Ok(mistaken(people_page(&signed, &fields.again(error, &[])?).await?)),
    }
}

pub async fn create_team(signed: Signed, fields: Fields) -> Answer {
    let made = people::create_team(signed.console(), &signed.caller, fields.get("slug"), fields.get("team_name")).await;
    match made {
        Ok((_, receipt)) => Ok(done("/people", Action::CreateTeam, receipt)),
        Err(error) => {
            let mut form = fields.again(error, &[])?;
            form.errors.iter_mut().filter(|error| error.field == "name").for_each(|error| error.field = "team_name");
            Ok(mistaken(people_page(&signed, &form).await?))
        }
    }
}

#[derive(Default, Deserialize)]
pub struct PersonQuery {
    #[serde(default)]
    disable: String,
}

pub async fn person(signed: Signed, Path(id): Path<String>, Query(query): Query<PersonQuery>) -> Answer {
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
        let given_by = match &row.given_by {
            Some(by) => names.person(&mut db, signed.site(), by).await?,
            None => "set-up".into(),
        };
        let words =
            scope.map_or_else(|| format!("{role}, whole organisation"), |project| format!("{role} of {project}"));
        roles.push(RoleLine { id: row.id, words, since: row.valid_from, given_by });
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
    let cuts = vec![
        ("Open sessions", store::sessions_of(&mut db, &id, now, key).await?.len()),
        ("Personal access tokens", tokens.len()),
        ("Access held", grants::store::active_of(&mut db, grants::Holder::Person(&id), now, key).await?.len()),
        ("Open requests", requests::store::open_of(&mut db, &id, now, key).await?.len()),
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
        knows,
        manage: would(Action::AssignRole),
        disable: would(Action::DisablePerson),
        projects,
        all_teams,
        confirm_disable: query.disable == "ask",
    };
    Ok(shown(page::person(&shell, view)))
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
    let receipt = people::enable_person(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/people/{id}"), Action::EnablePerson, receipt))
}

pub async fn assign_role(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let role = Role::from_code(fields.get("role")).ok_or_else(|| Error::invalid("role", "Choose a role."))?;
    let project = Some(fields.get("project")).filter(|project| !project.is_empty());
    if let Some(project) = project
        && catalog::store::find_project(&mut signed.console().read().await?, project).await?.is_none()
    {
        return Err(Error::NotFound.into());
    }
    let receipt = people::assign_role(signed.console(), &signed.caller, &id, role, project).await?;
    Ok(done(&format!("/people/{id}"), Action::AssignRole, receipt))
}

pub async fn add_member(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let receipt = people::add_member(signed.console(), &signed.caller, fields.get("team"), &id).await?;
    Ok(done(&format!("/people/{id}"), Action::AddMember, receipt))
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
