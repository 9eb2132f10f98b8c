//! The webhook rotator against the reference receiver: to the proof, and through what a receiver can do wrong.
use crate::{
    cast::Cast,
    http::{BASE, Browser},
    rotations::{current, is_whole, rotation, run},
    story,
};
use app::{
    error::{Error, Refusal},
    policies::model::{Class, Tier},
    rotations::model::{Choice, Grade, Step},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{
    console::Console,
    demo::receiver::{Fault, Receiver},
    http::{Site, router},
    rotations::{self, Leak, NewPlan, Suspend, rotator::Target, webhook::Settings},
    vault,
};

const KEY: &str = "a signing key of more than 24 characters";

/// A secret that rotates through a receiver.
pub struct Ring {
    pub cast: Cast,
    pub receiver: Receiver,
    pub secret: String,
}

pub async fn value(console: &Console, secret: &str, version: i32) -> Value {
    let mut db = console.db().unseen().read().await.unwrap();
    let located = server::catalog::Located::find(&mut db, secret, console.seal_key()).await.unwrap().unwrap();
    let sealed = vault::version(&mut db, located, version).await.unwrap().unwrap();
    drop(db);
    let payload = vault::open_sealed(console, &sealed).await.unwrap().unwrap();
    let (_, value) = payload.fields().next().unwrap();
    json!({ "value": String::from_utf8(value.to_vec()).unwrap() })
}

impl Ring {
    pub async fn new(cast: Cast) -> Self {
        let receiver = Receiver::start(KEY, cast.world.clock.clone()).await.unwrap();
        let secret = cast.secret("partner/api-key", Tier::Staging, Class::Normal).await;
        cast.write("iris", &secret, 0, "first-key-of-all").await.unwrap();
        receiver.accept(&json!({ "value": "first-key-of-all" }));
        let signing = cast.secret("rotation/signing", Tier::Staging, Class::Normal).await;
        cast.write("iris", &signing, 0, KEY).await.unwrap();
        let ring = Self { cast, receiver, secret };
        let settings = Settings { url: ring.receiver.url(), endpoints: vec!["eu".into(), "us".into()], signing };
        let iris = ring.cast.caller("iris").await;
        let plan = NewPlan::at(Target::Webhook(settings));
        rotations::configure_rotation(&ring.cast.console, &iris, &ring.secret, plan).await.unwrap();
        let unconfirmed = rotations::start_rotation(&ring.cast.console, &iris, &ring.secret).await;
        assert_eq!(unconfirmed.err(), Some(Error::Refused(Refusal::PlanUnconfirmed)));
        let mara = ring.cast.caller("mara").await;
        rotations::confirm_plan(&ring.cast.console, &mara, &ring.secret).await.unwrap();
        ring
    }

    pub async fn start(&self) -> String {
        let iris = self.cast.caller("iris").await;
        rotations::start_rotation(&self.cast.console, &iris, &self.secret).await.unwrap().0
    }

    async fn value(&self, version: i32) -> Value {
        value(&self.cast.console, &self.secret, version).await
    }

    /// Lets time pass until nothing is due any more.
    async fn settle(&self, id: &str) {
        for _ in 0..30 {
            run(&self.cast).await;
            let row = rotation(&self.cast, id).await;
            if row.ended_at.is_some() || row.step() == Step::NeedsPerson {
                break;
            }
            self.cast.world.clock.advance(TimeDelta::hours(1));
        }
    }
}

story!(a_receiver_that_is_told_by_signed_calls_ends_with_the_proof, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let iris = ring.cast.caller("iris").await;
    let (works, _, _) = rotations::check_rotation(&ring.cast.console, &iris, &ring.secret).await.unwrap();
    assert_eq!(works.as_deref(), Ok("The receiver at 127.0.0.1 is ready for a new value."));
    let id = ring.start().await;
    run(&ring.cast).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.grade(), row.reason), (Step::VerifiedDead, Some(Grade::Proved), None));
    let new = ring.value(2).await;
    assert!(ring.receiver.accepts(&new) && !ring.receiver.accepts(&json!({ "value": "first-key-of-all" })));
    let calls = ring.receiver.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with(&format!("{id}.set."))).count(), 1);
    assert_eq!(calls.iter().filter(|call| call.starts_with(&format!("{id}.disable."))).count(), 1);
    let mut db = ring.cast.console.db().unseen().read().await.unwrap();
    let narrow = server::audit::store::Narrow { secret: Some(ring.secret.clone()), ..Default::default() };
    let seen = server::audit::store::list(&mut db, &narrow, None, 100).await.unwrap();
    drop(db);
    let said: Vec<String> = seen.iter().map(|row| String::from_utf8_lossy(&row.leaf).into_owned()).collect();
    assert!(said.iter().all(|leaf| !leaf.contains("first-key") && !leaf.contains(new["value"].as_str().unwrap())));
    assert!(said.iter().any(|leaf| leaf.contains("eu: old refused invalid_credential, new accepted")));
    ring.settle(&id).await;
    assert_eq!(rotation(&ring.cast, &id).await.step(), Step::Closed);
    is_whole(&ring.cast).await;
});

