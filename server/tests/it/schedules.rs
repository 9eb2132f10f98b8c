//! When secrets rotate: times of a calendar, windows, inheritance, pauses, approval first.
use crate::{
    cast::Cast,
    rotations::{current, is_whole, rotation},
    story,
};
use app::{
    error::{Conflict, Error, Refusal},
    policies::model::{Class, Tier},
    rotations::{
        model::{Step, Trigger},
        schedule::{Origin, Schedule},
    },
    time::{Moment, parse_rfc3339},
};
use chrono::TimeDelta;
use server::{
    audit,
    rotations::{self, NewPlan, When, store::Rotation},
};

fn at(text: &str) -> Moment {
    parse_rfc3339(text).unwrap()
}

fn cron(expression: &str, zone: &str) -> Schedule {
    Schedule::Cron { expression: expression.into(), zone: zone.into(), window_minutes: 60 }
}

async fn set(cast: &Cast, secret: &str, schedule: Schedule) {
    let iris = cast.caller("iris").await;
    let plan = NewPlan { schedule, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, secret, plan).await.unwrap();
}

/// What the service did until now, the newest first.
async fn all(cast: &Cast, secret: &str) -> Vec<Rotation> {
    server::jobs::run_due(&cast.console).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    rotations::store::of_secret(&mut db, secret, 50, cast.console.seal_key()).await.unwrap()
}

async fn when(cast: &Cast, secret: &str) -> When {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let key = cast.console.seal_key();
    let plan = rotations::store::find_plan(&mut db, secret, key).await.unwrap().unwrap();
    let located = server::catalog::Located::find(&mut db, secret, key).await.unwrap().unwrap();
    rotations::when(&cast.console, &mut db, &plan, &located).await.unwrap()
}

async fn missed(cast: &Cast, secret: &str) -> Vec<String> {
    let narrow = audit::store::Narrow {
        secret: Some(secret.to_owned()),
        action: Some("rotation.missed".into()),
        ..Default::default()
    };
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let rows = audit::store::list(&mut db, &narrow, None, 50).await.unwrap();
    rows.iter().map(|row| String::from_utf8_lossy(&row.leaf).into_owned()).collect()
}

story!(a_time_of_the_calendar_begins_once_inside_its_window, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    set(&cast, &secret, cron("0 3 * * *", "Europe/Berlin")).await;
    let seen = when(&cast, &secret).await;
    // The cast's world begins on the morning of 24 November 2026; Berlin is an hour ahead.
    let due = at("2026-11-25T02:00:00.000000Z");
    assert_eq!((seen.due, seen.origin, seen.runs.len()), (Some(due), Origin::Secret, 5));
    assert!(seen.runs[0].local.contains("03:00 CET"), "{}", seen.runs[0].local);
    cast.world.clock.set(due - TimeDelta::minutes(1));
    assert!(all(&cast, &secret).await.is_empty());
    cast.world.clock.set(due + TimeDelta::minutes(11));
    let rows = all(&cast, &secret).await;
    assert_eq!(rows.len(), 1, "after its jitter");
    assert_eq!((rows[0].trigger(), rows[0].due_at, rows[0].step()), (Trigger::Scheduled, Some(due), Step::Closed));
    assert_eq!(current(&cast, &secret).await, Some(2));
    cast.world.clock.advance(TimeDelta::minutes(30));
    assert_eq!(all(&cast, &secret).await.len(), 1, "once");
    cast.world.clock.set(due + TimeDelta::days(1) + TimeDelta::minutes(11));
    assert_eq!(all(&cast, &secret).await.len(), 2, "and on the next day again");
    is_whole(&cast).await;
});

story!(what_could_not_begin_in_its_window_is_missed_and_said_once, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    set(&cast, &secret, cron("0 3 * * *", "UTC")).await;
    all(&cast, &secret).await;
    // The service was off for three nights, and comes back at noon.
    cast.world.clock.set(at("2026-11-27T12:00:00.000000Z"));
    assert!(all(&cast, &secret).await.is_empty(), "nobody rotates at noon what was meant for the night");
    let said = missed(&cast, &secret).await;
    assert_eq!(said.len(), 1, "one that was missed, not three");
    assert!(said[0].contains("2026-11-27T03:00:00") && said[0].contains("the service did not run"));
    all(&cast, &secret).await;
    assert_eq!(missed(&cast, &secret).await.len(), 1);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let told = server::notifications::store::list(&mut db, cast.id("iris"), 10).await.unwrap();
    drop(db);
    assert_eq!(told[0].kind, "rotation.missed");
    // One that is held up by another rotation says so.
    let iris = cast.caller("iris").await;
    let plan = NewPlan { overlap_minutes: 1440, schedule: cron("0 3 * * *", "UTC"), ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    for minutes in (0..=90).step_by(10) {
        cast.world.clock.set(at("2026-11-28T02:55:00.000000Z") + TimeDelta::minutes(minutes));
        all(&cast, &secret).await;
    }
    let said = missed(&cast, &secret).await;
    assert_eq!(said.len(), 2);
    assert!(said[0].contains("another rotation was under way"));
    is_whole(&cast).await;
});

