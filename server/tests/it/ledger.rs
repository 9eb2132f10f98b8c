//! The ledger: one event for each change, and every kind of tampering found by a verifier that trusts nobody.
use crate::{story, support::start};
use app::{
    audit::{
        action::Action,
        checkpoint::VerifierKey,
        leaf::{Leaf, Subject},
        tree::{Hash, leaf_hash, verify_consistency, verify_inclusion},
        verify::Tampering,
    },
    error::{Error, Refusal},
};
use chrono::TimeDelta;
use server::{
    audit::{
        event::{Event, Who},
        store, tiles,
        verify::{self, Options, Report},
    },
    db::Sql,
    instance::{self, Instance},
};

async fn observe(world: &World, count: usize) {
    for n in 0..count {
        let event = Event::new(Action::Heartbeat).detail("n", n as u64).private("comment", format!("beat {n}"));
        world.instance.ledger.observe(&Who::system("test"), event).await.unwrap();
        world.clock.advance(TimeDelta::seconds(1));
    }
}

use crate::support::World;

fn key(world: &World) -> VerifierKey {
    world.instance.builder.verifier()
}

async fn check(world: &World, options: Options<'_>) -> Report {
    verify::run(&world.instance.db, &key(world), options, false).await.unwrap()
}

async fn deep(world: &World) -> Report {
    check(world, Options { deep: true, ..Options::default() }).await
}

story!(events_have_consecutive_places_and_verify, |world| {
    observe(&world, 20).await;
    let signed = world.instance.builder.build().await.unwrap();
    assert_eq!(signed.size, 21, "twenty and the ledger's own first event");
    let report = deep(&world).await;
    assert!(report.is_clean(), "{:?} {:?}", report.verified.tampering, report.mismatches);
    assert_eq!((report.verified.size, report.verified.signed, report.undisclosed), (21, Some(21), 0));
    let first = store::find(&mut world.instance.db.unseen().read().await.unwrap(), 0).await.unwrap().unwrap();
    let leaf = Leaf::decode(&first.leaf).unwrap();
    assert_eq!((leaf.action.as_str(), leaf.at.timestamp()), ("log.created", start().timestamp()));
    assert_eq!(leaf.detail["key"], key(&world).to_string());
});