story!(whatever_a_receiver_does_no_working_value_is_lost, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let (mut version, mut number) = (1, 0);
    for what in ["preflight", "set", "probe", "disable"] {
        for fault in [Fault::AnswerLost, Fault::Down, Fault::Late, Fault::Garbage] {
            for times in [1, 3] {
                ring.receiver.fail(what, vec![fault; times]);
                let id = ring.start().await;
                ring.settle(&id).await;
                let row = rotation(&ring.cast, &id).await;
                number += 1;
                assert_eq!(row.step(), Step::Closed, "{what} {fault:?} {times}: {:?}", row.reason);
                assert_eq!(row.grade(), Some(Grade::Proved), "{what} {fault:?} {times}");
                version += 1;
                assert_eq!(current(&ring.cast, &ring.secret).await, Some(version), "rotated once");
                assert!(ring.receiver.accepts(&ring.value(version).await));
                assert_eq!(ring.receiver.count(), 1, "{what} {fault:?} {times}: what was replaced is out");
            }
        }
    }
    assert_eq!(number, 32);
    is_whole(&ring.cast).await;
});

story!(a_receiver_that_refuses_or_stays_away_asks_a_person, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    ring.receiver.fail("set", [Fault::Refused]);
    let id = ring.start().await;
    ring.settle(&id).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::PendingCreated)));
    assert_eq!(row.reason.as_deref(), Some("the receiver refused it: not_today"));
    let iris = ring.cast.caller("iris").await;
    rotations::resolve_rotation(&ring.cast.console, &iris, &id, Choice::Retry, "").await.unwrap();
    ring.receiver.fail("set", vec![Fault::AnswerLost; 1]);
    ring.receiver.fail("probe", vec![Fault::Down; 40]);
    ring.settle(&id).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::SetUnknown)), "{:?}", row.reason);
    assert_eq!(current(&ring.cast, &ring.secret).await, Some(1), "what is handed out is what worked last");
    assert!(ring.receiver.accepts(&ring.value(2).await), "and the other is kept");
    let unsure = rotations::resolve_rotation(&ring.cast.console, &iris, &id, Choice::KeepOld, "seen").await;
    assert!(matches!(unsure.err(), Some(Error::Invalid(_))), "the target has to say that it takes the old value");
    ring.receiver.mend();
    rotations::resolve_rotation(&ring.cast.console, &iris, &id, Choice::Retry, "").await.unwrap();
    ring.settle(&id).await;
    assert_eq!(rotation(&ring.cast, &id).await.grade(), Some(Grade::Proved));
    is_whole(&ring.cast).await;
});

story!(nobody_clears_themself_where_a_rotation_stopped, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let (mara, teodor, iris) =
        (ring.cast.caller("mara").await, ring.cast.caller("teodor").await, ring.cast.caller("iris").await);
    let console = &ring.cast.console;
    let leak =
        Leak { version: 1, detected_at: console.now(), what: "In a log.", suspect: Some(ring.cast.id("teodor")) };
    let (case, _) = rotations::report_leak(console, &mara, &ring.secret, leak).await.unwrap();
    ring.receiver.fail("disable", [Fault::Refused]);
    let (begun, _) = rotations::contain_case(console, &mara, &case, Suspend::Nobody, true).await.unwrap();
    let id = begun.unwrap();
    ring.settle(&id).await;
    assert_eq!(rotation(&ring.cast, &id).await.step(), Step::NeedsPerson);
    let attest = |caller| rotations::resolve_rotation(console, caller, &id, Choice::Attest, "It is out.");
    assert_eq!(attest(&teodor).await.err(), Some(Error::Refused(Refusal::OwnChange)));
    attest(&iris).await.unwrap();
    is_whole(&ring.cast).await;
});