story!(a_secret_that_says_nothing_rotates_as_its_place_says, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    set(&cast, &secret, Schedule::Inherited).await;
    let seen = when(&cast, &secret).await;
    assert_eq!((seen.schedule, seen.origin), (Schedule::Age { days: 90 }, Origin::Level));
    let environment = cast.environment(Tier::Staging).id.clone();
    let (iris, jonas) = (cast.caller("iris").await, cast.caller("jonas").await);
    let refused = rotations::set_default(&cast.console, &jonas, &environment, Schedule::Age { days: 7 }).await;
    assert_eq!(refused.err(), Some(Error::Refused(Refusal::NoRule)));
    let long = rotations::set_default(&cast.console, &iris, &environment, Schedule::Age { days: 91 }).await;
    assert!(matches!(long.err(), Some(Error::Invalid(_))), "the level is the bound");
    rotations::set_default(&cast.console, &iris, &environment, Schedule::Age { days: 7 }).await.unwrap();
    let seen = when(&cast, &secret).await;
    assert_eq!((seen.schedule, seen.origin), (Schedule::Age { days: 7 }, Origin::Environment));
    cast.world.clock.advance(TimeDelta::days(8));
    assert_eq!(all(&cast, &secret).await.len(), 1, "what it inherits is kept");
    set(&cast, &secret, Schedule::Age { days: 30 }).await;
    let seen = when(&cast, &secret).await;
    assert_eq!((seen.schedule, seen.origin), (Schedule::Age { days: 30 }, Origin::Secret));
    is_whole(&cast).await;
});

story!(a_pause_holds_it_up_and_ends_by_itself, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    set(&cast, &secret, cron("0 3 * * *", "UTC")).await;
    let iris = cast.caller("iris").await;
    let lucia = cast.caller("lucia").await;
    let pause = |days, reason: &'static str| rotations::pause_rotation(&cast.console, &iris, &secret, days, reason);
    assert!(matches!(pause(2, "").await.err(), Some(Error::Invalid(_))), "a reason is asked for");
    for days in [i64::MIN, -1, 0, 31, i64::MAX] {
        assert!(matches!(pause(days, "freeze").await.err(), Some(Error::Invalid(_))), "{days}: not for ever");
    }
    let nonsense = rotations::pause_rotation(&cast.console, &lucia, &secret, 0, "").await.err();
    assert_eq!(nonsense, Some(Error::Refused(Refusal::NoRule)), "who may not is told so, whatever they sent");
    cast.world.clock.set(at("2026-11-25T02:00:00.000000Z"));
    pause(2, "change freeze").await.unwrap();
    let paused = when(&cast, &secret).await.paused_until.unwrap() - at("2026-11-27T02:00:00.000000Z");
    assert!(paused >= TimeDelta::zero() && paused < TimeDelta::seconds(1), "{paused}");
    for day in [25, 26] {
        cast.world.clock.set(at(&format!("2026-11-{day}T03:15:00.000000Z")));
        assert!(all(&cast, &secret).await.is_empty());
    }
    cast.world.clock.set(at("2026-11-27T02:30:00.000000Z"));
    assert!(all(&cast, &secret).await.is_empty());
    assert_eq!(missed(&cast, &secret).await.len(), 0, "what fell into a pause was not missed");
    cast.world.clock.set(at("2026-11-27T03:15:00.000000Z"));
    assert_eq!(all(&cast, &secret).await.len(), 1);
    let over = rotations::resume_rotation(&cast.console, &iris, &secret).await;
    assert_eq!(over.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    // Ended early: what fell into it was not missed either.
    pause(12, "another freeze").await.unwrap();
    cast.world.clock.set(at("2026-11-29T12:00:00.000000Z"));
    all(&cast, &secret).await;
    rotations::resume_rotation(&cast.console, &iris, &secret).await.unwrap();
    assert_eq!(all(&cast, &secret).await.len(), 1);
    assert_eq!(missed(&cast, &secret).await.len(), 0);
    is_whole(&cast).await;
});

