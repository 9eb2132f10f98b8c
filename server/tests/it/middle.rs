//! What happens in the middle of a rotation: a version that somebody writes, a change that arrives late, sessions that nobody may
//! end, a cancellation; and what is counted all the same.
use crate::{
    cast::Cast,
    rotations::{Role, account, current, is_whole, rotation, run, until_ended},
    story,
    webhooks::{Ring, value},
    workloads::{allow, fetch, machine, token},
};
use app::{
    catalog::model::Death,
    error::{Error, Refusal},
    policies::model::{Class, Tier},
    rotations::{
        cases::End,
        model::{Alphabet, Choice, Grade, Step, Trigger, ValueRules},
    },
};
use chrono::TimeDelta;
use serde_json::json;
use server::{
    audit,
    demo::receiver::Fault,
    people,
    rotations::{self, Leak, NewPlan, Suspend, case_store, postgres::Settings, rotator::Target},
    vault,
};
use sqlx::{Connection, Executor, PgConnection};

async fn version(cast: &Cast, secret: &str, number: i32) -> vault::store::Version {
    vault::store::find(&mut cast.console.db().unseen().read().await.unwrap(), secret, number).await.unwrap().unwrap()
}

async fn cases(cast: &Cast, secret: &str) -> Vec<(Trigger, Option<End>)> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let rows = case_store::of_secret(&mut db, secret, cast.console.seal_key()).await.unwrap();
    rows.iter().map(|case| (case.trigger(), case.end())).collect()
}

async fn resolve(cast: &Cast, id: &str, choice: Choice) -> Result<(), Error> {
    let iris = cast.caller("iris").await;
    rotations::resolve_rotation(&cast.console, &iris, id, choice, "I looked at the partner's side.").await.map(drop)
}

/// A rotation whose new value the target has, and a version that somebody wrote before it was promoted.
async fn written_in_the_middle(ring: &Ring, typed: &str) -> String {
    let id = ring.start().await;
    // Set, and then nobody can be asked for a while.
    ring.receiver.fail("probe", vec![Fault::Down; 2]);
    run(&ring.cast).await;
    assert_eq!(rotation(&ring.cast, &id).await.step(), Step::SetOnTarget);
    let latest = rotation(&ring.cast, &id).await.to_version.unwrap();
    ring.cast.write("iris", &ring.secret, latest, typed).await.unwrap();
    for _ in 0..4 {
        ring.cast.world.clock.advance(TimeDelta::minutes(10));
        run(&ring.cast).await;
    }
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::VerifiedNew)), "{:?}", row.reason);
    id
}

story!(a_version_written_in_the_middle_gives_way_or_stays, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let id = written_in_the_middle(&ring, "typed-and-nowhere-else").await;
    // The target does not know what was typed: it cannot be kept.
    assert!(matches!(resolve(&ring.cast, &id, Choice::KeepOld).await, Err(Error::Invalid(_))));
    resolve(&ring.cast, &id, Choice::KeepNew).await.unwrap();
    run(&ring.cast).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.grade(), row.over_version), (Step::VerifiedDead, Some(Grade::Proved), Some(3)));
    assert_eq!(current(&ring.cast, &ring.secret).await, Some(2));
    until_ended(&ring.cast, &id).await;
    // What gave way is not what a deletion falls back to.
    let iris = ring.cast.caller("iris").await;
    vault::delete_version(&ring.cast.console, &iris, &ring.secret, 1).await.unwrap();
    assert_eq!(current(&ring.cast, &ring.secret).await, Some(2));
    // This time somebody set it at the target too: it stays, and the value of the rotation can be restored.
    let id = written_in_the_middle(&ring, "typed-at-the-target-too").await;
    ring.receiver.accept(&json!({ "value": "typed-at-the-target-too" }));
    resolve(&ring.cast, &id, Choice::KeepOld).await.unwrap();
    let row = rotation(&ring.cast, &id).await;
    assert_eq!(row.step(), Step::RolledBack);
    assert_eq!(current(&ring.cast, &ring.secret).await, Some(5));
    let aside = version(&ring.cast, &ring.secret, row.to_version.unwrap()).await;
    assert!(aside.deleted_at.is_some() && aside.death().is_none(), "the target took it: it is kept");
    is_whole(&ring.cast).await;
});

