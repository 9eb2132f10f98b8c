//! What a network and a server do to a rotation, with a real PostgreSQL behind a line that can break: answers lost after the
//! change was made, lines that take and never answer, servers that are away, accounts that may not, names that are hostile.
use crate::{
    cast::Cast,
    rotations::{Role, account, is_whole, make_role, rotation, run, takes, unlike_any},
    story,
    webhooks::Ring,
};
use app::rotations::model::{Choice, Grade, Step};
use chrono::TimeDelta;
use server::rotations::{self, postgres::Settings, rotator::Target};
use sqlx::Executor;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the line does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Good,
    /// Takes connections and never answers.
    HalfOpen,
    /// Closes every connection at once, as a server does that restarts.
    Down,
    /// Cuts the connection when the answer to `ALTER ROLE` would come: the change was made.
    AnswerLost,
    /// Breaks when `ALTER ROLE` is sent, which arrives at the server a while later all the same.
    Late,
    /// Every answer takes a while.
    Slow,
    /// Lets sign in, and never answers a question about sessions.
    Stalls,
}

const A_WHILE: std::time::Duration = std::time::Duration::from_millis(300);

/// A line to the real server that can break.
struct Proxy {
    endpoint: String,
    line: Arc<Mutex<Line>>,
}

impl Proxy {
    async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let line = Arc::new(Mutex::new(Line::Good));
        let (state, target) = (line.clone(), target.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), state.clone()));
            }
        });
        Self { endpoint, line }
    }

    fn set(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }
}

async fn carry(mut client: TcpStream, target: String, line: Arc<Mutex<Line>>) {
    let now = *line.lock().unwrap();
    match now {
        Line::Down => return,
        Line::HalfOpen => {
            let mut nothing = [0; 1024];
            while client.read(&mut nothing).await.is_ok_and(|read| read > 0) {}
            return;
        }
        Line::Good | Line::AnswerLost | Line::Late | Line::Slow | Line::Stalls => {}
    }
    let mut server = TcpStream::connect(target).await.unwrap();
    let (mut up, mut down) = ([0; 8192], [0; 8192]);
    let mut changing = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(read @ 1..) = read else { return };
                changing |= up[..read].windows(10).any(|bytes| bytes == b"ALTER ROLE");
                if now == Line::Stalls && up[..read].windows(16).any(|bytes| bytes == b"pg_stat_activity") {
                    let mut nothing = [0; 1024];
                    while client.read(&mut nothing).await.is_ok_and(|read| read > 0) {}
                    return;
                }
                if now == Line::Late && changing {
                    drop(client);
                    tokio::time::sleep(A_WHILE).await;
                    // Whoever sent it is gone; the server carries it out and answers nobody.
                    server.write_all(&up[..read]).await.unwrap();
                    while server.read(&mut down).await.is_ok_and(|read| read > 0) {}
                    return;
                }
                if server.write_all(&up[..read]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                // The command's own completion: it was carried out.
                let done = down[..read].windows(10).any(|bytes| bytes == b"ALTER ROLE");
                if now == Line::AnswerLost && changing && done {
                    return;
                }
                if now == Line::Slow {
                    tokio::time::sleep(A_WHILE).await;
                }
                if client.write_all(&down[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn through(role: &Role) -> Proxy {
    let proxy = Proxy::to(&role.endpoint).await;
    let settings = Settings { endpoints: vec![proxy.endpoint.clone()], ..role.settings() };
    role.plan(Target::Postgres(settings), 0).await;
    proxy
}

/// Rounds until something is waited for that only a person can do, or it ended.
async fn settle(role: &Role, id: &str) {
    for _ in 0..40 {
        run(&role.cast).await;
        let row = rotation(&role.cast, id).await;
        if row.ended_at.is_some() || row.step() == Step::NeedsPerson {
            return;
        }
        role.cast.world.clock.advance(TimeDelta::hours(1));
    }
}

story!(an_answer_that_is_lost_after_the_change_is_found_out, |world| {
    let role = Role::new(Cast::new(world).await, "lost").await;
    let proxy = through(&role).await;
    let id = role.start().await;
    proxy.set(Line::AnswerLost);
    run(&role.cast).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.attempts), (Step::SetUnknown, 1), "either value may be live: {:?}", row.reason);
    assert!(!takes(&role.endpoint, &role.role, "first-password-of-all").await, "it was changed");
    proxy.set(Line::Good);
    settle(&role, &id).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.grade()), (Step::Closed, Some(Grade::Proved)));
    let (user, password) = role.value(2).await;
    assert!(takes(&role.endpoint, &user, &password).await, "what is handed out works");
    is_whole(&role.cast).await;
});

