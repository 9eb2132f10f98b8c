//! Drift between a project's environments: a page, and a table for a spreadsheet.
use super::{
    Problem,
    visitor::{Names, Signed, shown},
};
use crate::{catalog, rotations, vault};
use app::{
    catalog::{
        drift::{Seen, What, differences},
        page::{self, Column, Drift, Drifting},
    },
    error::Error,
    policies::model::Tier,
    reports::model::guarded,
};
use axum::{
    extract::{Path, Query},
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    what: String,
    #[serde(default)]
    format: String,
}

pub async fn drift(signed: Signed, Path(slug): Path<String>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let view = look(&signed, &slug, What::from_code(&asked.what)).await?;
    if asked.format == "csv" {
        return Ok(sheet(&view)?);
    }
    let shell = signed.shell("/projects").await?;
    Ok(shown(page::drift(&shell, view)))
}

async fn look(signed: &Signed, slug: &str, only: Option<What>) -> Result<Drift, Error> {
    let console = signed.console();
    let key = console.seal_key();
    let mut db = console.read().await?;
    let project = catalog::visible_project(console, &mut db, &signed.caller, slug).await?;
    let environments = catalog::store::environments(&mut db, &project.id, key).await?;
    let tiers: Vec<Tier> = environments.iter().map(catalog::store::Environment::tier).collect();
    let current: HashMap<String, String> = vault::store::current_of(&mut db, &project.id)
        .await?
        .into_iter()
        .map(|version| (version.secret_id, version.field_names))
        .collect();
    let plans: HashMap<String, String> = rotations::store::plans_of(&mut db, &project.id, key)
        .await?
        .into_iter()
        .map(|plan| (plan.secret_id, plan.rotator))
        .collect();
    let mut names = Names::default();
    let mut paths: BTreeMap<String, (String, Vec<Option<Seen>>)> = BTreeMap::new();
    for secret in catalog::store::secrets_of(&mut db, &project.id, key).await? {
        let Some(column) = environments.iter().position(|row| row.id == secret.environment_id) else { continue };
        let seen = Seen {
            class: secret.class(),
            kind: secret.kind(),
            owner: names.team(&mut db, &secret.team_id).await?,
            fields: current.get(&secret.id).map(|fields| fields.split(',').map(str::to_owned).collect()),
            rotator: plans.get(&secret.id).cloned(),
            secret: secret.id,
        };
        let entry = paths.entry(secret.folded).or_insert_with(|| (secret.path, vec![None; environments.len()]));
        entry.1[column] = Some(seen);
    }
    let all = paths.len();
    let rows: Vec<Drifting> = paths
        .into_values()
        .map(|(path, seen)| Drifting {
            path,
            differences: differences(&tiers, &seen),
            secrets: seen.into_iter().map(|seen| seen.map(|seen| seen.secret)).collect(),
        })
        .filter(|row| !row.differences.is_empty())
        .collect();
    let count = |what: What| rows.iter().flat_map(|row| &row.differences).filter(|one| one.what == what).count();
    let columns =
        environments.iter().map(|row| Column { id: row.id.clone(), slug: row.slug.clone(), tier: row.tier() });
    Ok(Drift {
        slug: project.slug,
        name: project.name,
        columns: columns.collect(),
        only,
        counts: What::ALL.iter().map(|what| (*what, count(*what))).collect(),
        paths: all,
        rows,
    })
}

/// RFC 4180; what a spreadsheet would compute is made text.
fn sheet(view: &Drift) -> Result<Response, Error> {
    let failed = |_| Error::Unavailable;
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let heads = ["path", "differs"].into_iter().chain(view.columns.iter().map(|column| column.slug.as_str()));
    writer.write_record(heads).map_err(failed)?;
    for row in &view.rows {
        let chosen = row.differences.iter().filter(|one| view.only.is_none_or(|only| only == one.what));
        for difference in chosen {
            let cells = std::iter::once(row.path.as_str()).chain([difference.what.code()]);
            let cells = cells.chain(difference.cells.iter().map(String::as_str)).map(guarded);
            writer.write_record(cells).map_err(failed)?;
        }
    }
    let body = writer.into_inner().map_err(|_| Error::Unavailable)?;
    let name = format!("attachment; filename=\"drift-{}.csv\"", view.slug);
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)], body)
        .into_response())
}