story!(concurrent_writers_never_share_a_place, |world| {
    let mut tasks = Vec::new();
    for task in 0..32_u64 {
        let ledger = world.instance.ledger.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..10_u64 {
                let event = Event::new(Action::Heartbeat).detail("task", task).detail("n", n);
                if n % 3 == 0 {
                    let tx = ledger.begin(&Who::system("test")).await.unwrap();
                    tx.commit(vec![event.clone(), event]).await.unwrap();
                } else if n % 3 == 1 {
                    ledger.observe(&Who::system("test"), event).await.unwrap();
                } else {
                    // Begun and given up: leaves nothing behind and blocks nobody.
                    drop(ledger.begin(&Who::system("test")).await.unwrap());
                }
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(std::time::Duration::from_secs(60), task)
            .await
            .expect("no writer waits for ever")
            .unwrap();
    }
    world.instance.builder.build().await.unwrap();
    let report = deep(&world).await;
    assert!(report.is_clean(), "{:?}", report.verified.tampering);
    assert_eq!(report.verified.size, 1 + 32 * (4 * 2 + 3));
});

story!(a_change_without_an_event_is_not_kept, |world| {
    let mut tx = world.instance.ledger.begin(&Who::system("test")).await.unwrap();
    tx.sql("UPDATE store_identity SET epoch = 9").execute().await.unwrap();
    assert_eq!(tx.commit(vec![]).await, Err(Error::Unavailable));
    let identity = store::identity(&mut world.instance.db.unseen().read().await.unwrap()).await.unwrap().unwrap();
    assert_eq!(identity.epoch, 0);
});

story!(a_refusal_undoes_the_change_and_is_recorded, |world| {
    let mut tx = world.instance.ledger.begin(&Who::system("test")).await.unwrap();
    tx.sql("UPDATE store_identity SET epoch = 9").execute().await.unwrap();
    let error = tx.refuse(Event::new(Action::AssignRole), Refusal::NoRule).await;
    assert_eq!(error, Error::Refused(Refusal::NoRule));
    let mut db = world.instance.db.unseen().read().await.unwrap();
    assert_eq!(store::identity(&mut db).await.unwrap().unwrap().epoch, 0);
    let row = store::find(&mut db, 1).await.unwrap().unwrap();
    assert_eq!(
        (row.action.as_str(), row.outcome.as_str(), row.reason.as_deref()),
        ("role.assigned", "refused", Some("no_rule"))
    );
});

story!(repeated_refusals_are_counted, |world| {
    let ledger = &world.instance.ledger;
    for _ in 0..5 {
        ledger.refuse(&Who::anonymous(), Event::new(Action::SignIn), Refusal::WrongCredentials).await;
    }
    ledger.flush_repeats(false).await;
    let mut db = world.instance.db.unseen().read().await.unwrap();
    assert_eq!(store::size(&mut db).await.unwrap(), 2, "one written, four counted");
    world.clock.advance(TimeDelta::seconds(61));
    ledger.flush_repeats(false).await;
    let row = store::find(&mut db, 2).await.unwrap().unwrap();
    assert_eq!(Leaf::decode(&row.leaf).unwrap().suppressed, Some(4));
});

story!(proofs_and_tiles_agree_with_the_signed_root, |world| {
    // Two full tiles and a partial one.
    let tx = world.instance.ledger.begin(&Who::system("test")).await.unwrap();
    tx.commit((0..600).map(|n| Event::new(Action::Heartbeat).detail("n", n as u64)).collect()).await.unwrap();
    let old = world.instance.builder.build().await.unwrap();
    observe(&world, 50).await;
    let new = world.instance.builder.build().await.unwrap();
    assert_eq!((old.size, new.size), (601, 651));
    let (old_root, new_root) = (key(&world).open(&old.note).unwrap().root, key(&world).open(&new.note).unwrap().root);
    let mut db = world.instance.db.unseen().read().await.unwrap();
    assert_eq!(store::tiles(&mut db, 0).await.unwrap(), 2);
    for seq in [0, 1, 255, 256, 511, 512, 600, 650] {
        let proof = tiles::Prover::new(new.size).inclusion(&mut db, seq).await.unwrap();
        let leaf = leaf_hash(&store::find(&mut db, seq).await.unwrap().unwrap().leaf);
        assert!(verify_inclusion(&leaf, seq, new.size, &proof, &new_root), "event {seq}");
    }
    let proof = tiles::Prover::new(new.size).consistency(&mut db, old.size).await.unwrap();
    assert!(verify_consistency(old.size, &old_root, new.size, &new_root, &proof));
    let partial: Vec<Hash> = tiles::tile(&mut db, new.size, 0, 2).await.unwrap();
    assert_eq!(partial.len(), 651 - 512);
    // A second process continues where the first one stopped.
    let other =
        Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), world.anchors()).await.unwrap();
    observe(&world, 1).await;
    assert_eq!(other.builder.build().await.unwrap().note, world.instance.builder.build().await.unwrap().note);
});

story!(the_tables_of_the_ledger_refuse_to_be_changed, |world| {
    observe(&world, 3).await;
    for statement in [
        "UPDATE audit_events SET outcome = 'allowed'",
        "DELETE FROM audit_events WHERE seq = 2",
        "UPDATE audit_disclosures SET value = 'x'",
    ] {
        let mut tx = world.instance.ledger.begin(&Who::system("test")).await.unwrap();
        assert!(tx.sql(statement).execute().await.is_err(), "{statement}");
    }
});

story!(an_edited_event_is_found, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    world
        .as_database_owner(&[
            "UPDATE audit_events SET leaf = (SELECT leaf FROM audit_events WHERE seq = 4) WHERE seq = 5",
        ])
        .await;
    assert!(
        check(&world, Options::default())
            .await
            .verified
            .tampering
            .contains(&Tampering::Misplaced { expected: 5, found: Some(4) })
    );
});

