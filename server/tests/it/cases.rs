//! Cases: a leak contained first, leavers, what ends a case and what does not, and figures that the trail alone gives.
use crate::{
    cast::Cast,
    rotations::{current, is_whole, rotation, run},
    story,
    webhooks::Ring,
    workloads::{allow, fetch, machine, token},
};
use app::{
    audit::leaf::Leaf,
    error::{Conflict, Error, Refusal},
    policies::model::{Class, Tier},
    rotations::{
        cases::{self as rules, End, figures},
        model::{Step, Trigger},
        parts::{Parts, Run, parts},
    },
    time::{Moment, parse_rfc3339},
};
use chrono::TimeDelta;
use server::{
    audit, people,
    rotations::{self, Came, Leak, NewPlan, Selection, Suspend, case_store},
    vault::{self, Take},
};
use std::collections::BTreeMap;

async fn case(cast: &Cast, id: &str) -> case_store::Case {
    case_store::find(&mut cast.console.db().unseen().read().await.unwrap(), id, cast.console.seal_key())
        .await
        .unwrap()
        .unwrap()
}

async fn of(cast: &Cast, secret: &str) -> Vec<case_store::Case> {
    case_store::of_secret(&mut cast.console.db().unseen().read().await.unwrap(), secret, cast.console.seal_key())
        .await
        .unwrap()
}

fn leak(detected_at: Moment, suspect: Option<&str>) -> Leak<'_> {
    Leak { version: 1, detected_at, what: "It stood in a build log.", suspect }
}

/// Every figure of every trigger, from the events alone.
async fn from_the_trail(cast: &Cast, from: Moment, to: Moment) -> Vec<rules::Figures> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let size = audit::store::size(&mut db).await.unwrap();
    let rows = audit::store::stored(&mut db, 0, size).await.unwrap();
    let mut cases: BTreeMap<String, rules::Case> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.outcome == "allowed") {
        let leaf = Leaf::decode(&row.leaf).unwrap();
        let text = |name: &str| leaf.detail.get(name).and_then(|value| value.as_str()).map(ToOwned::to_owned);
        let moment = |name: &str| text(name).map(|text| parse_rfc3339(&text).unwrap());
        let Some(id) = leaf.subject.row.clone() else { continue };
        match row.action.as_str() {
            "case.opened" => {
                let hours = leaf.detail["target_hours"].as_i64().unwrap();
                let case = rules::Case {
                    trigger: Trigger::from_code(&text("trigger").unwrap()).unwrap(),
                    began_at: moment("began_at").unwrap(),
                    dead_at: None,
                    ended_at: None,
                    end: None,
                    target: TimeDelta::hours(hours),
                };
                cases.insert(id, case);
            }
            "case.began_earlier" => cases.get_mut(&id).unwrap().began_at = moment("began_at").unwrap(),
            "case.reopened" => {
                let case = cases.get_mut(&id).unwrap();
                (case.dead_at, case.ended_at, case.end) = (None, None, None);
            }
            "case.closed" | "case.cancelled" => {
                let case = cases.get_mut(&id).unwrap();
                case.end = End::from_code(&text("outcome").unwrap());
                case.ended_at = moment("ended_at");
                case.dead_at = case.ended_at.filter(|_| case.end == Some(End::Proved));
            }
            _ => {}
        }
    }
    let all: Vec<rules::Case> = cases.into_values().collect();
    Trigger::ALL.iter().map(|trigger| figures(&all, *trigger, from, to, to)).collect()
}

async fn from_the_rows(cast: &Cast, from: Moment, to: Moment) -> Vec<rules::Figures> {
    let rows = case_store::since(&mut cast.console.db().unseen().read().await.unwrap(), from, cast.console.seal_key())
        .await
        .unwrap();
    let tier = |id: &str| cast.environments.iter().find(|row| row.id == id).unwrap().tier();
    let all: Vec<rules::Case> = rows
        .iter()
        .map(|row| rules::Case {
            trigger: row.trigger(),
            began_at: row.began_at,
            dead_at: row.dead_at,
            ended_at: row.ended_at,
            end: row.end(),
            target: cast.console.level_at(tier(&row.environment_id), row.began_at).dead_within(),
        })
        .collect();
    Trigger::ALL.iter().map(|trigger| figures(&all, *trigger, from, to, to)).collect()
}

