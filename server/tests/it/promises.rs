//! Attacks that once succeeded. Each is tried as it was; what the product promises holds.
use crate::{
    cast::{Cast, PASSWORD},
    http::{Browser, site},
    story,
    workloads::machine,
};
use app::{
    error::{Conflict, Error, Refusal},
    id::CorrelationId,
    policies::model::{Class, Right, Tier},
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{
    audit::event::Who,
    catalog, people,
    requests::{self, Ask},
    workloads,
};
use std::sync::Arc;

fn refused(refusal: Refusal) -> Error {
    Error::Refused(refusal)
}

fn from(address: &str) -> Who {
    Who { address: Some(address.into()), ..Who::anonymous() }
}

story!(a_secret_that_is_renamed_while_it_is_asked_for_is_asked_for_again, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("app/harmless", Tier::Production, Class::Normal).await;
    let iris = cast.caller("iris").await;
    // Renamed, approved under the new name, renamed back.
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let digest = cast.request(&request).await.digest;
    catalog::move_secret(&cast.console, &iris, &secret, "app/signing-key").await.unwrap();
    let teodor = cast.caller("teodor").await;
    let answer = requests::approve_request(&cast.console, &teodor, &request, &digest, "").await;
    assert_eq!(answer.err(), Some(Error::Conflict(Conflict::TooLate)));
    catalog::move_secret(&cast.console, &iris, &secret, "app/harmless").await.unwrap();
    assert_eq!(cast.request(&request).await.outcome.as_deref(), Some("voided"));
    assert!(!cast.holds("jonas", &secret).await);
    // The same with its description, and with its class, which somebody else has to confirm where it falls.
    for (description, class) in [("The key of everything.", Class::Normal), ("The key of everything.", Class::High)] {
        let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let seen = catalog::store::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap().event_seq;
        drop(db);
        catalog::edit_secret(&cast.console, &iris, &secret, seen, description, class).await.unwrap();
        assert_eq!(cast.request(&request).await.outcome.as_deref(), Some("voided"), "{description} {class:?}");
    }
    // An edit that changes nothing leaves it.
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let seen = catalog::store::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap().event_seq;
    drop(db);
    catalog::edit_secret(&cast.console, &iris, &secret, seen, "The key of everything.", Class::High).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    assert!(cast.holds("jonas", &secret).await);
    crate::rotations::is_whole(&cast).await;
});

// A name that was changed behind the operations' back, or by a version that does not end requests: the digest says so.
story!(what_an_approver_read_is_part_of_the_digest, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("app/harmless", Tier::Production, Class::Normal).await;
    let one = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let request = cast.request(&one).await;
    assert_eq!(request.digest, request.compute_digest());
    let shown = Some(app::requests::model::shown(vec![]));
    assert_ne!(requests::store::Request { shown, ..request.clone() }.compute_digest(), request.digest);
    let without = requests::store::Request { shown: None, ..request.clone() };
    assert_ne!(without.compute_digest(), request.digest, "a request of before keeps its own digest");
});

story!(two_who_approve_each_other_at_the_same_instant, |world| {
    let cast = Arc::new(Cast::new(world).await);
    for round in 0..6 {
        let (first, second) = (format!("a{round}"), format!("b{round}"));
        let first = cast.secret(&first, Tier::Production, Class::Normal).await;
        let second = cast.secret(&second, Tier::Production, Class::Normal).await;
        let asked_by_iris = cast.ask("iris", &first, Right::Read, 60).await.unwrap();
        let asked_by_teodor = cast.ask("teodor", &second, Right::Read, 60).await.unwrap();
        let (one, other) = (cast.clone(), cast.clone());
        let one = tokio::spawn(async move { one.approve("teodor", &asked_by_iris).await });
        let other = tokio::spawn(async move { other.approve("iris", &asked_by_teodor).await });
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        let good = usize::from(one.is_ok()) + usize::from(other.is_ok());
        assert!(good <= 1, "round {round}: {one:?} {other:?}");
        assert!(round > 0 || good == 1, "one of them decides: {one:?} {other:?}");
        cast.world.clock.advance(TimeDelta::hours(25));
    }
});

