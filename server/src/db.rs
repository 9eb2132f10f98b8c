//! The one file that names a driver. Everything else writes SQL once, with `$1` placeholders and chrono and bool values.
//!
//! SQLite has one writer: operations are savepoints in a transaction that is handed on while others wait, so that one
//! COMMIT (one fsync) carries up to [`BATCH`] of them; whoever commits wakes all. PostgreSQL transactions are its own.
//! Nothing outside `audit/ledger.rs` may commit: see the four doors there.
use crate::{
    audit::row_seal::{SealKey, SealedRow},
    held::{self, Held},
    rows::{Rows, Turn as RowTurn},
};
use chrono::{DateTime, Utc};
use sqlx::{
    AssertSqlSafe, Connection, Encode, FromRow, Postgres, Sqlite, Type,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow},
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
        SqliteRow, SqliteSynchronous,
    },
};
use std::{
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, oneshot};

/// The most operations that one SQLite COMMIT carries.
const BATCH: usize = 32;
/// Concurrent writing transactions per replica on PostgreSQL: more only queue at the ledger's head.
const COMMITS: usize = 8;
/// Of those, how many are at the ledger's head or wait for it: a replica that is paused there holds the others up until the server
/// ends its transactions, one after the other.
const AT_HEAD: usize = 2;
/// Readers at the same time: for each database what keeps two cores busy.
const READERS_SQLITE: u32 = 4;
const READERS_POSTGRES: u32 = 10;
/// The longest that anybody waits for a connection; then the answer is 503, and when to come back.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The longest that a server may take over one statement: then its line counts as broken.
pub const ANSWER: Duration = Duration::from_secs(10);

/// The oldest schema that is taken over: below it, rows and events that have seals now have none.
const OLDEST: i64 = 31;

static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");

/// Tables that change without an event, through `housekeeping` alone: nothing in them opens or closes access.
pub const OPERATIONAL: &[&str] = &[
    "browser_sessions",
    "session_touches",
    "audit_tiles",
    "audit_checkpoints",
    "policy_inputs",
    "notices",
    "stashes",
    "access_token_uses",
    "rotation_leases",
    "rotation_due",
    "expiry_looks",
    "leavers",
    "projection_cursors",
    "search_terms",
    "search_postings",
    "metric_hours",
    "metric_actors",
    "signal_memory",
    "signals",
    "audit_streams",
    "seen_heads",
    "used_logouts",
    "used_proofs",
    "cosigned_heads",
    "report_jobs",
    "report_chunks",
    "set_aside",
];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The COMMIT that carried this and other operations failed; nothing of them was kept.
    #[error("database: commit failed: {0}")]
    Commit(String),
    #[error("migrations: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("database: {0}")]
    Unfit(String),
}

impl Error {
    /// What is stored is not of the type that it should be: nothing of ours wrote it.
    pub fn is_undecodable(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)))
    }

    /// What went wrong, without what was stored or sent.
    pub fn words(&self) -> String {
        match self {
            Self::Sql(sqlx::Error::ColumnDecode { index, .. }) => format!("the column {index} cannot be read"),
            Self::Sql(sqlx::Error::Decode(_)) => "a row cannot be read".into(),
            Self::Sql(sqlx::Error::Database(error)) => match error.code() {
                Some(code) => format!("the database refused it: code {code}"),
                None => "the database refused it".into(),
            },
            Self::Sql(_) | Self::Commit(_) => "the database did not answer".into(),
            Self::Migrate(_) | Self::Unfit(_) => "the database does not fit this version".into(),
        }
    }

    /// The connection broke, so that what became of the statement is not known.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed))
            || matches!(self, Self::Sql(error) if error.as_database_error().and_then(|error| error.code()).is_some_and(
                // The server went down or ended the session in the middle of it.
                |code| code.starts_with("57P") || code.starts_with("08")
            ))
    }
}

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Clone)]
pub struct Db {
    kind: Kind,
    /// Nobody minds who holds its readers, and when.
    unseen: bool,
    /// What rows that open access are sealed with: readers and transactions carry it to whoever loads such rows.
    seal: Option<SealKey>,
}