story!(what_may_still_arrive_at_the_target_is_kept, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    // No answer comes: it may arrive at any time.
    ring.receiver.fail("set", vec![Fault::Down]);
    let id = ring.start().await;
    run(&ring.cast).await;
    assert_eq!(rotation(&ring.cast, &id).await.step(), Step::SetUnknown);
    ring.cast.write("iris", &ring.secret, 2, "typed-meanwhile").await.unwrap();
    ring.cast.world.clock.advance(TimeDelta::hours(1));
    // The probe finds the old value alone; then the value that was written overtakes the rotation.
    run(&ring.cast).await;
    assert_eq!(rotation(&ring.cast, &id).await.step(), Step::Superseded);
    let sent = version(&ring.cast, &ring.secret, 2).await;
    assert!(sent.deleted_at.is_some() && sent.death().is_none(), "it was sent: it may be the one that works");
    let iris = ring.cast.caller("iris").await;
    vault::undelete_version(&ring.cast.console, &iris, &ring.secret, 2).await.unwrap();
    value(&ring.cast.console, &ring.secret, 2).await;
    is_whole(&ring.cast).await;
});

story!(what_the_target_refused_is_kept_as_well, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let id = ring.start().await;
    ring.receiver.fail("set", vec![Fault::Refused]);
    run(&ring.cast).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::PendingCreated)));
    // The target is asked about the old value, although it said no to the new one.
    ring.receiver.fail("probe", vec![Fault::Down]);
    assert!(matches!(resolve(&ring.cast, &id, Choice::KeepOld).await, Err(Error::Invalid(_))));
    resolve(&ring.cast, &id, Choice::KeepOld).await.unwrap();
    assert_eq!(version(&ring.cast, &ring.secret, 2).await.death(), None);
    is_whole(&ring.cast).await;
});

story!(whoever_fetched_last_is_who_is_asked_for, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let mut bearers = Vec::new();
    for name in ["busy", "quiet"] {
        let workload = machine(&cast, name, Tier::Staging).await;
        let request = allow(&cast, &workload, &secret, 60 * 24).await;
        if cast.request(&request).await.grant_id.is_none() {
            cast.approve("teodor", &request).await.unwrap();
        }
        bearers.push(token(&cast, &workload).await.unwrap());
    }
    let seen = async || {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let mut seen = rotations::consumers(&mut db, &secret, cast.console.now()).await.unwrap();
        seen.sort_by_key(|consumer| consumer.at);
        seen.into_iter().map(|consumer| consumer.version).collect::<Vec<_>>()
    };
    assert!(seen().await.is_empty());
    fetch(&cast, &bearers[1], "staging", "api/key").await.unwrap();
    for number in 1..4 {
        cast.write("iris", &secret, number, &format!("value {number}")).await.unwrap();
        fetch(&cast, &bearers[0], "staging", "api/key").await.unwrap();
    }
    assert_eq!(seen().await, [1, 4], "one fetched long ago, one just now");
    cast.world.clock.advance(TimeDelta::days(31));
    assert!(seen().await.is_empty(), "nobody of late");
});

story!(a_hand_change_within_the_day_does_not_spoil_the_proof, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let id = ring.start().await;
    run(&ring.cast).await;
    assert_eq!(rotation(&ring.cast, &id).await.step(), Step::VerifiedDead);
    let made = value(&ring.cast.console, &ring.secret, 2).await;
    ring.cast.write("iris", &ring.secret, 2, "changed-by-hand").await.unwrap();
    ring.receiver.accept(&json!({ "value": "changed-by-hand" }));
    ring.receiver.shut_out(&made);
    until_ended(&ring.cast, &id).await;
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.grade(), row.reason), (Step::Closed, Some(Grade::Proved), None));
    is_whole(&ring.cast).await;
});

