//! Stopped dead at each step of an append, of an approval and of a checkpoint: afterwards the change has happened as a whole
//! or not at all, and the trail and every sealed row are whole.
//!
//! The child is this test binary itself: it opens the installation, arms one point and works until the process aborts.
use crate::cast::Cast;
use app::policies::model::{Class, Right, Tier};
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
};
use std::{path::Path, process::Command};

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
    Settings { data: Some(folder.join("data")), ..Settings::default() }.resolve().unwrap()
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
            let mut db = console.read().await.unwrap();
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

/// Killed at each step, against a real server: whoever resumes asks the target first, nothing is set twice with another
/// value, what works is what is handed out, and the old credential is proved dead in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_rotation_asks_its_target() {
    use app::rotations::model::{Grade, Step};
    use server::rotations::rotator::Target;
    for point in crate::steps::STEPS {
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
            instance,
        };
        let Some(target) = crate::rotations::Role::new(Cast::new(world).await, "killed").await else { return };
        target.plan(Target::Postgres(target.settings()), 0).await;
        let (id, now) = (target.start().await, clock.now().timestamp_micros());
        let (secret, role, endpoint) = (target.secret.clone(), target.role.clone(), target.endpoint.clone());
        target.cast.console.db().close().await;
        drop(target);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        die(folder.path(), point, "rotate", now);
        // Whoever died held the rotation for two minutes.
        clock.advance(chrono::TimeDelta::seconds(121));
        let instance = Instance::open(&config, clock.clone()).await.unwrap();
        let console = Console::new(&instance, "After").unwrap();
        while server::rotations::run_due(&console).await.unwrap() > 0 {}
        let mut db = console.read().await.unwrap();
        let row = server::rotations::store::find(&mut db, &id, console.seal_key()).await.unwrap().unwrap();
        assert_eq!((row.step(), row.grade(), row.reason), (Step::VerifiedDead, Some(Grade::Proved), None), "{point}");
        let kept = server::catalog::store::find(&mut db, &secret, console.seal_key()).await.unwrap().unwrap();
        assert_eq!((kept.current_version, kept.latest_version), (Some(2), 2), "{point}: rotated once");
        let narrow = server::audit::store::Narrow { secret: Some(secret.clone()), ..Default::default() };
        let events = server::audit::store::list(&mut db, &narrow, None, 100).await.unwrap();
        let count = |action: &str| events.iter().filter(|row| row.action == action).count();
        for once in ["rotation.pending_created", "rotation.set_on_target", "rotation.promoted", "rotation.old_dead"] {
            assert_eq!(count(once), 1, "{point}: {once}");
        }
        drop(db);
        let (user, password) = crate::rotations::value(&console, &secret, 2).await;
        assert_eq!(user, role);
        assert!(crate::rotations::takes(&endpoint, &role, &password).await, "{point}: what is handed out works");
        assert!(!crate::rotations::takes(&endpoint, &role, "first-password-of-all").await, "{point}");
        let state = state::check(&instance.db, console.seal_key()).await.unwrap();
        assert_eq!(state.wrong, Vec::<String>::new(), "{point}");
    }
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
        let mut db = console.read().await.unwrap();
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
