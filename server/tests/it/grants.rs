//! Access ends: by time, by revocation, by giving back, with the person or the secret that it hangs on.
use crate::{cast::Cast, story};
use app::{
    error::{Conflict, Error, Refusal},
    grants::model::State,
    policies::model::{Class, Right, Tier},
};
use chrono::TimeDelta;
use server::{
    audit::event::Who,
    catalog,
    db::Sql,
    grants::{self, Holder, store},
    jobs, people,
    table::rows_of,
    vault::Take,
};

story!(revoking_works_on_the_next_use, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let grant = cast.granted("jonas", &secret, 60).await;
    assert!(cast.take("jonas", &secret, Take::Reveal).await.is_ok());
    let (lucia, iris) = (cast.caller("lucia").await, cast.caller("iris").await);
    assert_eq!(grants::revoke_grant(&cast.console, &lucia, &grant).await.err(), Some(Error::Refused(Refusal::NoRule)));
    grants::revoke_grant(&cast.console, &iris, &grant).await.unwrap();
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), Some(Error::Refused(Refusal::GrantEnded)));
    let again = grants::revoke_grant(&cast.console, &iris, &grant).await;
    assert_eq!(again.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
});

story!(one_gives_back_ones_own_access_alone, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let grant = cast.granted("jonas", &secret, 60).await;
    let (lucia, jonas) = (cast.caller("lucia").await, cast.caller("jonas").await);
    assert_eq!(
        grants::give_back_grant(&cast.console, &lucia, &grant).await.err(),
        Some(Error::Refused(Refusal::NotYours))
    );
    grants::give_back_grant(&cast.console, &jonas, &grant).await.unwrap();
    assert!(!cast.holds("jonas", &secret).await);
});

story!(the_end_is_recorded_once, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Staging, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    cast.world.clock.advance(TimeDelta::minutes(60));
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.last_event().await.action, "grant.ended");
    let events = cast.events().await;
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.events().await, events);
});

story!(disabling_a_person_cuts_everything_in_one_change, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    cast.ask("jonas", &secret, Right::Write, 60).await.unwrap();
    let jonas = cast.person("jonas").await;
    let origin = server::audit::event::Who::anonymous();
    people::open_session(&cast.console, &origin, &jonas, "password", vec![1; 32]).await.unwrap();
    assert!(people::recognise(&cast.console, origin.clone(), &[1; 32]).await.unwrap().is_some());
    let anna = cast.caller("anna").await;
    let before = cast.events().await;
    people::disable_person(&cast.console, &anna, cast.id("jonas")).await.unwrap();
    assert_eq!(cast.events().await - before, 4, "the person, a session, a request, a grant: an event for each edge");
    assert!(people::recognise(&cast.console, origin, &[1; 32]).await.unwrap().is_none());
    assert!(!cast.holds("jonas", &secret).await);
});

story!(archiving_a_secret_ends_what_hangs_on_it, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    let open = cast.ask("lucia", &secret, Right::Read, 60).await.unwrap();
    catalog::archive_secret(&cast.console, &cast.caller("iris").await, &secret).await.unwrap();
    assert_eq!(cast.request(&open).await.outcome.as_deref(), Some("voided"));
    assert!(cast.take("jonas", &secret, Take::Reveal).await.is_err());
    assert_eq!(cast.ask("lucia", &secret, Right::Read, 60).await.err(), Some(Error::Conflict(Conflict::Archived)));
});

story!(both_readings_of_a_grants_state_agree, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let grant = cast.granted("jonas", &secret, 60).await;
    let start = cast.console.now();
    let tick = TimeDelta::microseconds(1);
    let hour = TimeDelta::minutes(60);
    for (ended, column) in [(false, ""), (true, "revoked_at"), (true, "given_back_at"), (true, "suspended_at")] {
        if ended {
            let statement = format!("UPDATE grants SET {column} = starts_at");
            cast.world.as_database_owner(&[&statement]).await;
        }
        for moment in [start - tick, start, start + tick, start + hour - tick, start + hour, start + hour + tick] {
            let mut db = cast.console.db().unseen().read().await.unwrap();
            let statement = rows_of::<store::Grant>(" WHERE id = $1");
            // Without the seal: the rows were changed behind the service's back on purpose.
            let row: store::Grant = db.sql(statement).bind(grant.clone()).one().await.unwrap();
            let counted = store::count_active(&mut db, cast.id("jonas"), moment).await.unwrap();
            assert_eq!(row.state(moment) == State::Active, counted == 1, "{column} {moment}");
        }
        if ended {
            let statement = format!("UPDATE grants SET {column} = NULL");
            cast.world.as_database_owner(&[&statement]).await;
        }
    }
});

story!(a_grant_that_was_changed_in_the_database_opens_nothing, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let other = cast.filled("b", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    assert!(cast.holds("jonas", &secret).await);
    let widen = format!("UPDATE grants SET secrets = '{secret} {other}' WHERE person_id IS NOT NULL");
    cast.world.as_database_owner(&[&widen]).await;
    assert!(!cast.holds("jonas", &secret).await);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let held =
        store::active_of(&mut db, Holder::Person(cast.id("jonas")), cast.console.now(), cast.console.seal_key()).await;
    assert!(held.unwrap().is_empty());
});

