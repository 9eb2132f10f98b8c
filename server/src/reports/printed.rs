//! A report as a document for people: what was asked, in figures, and the rows.
use super::{
    pdf::{self, Block, Document},
    work::{Stopped, Working},
};
use crate::people;
use app::{
    audit::tree::hex,
    reports::model::Kind,
    time::{about, long, mean, parse_rfc3339, rank, rfc3339},
};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// Bars of one chart; the rest is one more.
const BARS: usize = 12;

/// Makes the file: what was asked comes first.
pub async fn print(working: &Working<'_>, body: Vec<Block>) -> Result<Vec<u8>, Stopped> {
    let kind = working.job.kind().unwrap_or(Kind::Events);
    let console = working.console;
    let made_at = console.now();
    let mut blocks = cover(working, kind).await?;
    blocks.extend(body);
    let foot = format!("{} · {} · made {}", console.organisation, kind.words(), long(made_at));
    let document = Document { title: kind.words().into(), foot, made_at, blocks };
    let written = tokio::task::spawn_blocking(move || pdf::write(&document)).await;
    let failed = |why: String| {
        tracing::error!(why, "a PDF could not be written");
        Stopped::Failed("The PDF could not be written. Ask for CSV.".into())
    };
    written.map_err(|why| failed(why.to_string()))?.map_err(|why| failed(why.to_string()))
}

async fn cover(working: &Working<'_>, kind: Kind) -> Result<Vec<Block>, Stopped> {
    let (console, job) = (working.console, &working.job);
    let built = console.builder.build().await?;
    let head = console.builder.verifier().open(&built.note);
    let head = head.map_err(|_| Stopped::Failed("The trail's head is not signed by this log's key.".into()))?;
    let mut db = console.read().await?;
    let owner = people::store::find(&mut db, &job.owner_id, console.seal_key()).await?;
    drop(db);
    let owner = owner.filter(|_| !job.redacted).map_or(job.owner_id.clone(), |person| person.name);
    let query = working.said_query();
    let scope = working.reading.projects();
    let fact = |word: &str, what: String| (word.to_owned(), what);
    let facts = vec![
        fact("Organisation", console.organisation.clone()),
        fact("Asked for", if query.is_empty() { "everything".into() } else { query }),
        fact("By", owner),
        fact("At", rfc3339(job.created_at)),
        fact("Time zone", job.zone.clone()),
        fact("Made of", format!("events below {}", job.as_of)),
        fact(
            "Completeness",
            match scope.as_slice() {
                [] => "All that fits, of the whole trail.".into(),
                some => format!("All that fits, of what whoever asked may read: {}.", some.join(", ")),
            },
        ),
        fact("Sensitive fields", if job.redacted { "withheld" } else { "disclosed" }.into()),
        fact("Log", console.builder.verifier().to_string()),
        fact("Tree when made", format!("{} events, root {}", head.size, hex(&head.root))),
        fact("Supports", kind.supports().into()),
        fact("Made by", concat!("Countersign ", env!("CARGO_PKG_VERSION")).into()),
    ];
    Ok(vec![
        Block::Heading(2, "What was asked".into()),
        Block::Facts(facts),
        Block::Text(
            "This is evidence for the controls that it names; it does not say that they are met. The signed manifest beside \
             this file holds its SHA-256: whoever has the log’s key can tell whether it was changed."
                .into(),
        ),
    ])
}

/// A table's rows, and before them what they come to.
pub fn table(working: &Working<'_>, columns: &[&'static str], rows: Vec<Vec<String>>) -> Vec<Block> {
    let kind = working.job.kind().unwrap_or(Kind::Events);
    let mut blocks = vec![Block::Heading(2, "In figures".into())];
    blocks.push(Block::Text(match rows.len() {
        0 => "Nothing fits.".into(),
        1 => "1 row.".into(),
        more => format!("{more} rows."),
    }));
    blocks.extend(figures(kind, columns, &rows));
    if rows.is_empty() {
        return blocks;
    }
    let zone = working.zone;
    // Where there is no name, its id stands in its place.
    let instead = |column: usize| match columns[column] {
        "actor" => columns.iter().position(|known| *known == "actor_id"),
        "subject" => columns.iter().position(|known| *known == "secret_id"),
        _ => None,
    };
    let read = |row: &[String], column: usize| {
        let cell = row.get(column).filter(|cell| !cell.is_empty());
        let cell = cell.or_else(|| row.get(instead(column)?)).cloned().unwrap_or_default();
        match parse_rfc3339(&cell) {
            Some(at) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
            None => cell,
        }
    };
    let said = |column: usize| rows.iter().any(|row| !read(row, column).is_empty());
    let shown: Vec<usize> =
        (0..columns.len()).filter(|column| is_printed(kind, columns[*column]) && said(*column)).collect();
    let pick = |row: &[String]| shown.iter().map(|column| read(row, *column)).collect();
    blocks.push(Block::Page);
    blocks.push(Block::Heading(2, "Rows".into()));
    blocks.push(Block::Text(format!(
        "Times are of {zone}, to the minute. Columns that are empty in every row, ids of what is named, and what only \
         machines read are left out; they stand in the other formats."
    )));
    blocks.push(Block::Table {
        title: kind.words().into(),
        columns: shown.iter().map(|column| columns[*column].replace('_', " ").replace(" utc", "")).collect(),
        rows: rows.iter().map(|row| pick(row)).collect(),
    });
    blocks
}

