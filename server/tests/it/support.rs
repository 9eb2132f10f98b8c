//! A world for one story: a database of its own, a clock that stands still, real keys and ledger.
use app::time::Moment;
use server::{
    audit::anchor::{Anchor, Anchors},
    clock::Clock,
    db::Db,
    instance::{self, Instance},
    keys::KeyFiles,
};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

pub struct World {
    pub instance: Instance,
    pub clock: Clock,
    pub files: KeyFiles,
    pub folder: TempDir,
    pub url: Option<String>,
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
                if let Some(world) = World::postgres().await {
                    tell(world).await;
                }
            }
        }
    };
}

pub fn start() -> Moment {
    app::time::parse_rfc3339("2026-11-23T08:00:00.000000Z").unwrap()
}

/// A new, empty database on the private PostgreSQL of the tests, if there is one.
pub async fn fresh_postgres() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("COUNTERSIGN_TEST_POSTGRES").ok()?;
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    let mut connection = PgConnection::connect(&server).await.expect("COUNTERSIGN_TEST_POSTGRES is a server");
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}

impl World {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&folder.path().join("countersign.db")).await.unwrap();
        Self::with(db, folder, None).await
    }

    /// A database of its own on the server that the environment names; without one, no story.
    pub async fn postgres() -> Option<Self> {
        let url = fresh_postgres().await?;
        let db = Db::postgres(&url).await.unwrap();
        Some(Self::with(db, tempfile::tempdir().unwrap(), Some(url)).await)
    }

    async fn with(db: Db, folder: TempDir, url: Option<String>) -> Self {
        db.migrate().await.unwrap();
        let clock = Clock::fixed(start());
        let files = KeyFiles::random().unwrap();
        instance::create(&db, &files, clock.clone(), false).await.unwrap();
        let anchors = Anchors::new(vec![Anchor::Folder(folder.path().join("anchor"))]);
        let mut instance = Instance::attach(db, &files, clock.clone(), anchors).await.unwrap();
        instance.folder = Some(folder.path().to_owned());
        instance.private = vec!["127.0.0.1/32".parse().unwrap()];
        Self { instance, clock, files, folder, url }
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
