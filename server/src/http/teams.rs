//! One team.
use super::{
    Problem,
    controls::submitted,
    people::state,
    visitor::{Fields, Signed, shown},
};
use crate::{
    catalog,
    people::{self, providers::store as provider_store, store},
    workloads,
};
use app::{
    audit::action::Action,
    error::Error,
    people::page::{self, KeptWorkload, MemberLine},
    policies::model::Tier,
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

pub async fn team(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.sees_now()?;
    let console = signed.console();
    let shell = signed.shell("/people").await?;
    let mut db = console.read().await?;
    let (now, key) = (console.now(), console.seal_key());
    let team = store::find_team(&mut db, &id).await?.ok_or(Error::NotFound)?;
    let people = store::list(&mut db).await?;
    let mut members = Vec::new();
    for row in store::memberships(&mut db, None, now, key).await?.into_iter().filter(|row| row.team_id == id) {
        let Some(person) = people.iter().find(|person| person.id == row.person_id) else { continue };
        let rule = match &row.rule_id {
            Some(rule) => provider_store::find_rule(&mut db, rule, key).await?,
            None => None,
        };
        members.push(MemberLine {
            membership: row.id,
            person: person.id.clone(),
            name: person.name.clone(),
            state: state(person),
            since: row.valid_from,
            group: rule.map(|rule| rule.group_name),
        });
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    let seen = catalog::visible_projects(console, &mut db, &signed.caller).await?;
    let environments = catalog::store::all_environments(&mut db, key).await?;
    let mut kept = Vec::new();
    for row in workloads::store::list(&mut db, key).await?.into_iter().filter(|row| row.team_id == id) {
        let Some(project) = seen.iter().find(|project| project.id == row.project_id) else { continue };
        kept.push(KeptWorkload {
            tier: environments
                .iter()
                .find(|env| env.id == row.environment_id)
                .map_or(Tier::Production, |env| env.tier()),
            project: project.name.clone(),
            disabled: row.disabled_at.is_some(),
            id: row.id,
            slug: row.slug,
        });
    }
    let mut secrets = 0;
    for project in &seen {
        secrets += catalog::store::count_of_team(&mut db, &project.id, &id).await?;
    }
    let inside = |person: &store::Person| members.iter().any(|line| line.person == person.id);
    let others = people.iter().filter(|person| person.disabled_at.is_none() && !inside(person));
    let view = page::Team {
        others: others.map(|person| (person.id.clone(), person.name.clone())).collect(),
        name: team.name,
        slug: team.slug,
        created_at: team.created_at,
        projects: seen.iter().filter(|row| row.team_id == id).map(|row| (row.slug.clone(), row.name.clone())).collect(),
        workloads: kept,
        secrets,
        manage: console.would(&signed.caller, Action::AddMember, None, Default::default()),
        members,
        id,
    };
    Ok(shown(page::team(&shell, view)))
}

pub async fn add_member(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let outcome = people::add_member(signed.console(), &signed.caller, &id, fields.get("person")).await?;
    Ok(submitted(&format!("/teams/{id}"), Action::AddMember, outcome))
}
