//! Signals: found by the real operations' events, the same whenever and by whomever they are computed; answered by those who
//! may, once, and never about oneself.
use crate::{
    cast::{CANARY, Cast},
    http::{Browser, site},
    story,
    workloads::machine,
};
use app::{
    audit::{action::Action, leaf::Leaf},
    error::{Conflict, Error, Refusal},
    policies::model::{Class, Tier},
    signals::model::{Answer, Detector, Evidence, Key, State},
};
use chrono::TimeDelta;
use server::{
    audit::store as trail,
    console::Console,
    notifications,
    signals::{
        self, Wanted,
        store::{self, Narrow, Signal},
    },
    vault::Take,
};

async fn all(console: &Console) -> Vec<Signal> {
    signals::refresh(console).await.unwrap();
    store::list(&mut console.db().unseen().read().await.unwrap(), &Narrow::default(), console.now(), 1_000)
        .await
        .unwrap()
}

/// Lucia tries twelve secrets of the project: one burst.
async fn burst(cast: &Cast) -> Key {
    for n in 0..12 {
        let secret = cast.secret(&format!("door/{n}"), Tier::Staging, Class::Normal).await;
        cast.world.clock.advance(TimeDelta::seconds(5));
        assert!(cast.take("lucia", &secret, Take::Copy).await.is_err());
    }
    let found = all(&cast.console).await;
    let burst: Vec<_> = found.iter().filter(|signal| signal.detector == Detector::Refusals.code()).collect();
    assert_eq!(burst.len(), 1, "{found:?}");
    assert_eq!(burst[0].actor_id.as_deref(), Some(cast.id("lucia")));
    burst[0].key().unwrap()
}

fn wanted(answer: Answer, seen: i32) -> Wanted<'static> {
    Wanted { answer, seen, assignee: "", days: 7, reason: "Asked: a script of hers." }
}

async fn answer(cast: &Cast, login: &str, key: Key, wanted: Wanted<'_>) -> Result<u64, Error> {
    signals::answer(&cast.console, &cast.caller(login).await, key, wanted).await.map(|receipt| receipt.seq)
}

async fn state(cast: &Cast, key: Key) -> State {
    let signal = store::find(&mut cast.console.db().unseen().read().await.unwrap(), key).await.unwrap().unwrap();
    signal.state(cast.console.now())
}

story!(the_same_trail_gives_the_same_signals, |world| {
    let cast = Cast::new(world).await;
    let key = burst(&cast).await;
    let before = all(&cast.console).await;
    let signal = before.iter().find(|signal| signal.key() == Some(key)).unwrap();
    let Some(Evidence::Refusals { count: 10, secrets: 10, reasons }) = signal.evidence() else { panic!("{signal:?}") };
    assert_eq!(reasons, ["no_grant"]);
    let events = signal.events();
    assert_eq!((events.len(), events.last().copied()), (10, Some(key.seq)));
    for seq in events {
        let row = trail::find(&mut cast.console.db().unseen().read().await.unwrap(), seq).await.unwrap().unwrap();
        assert_eq!((row.outcome.as_str(), row.actor_id.as_deref()), ("refused", Some(cast.id("lucia"))));
    }
    // Security was told once; whoever it is about was not.
    let told = async |login: &str| {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let notices = notifications::store::list(&mut db, cast.id(login), 50).await.unwrap();
        notices.iter().filter(|notice| notice.kind == "signal.raised").count()
    };
    assert_eq!((told("mara").await, told("ewa").await, told("lucia").await), (1, 1, 0));
    // Computed again from the beginning, by two at once.
    let mut tx = cast.console.ledger.housekeeping().await.unwrap();
    store::clear(&mut tx).await.unwrap();
    trail::lock_cursor(&mut tx, "signals").await.unwrap();
    trail::move_cursor(&mut tx, "signals", 0).await.unwrap();
    tx.finish().await.unwrap();
    let (one, other) = crate::support::together(signals::refresh(&cast.console), signals::refresh(&cast.console)).await;
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(all(&cast.console).await, before);
    assert_eq!((told("mara").await, told("ewa").await), (1, 1), "nobody is told again");
});