/// Readers, writers and the probe never wait for each other's connections.
#[derive(Clone)]
enum Kind {
    Sqlite {
        writer: Arc<Mutex<Writer>>,
        queued: Arc<AtomicUsize>,
        readers: SqlitePool,
        probe: SqlitePool,
    },
    Postgres {
        writers: PgPool,
        commits: Arc<Semaphore>,
        head: Arc<Semaphore>,
        rows: Arc<Rows>,
        readers: PgPool,
        probe: PgPool,
    },
}

/// SQLite's one writing connection, with the operations aboard its open transaction.
struct Writer {
    connection: SqliteConnection,
    open: bool,
    aboard: Vec<oneshot::Sender<std::result::Result<(), String>>>,
}

impl Db {
    /// Opens (and makes) the database file, with the settings that durability rests on.
    pub async fn sqlite(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .statement_cache_capacity(400);
        let connection = SqliteConnection::connect_with(&options).await?;
        let reading = options.create_if_missing(false).read_only(true);
        let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(PATIENCE);
        let readers = pool(READERS_SQLITE).connect_lazy_with(reading.clone());
        let probe = pool(1).connect_lazy_with(reading);
        let writer = Writer { connection, open: false, aboard: Vec::new() };
        let kind = Kind::Sqlite { writer: Arc::new(Mutex::new(writer)), queued: Arc::default(), readers, probe };
        Ok(Self { kind, unseen: false, seal: None })
    }

    pub async fn postgres(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("countersign")
            .options([("idle_in_transaction_session_timeout", "1000"), ("lock_timeout", "4000")])
            .statement_cache_capacity(400);
        let pool = |most| PgPoolOptions::new().max_connections(most).acquire_timeout(PATIENCE);
        let readers = pool(READERS_POSTGRES).connect_with(options.clone()).await?;
        let writers = pool(COMMITS as u32).connect_lazy_with(options.clone());
        let probe = pool(1).connect_lazy_with(options);
        let (durable,): (String,) = sqlx::query_as("SHOW synchronous_commit").fetch_one(&readers).await?;
        if durable == "off" || durable == "local" {
            return Err(Error::Unfit(format!(
                "synchronous_commit is {durable}: events would not be durable; set it to on"
            )));
        }
        let (commits, head) = (Arc::new(Semaphore::new(COMMITS)), Arc::new(Semaphore::new(AT_HEAD)));
        let rows = Arc::default();
        Ok(Self { kind: Kind::Postgres { writers, commits, head, rows, readers, probe }, unseen: false, seal: None })
    }

    /// The same database with the key of its rows' seals.
    pub fn keyed(&self, key: &SealKey) -> Self {
        Self { seal: Some(key.clone()), ..self.clone() }
    }

    /// The same database for an onlooker who may read while others work: the tests.
    pub fn unseen(&self) -> Self {
        Self { unseen: true, ..self.clone() }
    }