story!(a_server_that_is_away_or_restarts_is_waited_for, |world| {
    let role = Role::new(Cast::new(world).await, "away").await;
    let proxy = through(&role).await;
    proxy.set(Line::Down);
    let id = role.start().await;
    for _ in 0..3 {
        run(&role.cast).await;
        role.cast.world.clock.advance(TimeDelta::minutes(5));
    }
    let row = rotation(&role.cast, &id).await;
    assert_eq!(row.step(), Step::Queued, "nothing was touched: {:?}", row.reason);
    assert!(takes(&role.endpoint, &role.role, "first-password-of-all").await);
    proxy.set(Line::Good);
    settle(&role, &id).await;
    assert_eq!(rotation(&role.cast, &id).await.grade(), Some(Grade::Proved));
    is_whole(&role.cast).await;
});

/// Ten seconds of silence for each look: once, on one database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_takes_and_never_answers_does_not_hang_the_engine() {
    let role = Role::new(Cast::new(crate::support::World::sqlite().await).await, "half").await;
    let proxy = through(&role).await;
    proxy.set(Line::HalfOpen);
    let id = role.start().await;
    let began = std::time::Instant::now();
    run(&role.cast).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(25), "{:?}", began.elapsed());
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.attempts), (Step::Queued, 1));
    assert!(row.reason.unwrap().contains("no answer in time"));
}

story!(a_change_that_arrives_late_is_the_same_change, |world| {
    let role = Role::new(Cast::new(world).await, "late").await;
    let proxy = through(&role).await;
    let id = role.start().await;
    proxy.set(Line::Late);
    run(&role.cast).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.attempts), (Step::SetUnknown, 1), "{:?}", row.reason);
    // Whoever asks now may hear that the old one works; by and by the first statement arrives.
    proxy.set(Line::Good);
    settle(&role, &id).await;
    tokio::time::sleep(2 * A_WHILE).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.grade(), row.to_version), (Step::Closed, Some(Grade::Proved), Some(2)));
    let (user, password) = role.value(2).await;
    assert!(takes(&role.endpoint, &user, &password).await, "what is handed out works, whatever came last");
    is_whole(&role.cast).await;
});

story!(a_slow_server_is_waited_for, |world| {
    let role = Role::new(Cast::new(world).await, "slow").await;
    let proxy = through(&role).await;
    proxy.set(Line::Slow);
    let id = role.start().await;
    run(&role.cast).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!(
        (row.step(), row.grade(), row.failures),
        (Step::VerifiedDead, Some(Grade::Proved), 0),
        "{:?}",
        row.reason
    );
    is_whole(&role.cast).await;
});

/// Ten seconds of silence: once, on one database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stalls_after_signing_in_does_not_hang_the_engine() {
    let role = Role::new(Cast::new(crate::support::World::sqlite().await).await, "stall").await;
    let proxy = through(&role).await;
    let id = role.start().await;
    proxy.set(Line::Stalls);
    let began = std::time::Instant::now();
    run(&role.cast).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(25), "{:?}", began.elapsed());
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.attempts), (Step::Disabling, 1), "{:?}", row.reason);
    assert!(row.reason.unwrap().contains("no answer in time"));
    proxy.set(Line::Good);
    settle(&role, &id).await;
    assert_eq!(rotation(&role.cast, &id).await.grade(), Some(Grade::Proved));
}

story!(an_administrator_that_is_refused_asks_a_person, |world| {
    let mut role = Role::new(Cast::new(world).await, "boss").await;
    let boss = format!("{}_boss", role.role);
    let statement = format!("CREATE ROLE \"{boss}\" LOGIN SUPERUSER PASSWORD 'the-right-password'");
    role.admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    let admin = account(&role.cast, "db/boss", &boss, "a-wrong-password").await;
    role.plan(Target::Postgres(Settings { admin: Some(admin), ..role.settings() }), 0).await;
    let id = role.start().await;
    settle(&role, &id).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::Queued)));
    assert!(row.reason.unwrap().contains("28P01"));
    assert!(takes(&role.endpoint, &role.role, "first-password-of-all").await, "nothing was touched");
    // The account is put right, and its end set with the new password.
    let mend = format!("ALTER ROLE \"{boss}\" PASSWORD 'a-wrong-password'");
    role.admin.execute(sqlx::AssertSqlSafe(mend)).await.unwrap();
    let iris = role.cast.caller("iris").await;
    rotations::resolve_rotation(&role.cast.console, &iris, &id, Choice::Retry, "").await.unwrap();
    settle(&role, &id).await;
    assert_eq!(rotation(&role.cast, &id).await.grade(), Some(Grade::Proved));
    is_whole(&role.cast).await;
});

