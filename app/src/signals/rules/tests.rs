use super::*;
use crate::{
    audit::leaf::{Actor, Subject},
    signals::model::{Detector, Evidence},
};
use chrono::TimeDelta;
use serde_json::Value;

/// A Monday, at midnight.
fn monday() -> Moment {
    crate::time::parse_rfc3339("2026-01-05T00:00:00.000000Z").unwrap()
}

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

fn seen(at: Moment, kind: ActorKind, actor: &str, action: Action) -> Seen {
    let leaf = Leaf {
        seq: 0,
        at,
        salt: String::new(),
        action: action.code().into(),
        outcome: Outcome::Allowed,
        reason: None,
        actor: Actor { kind, id: Some(actor.into()), method: None, session: None },
        subject: Subject::default(),
        policy: None,
        correlation: None,
        committed: BTreeMap::new(),
        detail: BTreeMap::new(),
        suppressed: None,
    };
    Seen { leaf, network: Some("home".into()), program: Some("browser".into()) }
}

fn person(at: Moment, actor: &str, action: Action) -> Seen {
    seen(at, ActorKind::Person, actor, action)
}

#[derive(Default)]
struct Trail(Memory, u64);

impl Trail {
    fn next(&mut self, mut seen: Seen) -> Vec<Found> {
        seen.leaf.seq = self.1;
        self.1 += 1;
        watch(&mut self.0, &seen)
    }

    fn detectors(&mut self, seen: Seen) -> Vec<Detector> {
        self.next(seen).iter().map(|found| found.key.detector).collect()
    }

    /// Working days from nine to five: nothing is found in them.
    fn office(&mut self, actor: &str, weeks: i64) {
        for day in (0..weeks * 7).filter(|day| day % 7 < 5) {
            for hour in [9, 11, 14, 17] {
                let at = monday() + days(day) + TimeDelta::hours(hour);
                assert_eq!(self.next(person(at, actor, Action::SignIn)), []);
            }
        }
    }
}

#[test]
fn nights_and_weekends_stand_out_once_a_day() {
    let mut trail = Trail::default();
    // A program of hers runs every night: it teaches nothing of when she is awake.
    for day in 0..42 {
        let mut nightly = person(monday() + days(day) + TimeDelta::hours(3), "ann", Action::ReadTrail);
        nightly.leaf.actor.method = Some("token".into());
        assert_eq!(trail.next(nightly), []);
    }
    trail.office("ann", 6);
    let next = monday() + days(42);
    assert_eq!(trail.detectors(person(next + TimeDelta::hours(10), "ann", Action::SignIn)), []);
    let found = trail.next(person(next + TimeDelta::hours(3), "ann", Action::RevealSecret));
    let Evidence::Hours { hour: 3, by_hour: true, by_weekend: false, days: 30, weekends: 0, hours } =
        &found[0].evidence
    else {
        panic!("{found:?}")
    };
    assert_eq!((hours[9], hours[10], hours[3]), (30, 0, 0), "the day under way does not count");
    assert_eq!(trail.detectors(person(next + TimeDelta::hours(4), "ann", Action::SignIn)), [], "once a day");
    let saturday = next + days(5) + TimeDelta::hours(11);
    let found = trail.next(person(saturday, "ann", Action::SignIn));
    assert!(matches!(found[0].evidence, Evidence::Hours { by_hour: false, by_weekend: true, .. }), "{found:?}");
    // A program with a person's token runs by the clock; a newcomer has no habit.
    let mut program = person(next + days(1) + TimeDelta::hours(3), "ann", Action::ReadTrail);
    program.leaf.actor.method = Some("token".into());
    assert_eq!(trail.detectors(program), []);
    assert_eq!(trail.detectors(person(next + TimeDelta::hours(3), "bob", Action::SignIn)), []);
}

#[test]
fn a_new_place_stands_out_once_and_refused_attempts_teach_nothing() {
    let mut trail = Trail::default();
    trail.office("ann", 2);
    let at = monday() + days(14) + TimeDelta::hours(10);
    let mut attempt = person(at, "ann", Action::SignIn);
    attempt.leaf.outcome = Outcome::Refused;
    attempt.network = Some("abroad".into());
    assert_eq!(trail.detectors(attempt), []);
    let abroad = || Seen { network: Some("abroad".into()), ..person(at, "ann", Action::SignIn) };
    let found = trail.next(abroad());
    assert_eq!(found[0].evidence, Evidence::Place { network: true, agent: false, days: 10 });
    assert_eq!(trail.detectors(abroad()), [], "once");
    // A program may call itself anything: it is told of once an hour.
    for n in 0..50 {
        let other = Seen { program: Some(format!("x{n}")), ..person(at, "ann", Action::SignIn) };
        assert_eq!(trail.detectors(other), []);
    }
    assert_eq!(trail.detectors(Seen { network: Some("abroad".into()), ..person(at, "bob", Action::SignIn) }), []);
}

