//! SQL of long jobs and their sealed results.
use crate::{
    audit::row_seal::SealKey,
    db::{Result, Sql, Statement},
    jobs::store::except,
    keys::mac,
};
use app::{
    reports::model::{Facts, Format, Kind, State, state},
    time::Moment,
};
use subtle::ConstantTimeEq;

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Job {
    pub id: String,
    pub owner_id: String,
    pub kind: String,
    pub format: String,
    pub query: String,
    pub zone: String,
    pub redacted: bool,
    pub scope: String,
    pub attempts: i32,
    pub raw: bool,
    pub as_of: i64,
    pub created_at: Moment,
    pub started_at: Option<Moment>,
    pub cancelled_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub failure: Option<String>,
    pub done: i64,
    pub total: i64,
    pub rows_written: i64,
    pub bytes_written: i64,
    pub digest: Option<String>,
    pub expires_at: Moment,
    /// What a verification came to.
    pub whole: Option<bool>,
    /// Of a sample: how many are drawn, the auditor's nonce, and the root that was signed before it was known, in hex.
    pub sample: i32,
    pub nonce: String,
    pub root: String,
    /// Seals what was asked for, and by whom: whoever owns the database hands nobody another one's report.
    pub terms_mac: Vec<u8>,
}

impl Job {
    /// The seal of what was asked for, and of what it came to.
    pub fn terms(&self, key: &SealKey) -> [u8; 32] {
        let (flags, numbers) = ([u8::from(self.redacted), u8::from(self.raw)], [self.as_of, self.sample.into()]);
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        let times = [self.created_at, self.expires_at].map(app::time::rfc3339).join(" ");
        let came_to = format!("{:?} {:?}", self.whole, self.digest);
        let texts = [&self.id, &self.owner_id, &self.kind, &self.format, &self.query, &self.zone, &self.scope];
        let texts = texts.into_iter().chain([&self.nonce, &self.root, &times, &came_to]).map(String::as_bytes);
        let parts: Vec<&[u8]> =
            std::iter::once(b"report_jobs".as_slice()).chain(texts).chain([flags.as_slice(), &numbers]).collect();
        mac(key, &parts)
    }

    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(&self.kind)
    }

    pub fn format(&self) -> Format {
        Format::from_code(&self.format).unwrap_or(Format::Csv)
    }

    pub fn state(&self, now: Moment) -> State {
        let facts = Facts {
            started_at: self.started_at,
            cancelled_at: self.cancelled_at,
            ended_at: self.ended_at,
            failed: self.failure.is_some(),
            expires_at: self.expires_at,
        };
        state(facts, now)
    }
}

fn select(rest: &'static str) -> Statement {
    let mut statement = Statement::from(
        "SELECT id, owner_id, kind, format, query, zone, redacted, scope, attempts, raw, as_of, created_at, started_at, cancelled_at, ended_at, \
         failure, done, total, rows_written, bytes_written, digest, expires_at, whole, sample, nonce, root, terms_mac FROM report_jobs",
    );
    statement.push(rest);
    statement
}

/// Those whose terms are as they were asked for.
fn sealed(db: &impl Sql, jobs: Vec<Job>) -> Vec<Job> {
    let Some(key) = db.seal_key() else {
        tracing::error!("reports were asked for without the key of their seals");
        return Vec::new();
    };
    let holds = |job: &Job| bool::from(job.terms(key).ct_eq(job.terms_mac.as_slice()));
    let (whole, forged): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(holds);
    for job in forged {
        tracing::error!(table = "report_jobs", id = job.id, "a stored row fails its seal and opens nothing");
    }
    whole
}

