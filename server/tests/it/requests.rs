//! Ask, approve, use, revoke: the whole path, and every rule that closes it.
use crate::{cast::Cast, story};
use app::{
    error::{Conflict, Error, Refusal},
    id::CorrelationId,
    policies::model::{Class, Right, Role, Tier},
    requests::model::Less,
};
use chrono::TimeDelta;
use server::{
    catalog, jobs, notifications, people,
    requests::{self, Ask},
    vault::Take,
};

fn refused(refusal: Refusal) -> Error {
    Error::Refused(refusal)
}

story!(a_production_value_takes_another_persons_yes, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), Some(refused(Refusal::NoGrant)));
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(
        cast.take("jonas", &secret, Take::Reveal).await.err(),
        Some(refused(Refusal::NoGrant)),
        "sent is not success"
    );
    cast.approve("iris", &request).await.unwrap();
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.unwrap(), crate::cast::CANARY);
    let event = cast.last_event().await;
    assert_eq!((event.action.as_str(), event.secret_id.as_deref()), ("secret.revealed", Some(secret.as_str())));
    cast.world.clock.advance(TimeDelta::minutes(60));
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), Some(refused(Refusal::GrantEnded)));
    assert!(!cast.holds("jonas", &secret).await);
});

story!(nobody_decides_for_themselves, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let request = cast.ask("iris", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("iris", &request).await.err(), Some(refused(Refusal::OwnRequest)));
    let event = cast.last_event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("refused", Some("own_request")));
    assert_eq!(cast.approve("jonas", &request).await.err(), Some(Error::NotFound), "a stranger does not even see it");
    assert_eq!(
        cast.approve("mara", &request).await.err(),
        Some(refused(Refusal::NotAnApprover)),
        "security signs critical ones"
    );
    cast.approve("teodor", &request).await.unwrap();
});

story!(critical_needs_a_lead_and_security_in_this_order, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("hmac", Tier::Production, Class::Critical).await;
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(
        cast.approve("mara", &request).await.err(),
        Some(refused(Refusal::NotAnApprover)),
        "security's seat is second"
    );
    cast.approve("iris", &request).await.unwrap();
    assert!(!cast.holds("jonas", &secret).await, "one of two");
    assert_eq!(cast.approve("iris", &request).await.err(), Some(refused(Refusal::SeatTaken)));
    cast.approve("mara", &request).await.unwrap();
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), Some(refused(Refusal::CopyOnly)));
    assert_eq!(cast.take("jonas", &secret, Take::Copy).await.unwrap(), crate::cast::CANARY);
    assert_eq!(
        cast.approve("ewa", &request).await.err(),
        Some(Error::Conflict(Conflict::TooLate)),
        "late decisions change nothing"
    );
});

story!(a_decision_binds_to_what_was_seen, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let iris = cast.caller("iris").await;
    let stale = requests::approve_request(&cast.console, &iris, &request, "another digest", "").await;
    assert_eq!(stale.err(), Some(refused(Refusal::WorldChanged)));
    // The secret becomes critical: what was asked for is no longer what one person may give.
    let row =
        catalog::store::find(&mut cast.console.db().unseen().read().await.unwrap(), &secret, cast.console.seal_key())
            .await
            .unwrap()
            .unwrap();
    catalog::edit_secret(&cast.console, &iris, &secret, row.event_seq, "", Class::Critical).await.unwrap();
    assert_eq!(cast.request(&request).await.outcome.as_deref(), Some("voided"), "at once");
    assert_eq!(cast.approve("iris", &request).await.err(), Some(Error::Conflict(Conflict::TooLate)));
    assert!(!cast.holds("jonas", &secret).await);
});

story!(new_roles_decide_nothing_in_production_for_a_day, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let anna = cast.caller("anna").await;
    people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Lead, Some(&cast.project), None).await.unwrap();
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("lucia", &request).await.err(), Some(refused(Refusal::NewcomerDecides)));
    cast.world.clock.advance(TimeDelta::hours(24));
    cast.approve("lucia", &request).await.unwrap();
});

story!(whoever_made_an_account_counts_as_its_owner_for_a_week, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let anna = cast.caller("anna").await;
    people::assign_role(&cast.console, &anna, cast.id("anna"), Role::Lead, Some(&cast.project), None).await.unwrap();
    people::reset_password(&cast.console, &anna, cast.id("jonas")).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(25));
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("anna", &request).await.err(), Some(refused(Refusal::LinkedAccounts)));
    cast.world.clock.advance(TimeDelta::days(6));
    cast.approve("anna", &request).await.unwrap();
});

