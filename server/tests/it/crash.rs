//! Stopped dead at each step of an append, of an approval and of a checkpoint: afterwards the change has happened as a whole
//! or not at all, and the trail and every sealed row are whole.
//!
//! The child is this test binary itself: it opens the installation, arms one point and works until the process aborts.
use crate::cast::Cast;
use app::{
    policies::model::{Class, Right, Tier},
    rotations::model::{Grade, Step},
};
use server::{
    audit::{
        event::{Event, Who},
        state, verify,
    },
    clock::Clock,
    config::Settings,
    console::Console,
    instance::{self, Instance},
    people, requests,
    rotations::{self, rotator::Target},
};
use std::{fmt::Write as _, io::Write as _, path::Path, process::Command};

const POINTS: [(&str, &str, Option<bool>); 10] = [
    // (point, work, did it happen?)
    ("approve.signed", "approve", Some(false)),
    ("approve.issued", "approve", Some(false)),
    ("commit.placed", "approve", Some(false)),
    ("commit.sealed", "approve", Some(false)),
    ("commit.appended", "approve", Some(false)),
    ("commit.committed", "approve", Some(true)),
    ("observe.placed", "observe", None),
    ("observe.appended", "observe", None),
    ("observe.committed", "observe", None),
    ("builder.signed", "build", None),
];

fn config(folder: &Path) -> server::config::Config {
    let allow_private = vec!["127.0.0.1/32".to_owned()];
    Settings { data: Some(folder.join("data")), allow_private, ..Settings::default() }.resolve().unwrap()
}

/// Runs in a process of its own, and dies in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Some(folder), Ok(point), Ok(work)) =
        (std::env::var_os("CRASH_FOLDER"), std::env::var("CRASH_POINT"), std::env::var("CRASH_WORK"))
    else {
        return;
    };
    let moment: i64 = std::env::var("CRASH_NOW").unwrap().parse().unwrap();
    let clock = Clock::fixed(chrono::DateTime::from_timestamp_micros(moment).unwrap());
    let instance = Instance::open(&config(Path::new(&folder)), clock).await.unwrap();
    let console = Console::new(&instance, "Crash").unwrap();
    fail::cfg(point, "return").unwrap();
    match work.as_str() {
        "approve" => {
            let mut db = console.db().unseen().read().await.unwrap();
            let request = requests::store::open_in(&mut db, None, "", console.now(), 1, console.seal_key())
                .await
                .unwrap()
                .remove(0);
            let person = people::store::find_by_login(&mut db, "teodor", console.seal_key()).await.unwrap().unwrap();
            drop(db);
            let caller = people::Caller::load(&console, person, people::Entry::Direct, Who::anonymous()).await.unwrap();
            requests::approve_request(&console, &caller, &request.id, &request.digest, "").await.unwrap();
        }
        "observe" => {
            drop(console.ledger.observe(&Who::system("crash"), Event::new(app::audit::action::Action::Heartbeat)).await)
        }
        "rotate" => drop(server::rotations::run_due(&console).await),
        _ => drop(instance.builder.build().await),
    }
    panic!("the point was passed");
}

/// Lets the child work on what lies in a folder until it aborts at a point.
fn die(folder: &Path, point: &str, work: &str, now: i64) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env("CRASH_FOLDER", folder)
        .env("CRASH_POINT", point)
        .env("CRASH_WORK", work)
        .env("CRASH_NOW", now.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr).into_owned();
    #[cfg(unix)]
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.status), Some(6), "{point}: {said}");
}

/// An installation of its own whose rotation is about to be killed.
struct Killed {
    folder: tempfile::TempDir,
    clock: Clock,
    id: String,
    secret: String,
    endpoint: String,
}

impl Killed {
    /// One role, about to rotate; or, for a death on the way back, two of which the new one is
    /// in use and was given up.
    async fn new(point: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let clock = Clock::fixed(crate::support::start());
        instance::init(&config, clock.clone(), false).await.unwrap();
        let instance = Instance::open(&config, clock.clone()).await.unwrap();
        let world = crate::support::World {
            clock: clock.clone(),
            files: server::keys::KeyFiles::random().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            url: None,
            is_copy: false,
            instance,
        };
        let mut role = crate::rotations::Role::new(Cast::new(world).await, "killed").await;
        let back = point.starts_with("rotation.rolled_back");
        let target = if back { role.in_turn().await } else { Target::Postgres(role.settings()) };
        role.plan(target, if back { 60 } else { 0 }).await;
        let id = role.start().await;
        if back {
            rotate(&role.cast.console).await;
            let iris = role.cast.caller("iris").await;
            rotations::roll_back(&role.cast.console, &iris, &id, "It does not work in the shop.").await.unwrap();
        }
        if point.starts_with("rotation.closed") {
            // Up to the last look.
            for hours in [0, 1, 24] {
                clock.advance(chrono::TimeDelta::hours(hours));
                if hours < 24 {
                    rotate(&role.cast.console).await;
                }
            }
        }
        let (secret, endpoint) = (role.secret.clone(), role.endpoint.clone());
        role.cast.console.db().close().await;
        drop(role);
        // The lock goes with the last task that holds the instance.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        Self { folder, clock, id, secret, endpoint }
    }

    async fn console(&self) -> Console {
        let instance = Instance::open(&config(self.folder.path()), self.clock.clone()).await.unwrap();
        Console::new(&instance, "After").unwrap()
    }

    async fn row(&self, console: &Console) -> rotations::store::Rotation {
        let mut db = console.db().unseen().read().await.unwrap();
        rotations::store::find(&mut db, &self.id, console.seal_key()).await.unwrap().unwrap()
    }
}

