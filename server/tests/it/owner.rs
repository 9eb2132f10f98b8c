//! What the owner of the database tries who has no key: rows from the future, rows that were just put back, rows taken away, events
//! swallowed, things put between this service and its tables.
use crate::{
    cast::Cast,
    http::{Browser, site},
    promises::{blob, forged_administrator},
    story,
    support::{World, together},
};
use app::{
    audit::action::Action,
    error::{Conflict, Error},
    people::tokens::Scope,
    policies::model::{Class, Right, Role, Tier},
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{
    audit::{
        event::{Event, Who},
        state::{self, Trail},
    },
    instance::Instance,
    people,
};

/// As this process reads on, every two seconds.
async fn read_on(cast: &Cast) -> Trail {
    let mut trail = Trail::of(cast.console.seal_key().clone());
    drop(state::follow(&cast.console, &mut trail).await);
    drop(state::follow(&cast.console, &mut trail).await);
    trail
}

async fn found(cast: &Cast) -> Vec<String> {
    let mut trail = read_on(cast).await;
    state::watch(&cast.console, &mut trail).await.unwrap();
    cast.console.found.borrow().checked.wrong.clone()
}

// A change that is aborted after its row was sealed leaves a row whose number the owner chose.
story!(a_row_from_the_future_opens_nothing, |world| {
    let cast = Cast::new(world).await;
    forged_administrator(&cast, 1 << 40).await;
    let jonas = cast.caller("jonas").await;
    assert!(jonas.is(Role::Admin), "it may be of a change that another replica is committing");
    // Nothing is done by it all the same.
    let done = people::create_team(&cast.console, &jonas, "mine", "Mine").await;
    assert_eq!(done.err(), Some(Error::Conflict(Conflict::EditedMeanwhile)));
    let wrong = found(&cast).await;
    assert!(wrong.iter().any(|line| line.contains("which there is not")), "{wrong:?}");
    assert!(!cast.caller("jonas").await.is(Role::Admin));
});

story!(a_place_in_the_future_is_not_taken, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Staging, Class::Normal).await;
    cast.world.as_database_owner(&["UPDATE ledger_head SET size = size + 1000"]).await;
    assert_eq!(cast.ask("jonas", &secret, Right::Read, 60).await.err(), Some(Error::Unavailable));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let rows = server::people::store::rows_in(&mut db, "access_requests").await.unwrap();
    drop(db);
    assert_eq!(rows, 0, "nothing was sealed");
    cast.world.as_database_owner(&["UPDATE ledger_head SET size = size - 1000"]).await;
    read_on(&cast).await;
    assert!(cast.console.builder.signed().forked, "and nothing is opened until somebody has looked");
});

// A trigger takes each new event away and sets the head back: the process knows what it committed.
story!(swallowed_events_are_missed, |world| {
    let cast = Cast::new(world).await;
    read_on(&cast).await;
    let who = Who::system("test");
    cast.console.ledger.observe(&who, Event::new(Action::Heartbeat)).await.unwrap();
    let size = cast.events().await;
    cast.world.without_triggers().await;
    let last = size - 1;
    cast.world
        .as_database_owner(&[
            &format!("DELETE FROM audit_disclosures WHERE seq = {last}"),
            &format!("DELETE FROM audit_events WHERE seq = {last}"),
            &format!("UPDATE ledger_head SET size = {last}"),
        ])
        .await;
    let again = cast.console.ledger.observe(&who, Event::new(Action::Heartbeat)).await;
    assert_eq!(again.err(), Some(Error::Unavailable), "its place is behind what was committed");
    let mut trail = Trail::of(cast.console.seal_key().clone());
    drop(state::follow(&cast.console, &mut trail).await);
    assert!(cast.console.builder.signed().forked);
});

// The same without anything that is written afterwards: the next reading of the trail finds it shorter or different.
story!(an_event_in_the_place_of_another_is_seen, |world| {
    let cast = Cast::new(world).await;
    let who = Who::system("test");
    for _ in 0..2 {
        cast.console.ledger.observe(&who, Event::new(Action::Heartbeat)).await.unwrap();
    }
    let last = cast.events().await - 1;
    cast.world.without_triggers().await;
    let swap = format!(
        "UPDATE audit_events SET leaf = (SELECT leaf FROM audit_events WHERE seq = {}) WHERE seq = {last}",
        last - 1
    );
    cast.world.as_database_owner(&[&swap]).await;
    let wrong = found(&cast).await;
    assert!(wrong.iter().any(|line| line.contains("not the one that was committed there")), "{wrong:?}");
});