story!(one_changed_bit_is_found, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    let changed = if world.url.is_some() {
        "UPDATE audit_events SET leaf = decode(replace(encode(leaf, 'hex'), encode('\"n\":4', 'hex'), encode('\"n\":9', 'hex')), 'hex') WHERE seq = 5"
    } else {
        "UPDATE audit_events SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"n\":4', '\"n\":9') AS BLOB) WHERE seq = 5"
    };
    world.as_database_owner(&[changed]).await;
    assert_eq!(check(&world, Options::default()).await.verified.tampering, vec![Tampering::OtherHistory { size: 11 }]);
});

story!(a_deleted_event_is_found, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    world
        .as_database_owner(&["DELETE FROM audit_disclosures WHERE seq = 5", "DELETE FROM audit_events WHERE seq = 5"])
        .await;
    let found = check(&world, Options::default()).await.verified.tampering;
    assert!(found.contains(&Tampering::Misplaced { expected: 5, found: Some(6) }), "{found:?}");
});

story!(reordered_events_are_found, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    world
        .as_database_owner(&[
            "DELETE FROM audit_disclosures",
            "UPDATE audit_events SET seq = 1000 WHERE seq = 5",
            "UPDATE audit_events SET seq = 5 WHERE seq = 6",
            "UPDATE audit_events SET seq = 6 WHERE seq = 1000",
        ])
        .await;
    assert!(
        check(&world, Options::default())
            .await
            .verified
            .tampering
            .contains(&Tampering::Misplaced { expected: 5, found: Some(6) })
    );
});

story!(an_inserted_event_is_found, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world
        .as_database_owner(&[
            "INSERT INTO audit_events (seq, leaf, at, action, outcome, actor_kind) SELECT 11, leaf, at, action, outcome, actor_kind FROM audit_events WHERE seq = 3",
        ])
        .await;
    let report = check(&world, Options::default()).await;
    assert_eq!(report.mismatches, ["event 11 lies beyond the ledger's head"]);
    // Where the head was moved along, it is at a place that is not its own.
    world.as_database_owner(&["UPDATE ledger_head SET size = 12"]).await;
    let report = check(&world, Options::default()).await;
    assert!(report.verified.tampering.contains(&Tampering::Misplaced { expected: 11, found: Some(3) }));
});

story!(a_cut_off_end_is_found_by_a_checkpoint_kept_elsewhere, |world| {
    observe(&world, 10).await;
    let kept = world.instance.builder.build().await.unwrap().note;
    world.without_triggers().await;
    world
        .as_database_owner(&[
            "DELETE FROM audit_disclosures WHERE seq > 5",
            "DELETE FROM audit_events WHERE seq > 5",
            "DELETE FROM audit_checkpoints",
            "UPDATE ledger_head SET size = 6",
        ])
        .await;
    assert!(check(&world, Options::default()).await.is_clean(), "alone, the database tells a consistent story");
    let report = check(&world, Options { checkpoint: Some(&kept), ..Options::default() }).await;
    assert_eq!(report.verified.tampering, vec![Tampering::Truncated { signed: 11, stored: 6 }]);
    // The anchor says it at the next start, and the exit code is 4.
    let restarted =
        Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), world.anchors()).await;
    assert_eq!(restarted.err().map(|error| error.exit_code()), Some(4));
});

story!(a_replaced_log_is_found, |world| {
    observe(&world, 5).await;
    let kept = world.instance.builder.build().await.unwrap().note;
    let other = World::foreign().await;
    observe(&other, 50).await;
    other.instance.builder.build().await.unwrap();
    let report =
        verify::run(&other.instance.db, &key(&world), Options { checkpoint: Some(&kept), ..Options::default() }, false)
            .await
            .unwrap();
    assert!(report.verified.tampering.iter().any(|found| matches!(found, Tampering::OtherHistory { .. })));
    assert!(report.verified.tampering.iter().any(|found| matches!(found, Tampering::Checkpoint { .. })));
});

