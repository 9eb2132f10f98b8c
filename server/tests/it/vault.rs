//! Values: sealed for one place, written with compare and set, deleted, destroyed, moved, wrapped anew, imported.
use crate::{
    cast::{CANARY, Cast},
    story,
};
use app::{
    error::{Conflict, Error, Refusal},
    policies::model::{Class, Right, Tier},
};
use chrono::TimeDelta;
use server::{
    catalog,
    vault::{self, Take},
};

story!(the_second_of_two_writers_is_told, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Development, Class::Normal).await;
    assert_eq!(cast.write("iris", &secret, 0, "one").await, Ok(1));
    assert_eq!(cast.write("teodor", &secret, 0, "two").await.err(), Some(Error::Conflict(Conflict::StaleVersion)));
    assert_eq!(cast.write("teodor", &secret, 1, "two").await, Ok(2));
});

story!(production_is_written_by_a_grant_alone_and_writing_is_not_reading, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    assert_eq!(cast.write("iris", &secret, 0, "x").await.err(), Some(Error::Refused(Refusal::NoRule)));
    let request = cast.ask("jonas", &secret, Right::Write, 60).await.unwrap();
    cast.approve("iris", &request).await.unwrap();
    assert_eq!(cast.write("jonas", &secret, 0, "x").await, Ok(1));
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), Some(Error::Refused(Refusal::NoGrant)));
});

story!(who_saw_typed_or_copied_a_value_knows_it, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    cast.take("jonas", &secret, Take::Copy).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let knowing = vault::store::knowing(&mut db, &secret).await.unwrap();
    let knowing: Vec<_> = knowing.iter().map(|row| (row.name.as_str(), row.how.as_str())).collect();
    assert_eq!(knowing, [("Iris Lead", "typed"), ("Jonas Engineer", "copied")]);
});

story!(any_two_stored_values_swapped_open_nowhere, |world| {
    let cast = Cast::new(world).await;
    let one = cast.filled("a", Tier::Production, Class::Normal).await;
    let two = cast.filled("b", Tier::Production, Class::Normal).await;
    cast.write("iris", &one, 1, "second").await.unwrap();
    cast.granted("jonas", &one, 60).await;
    assert!(cast.take("jonas", &one, Take::Reveal).await.is_ok());
    let copy = |column: &str, from: (&str, i32), to: (&str, i32)| {
        format!(
            "UPDATE secret_versions SET {column} = (SELECT {column} FROM secret_versions WHERE secret_id = '{}' AND version = {}) WHERE secret_id = '{}' AND version = {}",
            from.0, from.1, to.0, to.1
        )
    };
    for from in [(two.as_str(), 1), (one.as_str(), 1)] {
        for columns in [vec!["data_key"], vec!["payload"], vec!["data_key", "payload"]] {
            let to = (one.as_str(), 2);
            // Keep what was there, put it back afterwards.
            let saved: Vec<(Vec<u8>, Vec<u8>)> = {
                use server::db::Sql;
                let mut db = cast.console.db().unseen().read().await.unwrap();
                db.sql("SELECT data_key, payload FROM secret_versions WHERE secret_id = $1 AND version = 2")
                    .bind(one.clone())
                    .all()
                    .await
                    .unwrap()
            };
            for column in &columns {
                cast.world.as_database_owner(&[&copy(column, from, to)]).await;
            }
            assert_eq!(
                cast.take("jonas", &one, Take::Reveal).await.err(),
                Some(Error::Unavailable),
                "{columns:?} of {from:?}"
            );
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let literal = |bytes: &[u8]| {
                if cast.world.url.is_some() { format!("'\\x{}'", hex(bytes)) } else { format!("x'{}'", hex(bytes)) }
            };
            let back = format!(
                "UPDATE secret_versions SET data_key = {}, payload = {} WHERE secret_id = '{one}' AND version = 2",
                literal(&saved[0].0),
                literal(&saved[0].1)
            );
            cast.world.as_database_owner(&[&back]).await;
            assert_eq!(cast.take("jonas", &one, Take::Reveal).await.unwrap(), "second");
        }
    }
});

