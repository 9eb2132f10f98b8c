//! SQL of the search: terms, postings, and the page of events that a filter lets through.
use super::{Condition, Driver, Filter, Place};
use crate::{
    audit::{ledger::Housekeeping, store::Stored},
    db::{Result, Sql, Statement},
};

/// How many values one statement carries: few shapes, so that each stays prepared.
const CHUNKS: [usize; 3] = [128, 16, 1];

fn chunks<T>(values: &[T]) -> Vec<&[T]> {
    let (mut rest, mut parts) = (values, Vec::new());
    while !rest.is_empty() {
        let size = CHUNKS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (part, left) = rest.split_at(size);
        parts.push(part);
        rest = left;
    }
    parts
}

/// The numbers of terms that are known.
pub async fn numbers(db: &mut impl Sql, terms: &[String]) -> Result<Vec<(String, i64)>> {
    let mut found = Vec::new();
    for part in chunks(terms) {
        let mut statement = Statement::from("SELECT term, id FROM search_terms WHERE term IN ");
        statement.rows(1, part.len());
        let query = part.iter().fold(db.sql(statement), |query, term| query.bind(term.clone()));
        found.extend(query.all::<(String, i64)>().await?);
    }
    Ok(found)
}

/// Terms that begin with a text, in their order.
pub async fn beginning(db: &mut impl Sql, prefix: &str, limit: u32) -> Result<Vec<(String, i64)>> {
    // Every term that begins with it lies before it with the last code point behind.
    db.sql("SELECT term, id FROM search_terms WHERE term >= $1 AND term < $2 ORDER BY term LIMIT $3")
        .bind(prefix.to_owned())
        .bind(format!("{prefix}\u{10ffff}"))
        .bind(i64::from(limit))
        .all()
        .await
}

/// Gives numbers to new terms, behind the highest. The projection's cursor is locked.
pub async fn insert_terms(tx: &mut Housekeeping, terms: &[String]) -> Result<Vec<(String, i64)>> {
    let (highest,): (i64,) = tx.sql("SELECT COALESCE(MAX(id), 0) FROM search_terms").one().await?;
    let numbered: Vec<(String, i64)> = terms.iter().cloned().zip(highest + 1..).collect();
    for part in chunks(&numbered) {
        let mut statement = Statement::from("INSERT INTO search_terms (term, id) VALUES ");
        statement.rows(part.len(), 2);
        let query = part.iter().fold(tx.sql(statement), |query, (term, id)| query.bind(term.clone()).bind(*id));
        query.execute().await?;
    }
    Ok(numbered)
}

pub async fn insert_postings(tx: &mut Housekeeping, postings: &[(i64, i64)]) -> Result<()> {
    for part in chunks(postings) {
        let mut statement = Statement::from("INSERT INTO search_postings (term_id, seq) VALUES ");
        statement.rows(part.len(), 2).push(" ON CONFLICT DO NOTHING");
        let query = part.iter().fold(tx.sql(statement), |query, (term, seq)| query.bind(*term).bind(*seq));
        query.execute().await?;
    }
    Ok(())
}

impl Place {
    fn column(self) -> &'static str {
        match self {
            Self::Action => "e.action",
            Self::Actor => "e.actor_id",
            Self::ActorKind => "e.actor_kind",
            Self::Outcome => "e.outcome",
            Self::Reason => "e.reason",
            Self::Project => "e.project_id",
            Self::Environment => "e.environment_id",
            Self::Secret => "e.secret_id",
            Self::Request => "e.request_id",
            Self::Grant => "e.grant_id",
        }
    }
}

/// What is bound, in the order of the placeholders.
enum Value {
    Text(String),
    Number(i64),
}

#[derive(Default)]
struct Building {
    statement: Statement,
    values: Vec<Value>,
}

impl Building {
    fn push(&mut self, text: &'static str) -> &mut Self {
        self.statement.push(text);
        self
    }

    fn number(&mut self, value: i64) -> &mut Self {
        self.statement.placeholder();
        self.values.push(Value::Number(value));
        self
    }

    fn list(&mut self, values: impl ExactSizeIterator<Item = Value>) -> &mut Self {
        self.statement.rows(1, values.len());
        self.values.extend(values);
        self
    }