// Within the second in which a statement may still see it, and right after a start.
story!(a_row_that_was_just_put_back_is_not_written_on, |world| {
    let cast = Cast::new(world).await;
    let before = cast.person("lucia").await;
    people::disable_person(&cast.console, &cast.caller("anna").await, cast.id("lucia")).await.unwrap();
    let put_back = format!(
        "UPDATE people SET disabled_at = NULL, event_seq = {}, row_mac = {} WHERE id = '{}'",
        before.event_seq,
        blob(&cast, &before.row_mac),
        before.id
    );
    cast.world.as_database_owner(&[&put_back]).await;
    let seen = cast.person("lucia").await;
    assert!(seen.is_active(), "for a moment it may be what a statement saw that began before");
    let caller =
        people::Caller::load(&cast.console, seen.clone(), people::Entry::Direct, Who::anonymous()).await.unwrap();
    let asked = people::create_access_token(&cast.console, &caller, "mine", &[Scope::ReadAccess], TimeDelta::days(1));
    assert_eq!(asked.await.err(), Some(Error::Conflict(Conflict::EditedMeanwhile)));
    let session = people::open_session(&cast.console, &Who::anonymous(), &seen, "password", vec![7; 32]).await;
    assert_eq!(session.err(), Some(Error::Conflict(Conflict::EditedMeanwhile)));
    // A start reads the whole trail before it answers: nothing of this process is older than that.
    let again = server::keys::Secret::clone(cast.console.seal_key());
    let key = server::audit::row_seal::SealKey::new(again);
    let mut trail = Trail::of(key.clone());
    let seal = &cast.console.ledger.keys().event_seal;
    trail.catch_up(cast.console.db(), Some(seal), Default::default()).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(people::store::find(&mut db, &before.id, &key).await.unwrap().is_none());
});

// What an operation read before it began may have been changed since by an honest one.
story!(a_stale_copy_is_not_sealed_over_a_newer_row, |world| {
    let cast = Cast::new(world).await;
    let old = cast.person("jonas").await;
    let anna = cast.caller("anna").await;
    people::disable_person(&cast.console, &anna, cast.id("jonas")).await.unwrap();
    let now = cast.person("jonas").await;
    assert!(now.event_seq > old.event_seq && !now.is_active());
    let mut tx = cast.console.ledger.begin(&Who::system("test")).await.unwrap();
    people::store::save(&mut tx, &old).await.unwrap();
    tx.seal(&old).unwrap();
    let subject = app::audit::leaf::Subject { person: Some(old.id.clone()), ..Default::default() };
    let done = tx.commit(vec![Event::new(Action::EnablePerson).on(subject)]).await;
    assert_eq!(done.err(), Some(Error::Conflict(Conflict::EditedMeanwhile)));
    assert_eq!(cast.person("jonas").await.event_seq, now.event_seq, "nothing of it was kept");
    let wrong = found(&cast).await;
    assert_eq!(wrong, Vec::<String>::new(), "and nobody is called a tamperer");
});

// Two clicks, or a click beside an administrator's.
story!(signing_out_twice_is_written_once, |world| {
    let cast = Cast::new(world).await;
    let jonas = cast.person("jonas").await;
    let who = Who::anonymous();
    let (session, _) = people::open_session(&cast.console, &who, &jonas, "password", vec![7; 32]).await.unwrap();
    let caller = people::Caller::load(&cast.console, jonas, people::Entry::Browser(session), who).await.unwrap();
    let before = cast.events().await;
    let (one, other) =
        together(people::sign_out(&cast.console, &caller), people::sign_out(&cast.console, &caller)).await;
    let written = [one.unwrap(), other.unwrap()].into_iter().flatten().count();
    assert_eq!((written, cast.events().await), (1, before + 1));
    assert_eq!(people::sign_out(&cast.console, &caller).await.unwrap(), None);
});

story!(people_who_were_taken_away_are_missed, |world| {
    let (cast, router) = site(world).await;
    // In an installation that is old enough for nobody to act alone.
    cast.world.clock.advance(TimeDelta::days(30));
    let anna = cast.caller("anna").await;
    read_on(&cast).await;
    let kept = format!("CREATE TABLE kept AS SELECT * FROM roles WHERE person_id <> '{}'", cast.id("anna"));
    let gone = format!("DELETE FROM roles WHERE person_id <> '{}'", cast.id("anna"));
    cast.world.as_database_owner(&[&kept, &gone]).await;
    let change = app::controls::model::Change::GiveRole {
        person: cast.id("jonas").into(),
        role: Role::Security,
        project: None,
        until: None,
        reads: None,
    };
    let alone = server::controls::submit(&cast.console, &anna, change).await;
    assert_eq!(alone.err(), Some(Error::Unavailable), "the others were hidden");
    // Without anybody, nobody is the first: somebody was here.
    cast.world.as_database_owner(&["INSERT INTO roles SELECT * FROM kept", "DROP TABLE kept"]).await;
    if cast.world.url.is_none() {
        cast.world.as_database_owner(&["PRAGMA foreign_keys = OFF", "DELETE FROM people"]).await;
        let page = Browser::new(&router).get("/set-up").await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    }
});

