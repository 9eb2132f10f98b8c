//! Standing in: who decides in whose place, for whom never, and how it ends; signatures of a closed account.
use crate::{
    cast::Cast,
    http::{Browser, site},
    policies::{confirm, grown},
    story,
    workloads::{allow, machine},
};
use app::{
    error::{Conflict, Error, Refusal},
    policies::model::{Class, Right, Role, Tier},
};
use chrono::TimeDelta;
use server::{
    controls::Submitted,
    people::{self, delegation},
    requests,
};

fn refused(why: Refusal) -> Error {
    Error::Refused(why)
}

async fn proposed(cast: &Cast, absent: &str, delegate: &str, from: i64, days: i64) -> Result<String, Error> {
    let caller = cast.caller(absent).await;
    let starts = cast.console.now() + TimeDelta::days(from);
    let named = delegation::delegate(&cast.console, &caller, cast.id(delegate), starts, starts + TimeDelta::days(days));
    match named.await? {
        Submitted::Waits { id, .. } => Ok(id),
        Submitted::Done(_) => panic!("standing in waits for somebody else"),
    }
}

/// Named and confirmed; its id.
async fn stands_in(cast: &Cast, absent: &str, delegate: &str, days: i64) -> String {
    let change = proposed(cast, absent, delegate, 0, days).await.unwrap();
    confirm(cast, "mara", &change).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    delegation::open_of(&cast.console, &mut db, cast.id(absent)).await.unwrap().pop().unwrap().id
}

async fn whole(cast: &Cast) {
    let wrong = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong;
    assert_eq!(wrong, Vec::<String>::new());
}

story!(a_delegate_decides_in_the_place_of_who_is_away, |world| {
    let cast = grown(world).await;
    let (stage, prod) = (
        cast.filled("stage/url", Tier::Staging, Class::Normal).await,
        cast.filled("prod/url", Tier::Production, Class::Normal).await,
    );
    let request = cast.ask("jonas", &stage, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("lucia", &request).await, Err(Error::NotFound));
    let change = proposed(&cast, "iris", "lucia", 0, 7).await.unwrap();
    // Not yet: nobody confirmed it; and never by whom it is about.
    assert!(cast.approve("lucia", &request).await.is_err());
    assert_eq!(confirm(&cast, "iris", &change).await, Err(refused(Refusal::NoRule)));
    confirm(&cast, "mara", &change).await.unwrap();
    // It waits in the delegate's inbox, and is decided in both names.
    let lucia = cast.caller("lucia").await;
    assert_eq!(requests::inbox(&cast.console, &lucia).await.unwrap().len(), 1);
    cast.approve("lucia", &request).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let decisions = requests::store::decisions(&mut db, &request, cast.console.seal_key()).await.unwrap();
    drop(db);
    assert_eq!(decisions[0].person_id, cast.id("lucia"));
    assert_eq!(decisions[0].on_behalf_of.as_deref(), Some(cast.id("iris")));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let narrow = server::audit::store::Narrow {
        request: Some(request.clone()),
        action: Some("request.approved".into()),
        ..Default::default()
    };
    let event = server::audit::store::list(&mut db, &narrow, None, 1).await.unwrap().remove(0);
    drop(db);
    let leaf = app::audit::leaf::Leaf::decode(&event.leaf).unwrap();
    assert_eq!(leaf.detail["on_behalf_of"], cast.id("iris"));
    // In production it is as new as a new role.
    let request = cast.ask("jonas", &prod, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("lucia", &request).await, Err(refused(Refusal::NewcomerDecides)));
    cast.world.clock.advance(TimeDelta::hours(25));
    cast.approve("lucia", &request).await.unwrap();
    // It moves no access, and no other act: no role, no editing, no confirming.
    assert!(!cast.holds("lucia", &prod).await);
    assert!(cast.caller("lucia").await.roles.is_empty());
    // When the absence is over, so is it.
    cast.world.clock.advance(TimeDelta::days(7));
    let request = cast.ask("jonas", &stage, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("lucia", &request).await, Err(Error::NotFound));
    cast.approve("teodor", &request).await.unwrap();
    whole(&cast).await;
});