    /// A condition that no index is chosen for: the driver is the one that is read in order. NULL is no value.
    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Nothing => {
                self.push("1 = 0");
            }
            Condition::Text(place, values) => {
                self.push("COALESCE(").push(place.column()).push(", '') IN ");
                self.list(values.iter().cloned().map(Value::Text));
            }
            Condition::Terms(ids) => {
                self.push("EXISTS (SELECT 1 FROM search_postings p WHERE p.seq = e.seq AND p.term_id IN ");
                self.list(ids.iter().copied().map(Value::Number)).push(")");
            }
            Condition::Between(from, to) => {
                self.push("(e.seq >= ").number(*from as i64).push(" AND e.seq < ").number(*to as i64).push(")");
            }
        }
    }

    fn filter(&mut self, filter: &Filter) {
        for group in &filter.groups {
            self.push(if group.negated { " AND NOT (" } else { " AND (" });
            for (place, all) in group.any.iter().enumerate() {
                self.push(if place > 0 { " OR (" } else { "(" });
                for (place, condition) in all.iter().enumerate() {
                    self.push(if place > 0 { " AND " } else { "" });
                    self.condition(condition);
                }
                self.push(")");
            }
            self.push(")");
        }
    }

    async fn all<T: crate::db::Row>(self, db: &mut impl Sql) -> Result<Vec<T>> {
        let query = db.sql(self.statement);
        let query = self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        });
        query.all().await
    }
}

/// The place of the `count`-th entry of the driver below `before`, or `from` where there are fewer.
pub async fn floor(db: &mut impl Sql, driver: &Driver, from: u64, before: u64, count: u64) -> Result<u64> {
    let mut lists: Vec<Building> = Vec::new();
    match driver {
        Driver::Everything => return Ok(from.max(before.saturating_sub(count))),
        Driver::Column(place, values) => {
            for value in values {
                let mut list = Building::default();
                list.push("SELECT e.seq FROM audit_events e WHERE ").push(place.column()).push(" = ");
                list.statement.placeholder();
                list.values.push(Value::Text(value.clone()));
                lists.push(list);
            }
        }
        Driver::Terms(ids) => {
            for id in ids {
                let mut list = Building::default();
                list.push("SELECT e.seq FROM search_postings e WHERE e.term_id = ").number(*id);
                lists.push(list);
            }
        }
    }
    let each = (count / lists.len().max(1) as u64).max(1);
    let mut floor = from;
    for mut list in lists {
        list.push(" AND e.seq >= ").number(from as i64).push(" AND e.seq < ").number(before as i64);
        list.push(" ORDER BY e.seq DESC LIMIT 1 OFFSET ").number(each as i64 - 1);
        let found: Vec<(i64,)> = list.all(db).await?;
        floor = floor.max(found.first().map_or(from, |(seq,)| *seq as u64));
    }
    Ok(floor)
}

/// Events of a filter in `from..before`, newest first, read along the driver.
pub async fn select(
    db: &mut impl Sql,
    filter: &Filter,
    driver: &Driver,
    from: u64,
    before: u64,
    limit: u64,
) -> Result<Vec<Stored>> {
    let mut built = Building::default();
    built.push(
        "SELECT e.seq, e.leaf, e.at, e.action, e.outcome, e.reason, e.actor_kind, e.actor_id, e.project_id, \
         e.environment_id, e.secret_id, e.request_id, e.grant_id FROM ",
    );
    // SQLite reads the tables of a CROSS JOIN in the order in which they stand.
    let order = match driver {
        Driver::Everything => {
            built.push("audit_events e WHERE 1 = 1");
            "e.seq"
        }
        Driver::Column(place, values) => {
            built.push("audit_events e WHERE ").push(place.column()).push(" IN ");
            built.list(values.iter().cloned().map(Value::Text));
            // With several values the order comes from a sort of what lies above the floor, never from a walk of all events.
            if values.len() == 1 { "e.seq" } else { "e.seq + 0" }
        }
        Driver::Terms(ids) => {
            let one = ids.len() == 1;
            built.push(if one {
                "search_postings d CROSS JOIN audit_events e WHERE e.seq = d.seq AND d.term_id IN "
            } else {
                // Several of them may stand in one event, which is found once.
                "audit_events e WHERE e.seq IN (SELECT d.seq FROM search_postings d WHERE d.term_id IN "
            });
            built.list(ids.iter().copied().map(Value::Number));
            built.push(" AND d.seq >= ").number(from as i64).push(" AND d.seq < ").number(before as i64);
            built.push(if one { "" } else { ")" });
            if one { "d.seq" } else { "e.seq + 0" }
        }
    };
    built.push(" AND e.seq >= ").number(from as i64).push(" AND e.seq < ").number(before as i64);
    built.filter(filter);
    built.push(" ORDER BY ").push(order).push(" DESC LIMIT ").number(limit as i64);
    built.all(db).await
}
