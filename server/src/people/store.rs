//! SQL of people, teams, roles, links and sessions.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql, Statement, select},
    sealed_row,
};
use app::{people::period::Period, policies::model::Role, time::Moment};
use serde::Serialize;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Person {
    pub id: String,
    pub login: String,
    pub name: String,
    pub password_hash: Option<String>,
    pub created_at: Moment,
    pub joined_at: Option<Moment>,
    pub disabled_at: Option<Moment>,
    pub set_up_by: Option<String>,
    pub set_up_at: Option<Moment>,
    /// When a second factor that no older one vouched for, or a way to sign in, was added last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor_at: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Person, "people", PERSON);

impl Person {
    /// Can this person act at all?
    pub fn is_active(&self) -> bool {
        self.joined_at.is_some() && self.disabled_at.is_none()
    }

    /// Since when the account counts: a factor that somebody else made possible to set anew, or that was added, counts as a new
    /// account.
    pub fn counts_since(&self) -> Moment {
        [self.joined_at, self.set_up_at, self.factor_at].into_iter().flatten().fold(self.created_at, Moment::max)
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct RoleRow {
    pub id: String,
    pub person_id: String,
    pub project_id: Option<String>,
    pub role: String,
    pub given_by: Option<String>,
    /// The rule of a provider that gave it; absent where somebody gave it by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    pub valid_from: Moment,
    pub valid_to: Option<Moment>,
    /// Of an auditor: the period whose events they read; both or neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads_from: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads_until: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(RoleRow, "roles", ROLE);

impl RoleRow {
    /// The period that it is limited to.
    pub fn period(&self) -> Option<Period> {
        self.reads_from.zip(self.reads_until).map(|(from, until)| Period { from, until })
    }

    /// The role in words; none where this program does not know it.
    pub fn words(&self) -> Option<String> {
        let role = Role::from_code(&self.role)?;
        Some(if self.period().is_some() { format!("{role} of a period") } else { role.to_string() })
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Membership {
    pub id: String,
    pub team_id: String,
    pub person_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    pub valid_from: Moment,
    pub valid_to: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Membership, "memberships", MEMBERSHIP);

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Team {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub created_at: Moment,
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Link {
    pub id: String,
    pub person_id: String,
    pub kind: String,
    pub token_hash: Vec<u8>,
    pub created_by: Option<String>,
    pub created_at: Moment,
    pub expires_at: Moment,
    pub used_at: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Link, "links", LINK);

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Session {
    pub id: String,
    pub hash: Vec<u8>,
    pub person_id: String,
    pub method: String,
    pub agent: Option<String>,
    pub address: Option<String>,
    pub started_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
    /// Where a provider vouched: which identity, in which session of the provider's, how strongly (`acr`), and when the person
    /// authenticated there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Session, "session_bindings", SESSION);

impl Session {
    pub fn is_open(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

const PERSON: &str = "SELECT id, login, name, password_hash, created_at, joined_at, disabled_at, set_up_by, set_up_at, \
                      factor_at, event_seq, row_mac FROM people";
const ROLE: &str = "SELECT id, person_id, project_id, role, given_by, rule_id, valid_from, valid_to, reads_from, reads_until, event_seq, row_mac FROM roles";
const MEMBERSHIP: &str =
    "SELECT id, team_id, person_id, rule_id, valid_from, valid_to, event_seq, row_mac FROM memberships";
const LINK: &str = "SELECT id, person_id, kind, token_hash, created_by, created_at, expires_at, used_at, event_seq, \
                    row_mac FROM links";
const SESSION: &str = "SELECT id, hash, person_id, method, agent, address, started_at, expires_at, revoked_at, \
                       identity_id, provider_sid, acr, auth_time, event_seq, row_mac FROM session_bindings";

/// How many rows a table has, whatever they are worth.
pub async fn rows_in(db: &mut impl Sql, table: &'static str) -> Result<u64> {
    let mut statement = Statement::from("SELECT COUNT(*) FROM ");
    statement.push(table);
    let (count,): (i64,) = db.sql(statement).one().await?;
    Ok(count as u64)
}

/// The account that was made first. One that fails its seal is as good as none.
pub async fn first(db: &mut impl Sql, key: &SealKey) -> Result<Option<Person>> {
    let row = db.sql(select(PERSON, " ORDER BY created_at, id LIMIT 1")).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Person>> {
    let row = db.sql(select(PERSON, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The person, kept for this change.
pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Person>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_by_login(db: &mut impl Sql, login: &str, key: &SealKey) -> Result<Option<Person>> {
    let row = db.sql(select(PERSON, " WHERE login = $1")).bind(login.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn list(db: &mut impl Sql) -> Result<Vec<Person>> {
    db.sql(select(PERSON, " ORDER BY name, id")).all().await
}

pub async fn insert(tx: &mut impl Sql, person: &Person) -> Result<u64> {
    tx.sql(
        "INSERT INTO people (id, login, name, password_hash, created_at, joined_at, disabled_at, set_up_by, set_up_at, \
         factor_at, event_seq, row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
    )
    .bind(person.id.clone())
    .bind(person.login.clone())
    .bind(person.name.clone())
    .bind(person.password_hash.clone())
    .bind(person.created_at)
    .bind(person.joined_at)
    .bind(person.disabled_at)
    .bind(person.set_up_by.clone())
    .bind(person.set_up_at)
    .bind(person.factor_at)
    .bind(person.event_seq)
    .bind(person.row_mac.clone())
    .execute()
    .await
}

pub async fn save(tx: &mut impl Sql, person: &Person) -> Result<u64> {
    tx.sql(
        "UPDATE people SET name = $1, password_hash = $2, joined_at = $3, disabled_at = $4, set_up_by = $5, \
         set_up_at = $6, factor_at = $7 WHERE id = $8",
    )
    .bind(person.name.clone())
    .bind(person.password_hash.clone())
    .bind(person.joined_at)
    .bind(person.disabled_at)
    .bind(person.set_up_by.clone())
    .bind(person.set_up_at)
    .bind(person.factor_at)
    .bind(person.id.clone())
    .execute()
    .await
}

/// Roles that hold now, of one person.
pub async fn roles_of(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<RoleRow>> {
    let rows: Vec<RoleRow> = db
        .sql(select(
            ROLE,
            " WHERE person_id = $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2) ORDER BY id",
        ))
        .bind(person.to_owned())
        .bind(now)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Roles that somebody got since then, whether they still hold or not.
pub async fn roles_of_since(db: &mut impl Sql, person: &str, since: Moment, key: &SealKey) -> Result<Vec<RoleRow>> {
    let rows: Vec<RoleRow> = db
        .sql(select(ROLE, " WHERE person_id = $1 AND valid_from > $2 ORDER BY id"))
        .bind(person.to_owned())
        .bind(since)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Roles of everybody that held at some time since then.
pub async fn roles_since(db: &mut impl Sql, since: Moment, key: &SealKey) -> Result<Vec<RoleRow>> {
    let rows: Vec<RoleRow> =
        db.sql(select(ROLE, " WHERE valid_to IS NULL OR valid_to > $1 ORDER BY id")).bind(since).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Roles that hold now, of everybody.
pub async fn roles(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<RoleRow>> {
    let rows: Vec<RoleRow> = db
        .sql(select(ROLE, " WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) ORDER BY id"))
        .bind(now)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_role(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<RoleRow>> {
    let row = db.sql(select(ROLE, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Keeps every administrator's role for this change, so that two cannot remove each other at once.
pub async fn lock_administrators(tx: &mut Tx) -> Result<()> {
    let _: Vec<(String,)> =
        tx.lock("SELECT id FROM roles WHERE role = 'admin' AND project_id IS NULL ORDER BY id").all().await?;
    Ok(())
}

pub async fn insert_role(tx: &mut impl Sql, role: &RoleRow) -> Result<u64> {
    tx.sql(
        "INSERT INTO roles (id, person_id, project_id, role, given_by, rule_id, valid_from, valid_to, reads_from, \
         reads_until, event_seq, row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(role.id.clone())
    .bind(role.person_id.clone())
    .bind(role.project_id.clone())
    .bind(role.role.clone())
    .bind(role.given_by.clone())
    .bind(role.rule_id.clone())
    .bind(role.valid_from)
    .bind(role.valid_to)
    .bind(role.reads_from)
    .bind(role.reads_until)
    .bind(role.event_seq)
    .bind(role.row_mac.clone())
    .execute()
    .await
}

pub async fn close_role(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE roles SET valid_to = $1 WHERE id = $2 AND (valid_to IS NULL OR valid_to > $1)")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

/// Lets a role end earlier than it would.
pub async fn shorten_role(tx: &mut impl Sql, id: &str, until: Moment) -> Result<u64> {
    tx.sql("UPDATE roles SET valid_to = $1 WHERE id = $2 AND (valid_to IS NULL OR valid_to > $1)")
        .bind(until)
        .bind(id.to_owned())
        .execute()
        .await
}

/// Memberships that hold now; of one person, or of everybody.
pub async fn memberships(
    db: &mut impl Sql,
    person: Option<&str>,
    now: Moment,
    key: &SealKey,
) -> Result<Vec<Membership>> {
    let rest = if person.is_some() {
        " WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) AND person_id = $2 ORDER BY id"
    } else {
        " WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) ORDER BY id"
    };
    let mut query = db.sql(select(MEMBERSHIP, rest)).bind(now);
    if let Some(person) = person {
        query = query.bind(person.to_owned());
    }
    let rows: Vec<Membership> = query.all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_membership(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Membership>> {
    let row = db.sql(select(MEMBERSHIP, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_membership(tx: &mut impl Sql, row: &Membership) -> Result<u64> {
    tx.sql(
        "INSERT INTO memberships (id, team_id, person_id, rule_id, valid_from, valid_to, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(row.id.clone())
    .bind(row.team_id.clone())
    .bind(row.person_id.clone())
    .bind(row.rule_id.clone())
    .bind(row.valid_from)
    .bind(row.valid_to)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn close_membership(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE memberships SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn teams(db: &mut impl Sql) -> Result<Vec<Team>> {
    db.sql("SELECT id, slug, name, created_at FROM teams ORDER BY name, id").all().await
}

pub async fn find_team(db: &mut impl Sql, id: &str) -> Result<Option<Team>> {
    db.sql("SELECT id, slug, name, created_at FROM teams WHERE id = $1").bind(id.to_owned()).optional().await
}

pub async fn insert_team(tx: &mut impl Sql, team: &Team) -> Result<u64> {
    tx.sql("INSERT INTO teams (id, slug, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
        .bind(team.id.clone())
        .bind(team.slug.clone())
        .bind(team.name.clone())
        .bind(team.created_at)
        .execute()
        .await
}

pub async fn find_link(db: &mut impl Sql, hash: &[u8], key: &SealKey) -> Result<Option<Link>> {
    let row = db.sql(select(LINK, " WHERE token_hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_link_by_id(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Link>> {
    let row = db.sql(select(LINK, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Links that were made for a person since then, used or not.
pub async fn links_since(db: &mut impl Sql, person: &str, since: Moment, key: &SealKey) -> Result<Vec<Link>> {
    let rows: Vec<Link> = db
        .sql(select(LINK, " WHERE person_id = $1 AND created_at > $2 ORDER BY id"))
        .bind(person.to_owned())
        .bind(since)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Links of a person that were not used yet.
pub async fn open_links(db: &mut impl Sql, person: &str, key: &SealKey) -> Result<Vec<Link>> {
    let rows: Vec<Link> = db
        .sql(select(LINK, " WHERE person_id = $1 AND used_at IS NULL ORDER BY id"))
        .bind(person.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Links that somebody made for others and that still work, by their ids.
pub async fn open_links_by(db: &mut impl Sql, maker: &str, now: Moment, key: &SealKey) -> Result<Vec<Link>> {
    let rest = " WHERE created_by = $1 AND expires_at > $2 AND used_at IS NULL ORDER BY id";
    let rows: Vec<Link> = db.sql(select(LINK, rest)).bind(maker.to_owned()).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert_link(tx: &mut impl Sql, link: &Link) -> Result<u64> {
    tx.sql(
        "INSERT INTO links (id, person_id, kind, token_hash, created_by, created_at, expires_at, used_at, event_seq, \
         row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(link.id.clone())
    .bind(link.person_id.clone())
    .bind(link.kind.clone())
    .bind(link.token_hash.clone())
    .bind(link.created_by.clone())
    .bind(link.created_at)
    .bind(link.expires_at)
    .bind(link.used_at)
    .bind(link.event_seq)
    .bind(link.row_mac.clone())
    .execute()
    .await
}

/// Uses a link, once.
pub async fn use_link(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE links SET used_at = $1 WHERE id = $2 AND used_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn find_session(db: &mut impl Sql, hash: &[u8], key: &SealKey) -> Result<Option<Session>> {
    let row = db.sql(select(SESSION, " WHERE hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_session_by_id(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Session>> {
    let row = db.sql(select(SESSION, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Sessions that are open now, in the order in which they are closed.
pub async fn sessions_of(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<Session>> {
    let rows: Vec<Session> = db
        .sql(select(SESSION, " WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id"))
        .bind(person.to_owned())
        .bind(now)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Every session that is open.
pub async fn open_sessions(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Session>> {
    let rows: Vec<Session> =
        db.sql(select(SESSION, " WHERE revoked_at IS NULL AND expires_at > $1 ORDER BY id")).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert_session(tx: &mut impl Sql, session: &Session) -> Result<u64> {
    tx.sql(
        "INSERT INTO session_bindings (id, hash, person_id, method, agent, address, started_at, expires_at, revoked_at, \
         identity_id, provider_sid, acr, auth_time, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(session.id.clone())
    .bind(session.hash.clone())
    .bind(session.person_id.clone())
    .bind(session.method.clone())
    .bind(session.agent.clone())
    .bind(session.address.clone())
    .bind(session.started_at)
    .bind(session.expires_at)
    .bind(session.revoked_at)
    .bind(session.identity_id.clone())
    .bind(session.provider_sid.clone())
    .bind(session.acr.clone())
    .bind(session.auth_time)
    .bind(session.event_seq)
    .bind(session.row_mac.clone())
    .execute()
    .await
}

pub async fn revoke_session(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE session_bindings SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn seen_at(db: &mut impl Sql, session: &str) -> Result<Option<Moment>> {
    let row: Option<(Moment,)> =
        db.sql("SELECT seen_at FROM session_touches WHERE session_id = $1").bind(session.to_owned()).optional().await?;
    Ok(row.map(|(at,)| at))
}

pub async fn touch(tx: &mut impl Sql, session: &str, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO session_touches (session_id, seen_at) VALUES ($1, $2) \
         ON CONFLICT (session_id) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(session.to_owned())
    .bind(at)
    .execute()
    .await
}

pub async fn load_browser(db: &mut impl Sql, hash: &[u8], now: Moment) -> Result<Option<String>> {
    let row: Option<(String,)> = db
        .sql("SELECT data FROM browser_sessions WHERE hash = $1 AND expires_at > $2")
        .bind(hash.to_vec())
        .bind(now)
        .optional()
        .await?;
    Ok(row.map(|(data,)| data))
}

/// Writes a new record; an existing one is never replaced here.
pub async fn create_browser(tx: &mut impl Sql, hash: &[u8], data: &str, expires_at: Moment) -> Result<u64> {
    tx.sql("INSERT INTO browser_sessions (hash, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(hash.to_vec())
        .bind(data.to_owned())
        .bind(expires_at)
        .execute()
        .await
}

/// Changes a record that is there; one that was deleted stays deleted.
pub async fn save_browser(tx: &mut impl Sql, hash: &[u8], data: &str, expires_at: Moment) -> Result<u64> {
    tx.sql("UPDATE browser_sessions SET data = $1, expires_at = $2 WHERE hash = $3")
        .bind(data.to_owned())
        .bind(expires_at)
        .bind(hash.to_vec())
        .execute()
        .await
}

pub async fn delete_browser(tx: &mut impl Sql, hash: &[u8]) -> Result<u64> {
    tx.sql("DELETE FROM browser_sessions WHERE hash = $1").bind(hash.to_vec()).execute().await
}

pub async fn forget_browsers(tx: &mut impl Sql, now: Moment) -> Result<u64> {
    tx.sql("DELETE FROM browser_sessions WHERE expires_at < $1").bind(now).execute().await
}