story!(what_was_set_by_hand_is_not_disabled, |world| {
    let mut role = Role::new(Cast::new(world).await, "turned").await;
    let turns = role.in_turn().await;
    role.plan(turns, 60).await;
    let id = role.start().await;
    run(&role.cast).await;
    assert_eq!(rotation(&role.cast, &id).await.step(), Step::Overlap);
    // In the overlap somebody goes back to the first role, with a password of their own.
    let by_hand = format!("ALTER ROLE \"{}\" PASSWORD 'set-by-hand-at-noon'", role.role);
    role.admin.execute(sqlx::AssertSqlSafe(by_hand)).await.unwrap();
    let field = |name: &str, text: &str| (name.to_owned(), zeroize::Zeroizing::new(text.to_owned()));
    let fields = vec![field("username", &role.role), field("password", "set-by-hand-at-noon")];
    let payload = vault::payload(app::catalog::model::Kind::Database, fields).unwrap();
    let iris = role.cast.caller("iris").await;
    vault::write_version(&role.cast.console, &iris, &role.secret, 2, payload, vault::Source::Typed).await.unwrap();
    role.cast.world.clock.advance(TimeDelta::hours(2));
    run(&role.cast).await;
    let row = rotation(&role.cast, &id).await;
    assert_eq!((row.step(), row.grade()), (Step::VerifiedDead, Some(Grade::Proved)), "{:?}", row.reason);
    assert!(role.takes(&role.role, "set-by-hand-at-noon").await, "what is in use goes on working");
    assert!(!role.takes(&role.role, "first-password-of-all").await);
    is_whole(&role.cast).await;
});

story!(a_look_that_stopped_neither_blocks_a_leak_nor_loses_its_proof, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let id = ring.start().await;
    run(&ring.cast).await;
    ring.receiver.fail("probe", vec![Fault::Down; 60]);
    for _ in 0..12 {
        ring.cast.world.clock.advance(TimeDelta::hours(2));
        run(&ring.cast).await;
    }
    let row = rotation(&ring.cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::VerifiedDead)));
    ring.receiver.mend();
    let iris = ring.cast.caller("iris").await;
    let leak = Leak { version: 2, detected_at: ring.cast.console.now(), what: "It stood in a log.", suspect: None };
    let (case, _) = rotations::report_leak(&ring.cast.console, &iris, &ring.secret, leak).await.unwrap();
    let (begun, _) = rotations::contain_case(&ring.cast.console, &iris, &case, Suspend::Nobody, true).await.unwrap();
    let closed = rotation(&ring.cast, &id).await;
    assert_eq!((closed.step(), closed.grade()), (Step::Closed, Some(Grade::Proved)), "it made way");
    run(&ring.cast).await;
    assert_eq!(rotation(&ring.cast, &begun.unwrap()).await.grade(), Some(Grade::Proved));
    assert_eq!(version(&ring.cast, &ring.secret, 1).await.death(), Some(Death::Proved));
    is_whole(&ring.cast).await;
});

