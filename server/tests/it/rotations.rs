//! Rotations against generated values and a real PostgreSQL: to the proof that the old credential is dead, and through
//! everything that stops one on the way.
use crate::{cast::Cast, story, support::needed};
use app::{
    catalog::model::Kind,
    error::{Conflict, Error, Refusal},
    policies::model::{Class, Right, Tier},
    rotations::{
        model::{Choice, Grade, Step},
        schedule::Schedule,
    },
};
use chrono::TimeDelta;
use server::{
    catalog::{self, NewSecret},
    clock::Clock,
    console::Console,
    rotations::{self, NewPlan, postgres::Settings, rotator::Target, store::Rotation},
    vault::{self, Source},
};
use sqlx::{Connection, Executor, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use zeroize::Zeroizing;

pub fn generated(overlap_minutes: i64) -> NewPlan {
    NewPlan { overlap_minutes, ..NewPlan::generated() }
}

pub async fn rotation(cast: &Cast, id: &str) -> Rotation {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    rotations::store::find(&mut db, id, cast.console.seal_key()).await.unwrap().unwrap()
}

pub async fn run(cast: &Cast) {
    while rotations::run_due(&cast.console).await.unwrap() > 0 {}
}

/// Goes on, an hour at a time where it waits, until a rotation has ended.
pub async fn until_ended(cast: &Cast, id: &str) {
    for _ in 0..60 {
        run(cast).await;
        if rotation(cast, id).await.ended_at.is_some() {
            return;
        }
        cast.world.clock.advance(TimeDelta::hours(1));
    }
    panic!("{id} does not end");
}

pub async fn current(cast: &Cast, secret: &str) -> Option<i32> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    catalog::store::find(&mut db, secret, cast.console.seal_key()).await.unwrap().unwrap().current_version
}

pub async fn is_whole(cast: &Cast) {
    let state = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert_eq!(state.wrong, Vec::<String>::new());
}

/// A name that nobody else on the real server has.
pub fn unlike_any() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst))
}

/// A role on the real server that signs in by password alone, and the secret that holds it.
pub struct Role {
    pub cast: Cast,
    pub admin: PgConnection,
    pub role: String,
    pub endpoint: String,
    pub secret: String,
}

impl Role {
    /// A real server judges by the machine's time, so the world's clock is set to it here, once:
    /// from then on it only runs ahead.
    pub async fn new(cast: Cast, name: &str) -> Self {
        let endpoint = needed("COUNTERSIGN_TEST_POSTGRES_TARGET");
        let mut admin = PgConnection::connect(&needed("COUNTERSIGN_TEST_POSTGRES")).await.unwrap();
        cast.world.clock.set(Clock::Machine.now());
        let role = format!("{name}_{}", unlike_any());
        make_role(&mut admin, &role, "first-password-of-all").await;
        let secret = account(&cast, "db/app", &role, "first-password-of-all").await;
        Self { cast, admin, role, endpoint, secret }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            endpoints: vec![self.endpoint.clone()],
            database: "postgres".into(),
            tls: false,
            roles: vec![],
            admin: None,
            end_sessions: true,
            dies_after_days: 0,
        }
    }

    /// The same role and a second one in turn, changed by an administrator.
    pub async fn in_turn(&mut self) -> Target {
        let (other, boss) = (format!("{}_b", self.role), format!("{}_boss", self.role));
        make_role(&mut self.admin, &other, "never-used-before").await;
        let statement = format!("CREATE ROLE \"{boss}\" LOGIN SUPERUSER PASSWORD 'boss-password-here'");
        self.admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
        let admin = account(&self.cast, "db/boss", &boss, "boss-password-here").await;
        let roles = vec![self.role.clone(), other];
        Target::PostgresInTurn(Settings { roles, admin: Some(admin), ..self.settings() })
    }

    pub async fn plan(&self, target: Target, overlap_minutes: i64) {
        let plan = NewPlan { overlap_minutes, ..NewPlan::at(target) };
        let iris = self.cast.caller("iris").await;
        rotations::configure_rotation(&self.cast.console, &iris, &self.secret, plan).await.unwrap();
        let mara = self.cast.caller("mara").await;
        rotations::confirm_plan(&self.cast.console, &mara, &self.secret).await.unwrap();
    }

    pub async fn start(&self) -> String {
        let iris = self.cast.caller("iris").await;
        rotations::start_rotation(&self.cast.console, &iris, &self.secret).await.unwrap().0
    }

    pub async fn takes(&self, role: &str, password: &str) -> bool {
        takes(&self.endpoint, role, password).await
    }

    pub async fn value(&self, version: i32) -> (String, String) {
        value(&self.cast.console, &self.secret, version).await
    }
}

