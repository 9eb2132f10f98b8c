//! SQL of grants.
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
    grants::model::{Span, State, effective_state},
    policies::model::Right,
    time::Moment,
};

sealed_table! {
    pub struct Grant in "grants" {
        id: String,
        request_id: String,
        person_id: Option<String>,
        workload_id: Option<String>,
        project_id: String,
        environment_id: String,
        access_right: Coded<Right>,
        /// Ids of secrets with a space between them: under the row's seal. `grant_secrets` is only an index of it.
        secrets: String,
        starts_at: Moment,
        expires_at: Moment,
        revoked_at: Option<Moment>,
        revoked_by: Option<String>,
        given_back_at: Option<Moment>,
        suspended_at: Option<Moment>,
        suspended_for: Option<String>,
        /// Its end stands in the trail: from there on it opens nothing, whatever another machine's clock says.
        #[serde(skip_serializing_if = "Option::is_none")]
        end_noted_at: Option<Moment>,
    }
}

impl Grant {
    pub fn state(&self, now: Moment) -> State {
        let span = Span {
            starts_at: self.starts_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            given_back_at: self.given_back_at,
            suspended_at: self.suspended_at,
            end_noted_at: self.end_noted_at,
        };
        effective_state(span, now)
    }

    /// From when to when it is or was held; a suspension does not shorten it. `None`: never.
    pub fn held(&self) -> Option<(Moment, Moment)> {
        let ends = [Some(self.expires_at), self.revoked_at, self.given_back_at];
        let ends = ends.into_iter().flatten().min()?;
        (ends > self.starts_at).then_some((self.starts_at, ends))
    }

    pub fn covers(&self, secret: &str) -> bool {
        self.secrets.split(' ').any(|known| known == secret)
    }

    pub fn right(&self) -> Right {
        *self.access_right
    }
}

/// Whose grants.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    Person(&'a str),
    Workload(&'a str),
}

impl<'a> Holder<'a> {
    pub fn id(self) -> &'a str {
        match self {
            Self::Person(id) | Self::Workload(id) => id,
        }
    }
}

/// Active at `$1`: the one predicate, equal to `effective_state`.
const ACTIVE: &str = " grants.starts_at <= $1 AND grants.expires_at > $1 AND grants.revoked_at IS NULL AND grants.given_back_at IS NULL \
                      AND grants.suspended_at IS NULL AND grants.end_noted_at IS NULL";
/// Not ended at `$1`: active, still to begin, or suspended. Equal to `State::is_open`.
const OPEN: &str = " grants.expires_at > $1 AND grants.revoked_at IS NULL AND grants.given_back_at IS NULL \
                    AND grants.end_noted_at IS NULL";

fn active(mut statement: Statement, join: &'static str, rest: &'static str) -> Statement {
    statement.push(join).push(" WHERE").push(ACTIVE).push(rest);
    statement
}

fn whose(holder: Holder<'_>, person: &'static str, workload: &'static str) -> &'static str {
    match holder {
        Holder::Person(_) => person,
        Holder::Workload(_) => workload,
    }
}

/// Active grants of a holder on one secret.
pub async fn active_on(
    db: &mut impl Sql,
    holder: Holder<'_>,
    secret: &str,
    now: Moment,
    key: &SealKey,
) -> Result<Vec<Grant>> {
    let join = " JOIN grant_secrets s ON s.grant_id = grants.id";
    let rest = whose(
        holder,
        " AND s.secret_id = $2 AND grants.person_id = $3 ORDER BY grants.expires_at DESC",
        " AND s.secret_id = $2 AND grants.workload_id = $3 ORDER BY grants.expires_at DESC",
    );
    let rows: Vec<Grant> = db
        .sql(active(rows_of::<Grant>(""), join, rest))
        .bind(now)
        .bind(secret.to_owned())
        .bind(holder.id().to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).filter(|grant| grant.covers(secret)).collect())
}