pub async fn find(db: &mut impl Sql, id: &str) -> Result<Option<Job>> {
    let row: Option<Job> = db.sql(select(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(sealed(db, row.into_iter().collect()).pop())
}

/// The newest of one person.
pub async fn of_person(db: &mut impl Sql, person: &str, limit: u32) -> Result<Vec<Job>> {
    let rows = db
        .sql(select(" WHERE owner_id = $1 ORDER BY id DESC LIMIT $2"))
        .bind(person.to_owned())
        .bind(i64::from(limit))
        .all()
        .await?;
    Ok(sealed(db, rows))
}

/// The newest that ended well, of a kind, whoever asked.
pub async fn latest(db: &mut impl Sql, kind: Kind) -> Result<Option<Job>> {
    let row: Option<Job> = db
        .sql(select(
            " WHERE kind = $1 AND ended_at IS NOT NULL AND failure IS NULL AND cancelled_at IS NULL \
             ORDER BY id DESC LIMIT 1",
        ))
        .bind(kind.code())
        .optional()
        .await?;
    Ok(sealed(db, row.into_iter().collect()).pop())
}

/// How many of one person have not ended.
pub async fn count_open(db: &mut impl Sql, person: &str) -> Result<i64> {
    let (count,): (i64,) = db
        .sql("SELECT COUNT(*) FROM report_jobs WHERE owner_id = $1 AND ended_at IS NULL")
        .bind(person.to_owned())
        .one()
        .await?;
    Ok(count)
}

pub async fn insert(tx: &mut impl Sql, job: &Job) -> Result<u64> {
    let terms = tx.seal_key().map(|key| job.terms(key).to_vec()).unwrap_or_default();
    tx.sql(
        "INSERT INTO report_jobs (id, owner_id, kind, format, query, zone, redacted, scope, raw, as_of, created_at, attempts, done, total, \
         rows_written, bytes_written, expires_at, sample, nonce, root, terms_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, $12, 0, 0, $13, $14, $15, $16, $17)",
    )
    .bind(job.id.clone())
    .bind(job.owner_id.clone())
    .bind(job.kind.clone())
    .bind(job.format.clone())
    .bind(job.query.clone())
    .bind(job.zone.clone())
    .bind(job.redacted)
    .bind(job.scope.clone())
    .bind(job.raw)
    .bind(job.as_of)
    .bind(job.created_at)
    .bind(job.total)
    .bind(job.expires_at)
    .bind(job.sample)
    .bind(job.nonce.clone())
    .bind(job.root.clone())
    .bind(terms)
    .execute()
    .await
}

/// Jobs that nobody works on, the oldest first.
pub async fn waiting(db: &mut impl Sql, now: Moment, limit: u32) -> Result<Vec<String>> {
    let mut due = Statement::from(
        "SELECT id FROM report_jobs WHERE ended_at IS NULL AND (leased_until IS NULL OR leased_until <= $1)",
    );
    except(&mut due, super::MAKE, "report_jobs.id");
    due.push(" ORDER BY created_at LIMIT $2");
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Takes a job to work on, from its beginning, unless somebody else does.
pub async fn lease(tx: &mut impl Sql, id: &str, holder: &str, now: Moment, until: Moment) -> Result<u64> {
    tx.sql(
        "UPDATE report_jobs SET holder = $1, leased_until = $2, started_at = COALESCE(started_at, $3), done = 0, \
         attempts = attempts + 1,          rows_written = 0, bytes_written = 0 WHERE id = $4 AND ended_at IS NULL AND (leased_until IS NULL OR leased_until <= $3)",
    )
    .bind(holder.to_owned())
    .bind(until)
    .bind(now)
    .bind(id.to_owned())
    .execute()
    .await
}

/// Says how far it is and keeps it for this holder. None: it was cancelled, or somebody else has it.
pub async fn progress(tx: &mut impl Sql, job: &Job, holder: &str, until: Moment) -> Result<u64> {
    tx.sql(
        "UPDATE report_jobs SET done = $1, total = $2, rows_written = $3, bytes_written = $4, leased_until = $5 \
         WHERE id = $6 AND holder = $7 AND ended_at IS NULL",
    )
    .bind(job.done)
    .bind(job.total)
    .bind(job.rows_written)
    .bind(job.bytes_written)
    .bind(until)
    .bind(job.id.clone())
    .bind(holder.to_owned())
    .execute()
    .await
}

/// Keeps a job for its holder a while longer. None: it was cancelled, or somebody else has it.
pub async fn keep(tx: &mut impl Sql, job: &str, holder: &str, until: Moment) -> Result<u64> {
    tx.sql("UPDATE report_jobs SET leased_until = $1 WHERE id = $2 AND holder = $3 AND ended_at IS NULL")
        .bind(until)
        .bind(job.to_owned())
        .bind(holder.to_owned())
        .execute()
        .await
}

/// Cancels one that has not ended, whoever works on it.
pub async fn cancel(tx: &mut impl Sql, job: &str, now: Moment) -> Result<u64> {
    tx.sql("UPDATE report_jobs SET ended_at = $1, cancelled_at = $1 WHERE id = $2 AND ended_at IS NULL")
        .bind(now)
        .bind(job.to_owned())
        .execute()
        .await
}

/// Ends one, by whoever holds it.
pub async fn end(tx: &mut impl Sql, job: &Job, holder: &str, now: Moment) -> Result<u64> {
    // What it came to is sealed with what was asked for.
    let terms = tx.seal_key().map(|key| job.terms(key).to_vec()).unwrap_or_default();
    tx.sql(
        "UPDATE report_jobs SET ended_at = $1, failure = $2, done = $3, rows_written = $4, bytes_written = $5, \
         digest = $6, expires_at = $7, whole = $8, scope = $9, terms_mac = $10 \
         WHERE id = $11 AND holder = $12 AND ended_at IS NULL",
    )
    .bind(now)
    .bind(job.failure.clone())
    .bind(job.done)
    .bind(job.rows_written)
    .bind(job.bytes_written)
    .bind(job.digest.clone())
    .bind(job.expires_at)
    .bind(job.whole)
    .bind(job.scope.clone())
    .bind(terms)
    .bind(job.id.clone())
    .bind(holder.to_owned())
    .execute()
    .await
}

pub async fn insert_chunk(tx: &mut impl Sql, job: &str, n: i32, sealed: Vec<u8>) -> Result<u64> {
    tx.sql("INSERT INTO report_chunks (job_id, n, sealed) VALUES ($1, $2, $3)")
        .bind(job.to_owned())
        .bind(n)
        .bind(sealed)
        .execute()
        .await
}

pub async fn chunk(db: &mut impl Sql, job: &str, n: i32) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = db
        .sql("SELECT sealed FROM report_chunks WHERE job_id = $1 AND n = $2")
        .bind(job.to_owned())
        .bind(n)
        .optional()
        .await?;
    Ok(row.map(|(sealed,)| sealed))
}

pub async fn delete_chunks(tx: &mut impl Sql, job: &str) -> Result<u64> {
    tx.sql("DELETE FROM report_chunks WHERE job_id = $1").bind(job.to_owned()).execute().await
}

/// Jobs whose results are no longer kept and still lie there.
pub async fn over(db: &mut impl Sql, now: Moment, limit: u32) -> Result<Vec<String>> {
    let mut due = Statement::from(
        "SELECT id FROM report_jobs j WHERE ended_at IS NOT NULL AND (expires_at <= $1 OR cancelled_at IS NOT NULL) \
         AND EXISTS (SELECT 1 FROM report_chunks c WHERE c.job_id = j.id)",
    );
    except(&mut due, super::FORGET, "j.id");
    due.push(" LIMIT $2");
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