story!(changed_columns_and_disclosures_are_found_by_deep, |world| {
    observe(&world, 5).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    world
        .as_database_owner(&[
            "UPDATE audit_events SET actor_id = 'per_other' WHERE seq = 2",
            "UPDATE audit_disclosures SET value = 'another' WHERE seq = 3",
        ])
        .await;
    assert!(check(&world, Options::default()).await.is_clean(), "leaves themselves are whole");
    let mismatches = deep(&world).await.mismatches.join("\n");
    assert!(
        mismatches.contains("event 2: column actor_id") && mismatches.contains("event 3: the kept comment"),
        "{mismatches}"
    );
});

story!(an_erased_name_keeps_every_proof, |world| {
    observe(&world, 5).await;
    world.instance.builder.build().await.unwrap();
    world.as_database_owner(&["DELETE FROM audit_disclosures WHERE seq = 3"]).await;
    let report = deep(&world).await;
    assert!(report.is_clean());
    assert_eq!(report.undisclosed, 1);
});

story!(a_builder_stops_when_history_changed_under_it, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    world
        .as_database_owner(&[
            "UPDATE audit_events SET leaf = (SELECT leaf FROM audit_events WHERE seq = 4) WHERE seq = 5",
        ])
        .await;
    let other = Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), Default::default())
        .await
        .unwrap();
    assert_eq!(other.builder.build().await.err(), Some(Error::Unavailable));
    assert!(other.builder.signed().forked);
});

story!(an_event_that_does_not_fit_changes_nothing, |world| {
    let tx = world.instance.ledger.begin(&Who::system("test")).await.unwrap();
    let subject = Subject { row: Some("x".repeat(9000)), ..Subject::default() };
    assert_eq!(tx.commit(vec![Event::new(Action::Heartbeat).on(subject)]).await, Err(Error::Unavailable));
    observe(&world, 1).await;
    world.instance.builder.build().await.unwrap();
    assert_eq!(deep(&world).await.verified.size, 2);
});

story!(a_wrong_root_key_is_refused, |world| {
    let other = server::keys::KeyFiles::random().unwrap();
    let refused = Instance::attach(world.instance.db.clone(), &other, world.clock.clone(), Default::default()).await;
    assert!(refused.err().unwrap().to_string().contains("root key is not the one"));
    let again = instance::create(&world.instance.db, &world.files, world.clock.clone(), false).await;
    assert!(again.is_err(), "init never replaces an installation");
});

story!(a_changed_epoch_or_kind_of_installation_is_refused, |world| {
    observe(&world, 3).await;
    let attach = || Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), Default::default());
    for change in ["UPDATE store_identity SET epoch = 1", "UPDATE store_identity SET epoch = 0, demo = NOT demo"] {
        world.as_database_owner(&[change]).await;
        assert!(attach().await.err().unwrap().to_string().contains("identity was changed"), "{change}");
    }
    world.as_database_owner(&["UPDATE store_identity SET demo = NOT demo"]).await;
    assert!(attach().await.is_ok());
});

/// A leaf is changed, and all that would contradict it is taken away: heads and tiles.
async fn forge(world: &World, seq: u64) {
    world.without_triggers().await;
    let leaf = match world.url.is_some() {
        true => "convert_to(replace(convert_from(leaf, 'UTF8'), 'service.heartbeat', 'service.heartbeet'), 'UTF8')",
        false => "CAST(replace(CAST(leaf AS TEXT), 'service.heartbeat', 'service.heartbeet') AS BLOB)",
    };
    let change = format!("UPDATE audit_events SET leaf = {leaf} WHERE seq = {seq}");
    world.as_database_owner(&[&change, "DELETE FROM audit_checkpoints", "DELETE FROM audit_tiles"]).await;
}

fn heads(world: &World) -> Vec<String> {
    world.anchors().notes().into_iter().map(|(_, note)| note).collect()
}