story!(an_answer_is_an_event_once_and_never_about_oneself, |world| {
    let cast = Cast::new(world).await;
    let key = burst(&cast).await;
    // Wrong roles, and an auditor who only reads.
    assert_eq!(answer(&cast, "jonas", key, wanted(Answer::Close, 0)).await, Err(Error::Refused(Refusal::NoRule)));
    assert_eq!(answer(&cast, "samir", key, wanted(Answer::Close, 0)).await, Err(Error::Refused(Refusal::NoRule)));
    let nameless = Wanted { reason: " ", ..wanted(Answer::Close, 0) };
    assert!(matches!(answer(&cast, "mara", key, nameless).await, Err(Error::Invalid(_))));
    let for_ever = Wanted { days: 91, ..wanted(Answer::Snooze, 0) };
    assert!(matches!(answer(&cast, "mara", key, for_ever).await, Err(Error::Invalid(_))));
    for nobody in ["", "per_none", cast.id("jonas"), cast.id("samir"), cast.id("lucia")] {
        let to = Wanted { assignee: nobody, ..wanted(Answer::Assign, 0) };
        assert!(matches!(answer(&cast, "mara", key, to).await, Err(Error::Invalid(_))), "{nobody}");
    }
    assert_eq!(state(&cast, key).await, State::Open);
    // Put off: back by itself.
    answer(&cast, "iris", key, wanted(Answer::Snooze, 0)).await.unwrap();
    assert_eq!(state(&cast, key).await, State::Snoozed);
    cast.world.clock.advance(TimeDelta::days(7));
    assert_eq!(state(&cast, key).await, State::Open);
    let ewa = Wanted { assignee: cast.id("ewa"), ..wanted(Answer::Assign, 1) };
    answer(&cast, "mara", key, ewa).await.unwrap();
    // Two at once: one of them.
    let (one, other) = crate::support::together(
        answer(&cast, "mara", key, wanted(Answer::Close, 2)),
        answer(&cast, "ewa", key, wanted(Answer::NotUseful, 2)),
    )
    .await;
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let lost = one.clone().err().or(other.clone().err()).unwrap();
    assert_eq!(lost, Error::Conflict(Conflict::EditedMeanwhile));
    assert_eq!(answer(&cast, "ewa", key, wanted(Answer::Close, 3)).await, Err(Error::Conflict(Conflict::AlreadyDone)));
    let last = answer(&cast, "ewa", key, wanted(Answer::Reopen, 3)).await.unwrap();
    assert_eq!(state(&cast, key).await, State::Open);
    // Each is in the trail, with the reason beside the leaf.
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let row = trail::find(&mut db, last).await.unwrap().unwrap();
    assert_eq!(row.action, Action::ReopenSignal.code());
    let leaf = Leaf::decode(&row.leaf).unwrap();
    assert_eq!(leaf.subject.row, Some(key.to_string()));
    assert!(!String::from_utf8_lossy(&row.leaf).contains("script of hers"));
    assert_eq!(store::answers(&mut db, key).await.unwrap().len(), 4);
    drop(db);
    // Mara does what stands out herself: she reads of it, and somebody else answers.
    let secret = cast.secret("door/own", Tier::Staging, Class::Normal).await;
    for _ in 0..12 {
        assert!(cast.take("mara", &secret, Take::Copy).await.is_err());
    }
    cast.console.ledger.flush_repeats(true).await;
    let found = all(&cast.console).await;
    let own = found.iter().find(|signal| signal.actor_id.as_deref() == Some(cast.id("mara"))).unwrap().key().unwrap();
    assert_eq!(answer(&cast, "mara", own, wanted(Answer::Close, 0)).await, Err(Error::Refused(Refusal::OwnSignal)));
    answer(&cast, "ewa", own, wanted(Answer::Close, 0)).await.unwrap();
});

