//! What lies between a replica and its database, and between two replicas: answers that are lost, lines that fall silent, processes
//! that are paused, clocks that are off. All on a real PostgreSQL; SQLite has no line.
use crate::{
    cast::Cast,
    http::{BASE, Browser},
    process::{exchange, free, run, serve_with, token, with_a_workload},
    support::{World, fresh_postgres, needed},
};
use app::{audit::action::Action, error::Error};
use axum::http::StatusCode;
use server::{
    audit::event::{Event, Who},
    config::Settings,
    console::Console,
    db::Db,
    http::{Site, router},
    instance::Instance,
};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// What the line between a console and its database does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Good,
    /// Every connection is closed, and each new one at once.
    Down,
    /// Nothing is carried any more, in either direction.
    Silent,
    /// The next COMMIT is carried out, and its answer cut off.
    AnswerLost,
    /// The next COMMIT does not arrive.
    CommitLost,
    /// The next COMMIT is carried out, its answer cut off, and then the line is down.
    AnswerLostThenDown,
}

/// A line that can break, to the database at an address.
struct Relay {
    url: String,
    line: watch::Sender<Line>,
}

impl Relay {
    async fn to(url: &str) -> Self {
        // postgres://user@%2Ffolder:port/name
        let (user, place) = url.strip_prefix("postgres://").unwrap().split_once('@').unwrap();
        let (server, name) = place.split_once('/').unwrap();
        let (folder, port) = server.rsplit_once(':').unwrap();
        let socket = format!("{}/.s.PGSQL.{port}", folder.replace("%2F", "/"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let line = watch::Sender::new(Line::Good);
        let state = line.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, socket.clone(), state.clone()));
            }
        });
        Self { url: format!("postgres://{user}@{here}/{name}?sslmode=disable"), line }
    }

    fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

fn says_commit(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|bytes| bytes == b"COMMIT\0")
}

