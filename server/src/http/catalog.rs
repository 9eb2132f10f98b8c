//! Projects, the matrix, environments and imports.
use super::{
    Problem, rotations,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    catalog::{self, NewProject, NewSecret, store},
    db::Sql,
    people, vault,
};
use app::{
    audit::action::Action,
    catalog::{
        model::Kind,
        page::{self, Column, KeyLine, Matrix, Preview, ProjectLine, Row, Slot},
    },
    error::Error,
    policies::model::{Class, Tier},
    session::Shell,
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;
use std::collections::BTreeMap;

type Answer = Result<Response, Problem>;

pub async fn projects(signed: Signed) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let mut db = console.read().await?;
    let mut names = Names::default();
    let mut lines = Vec::new();
    for project in catalog::visible_projects(console, &mut db, &signed.caller).await? {
        let mut paths: Vec<String> = store::secrets_of(&mut db, &project.id, console.seal_key())
            .await?
            .into_iter()
            .map(|secret| secret.folded)
            .collect();
        paths.sort_unstable();
        paths.dedup();
        lines.push(ProjectLine {
            team: names.team(&mut db, &project.team_id).await?,
            slug: project.slug,
            name: project.name,
            description: project.description,
            open: project.is_open,
            secrets: paths.len(),
        });
    }
    let create = console.would(&signed.caller, Action::CreateProject, None, Default::default());
    Ok(shown(page::projects(&shell, lines, create)))
}

async fn teams(db: &mut impl Sql) -> Result<Vec<(String, String)>, Error> {
    Ok(people::store::teams(db).await?.into_iter().map(|team| (team.id, team.name)).collect())
}

pub async fn new_project(signed: Signed) -> Answer {
    Ok(shown(new_project_page(&signed, &Form::default()).await?))
}

async fn new_project_page(signed: &Signed, form: &Form) -> Result<String, Error> {
    let refusal = signed.console().would(&signed.caller, Action::CreateProject, None, Default::default());
    if let Some(refusal) = refusal {
        return Err(Error::Refused(refusal));
    }
    let shell = signed.shell("/projects").await?;
    let teams = teams(&mut signed.console().read().await?).await?;
    Ok(page::new_project(&shell, teams, form))
}

pub async fn create_project(signed: Signed, fields: Fields) -> Answer {
    let new = NewProject {
        slug: fields.get("slug"),
        name: fields.get("name"),
        description: fields.get("description"),
        open: fields.get("visibility") != "private",
        team: fields.get("team"),
    };
    match catalog::create_project(signed.console(), &signed.caller, new).await {
        Ok((_, receipt)) => {
            Ok(done(&format!("/projects/{}", fields.get("slug").trim()), Action::CreateProject, receipt))
        }
        Err(error) => Ok(mistaken(new_project_page(&signed, &fields.again(error, &[])?).await?)),
    }
}

#[derive(Default, Deserialize)]
pub struct MatrixQuery {
    #[serde(default)]
    q: String,
}

pub async fn matrix(signed: Signed, Path(slug): Path<String>, Query(query): Query<MatrixQuery>) -> Answer {
    Ok(shown(matrix_page(&signed, &slug, query, &Form::default()).await?))
}

async fn matrix_page(signed: &Signed, slug: &str, query: MatrixQuery, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let key = console.seal_key();
    let mut db = console.read().await?;
    let project = catalog::visible_project(console, &mut db, &signed.caller, slug).await?;
    let environments = store::environments(&mut db, &project.id, key).await?;
    let columns: Vec<Column> = environments
        .iter()
        .map(|row| Column { id: row.id.clone(), slug: row.slug.clone(), tier: row.tier() })
        .collect();
    let versions = vault::store::current_of(&mut db, &project.id).await?;
    let knowing = vault::store::knowing_current(&mut db, &project.id).await?;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for secret in store::secrets_of(&mut db, &project.id, key).await? {
        let Some(column) = columns.iter().position(|column| column.id == secret.environment_id) else { continue };
        let version = versions.iter().find(|version| version.secret_id == secret.id);
        let known_to = knowing.iter().filter(|row| row.secret_id == secret.id).map(|row| row.name.clone()).collect();
        let row = rows.entry(secret.folded.clone()).or_insert_with(|| Row {
            path: secret.path.clone(),
            kind: secret.kind(),
            slots: columns.iter().map(|_| None).collect(),
        });
        row.slots[column] = Some(Slot {
            class: secret.class(),
            version: secret.current_version,
            written_at: version.map(|version| version.created_at),
            known_to,
            secret: secret.id,
        });
    }
    let all = rows.len();
    let rows = rows.into_values().filter(|row| matches(row, &columns, &query.q, &shell)).collect();
    let mut names = Names::default();
    let mut leads = Vec::new();
    for id in catalog::leads(console, &mut db, &project.id).await?.into_iter().take(4) {
        leads.push(names.person(&mut db, signed.site(), &id).await?);
    }
    let view = Matrix {
        team: names.team(&mut db, &project.team_id).await?,
        add: console.would(&signed.caller, Action::CreateSecret, Some(&project.id), Default::default()),
        slug: project.slug,
        name: project.name,
        description: project.description,
        leads,
        columns,
        rows,
        query: query.q,
        all,
    };
    Ok(page::matrix(&shell, view, form))
}

