//! What ends by its own date: told before and after while it is in use, graded *expired* when it no longer is.
use crate::{
    cast::Cast,
    rotations::{Role, account, current, is_whole, make_role, rotation},
    story,
};
use app::{
    catalog::model::{Death, Kind},
    error::Error,
    policies::model::{Class, Tier},
    rotations::{
        cases::{self as rules, End},
        model::{Step, Trigger},
    },
};
use chrono::TimeDelta;
use server::{
    catalog::{self, NewSecret},
    demo::certificate,
    notifications,
    rotations::{self, Leak, case_store, postgres::Settings, rotator::Target},
    vault::{self, Source},
};
use sqlx::Executor;

async fn renew(cast: &Cast, secret: &str, expected: i32, days: i64) {
    let fields = certificate::issue("as2", cast.console.now(), TimeDelta::days(days)).unwrap();
    let payload = vault::payload(Kind::Certificate, fields).unwrap();
    let iris = cast.caller("iris").await;
    vault::write_version(&cast.console, &iris, secret, expected, payload, Source::Typed).await.unwrap();
}

async fn version(cast: &Cast, secret: &str, version: i32) -> vault::store::Version {
    vault::store::find(&mut cast.console.db().unseen().read().await.unwrap(), secret, version).await.unwrap().unwrap()
}

/// How often each notice about it came to Iris.
async fn told(cast: &Cast) -> (usize, usize) {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let notices = notifications::store::list(&mut db, cast.id("iris"), 50).await.unwrap();
    let of = |kind: &str| notices.iter().filter(|notice| notice.kind == kind).count();
    (of("secret.expires"), of("secret.expired"))
}

async fn run(cast: &Cast) {
    server::jobs::run_due(&cast.console).await.unwrap();
}

async fn pass(cast: &Cast, days: i64) {
    for _ in 0..days {
        cast.world.clock.advance(TimeDelta::days(1));
        run(cast).await;
    }
}

story!(a_certificate_ends_at_its_not_after, |world| {
    let cast = Cast::new(world).await;
    let iris = cast.caller("iris").await;
    let new =
        NewSecret { path: "as2", kind: Kind::Certificate, class: Class::Normal, description: "", team: &cast.team };
    let project = cast.project().await;
    let (secret, _) =
        catalog::create_secret(&cast.console, &iris, &project, cast.environment(Tier::Staging), new).await.unwrap();
    let start = cast.console.now();
    renew(&cast, &secret, 0, 30).await;
    assert_eq!(version(&cast, &secret, 1).await.valid_until.unwrap().timestamp(), start.timestamp() + 30 * 86_400);
    pass(&cast, 15).await;
    assert_eq!(told(&cast).await, (0, 0));
    pass(&cast, 2).await;
    assert_eq!(told(&cast).await, (1, 0), "two weeks before, once");
    // It leaks, and is replaced: it works on until its date.
    let leak = Leak { version: 1, detected_at: cast.console.now(), what: "It stood in a mail.", suspect: None };
    let (case, _) = rotations::report_leak(&cast.console, &iris, &secret, leak.clone()).await.unwrap();
    renew(&cast, &secret, 1, 20).await;
    pass(&cast, 12).await;
    assert_eq!(version(&cast, &secret, 1).await.death(), None, "a day is left");
    pass(&cast, 2).await;
    let (first, second) = (version(&cast, &secret, 1).await, version(&cast, &secret, 2).await);
    assert_eq!((first.death(), first.dead_at), (Some(Death::Expired), first.valid_until), "at its date, not when seen");
    assert_eq!((second.death(), current(&cast, &secret).await), (None, Some(2)));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let ended = case_store::find(&mut db, &case, cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    assert_eq!((ended.end(), ended.ended_at, ended.dead_at), (Some(End::Expired), first.valid_until, None));
    let rule = rules::Case {
        trigger: ended.trigger(),
        began_at: ended.began_at,
        dead_at: ended.dead_at,
        ended_at: ended.ended_at,
        end: ended.end(),
        target: TimeDelta::hours(24),
    };
    let figures = rules::figures(&[rule], Trigger::Incident, start, cast.console.now(), cast.console.now());
    assert_eq!((figures.ended, figures.proved, figures.mean), (1, 0, None), "expired is not proved");
    let again = rotations::report_leak(&cast.console, &iris, &secret, Leak { detected_at: cast.console.now(), ..leak });
    assert!(matches!(again.await, Err(Error::Invalid(_))), "it opens nothing any more");
    // The one in use ends as well: said loudly, once, and it is handed out on: there is no other.
    pass(&cast, 8).await;
    assert_eq!(told(&cast).await, (2, 1));
    assert_eq!((version(&cast, &secret, 2).await.death(), current(&cast, &secret).await), (None, Some(2)));
    // A third one takes its place.
    renew(&cast, &secret, 2, 365).await;
    pass(&cast, 1).await;
    assert_eq!(version(&cast, &secret, 2).await.death(), Some(Death::Expired));
    is_whole(&cast).await;
});

story!(a_role_ends_at_valid_until, |world| {
    let mut target = Role::new(Cast::new(world).await, "until").await;
    let boss = format!("{}_boss", target.role);
    let statement = format!("CREATE ROLE \"{boss}\" LOGIN SUPERUSER PASSWORD 'boss-password-here'");
    target.admin.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    let other = format!("{}_b", target.role);
    make_role(&mut target.admin, &other, "never-used-before").await;
    let admin = account(&target.cast, "db/boss", &boss, "boss-password-here").await;
    let settings = Settings {
        roles: vec![target.role.clone(), other.clone()],
        admin: Some(admin),
        dies_after_days: 3,
        ..target.settings()
    };
    target.plan(Target::PostgresInTurn(settings), 0).await;
    let id = target.start().await;
    run(&target.cast).await;
    assert_eq!(rotation(&target.cast, &id).await.step(), Step::VerifiedDead);
    let noted = version(&target.cast, &target.secret, 2).await.valid_until.unwrap();
    let (there,): (f64,) =
        sqlx::query_as("SELECT extract(epoch FROM rolvaliduntil)::float8 FROM pg_authid WHERE rolname = $1")
            .bind(&other)
            .fetch_one(&mut target.admin)
            .await
            .unwrap();
    let late = noted.timestamp_micros() as f64 / 1e6 - there;
    assert!((0.0..60.0).contains(&late), "what is noted is never earlier than what the server holds: {late}");
    // Somebody writes another account by hand; the role that was made ends by itself.
    target.cast.world.clock.advance(TimeDelta::days(1));
    run(&target.cast).await;
    let fields = [("username", target.role.as_str()), ("password", "typed-by-hand-later")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned().into())).to_vec();
    let payload = vault::payload(Kind::Database, fields).unwrap();
    let iris = target.cast.caller("iris").await;
    vault::write_version(&target.cast.console, &iris, &target.secret, 2, payload, Source::Typed).await.unwrap();
    run(&target.cast).await;
    assert_eq!(version(&target.cast, &target.secret, 2).await.death(), None);
    target.cast.world.clock.advance(TimeDelta::days(2));
    run(&target.cast).await;
    assert_eq!(version(&target.cast, &target.secret, 2).await.death(), Some(Death::Expired));
    is_whole(&target.cast).await;
});