pub async fn takes(endpoint: &str, role: &str, password: &str) -> bool {
    PgConnection::connect(&format!("postgres://{role}:{password}@{endpoint}/postgres")).await.is_ok()
}

/// User name and password of a version.
pub async fn value(console: &Console, secret: &str, version: i32) -> (String, String) {
    value_if_there(console, secret, version).await.unwrap()
}

/// The same; `None` where it cannot be read any more.
pub async fn value_if_there(console: &Console, secret: &str, version: i32) -> Option<(String, String)> {
    let mut db = console.db().unseen().read().await.unwrap();
    let located = catalog::Located::find(&mut db, secret, console.seal_key()).await.unwrap().unwrap();
    let sealed = vault::version(&mut db, located, version).await.unwrap()?;
    drop(db);
    let payload = vault::open_sealed(console, &sealed).await.unwrap().unwrap();
    let field = |name: &str| {
        let (_, value) = payload.fields().find(|(field, _)| *field == name).unwrap();
        String::from_utf8(value.to_vec()).unwrap()
    };
    Some((field("username"), field("password")))
}

pub async fn make_role(admin: &mut PgConnection, role: &str, password: &str) {
    let statement = format!("CREATE ROLE \"{role}\" LOGIN PASSWORD '{password}'");
    admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
}

/// A database account in staging.
pub async fn account(cast: &Cast, path: &str, user: &str, password: &str) -> String {
    let iris = cast.caller("iris").await;
    let new = NewSecret { path, kind: Kind::Database, class: Class::Normal, description: "", team: &cast.team };
    let environment = cast.environment(Tier::Staging);
    let (secret, _) =
        catalog::create_secret(&cast.console, &iris, &cast.project().await, environment, new).await.unwrap();
    let field = |name: &str, value: &str| (name.to_owned(), Zeroizing::new(value.to_owned()));
    let payload = vault::payload(Kind::Database, vec![field("username", user), field("password", password)]).unwrap();
    vault::write_version(&cast.console, &iris, &secret, 0, payload, Source::Typed).await.unwrap();
    secret
}

