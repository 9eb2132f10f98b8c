//! A world for one story: a database of its own, a clock that stands still, real keys and ledger. Every world of a process has the
//! same keys, because it is a copy of one that was made once.
use app::time::Moment;
use server::{
    audit::anchor::{Anchor, Anchors},
    clock::Clock,
    db::Db,
    held,
    instance::{self, Instance},
    keys::KeyFiles,
};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;

pub struct World {
    pub instance: Instance,
    pub clock: Clock,
    pub files: KeyFiles,
    pub folder: TempDir,
    pub url: Option<String>,
    /// It is a copy of the one that was made first.
    pub is_copy: bool,
}

/// Declares one story as two tests.
#[macro_export]
macro_rules! story {
    ($(#[$doc:meta])* $name:ident, |$world:ident| $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::support::World;

            async fn tell(#[allow(unused_mut)] mut $world: World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                tell(World::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                tell(World::postgres().await).await;
            }
        }
    };
}

/// Does two things at the same time, each as a request of its own.
pub async fn together<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    tokio::join!(held::apart(one), held::apart(other))
}

pub fn start() -> Moment {
    app::time::parse_rfc3339("2026-11-23T08:00:00.000000Z").unwrap()
}

/// What `cargo xtask test` installs and starts for the tests. A story that needs it and finds none fails: it would say nothing.
pub fn needed(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask test` starts what this story needs"))
}

/// A new database on the private PostgreSQL of the tests: empty, or a copy of another.
pub async fn fresh_postgres(template: Option<&str>) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = needed("COUNTERSIGN_TEST_POSTGRES");
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    let mut connection = PgConnection::connect(&server).await.expect("COUNTERSIGN_TEST_POSTGRES is a server");
    let template = template.map(|url| url.rsplit_once('/').unwrap().1);
    let copy = template.map(|template| format!(" TEMPLATE {template}")).unwrap_or_default();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}{copy}"))).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// A database as it was left, to be copied: a world is made once for each process, then copied for each story.
#[derive(Clone)]
pub enum Template {
    Sqlite(Arc<Vec<u8>>),
    Postgres(String),
}

impl Template {
    /// Runs `make` on a runtime of its own, so that nothing of it stays behind with the story that came first.
    pub fn once<T: Send>(make: impl AsyncFnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                runtime.unwrap().block_on(make())
            });
            made.join().unwrap()
        })
    }

    /// Takes a world's database: nothing works on it any more.
    pub async fn take(world: World) -> Self {
        world.instance.db.settle().await.unwrap();
        world.instance.db.close().await;
        match &world.url {
            Some(url) => Self::Postgres(url.clone()),
            None => Self::Sqlite(Arc::new(std::fs::read(world.folder.path().join("countersign.db")).unwrap())),
        }
    }

    /// A copy of it in a folder: the database, and its address where it is PostgreSQL's.
    async fn copy(&self, folder: &Path) -> (Db, Option<String>) {
        match self {
            Self::Sqlite(bytes) => {
                let path = folder.join("countersign.db");
                std::fs::write(&path, &**bytes).unwrap();
                (Db::sqlite(&path).await.unwrap(), None)
            }
            Self::Postgres(template) => {
                let url = fresh_postgres(Some(template)).await;
                (Db::postgres(&url).await.unwrap(), Some(url))
            }
        }
    }
}

/// A migrated database with keys and a ledger, and nothing else.
#[derive(Clone)]
struct Empty {
    files: KeyFiles,
    database: Template,
}

impl Empty {
    fn sqlite() -> &'static Self {
        static EMPTY: OnceLock<Empty> = OnceLock::new();
        EMPTY.get_or_init(|| {
            Template::once(async || {
                let folder = tempfile::tempdir().unwrap();
                let db = Db::sqlite(&folder.path().join("countersign.db")).await.unwrap();
                Self::of(World::make(db, folder, None).await).await
            })
        })
    }

    fn postgres() -> &'static Self {
        static EMPTY: OnceLock<Empty> = OnceLock::new();
        EMPTY.get_or_init(|| {
            Template::once(async || {
                let url = fresh_postgres(None).await;
                let db = Db::postgres(&url).await.unwrap();
                Self::of(World::make(db, tempfile::tempdir().unwrap(), Some(url)).await).await
            })
        })
    }

    async fn of(world: World) -> Self {
        Self { files: world.files.clone(), database: Template::take(world).await }
    }
}

impl World {
    pub async fn sqlite() -> Self {
        Self::copied(Empty::sqlite()).await
    }

    /// A database of its own on the server that the environment names.
    pub async fn postgres() -> Self {
        Self::copied(Empty::postgres()).await
    }

    /// An installation with other keys than every other one, on SQLite.
    pub async fn foreign() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&folder.path().join("countersign.db")).await.unwrap();
        Self::make(db, folder, None).await
    }

    async fn copied(empty: &Empty) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (db, url) = empty.database.copy(folder.path()).await;
        Self { is_copy: true, ..Self::of(db, empty.files.clone(), folder, url).await }
    }

    async fn make(db: Db, folder: TempDir, url: Option<String>) -> Self {
        db.migrate().await.unwrap();
        let files = KeyFiles::random().unwrap();
        instance::create(&db, &files, Clock::fixed(start()), false).await.unwrap();
        Self::of(db, files, folder, url).await
    }

    async fn of(db: Db, files: KeyFiles, folder: TempDir, url: Option<String>) -> Self {
        // No story cuts the power.
        db.relax().await.unwrap();
        let clock = Clock::fixed(start());
        let anchors = Anchors::new(vec![Anchor::Folder(folder.path().join("anchor"))]);
        let mut instance = Instance::attach(db, &files, clock.clone(), anchors).await.unwrap();
        instance.folder = Some(folder.path().to_owned());
        instance.private = vec!["127.0.0.1/32".parse().unwrap()];
        Self { instance, clock, files, folder, url, is_copy: false }
    }

    /// Is it as it was copied? Then another state of the same installation may take its place.
    pub fn is_untouched(&self) -> bool {
        self.is_copy && self.clock.now() - start() < chrono::TimeDelta::minutes(1)
    }

    /// The same installation in another state.
    pub async fn turned_into(self, template: &Template) -> Self {
        self.instance.db.close().await;
        for left in ["countersign.db-wal", "countersign.db-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(left));
        }
        let Self { instance: old, files, folder, .. } = self;
        let (db, url) = template.copy(folder.path()).await;
        let mut world = Self::of(db, files, folder, url).await;
        world.instance.private = old.private;
        world.instance.witnesses = old.witnesses;
        world
    }

    pub fn anchors(&self) -> Anchors {
        Anchors::new(vec![Anchor::Folder(self.folder.path().join("anchor"))])
    }

    /// What a database owner can do behind the product's back.
    pub async fn as_database_owner(&self, statements: &[&str]) {
        match &self.url {
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                for statement in statements {
                    connection.execute(sqlx::AssertSqlSafe((*statement).to_owned())).await.unwrap();
                }
            }
            None => {
                let path = self.folder.path().join("countersign.db");
                let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
                for statement in statements {
                    connection.execute(sqlx::AssertSqlSafe((*statement).to_owned())).await.unwrap();
                }
            }
        }
    }

    /// Takes the triggers away, as a database owner can.
    pub async fn without_triggers(&self) {
        let tables = ["audit_events", "audit_tiles", "audit_checkpoints", "audit_disclosures"];
        if self.url.is_some() {
            for table in tables {
                self.as_database_owner(&[&format!("DROP TRIGGER {table}_keep ON {table}")]).await;
            }
        } else {
            for table in tables {
                for verb in ["update", "delete"] {
                    self.as_database_owner(&[&format!("DROP TRIGGER IF EXISTS {table}_keep_{verb}")]).await;
                }
            }
        }
    }
}