story!(a_call_that_is_not_signed_with_the_key_changes_nothing, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let iris = ring.cast.caller("iris").await;
    let mut db = ring.cast.console.db().unseen().read().await.unwrap();
    let plan = rotations::store::find_plan(&mut db, &ring.secret, ring.cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    let Some(Target::Webhook(settings)) = plan.target() else { panic!("a receiver") };
    ring.cast.write("iris", &settings.signing, 1, "another key of more than 24 characters").await.unwrap();
    let (works, _, _) = rotations::check_rotation(&ring.cast.console, &iris, &ring.secret).await.unwrap();
    assert_eq!(works, Err("the receiver answered 401".into()));
    ring.cast.write("iris", &settings.signing, 2, "too short").await.unwrap();
    let (works, _, _) = rotations::check_rotation(&ring.cast.console, &iris, &ring.secret).await.unwrap();
    assert!(works.is_err_and(|why| why.contains("24 characters")));
    assert_eq!(ring.receiver.calls().len(), 0);
    // An address of a private network that the operator does not allow is not called.
    let inside = Settings { url: "https://10.1.2.3/rotate".into(), ..settings.clone() };
    rotations::configure_rotation(&ring.cast.console, &iris, &ring.secret, NewPlan::at(Target::Webhook(inside)))
        .await
        .unwrap();
    ring.cast.write("iris", &settings.signing, 3, KEY).await.unwrap();
    let mara = ring.cast.caller("mara").await;
    rotations::confirm_plan(&ring.cast.console, &mara, &ring.secret).await.unwrap();
    let id = ring.start().await;
    run(&ring.cast).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!(row.step(), Step::NeedsPerson);
    assert!(row.reason.unwrap().contains("private"));
    is_whole(&ring.cast).await;
});

story!(while_both_work_one_can_go_back, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let iris = ring.cast.caller("iris").await;
    let mut db = ring.cast.console.db().unseen().read().await.unwrap();
    let plan = rotations::store::find_plan(&mut db, &ring.secret, ring.cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    let plan = NewPlan { overlap_minutes: 60, ..NewPlan::at(plan.target().unwrap()) };
    rotations::configure_rotation(&ring.cast.console, &iris, &ring.secret, plan).await.unwrap();
    rotations::confirm_plan(&ring.cast.console, &ring.cast.caller("mara").await, &ring.secret).await.unwrap();
    let id = ring.start().await;
    run(&ring.cast).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), current(&ring.cast, &ring.secret).await), (Step::Overlap, Some(2)));
    let new = ring.value(2).await;
    let back = |caller, why| rotations::roll_back(&ring.cast.console, caller, &id, why);
    assert!(matches!(back(&iris, "").await.err(), Some(Error::Invalid(_))), "a reason is asked for");
    let jonas = ring.cast.caller("jonas").await;
    assert_eq!(back(&jonas, "no").await.err(), Some(Error::Refused(Refusal::NoRule)));
    let first = json!({ "value": "first-key-of-all" });
    ring.receiver.shut_out(&first);
    assert!(matches!(back(&iris, "The partner refuses it.").await.err(), Some(Error::Invalid(_))), "no way back");
    ring.receiver.accept(&first);
    ring.receiver.fail("disable", [Fault::Down]);
    back(&iris, "The partner's test system refuses the new one.").await.unwrap();
    assert_eq!(current(&ring.cast, &ring.secret).await, Some(1), "handed out again at once");
    ring.settle(&id).await;
    assert_eq!(rotation(&ring.cast, &id).await.step(), Step::RolledBack);
    assert!(ring.receiver.accepts(&first) && !ring.receiver.accepts(&new), "and the new one is withdrawn");
    let mut db = ring.cast.console.db().unseen().read().await.unwrap();
    let key = ring.cast.console.seal_key();
    let cases = rotations::case_store::of_secret(&mut db, &ring.secret, key).await.unwrap();
    drop(db);
    assert_eq!(cases[0].end(), Some(app::rotations::cases::End::Cancelled));
    assert_eq!(back(&iris, "again").await.err(), Some(Error::Conflict(app::error::Conflict::AlreadyDone)));
    // Restored, the withdrawn value can be looked at; it is not handed out.
    vault::undelete_version(&ring.cast.console, &iris, &ring.secret, 2).await.unwrap();
    assert_eq!(current(&ring.cast, &ring.secret).await, Some(1));
    is_whole(&ring.cast).await;
});