story!(a_generated_value_drains_and_closes_unverified, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let (iris, jonas) = (cast.caller("iris").await, cast.caller("jonas").await);
    let none = rotations::start_rotation(&cast.console, &iris, &secret).await;
    assert!(matches!(none.err(), Some(Error::Invalid(_))), "there is no plan yet");
    let refused = rotations::configure_rotation(&cast.console, &jonas, &secret, generated(60)).await;
    assert_eq!(refused.err(), Some(Error::Refused(Refusal::NoRule)));
    rotations::configure_rotation(&cast.console, &iris, &secret, generated(60)).await.unwrap();
    let refused = rotations::start_rotation(&cast.console, &jonas, &secret).await;
    assert_eq!(refused.err(), Some(Error::Refused(Refusal::NoRule)));
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    let twice = rotations::start_rotation(&cast.console, &iris, &secret).await;
    assert_eq!(twice.err(), Some(Error::Conflict(Conflict::RotationOpen)), "one at a time");
    run(&cast).await;
    assert_eq!(rotation(&cast, &id).await.step(), Step::Overlap);
    assert_eq!(current(&cast, &secret).await, Some(2), "the new value is handed out");
    let held = vault::delete_version(&cast.console, &iris, &secret, 1).await;
    assert_eq!(held.err(), Some(Error::Conflict(Conflict::RotationOpen)), "both values are kept");
    let events = cast.events().await;
    cast.world.clock.advance(TimeDelta::minutes(30));
    run(&cast).await;
    assert_eq!(cast.events().await, events, "looking leaves no event");
    cast.world.clock.advance(TimeDelta::minutes(31));
    run(&cast).await;
    let closed = rotation(&cast, &id).await;
    assert_eq!(
        (closed.step(), closed.grade()),
        (Step::Closed, Some(Grade::Unverified)),
        "no target says that it is dead"
    );
    assert!(rotations::start_rotation(&cast.console, &iris, &secret).await.is_ok(), "and again");
    is_whole(&cast).await;
});

story!(a_newer_value_overtakes_a_rotation_that_touched_nothing, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    rotations::configure_rotation(&cast.console, &iris, &secret, generated(60)).await.unwrap();
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    cast.write("iris", &secret, 1, "typed by hand").await.unwrap();
    run(&cast).await;
    let ended = rotation(&cast, &id).await;
    assert_eq!(ended.step(), Step::Superseded);
    assert_eq!(current(&cast, &secret).await, Some(2));
    is_whole(&cast).await;
});

story!(somebody_of_security_confirms_where_values_go, |world| {
    let cast = Cast::new(world).await;
    let iris = cast.caller("iris").await;
    let new =
        NewSecret { path: "db/app", kind: Kind::Database, class: Class::Normal, description: "", team: &cast.team };
    let environment = cast.environment(Tier::Production);
    let (secret, _) =
        catalog::create_secret(&cast.console, &iris, &cast.project().await, environment, new).await.unwrap();
    let request = cast.ask("iris", &secret, Right::Write, 60).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    let field = |name: &str| (name.to_owned(), Zeroizing::new("x".to_owned()));
    let payload = vault::payload(Kind::Database, vec![field("username"), field("password")]).unwrap();
    vault::write_version(&cast.console, &iris, &secret, 0, payload, Source::Typed).await.unwrap();
    let settings = Settings {
        endpoints: vec!["127.0.0.1:1".into()],
        database: "app".into(),
        tls: false,
        roles: vec![],
        admin: None,
        end_sessions: true,
        dies_after_days: 0,
    };
    let plan = || NewPlan::at(Target::Postgres(settings.clone()));
    rotations::configure_rotation(&cast.console, &iris, &secret, plan()).await.unwrap();
    let unconfirmed = rotations::start_rotation(&cast.console, &iris, &secret).await;
    assert_eq!(unconfirmed.err(), Some(Error::Refused(Refusal::PlanUnconfirmed)));
    let own = rotations::confirm_plan(&cast.console, &iris, &secret).await;
    assert_eq!(own.err(), Some(Error::Refused(Refusal::NoRule)));
    rotations::confirm_plan(&cast.console, &cast.caller("mara").await, &secret).await.unwrap();
    assert!(rotations::start_rotation(&cast.console, &iris, &secret).await.is_ok());
    let changed = rotations::configure_rotation(&cast.console, &iris, &secret, plan()).await;
    assert_eq!(changed.err(), Some(Error::Conflict(Conflict::RotationOpen)), "no change of target under a rotation");
    is_whole(&cast).await;
});