story!(only_a_wish_ends_with_its_rotation, |world| {
    let cast = Cast::new(world).await;
    let (iris, mara) = (cast.caller("iris").await, cast.caller("mara").await);
    let waits = NewPlan { approval_first: true, ..NewPlan::generated() };
    // By hand: whoever wished for it takes it back.
    let wished = cast.filled("api/wished", Tier::Staging, Class::Normal).await;
    rotations::configure_rotation(&cast.console, &iris, &wished, waits.clone()).await.unwrap();
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &wished).await.unwrap();
    rotations::cancel_rotation(&cast.console, &iris, &id, "Wrong secret.").await.unwrap();
    assert_eq!(cases(&cast, &wished).await, [(Trigger::Manual, Some(End::Cancelled))]);
    // By age: the value stays too old, whoever cancels the rotation.
    let aged = cast.filled("api/aged", Tier::Staging, Class::Normal).await;
    let plan = NewPlan { schedule: app::rotations::schedule::Schedule::Age { days: 30 }, ..waits };
    rotations::configure_rotation(&cast.console, &iris, &aged, plan).await.unwrap();
    cast.world.clock.advance(TimeDelta::days(31));
    server::jobs::run_due(&cast.console).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let begun = rotations::store::open_of(&mut db, &aged, cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    rotations::cancel_rotation(&cast.console, &mara, &begun.id, "Not this week.").await.unwrap();
    assert_eq!(cases(&cast, &aged).await, [(Trigger::Age, None)], "it goes on counting");
    // A leak: only with its case, which takes somebody else.
    let now = cast.console.now();
    let leak = Leak { version: 1, detected_at: now, what: "Seen in a log.", suspect: None };
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &wished).await.unwrap();
    let (case, _) = rotations::report_leak(&cast.console, &iris, &wished, leak).await.unwrap();
    let refused = rotations::cancel_rotation(&cast.console, &iris, &id, "Never mind.").await;
    assert!(matches!(refused.err(), Some(Error::Invalid(_))));
    rotations::cancel_case(&cast.console, &mara, &case, "It was the log of a test.").await.unwrap();
    rotations::cancel_rotation(&cast.console, &iris, &id, "Never mind.").await.unwrap();
    is_whole(&cast).await;
});

story!(a_suspect_brings_nothing_back, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let cast = &ring.cast;
    let iris = cast.caller("iris").await;
    let id = written_in_the_middle(&ring, "typed-and-nowhere-else").await;
    let suspect = Some(cast.id("iris"));
    let leak = Leak { version: 1, detected_at: cast.console.now(), what: "Sold, it is said.", suspect };
    rotations::report_leak(&cast.console, &cast.caller("mara").await, &ring.secret, leak).await.unwrap();
    ring.receiver.accept(&json!({ "value": "typed-and-nowhere-else" }));
    assert_eq!(resolve(cast, &id, Choice::KeepOld).await, Err(Error::Refused(Refusal::OwnChange)));
    resolve(cast, &id, Choice::KeepNew).await.unwrap();
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let plan = NewPlan { overlap_minutes: 1440, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    run(cast).await;
    let leak = Leak { version: 1, detected_at: cast.console.now(), what: "Sold, it is said.", suspect };
    rotations::report_leak(&cast.console, &cast.caller("mara").await, &secret, leak).await.unwrap();
    let back = rotations::roll_back(&cast.console, &iris, &id, "I liked it better.").await;
    assert_eq!(back.err(), Some(Error::Refused(Refusal::OwnChange)));
    is_whole(cast).await;
});

story!(what_a_leaver_knows_counts_without_anybody_looking, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("by/hand", Tier::Staging, Class::Normal).await;
    let unknown = cast.filled("not/known", Tier::Staging, Class::Normal).await;
    let jonas = cast.id("jonas").to_owned();
    cast.granted("jonas", &secret, 60).await;
    cast.take("jonas", &secret, vault::Take::Copy).await.unwrap();
    people::disable_person(&cast.console, &cast.caller("anna").await, &jonas).await.unwrap();
    let left = cast.person("jonas").await.disabled_at.unwrap();
    cast.world.clock.advance(TimeDelta::hours(3));
    for _ in 0..2 {
        server::jobs::run_due(&cast.console).await.unwrap();
    }
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let open = case_store::of_secret(&mut db, &secret, cast.console.seal_key()).await.unwrap();
    drop(db);
    assert_eq!((open.len(), open[0].trigger(), open[0].began_at), (1, Trigger::Leaver, left));
    assert!(open[0].opened_by.is_none() && open[0].contained_at.is_none());
    assert_eq!(cases(&cast, &unknown).await, []);
    // What somebody then begins takes that case up, with what they chose.
    let iris = cast.caller("iris").await;
    let waits = NewPlan { approval_first: true, overlap_minutes: 1440, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, waits).await.unwrap();
    let (waiting, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    assert_eq!(rotation(&cast, &waiting).await.step(), Step::Waiting);
    let came = rotations::begin_many(&cast.console, &iris, std::slice::from_ref(&secret), Some(&jonas), true).await;
    let hastened = rotation(&cast, &waiting).await;
    assert_eq!((hastened.step(), hastened.cut_off), (Step::Queued, true), "it waits for nobody any more");
    assert!(matches!(came.unwrap()[0].1, rotations::Came::Case(_)), "the one under way does it");
    run(&cast).await;
    assert_eq!(cases(&cast, &secret).await, [(Trigger::Leaver, None)], "nobody can be asked: a person has to say so");
    rotations::attest_death(&cast.console, &iris, &secret, 1, "The partner closed it.").await.unwrap();
    assert_eq!(cases(&cast, &secret).await, [(Trigger::Leaver, Some(End::Attested))]);
    is_whole(&cast).await;
});