async fn carry(mut client: TcpStream, socket: String, line: watch::Sender<Line>) {
    let mut state = line.subscribe();
    let mut server = UnixStream::connect(socket).await.unwrap();
    let (mut up, mut down) = ([0; 8192], [0; 8192]);
    loop {
        let now = *state.borrow_and_update();
        if now == Line::Down {
            return;
        }
        if now == Line::Silent {
            state.changed().await.unwrap();
            continue;
        }
        tokio::select! {
            changed = state.changed() => changed.unwrap(),
            read = client.read(&mut up) => {
                let Ok(read @ 1..) = read else { return };
                if now == Line::CommitLost && says_commit(&up[..read]) {
                    line.send_replace(Line::Good);
                    return;
                }
                server.write_all(&up[..read]).await.unwrap();
            }
            read = server.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                if matches!(now, Line::AnswerLost | Line::AnswerLostThenDown) && says_commit(&down[..read]) {
                    line.send_replace(if now == Line::AnswerLost { Line::Good } else { Line::Down });
                    return;
                }
                if client.write_all(&down[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The console of the same installation, behind a line that can break.
async fn behind(world: &World) -> (Console, Relay) {
    let relay = Relay::to(world.url.as_deref().unwrap()).await;
    let db = Db::postgres(&relay.url).await.unwrap();
    let instance = Instance::attach(db, &world.files, world.clock.clone(), world.anchors()).await.unwrap();
    (Console::new(&instance, "Test").unwrap(), relay)
}

async fn beats(world: &World) -> i64 {
    let mut connection =
        <sqlx::PgConnection as sqlx::Connection>::connect(world.url.as_deref().unwrap()).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE action = 'service.heartbeat'")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_commit_is_found_out() {
    let world = World::postgres().await;
    let (console, relay) = behind(&world).await;
    let write = async || console.ledger.observe(&Who::system("test"), Event::new(Action::Heartbeat)).await;
    write().await.unwrap();
    let before = beats(&world).await;
    // It was done, and that is said.
    relay.set(Line::AnswerLost);
    let receipt = write().await.unwrap();
    assert_eq!(beats(&world).await, before + 1);
    // It was not done, and the next one has its place.
    relay.set(Line::CommitLost);
    let failed = write().await;
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(beats(&world).await, before + 1);
    let next = write().await.unwrap();
    assert_eq!(next.seq, receipt.seq + 1);
    // Nobody can be asked: it may have been done.
    relay.set(Line::AnswerLostThenDown);
    let begun = Instant::now();
    assert_eq!(write().await.err(), Some(Error::Uncertain));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(beats(&world).await, before + 3);
    relay.set(Line::Good);
    assert_eq!(write().await.unwrap().seq, next.seq + 2);
}

/// Each page and the question for readiness, and how long the slowest took.
async fn all_refused(browser: &mut Browser) -> Duration {
    let begun = Instant::now();
    for path in ["/", "/projects", "/requests", "/readyz"] {
        let asked = Instant::now();
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text);
        assert!(path == "/readyz" || answer.headers.contains_key("retry-after"), "{path}");
        assert!(asked.elapsed() < Duration::from_secs(4), "{path}: {:?}", asked.elapsed());
    }
    assert_eq!(browser.get("/livez").await.status, StatusCode::OK);
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_said_within_seconds() {
    let world = World::postgres().await;
    let cast = Cast::new(world).await;
    let (console, relay) = behind(&cast.world).await;
    let router = router(Site::new(console, BASE, None, true));
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    assert_eq!(mara.get("/").await.status, StatusCode::OK);
    for line in [Line::Down, Line::Silent] {
        relay.set(line);
        // What is under way when it breaks is one question longer.
        let _ = mara.get("/").await;
        let took = all_refused(&mut mara).await;
        assert!(took < Duration::from_secs(12), "{line:?}: {took:?}");
        relay.set(Line::Good);
        let begun = Instant::now();
        while mara.get("/readyz").await.status != StatusCode::OK {
            assert!(begun.elapsed() < Duration::from_secs(10), "{line:?}: it did not come back");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(mara.get("/").await.status, StatusCode::OK, "{line:?}");
    }
}

/// An installation on PostgreSQL: where its first replica has its data, its keys, its address and a client secret.
async fn installed(folder: &Path) -> (String, String, String) {
    let url = fresh_postgres(None).await;
    let one = folder.join("one");
    let (code, said) = run(&["init", "--data", one.to_str().unwrap(), "--database", &url]);
    assert_eq!(code, 0, "{said}");
    let settings = Settings { data: Some(one), database: Some(url.clone()), ..Settings::default() };
    let secret = with_a_workload(settings).await;
    (url, folder.join("one.keys").to_str().unwrap().to_owned(), secret)
}

fn signal(process: &std::process::Child, name: &str) {
    let sent = Command::new("kill").args([name, &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_replica_holds_the_other_up_for_seconds_at_most() {
    // A PostgreSQL under faketime hung here twice, perhaps in the signal handler of a timer; without faketime it did not.
    if std::env::var_os("FAKETIME").is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (url, keys, secret) = installed(folder.path()).await;
    let more = ["--database", &url, "--keys", &keys];
    let (here, there) = (free(), free());
    let mut first = serve_with(&folder.path().join("one"), here, &more);
    let mut second = serve_with(&folder.path().join("two"), there, &more);
    let mut slowest = Duration::ZERO;
    for round in 0..3_u64 {
        // Enough of them at the first one that it has some at the head of the ledger at any time.
        let mut busy = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let secret = secret.clone();
            busy.spawn(async move { while token(here, &secret).await.is_some() {} });
        }
        tokio::time::sleep(Duration::from_millis(150 + 37 * round)).await;
        signal(&first, "-STOP");
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            let begun = Instant::now();
            let answer = exchange(there, &secret).await.unwrap();
            assert_eq!(answer.0, 200, "the other goes on, after {:?}: {}", begun.elapsed(), answer.1);
            slowest = slowest.max(begun.elapsed());
        }
        signal(&first, "-CONT");
        busy.abort_all();
        while token(here, &secret).await.is_none() {
            assert!(until.elapsed() < Duration::from_secs(10), "it works again");
        }
    }
    assert!(slowest < Duration::from_secs(4), "{slowest:?}");
    for process in [&mut first, &mut second] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let one = folder.path().join("one");
    let (code, said) =
        run(&["audit", "verify", "--deep", "--state", "--data", one.to_str().unwrap(), "--database", &url]);
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_off_does_not_start() {
    let library = needed("COUNTERSIGN_TEST_FAKETIME");
    let folder = tempfile::tempdir().unwrap();
    let (url, keys, _) = installed(folder.path()).await;
    // The whole run may be told another time.
    let told =
        std::env::var("FAKETIME").ok().and_then(|told| told.trim_end_matches('s').parse::<i64>().ok()).unwrap_or(0);
    for (off, said) in [(300, "300 s ahead of"), (-300, "300 s behind")] {
        let out = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["serve", "--listen", &free().to_string(), "--database", &url, "--keys", &keys, "--data"])
            .arg(folder.path().join("two"))
            .env("LD_PRELOAD", &library)
            .env("FAKETIME", format!("{:+}s", told + off))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        let near = said.replace("300", "299");
        assert!(out.status.code() == Some(1) && (text.contains(said) || text.contains(&near)), "{off}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_runs_away_turns_readiness_red() {
    let world = World::postgres().await;
    let cast = Cast::new(world).await;
    let router = router(Site::new(cast.console.clone(), BASE, None, true));
    let theirs = cast.console.db().time().await.unwrap().unwrap();
    for (off, status) in [(0, StatusCode::OK), (300, StatusCode::SERVICE_UNAVAILABLE), (1, StatusCode::OK)] {
        cast.world.clock.set(theirs + chrono::TimeDelta::seconds(off));
        server::jobs::compare_clocks(&cast.console).await.unwrap();
        let ready = Browser::new(&router).get("/readyz").await;
        assert_eq!(ready.status, status, "{off}: {}", ready.text);
        assert_eq!(ready.text.contains("\"clock\":\"failing\""), status != StatusCode::OK);
    }
}