story!(one_role_is_rotated_and_the_old_password_is_proved_dead, |world| {
    let mut target = Role::new(Cast::new(world).await, "single").await;
    target.plan(Target::Postgres(target.settings()), 0).await;
    // A session that outlives the change of its password.
    let url = format!("postgres://{}:first-password-of-all@{}/postgres", target.role, target.endpoint);
    let mut survivor = PgConnection::connect(&url).await.unwrap();
    let id = target.start().await;
    run(&target.cast).await;
    let row = rotation(&target.cast, &id).await;
    assert_eq!((row.step(), row.grade(), row.reason), (Step::VerifiedDead, Some(Grade::Proved), None));
    let (user, password) = target.value(2).await;
    assert_eq!(user, target.role);
    assert!(target.takes(&user, &password).await);
    assert!(!target.takes(&user, "first-password-of-all").await);
    assert!(survivor.fetch_one("SELECT 1").await.is_err(), "the session of the old password was ended");
    // It is looked at again after an hour and after a day; then it is closed.
    for (wait, step) in [(1, Step::VerifiedDead), (23, Step::Closed)] {
        target.cast.world.clock.advance(TimeDelta::hours(wait));
        run(&target.cast).await;
        assert_eq!(rotation(&target.cast, &id).await.step(), step);
    }
    let mut db = target.cast.console.db().unseen().read().await.unwrap();
    let narrow = server::audit::store::Narrow { secret: Some(target.secret.clone()), ..Default::default() };
    let seen = server::audit::store::list(&mut db, &narrow, None, 100).await.unwrap();
    drop(db);
    for row in &seen {
        let leaf = String::from_utf8_lossy(&row.leaf);
        assert!(!leaf.contains(&password) && !leaf.contains("first-password"), "no value in the trail");
    }
    assert_eq!(seen.iter().filter(|row| row.action == "rotation.old_dead").count(), 2);
    let logged: (String,) = sqlx::query_as("SELECT rolpassword::text FROM pg_authid WHERE rolname = $1")
        .bind(&target.role)
        .fetch_one(&mut target.admin)
        .await
        .unwrap();
    assert!(logged.0.starts_with("SCRAM-SHA-256$"), "the server got a verifier");
    is_whole(&target.cast).await;
});

story!(two_roles_in_turn_leave_no_gap, |world| {
    let mut target = Role::new(Cast::new(world).await, "turn").await;
    let (other, roles) = (format!("{}_b", target.role), target.in_turn().await);
    target.plan(roles, 10).await;
    let id = target.start().await;
    run(&target.cast).await;
    assert_eq!(rotation(&target.cast, &id).await.step(), Step::Overlap);
    let (user, password) = target.value(2).await;
    assert_eq!(user, other);
    assert!(target.takes(&other, &password).await, "the new one works");
    assert!(target.takes(&target.role, "first-password-of-all").await, "and so does the old one, for the overlap");
    target.cast.world.clock.advance(TimeDelta::minutes(10));
    run(&target.cast).await;
    let row = rotation(&target.cast, &id).await;
    assert_eq!((row.step(), row.grade(), row.reason), (Step::VerifiedDead, Some(Grade::Proved), None));
    assert!(!target.takes(&target.role, "first-password-of-all").await);
    // Somebody brings the old password back: within the day it is noticed, disabled again and told.
    let revive = format!("ALTER ROLE \"{}\" PASSWORD 'first-password-of-all'", target.role);
    target.admin.execute(sqlx::AssertSqlSafe(revive)).await.unwrap();
    target.cast.world.clock.advance(TimeDelta::hours(1));
    run(&target.cast).await;
    assert_eq!(rotation(&target.cast, &id).await.dead_at, None, "it is not dead");
    let mut db = target.cast.console.db().unseen().read().await.unwrap();
    let told = server::notifications::store::list(&mut db, target.cast.id("iris"), 10).await.unwrap();
    drop(db);
    assert_eq!(told[0].kind, "rotation.old_alive");
    target.cast.world.clock.advance(TimeDelta::minutes(2));
    run(&target.cast).await;
    assert_eq!(rotation(&target.cast, &id).await.grade(), Some(Grade::Proved), "dead again");
    assert!(!target.takes(&target.role, "first-password-of-all").await);
    // The next rotation goes back to the first role.
    for hours in [1, 23] {
        target.cast.world.clock.advance(TimeDelta::hours(hours));
        run(&target.cast).await;
    }
    assert_eq!(rotation(&target.cast, &id).await.step(), Step::Closed);
    target.start().await;
    run(&target.cast).await;
    assert_eq!(target.value(3).await.0, target.role);
    is_whole(&target.cast).await;
});