/// Active grants of a holder.
pub async fn active_of(db: &mut impl Sql, holder: Holder<'_>, now: Moment, key: &SealKey) -> Result<Vec<Grant>> {
    let rest = whose(
        holder,
        " AND grants.person_id = $2 ORDER BY grants.expires_at, grants.id",
        " AND grants.workload_id = $2 ORDER BY grants.expires_at, grants.id",
    );
    let rows: Vec<Grant> =
        db.sql(active(rows_of::<Grant>(""), "", rest)).bind(now).bind(holder.id().to_owned()).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Grants of a holder that have not ended: what an end of the holder has to end.
pub async fn open_of(db: &mut impl Sql, holder: Holder<'_>, now: Moment, key: &SealKey) -> Result<Vec<Grant>> {
    let rest = whose(
        holder,
        " AND grants.person_id = $2 ORDER BY grants.expires_at, grants.id",
        " AND grants.workload_id = $2 ORDER BY grants.expires_at, grants.id",
    );
    let mut statement = rows_of::<Grant>("");
    statement.push(" WHERE").push(OPEN).push(rest);
    let rows: Vec<Grant> = db.sql(statement).bind(now).bind(holder.id().to_owned()).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Everybody's grants that have not ended.
pub async fn open(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(" WHERE").push(OPEN).push(" ORDER BY grants.id");
    let rows: Vec<Grant> = db.sql(statement).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Everybody's grants that were in force at a time, also a past one.
pub async fn in_force_at(db: &mut impl Sql, at: Moment, limit: u32, key: &SealKey) -> Result<Vec<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(
        " WHERE grants.starts_at <= $1 AND grants.expires_at > $1 AND (grants.revoked_at IS NULL OR grants.revoked_at > $1) \
         AND (grants.given_back_at IS NULL OR grants.given_back_at > $1) ORDER BY grants.id LIMIT $2",
    );
    let rows: Vec<Grant> = db.sql(statement).bind(at).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Everybody's grants on one secret that have not ended.
pub async fn open_for(db: &mut impl Sql, secret: &str, now: Moment, key: &SealKey) -> Result<Vec<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(" JOIN grant_secrets s ON s.grant_id = grants.id WHERE").push(OPEN);
    statement.push(" AND s.secret_id = $2 ORDER BY grants.id");
    let rows: Vec<Grant> = db.sql(statement).bind(now).bind(secret.to_owned()).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).filter(|grant| grant.covers(secret)).collect())
}

/// Everybody's active grants on one secret.
pub async fn active_for(db: &mut impl Sql, secret: &str, now: Moment, key: &SealKey) -> Result<Vec<Grant>> {
    let join = " JOIN grant_secrets s ON s.grant_id = grants.id";
    let rows: Vec<Grant> = db
        .sql(active(rows_of::<Grant>(""), join, " AND s.secret_id = $2 ORDER BY grants.id"))
        .bind(now)
        .bind(secret.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).filter(|grant| grant.covers(secret)).collect())
}

/// The newest grants of a holder on one secret, of any state.
pub async fn ever_on(
    db: &mut impl Sql,
    holder: Holder<'_>,
    secret: &str,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(" JOIN grant_secrets s ON s.grant_id = grants.id WHERE s.secret_id = $1 AND ");
    statement
        .push(whose(holder, "grants.person_id = $2", "grants.workload_id = $2"))
        .push(" ORDER BY grants.id DESC LIMIT $3");
    let query = db.sql(statement).bind(secret.to_owned()).bind(holder.id().to_owned()).bind(i64::from(limit));
    let rows: Vec<Grant> = query.all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).filter(|grant| grant.covers(secret)).collect())
}

/// Everybody's grants on one secret that were in force at a time, also a past one.
pub async fn in_force_on(db: &mut impl Sql, secret: &str, at: Moment, key: &SealKey) -> Result<Vec<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(
        " JOIN grant_secrets s ON s.grant_id = grants.id WHERE s.secret_id = $2 AND grants.starts_at <= $1 AND grants.expires_at > $1 \
         AND (grants.revoked_at IS NULL OR grants.revoked_at > $1) AND (grants.given_back_at IS NULL OR grants.given_back_at > $1) \
         ORDER BY grants.id",
    );
    let rows: Vec<Grant> = db.sql(statement).bind(at).bind(secret.to_owned()).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).filter(|grant| grant.covers(secret)).collect())
}