story!(deleting_restoring_and_destroying_are_three_things, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    cast.write("iris", &secret, 1, "second").await.unwrap();
    let (iris, teodor) = (cast.caller("iris").await, cast.caller("teodor").await);
    let current = || async {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        catalog::store::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap().current_version
    };
    vault::delete_version(&cast.console, &iris, &secret, 2).await.unwrap();
    assert_eq!(current().await, Some(1));
    vault::undelete_version(&cast.console, &iris, &secret, 2).await.unwrap();
    assert_eq!(current().await, Some(2));
    vault::schedule_destruction(&cast.console, &iris, &secret, 2).await.unwrap();
    assert_eq!(current().await, Some(1));
    let destroy = |caller| vault::destroy_version(&cast.console, caller, &secret, 2);
    assert_eq!(destroy(&teodor).await.err(), Some(Error::Refused(Refusal::TooEarly)));
    cast.world.clock.advance(TimeDelta::days(7));
    assert_eq!(destroy(&iris).await.err(), Some(Error::Refused(Refusal::SecondPerson)));
    destroy(&teodor).await.unwrap();
    assert_eq!(
        vault::undelete_version(&cast.console, &iris, &secret, 2).await.err(),
        Some(Error::Conflict(Conflict::AlreadyDone))
    );
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(vault::store::all_sealed(&mut db, &secret).await.unwrap().iter().all(|(version, _)| *version == 1));
});

story!(a_new_key_takes_over_in_batches_and_the_old_one_goes_last, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Staging, Class::Normal).await;
    for version in 1..120 {
        cast.write("iris", &secret, version, &format!("v{version}")).await.unwrap();
    }
    let iris = cast.caller("iris").await;
    let environment = cast.environment(Tier::Staging).id.clone();
    vault::rotate_key(&cast.console, &iris, &environment).await.unwrap();
    let destroy = || vault::destroy_key(&cast.console, &iris, &environment, 1);
    assert_eq!(destroy().await.err(), Some(Error::Conflict(Conflict::StillInUse)));
    assert_eq!(vault::rewrap_versions(&cast.console, &iris, &environment).await.unwrap().0, 100);
    // Stopped here and gone on later: the rest is what is left.
    assert_eq!(vault::rewrap_versions(&cast.console, &iris, &environment).await.unwrap().0, 20);
    assert_eq!(vault::rewrap_versions(&cast.console, &iris, &environment).await.unwrap().0, 0);
    destroy().await.unwrap();
    cast.granted("jonas", &secret, 60).await;
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.unwrap(), "v119");
});

story!(a_moved_secret_opens_at_its_new_place, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("old/place", Tier::Production, Class::Normal).await;
    let taken = cast.secret("taken", Tier::Production, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let blocked = catalog::move_secret(&cast.console, &iris, &secret, "TAKEN").await;
    assert!(matches!(blocked.err(), Some(Error::Invalid(_))), "paths are unique without regard to case");
    catalog::move_secret(&cast.console, &iris, &secret, "new/place").await.unwrap();
    cast.granted("jonas", &secret, 60).await;
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.unwrap(), CANARY);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let sign = catalog::store::find_move(&mut db, &cast.environment(Tier::Production).id, "old/place").await.unwrap();
    assert_eq!(sign.as_deref(), Some(secret.as_str()));
    assert_ne!(taken, secret);
});