story!(never_for_whoever_asks_nor_for_one_human_twice, |world| {
    let cast = grown(world).await;
    let critical = cast.filled("prod/key", Tier::Production, Class::Critical).await;
    stands_in(&cast, "iris", "lucia", 30).await;
    stands_in(&cast, "ewa", "teodor", 30).await;
    // Iris is also of security.
    let anna = cast.caller("anna").await;
    let given = people::assign_role(&cast.console, &anna, cast.id("iris"), Role::Security, None, None);
    if let Submitted::Waits { id, .. } = given.await.unwrap() {
        confirm(&cast, "mara", &id).await.unwrap();
    }
    cast.world.clock.advance(TimeDelta::days(8));
    // What Iris asks for, her delegate does not decide.
    let own = cast.ask("iris", &critical, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("lucia", &own).await, Err(refused(Refusal::DelegatedSeat)));
    requests::withdraw_request(&cast.console, &cast.caller("iris").await, &own).await.unwrap();
    // Nor what a workload of Iris's team would gain by, nor what the delegate asks for.
    let worker = machine(&cast, "worker", Tier::Staging).await;
    let stage = cast.filled("stage/url", Tier::Staging, Class::Normal).await;
    let request = allow(&cast, &worker, &stage, 600).await;
    assert_eq!(cast.approve("lucia", &request).await, Err(refused(Refusal::OwnBenefit)));
    let request = cast.ask("lucia", &stage, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("lucia", &request).await, Err(refused(Refusal::OwnRequest)));
    // Two seats: one person takes one, standing in or not.
    let request = cast.ask("jonas", &critical, Right::Read, 60).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    assert_eq!(cast.approve("teodor", &request).await, Err(refused(Refusal::SeatTaken)), "for Ewa neither");
    requests::withdraw_request(&cast.console, &cast.caller("jonas").await, &request).await.unwrap();
    let request = cast.ask("jonas", &critical, Right::Read, 60).await.unwrap();
    cast.approve("lucia", &request).await.unwrap();
    assert_eq!(cast.approve("iris", &request).await, Err(refused(Refusal::SeatTaken)), "Lucia decided for both");
    cast.approve("ewa", &request).await.unwrap();
    assert!(cast.holds("jonas", &critical).await);
    whole(&cast).await;
});

story!(a_narrower_request_is_signed_in_the_right_place, |world| {
    let cast = grown(world).await;
    let critical = cast.filled("prod/key", Tier::Production, Class::Critical).await;
    // Ewa, of security, stands in for Iris, who leads.
    stands_in(&cast, "iris", "ewa", 30).await;
    cast.world.clock.advance(TimeDelta::days(2));
    let request = cast.ask("jonas", &critical, Right::Read, 60).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    let digest = cast.request(&request).await.digest;
    let less = app::requests::model::Less { secrets: vec![critical.clone()], minutes: 30 };
    requests::approve_less(&cast.console, &cast.caller("ewa").await, &request, &digest, less, "").await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let decisions = requests::store::decisions(&mut db, &request, cast.console.seal_key()).await.unwrap();
    drop(db);
    let row = cast.request(&request).await;
    let standing: Vec<_> = row.standing(&decisions).collect();
    // The narrower terms begin with the lead's seat, which is Iris's.
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].on_behalf_of.as_deref(), Some(cast.id("iris")));
    whole(&cast).await;
});

story!(roles_that_come_later_do_not_go_over, |world| {
    let cast = grown(world).await;
    let critical = cast.filled("prod/key", Tier::Production, Class::Critical).await;
    stands_in(&cast, "iris", "lucia", 30).await;
    let anna = cast.caller("anna").await;
    let given = people::assign_role(&cast.console, &anna, cast.id("iris"), Role::Security, None, None);
    if let Submitted::Waits { id, .. } = given.await.unwrap() {
        confirm(&cast, "mara", &id).await.unwrap();
    }
    cast.world.clock.advance(TimeDelta::days(8));
    let request = cast.ask("jonas", &critical, Right::Read, 60).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    assert!(cast.approve("lucia", &request).await.is_err(), "security was nobody's to confirm for her");
    cast.approve("iris", &request).await.unwrap();
    assert!(cast.holds("jonas", &critical).await);
    // Nobody decides through an account that is closed, nor is one named that is.
    people::disable_person(&cast.console, &anna, cast.id("jonas")).await.unwrap();
    assert!(proposed(&cast, "teodor", "jonas", 0, 3).await.is_err());
});

story!(it_is_ended_by_either_and_with_the_account, |world| {
    let cast = grown(world).await;
    let stage = cast.filled("stage/url", Tier::Staging, Class::Normal).await;
    let request = cast.ask("jonas", &stage, Right::Read, 60).await.unwrap();
    for by in ["iris", "lucia", "mara", "anna"] {
        let id = stands_in(&cast, "iris", "lucia", 30).await;
        let jonas = cast.caller("jonas").await;
        assert_eq!(delegation::end(&cast.console, &jonas, &id).await.err(), Some(refused(Refusal::NoRule)));
        let ender = cast.caller(by).await;
        delegation::end(&cast.console, &ender, &id).await.unwrap();
        assert_eq!(
            delegation::end(&cast.console, &ender, &id).await.err(),
            Some(Error::Conflict(Conflict::AlreadyDone))
        );
        assert_eq!(cast.approve("lucia", &request).await, Err(Error::NotFound), "{by}");
    }
    stands_in(&cast, "iris", "lucia", 30).await;
    people::disable_person(&cast.console, &cast.caller("anna").await, cast.id("iris")).await.unwrap();
    assert_eq!(cast.approve("lucia", &request).await, Err(Error::NotFound));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(delegation::open_of(&cast.console, &mut db, cast.id("lucia")).await.unwrap().is_empty());
    drop(db);
    whole(&cast).await;
});

