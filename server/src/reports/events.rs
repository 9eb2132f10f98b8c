//! Events as a table or as lines: what the page shows, in the order of the trail.
use super::{
    chunks::Chunks,
    table::Table,
    work::{Stopped, Working},
};
use crate::{
    audit::{
        search::Page,
        store::{self, Stored},
    },
    catalog,
    db::Sql,
    people, workloads,
};
use app::{
    audit::{
        action::Action,
        leaf::{Deciding, Leaf},
    },
    error::Error,
    reports::model::Format,
    time::rfc3339,
};
use std::collections::{BTreeMap, HashMap};

/// Events read at a time.
pub const STRETCH: u64 = 1_000;

pub const COLUMNS: [&str; 22] = [
    "event",
    "time_utc",
    "time_local",
    "actor_kind",
    "actor_id",
    "actor",
    "action",
    "words",
    "outcome",
    "reason",
    "project",
    "environment",
    "secret_id",
    "subject",
    "request_id",
    "grant_id",
    "address",
    "agent",
    "rule",
    "repeats",
    "said",
    "leaf_sha256",
];

/// Names by id, as they are now.
#[derive(Default)]
pub struct Called {
    names: HashMap<String, String>,
}

impl Called {
    pub async fn load(db: &mut impl Sql, key: &crate::audit::row_seal::SealKey) -> Result<Self, Error> {
        let mut names = HashMap::new();
        names.extend(people::store::list(db).await?.into_iter().map(|row| (row.id, row.name)));
        names.extend(workloads::store::list(db, key).await?.into_iter().map(|row| (row.id, row.slug)));
        names.extend(catalog::store::projects(db).await?.into_iter().map(|row| (row.id, row.slug)));
        names.extend(catalog::store::all_environments(db, key).await?.into_iter().map(|row| (row.id, row.slug)));
        Ok(Self { names })
    }

    pub fn of(&self, id: Option<&String>) -> String {
        id.map_or(String::new(), |id| self.names.get(id).unwrap_or(id).clone())
    }
}

/// What a table says of a leaf beside its row's columns.
#[derive(serde::Deserialize)]
struct Rest {
    policy: Option<Deciding>,
    suppressed: Option<u64>,
}

/// One event, with what is disclosed of it.
struct Told<'a> {
    row: &'a Stored,
    leaf: Option<Rest>,
    private: BTreeMap<String, String>,
}

/// Writes every event of the filter; returns how many.
pub async fn write(working: &mut Working<'_>, format: Format, chunks: &mut Chunks<'_>) -> Result<u64, Stopped> {
    let called = called(working).await?;
    let mut table = Table::new(format, &COLUMNS, working.job.raw)?;
    let mut before = None;
    loop {
        let page = next(working, &mut before).await?;
        for cells in described(working, &called, &page.rows).await? {
            table.row(cells)?;
        }
        chunks.write(&table.take()).await?;
        let done = working.filter.to - page.looked_to;
        working.job.total = (working.filter.to - working.filter.from) as i64;
        working.progress(done, table.rows, chunks.bytes).await?;
        if page.complete {
            break;
        }
    }
    let rows = table.rows;
    chunks.write(&table.finish(working).await?).await?;
    Ok(rows)
}

/// Names; in a redacted file ids stand in their place.
pub async fn called(working: &Working<'_>) -> Result<Called, Stopped> {
    if working.job.redacted {
        return Ok(Called::default());
    }
    Ok(Called::load(&mut working.console.read().await?, working.console.seal_key()).await?)
}

/// Events as cells of [`COLUMNS`].
pub async fn described(working: &Working<'_>, called: &Called, rows: &[Stored]) -> Result<Vec<Vec<String>>, Stopped> {
    let mut private: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
    if !working.job.redacted && !rows.is_empty() {
        let mut db = working.console.read().await?;
        for (seq, field, _, value) in store::told(&mut db, rows.iter().map(Stored::numbered)).await? {
            private.entry(seq).or_default().insert(field, value);
        }
    }
    let told = rows.iter().map(|row| Told {
        row,
        leaf: Leaf::json(&row.leaf).ok().and_then(|json| serde_json::from_str(json).ok()),
        private: private.remove(&row.seq).unwrap_or_default(),
    });
    Ok(told.map(|told| cells(&told, called, working)).collect())
}

/// The next stretch of the filter, newest first; moves `before` on.
pub async fn next(working: &Working<'_>, before: &mut Option<u64>) -> Result<Page, Stopped> {
    let mut db = working.console.read().await?;
    let page = working.filter.page(&mut db, *before, STRETCH).await?;
    *before = Some(page.looked_to);
    Ok(page)
}

fn cells(told: &Told, called: &Called, working: &Working<'_>) -> Vec<String> {
    let Told { row, leaf, private } = told;
    let action = Action::from_code(&row.action);
    let subject = ["path", "login", "name", "slug"].iter().find_map(|name| private.get(*name).cloned());
    let said = ["reason", "comment", "what", "purpose"].iter().find_map(|name| private.get(*name).cloned());
    let private = |name: &str| private.get(name).cloned().unwrap_or_default();
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    let hash = app::audit::tree::leaf_hash(&row.leaf);
    vec![
        row.seq.to_string(),
        rfc3339(row.at),
        row.at.with_timezone(&working.zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        row.actor_kind.clone(),
        own(&row.actor_id),
        if working.job.redacted { String::new() } else { called.of(row.actor_id.as_ref()) },
        row.action.clone(),
        action.map_or(String::new(), |action| action.words().to_owned()),
        row.outcome.clone(),
        own(&row.reason),
        called.of(row.project_id.as_ref()),
        called.of(row.environment_id.as_ref()),
        own(&row.secret_id),
        subject.unwrap_or_default(),
        own(&row.request_id),
        own(&row.grant_id),
        private("address"),
        private("agent"),
        leaf.as_ref().and_then(|leaf| leaf.policy.as_ref()).map_or(String::new(), |policy| policy.id.clone()),
        leaf.as_ref().and_then(|leaf| leaf.suppressed).map_or(String::new(), |count| count.to_string()),
        said.unwrap_or_default(),
        app::audit::tree::hex(&hash),
    ]
}