story!(a_database_owner_has_no_forgery_signed, |world| {
    observe(&world, 300).await;
    world.instance.builder.build().await.unwrap();
    let seal = world.instance.keys.event_seal.clone();
    let before = store::find(&mut world.instance.db.unseen().read().await.unwrap(), 5).await.unwrap().unwrap();
    forge(&world, 5).await;
    let after = store::find(&mut world.instance.db.unseen().read().await.unwrap(), 5).await.unwrap().unwrap();
    assert_ne!(before.leaf, after.leaf);
    // By its seal, by having no head, and by the head that lies elsewhere.
    let alone = check(&world, Options { seal: Some(&seal), ..Options::default() }).await;
    assert!(alone.mismatches.iter().any(|found| found.contains("event 5 fails its seal")), "{:?}", alone.mismatches);
    assert!(alone.verified.tampering.contains(&Tampering::Unsigned { from: 0, size: 301 }), "{:?}", alone.verified);
    let heads = heads(&world);
    let beside = check(&world, Options { heads: &heads, ..Options::default() }).await.verified.tampering;
    assert!(beside.contains(&Tampering::OtherHistory { size: 301 }), "{beside:?}");
    assert!(beside.contains(&Tampering::MissingHead { size: 301 }), "{beside:?}");
    // The next start refuses, and where nothing is left to compare with, nothing is signed.
    let attach = |anchors| Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), anchors);
    assert_eq!(attach(world.anchors()).await.err().map(|error| error.exit_code()), Some(4));
    let again = attach(Default::default()).await.unwrap();
    assert_eq!(again.builder.build().await.err(), Some(Error::Unavailable));
    assert!(again.builder.signed().forked, "and it says so");
    let checkpoints = store::checkpoints(&mut world.instance.db.unseen().read().await.unwrap(), 0, 9).await.unwrap();
    assert!(checkpoints.is_empty());
});

story!(an_event_that_somebody_else_wrote_is_never_taken_up, |world| {
    observe(&world, 10).await;
    let before = world.instance.builder.build().await.unwrap();
    // A copy of an event of this log at the end, with the seal of the one that it copies, and with none.
    world.without_triggers().await;
    for seal in ["seal", "NULL"] {
        let leaf = match world.url.is_some() {
            true => "convert_to(replace(convert_from(leaf, 'UTF8'), '\"seq\":3,', '\"seq\":11,'), 'UTF8')",
            false => "CAST(replace(CAST(leaf AS TEXT), '\"seq\":3,', '\"seq\":11,') AS BLOB)",
        };
        let insert = format!(
            "INSERT INTO audit_events (seq, leaf, at, action, outcome, actor_kind, seal) \
             SELECT 11, {leaf}, at, action, outcome, actor_kind, {seal} FROM audit_events WHERE seq = 3"
        );
        world
            .as_database_owner(&[
                "DELETE FROM audit_events WHERE seq = 11",
                &insert,
                "UPDATE ledger_head SET size = 12",
            ])
            .await;
        let again = Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), world.anchors());
        let again = again.await.unwrap();
        assert_eq!(again.builder.build().await.err(), Some(Error::Unavailable), "{seal}");
        assert!(again.builder.signed().forked);
        let seal = Some(&again.keys.event_seal);
        assert!(!check(&world, Options { seal, ..Options::default() }).await.is_clean());
    }
    assert!(world.instance.builder.build().await.is_err(), "a process that ran all the while refuses as well");
    assert_eq!(world.instance.builder.signed().size, before.size);
});

story!(a_cut_off_end_is_found_without_any_head_in_the_database, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    world
        .as_database_owner(&[
            "DELETE FROM audit_disclosures WHERE seq > 10",
            "DELETE FROM audit_events WHERE seq > 10",
            "DELETE FROM audit_checkpoints WHERE size > 11",
            "UPDATE ledger_head SET size = 11",
        ])
        .await;
    let heads = heads(&world);
    let report = check(&world, Options { heads: &heads, ..Options::default() }).await;
    assert_eq!(report.verified.tampering, vec![Tampering::Truncated { signed: 21, stored: 11 }]);
});