story!(what_is_due_and_cannot_begin_counts_from_its_limit, |world| {
    let ring = Ring::new(Cast::new(world).await).await;
    let cast = &ring.cast;
    let iris = cast.caller("iris").await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let plan = rotations::store::find_plan(&mut db, &ring.secret, cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    // Set anew, so that somebody has to confirm it again; nobody does.
    let schedule = app::rotations::schedule::Schedule::Age { days: 30 };
    let aged = NewPlan { schedule, ..NewPlan::at(plan.target().unwrap()) };
    rotations::configure_rotation(&cast.console, &iris, &ring.secret, aged).await.unwrap();
    let written = version(cast, &ring.secret, 1).await.created_at;
    cast.world.clock.advance(TimeDelta::days(33));
    server::jobs::run_due(&cast.console).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let open = case_store::of_secret(&mut db, &ring.secret, cast.console.seal_key()).await.unwrap();
    drop(db);
    assert_eq!((open.len(), open[0].trigger()), (1, Trigger::Age));
    assert_eq!(open[0].began_at, written + TimeDelta::days(30));
    is_whole(cast).await;
});

story!(values_are_made_of_what_the_plan_says, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let rules = ValueRules { length: 32, letters: Alphabet::Hex, not_again: 1, ..ValueRules::default() };
    let plan = NewPlan { rules, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    run(&cast).await;
    assert_eq!(rotation(&cast, &id).await.step(), Step::Closed);
    let made = value(&cast.console, &secret, 2).await;
    let made = made["value"].as_str().unwrap();
    assert!(made.len() == 32 && made.bytes().all(|letter| b"0123456789abcdef".contains(&letter)), "{made}");
    cast.write("iris", &secret, 2, "one").await.unwrap();
    assert!(matches!(cast.write("iris", &secret, 3, "one").await.err(), Some(Error::Invalid(_))));
    cast.write("iris", &secret, 3, "two").await.unwrap();
    cast.write("iris", &secret, 4, "one").await.unwrap();
    is_whole(&cast).await;
});

/// A role that is changed by an administrator who is no superuser, as a careful owner would have it.
struct Limited {
    role: Role,
    boss: String,
}

impl Limited {
    async fn new(cast: Cast, end_sessions: bool) -> Self {
        let mut role = Role::new(cast, "limited").await;
        let boss = format!("{}_boss", role.role);
        let make = format!("CREATE ROLE \"{boss}\" LOGIN CREATEROLE PASSWORD 'boss-password-here'");
        role.admin.execute(sqlx::AssertSqlSafe(make)).await.unwrap();
        let admin = account(&role.cast, "db/boss", &boss, "boss-password-here").await;
        role.plan(Target::Postgres(Settings { admin: Some(admin), end_sessions, ..role.settings() }), 0).await;
        Self { role, boss }
    }

    async fn run(&mut self, statement: &str) {
        let statement = statement.replace("BOSS", &format!("\"{}\"", self.boss));
        self.role.admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }

    async fn works(&self) -> Result<String, String> {
        let iris = self.role.cast.caller("iris").await;
        rotations::check_rotation(&self.role.cast.console, &iris, &self.role.secret).await.unwrap().0
    }

    async fn session(&self) -> PgConnection {
        let (user, password) = self.role.value(1).await;
        let place = format!("postgres://{user}:{password}@{}/postgres", self.role.endpoint);
        PgConnection::connect(&place).await.unwrap()
    }
}

story!(an_administrator_that_sees_no_sessions_is_told_before, |world| {
    let mut limited = Limited::new(Cast::new(world).await, true).await;
    assert!(limited.works().await.unwrap_err().contains("does not see the role's sessions"));
    limited.run("GRANT pg_read_all_stats TO BOSS").await;
    assert!(limited.works().await.unwrap_err().contains("may not end the role's sessions"));
    limited.run("GRANT pg_signal_backend TO BOSS").await;
    limited.works().await.unwrap();
    let mut session = limited.session().await;
    let id = limited.role.start().await;
    run(&limited.role.cast).await;
    let row = rotation(&limited.role.cast, &id).await;
    assert_eq!((row.step(), row.grade()), (Step::VerifiedDead, Some(Grade::Proved)), "{:?}", row.reason);
    assert!(session.execute("SELECT 1").await.is_err(), "the old session was ended");
    limited.run("ALTER ROLE BOSS NOCREATEROLE").await;
    assert!(limited.works().await.unwrap_err().contains("may not change the role"));
    is_whole(&limited.role.cast).await;
});

story!(sessions_that_nobody_may_end_are_counted_and_accepted_by_name, |world| {
    let mut limited = Limited::new(Cast::new(world).await, false).await;
    limited.run("GRANT pg_read_all_stats TO BOSS").await;
    let mut session = limited.session().await;
    let id = limited.role.start().await;
    run(&limited.role.cast).await;
    // What it may no longer see counts as old.
    limited.run("REVOKE pg_read_all_stats FROM BOSS").await;
    for _ in 0..10 {
        limited.role.cast.world.clock.advance(TimeDelta::hours(1));
        run(&limited.role.cast).await;
    }
    let cast = &limited.role.cast;
    let row = rotation(cast, &id).await;
    assert_eq!((row.step(), row.stopped(), row.sessions_left), (Step::NeedsPerson, Some(Step::Disabling), 1));
    assert_eq!(row.grade(), None, "not dead while a session lives");
    resolve(cast, &id, Choice::Accept).await.unwrap();
    run(cast).await;
    let row = rotation(cast, &id).await;
    assert_eq!((row.step(), row.grade(), row.sessions_accepted), (Step::VerifiedDead, Some(Grade::Proved), Some(1)));
    assert!(session.execute("SELECT 1").await.is_ok(), "it was let stay");
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let narrow = audit::store::Narrow { secret: Some(limited.role.secret.clone()), ..Default::default() };
    let events = audit::store::list(&mut db, &narrow, None, 100).await.unwrap();
    drop(db);
    let told = events.iter().find(|event| event.action == "rotation.old_dead").unwrap();
    let leaf = app::audit::leaf::Leaf::decode(&told.leaf).unwrap();
    assert_eq!(leaf.detail["sessions_accepted"], json!(1), "the proof says so");
    is_whole(cast).await;
});

/// Who fetched last is found in an index, however often the busiest does.
#[tokio::test]
async fn whoever_fetched_last_is_found_without_reading_every_fetch() {
    let world = crate::support::World::sqlite().await;
    let mut db = world.instance.db.unseen().read().await.unwrap();
    let plan: Vec<(i64, i64, i64, String)> = server::db::Sql::sql(
        &mut db,
        "EXPLAIN QUERY PLAN SELECT MAX(e.seq) FROM audit_events e WHERE e.secret_id = $1 \
         AND e.action = 'secret.fetched' AND e.outcome = 'allowed' AND e.actor_id = $2",
    )
    .bind("sec_x".to_owned())
    .bind("wkl_x".to_owned())
    .all()
    .await
    .unwrap();
    assert!(plan.iter().any(|row| row.3.contains("audit_events_fetched (secret_id=? AND actor_id=?)")), "{plan:?}");
}