story!(when_space_runs_low_nothing_opens_and_everything_closes, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let grant = cast.granted("jonas", &secret, 60).await;
    let open = cast.ask("lucia", &secret, Right::Read, 60).await.unwrap();
    let jonas = cast.person("jonas").await;
    let origin = server::audit::event::Who::anonymous();
    people::open_session(&cast.console, &origin, &jonas, "password", vec![1; 32]).await.unwrap();
    cast.console.space.reserve(u64::MAX);
    let closed = Some(Error::Unavailable);
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), closed);
    assert_eq!(cast.ask("lucia", &secret, Right::Read, 60).await.err(), closed);
    assert_eq!(cast.approve("iris", &open).await.err(), closed);
    assert_eq!(cast.write("iris", &secret, 1, "x").await.err(), closed);
    assert!(people::open_session(&cast.console, &origin, &jonas, "password", vec![2; 32]).await.is_err());
    grants::revoke_grant(&cast.console, &cast.caller("iris").await, &grant).await.unwrap();
    people::disable_person(&cast.console, &cast.caller("anna").await, cast.id("jonas")).await.unwrap();
    assert!(people::recognise(&cast.console, origin, &[1; 32]).await.unwrap().is_none());
    cast.console.space.reserve(0);
    cast.approve("iris", &open).await.unwrap();
});

story!(a_full_database_keeps_nothing_half_done, |world| {
    if world.url.is_some() {
        return;
    }
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let before = cast.events().await;
    cast.console.db().limit_pages(true).await.unwrap();
    let mut refused = 0;
    for version in 1..400 {
        match cast.write("iris", &secret, version, &"x".repeat(60_000)).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, Error::Unavailable);
                refused += 1;
                break;
            }
        }
    }
    assert_eq!(refused, 1, "the database filled up");
    let stuck = cast.events().await;
    assert!(stuck > before);
    assert!(cast.ask("jonas", &secret, Right::Read, 60).await.is_err() || cast.events().await > stuck);
    cast.console.db().limit_pages(false).await.unwrap();
    cast.granted("jonas", &secret, 60).await;
    cast.world.instance.builder.build().await.unwrap();
    let key = cast.world.instance.builder.verifier();
    let deep = server::audit::verify::Options { deep: true, ..Default::default() };
    let report = server::audit::verify::run(cast.console.db(), &key, deep, false).await.unwrap();
    assert!(report.is_clean(), "{:?} {:?}", report.verified.tampering, report.mismatches);
});

story!(suspended_access_opens_nothing_until_somebody_else_confirms_it, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let id = cast.granted("jonas", &secret, 120).await;
    let mut tx = cast.console.ledger.begin(&Who::system("test")).await.unwrap();
    let events = grants::suspend_every(&mut tx, cast.console.now(), "restored", cast.console.seal_key()).await.unwrap();
    assert!(!events.is_empty());
    tx.commit(events).await.unwrap();
    assert!(!cast.holds("jonas", &secret).await);
    let suspended = Some(Error::Refused(Refusal::GrantSuspended));
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), suspended);
    let resume = |login: &'static str| {
        let (cast, id) = (&cast, &id);
        async move { grants::resume_grant(&cast.console, &cast.caller(login).await, id).await.map(|_| ()) }
    };
    assert_eq!(resume("jonas").await.err(), Some(Error::Refused(Refusal::NoRule)));
    assert_eq!(resume("samir").await.err(), Some(Error::Refused(Refusal::NoRule)));
    resume("iris").await.unwrap();
    assert!(cast.holds("jonas", &secret).await);
    assert_eq!(resume("iris").await.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    let state = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert_eq!(state.wrong, Vec::<String>::new());
});

story!(holders_are_reminded_a_day_and_an_hour_before, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Staging, Class::Normal).await;
    cast.granted("jonas", &secret, 72 * 60).await;
    let told = || async {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let rows = server::notifications::store::list(&mut db, cast.id("jonas"), 50).await.unwrap();
        rows.into_iter().filter(|row| row.kind.starts_with("grant.ends")).map(|row| row.kind).collect::<Vec<_>>()
    };
    grants::remind(&cast.console).await.unwrap();
    assert!(told().await.is_empty());
    cast.world.clock.advance(TimeDelta::hours(48));
    for _ in 0..2 {
        grants::remind(&cast.console).await.unwrap();
        assert_eq!(told().await, ["grant.ends_tomorrow"]);
    }
    cast.world.clock.advance(TimeDelta::hours(23));
    grants::remind(&cast.console).await.unwrap();
    assert_eq!(told().await.len(), 2);
});

// A replica whose clock is ahead recorded the end: behind that event the other one opens nothing, whatever its own clock says.
story!(a_recorded_end_holds_for_a_clock_that_is_behind, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("db/password", Tier::Staging, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    let before = cast.console.now();
    assert!(cast.holds("jonas", &secret).await);
    cast.world.clock.advance(TimeDelta::minutes(65));
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.last_event().await.action, "grant.ended");
    cast.world.clock.set(before + TimeDelta::minutes(10));
    assert!(!cast.holds("jonas", &secret).await);
    assert!(cast.take("jonas", &secret, server::vault::Take::Reveal).await.is_err());
});
