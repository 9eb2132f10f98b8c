//! SQL of people, teams, roles, links and sessions.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql, Statement},
    sealed_table,
    table::{self, rows_of},
};
use app::{people::period::Period, policies::model::Role, time::Moment};

sealed_table! {
    pub struct Person in "people" {
        id: String,
        login: String,
        name: String,
        password_hash: Option<String>,
        created_at: Moment,
        joined_at: Option<Moment>,
        disabled_at: Option<Moment>,
        set_up_by: Option<String>,
        set_up_at: Option<Moment>,
        /// When a second factor that no older one vouched for, or a way to sign in, was added last.
        #[serde(skip_serializing_if = "Option::is_none")]
        factor_at: Option<Moment>,
    }
}

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

sealed_table! {
    pub struct RoleRow in "roles" {
        id: String,
        person_id: String,
        project_id: Option<String>,
        role: String,
        given_by: Option<String>,
        /// The rule of a provider that gave it; absent where somebody gave it by hand.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule_id: Option<String>,
        valid_from: Moment,
        valid_to: Option<Moment>,
        /// Of an auditor: the period whose events they read; both or neither.
        #[serde(skip_serializing_if = "Option::is_none")]
        reads_from: Option<Moment>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reads_until: Option<Moment>,
    }
}

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