story!(two_people_do_not_approve_each_other_within_a_day, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let first = cast.ask("iris", &secret, Right::Read, 60).await.unwrap();
    cast.approve("teodor", &first).await.unwrap();
    let second = cast.ask("teodor", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("iris", &second).await.err(), Some(refused(Refusal::MutualApproval)));
    cast.world.clock.advance(TimeDelta::hours(24));
    cast.approve("iris", &second).await.unwrap();
});

story!(both_of_two_simultaneous_yeses_are_not_counted_twice, |world| {
    let cast = std::sync::Arc::new(Cast::new(world).await);
    let secret = cast.secret("a", Tier::Production, Class::Critical).await;
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let mut tasks = Vec::new();
    for login in ["iris", "teodor", "iris", "teodor"] {
        let (cast, request) = (cast.clone(), request.clone());
        tasks.push(tokio::spawn(async move { cast.approve(login, &request).await.is_ok() }));
    }
    let mut yes = 0;
    for task in tasks {
        yes += usize::from(task.await.unwrap());
    }
    assert_eq!(yes, 1, "the lead's seat is one seat");
    assert!(cast.request(&request).await.outcome.is_none());
});

story!(a_form_sent_twice_is_one_request, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let jonas = cast.caller("jonas").await;
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let ask = |secrets| Ask {
        secrets,
        right: Right::Read,
        minutes: 60,
        reason: "T-1",
        workload: None,
        starts_at: None,
        form: &form,
    };
    let (one, _, first) = requests::submit_request(&cast.console, &jonas, ask(vec![secret.clone()])).await.unwrap();
    let (two, _, again) = requests::submit_request(&cast.console, &jonas, ask(vec![secret.clone()])).await.unwrap();
    assert_eq!((one, first.seq), (two, again.seq));
    let lucia = cast.caller("lucia").await;
    let stolen = requests::submit_request(&cast.console, &lucia, ask(vec![secret])).await;
    assert_eq!(stolen.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
});

story!(what_nobody_decides_expires_and_is_told, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Staging, Class::Normal).await;
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    cast.world.clock.advance(TimeDelta::days(7));
    assert_eq!(
        cast.approve("iris", &request).await.err(),
        Some(Error::Conflict(Conflict::TooLate)),
        "expired before the job ran"
    );
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.request(&request).await.outcome.as_deref(), Some("expired"));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let notices = notifications::store::list(&mut db, cast.id("jonas"), 10).await.unwrap();
    assert_eq!(notices[0].kind, "request.expired");
    let events = cast.events().await;
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(cast.events().await, events, "an idle run leaves no event");
});

story!(withdrawing_and_denying_end_a_request, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Staging, Class::Normal).await;
    let first = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let (jonas, iris, lucia) = (cast.caller("jonas").await, cast.caller("iris").await, cast.caller("lucia").await);
    assert_eq!(requests::withdraw_request(&cast.console, &lucia, &first).await.err(), Some(Error::NotFound));
    assert_eq!(requests::withdraw_request(&cast.console, &iris, &first).await.err(), Some(refused(Refusal::NotYours)));
    requests::withdraw_request(&cast.console, &jonas, &first).await.unwrap();
    assert_eq!(cast.approve("iris", &first).await.err(), Some(Error::Conflict(Conflict::TooLate)));
    let second = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let digest = cast.request(&second).await.digest;
    let silent = requests::deny_request(&cast.console, &iris, &second, &digest, " ").await;
    assert!(matches!(silent.err(), Some(Error::Invalid(_))), "a no says why");
    requests::deny_request(&cast.console, &iris, &second, &digest, "Use the replica.").await.unwrap();
    assert_eq!(cast.request(&second).await.outcome.as_deref(), Some("denied"));
});

story!(development_is_given_by_rule_and_recorded_as_such, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Development, Class::Normal).await;
    cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let event = cast.last_event().await;
    let leaf = app::audit::leaf::Leaf::decode(&event.leaf).unwrap();
    assert_eq!((leaf.action.as_str(), leaf.detail["rule"].as_str()), ("grant.issued", Some("development")));
    assert!(cast.take("jonas", &secret, Take::Reveal).await.is_ok());
});

story!(until_two_can_decide_production_stays_closed, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 480).await;
    let anna = cast.caller("anna").await;
    for login in ["mara", "ewa", "teodor"] {
        people::disable_person(&cast.console, &anna, cast.id(login)).await.unwrap();
    }
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await.err(), Some(refused(Refusal::OnePersonMode)));
    people::enable_person(&cast.console, &anna, cast.id("mara")).await.unwrap();
    assert!(cast.take("jonas", &secret, Take::Reveal).await.is_ok());
});