/// Words of the path, and `is:missing`, `is:old`, `is:known`; all of them must fit.
fn matches(row: &Row, columns: &[Column], query: &str, shell: &Shell) -> bool {
    query.split_whitespace().all(|word| match word {
        "is:missing" => row.slots.iter().any(|slot| slot.as_ref().is_none_or(|slot| slot.version.is_none())),
        "is:old" => row.slots.iter().zip(columns).any(|(slot, column)| {
            slot.as_ref().is_some_and(|slot| page::is_old(slot, shell.levels.of(column.tier), shell.now))
        }),
        "is:known" => row.slots.iter().flatten().any(|slot| !slot.known_to.is_empty()),
        word => row.path.to_ascii_lowercase().contains(&word.to_ascii_lowercase()),
    })
}

#[derive(Default, Deserialize)]
pub struct NewSecretQuery {
    #[serde(default)]
    path: String,
    #[serde(default)]
    environment: String,
}

pub async fn new_secret(signed: Signed, Path(slug): Path<String>, Query(query): Query<NewSecretQuery>) -> Answer {
    let form = Form::default().with("path", query.path).with("environment", query.environment).with("class", "normal");
    Ok(shown(new_secret_page(&signed, &slug, &form).await?))
}

async fn new_secret_page(signed: &Signed, slug: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let mut db = console.read().await?;
    let project = catalog::visible_project(console, &mut db, &signed.caller, slug).await?;
    if let Some(refusal) = console.would(&signed.caller, Action::CreateSecret, Some(&project.id), Default::default()) {
        return Err(Error::Refused(refusal));
    }
    let environments = store::environments(&mut db, &project.id, console.seal_key()).await?;
    let environments = environments.into_iter().map(|row| (row.id, row.slug)).collect();
    // The project's own team first: it is what most secrets belong to.
    let mut teams = teams(&mut db).await?;
    teams.sort_by_key(|(id, _)| *id != project.team_id);
    Ok(page::new_secret(&shell, (&project.slug, &project.name), environments, teams, form))
}

async fn environment_of(signed: &Signed, project: &str, id: &str) -> Result<store::Environment, Error> {
    let console = signed.console();
    let row = store::find_environment(&mut console.read().await?, id, console.seal_key()).await?;
    row.filter(|row| row.project_id == project).ok_or_else(|| Error::invalid("environment", "Choose an environment."))
}

pub async fn create_secret(signed: Signed, Path(slug): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let project = catalog::visible_project(console, &mut console.read().await?, &signed.caller, &slug).await?;
    let made = async {
        let environment = environment_of(&signed, &project.id, fields.get("environment")).await?;
        let team = people::store::find_team(&mut console.read().await?, fields.get("team")).await?;
        let new = NewSecret {
            path: fields.get("path"),
            kind: Kind::from_code(fields.get("kind")).ok_or_else(|| Error::invalid("kind", "Choose a kind."))?,
            class: Class::from_code(fields.get("class")).ok_or_else(|| Error::invalid("class", "Choose a class."))?,
            description: fields.get("description"),
            team: &team.ok_or_else(|| Error::invalid("team", "Choose the team that owns it."))?.id,
        };
        catalog::create_secret(console, &signed.caller, &project, &environment, new).await
    };
    match made.await {
        Ok((id, receipt)) => Ok(done(&format!("/secrets/{id}"), Action::CreateSecret, receipt)),
        Err(error) => Ok(mistaken(new_secret_page(&signed, &slug, &fields.again(error, &[])?).await?)),
    }
}

pub async fn create_environment(signed: Signed, Path(slug): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let project = catalog::visible_project(console, &mut console.read().await?, &signed.caller, &slug).await?;
    let tier =
        Tier::from_code(fields.get("tier")).ok_or_else(|| Error::invalid("tier", "Choose a protection level."))?;
    match catalog::create_environment(console, &signed.caller, &project, fields.get("slug"), tier).await {
        Ok((_, receipt)) => Ok(done(&format!("/projects/{slug}"), Action::CreateEnvironment, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(matrix_page(&signed, &slug, MatrixQuery::default(), &form).await?))
        }
    }
}