story!(what_cannot_be_is_said_at_its_field, |world| {
    let cast = grown(world).await;
    let field = |error: Result<String, Error>| match error {
        Err(Error::Invalid(fields)) => fields[0].field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(proposed(&cast, "iris", "iris", 0, 7).await), "delegate");
    assert_eq!(field(proposed(&cast, "jonas", "lucia", 0, 7).await), "delegate", "who decides nothing");
    assert_eq!(field(proposed(&cast, "iris", "lucia", 0, 43).await), "until");
    assert_eq!(field(proposed(&cast, "iris", "lucia", -3, 2).await), "until");
    assert_eq!(field(proposed(&cast, "iris", "lucia", 200, 2).await), "from");
    stands_in(&cast, "iris", "lucia", 30).await;
    assert_eq!(field(proposed(&cast, "iris", "teodor", 10, 7).await), "from", "somebody stands in then");
    proposed(&cast, "iris", "teodor", 31, 7).await.unwrap();
    // Two proposals for the same days: what the world became overtakes the later one.
    let one = proposed(&cast, "teodor", "lucia", 0, 7).await.unwrap();
    let other = proposed(&cast, "teodor", "jonas", 0, 7).await.unwrap();
    confirm(&cast, "mara", &one).await.unwrap();
    assert!(confirm(&cast, "mara", &other).await.is_err());
});

story!(the_account_page_names_somebody_and_tells_them, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    let page = iris.get("/account").await;
    assert!(page.text.contains("While you are away") && page.text.contains("Nobody stands in for you."));
    let day = |days: i64| (cast.console.now() + TimeDelta::days(days)).format("%Y-%m-%d").to_string();
    let wrong =
        iris.post("/account/delegate", &[("delegate", "nobody-here"), ("from", &day(0)), ("until", &day(3))]).await;
    assert!(wrong.text.contains("Nobody here is called so.") && wrong.text.contains("nobody-here"), "nothing is lost");
    let sent = iris.post("/account/delegate", &[("delegate", "lucia"), ("from", &day(0)), ("until", &day(3))]).await;
    assert_eq!(sent.status, axum::http::StatusCode::SEE_OTHER, "{}", sent.text);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let waiting =
        server::controls::store::open_of(&mut db, cast.id("iris"), cast.console.now(), cast.console.seal_key())
            .await
            .unwrap();
    drop(db);
    let page = Browser::signed_in(&cast, &router, "mara").await.get(&format!("/controls/{}", waiting[0].id)).await;
    for words in ["Let Lucia Engineer decide on requests in the place of Iris Lead", "Nothing else goes over"] {
        assert!(page.text.contains(words), "{words}");
    }
    confirm(&cast, "mara", &waiting[0].id).await.unwrap();
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    assert!(lucia.get("/account").await.text.contains("You decide in the place of Iris Lead"));
    assert!(lucia.get("/notices").await.text.contains("You decide on requests in somebody"));
    let page = lucia.get(&format!("/people/{}", cast.id("iris"))).await;
    assert!(page.text.contains("Lucia Engineer decides in their place"));
    // On the request: who can decide, and for whom.
    let stage = cast.filled("stage/url", Tier::Staging, Class::Normal).await;
    let request = cast.ask("jonas", &stage, Right::Read, 60).await.unwrap();
    let page = lucia.get(&format!("/requests/{request}")).await;
    assert!(page.text.contains("Lucia Engineer, in the place of Iris Lead"));
});

story!(signatures_of_a_closed_account_are_cut, |world| {
    let cast = grown(world).await;
    let critical = cast.filled("prod/key", Tier::Production, Class::Critical).await;
    let request = cast.ask("jonas", &critical, Right::Read, 60).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    let anna = cast.caller("anna").await;
    people::disable_person(&cast.console, &anna, cast.id("teodor")).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let decisions = requests::store::decisions(&mut db, &request, cast.console.seal_key()).await.unwrap();
    drop(db);
    assert!(decisions[0].voided_at.is_some(), "kept, without effect");
    assert_eq!(cast.request(&request).await.standing(&decisions).count(), 0);
    // The seat is free again: without it the second signature is not the last.
    cast.approve("ewa", &request).await.unwrap_err();
    cast.approve("iris", &request).await.unwrap();
    assert!(!cast.holds("jonas", &critical).await);
    cast.approve("ewa", &request).await.unwrap();
    assert!(cast.holds("jonas", &critical).await);
    whole(&cast).await;
});