story!(a_target_that_says_no_stops_the_line_and_a_person_goes_on, |world| {
    let mut target = Role::new(Cast::new(world).await, "stuck").await;
    target.plan(Target::Postgres(target.settings()), 0).await;
    let statement = format!("ALTER ROLE \"{}\" PASSWORD 'changed-by-hand'", target.role);
    target.admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    let id = target.start().await;
    run(&target.cast).await;
    let row = rotation(&target.cast, &id).await;
    assert_eq!((row.step(), row.stopped()), (Step::NeedsPerson, Some(Step::Queued)));
    assert!(row.reason.unwrap().contains("28P01"));
    let mut db = target.cast.console.db().unseen().read().await.unwrap();
    let told = server::notifications::store::list(&mut db, target.cast.id("teodor"), 10).await.unwrap();
    drop(db);
    assert_eq!(told[0].kind, "rotation.needs_person");
    let events = target.cast.events().await;
    target.cast.world.clock.advance(TimeDelta::days(1));
    run(&target.cast).await;
    assert_eq!(target.cast.events().await, events, "nothing loops");
    let (iris, jonas) = (target.cast.caller("iris").await, target.cast.caller("jonas").await);
    let console = &target.cast.console;
    let refused = rotations::resolve_rotation(console, &jonas, &id, Choice::Retry, "").await;
    assert_eq!(refused.err(), Some(Error::Refused(Refusal::NoRule)));
    let silent = rotations::resolve_rotation(console, &iris, &id, Choice::KeepOld, "").await;
    assert!(matches!(silent.err(), Some(Error::Invalid(_))), "a reason is asked for");
    let wrong = rotations::resolve_rotation(console, &iris, &id, Choice::Attest, "dead").await;
    assert!(matches!(wrong.err(), Some(Error::Invalid(_))), "there is nothing to attest yet");
    let mend = format!("ALTER ROLE \"{}\" PASSWORD 'first-password-of-all'", target.role);
    target.admin.execute(sqlx::AssertSqlSafe(mend)).await.unwrap();
    rotations::resolve_rotation(console, &iris, &id, Choice::Retry, "put back by hand").await.unwrap();
    run(&target.cast).await;
    assert_eq!(rotation(&target.cast, &id).await.grade(), Some(Grade::Proved));
    is_whole(&target.cast).await;
});