    /// How many changes get on at the same time.
    pub fn writers(&self) -> usize {
        if self.is_postgres() { COMMITS } else { 1 }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres { .. })
    }

    /// Brings the schema up to this binary's version; refuses a schema that is newer than the binary, and one from before [`OLDEST`].
    pub async fn migrate(&self) -> Result<()> {
        const NEWEST: &str = "SELECT MAX(version) FROM _sqlx_migrations";
        match &self.kind {
            Kind::Sqlite { writer, .. } => {
                let connection = &mut writer.lock().await.connection;
                takes_over(sqlx::query_as(NEWEST).fetch_one(&mut *connection).await)?;
                SQLITE.run(&mut *connection).await?;
            }
            Kind::Postgres { writers, .. } => {
                takes_over(sqlx::query_as(NEWEST).fetch_one(writers).await)?;
                POSTGRES.run(writers).await?;
            }
        }
        Ok(())
    }

    /// The names of the migrations that this binary knows, oldest first.
    pub fn migrations(&self) -> Vec<String> {
        let known = if self.is_postgres() { &POSTGRES } else { &SQLITE };
        known
            .iter()
            .map(|migration| format!("{:04}_{}", migration.version, migration.description.replace(' ', "_")))
            .collect()
    }

    /// What stands between this service and its tables, and no migration put there: triggers, rules, policies of rows, views in the
    /// place of tables. With them the owner of the database can change what is written and hide what is read.
    pub async fn in_between(&self) -> Result<Vec<String>> {
        let known = if self.is_postgres() { &POSTGRES } else { &SQLITE };
        let ours: String = known.iter().map(|migration| migration.sql.as_str()).collect();
        let is_table = |name: &str| ours.contains(&format!("CREATE TABLE {name} ("));
        let mut db = self.read().await?;
        if !self.is_postgres() {
            let rows: Vec<(String, String, String)> = db
                .sql("SELECT type || ' ' || name, tbl_name, COALESCE(sql, '') FROM sqlite_master WHERE type IN ('trigger', 'view')")
                .all()
                .await?;
            let foreign = rows.into_iter().filter(|(_, table, sql)| is_table(table) && !ours.contains(sql.as_str()));
            return Ok(foreign.map(|(what, table, _)| format!("{what} on {table}")).collect());
        }
        // By the catalogue's full names: nothing of the owner's can stand before them.
        let triggers: Vec<(String, String, String)> = db
            .sql(
                "SELECT t.tgname::text, c.relname::text, p.prosrc::text FROM pg_catalog.pg_trigger t \
                 JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
                 WHERE NOT t.tgisinternal AND c.relnamespace = pg_catalog.current_schema()::text::pg_catalog.regnamespace",
            )
            .all()
            .await?;
        let is_ours = |name: &str, body: &str| ours.contains(&format!("CREATE TRIGGER {name} ")) && ours.contains(body);
        let mut found: Vec<String> = triggers
            .into_iter()
            .filter(|(name, table, body)| is_table(table) && !is_ours(name, body))
            .map(|(name, table, _)| format!("trigger {name} on {table}"))
            .collect();
        let tables: Vec<(String, String)> = db
            .sql(
                "SELECT c.relname::text, CASE WHEN c.relkind <> 'r' THEN 'another thing in the place of' \
                 WHEN c.relhasrules THEN 'a rule on' ELSE 'a policy of rows on' END FROM pg_catalog.pg_class c \
                 WHERE c.relnamespace = pg_catalog.current_schema()::text::pg_catalog.regnamespace \
                 AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND (c.relkind <> 'r' OR c.relhasrules OR c.relrowsecurity)",
            )
            .all()
            .await?;
        let foreign = tables.into_iter().filter(|(table, _)| is_table(table));
        found.extend(foreign.map(|(table, what)| format!("{what} {table}")));
        Ok(found)
    }

    /// Takes a reader, after at most [`PATIENCE`]. A request has one at a time: see [`held`].
    pub async fn read(&self) -> Result<Reader> {
        if !self.unseen {
            held::nothing_is_held("a second reader");
        }
        let connection = match &self.kind {
            Kind::Sqlite { readers, .. } => Connected::Sqlite(readers.acquire().await?),
            Kind::Postgres { readers, .. } => Connected::Postgres(readers.acquire().await?),
        };
        let held = if self.unseen { Held::unseen() } else { Held::now() };
        Ok(Reader { connection, seal: self.seal.clone(), _held: held })
    }

    /// A reader for the question whether the service is ready: no request shares it.
    pub async fn probe(&self) -> Result<Reader> {
        let connection = match &self.kind {
            Kind::Sqlite { probe, .. } => Connected::Sqlite(probe.acquire().await?),
            Kind::Postgres { probe, .. } => Connected::Postgres(probe.acquire().await?),
        };
        Ok(Reader { connection, seal: self.seal.clone(), _held: Held::now() })
    }

    /// Begins a writing transaction. Dropping it undoes it.
    pub async fn begin(&self) -> Result<Transaction> {
        if !self.unseen {
            held::nothing_is_held("the ledger");
        }
        match &self.kind {
            Kind::Sqlite { writer, queued, .. } => {
                let turn = Turn::queue(writer, queued);
                let guard = writer.clone().lock_owned().await;
                turn.reached();
                let mut tx =
                    Transaction(Began::Sqlite { guard: Some(guard), queued: queued.clone() }, self.seal.clone());
                if let Began::Sqlite { guard: Some(writer), .. } = &mut tx.0 {
                    if !writer.open {
                        sqlx::query("BEGIN IMMEDIATE").execute(&mut writer.connection).await?;
                        writer.open = true;
                    }
                    sqlx::query("SAVEPOINT operation").execute(&mut writer.connection).await?;
                }
                Ok(tx)
            }
            Kind::Postgres { writers, commits, head, rows, .. } => {
                let permit = tokio::time::timeout(PATIENCE, commits.clone().acquire_owned()).await;
                let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
                let transaction = Some(answered(writers.begin()).await?);
                let (pool, head, at_head) = (writers.clone(), head.clone(), None);
                let (rows, turns) = (rows.clone(), Vec::new());
                let began = Began::Postgres { transaction, pool, head, at_head, rows, turns, _permit: permit };
                Ok(Transaction(began, self.seal.clone()))
            }
        }
    }

    /// Makes SQLite refuse to grow beyond what it has now, as a full disk does; or lets it grow again.
    pub async fn limit_pages(&self, limited: bool) -> Result<()> {
        if let Kind::Sqlite { writer, .. } = &self.kind {
            let mut writer = writer.lock().await;
            let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count").fetch_one(&mut writer.connection).await?;
            let most = if limited { pages + 200 } else { i64::from(u32::MAX - 1) };
            sqlx::query(AssertSqlSafe(format!("PRAGMA max_page_count = {most}")))
                .execute(&mut writer.connection)
                .await?;
        }
        Ok(())
    }

    /// Commits without waiting for the disk, on SQLite: for making a demonstration, which can be made again.
    pub async fn relax(&self) -> Result<()> {
        if let Kind::Sqlite { writer, .. } = &self.kind {
            sqlx::query("PRAGMA synchronous = OFF").execute(&mut writer.lock().await.connection).await?;
        }
        Ok(())
    }

    /// Everything written so far is on the disk, and further commits wait for it again.
    pub async fn settle(&self) -> Result<()> {
        if let Kind::Sqlite { writer, .. } = &self.kind {
            let mut writer = writer.lock().await;
            for pragma in ["PRAGMA synchronous = FULL", "PRAGMA wal_checkpoint(TRUNCATE)"] {
                sqlx::query(pragma).execute(&mut writer.connection).await?;
            }
        }
        Ok(())
    }

    /// The server's own time, where the database is one: what replicas have in common.
    pub async fn time(&self) -> Result<Option<DateTime<Utc>>> {
        match &self.kind {
            Kind::Sqlite { .. } => Ok(None),
            Kind::Postgres { probe, .. } => {
                let asked = sqlx::query_as("SELECT clock_timestamp()").fetch_one(probe);
                let (now,): (DateTime<Utc>,) = answered(asked).await?;
                Ok(Some(now))
            }
        }
    }

    pub async fn close(&self) {
        match &self.kind {
            Kind::Sqlite { readers, probe, .. } => {
                readers.close().await;
                probe.close().await;
            }
            Kind::Postgres { writers, readers, probe, .. } => {
                writers.close().await;
                readers.close().await;
                probe.close().await;
            }
        }
    }
}