story!(what_lives_again_opens_every_case_that_its_proof_closed, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let (cast, iris) = (&ring.cast, ring.cast.caller("iris").await);
    // Version 2 was written by hand over version 1, which goes on working and then leaks.
    cast.write("iris", &ring.secret, 1, "second-key").await.unwrap();
    let second = json!({ "value": "second-key" });
    ring.receiver.accept(&second);
    let plan = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        rotations::store::find_plan(&mut db, &ring.secret, cast.console.seal_key()).await.unwrap().unwrap()
    };
    let cases = async || {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let mut cases = rotations::case_store::of_secret(&mut db, &ring.secret, cast.console.seal_key()).await.unwrap();
        cases.sort_by_key(|case| case.version);
        cases.into_iter().map(|case| (case.version, case.end())).collect::<Vec<_>>()
    };
    // Its places are those of the plan only if it was made for them.
    let written = cast.write("iris", &ring.secret, 2, "third-key").await.unwrap();
    assert!(written == 3 && plan.set_at < cast.console.now());
    let third = json!({ "value": "third-key" });
    ring.receiver.accept(&third);
    let leak = rotations::Leak { version: 2, detected_at: cast.console.now(), what: "In a log.", suspect: None };
    rotations::report_leak(&cast.console, &iris, &ring.secret, leak).await.unwrap();
    ring.receiver.shut_out(&second);
    let id = ring.start().await;
    run(&ring.cast).await;
    let proved = Some(app::rotations::cases::End::Proved);
    assert_eq!(rotation(cast, &id).await.step(), Step::VerifiedDead);
    assert_eq!(cases().await, [(2, proved), (3, proved)]);
    // Somebody restores the partner's old state.
    ring.receiver.accept(&second);
    ring.receiver.accept(&third);
    ring.receiver.fail("disable", [Fault::Down]);
    cast.world.clock.advance(TimeDelta::minutes(61));
    run(&ring.cast).await;
    assert_eq!(cases().await, [(2, None), (3, None)], "what was shown together is open together");
    ring.receiver.shut_out(&second);
    ring.settle(&id).await;
    assert_eq!(cases().await, [(2, proved), (3, proved)]);
    is_whole(cast).await;
});

// A replica that was paused wakes up in the middle of a step: another one has the rotation by then.
story!(a_replica_that_lost_a_rotation_stops_where_it_is, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    ring.receiver.fail("set", vec![Fault::Silent]);
    let id = ring.start().await;
    let console = ring.cast.console.clone();
    let begun = std::time::Instant::now();
    let working = tokio::spawn(async move { rotations::run_due(&console).await });
    let set = format!("{id}.set.");
    while !ring.receiver.calls().iter().any(|call| call.starts_with(&set)) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let before = rotation(&ring.cast, &id).await;
    let router = router(Site::new(ring.cast.console.clone(), BASE, None, true));
    let page = Browser::signed_in(&ring.cast, &router, "iris").await.get(&format!("/rotations/{id}")).await.text;
    assert!(page.contains("A step is under way."), "{page}");
    ring.cast.world.as_database_owner(&["UPDATE rotation_leases SET holder = 'another'"]).await;
    working.await.unwrap().unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "the target was waited for: {:?}", begun.elapsed());
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.event_seq, row.attempts), (before.event_seq, 0), "the replica that lost it recorded nothing");
    // The other one goes on as after a death.
    ring.cast.world.as_database_owner(&["DELETE FROM rotation_leases"]).await;
    run(&ring.cast).await;
    ring.cast.world.clock.advance(TimeDelta::minutes(10));
    run(&ring.cast).await;
    assert_eq!(rotation(&ring.cast, &id).await.grade(), Some(Grade::Proved));
    is_whole(&ring.cast).await;
});