story!(no_chain_of_requests_is_longer_than_the_limit, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("db/password", Tier::Production, Class::Normal).await;
    let most = cast.console.level(Tier::Production).longest_for(false) * 2;
    let begun = cast.console.now();
    let mut given = 0;
    // Eight hours each, asked for seven hours apart.
    for _ in 0..5 {
        let Ok(request) = cast.ask("jonas", &secret, Right::Read, 480).await else { break };
        cast.approve("iris", &request).await.unwrap();
        given += 1;
        cast.world.clock.advance(TimeDelta::hours(7));
    }
    assert_eq!(given, 2, "sixteen hours in one piece, of which two are at most eight each");
    // And with later beginnings: all asked for first, then approved.
    let other = cast.secret("db/other", Tier::Production, Class::Normal).await;
    let lucia = cast.caller("lucia").await;
    let mut asked = Vec::new();
    for n in 0..5 {
        let form = cast.console.id::<CorrelationId>().unwrap().to_string();
        let starts_at = cast.console.now() + TimeDelta::minutes(1) + TimeDelta::hours(7 * n);
        let ask = Ask {
            secrets: vec![other.clone()],
            right: Right::Read,
            minutes: 480,
            reason: "TICKET-1",
            workload: None,
            starts_at: Some(starts_at),
            form: &form,
        };
        asked.push(requests::submit_request(&cast.console, &lucia, ask).await.unwrap().0);
    }
    let mut refusals = Vec::new();
    for request in &asked {
        refusals.extend(cast.approve("iris", request).await.err());
    }
    assert_eq!(refusals.first(), Some(&refused(Refusal::OnePiece)), "{refusals:?}");
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let held = server::grants::Holder::Person(cast.id("lucia"));
    let grants = server::grants::store::ever_on(&mut db, held, &other, 50, cast.console.seal_key()).await.unwrap();
    let spans: Vec<_> = grants.iter().filter_map(server::grants::store::Grant::held).collect();
    for span in &spans {
        let (first, last) = app::grants::model::joined(&spans, *span);
        assert!(last - first <= most, "{spans:?}");
    }
    assert!(cast.console.now() > begun);
});

story!(strangers_lock_nobody_out, |world| {
    let (cast, router) = site(world).await;
    let mut known = Browser::signed_in(&cast, &router, "anna").await;
    let secret = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    // 72 requests in 200 seconds, for half an hour, from a dozen addresses.
    for n in 0..640 {
        let origin = from(&format!("198.51.100.{}", n % 12));
        let tried = people::check_password(&cast.console, &origin, "anna", secret("not her password"), None).await;
        assert!(tried.is_err());
        cast.world.clock.advance(TimeDelta::milliseconds(2_770));
    }
    let elsewhere = from("203.0.113.9");
    let owner = people::check_password(&cast.console, &elsewhere, "anna", secret(PASSWORD), None).await;
    assert_eq!(owner.map(|person| person.login), Ok("anna".into()), "from an address that did nothing");
    // And in the browser that she used before, even from an address that is loud.
    assert_eq!(known.post("/sign-out", &[]).await.status, StatusCode::SEE_OTHER);
    let answer = known.post("/sign-in", &[("login", "anna"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    // Such a browser has a budget of its own, and it is one.
    known.put_away();
    assert_eq!(known.post("/sign-out", &[]).await.status, StatusCode::SEE_OTHER);
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        last = known.post("/sign-in", &[("login", "anna"), ("password", "a wrong guess of hers")]).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
});

story!(ones_present_password_cannot_be_guessed_in_a_session, |world| {
    let cast = Cast::new(world).await;
    let jonas = cast.caller("jonas").await;
    let secret = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    let guess = async || {
        let new = secret("another five ordinary words");
        people::change_password(&cast.console, &jonas, secret("a guess"), new).await.err()
    };
    for _ in 0..10 {
        assert!(matches!(guess().await, Some(Error::Invalid(_))));
    }
    assert_eq!(guess().await, Some(refused(Refusal::TooManyAttempts)));
    let at_the_door = people::check_password(&cast.console, &from("10.0.0.1"), "jonas", secret(PASSWORD), None).await;
    assert!(at_the_door.is_ok(), "its owner still signs in");
});

story!(wrong_client_secrets_shut_out_no_workload, |world| {
    let cast = Cast::new(world).await;
    let machine = machine(&cast, "deployer", Tier::Production).await;
    let origin = from("10.0.0.1");
    for _ in 0..40 {
        let wrong = people::passwords::bearer("csc").unwrap();
        assert!(workloads::issue_token(&cast.console, &origin, &wrong).await.is_err());
    }
    assert!(workloads::issue_token(&cast.console, &origin, &machine.secret).await.is_ok());
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_do_not_block_the_first_set_up() {
    let world = crate::support::World::sqlite().await;
    let console = server::console::Console::new(&world.instance, "Test").unwrap();
    let code = console.set_up.open(console.now()).unwrap();
    let secret = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    for n in 0..30 {
        let origin = from(&format!("10.0.0.{}", n % 3));
        let _ = people::check_password(&console, &origin, "set-up", secret("x"), None).await;
        assert!(people::set_up(&console, &origin, "set_wrong", "a", "A", secret(PASSWORD)).await.is_err());
    }
    people::set_up(&console, &from("10.0.0.1"), &code, "anna", "Anna", secret(PASSWORD)).await.unwrap();
}