#[test]
fn ten_refusals_in_ten_minutes_are_a_burst() {
    let mut trail = Trail::default();
    let refused = |minute: i64, n: usize| {
        let mut seen = person(monday() + TimeDelta::minutes(minute), "ann", Action::RevealSecret);
        seen.leaf.outcome = Outcome::Refused;
        seen.leaf.reason = Some("no_grant".into());
        seen.leaf.subject.secret = Some(format!("sec{n}"));
        seen
    };
    // Nine, and nine again when the first are over.
    for minute in [0, 30] {
        for n in 0..9 {
            assert_eq!(trail.next(refused(minute, n)), []);
        }
    }
    let found = trail.next(refused(31, 9));
    let Evidence::Refusals { count: 10, secrets: 10, reasons } = &found[0].evidence else { panic!("{found:?}") };
    assert_eq!((reasons.as_slice(), found[0].events.len()), (&["no_grant".to_owned()][..], 10));
    assert_eq!(trail.next(refused(32, 1)), [], "quiet for an hour");
    // Nothing is remembered of what no longer counts.
    trail.next(seen(monday() + TimeDelta::minutes(119), ActorKind::System, "beat", Action::Heartbeat));
    assert!(trail.0.due(Room::Refusals, monday() + days(9)).is_empty());
    // A consumer that is broken is no cover for a search.
    for minute in 0..3 {
        for _ in 0..4 {
            trail.next(refused(500 + minute, 0));
        }
    }
    let searched: Vec<Detector> = (1..12).flat_map(|n| trail.detectors(refused(503, n))).collect();
    assert_eq!(searched, [Detector::Refusals], "ten different ones, while it is quiet");
    let mut counted = refused(620, 1);
    counted.leaf.suppressed = Some(40);
    assert_eq!(trail.detectors(counted), [Detector::Refusals], "repeats that were only counted count");
    let mut nobody = refused(700, 1);
    nobody.leaf.actor = Actor { kind: ActorKind::Anonymous, id: None, method: None, session: None };
    nobody.leaf.suppressed = Some(10);
    let found = trail.next(nobody);
    assert_eq!((found[0].key.detector, found[0].actor.clone()), (Detector::Refusals, None));
}

#[test]
fn the_first_critical_production_read_of_a_project_after_a_month() {
    let mut trail = Trail::default();
    let subject = |environment: &str, secret: &str| Subject {
        project: Some("pay".into()),
        environment: Some(environment.into()),
        secret: Some(secret.into()),
        ..Subject::default()
    };
    for (environment, tier) in [("prod", "production"), ("dev", "development")] {
        let mut made = person(monday(), "ann", Action::CreateEnvironment);
        made.leaf.subject.environment = Some(environment.into());
        made.leaf.detail.insert("tier".into(), Value::from(tier));
        trail.next(made);
        for (secret, class) in [("db", "critical"), ("mail", "low")] {
            let mut made = person(monday(), "ann", Action::CreateSecret);
            made.leaf.subject = subject(environment, &format!("{secret}-{environment}"));
            made.leaf.detail.insert("class".into(), Value::from(class));
            trail.next(made);
        }
    }
    let read = |day: i64, actor: &str, environment: &str, secret: &str| {
        let mut read = seen(monday() + days(day), ActorKind::Workload, actor, Action::FetchSecret);
        read.leaf.subject = subject(environment, &format!("{secret}-{environment}"));
        read
    };
    assert_eq!(trail.detectors(read(3, "w1", "prod", "db")), [], "in the beginning all is first");
    assert_eq!(trail.detectors(read(40, "w1", "prod", "db")), []);
    assert_eq!(trail.detectors(read(40, "w2", "prod", "mail")), []);
    assert_eq!(trail.detectors(read(40, "w2", "dev", "db")), []);
    assert_eq!(trail.detectors(read(40, "w2", "prod", "db")), [Detector::Critical]);
    assert_eq!(trail.detectors(read(41, "w2", "prod", "db")), []);
    // What is no longer critical is read like anything else.
    let mut edited = person(monday() + days(42), "ann", Action::EditSecret);
    edited.leaf.subject = subject("prod", "db-prod");
    edited.leaf.detail.insert("class".into(), Value::from("normal"));
    trail.next(edited);
    assert_eq!(trail.detectors(read(43, "w3", "prod", "db")), []);
}

