//! The service's own work: what fails is set aside and stops nothing else, what is slow is not waited for, and a stop is the end.
use crate::{
    cast::Cast,
    http::{BASE, Browser, site},
    rotations::{is_whole, rotation},
    story,
    webhooks::Ring,
};
use app::{
    audit::action::Action,
    error::Error,
    policies::model::{Class, Right, Tier},
    rotations::model::Grade,
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{
    audit::event::{Event, Who},
    db::Sql,
    http::{Site, router},
    jobs::{self, store::Aside},
    rotations::{self, NewPlan, rotator::Target, webhook::Settings},
};
use std::time::{Duration, Instant};

async fn aside(cast: &Cast) -> Vec<Aside> {
    jobs::store::list(&mut cast.console.db().unseen().read().await.unwrap(), 100).await.unwrap()
}

story!(one_request_that_cannot_be_trusted_keeps_no_other_from_ending, |world| {
    let (cast, router) = site(world).await;
    let mut ids = Vec::new();
    for path in ["a", "b", "c"] {
        let secret = cast.secret(path, Tier::Staging, Class::Normal).await;
        ids.push(cast.ask("jonas", &secret, Right::Read, 60).await.unwrap());
    }
    // Two of them are not as they were sealed; they would come first.
    let bad = format!("UPDATE access_requests SET minutes = minutes + 1 WHERE id IN ('{}', '{}')", ids[0], ids[1]);
    cast.world.as_database_owner(&[&bad]).await;
    cast.world.clock.advance(TimeDelta::days(8));
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.request(&ids[2]).await.outcome.as_deref(), Some("expired"));
    let rows = aside(&cast).await;
    assert_eq!(rows.iter().map(|row| row.item.as_str()).collect::<Vec<_>>(), [ids[0].as_str(), ids[1].as_str()]);
    assert!(rows.iter().all(|row| row.job == "expire-requests" && row.attempts == 1), "{rows:?}");
    assert!(rows[0].reason.contains("fails its seal") && rows[0].reason.contains(&ids[0]), "{rows:?}");
    // It is left alone for longer and longer, and those who run the service hear of it.
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(aside(&cast).await, rows, "not before its time");
    for (pause, attempts) in [(11, 2), (61, 3), (601, 4), (3601, 5), (3601, 6)] {
        cast.world.clock.advance(TimeDelta::seconds(pause - 2));
        jobs::run_due(&cast.console).await.unwrap();
        assert_eq!(aside(&cast).await[0].attempts, attempts - 1);
        cast.world.clock.advance(TimeDelta::seconds(2));
        jobs::run_due(&cast.console).await.unwrap();
        assert_eq!(aside(&cast).await[0].attempts, attempts);
    }
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    assert_eq!(mara.get("/notices").await.text.matches("keeps failing on an item").count(), 2, "one for each, once");
    let page = mara.get("/jobs").await;
    assert!(page.text.contains(&format!("/requests/{}", ids[0])) && page.text.contains("6 times"), "{}", page.text);
    assert!(page.text.contains("fails its seal") && page.text.contains("Expires requests that nobody decided"));
    // Not for those who may not read everything; and that is in the trail.
    let refused = Browser::signed_in(&cast, &router, "jonas").await.get("/jobs").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // What is put right is done at the next attempt.
    cast.world.as_database_owner(&[&bad.replace("minutes + 1", "minutes - 1")]).await;
    cast.world.clock.advance(TimeDelta::hours(1));
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.request(&ids[0]).await.outcome.as_deref(), Some("expired"));
    assert_eq!(aside(&cast).await, []);
    let page = Browser::signed_in(&cast, &router, "mara").await.get("/jobs").await.text;
    assert!(page.contains("No failed items"), "{page}");
});

// Only SQLite keeps a word where a number belongs.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_set_aside_with_its_column() {
    let cast = Cast::new(crate::support::World::sqlite().await).await;
    let mut ids = Vec::new();
    for path in ["a", "b"] {
        let secret = cast.secret(path, Tier::Staging, Class::Normal).await;
        ids.push(cast.ask("jonas", &secret, Right::Read, 60).await.unwrap());
    }
    cast.world
        .as_database_owner(&[&format!("UPDATE access_requests SET minutes = 'hunter2' WHERE id = '{}'", ids[0])])
        .await;
    cast.world.clock.advance(TimeDelta::days(8));
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.request(&ids[1]).await.outcome.as_deref(), Some("expired"));
    let rows = aside(&cast).await;
    assert_eq!((rows.len(), rows[0].item.as_str()), (1, ids[0].as_str()));
    assert!(rows[0].reason.contains("minutes") && !rows[0].reason.contains("hunter2"), "{rows:?}");
}