async fn rotate(console: &Console) {
    while rotations::run_due(console).await.unwrap() > 0 {}
}

/// Killed before and after each of its states is recorded, against a real server: whoever resumes asks the target first, nothing is
/// set twice with another value, what works is what is handed out, and the old credential is proved dead in the end. Prints what it
/// found and how it ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_rotation_asks_its_target() {
    let mut table = format!("{:<18}{:<8}{:<18}{}\n", "killed at", "record", "found", "ended");
    let back = ["rotation.rolled_back.before", "rotation.rolled_back.after"];
    for point in crate::steps::STEPS.into_iter().chain(back) {
        let killed = Killed::new(point).await;
        die(killed.folder.path(), point, "rotate", killed.clock.now().timestamp_micros());
        let console = killed.console().await;
        let found = killed.row(&console).await;
        // Whoever died held the rotation for two minutes.
        killed.clock.advance(chrono::TimeDelta::seconds(121));
        rotate(&console).await;
        let row = killed.row(&console).await;
        let mut parts = point.split('.').skip(1);
        let (step, side) = (parts.next().unwrap(), parts.next().unwrap());
        let ended = match (row.step(), row.grade()) {
            (Step::RolledBack, _) => "rolled back, the old value works".to_owned(),
            (step, grade) => format!("{}, {}", step.code(), grade.map_or("no grade", Grade::code)),
        };
        writeln!(table, "{step:<18}{side:<8}{:<18}{ended}", found.step().code()).unwrap();
        // Before: as if the step had never been; after: as it left it.
        assert_eq!(found.step().code() == step, side == "after", "{point}");
        let went_back = row.step() == Step::RolledBack;
        let wanted = if step == "closed" { Step::Closed } else { Step::VerifiedDead };
        assert!(went_back || (row.step(), row.grade()) == (wanted, Some(Grade::Proved)), "{point}: {:?}", row.reason);
        assert_eq!(went_back, step == "rolled_back", "{point}");
        let mut db = console.db().unseen().read().await.unwrap();
        let kept = server::catalog::store::find(&mut db, &killed.secret, console.seal_key()).await.unwrap().unwrap();
        let (current, other) = if went_back { (1, 2) } else { (2, 1) };
        assert_eq!((kept.current_version, kept.latest_version), (Some(current), 2), "{point}: rotated once");
        let narrow = server::audit::store::Narrow { secret: Some(killed.secret.clone()), ..Default::default() };
        let events = server::audit::store::list(&mut db, &narrow, None, 100).await.unwrap();
        drop(db);
        for once in ["rotation.pending_created", "rotation.set_on_target", "rotation.promoted"] {
            assert_eq!(events.iter().filter(|row| row.action == once).count(), 1, "{point}: {once}");
        }
        let (user, password) = crate::rotations::value(&console, &killed.secret, current).await;
        assert!(crate::rotations::takes(&killed.endpoint, &user, &password).await, "{point}: what is handed out works");
        if let Some((user, password)) = crate::rotations::value_if_there(&console, &killed.secret, other).await {
            assert!(!crate::rotations::takes(&killed.endpoint, &user, &password).await, "{point}: the other is dead");
        }
        let state = state::check(console.db(), console.seal_key()).await.unwrap();
        assert_eq!(state.wrong, Vec::<String>::new(), "{point}");
        console.db().close().await;
    }
    // Not by `print`, which a test that passes keeps to itself.
    std::io::stdout().write_all(format!("\n{table}").as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_leaves_all_or_nothing() {
    for (point, work, happened) in POINTS {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let clock = Clock::fixed(crate::support::start());
        instance::init(&config, clock.clone(), false).await.unwrap();
        let instance = Instance::open(&config, clock.clone()).await.unwrap();
        let world = crate::support::World {
            clock: clock.clone(),
            files: server::keys::KeyFiles::random().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            url: None,
            is_copy: false,
            instance,
        };
        let cast = Cast::new(world).await;
        let secret = cast.filled("a", Tier::Production, Class::Normal).await;
        let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
        if work != "build" {
            cast.world.instance.builder.build().await.unwrap();
        }
        let now = clock.now().timestamp_micros();
        cast.console.db().close().await;
        drop(cast);
        // The lock goes with the last task that holds the instance.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        die(folder.path(), point, work, now);
        clock.advance(chrono::TimeDelta::seconds(1));
        let instance = Instance::open(&config, clock.clone()).await.unwrap();
        let console = Console::new(&instance, "After").unwrap();
        let mut db = console.db().unseen().read().await.unwrap();
        let after = requests::store::find(&mut db, &request, console.seal_key()).await.unwrap().unwrap();
        if let Some(happened) = happened {
            assert_eq!(after.outcome.is_some(), happened, "{point}");
            let person = people::store::find_by_login(&mut db, "jonas", console.seal_key()).await.unwrap().unwrap();
            let holder = server::grants::Holder::Person(&person.id);
            let held =
                server::grants::effective(&mut db, holder, &secret, Right::Read, console.now(), console.seal_key())
                    .await;
            assert_eq!(held.unwrap().is_some(), happened, "{point}");
        }
        drop(db);
        instance.builder.build().await.unwrap();
        let deep = verify::Options { deep: true, ..Default::default() };
        let report = verify::run(&instance.db, &instance.builder.verifier(), deep, false).await.unwrap();
        assert!(report.is_clean(), "{point}: {:?} {:?}", report.verified.tampering, report.mismatches);
        let state = state::check(&instance.db, console.seal_key()).await.unwrap();
        assert_eq!(state.wrong, Vec::<String>::new(), "{point}");
    }
}
