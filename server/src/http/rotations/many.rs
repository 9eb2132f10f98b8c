//! Values known to people, and rotating many at once.
use super::Answer;
use crate::{
    catalog::{self, Located},
    http::visitor::{Fields, Names, Signed, shown},
    people,
    rotations::{self, Came, Selection},
    vault, workloads,
};
use app::{
    error::Error,
    policies::model::Tier,
    rotations::page::{self, Begun, Candidate, Known, SelectView},
    ui::Form,
};
use axum::extract::{Query, RawQuery};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Level {
    #[serde(default)]
    tier: String,
}

pub async fn known(signed: Signed, Query(level): Query<Level>) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let tier = Tier::from_code(&level.tier).unwrap_or(Tier::Production);
    let key = console.seal_key();
    let mut db = console.read().await?;
    let mut lines: Vec<Known> = Vec::new();
    for project in catalog::store::projects(&mut db).await? {
        if !catalog::sees(console, &signed.caller, &project) {
            continue;
        }
        let environments = catalog::store::environments(&mut db, &project.id, key).await?;
        for row in vault::store::knowing_in(&mut db, &project.id).await? {
            if let Some(last) =
                lines.last_mut().filter(|last| last.secret == row.secret_id && last.version == row.version)
            {
                last.people.push((row.name, row.how));
                last.since = last.since.min(row.since);
                continue;
            }
            let Some(secret) = catalog::store::find(&mut db, &row.secret_id, key).await? else { continue };
            let place = environments.iter().find(|environment| environment.id == secret.environment_id);
            if secret.archived_at.is_some() || place.is_none_or(|place| place.tier() != tier) {
                continue;
            }
            lines.push(Known {
                secret: row.secret_id,
                path: secret.path.clone(),
                project: project.name.clone(),
                tier,
                class: secret.class(),
                version: row.version,
                is_current: secret.current_version == Some(row.version),
                people: vec![(row.name, row.how)],
                since: row.since,
            });
        }
    }
    lines.sort_by_key(|line| (std::cmp::Reverse(line.class), line.since));
    Ok(shown(page::known(&shell, tier, lines)))
}

/// The selection of a query; what is empty is no condition.
fn selection(query: &str) -> (Selection, Form, Option<String>) {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let pairs: Vec<(String, String)> = pairs
        .into_iter()
        .map(|(name, value)| (name, value.trim().to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let one = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let selection = Selection {
        secrets: pairs.iter().filter(|(name, _)| name == "secret").map(|(_, value)| value.clone()).collect(),
        older: one("older").and_then(|days| days.parse().ok()).filter(|days| *days >= 0),
        person: one("person"),
        workload: one("workload"),
        project: one("project"),
        path: one("path"),
    };
    let person = one("person");
    (selection, Form { values: pairs, errors: Vec::new() }, person)
}

pub async fn select(signed: Signed, RawQuery(query): RawQuery) -> Answer {
    signed.sees_now()?;
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let (selection, mut form, person) = selection(&query.unwrap_or_default());
    if !selection.is_empty() && form.values.iter().any(|(name, _)| name == "older") && selection.older.is_none() {
        form.errors.push(app::error::FieldError { field: "older", message: "This is not a number of days.".into() });
    }
    let (fits, more) = rotations::fitting(console, &signed.caller, &selection).await?;
    let mut db = console.read().await?;
    let mut names = Names::default();
    let mut candidates = Vec::new();
    for fit in fits {
        let mut consumers = Vec::new();
        for id in &fit.consumers {
            consumers.push(names.workload(&mut db, signed.site(), id).await?);
        }
        candidates.push(Candidate {
            secret: fit.located.secret.id.clone(),
            path: fit.located.secret.path.clone(),
            project: fit.located.project.name.clone(),
            tier: fit.located.environment.tier(),
            age: fit.age,
            known_to: fit.known_to,
            consumers,
            how: fit.how,
        });
    }
    let people: Vec<people::store::Person> = people::store::list(&mut db).await?;
    let leaver = person
        .and_then(|id| people.iter().find(|row| row.id == id && row.disabled_at.is_some()))
        .map(|row| (row.id.clone(), row.name.clone()));
    let said = |row: &people::store::Person| {
        let left = if row.disabled_at.is_some() { " (left)" } else { "" };
        (row.id.clone(), format!("{}{left}", row.name))
    };
    let projects = catalog::store::projects(&mut db).await?;
    let projects: Vec<_> =
        projects.into_iter().filter(|project| catalog::sees(console, &signed.caller, project)).collect();
    let sees = |row: &workloads::store::Workload| projects.iter().any(|project| project.id == row.project_id);
    let workloads = workloads::store::list(&mut db, console.seal_key()).await?;
    let workloads = workloads.into_iter().filter(sees).map(|row| (row.id, row.slug)).collect();
    let view = SelectView {
        candidates,
        more,
        people: people.iter().map(said).collect(),
        workloads,
        projects: projects.into_iter().map(|project| (project.slug, project.name)).collect(),
        leaver,
    };
    Ok(shown(page::select(&shell, view, &form)))
}

pub async fn many(signed: Signed, fields: Fields) -> Answer {
    let secrets = fields.all("secret");
    if secrets.is_empty() {
        return Err(Error::invalid("secret", "Tick at least one.").into());
    }
    let leaver = Some(fields.get("leaver")).filter(|leaver| !leaver.is_empty());
    let cut_off = leaver.is_some() && fields.get("mode") == "cut";
    let came = rotations::begin_many(signed.console(), &signed.caller, &secrets, leaver, cut_off).await?;
    let shell = signed.shell("/rotations").await?;
    let line = |(located, came): (Located, Came)| Begun {
        path: format!("{} in {}", located.secret.path, located.environment.slug),
        place: match came {
            Came::Rotation(id) => Ok((format!("/rotations/{id}"), "Rotation begun".into())),
            Came::Case(id) => Ok((format!("/cases/{id}"), "Case opened: it has to be changed by hand".into())),
            Came::Not(error) => Err(error.to_string()),
        },
    };
    Ok(shown(page::begun(&shell, came.into_iter().map(line).collect())))
}