/// Is there no schema yet, or one that this binary goes on from? Nothing is changed before that is known.
fn takes_over(newest: sqlx::Result<(Option<i64>,)>) -> Result<()> {
    match newest {
        Ok((Some(newest),)) if newest < OLDEST => Err(Error::Unfit(
            "it was made before events and projects had seals, and seals cannot be added afterwards: export what you need with the version that made it, and start with a new installation"
                .into(),
        )),
        // Without the table there is no schema; whatever else is wrong is said when it is made.
        _ => Ok(()),
    }
}

/// A place in SQLite's queue of writers. Whoever leaves it early makes sure that nobody waits for a commit in vain.
struct Turn<'a> {
    writer: &'a Arc<Mutex<Writer>>,
    queued: &'a Arc<AtomicUsize>,
    reached: bool,
}

impl<'a> Turn<'a> {
    fn queue(writer: &'a Arc<Mutex<Writer>>, queued: &'a Arc<AtomicUsize>) -> Self {
        queued.fetch_add(1, Ordering::SeqCst);
        Self { writer, queued, reached: false }
    }

    fn reached(mut self) {
        self.reached = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.queued.fetch_sub(1, Ordering::SeqCst);
        if !self.reached {
            let (writer, queued) = (self.writer.clone(), self.queued.clone());
            tokio::spawn(async move { writer.lock().await.commit_if_last(&queued).await });
        }
    }
}