#[test]
fn access_that_nobody_uses_is_dormant_once_and_again_after_use() {
    let mut trail = Trail::default();
    let of = |day: i64, action: Action, grant: &str| {
        let mut of = person(monday() + days(day), "ann", action);
        of.leaf.subject.grant = Some(grant.into());
        of.leaf.subject.workload = Some("wkl".into());
        of.leaf.detail.insert("minutes".into(), Value::from(days(180).num_minutes()));
        of
    };
    for grant in ["long", "given-back"] {
        trail.next(of(0, Action::IssueGrant, grant));
    }
    let mut short = of(0, Action::IssueGrant, "short");
    short.leaf.detail.insert("minutes".into(), Value::from(days(30).num_minutes()));
    trail.next(short);
    trail.next(of(5, Action::FetchSecret, "long"));
    trail.next(of(6, Action::GiveBackGrant, "given-back"));
    assert_eq!(trail.next(seen(monday() + days(34), ActorKind::System, "beat", Action::Heartbeat)), []);
    let found = trail.next(seen(monday() + days(36), ActorKind::System, "beat", Action::Heartbeat));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].grant.as_deref(), found[0].at), (Some("long"), monday() + days(35)));
    assert_eq!(found[0].evidence, Evidence::Dormant { used: true, since: monday() + days(5) });
    assert_eq!(trail.next(seen(monday() + days(90), ActorKind::System, "beat", Action::Heartbeat)), [], "once");
    trail.next(of(91, Action::FetchSecret, "long"));
    assert_eq!(
        trail.detectors(seen(monday() + days(122), ActorKind::System, "b", Action::Heartbeat)),
        [Detector::Dormant]
    );
}

#[test]
fn three_each_way_in_thirty_days_are_mutual() {
    let mut trail = Trail::default();
    let mut number = 0;
    let mut approve = |trail: &mut Trail, day: i64, requester: &str, approver: &str| {
        number += 1;
        let of = |actor: &str, action: Action| {
            let mut of = person(monday() + days(day), actor, action);
            of.leaf.subject.request = Some(format!("req{number}"));
            of
        };
        assert_eq!(trail.next(of(requester, Action::SubmitRequest)), []);
        let found = trail.next(of(approver, Action::ApproveRequest));
        trail.next(of(approver, Action::IssueGrant));
        found
    };
    for day in [0, 2, 4] {
        assert_eq!(approve(&mut trail, day, "ann", "bob"), []);
        assert_eq!(approve(&mut trail, day, "ann", "eve"), []);
    }
    assert_eq!(approve(&mut trail, 5, "bob", "ann"), []);
    assert_eq!(approve(&mut trail, 6, "bob", "ann"), []);
    let found = approve(&mut trail, 7, "bob", "ann");
    assert_eq!(found[0].evidence, Evidence::Mutual { other: "bob".into(), given: 3, taken: 3 });
    assert_eq!(found[0].events.len(), 6);
    assert_eq!(approve(&mut trail, 8, "ann", "bob"), [], "once in thirty days");
    for day in [50, 52, 54] {
        assert_eq!(approve(&mut trail, day, "ann", "bob"), [], "what is older than thirty days is over");
    }
}

#[test]
fn portions_make_no_difference() {
    // What is loaded for a portion is all that its events ask for: watched one by one with only that, the same is found.
    let portion: Vec<Seen> = (0..40)
        .map(|n| {
            let mut refused =
                person(monday() + TimeDelta::minutes(n / 4), ["ann", "bob"][n as usize % 2], Action::CopySecret);
            refused.leaf.seq = n as u64;
            refused.leaf.outcome = Outcome::Refused;
            refused
        })
        .collect();
    let mut whole = Memory::default();
    let at_once: Vec<Found> = portion.iter().flat_map(|seen| watch(&mut whole, seen)).collect();
    let mut kept: BTreeMap<Place, Cell> = BTreeMap::new();
    let mut one_by_one = Vec::new();
    for seen in portion {
        let portion = [seen];
        let mut memory = Memory::default();
        for place in wanted(&portion) {
            let cell = kept.get(&place).cloned().unwrap_or_default();
            memory.load(place, cell);
        }
        one_by_one.extend(watch(&mut memory, &portion[0]));
        kept.extend(memory.changes().map(|(place, cell)| (place.clone(), cell.clone())));
    }
    assert!(!at_once.is_empty());
    assert_eq!(at_once, one_by_one);
}