// Leaves that nobody sealed, up to the end of a tile, and the tile that fits them: what is stored as a tile is not taken at its word.
story!(a_stored_tile_is_not_taken_at_its_word, |world| {
    observe(&world, 10).await;
    world.instance.builder.build().await.unwrap();
    world.without_triggers().await;
    let mut db = world.instance.db.unseen().read().await.unwrap();
    let leaves = store::leaves(&mut db, 0, 11, 11).await.unwrap();
    drop(db);
    let mut hashes: Vec<Hash> = leaves.iter().map(|(_, leaf)| leaf_hash(leaf)).collect();
    let model = Leaf::decode(&leaves[3].1).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let blob = |bytes: &[u8]| {
        if world.url.is_some() { format!("'\\x{}'", hex(bytes)) } else { format!("x'{}'", hex(bytes)) }
    };
    for seq in 11..256 {
        let leaf = Leaf { seq, ..model.clone() }.encode().unwrap();
        hashes.push(leaf_hash(&leaf));
        let insert = format!(
            "INSERT INTO audit_events (seq, leaf, at, action, outcome, actor_kind) \
             SELECT {seq}, {}, at, action, outcome, actor_kind FROM audit_events WHERE seq = 3",
            blob(&leaf)
        );
        world.as_database_owner(&[&insert]).await;
    }
    let tile = format!("INSERT INTO audit_tiles (level, n, hashes) VALUES (0, 0, {})", blob(&hashes.concat()));
    world.as_database_owner(&[&tile, "UPDATE ledger_head SET size = 256"]).await;
    let again = Instance::attach(world.instance.db.clone(), &world.files, world.clock.clone(), world.anchors());
    let again = again.await.unwrap();
    assert_eq!(again.builder.build().await.err(), Some(Error::Unavailable));
    assert!(again.builder.signed().forked);
    let seal = Some(&again.keys.event_seal);
    assert!(!check(&world, Options { seal, ..Options::default() }).await.is_clean());
    // Nor do such events say anything of a row.
    let console = server::console::Console::new(&again, "Test").unwrap();
    let mut trail = server::audit::state::Trail::of(console.seal_key().clone());
    server::audit::state::watch(&console, &mut trail).await.unwrap();
    let wrong = console.found.borrow().checked.wrong.clone();
    assert!(wrong.len() == 245 && wrong[0].contains("event 11 fails its seal"), "{:?}", wrong.first());
});

// A restore that nobody sealed and no key opened excuses nothing.
story!(a_restore_that_was_never_made_excuses_nothing, |world| {
    observe(&world, 10).await;
    let kept = world.instance.builder.build().await.unwrap().note;
    world.without_triggers().await;
    let mut db = world.instance.db.unseen().read().await.unwrap();
    let leaf = store::leaves(&mut db, 5, 6, 1).await.unwrap().remove(0).1;
    drop(db);
    let mut leaf = Leaf::decode(&leaf).unwrap();
    leaf.action = "log.restored".into();
    leaf.detail = [("epoch".to_owned(), 1.into()), ("lost_size".to_owned(), 11.into())].into();
    let leaf = leaf.encode().unwrap();
    let hex: String = leaf.iter().map(|byte| format!("{byte:02x}")).collect();
    let blob = if world.url.is_some() { format!("'\\x{hex}'") } else { format!("x'{hex}'") };
    world
        .as_database_owner(&[
            "DELETE FROM audit_disclosures WHERE seq > 4",
            "DELETE FROM audit_events WHERE seq > 5",
            &format!("UPDATE audit_events SET leaf = {blob}, action = 'log.restored' WHERE seq = 5"),
            "UPDATE ledger_head SET size = 6",
        ])
        .await;
    for options in [Options::default(), Options { checkpoint: Some(&kept), ..Options::default() }] {
        let report = check(&world, options).await;
        assert!(report.verified.lost.is_empty(), "{:?}", report.verified.lost);
        assert!(report.verified.tampering.contains(&Tampering::Truncated { signed: 11, stored: 6 }));
    }
});