impl Writer {
    /// Takes the finished operation aboard and commits when nobody else is coming, or enough are aboard.
    async fn release(&mut self, queued: &AtomicUsize) -> Result<oneshot::Receiver<std::result::Result<(), String>>> {
        if let Err(error) = sqlx::query("RELEASE operation").execute(&mut self.connection).await {
            self.fail(&error.to_string()).await;
            return Err(error.into());
        }
        let (done, committed) = oneshot::channel();
        self.aboard.push(done);
        if self.aboard.len() >= BATCH {
            self.commit().await;
        } else {
            self.commit_if_last(queued).await;
        }
        Ok(committed)
    }

    async fn undo(&mut self) -> Result<()> {
        if let Err(error) = sqlx::query("ROLLBACK TO operation").execute(&mut self.connection).await {
            self.fail(&error.to_string()).await;
            return Err(error.into());
        }
        Ok(())
    }

    /// SQLite rolled the whole transaction back by itself (a full disk, say), or its state is unknown: everybody aboard is told.
    async fn fail(&mut self, why: &str) {
        tracing::error!(why, "the open transaction is given up");
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        self.open = false;
        for waiter in self.aboard.drain(..) {
            let _ = waiter.send(Err(why.to_owned()));
        }
    }

    async fn commit_if_last(&mut self, queued: &AtomicUsize) {
        if self.open && queued.load(Ordering::SeqCst) == 0 {
            self.commit().await;
        }
    }

    async fn commit(&mut self) {
        let answer = match sqlx::query("COMMIT").execute(&mut self.connection).await {
            Ok(_) => Ok(()),
            Err(error) => {
                if io_error(&error) {
                    // What is on disk is unknown, and an fsync is never tried twice: start again from the log.
                    tracing::error!(%error, "the database's storage failed at COMMIT; stopping");
                    std::process::abort();
                }
                let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
                Err(error.to_string())
            }
        };
        self.open = false;
        for waiter in self.aboard.drain(..) {
            let _ = waiter.send(answer.clone());
        }
    }
}

/// What a server answers, within [`ANSWER`]: behind a line that fell silent nobody is kept waiting.
async fn answered<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let silent = || sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer"));
    // On the heap: what is awaited here lies at the bottom of every request.
    tokio::time::timeout(ANSWER, Box::pin(asked)).await.unwrap_or_else(|_| Err(silent()))
}

/// SQLITE_IOERR and its extended codes.
fn io_error(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 10)
}

/// A writing transaction: nothing of it lasts unless the ledger commits it.
pub struct Transaction(Began, Option<SealKey>);

enum Began {
    Sqlite {
        guard: Option<OwnedMutexGuard<Writer>>,
        queued: Arc<AtomicUsize>,
    },
    Postgres {
        transaction: Option<sqlx::Transaction<'static, Postgres>>,
        pool: PgPool,
        head: Arc<Semaphore>,
        at_head: Option<OwnedSemaphorePermit>,
        rows: Arc<Rows>,
        turns: Vec<(String, RowTurn)>,
        _permit: OwnedSemaphorePermit,
    },
}

impl Transaction {
    /// Makes the operation durable. Returns after the COMMIT that carried it. Only `audit/ledger.rs` calls this.
    pub async fn commit(mut self) -> Result<()> {
        match &mut self.0 {
            Began::Sqlite { guard, queued } => {
                let Some(mut writer) = guard.take() else { return Err(sqlx::Error::PoolClosed.into()) };
                let committed = writer.release(queued).await?;
                drop(writer);
                match committed.await {
                    Ok(answer) => answer.map_err(Error::Commit),
                    Err(_) => Err(Error::Commit("the writer stopped".into())),
                }
            }
            Began::Postgres { transaction, .. } => {
                let Some(transaction) = transaction.take() else { return Err(sqlx::Error::PoolClosed.into()) };
                Ok(answered(transaction.commit()).await?)
            }
        }
    }

