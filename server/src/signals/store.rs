//! SQL of signals, of what their detectors remember, and of answers.
use crate::{
    audit::ledger::Housekeeping,
    db::{Result, Sql, Statement},
};
use app::{
    signals::{
        model::{Answer, Detector, Evidence, Found, Key, State},
        rules::{Cell, Place, Room},
    },
    time::Moment,
};
use std::collections::{BTreeMap, BTreeSet};

/// Places that one statement asks for.
const AT_ONCE: usize = 200;

#[derive(sqlx::FromRow)]
struct Kept {
    room: String,
    name: String,
    body: String,
    due: Option<Moment>,
}

impl Kept {
    fn cell(self) -> Option<(Place, Cell)> {
        Some(((Room::from_code(&self.room)?, self.name), Cell { body: Some(self.body), due: self.due }))
    }
}

/// What is remembered of some places.
pub async fn remembered(db: &mut impl Sql, places: &BTreeSet<Place>) -> Result<BTreeMap<Place, Cell>> {
    let mut found = BTreeMap::new();
    let places: Vec<&Place> = places.iter().collect();
    for places in places.chunks(AT_ONCE) {
        let mut statement =
            Statement::from("SELECT room, name, body, due FROM signal_memory WHERE (room, name) IN (VALUES ");
        statement.rows(places.len(), 2).push(")");
        let mut asked = db.sql(statement);
        for (room, name) in places {
            asked = asked.bind(room.code()).bind(name.clone());
        }
        found.extend(asked.all::<Kept>().await?.into_iter().filter_map(Kept::cell));
    }
    Ok(found)
}

/// All that has to be looked at by then.
pub async fn due(db: &mut impl Sql, now: Moment) -> Result<Vec<(Place, Cell)>> {
    let rows: Vec<Kept> = db
        .sql("SELECT room, name, body, due FROM signal_memory WHERE due IS NOT NULL AND due <= $1")
        .bind(now)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(Kept::cell).collect())
}

pub async fn remember(tx: &mut Housekeeping, (room, name): &Place, body: &str, due: Option<Moment>) -> Result<u64> {
    tx.sql(
        "INSERT INTO signal_memory (room, name, body, due) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (room, name) DO UPDATE SET body = excluded.body, due = excluded.due",
    )
    .bind(room.code())
    .bind(name.clone())
    .bind(body.to_owned())
    .bind(due)
    .execute()
    .await
}

pub async fn forget(tx: &mut Housekeeping, (room, name): &Place) -> Result<u64> {
    tx.sql("DELETE FROM signal_memory WHERE room = $1 AND name = $2")
        .bind(room.code())
        .bind(name.clone())
        .execute()
        .await
}

/// Keeps what was found; once.
pub async fn raise(tx: &mut Housekeeping, found: &Found) -> Result<u64> {
    let events: Vec<String> = found.events.iter().map(ToString::to_string).collect();
    tx.sql(
        "INSERT INTO signals (detector, seq, at, actor_id, project_id, environment_id, secret_id, request_id, grant_id, \
         evidence, events) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
    )
    .bind(found.key.detector.code())
    .bind(found.key.seq as i64)
    .bind(found.at)
    .bind(found.actor.clone())
    .bind(found.project.clone())
    .bind(found.environment.clone())
    .bind(found.secret.clone())
    .bind(found.request.clone())
    .bind(found.grant.clone())
    .bind(serde_json::to_string(&found.evidence).unwrap_or_default())
    .bind(events.join(" "))
    .execute()
    .await
}

/// How many a detector found since then about nobody known.
pub async fn nameless_since(db: &mut impl Sql, detector: Detector, since: Moment) -> Result<i64> {
    let (count,): (i64,) = db
        .sql("SELECT COUNT(*) FROM signals WHERE at >= $1 AND detector = $2 AND actor_id IS NULL")
        .bind(since)
        .bind(detector.code())
        .one()
        .await?;
    Ok(count)
}

/// Forgets all that is computed, so that it is computed again from the trail's beginning. The cursor is locked.
pub async fn clear(tx: &mut Housekeeping) -> Result<u64> {
    tx.sql("DELETE FROM signal_memory").execute().await?;
    tx.sql("DELETE FROM signals").execute().await
}

/// A signal with its last answer.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Signal {
    pub detector: String,
    pub seq: i64,
    pub at: Moment,
    pub actor_id: Option<String>,
    pub project_id: Option<String>,
    pub environment_id: Option<String>,
    pub secret_id: Option<String>,
    pub request_id: Option<String>,
    pub grant_id: Option<String>,
    pub evidence: String,
    pub events: String,
    pub n: Option<i32>,
    pub answer: Option<String>,
    pub assignee_id: Option<String>,
    pub until_at: Option<Moment>,
}

impl Signal {
    pub fn key(&self) -> Option<Key> {
        Key::parse(&format!("{}-{}", self.detector, self.seq))
    }

    pub fn evidence(&self) -> Option<Evidence> {
        serde_json::from_str(&self.evidence).ok()
    }

    /// Is it about this person: alone, or with somebody?
    pub fn is_about(&self, person: &str) -> bool {
        self.actor_id.as_deref() == Some(person)
            || self.evidence().is_some_and(|evidence| evidence.other() == Some(person))
    }

    pub fn events(&self) -> Vec<u64> {
        self.events.split(' ').filter_map(|seq| seq.parse().ok()).collect()
    }

    pub fn state(&self, now: Moment) -> State {
        let last = self.answer.as_deref().and_then(Answer::from_code);
        State::of(last.map(|answer| (answer, self.until_at)), now)
    }
}