/// What the time of rotations went into, to the second: rows are written a little before their events.
fn rounded(found: Parts) -> Parts {
    let near = |time: Option<TimeDelta>| time.map(|time| TimeDelta::seconds(time.as_seconds_f64().round() as i64));
    let (late, queue, cycle) = (near(found.late), near(found.queue), near(found.cycle));
    Parts { late, queue, cycle, overlap: near(found.overlap), ..found }
}

async fn parts_from_the_trail(cast: &Cast, from: Moment, to: Moment) -> Vec<Parts> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let size = audit::store::size(&mut db).await.unwrap();
    let rows = audit::store::stored(&mut db, 0, size).await.unwrap();
    let (mut runs, mut proving): (BTreeMap<String, Run>, Option<String>) = (BTreeMap::new(), None);
    for row in rows.iter().filter(|row| row.outcome == "allowed") {
        let leaf = Leaf::decode(&row.leaf).unwrap();
        let text = |name: &str| leaf.detail.get(name).and_then(|value| value.as_str()).map(ToOwned::to_owned);
        let Some(id) = leaf.subject.row.clone() else { continue };
        if row.action == "rotation.started" {
            let run = Run {
                trigger: Trigger::from_code(&text("trigger").unwrap()).unwrap(),
                due_at: text("due_at").map(|at| parse_rfc3339(&at).unwrap()),
                started_at: row.at,
                made_at: None,
                promoted_at: None,
                dead_at: None,
                ended_at: None,
                failures: 0,
                cases: 0,
            };
            runs.insert(id, run);
            continue;
        }
        if row.action == "case.closed" && text("outcome").as_deref() == Some("proved") {
            runs.get_mut(proving.as_ref().unwrap()).unwrap().cases += 1;
        }
        let Some(run) = runs.get_mut(&id) else { continue };
        match row.action.as_str() {
            "rotation.pending_created" => run.made_at = Some(row.at),
            "rotation.promoted" => run.promoted_at = Some(row.at),
            "rotation.old_dead" if leaf.detail["time"] == 1 => {
                (run.dead_at, proving) = (Some(row.at), Some(id));
            }
            "rotation.reopened" => (run.dead_at, run.failures, run.cases) = (None, run.failures + 1, 0),
            "rotation.needs_person" if text("step").as_deref() == Some("overlap") => {}
            "rotation.step_failed" | "rotation.needs_person" => run.failures += 1,
            "rotation.closed" | "rotation.cancelled" | "rotation.superseded" | "rotation.rolled_back" => {
                run.ended_at = Some(row.at);
            }
            _ => {}
        }
    }
    let runs: Vec<Run> = runs.into_values().collect();
    Trigger::ALL.iter().map(|trigger| rounded(parts(&runs, *trigger, from, to))).collect()
}

async fn parts_from_the_rows(cast: &Cast, from: Moment, to: Moment) -> Vec<Parts> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let seen = rotations::Seen::by(&cast.console, &mut db, &cast.caller("mara").await, None).await.unwrap();
    let found = seen.parts(&cast.console, &mut db, from, to).await.unwrap();
    found.into_iter().map(|(_, parts)| rounded(parts)).collect()
}