story!(what_does_not_fit_is_said_at_its_field, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let other = cast.secret("a", Tier::Staging, Class::Normal).await;
    let jonas = cast.caller("jonas").await;
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let good = || Ask {
        secrets: vec![secret.clone()],
        right: Right::Read,
        minutes: 60,
        reason: "T-1",
        workload: None,
        starts_at: None,
        form: &form,
    };
    let long = "x".repeat(1001);
    let cases: Vec<(Ask<'_>, &str)> = vec![
        (Ask { secrets: vec![], ..good() }, "secrets"),
        (Ask { secrets: vec![secret.clone(), other], ..good() }, "secrets"),
        (Ask { minutes: 0, ..good() }, "minutes"),
        (Ask { minutes: 8 * 60 + 1, ..good() }, "minutes"),
        (Ask { reason: "", ..good() }, "reason"),
        (Ask { reason: &long, ..good() }, "reason"),
        (Ask { reason: "a\u{202e}b", ..good() }, "reason"),
        (Ask { reason: "use AKIAIOSFODNN7EXAMPLE", ..good() }, "reason"),
    ];
    for (ask, field) in cases {
        match requests::submit_request(&cast.console, &jonas, ask).await {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, field),
            other => panic!("{field}: {:?}", other.map(|(id, ..)| id)),
        }
    }
    let samir = cast.caller("samir").await;
    let auditor = requests::submit_request(&cast.console, &samir, good()).await;
    assert_eq!(auditor.err(), Some(refused(Refusal::NoRule)), "auditors never hold values");
    let unknown = Ask { secrets: vec!["sec_01m846kxs0e8kbcf2tpy8vep2a".into()], ..good() };
    assert_eq!(requests::submit_request(&cast.console, &jonas, unknown).await.err(), Some(Error::NotFound));
});

story!(whoever_resets_two_accounts_cannot_play_both, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Critical).await;
    let anna = cast.caller("anna").await;
    let reset = async |login: &str| {
        let (link, _) = people::reset_password(&cast.console, &anna, cast.id(login)).await.unwrap();
        let password = zeroize::Zeroizing::new("words that only anna knows".to_owned());
        people::use_link(&cast.console, &server::audit::event::Who::anonymous(), &link, password).await.unwrap();
    };
    for login in ["jonas", "iris", "mara"] {
        reset(login).await;
    }
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("iris", &request).await.err(), Some(refused(Refusal::LinkedAccounts)), "one set both anew");
    cast.approve("teodor", &request).await.unwrap();
    assert_eq!(cast.approve("mara", &request).await.err(), Some(refused(Refusal::LinkedAccounts)));
    cast.approve("ewa", &request).await.unwrap();
});

story!(a_lead_alone_does_not_lower_the_class_in_production, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Critical).await;
    let seen = async || {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        catalog::store::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap().event_seq
    };
    let iris = cast.caller("iris").await;
    let lowered = catalog::edit_secret(&cast.console, &iris, &secret, seen().await, "", Class::Normal).await;
    let server::controls::Submitted::Waits { id: proposal, .. } = lowered.unwrap() else { panic!("it loosens") };
    let class = async || {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        catalog::store::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap().class()
    };
    let digest = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        server::controls::store::find(&mut db, &proposal, cast.console.seal_key()).await.unwrap().unwrap().digest
    };
    let confirm = async |login: &str| {
        server::controls::confirm_change(&cast.console, &cast.caller(login).await, &proposal, &digest).await
    };
    assert_eq!(class().await, Class::Critical, "nothing acts yet");
    let both = catalog::edit_secret(&cast.console, &iris, &secret, seen().await, "described", Class::Low).await;
    assert!(matches!(both, Err(Error::Invalid(_))), "one at a time, so that nothing waits unnoticed");
    catalog::edit_secret(&cast.console, &iris, &secret, seen().await, "described", Class::Critical).await.unwrap();
    assert_eq!(confirm("iris").await.err(), Some(refused(Refusal::NoRule)));
    confirm("ewa").await.unwrap();
    assert_eq!(class().await, Class::Normal);
    let higher = catalog::edit_secret(&cast.console, &iris, &secret, seen().await, "described", Class::High).await;
    assert!(matches!(higher, Ok(server::controls::Submitted::Done(_))), "what tightens acts at once");
});