story!(who_stands_behind_a_workload_does_not_answer_for_it, |world| {
    let cast = Cast::new(world).await;
    let worker = machine(&cast, "worker", Tier::Staging).await;
    signals::refresh(&cast.console).await.unwrap();
    let key = Key { detector: Detector::Place, seq: 5 };
    let found = app::signals::model::Found {
        key,
        at: cast.console.now(),
        actor: Some(worker.id.clone()),
        project: Some(cast.project.clone()),
        environment: None,
        secret: None,
        request: None,
        grant: None,
        evidence: Evidence::Place { network: true, agent: true, days: 12 },
        events: vec![5],
    };
    let mut tx = cast.console.ledger.housekeeping().await.unwrap();
    store::raise(&mut tx, &found).await.unwrap();
    tx.finish().await.unwrap();
    // Iris is of its team; a token pasted into an answer is refused.
    assert_eq!(answer(&cast, "iris", key, wanted(Answer::Close, 0)).await, Err(Error::Refused(Refusal::OwnSignal)));
    let pasted = Wanted { reason: "It was AKIA0000.", ..wanted(Answer::Close, 0) };
    assert!(matches!(answer(&cast, "mara", key, pasted).await, Err(Error::Invalid(_))));
    let signal = store::find(&mut cast.console.db().unseen().read().await.unwrap(), key).await.unwrap().unwrap();
    let able: Vec<String> =
        signals::able(&cast.console, &signal).await.unwrap().into_iter().map(|(_, name)| name).collect();
    assert_eq!(able, ["Ewa Security", "Mara Security", "Teodor Lead"]);
    answer(&cast, "teodor", key, wanted(Answer::Close, 0)).await.unwrap();
});

story!(signals_are_read_where_the_trail_is, |world| {
    let (cast, router) = site(world).await;
    let key = burst(&cast).await;
    let path = format!("/signals/{key}");
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    assert_eq!(jonas.get("/signals").await.status, 403);
    assert_eq!(jonas.get(&path).await.status, 403);
    let mut samir = Browser::signed_in(&cast, &router, "samir").await;
    let page = samir.get("/signals").await;
    assert!(page.text.contains(&path) && page.text.contains("Lucia Engineer"));
    let page = samir.get(&path).await;
    assert!(page.text.contains("was refused 10 times within ten minutes about 10 different secrets: no grant."));
    assert!(!page.text.contains("value=\"closed\""), "an auditor answers nothing");
    assert!(!page.text.contains(CANARY));
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    assert!(iris.get("/signals").await.text.contains(&path), "a lead reads of what they lead");
    for wrong in ["/signals/refusal_burst-0", "/signals/none-4", "/signals/refusal_burst-999999"] {
        assert_eq!(iris.get(wrong).await.status, 404, "{wrong}");
    }
    let form = [("answer", "closed"), ("seen", "0"), ("days", "7"), ("reason", "")];
    let wrong = iris.post(&path, &form).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("Say why"));
    let form = [("answer", "closed"), ("seen", "0"), ("days", "7"), ("reason", "Asked <b>her</b>.")];
    assert_eq!(iris.post(&path, &form).await.status, 303);
    assert_eq!(iris.post(&path, &form).await.status, 409);
    let page = iris.get(&path).await;
    assert!(page.text.contains("Asked &lt;b&gt;her&lt;/b&gt;.") && page.text.contains("Open it again"));
    assert!(!iris.get("/signals").await.text.contains(&path));
    assert!(iris.get("/signals?show=closed").await.text.contains(&path));
    assert!(!iris.get("/signals?show=all&detector=odd_hours").await.text.contains(&path));
    // What belongs to no project is not for leads.
    let mut tx = cast.console.ledger.housekeeping().await.unwrap();
    let other = Key { detector: Detector::Mutual, seq: 3 };
    let found = app::signals::model::Found {
        key: other,
        at: cast.console.now(),
        actor: Some(cast.id("jonas").into()),
        project: None,
        environment: None,
        secret: None,
        request: None,
        grant: None,
        evidence: Evidence::Mutual { other: cast.id("mara").into(), given: 3, taken: 4 },
        events: vec![3],
    };
    store::raise(&mut tx, &found).await.unwrap();
    tx.finish().await.unwrap();
    let second = answer(&cast, "mara", other, wanted(Answer::Close, 0)).await;
    assert_eq!(second, Err(Error::Refused(Refusal::OwnSignal)), "the second of two answers as little as the first");
    assert_eq!(iris.get(&format!("/signals/{other}")).await.status, 404);
    assert_eq!(samir.get(&format!("/signals/{other}")).await.status, 200);
});