const SIGNALS: &str = "SELECT s.detector, s.seq, s.at, s.actor_id, s.project_id, s.environment_id, s.secret_id, \
     s.request_id, s.grant_id, s.evidence, s.events, a.n, a.answer, a.assignee_id, a.until_at FROM signals s \
     LEFT JOIN signal_answers a ON a.detector = s.detector AND a.seq = s.seq AND a.n = (SELECT MAX(l.n) \
     FROM signal_answers l WHERE l.detector = s.detector AND l.seq = s.seq) WHERE ";

pub async fn find(db: &mut impl Sql, key: Key) -> Result<Option<Signal>> {
    let mut statement = Statement::from(SIGNALS);
    statement.push("s.detector = ").placeholder().push(" AND s.seq = ").placeholder();
    db.sql(statement).bind(key.detector.code()).bind(key.seq as i64).optional().await
}

/// Which signals are listed.
#[derive(Clone, Debug, Default)]
pub struct Narrow<'a> {
    pub state: Option<State>,
    pub detector: Option<&'a str>,
    pub assignee: Option<&'a str>,
    pub projects: &'a [String],
    /// Older than this one, in the order of the list.
    pub before: Option<(Moment, Key)>,
}

/// Newest first.
pub async fn list(db: &mut impl Sql, narrow: &Narrow<'_>, now: Moment, limit: u32) -> Result<Vec<Signal>> {
    let mut statement = Statement::from(SIGNALS);
    match narrow.state {
        None => statement.push("1 = 1"),
        Some(State::Open) => statement
            .push("(a.n IS NULL OR a.answer IN ('assigned', 'reopened') OR (a.answer = 'snoozed' AND a.until_at <= "),
        Some(State::Snoozed) => statement.push("(a.answer = 'snoozed' AND a.until_at > "),
        Some(State::Closed) => statement.push("a.answer = 'closed'"),
        Some(State::NotUseful) => statement.push("a.answer = 'not_useful'"),
    };
    let timed = matches!(narrow.state, Some(State::Open | State::Snoozed));
    if timed {
        statement.placeholder().push(if narrow.state == Some(State::Open) { "))" } else { ")" });
    }
    if narrow.detector.is_some() {
        statement.push(" AND s.detector = ").placeholder();
    }
    if narrow.assignee.is_some() {
        statement.push(" AND a.assignee_id = ").placeholder();
    }
    if !narrow.projects.is_empty() {
        statement.push(" AND s.project_id IN ").rows(1, narrow.projects.len());
    }
    if narrow.before.is_some() {
        statement.push(" AND (s.at, s.seq, s.detector) < ").rows(1, 3);
    }
    statement.push(" ORDER BY s.at DESC, s.seq DESC, s.detector DESC LIMIT ").placeholder();
    let mut asked = db.sql(statement);
    if timed {
        asked = asked.bind(now);
    }
    if let Some(detector) = narrow.detector {
        asked = asked.bind(detector.to_owned());
    }
    if let Some(person) = narrow.assignee {
        asked = asked.bind(person.to_owned());
    }
    for project in narrow.projects {
        asked = asked.bind(project.clone());
    }
    if let Some((at, key)) = &narrow.before {
        asked = asked.bind(*at).bind(key.seq as i64).bind(key.detector.code());
    }
    asked.bind(i64::from(limit)).all().await
}

/// How many each detector found since, and how many of them were called not useful; of some projects, or of all.
pub async fn tally(db: &mut impl Sql, since: Moment, projects: &[String]) -> Result<Vec<(String, i64, i64)>> {
    let mut statement = Statement::from(
        "SELECT s.detector, COUNT(*), COUNT(a.n) FROM signals s LEFT JOIN signal_answers a ON a.detector = s.detector \
         AND a.seq = s.seq AND a.answer = 'not_useful' AND a.n = (SELECT MAX(l.n) FROM signal_answers l \
         WHERE l.detector = s.detector AND l.seq = s.seq) WHERE s.at >= ",
    );
    statement.placeholder();
    if !projects.is_empty() {
        statement.push(" AND s.project_id IN ").rows(1, projects.len());
    }
    statement.push(" GROUP BY s.detector");
    let mut asked = db.sql(statement).bind(since);
    for project in projects {
        asked = asked.bind(project.clone());
    }
    asked.all().await
}

/// What somebody answered.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Answered {
    pub n: i32,
    pub answer: String,
    pub by_id: String,
    pub answered_at: Moment,
    pub assignee_id: Option<String>,
    pub until_at: Option<Moment>,
    pub reason: String,
}

/// The answers to one signal, oldest first.
pub async fn answers(db: &mut impl Sql, key: Key) -> Result<Vec<Answered>> {
    db.sql(
        "SELECT n, answer, by_id, answered_at, assignee_id, until_at, reason FROM signal_answers \
         WHERE detector = $1 AND seq = $2 ORDER BY n",
    )
    .bind(key.detector.code())
    .bind(key.seq as i64)
    .all()
    .await
}

/// Adds an answer; 0 where somebody else's came first.
pub async fn insert_answer(tx: &mut impl Sql, key: Key, answer: &Answered) -> Result<u64> {
    tx.sql(
        "INSERT INTO signal_answers (detector, seq, n, answer, by_id, answered_at, assignee_id, until_at, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(key.detector.code())
    .bind(key.seq as i64)
    .bind(answer.n)
    .bind(answer.answer.clone())
    .bind(answer.by_id.clone())
    .bind(answer.answered_at)
    .bind(answer.assignee_id.clone())
    .bind(answer.until_at)
    .bind(answer.reason.clone())
    .execute()
    .await
}
