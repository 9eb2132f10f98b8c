//! Events as people read them: who, what, about what.
use super::super::{Site, visitor::Names};
use crate::{
    audit::store::{self, Stored},
    db::Sql,
};
use app::{
    audit::{action::Action, page::Line},
    error::{Error, Refusal},
};
use chrono_tz::Tz;
use std::collections::HashMap;

/// Fields by which an event's subject is called, the best first.
const CALLED: [&str; 4] = ["path", "login", "name", "slug"];

pub async fn lines(
    site: &Site,
    db: &mut impl Sql,
    names: &mut Names,
    rows: &[Stored],
    zone: Tz,
) -> Result<Vec<Line>, Error> {
    let mut disclosed: HashMap<i64, HashMap<String, String>> = HashMap::new();
    for (seq, field, _, value) in store::told(db, rows.iter().map(Stored::numbered)).await? {
        disclosed.entry(seq).or_default().insert(field, value);
    }
    let mut lines = Vec::new();
    for row in rows {
        let told = disclosed.remove(&row.seq).unwrap_or_default();
        let about = CALLED.iter().find_map(|name| told.get(*name).cloned());
        lines.push(line(row, actor(site, db, names, row).await?, about.unwrap_or_default(), zone));
    }
    Ok(lines)
}

/// Whoever acted, by name.
pub async fn actor(site: &Site, db: &mut impl Sql, names: &mut Names, row: &Stored) -> Result<String, Error> {
    Ok(match (row.actor_kind.as_str(), &row.actor_id) {
        ("person", Some(id)) => names.person(db, site, id).await?,
        ("workload", Some(id)) => names.workload(db, site, id).await?,
        ("system", Some(job)) => format!("system, {job}"),
        (kind, _) => kind.to_owned(),
    })
}

fn line(row: &Stored, actor: String, about: String, zone: Tz) -> Line {
    let mut words = Action::from_code(&row.action).map_or(row.action.clone(), |action| action.words().into());
    if let Some(code) = &row.reason {
        words.push_str(" — ");
        words.push_str(&code.replace('_', " "));
    }
    Line {
        seq: row.seq as u64,
        at: row.at,
        shown: row.at.with_timezone(&zone).fixed_offset(),
        words,
        actor,
        about,
        outcome: match row.outcome.as_str() {
            "allowed" => "allowed",
            "refused" => "refused",
            _ => "failed",
        },
    }
}

/// The sentence of a refusal's code.
pub fn sentence(code: &str) -> String {
    let known = Refusal::ALL.iter().find(|refusal| refusal.code() == code).map(ToString::to_string);
    known.unwrap_or_else(|| code.replace('_', " "))
}