sealed_table! {
    pub struct Membership in "memberships" {
        id: String,
        team_id: String,
        person_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        rule_id: Option<String>,
        valid_from: Moment,
        valid_to: Option<Moment>,
    }
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Team {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub created_at: Moment,
}

sealed_table! {
    pub struct Link in "links" {
        id: String,
        person_id: String,
        kind: String,
        token_hash: Vec<u8>,
        created_by: Option<String>,
        created_at: Moment,
        expires_at: Moment,
        used_at: Option<Moment>,
    }
}

sealed_table! {
    pub struct Session in "session_bindings" {
        id: String,
        hash: Vec<u8>,
        person_id: String,
        method: String,
        agent: Option<String>,
        address: Option<String>,
        started_at: Moment,
        expires_at: Moment,
        revoked_at: Option<Moment>,
        /// Where a provider vouched: which identity, in which session of the provider's, how strongly (`acr`), and when the person
        /// authenticated there.
        #[serde(skip_serializing_if = "Option::is_none")]
        identity_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_sid: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        acr: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        auth_time: Option<Moment>,
    }
}

impl Session {
    pub fn is_open(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// How many rows a table has, whatever they are worth.
pub async fn rows_in(db: &mut impl Sql, table: &'static str) -> Result<u64> {
    let mut statement = Statement::from("SELECT COUNT(*) FROM ");
    statement.push(table);
    let (count,): (i64,) = db.sql(statement).one().await?;
    Ok(count as u64)
}

/// The account that was made first. One that fails its seal is as good as none.
pub async fn first(db: &mut impl Sql, key: &SealKey) -> Result<Option<Person>> {
    let row = db.sql(rows_of::<Person>(" ORDER BY created_at, id LIMIT 1")).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Person>> {
    let row = db.sql(rows_of::<Person>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The person, kept for this change.
pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Person>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_by_login(db: &mut impl Sql, login: &str, key: &SealKey) -> Result<Option<Person>> {
    let row = db.sql(rows_of::<Person>(" WHERE login = $1")).bind(login.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn list(db: &mut impl Sql) -> Result<Vec<Person>> {
    db.sql(rows_of::<Person>(" ORDER BY name, id")).all().await
}

pub async fn insert(tx: &mut impl Sql, person: &Person) -> Result<u64> {
    table::insert_new(tx, person).await
}

pub async fn save(tx: &mut impl Sql, person: &Person) -> Result<u64> {
    table::save(tx, person).await
}

/// Roles that hold now, of one person.
pub async fn roles_of(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<RoleRow>> {
    let rows: Vec<RoleRow> = db
        .sql(rows_of::<RoleRow>(
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
        .sql(rows_of::<RoleRow>(" WHERE person_id = $1 AND valid_from > $2 ORDER BY id"))
        .bind(person.to_owned())
        .bind(since)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Roles of everybody that held at some time since then.
pub async fn roles_since(db: &mut impl Sql, since: Moment, key: &SealKey) -> Result<Vec<RoleRow>> {
    let rows: Vec<RoleRow> =
        db.sql(rows_of::<RoleRow>(" WHERE valid_to IS NULL OR valid_to > $1 ORDER BY id")).bind(since).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Roles that hold now, of everybody.
pub async fn roles(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<RoleRow>> {
    let rows: Vec<RoleRow> = db
        .sql(rows_of::<RoleRow>(" WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) ORDER BY id"))
        .bind(now)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_role(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<RoleRow>> {
    let row = db.sql(rows_of::<RoleRow>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Keeps every administrator's role for this change, so that two cannot remove each other at once.
pub async fn lock_administrators(tx: &mut Tx) -> Result<()> {
    let _: Vec<(String,)> =
        tx.lock("SELECT id FROM roles WHERE role = 'admin' AND project_id IS NULL ORDER BY id").all().await?;
    Ok(())
}

pub async fn insert_role(tx: &mut impl Sql, role: &RoleRow) -> Result<u64> {
    table::insert(tx, role).await
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
    let mut query = db.sql(rows_of::<Membership>(rest)).bind(now);
    if let Some(person) = person {
        query = query.bind(person.to_owned());
    }
    let rows: Vec<Membership> = query.all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_membership(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Membership>> {
    let row = db.sql(rows_of::<Membership>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_membership(tx: &mut impl Sql, row: &Membership) -> Result<u64> {
    table::insert(tx, row).await
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
    let row = db.sql(rows_of::<Link>(" WHERE token_hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_link_by_id(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Link>> {
    let row = db.sql(rows_of::<Link>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Links that were made for a person since then, used or not.
pub async fn links_since(db: &mut impl Sql, person: &str, since: Moment, key: &SealKey) -> Result<Vec<Link>> {
    let rows: Vec<Link> = db
        .sql(rows_of::<Link>(" WHERE person_id = $1 AND created_at > $2 ORDER BY id"))
        .bind(person.to_owned())
        .bind(since)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Links of a person that were not used yet.
pub async fn open_links(db: &mut impl Sql, person: &str, key: &SealKey) -> Result<Vec<Link>> {
    let rows: Vec<Link> = db
        .sql(rows_of::<Link>(" WHERE person_id = $1 AND used_at IS NULL ORDER BY id"))
        .bind(person.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Links that somebody made for others and that still work, by their ids.
pub async fn open_links_by(db: &mut impl Sql, maker: &str, now: Moment, key: &SealKey) -> Result<Vec<Link>> {
    let rest = " WHERE created_by = $1 AND expires_at > $2 AND used_at IS NULL ORDER BY id";
    let rows: Vec<Link> = db.sql(rows_of::<Link>(rest)).bind(maker.to_owned()).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert_link(tx: &mut impl Sql, link: &Link) -> Result<u64> {
    table::insert(tx, link).await
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
    let row = db.sql(rows_of::<Session>(" WHERE hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_session_by_id(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Session>> {
    let row = db.sql(rows_of::<Session>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Sessions that are open now, in the order in which they are closed.
pub async fn sessions_of(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<Session>> {
    let rows: Vec<Session> = db
        .sql(rows_of::<Session>(" WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id"))
        .bind(person.to_owned())
        .bind(now)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Every session that is open.
pub async fn open_sessions(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Session>> {
    let rows: Vec<Session> =
        db.sql(rows_of::<Session>(" WHERE revoked_at IS NULL AND expires_at > $1 ORDER BY id")).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert_session(tx: &mut impl Sql, session: &Session) -> Result<u64> {
    table::insert(tx, session).await
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
