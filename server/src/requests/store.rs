//! SQL of requests and decisions.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    column::Coded,
    db::{Result, Sql, Statement},
    jobs::store::except,
    sealed_table,
    table::{self, rows_of},
};
use app::{
    levels::model::seats_under,
    policies::model::{Class, Right, Role, Tier},
    requests::model::{Outcome, State, Terms, state},
    time::Moment,
};

sealed_table! {
    pub struct Request in "access_requests" {
        id: String,
        revision: i32,
        requester_id: String,
        workload_id: Option<String>,
        project_id: String,
        environment_id: String,
        tier: Coded<Tier>,
        class: Coded<Class>,
        access_right: Coded<Right>,
        /// Ids with a space between them, frozen at submission.
        secrets: String,
        minutes: i64,
        reason: String,
        policy: String,
        digest: String,
        form_id: String,
        submitted_at: Moment,
        expires_at: Moment,
        ended_at: Option<Moment>,
        outcome: Option<String>,
        grant_id: Option<String>,
        /// When access begins, if later than its approval.
        starts_at: Option<Moment>,
        /// What approvers read of the secrets.
        #[serde(skip_serializing_if = "Option::is_none")]
        shown: Option<String>,
    }
}

impl Request {
    pub fn tier(&self) -> Tier {
        *self.tier
    }

    pub fn class(&self) -> Class {
        *self.class
    }

    pub fn right(&self) -> Right {
        *self.access_right
    }

    pub fn secret_ids(&self) -> Vec<&str> {
        self.secrets.split(' ').collect()
    }

    pub fn seats(&self) -> &'static [Role] {
        seats_under(&self.policy, self.tier(), self.class())
    }

    /// The digest of what the row says now; a decision binds to it.
    pub fn compute_digest(&self) -> String {
        Terms {
            request: &self.id,
            revision: self.revision as u32,
            requester: &self.requester_id,
            beneficiary: self.workload_id.as_deref().unwrap_or(&self.requester_id),
            environment: &self.environment_id,
            tier: self.tier(),
            class: self.class(),
            right: self.right(),
            secrets: &self.secret_ids(),
            minutes: self.minutes as u64,
            reason: &self.reason,
            policy: &self.policy,
            starts_at: self.starts_at,
            shown: self.shown.as_deref(),
        }
        .digest()
    }

    /// The approvals of exactly these terms.
    pub fn standing<'a>(&self, decisions: &'a [Decision]) -> impl Iterator<Item = &'a Decision> {
        let digest = self.digest.clone();
        decisions.iter().filter(move |decision| {
            decision.verdict == APPROVED && decision.digest == digest && decision.voided_at.is_none()
        })
    }

    /// The state, with the approvals that count.
    pub fn state(&self, decisions: &[Decision], now: Moment) -> State {
        let taken = self.standing(decisions).count();
        state(self.outcome.as_deref().and_then(Outcome::from_code), self.expires_at, taken, self.seats().len(), now)
    }
}

pub const APPROVED: &str = "approved";
pub const DENIED: &str = "denied";
/// Came after the request had ended: kept, without effect.
pub const LATE: [&str; 2] = ["approved too late", "denied too late"];

sealed_table! {
    pub struct Decision in "decisions" {
        id: String,
        request_id: String,
        person_id: String,
        requester_id: String,
        verdict: String,
        seat: i32,
        comment: String,
        digest: String,
        decided_at: Moment,
        /// Whose seat it was, where they decided in another one's place.
        #[serde(skip_serializing_if = "Option::is_none")]
        on_behalf_of: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        voided_at: Option<Moment>,
    }
}

