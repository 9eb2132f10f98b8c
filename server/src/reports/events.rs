//! Events as a table or as lines: what the page shows, in the order of the trail.
use super::{
    chunks::Chunks,
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
    audit::{action::Action, leaf::Leaf},
    error::Error,
    reports::model::{Kind, guarded},
    time::rfc3339,
};
use std::collections::{BTreeMap, HashMap};

/// Events read at a time.
pub const STRETCH: u64 = 1_000;

const COLUMNS: [&str; 22] = [
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
struct Called {
    names: HashMap<String, String>,
}

impl Called {
    async fn load(db: &mut impl Sql, key: &crate::keys::Secret) -> Result<Self, Error> {
        let mut names = HashMap::new();
        names.extend(people::store::list(db).await?.into_iter().map(|row| (row.id, row.name)));
        names.extend(workloads::store::list(db, key).await?.into_iter().map(|row| (row.id, row.slug)));
        names.extend(catalog::store::projects(db).await?.into_iter().map(|row| (row.id, row.slug)));
        names.extend(catalog::store::all_environments(db, key).await?.into_iter().map(|row| (row.id, row.slug)));
        Ok(Self { names })
    }

    fn of(&self, id: Option<&String>) -> String {
        id.map_or(String::new(), |id| self.names.get(id).unwrap_or(id).clone())
    }
}

/// One event, with what is disclosed of it.
struct Told<'a> {
    row: &'a Stored,
    leaf: Option<Leaf>,
    private: BTreeMap<String, String>,
}

enum Table {
    Csv(Vec<u8>),
    Lines(Vec<u8>),
    Xlsx(Box<rust_xlsxwriter::Workbook>, u32),
}

/// Writes every event of the filter; returns how many.
pub async fn write(working: &mut Working<'_>, kind: Kind, chunks: &mut Chunks<'_>) -> Result<u64, Stopped> {
    let mut db = working.console.read().await?;
    let called = Called::load(&mut db, working.console.seal_key()).await?;
    drop(db);
    let mut table = match kind {
        Kind::EventsXlsx => Table::Xlsx(Box::new(rust_xlsxwriter::Workbook::new()), 0),
        Kind::EventsLines => Table::Lines(Vec::new()),
        _ => Table::Csv(Vec::new()),
    };
    table.row(&COLUMNS.map(ToOwned::to_owned), true)?;
    let (mut rows, mut before) = (0, None);
    loop {
        let page = next(working, &mut before).await?;
        let seqs: Vec<i64> = page.rows.iter().map(|row| row.seq).collect();
        let mut private: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
        if !working.job.redacted && !seqs.is_empty() {
            let mut db = working.console.read().await?;
            for (seq, field, _, value) in store::disclosures_of(&mut db, &seqs).await? {
                private.entry(seq).or_default().insert(field, value);
            }
        }
        for row in &page.rows {
            let told = Told {
                row,
                leaf: Leaf::json(&row.leaf).ok().and_then(|json| serde_json::from_str(json).ok()),
                private: private.remove(&row.seq).unwrap_or_default(),
            };
            let cells = cells(&told, &called, working);
            match &mut table {
                Table::Lines(lines) => line(lines, &cells)?,
                table if working.job.raw => table.row(&cells, false)?,
                table => table.row(&cells.map(|cell| guarded(&cell)), false)?,
            }
            rows += 1;
        }
        if kind.most().is_some_and(|most| rows > most) {
            let most = kind.most().unwrap_or_default();
            return Err(Stopped::Failed(format!(
                "More than {most} events fit: a sheet cannot hold them. Ask for less, or for CSV."
            )));
        }
        if let Table::Csv(bytes) | Table::Lines(bytes) = &mut table {
            chunks.write(&std::mem::take(bytes)).await?;
        }
        let done = working.filter.to - page.looked_to;
        working.job.total = (working.filter.to - working.filter.from) as i64;
        working.progress(done, rows, chunks.bytes).await?;
        if page.complete {
            break;
        }
    }
    if let Table::Xlsx(mut book, _) = table {
        let bytes = book.save_to_buffer().map_err(|_| Stopped::Failed("The sheet could not be written.".into()))?;
        chunks.write(&bytes).await?;
    }
    Ok(rows)
}

/// The next stretch of the filter, newest first; moves `before` on.
pub async fn next(working: &Working<'_>, before: &mut Option<u64>) -> Result<Page, Stopped> {
    let mut db = working.console.read().await?;
    let page = working.filter.page(&mut db, *before, STRETCH).await?;
    *before = Some(page.looked_to);
    Ok(page)
}

impl Table {
    fn row(&mut self, cells: &[String], head: bool) -> Result<(), Stopped> {
        let broken = || Stopped::Failed("A row could not be written.".into());
        match self {
            Self::Lines(_) => Ok(()),
            Self::Csv(bytes) => {
                // RFC 4180: lines end in CR LF.
                let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(bytes);
                writer.write_record(cells).map_err(|_| broken())?;
                writer.flush().map_err(|_| broken())
            }
            Self::Xlsx(book, row) => {
                if head {
                    book.add_worksheet_with_constant_memory().map_err(|_| broken())?;
                }
                let sheet = book.worksheet_from_index(0).map_err(|_| broken())?;
                for (column, cell) in (0_u16..).zip(cells) {
                    // A cell takes at most 32,767 characters; no event has as many.
                    sheet.write_string(*row, column, cell).map_err(|_| broken())?;
                }
                *row += 1;
                Ok(())
            }
        }
    }
}

/// One JSON object per line; what is empty is left out.
fn line(lines: &mut Vec<u8>, cells: &[String; 22]) -> Result<(), Stopped> {
    let pairs = COLUMNS.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
    let object: serde_json::Map<String, serde_json::Value> =
        pairs.map(|(column, cell)| ((*column).to_owned(), cell.clone().into())).collect();
    serde_json::to_writer(&mut *lines, &object).map_err(|_| Stopped::Failed("A line could not be written.".into()))?;
    lines.push(b'\n');
    Ok(())
}

fn cells(told: &Told, called: &Called, working: &Working<'_>) -> [String; 22] {
    let Told { row, leaf, private } = told;
    let action = Action::from_code(&row.action);
    let subject = ["path", "login", "name", "slug"].iter().find_map(|name| private.get(*name).cloned());
    let said = ["reason", "comment", "what", "purpose"].iter().find_map(|name| private.get(*name).cloned());
    let private = |name: &str| private.get(name).cloned().unwrap_or_default();
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    let hash = app::audit::tree::leaf_hash(&row.leaf);
    [
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
        hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    ]
}