story!(an_import_is_all_or_nothing_and_shows_no_value, |world| {
    let cast = Cast::new(world).await;
    let existing = cast.filled("B", Tier::Staging, Class::Normal).await;
    let (iris, teodor, jonas) = (cast.caller("iris").await, cast.caller("teodor").await, cast.caller("jonas").await);
    let (project, environment) = (cast.project().await, cast.environment(Tier::Staging).clone());
    let text = format!("A={CANARY}-a\nB={CANARY}-b\n");
    let (stash, found) = catalog::preview_import(&cast.console, &iris, &environment, "env", &text).await.unwrap();
    assert_eq!(
        found.iter().map(|found| (found.path.as_str(), found.exists)).collect::<Vec<_>>(),
        [("A", false), ("B", true)]
    );
    let import = |caller| catalog::import_secrets(&cast.console, caller, &project, &environment, &stash, &cast.team);
    assert_eq!(import(&teodor).await.err(), Some(Error::NotFound), "another person's preview");
    // Somebody writes B meanwhile under the lock's nose: everything is refused, A does not appear.
    cast.world
        .as_database_owner(&[&format!("UPDATE secrets SET description = 'changed' WHERE id = '{existing}'")])
        .await;
    assert!(import(&iris).await.is_err());
    let a = catalog::store::find_at(
        &mut cast.console.db().unseen().read().await.unwrap(),
        &environment.id,
        "a",
        cast.console.seal_key(),
    )
    .await;
    assert!(a.unwrap().is_none());
    cast.world.as_database_owner(&[&format!("UPDATE secrets SET description = '' WHERE id = '{existing}'")]).await;
    assert_eq!(import(&iris).await.unwrap().0, 2);
    cast.granted("jonas", &existing, 60).await;
    assert_eq!(cast.take("jonas", &existing, Take::Reveal).await.unwrap(), format!("{CANARY}-b"));
    let production = cast.environment(Tier::Production).clone();
    for (caller, into) in [(&iris, &production), (&jonas, &environment)] {
        let looked = catalog::preview_import(&cast.console, caller, into, "env", &text).await;
        assert_eq!(looked.err(), Some(Error::Refused(Refusal::NoRule)));
        let imported = catalog::import_secrets(&cast.console, caller, &project, into, &stash, &cast.team).await;
        assert_eq!(imported.err(), Some(Error::Refused(Refusal::NoRule)));
    }
});

story!(a_secret_that_rotates_does_not_take_one_of_its_last_values_again, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("api/key", Tier::Staging, Class::Normal).await;
    cast.write("iris", &secret, 0, "first").await.unwrap();
    cast.write("iris", &secret, 1, "first").await.unwrap();
    let iris = cast.caller("iris").await;
    let plan = server::rotations::NewPlan::generated();
    server::rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    // Whoever may not write learns nothing by trying.
    assert_eq!(cast.write("lucia", &secret, 2, "first").await.err(), Some(Error::Refused(Refusal::NoRule)));
    let again = cast.write("iris", &secret, 2, "first").await.err();
    assert!(matches!(&again, Some(Error::Invalid(fields)) if fields[0].message.contains("version 2")), "{again:?}");
    let event = cast.last_event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("refused", Some("used_before")));
    for (expected, value) in ["second", "third", "fourth", "fifth", "sixth"].into_iter().enumerate() {
        cast.write("iris", &secret, expected as i32 + 2, value).await.unwrap();
    }
    let leaf = String::from_utf8_lossy(&cast.last_event().await.leaf).into_owned();
    assert!(leaf.contains("\"compared\":\"v6, v5, v4, v3, v2\""), "what was opened for it is said: {leaf}");
    // A stale guess opens nothing: it is told that it is stale, right or wrong.
    for guess in ["second", "none"] {
        assert_eq!(cast.write("iris", &secret, 0, guess).await.err(), Some(Error::Conflict(Conflict::StaleVersion)));
    }
    vault::delete_version(&cast.console, &iris, &secret, 7).await.unwrap();
    assert!(cast.write("iris", &secret, 7, "sixth").await.is_err(), "deleted, and not taken again");
    assert!(cast.write("iris", &secret, 7, "second").await.is_err());
    cast.write("iris", &secret, 7, "first").await.unwrap();
});