/// Ids of what has a name beside it, and what machines read, stand in the other formats.
fn is_printed(kind: Kind, column: &str) -> bool {
    match kind {
        Kind::Events | Kind::Failed => [
            "event",
            "time_utc",
            "actor",
            "words",
            "outcome",
            "reason",
            "project",
            "environment",
            "subject",
            "said",
            "repeats",
        ]
        .contains(&column),
        _ => !column.ends_with("_id"),
    }
}

fn figures(kind: Kind, columns: &[&'static str], rows: &[Vec<String>]) -> Vec<Block> {
    let of = |column: &str| columns.iter().position(|known| *known == column);
    let repeats = of("repeats");
    let counted = |title: &str, column: &str| -> Option<Block> {
        let column = of(column)?;
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for row in rows {
            let value = row.get(column).map_or("", String::as_str);
            // What was only counted when it was repeated is as many.
            let times = repeats.and_then(|column| row.get(column)?.parse().ok()).unwrap_or(1);
            *counts.entry(if value.is_empty() { "none" } else { value }).or_default() += times;
        }
        let mut bars: Vec<(String, u64)> = counts.into_iter().map(|(label, count)| (label.to_owned(), count)).collect();
        bars.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        if bars.len() > BARS {
            let rest = bars.split_off(BARS - 1).iter().map(|(_, count)| count).sum();
            bars.push(("all others".into(), rest));
        }
        Some(Block::Bars { title: title.into(), bars })
    };
    let named = |column: &str| {
        of(column).is_some_and(|at| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty())))
    };
    let blocks = match kind {
        Kind::Access => vec![counted("Rows by level", "level"), counted("Rows by route", "route")],
        Kind::Knowledge => {
            vec![counted("Values known, by level", "level"), counted("Values known, by person", "person")]
        }
        Kind::Requests => vec![
            counted("Requests by outcome", "outcome"),
            of("lead_minutes").map(|column| spread("Lead time of those approved", times(rows, column, None))),
        ],
        Kind::Rotations => {
            let mut blocks = vec![counted("Cases by outcome", "outcome"), counted("Cases by trigger", "trigger")];
            if let (Some(trigger), Some(took)) = (of("trigger"), of("minutes_to_rotate")) {
                let mut triggers: Vec<&String> = rows.iter().filter_map(|row| row.get(trigger)).collect();
                triggers.sort_unstable();
                triggers.dedup();
                for of_trigger in triggers {
                    let of_these = times(rows, took, Some((trigger, of_trigger)));
                    blocks.push(Some(spread(&format!("Time to rotate of proved cases, {of_trigger}"), of_these)));
                }
            }
            blocks
        }
        Kind::Dormant => vec![counted("Grants by project", "project"), counted("Grants by holder", "holder_kind")],
        Kind::Failed => vec![
            counted("Attempts by reason", "reason"),
            counted("Attempts by actor", if named("actor") { "actor" } else { "actor_id" }),
        ],
        Kind::Events => vec![counted("Events by what happened", "words"), counted("Events by outcome", "outcome")],
        Kind::Evidence | Kind::Sample | Kind::Verification => vec![],
    };
    blocks.into_iter().flatten().collect()
}

/// The times in a column of minutes, of all rows or of those with a value in another; and of how many rows.
fn times(rows: &[Vec<String>], column: usize, only: Option<(usize, &String)>) -> (Vec<TimeDelta>, usize) {
    let rows: Vec<_> = rows.iter().filter(|row| only.is_none_or(|(of, value)| row.get(of) == Some(value))).collect();
    let mut times: Vec<_> =
        rows.iter().filter_map(|row| row.get(column)?.parse().ok().map(TimeDelta::minutes)).collect();
    times.sort_unstable();
    (times, rows.len())
}

/// Mean and spread of some times, over how many of how many; what is unknown is said to be.
fn spread(what: &str, (times, of): (Vec<TimeDelta>, usize)) -> Block {
    let words = |time: Option<TimeDelta>| time.map_or("unknown".into(), about);
    Block::Text(format!(
        "{what}: mean {}, median {}, nine in ten within {}, longest {}; over {} of {of}.",
        words(mean(&times)),
        words(rank(&times, 50)),
        words(rank(&times, 90)),
        words(times.last().copied()),
        times.len(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_rows() {
        let row = |trigger: &str, minutes: &str| vec!["x".to_owned(), trigger.to_owned(), minutes.to_owned()];
        let rows = vec![row("leak", "30"), row("leak", "90"), row("leak", ""), row("schedule", "600")];
        let columns = ["outcome", "trigger", "minutes_to_rotate"];
        let told: Vec<String> = figures(Kind::Rotations, &columns, &rows)
            .into_iter()
            .map(|block| match block {
                Block::Text(text) => text,
                Block::Bars { title, bars } => format!("{title}: {bars:?}"),
                _ => String::new(),
            })
            .collect();
        assert_eq!(told[1], "Cases by trigger: [(\"leak\", 3), (\"schedule\", 1)]");
        assert!(told[2].starts_with("Time to rotate of proved cases, leak: mean 1 h"), "{}", told[2]);
        assert!(told[2].ends_with("over 2 of 3."), "{}", told[2]);
        let Block::Text(nothing) = spread("Lead time", (vec![], 2)) else { panic!() };
        assert!(nothing.contains("mean unknown") && nothing.ends_with("over 0 of 2."), "{nothing}");
    }
}