story!(a_target_that_cannot_be_reached_is_tried_again_and_then_told, |world| {
    let cast = Cast::new(world).await;
    let secret = account(&cast, "db/app", "app", "password-of-nobody").await;
    let iris = cast.caller("iris").await;
    let settings = Settings {
        endpoints: vec!["127.0.0.1:1".into()],
        database: "postgres".into(),
        tls: false,
        roles: vec![],
        admin: None,
        end_sessions: true,
        dies_after_days: 0,
    };
    let plan = NewPlan::at(Target::Postgres(settings));
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    let unconfirmed = rotations::start_rotation(&cast.console, &iris, &secret).await;
    assert_eq!(unconfirmed.err(), Some(Error::Refused(Refusal::PlanUnconfirmed)), "in staging too");
    rotations::confirm_plan(&cast.console, &cast.caller("mara").await, &secret).await.unwrap();
    let (id, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
    for attempt in 1..8 {
        run(&cast).await;
        assert_eq!(rotation(&cast, &id).await.attempts, attempt);
        cast.world.clock.advance(TimeDelta::hours(2));
    }
    run(&cast).await;
    let row = rotation(&cast, &id).await;
    assert_eq!(row.step(), Step::NeedsPerson, "after eight attempts a person is asked");
    rotations::resolve_rotation(&cast.console, &iris, &id, Choice::KeepOld, "The server is gone.").await.unwrap();
    let row = rotation(&cast, &id).await;
    assert_eq!((row.step(), row.ended_at.is_some()), (Step::RolledBack, true));
    assert_eq!(current(&cast, &secret).await, Some(1));
    is_whole(&cast).await;
});

story!(what_is_due_by_its_age_is_begun_once_by_the_service, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let plan = |days| NewPlan { schedule: Schedule::Age { days }, ..generated(0) };
    let long = rotations::configure_rotation(&cast.console, &iris, &secret, plan(91)).await;
    assert!(matches!(long.err(), Some(Error::Invalid(_))), "the level's greatest age");
    rotations::configure_rotation(&cast.console, &iris, &secret, plan(30)).await.unwrap();
    let all = || async {
        server::jobs::run_due(&cast.console).await.unwrap();
        let mut db = cast.console.db().unseen().read().await.unwrap();
        rotations::store::of_secret(&mut db, &secret, 10, cast.console.seal_key()).await.unwrap()
    };
    assert!(all().await.is_empty());
    cast.world.clock.advance(TimeDelta::days(29));
    assert!(all().await.is_empty());
    // A value written by hand begins its own days.
    cast.write("iris", &secret, 1, "typed").await.unwrap();
    cast.world.clock.advance(TimeDelta::days(29));
    assert!(all().await.is_empty(), "the newer value is 29 days old");
    cast.world.clock.advance(TimeDelta::days(1));
    let rows = all().await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].step(), rows[0].trigger().code(), rows[0].started_by.as_deref()), (Step::Closed, "age", None));
    assert_eq!(current(&cast, &secret).await, Some(3));
    cast.world.clock.advance(TimeDelta::days(29));
    assert_eq!(all().await.len(), 1, "once for each age");
    cast.world.clock.advance(TimeDelta::days(2));
    assert_eq!(all().await.len(), 2, "missed looks coalesce");
    rotations::configure_rotation(&cast.console, &iris, &secret, generated(0)).await.unwrap();
    cast.world.clock.advance(TimeDelta::days(80));
    assert_eq!(all().await.len(), 2, "by hand alone");
    is_whole(&cast).await;
});

story!(an_old_value_that_goes_on_working_is_told_and_does_not_loop, |world| {
    let mut target = Role::new(Cast::new(world).await, "undead").await;
    let boss = format!("{}_boss", target.role);
    let statement = format!("CREATE ROLE \"{boss}\" LOGIN SUPERUSER PASSWORD 'boss-password-here'");
    target.admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    let admin = account(&target.cast, "db/boss", &boss, "boss-password-here").await;
    target.plan(Target::Postgres(Settings { admin: Some(admin), ..target.settings() }), 10).await;
    let id = target.start().await;
    run(&target.cast).await;
    assert_eq!(rotation(&target.cast, &id).await.step(), Step::Overlap);
    let revive = format!("ALTER ROLE \"{}\" PASSWORD 'first-password-of-all'", target.role);
    target.admin.execute(sqlx::AssertSqlSafe(revive)).await.unwrap();
    for _ in 0..10 {
        target.cast.world.clock.advance(TimeDelta::hours(2));
        run(&target.cast).await;
    }
    let row = rotation(&target.cast, &id).await;
    assert_eq!((row.step(), row.grade()), (Step::NeedsPerson, None), "never called dead");
    let events = target.cast.events().await;
    target.cast.world.clock.advance(TimeDelta::days(1));
    run(&target.cast).await;
    assert_eq!(target.cast.events().await, events, "nothing loops");
    is_whole(&target.cast).await;
});