pub async fn import_page(signed: Signed, Path(slug): Path<String>) -> Answer {
    Ok(shown(import_view(&signed, &slug, None, &Form::default()).await?))
}

async fn import_view(signed: &Signed, slug: &str, preview: Option<Preview>, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let mut db = console.read().await?;
    let project = catalog::visible_project(console, &mut db, &signed.caller, slug).await?;
    if let Some(refusal) = console.would(&signed.caller, Action::ImportSecrets, Some(&project.id), Default::default()) {
        return Err(Error::Refused(refusal));
    }
    let environments = store::environments(&mut db, &project.id, console.seal_key()).await?;
    let environments =
        environments.into_iter().filter(|row| row.tier() != Tier::Production).map(|row| (row.id, row.slug)).collect();
    Ok(page::import(&shell, (&project.slug, &project.name), environments, preview, form))
}

pub async fn preview_import(signed: Signed, Path(slug): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let project = catalog::visible_project(console, &mut console.read().await?, &signed.caller, &slug).await?;
    let looked = async {
        let environment = environment_of(&signed, &project.id, fields.get("environment")).await?;
        let text = fields.secret("text");
        catalog::preview_import(console, &signed.caller, &environment, fields.get("format"), &text).await
    };
    match looked.await {
        Ok((stash, found)) => {
            let found =
                found.into_iter().map(|found| (found.path, found.length, found.exists, found.warning)).collect();
            let preview = Preview { stash, environment: fields.get("environment").into(), found };
            Ok(shown(import_view(&signed, &slug, Some(preview), &Form::default()).await?))
        }
        Err(error) => {
            let form = fields.again(error, &["text"])?;
            Ok(mistaken(import_view(&signed, &slug, None, &form).await?))
        }
    }
}

pub async fn import(signed: Signed, Path(slug): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let project = catalog::visible_project(console, &mut console.read().await?, &signed.caller, &slug).await?;
    let imported = async {
        let environment = environment_of(&signed, &project.id, fields.get("environment")).await?;
        let stash = fields.get("stash");
        catalog::import_secrets(console, &signed.caller, &project, &environment, stash, &project.team_id).await
    };
    match imported.await {
        Ok((_, receipt)) => Ok(done(&format!("/projects/{slug}"), Action::ImportSecrets, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(import_view(&signed, &slug, None, &form).await?))
        }
    }
}

pub async fn environment(signed: Signed, Path(id): Path<String>) -> Answer {
    Ok(shown(environment_page(&signed, &id, None).await?))
}

/// The page of an environment; with the form of its schedule as it was sent.
pub(super) async fn environment_page(signed: &Signed, id: &str, sent: Option<Form>) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/projects").await?;
    let mut db = console.read().await?;
    let row = store::find_environment(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let project = store::find_project(&mut db, &row.project_id).await?.ok_or(Error::NotFound)?;
    let project = catalog::visible_project(console, &mut db, &signed.caller, &project.slug).await?;
    let mut keys = Vec::new();
    for line in vault::store::keys(&mut db, id).await? {
        keys.push(KeyLine {
            generation: line.generation,
            values: vault::store::count_sealed_with(&mut db, id, line.generation).await?,
            state: line.state,
            created_at: line.created_at,
        });
    }
    let situation = catalog::environment_situation(&row);
    let may = console.would(&signed.caller, Action::RotateKey, Some(&project.id), situation);
    let (default, form) = rotations::of_environment(signed, &mut db, &row).await?;
    let column = Column { tier: row.tier(), id: row.id, slug: row.slug };
    let form = sent.unwrap_or(form);
    Ok(page::environment(&shell, (&project.slug, &project.name), column, keys, may, (default, &form)))
}

pub async fn rotate_key(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = vault::rotate_key(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/environments/{id}"), Action::RotateKey, receipt))
}

pub async fn rewrap(signed: Signed, Path(id): Path<String>) -> Answer {
    let (_, receipt) = vault::rewrap_versions(signed.console(), &signed.caller, &id).await?;
    let receipt = receipt.ok_or(Error::Conflict(app::error::Conflict::AlreadyDone))?;
    Ok(done(&format!("/environments/{id}"), Action::RewrapVersions, receipt))
}

pub async fn destroy_key(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let generation = fields.version("generation")?;
    let receipt = vault::destroy_key(signed.console(), &signed.caller, &id, generation).await?;
    Ok(done(&format!("/environments/{id}"), Action::DestroyKey, receipt))
}