story!(what_stands_between_is_named, |world| {
    let cast = Cast::new(world).await;
    assert_eq!(cast.console.db().unseen().in_between().await.unwrap(), Vec::<String>::new());
    let put = match cast.world.url.is_some() {
        true => vec![
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER swallow BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION nothing()",
            "CREATE OR REPLACE FUNCTION insert_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "ALTER TABLE factors RENAME TO hidden_factors",
            "CREATE VIEW factors AS SELECT * FROM hidden_factors WHERE false",
            "ALTER TABLE roles ENABLE ROW LEVEL SECURITY",
            "CREATE RULE quiet AS ON DELETE TO links DO INSTEAD NOTHING",
            // Other programs' things are their own.
            "CREATE VIEW monitoring AS SELECT 1 AS one",
        ],
        false => vec![
            "CREATE TRIGGER swallow AFTER INSERT ON audit_events BEGIN SELECT 1; END",
            "ALTER TABLE factors RENAME TO hidden_factors",
            "CREATE VIEW factors AS SELECT * FROM hidden_factors WHERE false",
            "CREATE VIEW monitoring AS SELECT 1 AS one",
        ],
    };
    cast.world.as_database_owner(&put).await;
    let mut named = cast.console.db().unseen().in_between().await.unwrap();
    named.sort();
    let wanted: &[&str] = match cast.world.url.is_some() {
        true => &[
            "a policy of rows on roles",
            "a rule on links",
            "another thing in the place of factors",
            "trigger audit_checkpoints_keep on audit_checkpoints",
            "trigger audit_disclosures_keep on audit_disclosures",
            "trigger audit_events_keep on audit_events",
            "trigger audit_tiles_keep on audit_tiles",
            "trigger swallow on audit_events",
        ],
        false => &["trigger swallow on audit_events", "view factors on factors"],
    };
    assert_eq!(named, wanted);
    let mut trail = Trail::of(cast.console.seal_key().clone());
    state::follow(&cast.console, &mut trail).await.unwrap();
    assert!(cast.console.builder.signed().forked, "nothing is opened by what comes through it");
});

// Two replicas share a folder for the head. The owner cuts what the second has not read yet.
story!(a_head_that_another_replica_signed_is_not_replaced_by_a_fork, |world| {
    let who = Who::system("test");
    let other = Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), world.anchors());
    let other = other.await.unwrap();
    let size = {
        for _ in 0..9 {
            world.instance.ledger.observe(&who, Event::new(Action::Heartbeat)).await.unwrap();
        }
        world.instance.builder.build().await.unwrap().size
    };
    let kept = world.anchors().notes();
    world.without_triggers().await;
    let cut = size - 3;
    world
        .as_database_owner(&[
            &format!("DELETE FROM audit_disclosures WHERE seq >= {cut}"),
            &format!("DELETE FROM audit_events WHERE seq >= {cut}"),
            &format!("DELETE FROM audit_checkpoints WHERE size > {cut}"),
            &format!("UPDATE ledger_head SET size = {cut}"),
        ])
        .await;
    // Behind the head that lies there it is left alone; beyond it, it does not fit.
    other.ledger.observe(&who, Event::new(Action::Heartbeat)).await.unwrap();
    drop(other.builder.build().await);
    assert_eq!(world.anchors().notes(), kept);
    for _ in 0..5 {
        other.ledger.observe(&who, Event::new(Action::Heartbeat)).await.unwrap();
    }
    assert_eq!(other.builder.build().await.err(), Some(Error::Unavailable));
    assert_eq!(world.anchors().notes(), kept);
    assert!(other.builder.signed().forked);
});

/// A world that was only made has nothing that stands between.
#[tokio::test]
async fn a_migrated_database_has_nothing_in_between() {
    for world in [World::sqlite().await, World::postgres().await] {
        assert_eq!(world.instance.db.unseen().in_between().await.unwrap(), Vec::<String>::new());
    }
}