story!(a_leak_is_contained_first_and_closed_by_the_proof, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let cast = &ring.cast;
    let grant = cast.granted("jonas", &ring.secret, 60).await;
    cast.take("jonas", &ring.secret, Take::Reveal).await.unwrap();
    let detected = cast.console.now() - TimeDelta::hours(3);
    let (jonas, iris, lucia) = (cast.caller("jonas").await, cast.caller("iris").await, cast.caller("lucia").await);
    let report = |caller, at, suspect| rotations::report_leak(&cast.console, caller, &ring.secret, leak(at, suspect));
    let later = report(&lucia, cast.console.now() + TimeDelta::hours(1), None).await;
    assert!(matches!(later.err(), Some(Error::Invalid(_))), "not before it was detected");
    let stranger = report(&lucia, detected, Some("per_00000000000000000000000000")).await;
    assert!(matches!(stranger.err(), Some(Error::Invalid(_))));
    // Whoever sees it says so; leads and security decide.
    let (id, _) = report(&lucia, detected, Some(cast.id("jonas"))).await.unwrap();
    assert_eq!(report(&iris, detected, None).await.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    for told in ["iris", "teodor", "mara", "ewa"] {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let notices = server::notifications::store::list(&mut db, cast.id(told), 10).await.unwrap();
        assert!(notices.iter().any(|notice| notice.kind == "case.leak"), "{told}");
    }
    let contain = |caller, cut| rotations::contain_case(&cast.console, caller, &id, Suspend::Suspect, cut);
    assert_eq!(contain(&jonas, true).await.err(), Some(Error::Refused(Refusal::NoRule)));
    assert!(cast.holds("jonas", &ring.secret).await, "a report suspends nobody");
    let (begun, _) = contain(&iris, true).await.unwrap();
    assert!(!cast.holds("jonas", &ring.secret).await, "before a new value was made");
    let begun = begun.unwrap();
    assert_eq!(current(cast, &ring.secret).await, Some(1));
    run(cast).await;
    let row = rotation(cast, &begun).await;
    assert_eq!((row.step(), row.trigger(), row.cut_off), (Step::VerifiedDead, Trigger::Incident, true));
    let closed = case(cast, &id).await;
    assert_eq!((closed.end(), closed.began_at), (Some(End::Proved), detected), "it counts from when it was detected");
    assert_eq!(of(cast, &ring.secret).await.len(), 1, "one case, not two");
    // Knowledge ends with the proof.
    let known =
        vault::store::knowing(&mut cast.console.db().unseen().read().await.unwrap(), &ring.secret).await.unwrap();
    assert!(known.is_empty(), "{known:?}");
    let dead = report(&lucia, detected, None).await;
    assert!(matches!(dead.err(), Some(Error::Invalid(_))), "what is dead cannot leak any more");
    // It was noticed a day earlier than thought: earlier is the only way.
    let earlier = detected - TimeDelta::days(1);
    let moved = |at| rotations::move_case(&cast.console, &iris, &id, at, "The build ran on Monday.");
    assert!(matches!(moved(detected + TimeDelta::hours(1)).await.err(), Some(Error::Invalid(_))));
    moved(earlier).await.unwrap();
    assert_eq!(case(cast, &id).await.began_at, earlier);
    // The old value comes back to life: the case is open again.
    ring.receiver.accept(&serde_json::json!({ "value": "first-key-of-all" }));
    cast.world.clock.advance(TimeDelta::hours(1));
    run(cast).await;
    assert_eq!(case(cast, &id).await.end(), None, "still open");
    cast.world.clock.advance(TimeDelta::minutes(5));
    run(cast).await;
    assert_eq!(case(cast, &id).await.end(), Some(End::Proved));
    let row = server::grants::store::find(
        &mut cast.console.db().unseen().read().await.unwrap(),
        &grant,
        cast.console.seal_key(),
    )
    .await;
    assert_eq!(row.unwrap().unwrap().suspended_for.as_deref(), Some("leak"));
    is_whole(cast).await;
});

story!(what_leaks_within_the_day_of_its_rotation_does_not_wait, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let cast = &ring.cast;
    let first = ring.start().await;
    run(cast).await;
    assert_eq!(rotation(cast, &first).await.step(), Step::VerifiedDead, "its later looks are to come");
    let iris = cast.caller("iris").await;
    let leak = Leak { version: 2, ..leak(cast.console.now(), None) };
    let (id, _) = rotations::report_leak(&cast.console, &iris, &ring.secret, leak).await.unwrap();
    let (begun, _) = rotations::contain_case(&cast.console, &iris, &id, Suspend::Nobody, true).await.unwrap();
    run(cast).await;
    assert_eq!(rotation(cast, &begun.unwrap()).await.step(), Step::VerifiedDead);
    assert_eq!(case(cast, &id).await.end(), Some(End::Proved));
    let row = rotation(cast, &first).await;
    assert_eq!((row.step(), row.grade().is_some(), row.repeats), (Step::Closed, true, 0), "it made way");
    is_whole(cast).await;
});