/// The newest grants of a person, of any state.
pub async fn history_of(db: &mut impl Sql, person: &str, limit: u32, key: &SealKey) -> Result<Vec<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(" WHERE grants.person_id = $1 ORDER BY grants.id DESC LIMIT $2");
    let rows: Vec<Grant> = db.sql(statement).bind(person.to_owned()).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(" WHERE grants.id = $1");
    let row = db.sql(statement).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Grant>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert(tx: &mut impl Sql, grant: &Grant) -> Result<()> {
    table::insert(tx, grant).await?;
    for secret in grant.secrets.split(' ') {
        tx.sql("INSERT INTO grant_secrets (grant_id, secret_id) VALUES ($1, $2)")
            .bind(grant.id.clone())
            .bind(secret.to_owned())
            .execute()
            .await?;
    }
    Ok(())
}

/// Writes an end or a suspension; a grant is never changed otherwise.
pub async fn save_end(tx: &mut impl Sql, grant: &Grant) -> Result<u64> {
    table::save(tx, grant).await
}

/// Grants whose time is over and whose end nobody was told of yet.
pub async fn ended_unnoted(db: &mut impl Sql, now: Moment, limit: u32) -> Result<Vec<String>> {
    let mut due = Statement::from(
        "SELECT id FROM grants WHERE end_noted_at IS NULL AND expires_at <= $1 AND revoked_at IS NULL \
         AND given_back_at IS NULL",
    );
    except(&mut due, super::NOTE_ENDS, "grants.id");
    due.push(" ORDER BY expires_at LIMIT $2");
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Grants of people that end before `soon` and began before `began`, and of whose end they were not told by such a notice:
/// `(person, request)`, as many as are told of at once.
pub async fn ending(
    db: &mut impl Sql,
    now: Moment,
    soon: Moment,
    began: Moment,
    notice: &str,
) -> Result<Vec<(String, String)>> {
    db.sql(
        "SELECT DISTINCT g.person_id, g.request_id FROM grants g WHERE g.end_noted_at IS NULL AND g.expires_at > $1 \
         AND g.expires_at <= $2 AND g.starts_at <= $3 AND g.person_id IS NOT NULL AND g.revoked_at IS NULL \
         AND g.given_back_at IS NULL AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.person_id = g.person_id \
         AND n.kind = $4 AND n.subject = g.request_id) LIMIT 200",
    )
    .bind(now)
    .bind(soon)
    .bind(began)
    .bind(notice.to_owned())
    .all()
    .await
}

pub async fn note_end(tx: &mut impl Sql, id: &str, now: Moment) -> Result<u64> {
    tx.sql("UPDATE grants SET end_noted_at = $1 WHERE id = $2 AND end_noted_at IS NULL")
        .bind(now)
        .bind(id.to_owned())
        .execute()
        .await
}

/// The grant of this right on this secret that a person holds last, whatever became of it.
pub async fn last_on(
    db: &mut impl Sql,
    person: &str,
    secret: &str,
    right: Right,
    key: &SealKey,
) -> Result<Option<Grant>> {
    let mut statement = rows_of::<Grant>("");
    statement.push(" JOIN grant_secrets s ON s.grant_id = grants.id WHERE s.secret_id = $1 AND grants.person_id = $2");
    statement.push(" AND grants.access_right = $3 ORDER BY grants.expires_at DESC LIMIT 1");
    let query = db.sql(statement).bind(secret.to_owned()).bind(person.to_owned()).bind(right.code());
    let row: Option<Grant> = query.optional().await?;
    Ok(row.and_then(|row| check(row, key)).filter(|grant| grant.covers(secret)))
}

pub async fn count_active(db: &mut impl Sql, person: &str, now: Moment) -> Result<i64> {
    let (count,): (i64,) = db
        .sql(active(Statement::from("SELECT COUNT(*) FROM grants"), "", " AND grants.person_id = $2"))
        .bind(now)
        .bind(person.to_owned())
        .one()
        .await?;
    Ok(count)
}