fn checked(rows: Vec<Request>, key: &SealKey) -> Vec<Request> {
    rows.into_iter().filter_map(|row| check(row, key)).collect()
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Request>> {
    let row = db.sql(rows_of::<Request>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The request, kept for this change: its row is the quorum's mutex.
pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Request>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The request that this form made already, if it was sent twice.
pub async fn find_by_form(db: &mut impl Sql, form: &str, key: &SealKey) -> Result<Option<Request>> {
    let row = db.sql(rows_of::<Request>(" WHERE form_id = $1")).bind(form.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Other people's requests that wait for an answer, in these projects or (`None`) in all: the first to expire first.
pub async fn open_in(
    db: &mut impl Sql,
    projects: Option<&[String]>,
    decider: &str,
    now: Moment,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Request>> {
    let mut statement = rows_of::<Request>("");
    statement.push(" WHERE ended_at IS NULL AND expires_at > ").placeholder();
    statement.push(" AND requester_id <> ").placeholder();
    if let Some(projects) = projects {
        statement.push(" AND project_id IN ").rows(1, projects.len().max(1));
    }
    statement.push(" ORDER BY expires_at, id LIMIT ").placeholder();
    let mut query = db.sql(statement).bind(now).bind(decider.to_owned());
    if let Some(projects) = projects {
        for project in projects {
            query = query.bind(project.clone());
        }
        if projects.is_empty() {
            query = query.bind(String::new());
        }
    }
    Ok(checked(query.bind(i64::from(limit)).all().await?, key))
}

/// Requests that were submitted in a window, the oldest first.
pub async fn submitted_between(
    db: &mut impl Sql,
    from: Moment,
    to: Moment,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Request>> {
    let rest = " WHERE submitted_at >= $1 AND submitted_at < $2 ORDER BY submitted_at, id LIMIT $3";
    Ok(checked(db.sql(rows_of::<Request>(rest)).bind(from).bind(to).bind(i64::from(limit)).all().await?, key))
}

/// Requests that ended in a window, the newest end first.
pub async fn ended_between(
    db: &mut impl Sql,
    from: Moment,
    to: Moment,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Request>> {
    let rest = " WHERE ended_at >= $1 AND ended_at < $2 ORDER BY ended_at DESC LIMIT $3";
    Ok(checked(db.sql(rows_of::<Request>(rest)).bind(from).bind(to).bind(i64::from(limit)).all().await?, key))
}

pub async fn open_of(db: &mut impl Sql, requester: &str, now: Moment, key: &SealKey) -> Result<Vec<Request>> {
    let rest = " WHERE requester_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY submitted_at DESC";
    Ok(checked(db.sql(rows_of::<Request>(rest)).bind(requester.to_owned()).bind(now).all().await?, key))
}

pub async fn history_of(db: &mut impl Sql, requester: &str, limit: u32, key: &SealKey) -> Result<Vec<Request>> {
    let rest = " WHERE requester_id = $1 ORDER BY submitted_at DESC, id DESC LIMIT $2";
    Ok(checked(db.sql(rows_of::<Request>(rest)).bind(requester.to_owned()).bind(i64::from(limit)).all().await?, key))
}

/// A page of somebody's requests, the newest first, from before an id on.
pub async fn page_of(
    db: &mut impl Sql,
    requester: &str,
    before: Option<&str>,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Request>> {
    let mut statement = rows_of::<Request>("");
    statement.push(" WHERE requester_id = ").placeholder();
    if before.is_some() {
        statement.push(" AND id < ").placeholder();
    }
    statement.push(" ORDER BY id DESC LIMIT ").placeholder();
    let mut query = db.sql(statement).bind(requester.to_owned());
    if let Some(before) = before {
        query = query.bind(before.to_owned());
    }
    Ok(checked(query.bind(i64::from(limit)).all().await?, key))
}

/// The newest requests for one secret.
pub async fn for_secret(db: &mut impl Sql, secret: &str, limit: u32, key: &SealKey) -> Result<Vec<Request>> {
    let rest = " WHERE id IN (SELECT request_id FROM request_secrets WHERE secret_id = $1) ORDER BY submitted_at DESC LIMIT $2";
    Ok(checked(db.sql(rows_of::<Request>(rest)).bind(secret.to_owned()).bind(i64::from(limit)).all().await?, key))
}

/// Requests whose time is over and whose end was not recorded yet.
pub async fn overdue(db: &mut impl Sql, now: Moment, limit: u32) -> Result<Vec<String>> {
    let mut due = Statement::from("SELECT id FROM access_requests WHERE ended_at IS NULL AND expires_at <= $1");
    except(&mut due, super::EXPIRE, "access_requests.id");
    due.push(" ORDER BY expires_at LIMIT $2");
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub async fn insert(tx: &mut impl Sql, request: &Request) -> Result<u64> {
    let written = table::insert_new(tx, request).await?;
    if written == 0 {
        return Ok(0);
    }
    insert_secrets(tx, request).await?;
    Ok(written)
}

async fn insert_secrets(tx: &mut impl Sql, request: &Request) -> Result<()> {
    for secret in request.secret_ids() {
        tx.sql("INSERT INTO request_secrets (request_id, secret_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(request.id.clone())
            .bind(secret.to_owned())
            .execute()
            .await?;
    }
    Ok(())
}

/// Writes narrower terms.
pub async fn save_terms(tx: &mut impl Sql, request: &Request) -> Result<()> {
    table::save(tx, request).await?;
    tx.sql("DELETE FROM request_secrets WHERE request_id = $1").bind(request.id.clone()).execute().await?;
    insert_secrets(tx, request).await
}

pub async fn save_end(tx: &mut impl Sql, request: &Request) -> Result<u64> {
    table::save(tx, request).await
}

pub async fn decisions(db: &mut impl Sql, request: &str, key: &SealKey) -> Result<Vec<Decision>> {
    let rows: Vec<Decision> = db
        .sql(rows_of::<Decision>(" WHERE request_id = $1 ORDER BY decided_at, id"))
        .bind(request.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// The signatures of this person, or in their place, that count on requests which still wait.
pub async fn signatures_of(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<Decision>> {
    let rest = " WHERE (person_id = $1 OR on_behalf_of = $1) AND verdict = 'approved' AND voided_at IS NULL AND EXISTS \
                (SELECT 1 FROM access_requests r WHERE r.id = decisions.request_id AND r.digest = decisions.digest \
                AND r.ended_at IS NULL AND r.expires_at > $2) ORDER BY id";
    let rows: Vec<Decision> = db.sql(rows_of::<Decision>(rest)).bind(person.to_owned()).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn void_decision(tx: &mut impl Sql, decision: &Decision) -> Result<u64> {
    tx.sql("UPDATE decisions SET voided_at = $1 WHERE id = $2 AND voided_at IS NULL")
        .bind(decision.voided_at)
        .bind(decision.id.clone())
        .execute()
        .await
}

/// When `person` last decided on a request of `requester`.
pub async fn last_decision_between(db: &mut impl Sql, person: &str, requester: &str) -> Result<Option<Moment>> {
    let row: Option<(Moment,)> = db
        .sql(
            "SELECT decided_at FROM decisions WHERE (person_id = $1 OR on_behalf_of = $1) AND requester_id = $2 AND verdict IN ('approved', \
             'denied') ORDER BY decided_at DESC LIMIT 1",
        )
        .bind(person.to_owned())
        .bind(requester.to_owned())
        .optional()
        .await?;
    Ok(row.map(|(at,)| at))
}

pub async fn insert_decision(tx: &mut impl Sql, decision: &Decision) -> Result<u64> {
    table::insert(tx, decision).await
}