story!(a_double_click_is_one_request_and_no_error, |world| {
    let cast = std::sync::Arc::new(Cast::new(world).await);
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (cast, secret, form) = (cast.clone(), secret.clone(), form.clone());
        tasks.push(tokio::spawn(async move {
            let jonas = cast.caller("jonas").await;
            let ask = Ask {
                secrets: vec![secret],
                right: Right::Read,
                minutes: 60,
                reason: "T-1",
                workload: None,
                starts_at: None,
                form: &form,
            };
            requests::submit_request(&cast.console, &jonas, ask).await.unwrap().0
        }));
    }
    let mut ids = std::collections::BTreeSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
});

story!(access_in_one_piece_is_at_most_twice_the_longest, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 480).await;
    cast.world.clock.advance(TimeDelta::hours(7));
    cast.granted("jonas", &secret, 480).await;
    cast.world.clock.advance(TimeDelta::minutes(59));
    assert!(matches!(cast.ask("jonas", &secret, Right::Read, 482).await.err(), Some(Error::Invalid(_))));
    cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(8));
    assert!(cast.ask("jonas", &secret, Right::Read, 480).await.is_ok(), "after an end it is a new piece");
});

story!(a_request_that_nobody_can_decide_is_said_to_be_locked, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let anna = cast.caller("anna").await;
    for login in ["iris", "teodor"] {
        people::disable_person(&cast.console, &anna, cast.id(login)).await.unwrap();
    }
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    for login in ["jonas", "mara", "ewa"] {
        assert!(
            notifications::store::has(&mut db, cast.id(login), "request.locked", &request).await.unwrap(),
            "{login}"
        );
    }
    assert!(!cast.holds("jonas", &secret).await, "locked is never open");
});

story!(holders_are_reminded_once_before_the_end, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 240).await;
    let told = async || {
        let notices =
            notifications::store::list(&mut cast.console.db().unseen().read().await.unwrap(), cast.id("jonas"), 50)
                .await
                .unwrap();
        notices.iter().filter(|notice| notice.kind == "grant.ends_soon").count()
    };
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(told().await, 0);
    cast.world.clock.advance(TimeDelta::minutes(185));
    jobs::run_due(&cast.console).await.unwrap();
    jobs::run_due(&cast.console).await.unwrap();
    assert_eq!(told().await, 1);
});

story!(a_late_answer_is_kept_without_effect, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    let granted = cast.request(&request).await.grant_id.clone();
    let digest = cast.request(&request).await.digest;
    let late = |login: &'static str| {
        let (cast, request, digest) = (&cast, &request, &digest);
        async move {
            requests::deny_request(&cast.console, &cast.caller(login).await, request, digest, "I would not.")
                .await
                .err()
        }
    };
    assert_eq!(late("iris").await, Some(Error::Conflict(Conflict::TooLate)));
    let event = cast.last_event().await;
    assert_eq!((event.action.as_str(), event.outcome.as_str()), ("request.decided_late", "allowed"));
    assert_eq!(late("iris").await, Some(Error::Refused(Refusal::NotOpen)), "once");
    assert_eq!(late("teodor").await, Some(Error::Refused(Refusal::NotOpen)), "who decided has decided");
    assert_eq!(late("jonas").await, Some(Error::Refused(Refusal::NotAnApprover)));
    let row = cast.request(&request).await;
    assert_eq!((row.outcome.as_deref(), row.grant_id), (Some("approved"), granted), "nothing changed");
    assert!(cast.holds("jonas", &secret).await);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let decisions = requests::store::decisions(&mut db, &request, cast.console.seal_key()).await.unwrap();
    assert_eq!(decisions.iter().map(|row| row.verdict.as_str()).collect::<Vec<_>>(), ["approved", "denied too late"]);
    drop(db);
    let state = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert_eq!(state.wrong, Vec::<String>::new());
});