story!(a_leak_of_the_new_value_does_not_kill_the_old_one, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let plan = NewPlan { overlap_minutes: 1440, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let (rotating, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    run(&cast).await;
    let leak = Leak { version: 2, ..leak(cast.console.now(), None) };
    let (id, _) = rotations::report_leak(&cast.console, &iris, &secret, leak).await.unwrap();
    let (begun, _) = rotations::contain_case(&cast.console, &iris, &id, Suspend::Nobody, true).await.unwrap();
    assert_eq!(begun, None, "its turn comes when the other is over");
    server::jobs::run_due(&cast.console).await.unwrap();
    let row = rotation(&cast, &rotating).await;
    assert_eq!((row.step(), row.cut_off), (Step::Overlap, false));
    rotations::cut_off(&cast.console, &iris, &rotating).await.unwrap();
    server::jobs::run_due(&cast.console).await.unwrap();
    cast.world.clock.advance(TimeDelta::seconds(11));
    server::jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(current(&cast, &secret).await, Some(3), "it came by itself");
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let begun = rotations::store::of_secret(&mut db, &secret, 5, cast.console.seal_key()).await.unwrap();
    drop(db);
    let newest = (begun[0].trigger(), begun[0].cut_off, begun[0].from_version, begun[0].started_by.as_deref());
    assert_eq!((begun.len(), newest), (2, (Trigger::Incident, true, 2, None)));
    // Once, whatever becomes of it.
    cast.world.clock.advance(TimeDelta::days(2));
    server::jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(current(&cast, &secret).await, Some(3));
    is_whole(&cast).await;
});

story!(a_rotation_under_way_is_hastened_not_begun_twice, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let plan = NewPlan { overlap_minutes: 1440, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let (rotating, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    run(&cast).await;
    assert_eq!(rotation(&cast, &rotating).await.step(), Step::Overlap);
    let now = cast.console.now();
    let (id, _) = rotations::report_leak(&cast.console, &iris, &secret, leak(now, None)).await.unwrap();
    let (same, _) = rotations::contain_case(&cast.console, &iris, &id, Suspend::Nobody, true).await.unwrap();
    assert_eq!(same.as_deref(), Some(rotating.as_str()));
    run(&cast).await;
    let row = rotation(&cast, &rotating).await;
    assert_eq!((row.step(), row.cut_off), (Step::Closed, true), "the overlap ended at once");
    let ends: Vec<_> = of(&cast, &secret).await.iter().map(|case| (case.trigger(), case.end())).collect();
    assert!(ends.contains(&(Trigger::Manual, Some(End::Unverified))), "there is no target to ask: never called dead");
    assert!(ends.contains(&(Trigger::Incident, None)), "what leaked is not over before somebody says that it is dead");
    rotations::attest_death(&cast.console, &iris, &secret, 1, "The partner closed it.").await.unwrap();
    assert_eq!(case(&cast, &id).await.end(), Some(End::Attested));
    is_whole(&cast).await;
});

story!(who_is_on_the_old_value_holds_it_up_by_name, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let deployer = machine(&cast, "deployer", Tier::Staging).await;
    let request = allow(&cast, &deployer, &secret, 60 * 24).await;
    if cast.request(&request).await.grant_id.is_none() {
        cast.approve("teodor", &request).await.unwrap();
    }
    let bearer = token(&cast, &deployer).await.unwrap();
    fetch(&cast, &bearer, "staging", "api/key").await.unwrap();
    let plan = NewPlan { overlap_minutes: 30, hold: true, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    run(&cast).await;
    cast.world.clock.advance(TimeDelta::minutes(31));
    run(&cast).await;
    let row = rotation(&cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::Overlap)));
    assert!(row.reason.unwrap().ends_with("still used by deployer"), "by name");
    let bearer = token(&cast, &deployer).await.unwrap();
    fetch(&cast, &bearer, "staging", "api/key").await.unwrap();
    rotations::resolve_rotation(&cast.console, &iris, &id, app::rotations::model::Choice::Retry, "").await.unwrap();
    run(&cast).await;
    assert_eq!(rotation(&cast, &id).await.step(), Step::Closed, "it has moved");
    is_whole(&cast).await;
});