story!(a_rotation_that_cannot_be_trusted_is_set_aside, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let cast = &ring.cast;
    let id = ring.start().await;
    let other = cast.filled("plain", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    rotations::configure_rotation(&cast.console, &iris, &other, NewPlan::generated()).await.unwrap();
    let sound = rotations::start_rotation(&cast.console, &iris, &other).await.unwrap().0;
    let bad = format!("UPDATE rotations SET failures = failures + 1 WHERE id = '{id}'");
    cast.world.as_database_owner(&[&bad]).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), jobs::run_due(&cast.console)).await;
    ended.expect("one that cannot be trusted is not begun again and again").unwrap();
    assert!(rotation(cast, &sound).await.promoted_at.is_some(), "the other goes on");
    let rows = aside(cast).await;
    assert_eq!((rows.len(), rows[0].job.as_str(), rows[0].item.as_str()), (1, "rotate", id.as_str()));
    cast.world.as_database_owner(&[&bad.replace("failures + 1", "failures - 1")]).await;
    let router = router(Site::new(cast.console.clone(), BASE, None, true));
    let page = Browser::signed_in(cast, &router, "iris").await.get(&format!("/rotations/{id}")).await.text;
    assert!(page.contains("Looked at again"), "{page}");
    cast.world.clock.advance(TimeDelta::seconds(11));
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(rotation(cast, &id).await.grade(), Some(Grade::Proved));
    assert_eq!(aside(cast).await, []);
    is_whole(cast).await;
});

// Twenty targets that take a connection and never answer: each keeps its rotation for half a minute.
story!(targets_that_do_not_answer_delay_neither_ends_nor_what_is_cut_off, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let (cast, iris, mara) = (&ring.cast, ring.cast.caller("iris").await, ring.cast.caller("mara").await);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/rotate", silent.local_addr().unwrap());
    let signing = cast.secret("dead/signing", Tier::Staging, Class::Normal).await;
    cast.write("iris", &signing, 0, "another key of more than 24 characters").await.unwrap();
    for n in 0..20 {
        let secret = cast.filled(&format!("dead/{n}"), Tier::Staging, Class::Normal).await;
        let settings = Settings { url: url.clone(), endpoints: vec!["eu".into()], signing: signing.clone() };
        let plan = NewPlan::at(Target::Webhook(settings));
        rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
        rotations::confirm_plan(&cast.console, &mara, &secret).await.unwrap();
        rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    }
    let read = cast.filled("read", Tier::Staging, Class::Normal).await;
    cast.granted("jonas", &read, 60).await;
    let running = jobs::start(&cast.console);
    // Every place that a rotation can take is taken.
    let begun = async || {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let count = db.sql("SELECT COUNT(*) FROM rotation_leases WHERE holder <> 'waiting'");
        let (count,): (i64,) = count.one().await.unwrap();
        count
    };
    let started = Instant::now();
    while begun().await < 16 {
        assert!(started.elapsed() < Duration::from_secs(10), "they are begun side by side");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Access ends, and a leak is cut off, as if nothing were in the way.
    let began = Instant::now();
    cast.world.clock.advance(TimeDelta::minutes(61));
    let urgent = ring.start().await;
    rotations::cut_off(&cast.console, &iris, &urgent).await.unwrap();
    while rotation(cast, &urgent).await.grade() != Some(Grade::Proved) {
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", rotation(cast, &urgent).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let notices = server::notifications::store::list(&mut db, cast.id("jonas"), 10).await.unwrap();
    drop(db);
    assert!(notices.iter().any(|notice| notice.kind == "grant.ended"), "{notices:?}");
    let stopping = Instant::now();
    running.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(7), "a stop does not wait for them either");
});

story!(nothing_is_written_after_the_last_event, |world| {
    let cast = Cast::new(world).await;
    let who = Who::system("serve");
    let tx = cast.console.ledger.begin(&who).await.unwrap();
    let console = cast.console.clone();
    let stopping = tokio::spawn(async move { jobs::stopped(&console).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!stopping.is_finished(), "a change under way ends first");
    // What begins meanwhile is refused, whatever it is.
    assert_eq!(cast.console.ledger.begin(&who).await.err(), Some(Error::Unavailable));
    assert_eq!(cast.console.ledger.housekeeping().await.err(), Some(Error::Unavailable));
    let event = || Event::new(Action::Heartbeat);
    assert_eq!(cast.console.ledger.observe(&who, event()).await.err(), Some(Error::Unavailable));
    tx.commit(vec![event()]).await.unwrap();
    stopping.await.unwrap();
    assert_eq!(cast.last_event().await.action, Action::StopService.code());
    let events = cast.events().await;
    cast.console.ledger.flush_repeats(true).await;
    assert_eq!(cast.events().await, events);
    assert_eq!(cast.console.builder.signed().size, events, "and the last event is signed");
});

story!(each_job_runs_and_says_how_it_went, |world| {
    let (cast, router) = site(world).await;
    let running = jobs::start(&cast.console);
    let started = Instant::now();
    while jobs::all().any(|job| cast.console.board.of(job.name).done_at.is_none()) {
        let late = || jobs::all().map(|job| (job.name, cast.console.board.of(job.name))).collect::<Vec<_>>();
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", late());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stopping = Instant::now();
    running.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(3), "nothing is waited for in vain");
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    let page = mara.get("/jobs").await.text;
    assert_eq!(page.matches("OK</span>").count(), jobs::all().count(), "{page}");
    // One that fails says why, and works again as soon as it can.
    let why = || Err::<usize, _>("the database did not answer".to_owned());
    cast.console.board.ends("heartbeat", cast.console.now(), Duration::ZERO, &why());
    let page = mara.get("/jobs").await.text;
    assert!(
        page.contains("1 job is failing") && page.contains("the database did not answer. The last success was"),
        "{page}"
    );
});

/// The names stand in the trail, in figures and beside what is set aside: two jobs are never called the same.
#[test]
fn jobs_have_names_of_their_own() {
    let mut names: Vec<&str> = jobs::all().map(|job| job.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
}