    /// Waits for a turn at the ledger's head, the last lock that an operation takes.
    pub async fn reach_head(&mut self) -> Result<()> {
        if let Began::Postgres { head, at_head: at_head @ None, .. } = &mut self.0 {
            let permit = tokio::time::timeout(PATIENCE, head.clone().acquire_owned()).await;
            *at_head = Some(permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?);
        }
        Ok(())
    }

    /// Undoes everything since the beginning; the transaction goes on empty.
    pub async fn undo(&mut self) -> Result<()> {
        match &mut self.0 {
            Began::Sqlite { guard: Some(writer), .. } => writer.undo().await,
            Began::Postgres { transaction, pool, at_head, turns, .. } => {
                *at_head = None;
                turns.clear();
                if let Some(old) = transaction.take() {
                    answered(old.rollback()).await?;
                }
                *transaction = Some(answered(pool.begin()).await?);
                Ok(())
            }
            Began::Sqlite { guard: None, .. } => Err(sqlx::Error::PoolClosed.into()),
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Began::Sqlite { guard, queued } = &mut self.0
            && let Some(mut writer) = guard.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let queued = queued.clone();
            runtime.spawn(async move {
                if writer.open && writer.undo().await.is_ok() {
                    if let Err(error) = sqlx::query("RELEASE operation").execute(&mut writer.connection).await {
                        writer.fail(&error.to_string()).await;
                    }
                    writer.commit_if_last(&queued).await;
                }
            });
        }
    }
}

/// A connection for reading alone.
pub struct Reader {
    connection: Connected,
    seal: Option<SealKey>,
    _held: Held,
}

enum Connected {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// Whatever can run a statement: a reader, or an operation's transaction.
pub trait Sql: Send {
    fn sql(&mut self, statement: impl Into<Statement>) -> Query<'_>;

    /// What rows that open access are sealed with, where it is known.
    fn seal_key(&self) -> Option<&SealKey>;
}

impl Sql for Reader {
    fn seal_key(&self) -> Option<&SealKey> {
        self.seal.as_ref()
    }

    fn sql(&mut self, statement: impl Into<Statement>) -> Query<'_> {
        let text = statement.into().text;
        match &mut self.connection {
            Connected::Sqlite(connection) => Query::Sqlite(&mut *connection, sqlx::query(AssertSqlSafe(text))),
            Connected::Postgres(connection) => Query::Postgres(&mut *connection, sqlx::query(AssertSqlSafe(text))),
        }
    }
}

impl Sql for Transaction {
    fn seal_key(&self) -> Option<&SealKey> {
        self.1.as_ref()
    }

    #[allow(clippy::panic, reason = "a finished transaction is consumed: there is none to call this on")]
    fn sql(&mut self, statement: impl Into<Statement>) -> Query<'_> {
        let text = statement.into().text;
        match &mut self.0 {
            Began::Sqlite { guard: Some(writer), .. } => {
                Query::Sqlite(&mut writer.connection, sqlx::query(AssertSqlSafe(text)))
            }
            Began::Postgres { transaction: Some(transaction), .. } => {
                Query::Postgres(&mut *transaction, sqlx::query(AssertSqlSafe(text)))
            }
            Began::Sqlite { guard: None, .. } | Began::Postgres { transaction: None, .. } => {
                panic!("a statement after the end of its transaction")
            }
        }
    }
}

impl Transaction {
    /// A SELECT that keeps its rows for this transaction: `FOR UPDATE` where there is more than one writer.
    pub fn lock(&mut self, select: impl Into<Statement>) -> Query<'_> {
        let mut statement = select.into();
        if matches!(self.0, Began::Postgres { .. }) {
            // Keys never change: rows that others only refer to stay free for them.
            statement.text.push_str(" FOR NO KEY UPDATE");
        }
        self.sql(statement)
    }

    /// The row with this id, kept for this transaction.
    pub async fn lock_one<R: SealedRow + Row>(&mut self, id: &str) -> Result<Option<R>> {
        self.queue_for(id).await?;
        let mut statement = Statement::from(R::SELECT);
        statement.push(" WHERE id = $1");
        self.lock(statement).bind(id.to_owned()).optional().await
    }

    /// Queues for the row with this key, which this transaction is about to lock or to insert: see [`crate::rows`].
    pub async fn queue_for(&mut self, key: &str) -> Result<()> {
        if let Began::Postgres { rows, turns, .. } = &mut self.0
            && !turns.iter().any(|(held, _)| held == key)
        {
            let turn = tokio::time::timeout(PATIENCE, rows.turn(key)).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
            turns.push((key.to_owned(), turn));
        }
        Ok(())
    }

    /// Waits until no other transaction is at what has this name: for a rule about many rows, also such as are not there yet. Where
    /// there is one writer it has its turn already.
    pub async fn take_turn(&mut self, name: &'static str) -> Result<()> {
        if matches!(self.0, Began::Postgres { .. }) {
            self.sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(name).execute().await?;
        }
        Ok(())
    }
}