story!(an_approver_may_give_less_and_never_more, |world| {
    let cast = Cast::new(world).await;
    let one = cast.filled("a", Tier::Production, Class::Normal).await;
    let critical = cast.filled("b", Tier::Production, Class::Critical).await;
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let ask = Ask {
        secrets: vec![one.clone(), critical.clone()],
        right: Right::Read,
        minutes: 120,
        reason: "T-1",
        workload: None,
        starts_at: None,
        form: &form,
    };
    let (id, ..) = requests::submit_request(&cast.console, &cast.caller("jonas").await, ask).await.unwrap();
    let part =
        |secrets: &[&String], minutes| Less { secrets: secrets.iter().map(ToString::to_string).collect(), minutes };
    let less = |login: &'static str, less: Less| {
        let (cast, id) = (&cast, &id);
        async move {
            let digest = cast.request(id).await.digest;
            requests::approve_less(&cast.console, &cast.caller(login).await, id, &digest, less, "").await.map(|_| ())
        }
    };
    for wrong in [part(&[], 60), part(&[&one], 121), part(&[&one, &critical], 120), part(&[&id], 60)] {
        assert!(matches!(less("iris", wrong).await, Err(Error::Invalid(_))));
    }
    // A lead signs all of it; another lead then leaves less: the first signature was for other terms.
    cast.approve("iris", &id).await.unwrap();
    assert_eq!(less("mara", part(&[&critical], 60)).await.err(), Some(Error::Refused(Refusal::NotAnApprover)));
    let before = cast.request(&id).await;
    assert_eq!(before.revision, 1, "a refused part changes nothing");
    cast.world.clock.advance(TimeDelta::minutes(1));
    let second = cast.ask("jonas", &critical, Right::Read, 240).await.unwrap();
    let digest = cast.request(&second).await.digest;
    let teodor = cast.caller("teodor").await;
    let whole = requests::approve_less(
        &cast.console,
        &teodor,
        &second,
        &digest,
        part(&[&critical], 30),
        "half an hour is enough",
    );
    whole.await.unwrap();
    let row = cast.request(&second).await;
    assert_eq!((row.revision, row.minutes, row.outcome.as_deref()), (2, 30, None), "the second seat is still empty");
    assert_eq!(row.digest, row.compute_digest());
    let stale = requests::approve_request(&cast.console, &cast.caller("mara").await, &second, &digest, "").await;
    assert_eq!(stale.err(), Some(Error::Refused(Refusal::WorldChanged)), "nobody signs what they did not see");
    cast.approve("mara", &second).await.unwrap();
    let grant = cast.request(&second).await.grant_id.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let grant = server::grants::store::find(&mut db, &grant, cast.console.seal_key()).await.unwrap().unwrap();
    assert_eq!(grant.expires_at - grant.starts_at, TimeDelta::minutes(30));
    drop(db);
    let state = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert_eq!(state.wrong, Vec::<String>::new());
});

story!(without_its_critical_secret_a_request_needs_one_signature, |world| {
    let cast = Cast::new(world).await;
    let one = cast.filled("a", Tier::Production, Class::Normal).await;
    let critical = cast.filled("b", Tier::Production, Class::Critical).await;
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let ask = Ask {
        secrets: vec![one.clone(), critical.clone()],
        right: Right::Read,
        minutes: 120,
        reason: "T-1",
        workload: None,
        starts_at: None,
        form: &form,
    };
    let (id, ..) = requests::submit_request(&cast.console, &cast.caller("jonas").await, ask).await.unwrap();
    let digest = cast.request(&id).await.digest;
    let less = Less { secrets: vec![one.clone()], minutes: 120 };
    requests::approve_less(&cast.console, &cast.caller("iris").await, &id, &digest, less, "").await.unwrap();
    assert!(cast.holds("jonas", &one).await);
    assert!(!cast.holds("jonas", &critical).await);
});

story!(access_begins_when_it_was_asked_for, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let ask = |hours: i64| {
        let cast = &cast;
        let secret = secret.clone();
        async move {
            let form = cast.console.id::<CorrelationId>().unwrap().to_string();
            let ask = Ask {
                secrets: vec![secret],
                right: Right::Read,
                minutes: 60,
                reason: "T-1",
                workload: None,
                starts_at: Some(cast.console.now() + TimeDelta::hours(hours)),
                form: &form,
            };
            requests::submit_request(&cast.console, &cast.caller("jonas").await, ask).await.map(|(id, ..)| id)
        }
    };
    assert!(matches!(ask(-1).await, Err(Error::Invalid(_))));
    assert!(matches!(ask(24 * 7 + 1).await, Err(Error::Invalid(_))));
    let id = ask(3).await.unwrap();
    cast.approve("teodor", &id).await.unwrap();
    assert!(!cast.holds("jonas", &secret).await, "not before its time");
    assert_eq!(
        cast.take("jonas", &secret, server::vault::Take::Reveal).await.err(),
        Some(Error::Refused(Refusal::GrantEarly))
    );
    cast.world.clock.advance(TimeDelta::hours(3));
    assert!(cast.holds("jonas", &secret).await);
    cast.world.clock.advance(TimeDelta::minutes(60));
    assert!(!cast.holds("jonas", &secret).await, "an hour from its beginning");
    // Disabling whoever would hold it ends what has not begun, too.
    let id = ask(3).await.unwrap();
    cast.approve("teodor", &id).await.unwrap();
    server::people::disable_person(&cast.console, &cast.caller("anna").await, cast.id("jonas")).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(3));
    assert!(!cast.holds("jonas", &secret).await);
});