story!(a_leaver_opens_what_they_know_from_when_they_left, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let cast = &ring.cast;
    let by_hand = cast.filled("by/hand", Tier::Staging, Class::Normal).await;
    for secret in [&ring.secret, &by_hand] {
        cast.granted("jonas", secret, 60).await;
        cast.take("jonas", secret, Take::Copy).await.unwrap();
    }
    let (anna, iris, jonas) = (cast.caller("anna").await, cast.caller("iris").await, cast.id("jonas").to_owned());
    let selection = Selection { person: Some(jonas.clone()), ..Selection::default() };
    let (fits, more) = rotations::fitting(&cast.console, &iris, &selection).await.unwrap();
    assert_eq!((fits.len(), more), (2, 0));
    let ready = fits.iter().find(|fit| fit.located.secret.id == ring.secret).unwrap();
    assert!(ready.how.is_ok() && fits.iter().any(|fit| fit.how.is_err()), "it says which can begin");
    let chosen: Vec<String> = fits.iter().map(|fit| fit.located.secret.id.clone()).collect();
    let active = rotations::begin_many(&cast.console, &iris, &chosen, Some(&jonas), false).await;
    assert!(matches!(active.err(), Some(Error::Invalid(_))), "somebody who can still sign in did not leave");
    people::disable_person(&cast.console, &anna, &jonas).await.unwrap();
    let left = cast.person("jonas").await.disabled_at.unwrap();
    cast.world.clock.advance(TimeDelta::hours(5));
    let other = cast.filled("not/known", Tier::Staging, Class::Normal).await;
    let unknown = rotations::begin_many(&cast.console, &iris, &[other], Some(&jonas), false).await.unwrap();
    assert!(matches!(unknown[0].1, Came::Not(Error::Invalid(_))), "only what they know counts from when they left");
    let came = rotations::begin_many(&cast.console, &iris, &chosen, Some(&jonas), false).await.unwrap();
    assert_eq!(came.iter().filter(|(_, came)| matches!(came, Came::Rotation(_))).count(), 1);
    assert_eq!(
        came.iter().filter(|(_, came)| matches!(came, Came::Case(_))).count(),
        1,
        "no plan: a case to do by hand"
    );
    let again = rotations::begin_many(&cast.console, &iris, &chosen, Some(&jonas), false).await.unwrap();
    assert!(again.iter().all(|(_, came)| matches!(came, Came::Not(_))), "twice changes nothing");
    run(cast).await;
    let proved = of(cast, &ring.secret).await;
    assert_eq!((proved.len(), proved[0].trigger(), proved[0].end()), (1, Trigger::Leaver, Some(End::Proved)));
    assert_eq!(proved[0].began_at, left, "it counts from when they left, not from the click");
    // By hand: a new value is written, and somebody attests that the old one is dead.
    let open = of(cast, &by_hand).await;
    assert_eq!((open.len(), open[0].end()), (1, None));
    let attest = || rotations::attest_death(&cast.console, &iris, &by_hand, 1, "The partner closed it while I looked.");
    assert!(matches!(attest().await.err(), Some(Error::Invalid(_))), "never of the value in use");
    cast.write("iris", &by_hand, 1, "typed anew").await.unwrap();
    attest().await.unwrap();
    let closed = of(cast, &by_hand).await;
    assert_eq!((closed[0].end(), closed[0].dead_at), (Some(End::Attested), None), "attested is not proved");
    assert_eq!(attest().await.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    is_whole(cast).await;
});

story!(a_case_is_given_up_by_two_people_and_stays_counted, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Production, Class::Normal).await;
    let (mara, ewa, iris) = (cast.caller("mara").await, cast.caller("ewa").await, cast.caller("iris").await);
    let now = cast.console.now();
    let (id, _) = rotations::report_leak(&cast.console, &mara, &secret, leak(now, None)).await.unwrap();
    let (begun, _) = rotations::contain_case(&cast.console, &mara, &id, Suspend::Everybody, false).await.unwrap();
    assert_eq!(begun, None, "nothing says how it rotates: a person does it");
    let cancel = |caller, why| rotations::cancel_case(&cast.console, caller, &id, why);
    assert!(matches!(cancel(&ewa, "").await.err(), Some(Error::Invalid(_))));
    assert_eq!(cancel(&mara, "a test value").await.err(), Some(Error::Refused(Refusal::OwnChange)));
    assert_eq!(cancel(&iris, "a test value").await.err(), Some(Error::Refused(Refusal::NoRule)));
    cancel(&ewa, "It was a test value of a tutorial.").await.unwrap();
    assert_eq!(case(&cast, &id).await.end(), Some(End::Cancelled));
    cast.world.clock.advance(TimeDelta::hours(1));
    let now = cast.console.now();
    let shown = from_the_rows(&cast, now - TimeDelta::days(30), now).await;
    let incident = Trigger::ALL.iter().position(|trigger| *trigger == Trigger::Incident).unwrap();
    assert_eq!((shown[incident].began, shown[incident].ended, shown[incident].proved), (1, 1, 0), "counted, not dead");
    is_whole(&cast).await;
});