/// The text of a statement. It grows from text in the source alone, never from data.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    text: String,
    binds: usize,
}

impl From<&'static str> for Statement {
    fn from(text: &'static str) -> Self {
        Self { text: text.into(), binds: 0 }
    }
}

/// A table's columns, and what narrows them.
pub fn select(columns: &'static str, rest: &'static str) -> Statement {
    let mut statement = Statement::from(columns);
    statement.push(rest);
    statement
}

impl Statement {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds the next numbered placeholder; values are bound in the same order.
    pub fn placeholder(&mut self) -> &mut Self {
        self.binds += 1;
        self.text.push('$');
        self.text.push_str(&self.binds.to_string());
        self
    }

    /// `($1, $2, …), ($n, …)` for `rows` rows of `columns` values.
    pub fn rows(&mut self, rows: usize, columns: usize) -> &mut Self {
        for row in 0..rows {
            self.text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                if column > 0 {
                    self.text.push_str(", ");
                }
                self.placeholder();
            }
            self.text.push(')');
        }
        self
    }
}

pub trait Bind:
    Send + 'static + Type<Sqlite> + for<'q> Encode<'q, Sqlite> + Type<Postgres> + for<'q> Encode<'q, Postgres>
{
}
impl<T> Bind for T where
    T: Send + 'static + Type<Sqlite> + for<'q> Encode<'q, Sqlite> + Type<Postgres> + for<'q> Encode<'q, Postgres>
{
}

pub trait Row: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}
impl<T> Row for T where T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

pub enum Query<'t> {
    Sqlite(&'t mut SqliteConnection, sqlx::query::Query<'static, Sqlite, SqliteArguments>),
    Postgres(&'t mut sqlx::PgConnection, sqlx::query::Query<'static, Postgres, PgArguments>),
}

impl Query<'_> {
    pub fn bind<T: Bind>(self, value: T) -> Self {
        match self {
            Self::Sqlite(connection, query) => Self::Sqlite(connection, query.bind(value)),
            Self::Postgres(connection, query) => Self::Postgres(connection, query.bind(value)),
        }
    }

    pub async fn optional<T: Row>(self) -> Result<Option<T>> {
        Ok(match self {
            Self::Sqlite(connection, query) => {
                query.fetch_optional(connection).await?.map(|row| T::from_row(&row)).transpose()?
            }
            Self::Postgres(connection, query) => {
                answered(query.fetch_optional(connection)).await?.map(|row| T::from_row(&row)).transpose()?
            }
        })
    }

    pub async fn one<T: Row>(self) -> Result<T> {
        Ok(match self {
            Self::Sqlite(connection, query) => T::from_row(&query.fetch_one(connection).await?)?,
            Self::Postgres(connection, query) => T::from_row(&answered(query.fetch_one(connection)).await?)?,
        })
    }

    pub async fn all<T: Row>(self) -> Result<Vec<T>> {
        Ok(match self {
            Self::Sqlite(connection, query) => {
                query.fetch_all(connection).await?.iter().map(T::from_row).collect::<sqlx::Result<_>>()?
            }
            Self::Postgres(connection, query) => {
                answered(query.fetch_all(connection)).await?.iter().map(T::from_row).collect::<sqlx::Result<_>>()?
            }
        })
    }

    /// How many rows were written.
    pub async fn execute(self) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(connection, query) => query.execute(connection).await?.rows_affected(),
            Self::Postgres(connection, query) => answered(query.execute(connection)).await?.rows_affected(),
        })
    }
}