story!(a_password_dies_by_itself_where_the_server_can, |world| {
    let mut role = Role::new(Cast::new(world).await, "dies").await;
    let boss = format!("{}_boss", role.role);
    let statement = format!("CREATE ROLE \"{boss}\" LOGIN SUPERUSER PASSWORD 'boss-password-here'");
    role.admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    let admin = account(&role.cast, "db/boss", &boss, "boss-password-here").await;
    let settings = Settings { admin: Some(admin), dies_after_days: 100, ..role.settings() };
    role.plan(Target::Postgres(settings), 0).await;
    let id = role.start().await;
    run(&role.cast).await;
    assert_eq!(rotation(&role.cast, &id).await.step(), Step::VerifiedDead);
    let (days,): (f64,) = sqlx::query_as(
        "SELECT extract(epoch FROM rolvaliduntil - now())::float8 / 86400 FROM pg_roles WHERE rolname = $1",
    )
    .bind(&role.role)
    .fetch_one(&mut role.admin)
    .await
    .unwrap();
    assert!((99.0..=100.1).contains(&days), "{days}");
    // Even if nobody rotates it and Countersign is off: the server refuses it from then on.
    let expire = format!("ALTER ROLE \"{}\" VALID UNTIL '2001-01-01'", role.role);
    role.admin.execute(sqlx::AssertSqlSafe(expire)).await.unwrap();
    let (user, password) = role.value(2).await;
    assert!(!takes(&role.endpoint, &user, &password).await);
    is_whole(&role.cast).await;
});

story!(hostile_names_and_values_stay_inside_their_quotes, |world| {
    let mut role = Role::new(Cast::new(world).await, "plain").await;
    let name = format!("we\"ird'; DROP ROLE x; --ü{}", unlike_any());
    make_role(&mut role.admin, &name.replace('"', "\"\""), "it''s $$ \\ a \"first\" one").await;
    role.secret = account(&role.cast, "db/weird", &name, "it's $$ \\ a \"first\" one").await;
    role.plan(Target::Postgres(role.settings()), 0).await;
    let id = role.start().await;
    settle(&role, &id).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.grade()), (Step::Closed, Some(Grade::Proved)), "{:?}", row.reason);
    is_whole(&role.cast).await;
});

story!(two_replicas_rotate_once, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let id = ring.start().await;
    for _ in 0..6 {
        let both: Vec<_> = (0..2)
            .map(|_| {
                let console = ring.cast.console.clone();
                tokio::spawn(async move { rotations::run_due(&console).await.unwrap() })
            })
            .collect();
        for one in both {
            one.await.unwrap();
        }
    }
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.to_version), (Step::VerifiedDead, Some(2)));
    let calls = ring.receiver.calls();
    assert_eq!(calls.iter().filter(|call| call.contains(".set.")).count(), 1, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| call.contains(".disable.")).count(), 1);
    is_whole(&ring.cast).await;
});

story!(a_full_disk_stops_a_rotation_and_loses_nothing, |world| {
    if world.url.is_some() {
        return;
    }
    let ring = Ring::new(Cast::new(world).await).await;
    let filler =
        ring.cast.secret("filler", app::policies::model::Tier::Staging, app::policies::model::Class::Normal).await;
    let id = ring.start().await;
    ring.cast.console.db().limit_pages(true).await.unwrap();
    for version in 0..400 {
        if ring.cast.write("iris", &filler, version, &"x".repeat(60_000)).await.is_err() {
            break;
        }
    }
    for _ in 0..4 {
        // Whatever can still be written is; what cannot, is not done at the target either.
        drop(rotations::run_due(&ring.cast.console).await);
        ring.cast.world.clock.advance(TimeDelta::minutes(5));
    }
    let first = serde_json::json!({ "value": "first-key-of-all" });
    let row = rotation(&ring.cast, &id).await;
    assert!(row.to_version.is_some() || ring.receiver.accepts(&first), "the working value is the one that is kept");
    ring.cast.console.db().limit_pages(false).await.unwrap();
    for _ in 0..40 {
        run(&ring.cast).await;
        ring.cast.world.clock.advance(TimeDelta::hours(1));
    }
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.grade()), (Step::Closed, Some(Grade::Proved)), "{:?}", row.reason);
    assert_eq!(ring.receiver.count(), 1);
    is_whole(&ring.cast).await;
});