story!(the_figures_follow_from_the_trail_alone, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let cast = &ring.cast;
    let iris = cast.caller("iris").await;
    let start = cast.console.now();
    // Proved, by hand: after two hours of a target that is away.
    ring.receiver.fail("set", vec![server::demo::receiver::Fault::Down; 3]);
    ring.start().await;
    for _ in 0..40 {
        run(cast).await;
        cast.world.clock.advance(TimeDelta::hours(1));
    }
    // Incident, moved, proved at once.
    let leak = Leak { version: 2, detected_at: cast.console.now() - TimeDelta::hours(1), what: "Seen.", suspect: None };
    let (id, _) = rotations::report_leak(&cast.console, &iris, &ring.secret, leak).await.unwrap();
    rotations::contain_case(&cast.console, &iris, &id, Suspend::Nobody, false).await.unwrap();
    run(cast).await;
    let earlier = case(cast, &id).await.began_at - TimeDelta::hours(7);
    rotations::move_case(&cast.console, &iris, &id, earlier, "Found in a backup.").await.unwrap();
    // Not verified, cancelled, open, and one that is reopened.
    let generated = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    rotations::configure_rotation(&cast.console, &iris, &generated, NewPlan::generated()).await.unwrap();
    rotations::start_rotation(&cast.console, &iris, &generated).await.unwrap();
    run(cast).await;
    let other = cast.filled("api/other", Tier::Staging, Class::Normal).await;
    let open = Leak { version: 1, detected_at: cast.console.now(), what: "Seen.", suspect: None };
    rotations::report_leak(&cast.console, &iris, &other, open).await.unwrap();
    ring.receiver.accept(&crate::webhooks::value(&cast.console, &ring.secret, 2).await);
    cast.world.clock.advance(TimeDelta::hours(2));
    run(cast).await;
    let now = cast.console.now();
    for from in [start - TimeDelta::days(1), now - TimeDelta::hours(12)] {
        assert_eq!(from_the_trail(cast, from, now).await, from_the_rows(cast, from, now).await);
    }
    let from = start - TimeDelta::days(1);
    let (told, kept) = (parts_from_the_trail(cast, from, now).await, parts_from_the_rows(cast, from, now).await);
    assert_eq!(told, kept);
    let manual = &kept[Trigger::ALL.iter().position(|known| *known == Trigger::Manual).unwrap()];
    assert_eq!((manual.ended, manual.first_attempt), (2, 1), "one was set at the fourth attempt");
    assert!(kept.iter().any(|parts| parts.proved > 0 && parts.cycle.is_some() && parts.queue.is_some()));
    let all = from_the_rows(cast, from, now).await;
    let figure = |trigger| &all[Trigger::ALL.iter().position(|known| *known == trigger).unwrap()];
    let manual = figure(Trigger::Manual);
    assert_eq!((manual.began, manual.ended, manual.proved), (2, 2, 1));
    assert!(manual.mean.is_some_and(|mean| mean > TimeDelta::zero()));
    assert_eq!(
        (figure(Trigger::Incident).began, figure(Trigger::Incident).open),
        (2, 2),
        "reopened, and one untouched"
    );
    is_whole(cast).await;
});

story!(a_contained_leak_waits_for_no_pause_and_follows_a_roll_back, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let plan = NewPlan { overlap_minutes: 1440, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let (rotating, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    run(&cast).await;
    rotations::pause_rotation(&cast.console, &iris, &secret, 30, "change freeze").await.unwrap();
    // The old value leaks while both work; then somebody goes back to it.
    let (id, _) = rotations::report_leak(&cast.console, &iris, &secret, leak(cast.console.now(), None)).await.unwrap();
    let (begun, _) = rotations::contain_case(&cast.console, &iris, &id, Suspend::Nobody, false).await.unwrap();
    assert_eq!(begun.as_deref(), Some(rotating.as_str()), "the one under way does it");
    server::jobs::run_due(&cast.console).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(1));
    rotations::roll_back(&cast.console, &iris, &rotating, "The new one does not work in the shop.").await.unwrap();
    for _ in 0..4 {
        server::jobs::run_due(&cast.console).await.unwrap();
        cast.world.clock.advance(TimeDelta::minutes(6));
    }
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let begun = rotations::store::of_secret(&mut db, &secret, 5, cast.console.seal_key()).await.unwrap();
    drop(db);
    assert_eq!((begun.len(), begun[0].trigger(), begun[0].from_version), (2, Trigger::Incident, 1));
    assert_eq!(current(&cast, &secret).await, Some(3), "what leaked is not handed out again for long");
    is_whole(&cast).await;
});