story!(where_a_plan_says_so_somebody_else_agrees_first, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let (iris, teodor, jonas) = (cast.caller("iris").await, cast.caller("teodor").await, cast.caller("jonas").await);
    let plan = NewPlan { approval_first: true, schedule: Schedule::Age { days: 30 }, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    all(&cast, &secret).await;
    assert_eq!(rotation(&cast, &id).await.step(), Step::Waiting);
    let approve = |caller| rotations::approve_rotation(&cast.console, caller, &id);
    assert_eq!(approve(&iris).await.err(), Some(Error::Refused(Refusal::OwnChange)));
    assert_eq!(approve(&jonas).await.err(), Some(Error::Refused(Refusal::NoRule)));
    let hurried = rotations::cut_off(&cast.console, &iris, &id).await;
    assert_eq!(
        hurried.err(),
        Some(Error::Conflict(Conflict::AlreadyDone)),
        "cutting off is no way round the second person"
    );
    approve(&teodor).await.unwrap();
    assert_eq!(approve(&teodor).await.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    all(&cast, &secret).await;
    assert_eq!(rotation(&cast, &id).await.step(), Step::Closed);
    // What the service begins waits too, and can be cancelled with a reason.
    cast.world.clock.advance(TimeDelta::days(31));
    let rows = all(&cast, &secret).await;
    assert_eq!((rows.len(), rows[0].step()), (2, Step::Waiting));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let told = server::notifications::store::list(&mut db, cast.id("teodor"), 10).await.unwrap();
    drop(db);
    assert_eq!(told[0].kind, "rotation.waits");
    let cancel = |reason| rotations::cancel_rotation(&cast.console, &teodor, &rows[0].id, reason);
    assert!(matches!(cancel("").await.err(), Some(Error::Invalid(_))));
    cancel("The partner is closed today.").await.unwrap();
    assert_eq!(rotation(&cast, &rows[0].id).await.step(), Step::Cancelled);
    assert_eq!(current(&cast, &secret).await, Some(2));
    is_whole(&cast).await;
});

story!(what_nobody_agreed_to_in_its_window_is_missed_and_blocks_nothing, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let (iris, teodor) = (cast.caller("iris").await, cast.caller("teodor").await);
    let plan = NewPlan { approval_first: true, schedule: cron("0 3 * * *", "UTC"), ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    cast.world.clock.set(at("2026-11-25T03:55:00.000000Z"));
    let rows = all(&cast, &secret).await;
    assert_eq!((rows.len(), rows[0].step()), (1, Step::Waiting));
    // Agreed to when it is too late: it is not begun at noon instead of at night.
    cast.world.clock.set(at("2026-11-25T04:00:00.500000Z"));
    let late = rotations::approve_rotation(&cast.console, &teodor, &rows[0].id).await;
    assert_eq!(late.err(), Some(Error::Conflict(Conflict::WindowOver)));
    cast.world.clock.set(at("2026-11-25T04:00:02.000000Z"));
    let rows = all(&cast, &secret).await;
    assert_eq!((rows.len(), rows[0].step()), (1, Step::Cancelled));
    let said = missed(&cast, &secret).await;
    assert!(said.len() == 1 && said[0].contains("nobody agreed while its window was open"), "{said:?}");
    // The next one comes, and is agreed to in time.
    cast.world.clock.set(at("2026-11-26T03:30:00.000000Z"));
    let rows = all(&cast, &secret).await;
    assert_eq!((rows.len(), rows[0].step()), (2, Step::Waiting));
    rotations::approve_rotation(&cast.console, &teodor, &rows[0].id).await.unwrap();
    let rows = all(&cast, &secret).await;
    assert_eq!((rows[0].step(), current(&cast, &secret).await), (Step::Closed, Some(2)));
    cast.world.clock.set(at("2026-11-26T05:00:00.000000Z"));
    assert_eq!((all(&cast, &secret).await.len(), missed(&cast, &secret).await.len()), (2, 1));
    is_whole(&cast).await;
});

/// What is due is read off an index's beginning, however many schedules there are.
#[tokio::test]
async fn looking_for_what_is_due_scans_nothing() {
    let world = crate::support::World::sqlite().await;
    let path = world.folder.path().join("countersign.db");
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(path.to_str().unwrap()).await.unwrap();
    for (query, index) in [
        ("SELECT secret_id FROM rotation_due WHERE due_at <= '2026' ORDER BY due_at LIMIT 50", "rotation_due_at"),
        (
            "SELECT id FROM rotations WHERE ended_at IS NULL AND next_at <= '2026' ORDER BY next_at LIMIT 20",
            "rotations_due",
        ),
    ] {
        let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan).fetch_all(&mut connection).await.unwrap();
        let said: Vec<String> = rows.into_iter().map(|(.., detail)| detail).collect();
        assert!(said.iter().all(|line| line.contains(index) && line.starts_with("SEARCH")), "{said:?}");
    }
}
