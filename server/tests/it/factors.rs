//! Second factors: what each is asked for, that an answer counts once and for one act, and who may add or take one away.
use crate::{
    cast::{Cast, PASSWORD, Pocket, enrol},
    http::{Answer, Browser, question, site},
    story,
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    people::factors::Kind,
    policies::model::{Class, Right, Role, Tier},
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{
    audit::event::Who,
    people::{
        self, Caller,
        factors::{self, For, Proof, Question, prove, store},
    },
    requests,
    vault::{self, Take},
    workloads,
};
use zeroize::Zeroizing;

fn refused(why: Refusal) -> Error {
    Error::Refused(why)
}

/// A browser whose owner has nothing at hand: questions stay questions.
async fn bare(cast: &Cast, router: &axum::Router, login: &str) -> Browser {
    let mut browser = Browser::signed_in(cast, router, login).await;
    browser.put_away();
    browser
}

/// Somebody who showed a factor that they have since their account was made.
async fn proved(cast: &Cast, login: &str, kind: Kind) -> Caller {
    let caller = cast.caller(login).await;
    Caller { proved: Some(Proof { kind, counts_from: caller.person.created_at }), ..caller }
}

async fn count(cast: &Cast, action: Action, outcome: &str) -> usize {
    let narrow = server::audit::store::Narrow {
        action: Some(action.code().into()),
        outcome: Some(outcome.into()),
        ..Default::default()
    };
    server::audit::store::list(&mut cast.console.db().unseen().read().await.unwrap(), &narrow, None, 200)
        .await
        .unwrap()
        .len()
}

async fn asked(cast: &Cast, login: &str, path: &str) -> Question {
    let person = cast.person(login).await;
    factors::ask(&cast.console, None, &person, For::Act, path, "x=1").await.unwrap().0
}

async fn answer(cast: &Cast, question: &Question, code: &str) -> Result<Kind, Error> {
    let id = question.person.parse().unwrap();
    let who = Who::person(&id, "password", None);
    let answer = factors::Answer { code, passkey: "" };
    prove(&cast.console, None, &who, question, &answer).await.map(|proof| proof.kind)
}

/// Approving in production through the pages: the request, its digest, and the form.
async fn pending(cast: &Cast) -> (String, String) {
    let secret = cast.secret("db/password", Tier::Production, Class::Normal).await;
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let digest = cast.request(&request).await.digest;
    (request, digest)
}

async fn decide(browser: &mut Browser, request: &str, digest: &str) -> Answer {
    let form = [("digest", digest), ("answer", "approve"), ("comment", "")];
    browser.post(&format!("/requests/{request}/decide"), &form).await
}

story!(a_code_counts_once, |world| {
    let cast = Cast::new(world).await;
    let pocket = cast.pocket("iris").unwrap();
    let now = cast.console.now();
    let code = pocket.shows(now, 0);
    assert_eq!(answer(&cast, &asked(&cast, "iris", "/a").await, &code).await, Ok(Kind::Authenticator));
    // The same one, an earlier one, one of another person, one that is too early, too late or no code at all.
    let stranger = cast.pocket("mara").unwrap().shows(now, 0);
    for bad in
        [&code, &pocket.shows(now, -1), &stranger, &pocket.shows(now, 3), "000000", "", "x".repeat(9000).as_str()]
    {
        let said = answer(&cast, &asked(&cast, "iris", "/a").await, bad).await;
        assert_eq!(said, Err(refused(Refusal::WrongFactor)), "{bad}");
        cast.world.clock.advance(TimeDelta::seconds(1));
    }
    cast.world.clock.advance(TimeDelta::seconds(70));
    let next = pocket.shows(cast.console.now(), 0);
    let mut spaced = next.clone();
    spaced.insert(3, ' ');
    assert_eq!(answer(&cast, &asked(&cast, "iris", "/a").await, &spaced).await, Ok(Kind::Authenticator));
    // A code on paper: once, in any case, with or without its hyphens; and its owner is told.
    let paper = pocket.codes[0].to_uppercase().replace('-', "");
    assert_eq!(answer(&cast, &asked(&cast, "iris", "/a").await, &paper).await, Ok(Kind::Recovery));
    assert_eq!(
        answer(&cast, &asked(&cast, "iris", "/a").await, &pocket.codes[0]).await,
        Err(refused(Refusal::WrongFactor))
    );
    assert_eq!(count(&cast, Action::ProveFactor, "allowed").await, 3);
    assert!(count(&cast, Action::ProveFactor, "refused").await > 0);
});

story!(the_same_code_twice_at_once_is_taken_once, |world| {
    let cast = Cast::new(world).await;
    let code = cast.pocket("iris").unwrap().shows(cast.console.now(), 0);
    let (one, other) = (asked(&cast, "iris", "/a").await, asked(&cast, "iris", "/b").await);
    let both = crate::support::together(answer(&cast, &one, &code), answer(&cast, &other, &code)).await;
    assert_eq!(usize::from(both.0.is_ok()) + usize::from(both.1.is_ok()), 1, "{both:?}");
    // And one question takes one answer, whatever it is answered with.
    let codes = cast.pocket("iris").unwrap().codes.clone();
    let question = asked(&cast, "iris", "/a").await;
    let both = crate::support::together(answer(&cast, &question, &codes[0]), answer(&cast, &question, &codes[1])).await;
    assert_eq!(usize::from(both.0.is_ok()) + usize::from(both.1.is_ok()), 1, "{both:?}");
});

story!(guessing_is_slow_and_ends_by_itself, |world| {
    let cast = Cast::new(world).await;
    let pocket = cast.pocket("iris").unwrap();
    let mut tried = 0;
    while answer(&cast, &asked(&cast, "iris", "/a").await, "000000").await == Err(refused(Refusal::WrongFactor)) {
        tried += 1;
        assert!(tried < 20);
    }
    let right = pocket.shows(cast.console.now(), 0);
    let said = answer(&cast, &asked(&cast, "iris", "/a").await, &right).await;
    assert_eq!(said, Err(refused(Refusal::TooManyAttempts)));
    // Somebody else is not slowed down by it, and she is not for long.
    let mara = cast.pocket("mara").unwrap().shows(cast.console.now(), 0);
    answer(&cast, &asked(&cast, "mara", "/a").await, &mara).await.unwrap();
    cast.world.clock.advance(TimeDelta::seconds(61));
    let right = pocket.shows(cast.console.now(), 0);
    answer(&cast, &asked(&cast, "iris", "/a").await, &right).await.unwrap();
});

story!(a_hundred_wrong_codes_are_enough_for_a_day, |world| {
    let cast = Cast::new(world).await;
    for _ in 0..100 {
        cast.world.clock.advance(TimeDelta::seconds(61));
        let said = answer(&cast, &asked(&cast, "iris", "/a").await, "000000").await;
        assert_eq!(said, Err(refused(Refusal::WrongFactor)));
    }
    cast.world.clock.advance(TimeDelta::seconds(61));
    let pocket = cast.pocket("iris").unwrap();
    let right = pocket.shows(cast.console.now(), 0);
    let said = answer(&cast, &asked(&cast, "iris", "/a").await, &right).await;
    assert_eq!(said, Err(refused(Refusal::TooManyGuesses)), "also a right one");
    let paper = answer(&cast, &asked(&cast, "iris", "/a").await, &pocket.codes[0]).await;
    assert_eq!(paper, Ok(Kind::Recovery), "what nobody guesses goes on");
    let mara = cast.pocket("mara").unwrap().shows(cast.console.now(), 0);
    answer(&cast, &asked(&cast, "mara", "/a").await, &mara).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(23));
    let right = pocket.shows(cast.console.now(), 0);
    answer(&cast, &asked(&cast, "iris", "/a").await, &right).await.unwrap();
});

story!(a_new_factor_opens_nothing_critical_for_a_day, |world| {
    let cast = Cast::new(world).await;
    let critical = cast.filled("card/key", Tier::Staging, Class::Critical).await;
    let normal = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    for secret in [&critical, &normal] {
        cast.granted("jonas", secret, 3 * 24 * 60).await;
    }
    // Whoever has his session adds a factor to it: it says nothing yet of who that is.
    enrol(&cast.console, &cast.caller("jonas").await).await;
    assert_eq!(cast.take("jonas", &critical, Take::Reveal).await.err(), Some(refused(Refusal::NewFactor)));
    assert_eq!(cast.take("jonas", &critical, Take::Copy).await.err(), Some(refused(Refusal::NewFactor)));
    assert!(cast.take("jonas", &normal, Take::Reveal).await.is_ok());
    cast.world.clock.advance(TimeDelta::hours(25));
    assert!(cast.take("jonas", &critical, Take::Reveal).await.is_ok());
    // One that an older one vouches for is as good as that, also once that is gone; one after a code on paper is not.
    let (cast, critical) = (&cast, &critical);
    let old = proved(cast, "jonas", Kind::Authenticator).await;
    let before = old.person.factor_at;
    let all = || async {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let rows = store::open_of(&mut db, cast.id("jonas"), cast.console.seal_key()).await.unwrap();
        rows.into_iter().filter(store::Factor::stands_alone).collect::<Vec<_>>()
    };
    // Adds one, vouched for by whoever is proved, and finds it.
    let added = |caller: Caller| async move {
        let before: Vec<String> = all().await.into_iter().map(|row| row.id).collect();
        enrol(&cast.console, &caller).await;
        all().await.into_iter().find(|row| !before.contains(&row.id)).unwrap()
    };
    let by = |row: store::Factor| async move {
        let proof = Proof { kind: Kind::Authenticator, counts_from: row.counts_from() };
        Caller { proved: Some(proof), ..cast.caller("jonas").await }
    };
    let take = |caller: Caller| async move {
        vault::take_value(&cast.console, &caller, critical, Take::Copy, "testing").await.map(|_| ())
    };
    let vouched = added(old).await;
    assert_eq!(cast.person("jonas").await.factor_at, before);
    assert_eq!(take(by(vouched.clone()).await).await, Ok(()));
    let unvouched = added(proved(cast, "jonas", Kind::Recovery).await).await;
    assert_eq!(take(by(unvouched.clone()).await).await, Err(refused(Refusal::NewFactor)));
    assert_eq!(take(by(vouched).await).await, Ok(()), "an older one goes on to count");
    // Nothing that is added after it makes it older: not more factors, not codes made anew, not another way in.
    let third = added(by(unvouched.clone()).await).await;
    assert_eq!(third.counts_from(), unvouched.counts_from(), "what is new vouches for no more than itself");
    factors::renew_codes(&cast.console, &proved(cast, "jonas", Kind::Recovery).await).await.unwrap();
    for row in [unvouched, third] {
        assert_eq!(take(by(row).await).await, Err(refused(Refusal::NewFactor)));
    }
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let codes = store::open_of(&mut db, cast.id("jonas"), cast.console.seal_key()).await.unwrap();
    let codes = codes.into_iter().find(|row| !row.stands_alone()).unwrap();
    assert!(codes.counts_from() > cast.console.now(), "codes that a code asked for are as new");
});

story!(a_new_factor_lets_nobody_into_production, |world| {
    let cast = Cast::new(world).await;
    let iris = cast.caller("iris").await;
    let project = cast.project().await;
    let mut made = Vec::new();
    for (tier, slug) in [(Tier::Production, "deploy"), (Tier::Staging, "stage")] {
        let environment = cast.environment(tier);
        let workload =
            workloads::create_workload(&cast.console, &iris, &project, environment, slug, slug, &cast.team).await;
        made.push(workload.unwrap().0);
    }
    enrol(&cast.console, &proved(&cast, "iris", Kind::Recovery).await).await;
    let proof = Proof { kind: Kind::Authenticator, counts_from: cast.console.now() + TimeDelta::hours(24) };
    let new = Caller { proved: Some(proof), ..cast.caller("iris").await };
    let issue = |workload: String| {
        let (cast, new) = (&cast, &new);
        async move { workloads::issue_credential(&cast.console, new, &workload, TimeDelta::days(1)).await.err() }
    };
    assert_eq!(issue(made.remove(0)).await, Some(refused(Refusal::NewFactor)));
    assert_eq!(issue(made.remove(0)).await, None);
});

story!(codes_that_a_code_asked_for_decide_nothing_for_a_day, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    factors::renew_codes(&cast.console, &proved(&cast, "iris", Kind::Authenticator).await).await.unwrap();
    assert_ne!(cast.person("iris").await.factor_at, Some(cast.console.now()));
    factors::renew_codes(&cast.console, &proved(&cast, "iris", Kind::Recovery).await).await.unwrap();
    assert_eq!(cast.approve("iris", &request).await, Err(refused(Refusal::NewcomerDecides)));
});

story!(approving_in_production_asks_for_this_one_act, |world| {
    let (cast, router) = site(world).await;
    let (request, digest) = pending(&cast).await;
    let mut iris = bare(&cast, &router, "iris").await;
    let before = cast.events().await;
    let page = decide(&mut iris, &request, &digest).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("decide in production") && page.text.contains("one-time-code"), "{}", page.text);
    assert!(!page.text.contains(&digest), "what was sent is sealed");
    assert_eq!(cast.events().await, before, "a question is no refusal");
    assert!(cast.request(&request).await.ended_at.is_none());
    let proof = question(&page.text).unwrap();
    let path = format!("/requests/{request}/decide");
    let now = cast.console.now();
    let pocket = cast.pocket("iris").unwrap();
    // For another act, in another browser, with another's code: nothing.
    let elsewhere = iris.post("/reports", &[("proof", &proof), ("code", &pocket.shows(now, 1))]).await;
    assert_eq!(elsewhere.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut teodor = bare(&cast, &router, "teodor").await;
    let theirs = teodor.post(&path, &[("proof", &proof), ("code", &pocket.shows(now, 1))]).await;
    assert_eq!(theirs.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut nobody = Browser::new(&router);
    assert_eq!(nobody.post(&path, &[("proof", &proof), ("code", "1")]).await.status, StatusCode::UNAUTHORIZED);
    let mut broken = proof.clone();
    broken.replace_range(20..21, if &proof[20..21] == "A" { "B" } else { "A" });
    let broken = iris.post(&path, &[("proof", &broken), ("code", &pocket.shows(now, 1))]).await;
    assert_eq!(broken.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = iris.post(&path, &[("proof", &proof), ("code", "123123")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("not a code of yours") && question(&wrong.text).is_some(), "asked again");
    assert!(cast.request(&request).await.ended_at.is_none());
    // What was typed beside it never replaces what was asked about.
    let form = [("proof", proof.as_str()), ("code", &pocket.shows(now, 1)), ("answer", "deny"), ("comment", "no")];
    let done = iris.post(&path, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert_eq!(cast.request(&request).await.outcome.as_deref(), Some("approved"));
    // The same page again does nothing more.
    let twice = iris.post(&path, &[("proof", &proof), ("code", &pocket.codes[0])]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(count(&cast, Action::ApproveRequest, "allowed").await, 1);
});

story!(a_question_lasts_two_minutes, |world| {
    let (cast, router) = site(world).await;
    let (request, digest) = pending(&cast).await;
    let mut iris = bare(&cast, &router, "iris").await;
    let path = format!("/requests/{request}/decide");
    let proof = question(&decide(&mut iris, &request, &digest).await.text).unwrap();
    cast.world.clock.advance(TimeDelta::seconds(121));
    let code = cast.pocket("iris").unwrap().shows(cast.console.now(), 0);
    let late = iris.post(&path, &[("proof", &proof), ("code", &code)]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    // It was not looked at, so it is still good for the question that came instead.
    let proof = question(&late.text).unwrap();
    assert_eq!(iris.post(&path, &[("proof", &proof), ("code", &code)]).await.status, StatusCode::SEE_OTHER);
});

story!(what_asks_for_a_factor, |world| {
    let (cast, router) = site(world).await;
    let critical = cast.filled("card/key", Tier::Staging, Class::Critical).await;
    let normal = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    for secret in [&critical, &normal] {
        cast.granted("lucia", secret, 60).await;
    }
    let mut lucia = bare(&cast, &router, "lucia").await;
    let form = [("purpose", "TICKET-1")];
    assert_eq!(lucia.post(&format!("/secrets/{normal}/reveal"), &form).await.status, StatusCode::OK);
    for verb in ["reveal", "copy"] {
        let page = lucia.post(&format!("/secrets/{critical}/{verb}"), &form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.text.contains("take a critical value"), "{}", page.text);
    }
    // A script is told so, and shows the question by sending the form.
    let path = format!("/secrets/{critical}/reveal");
    let critical_path = path.clone();
    let told = lucia.send(axum::http::Method::POST, &path, &form, &[("accept", "application/json")]).await;
    assert!(told.text.contains("urn:countersign:factor_needed"), "{}", told.text);
    lucia.take_up(&cast, "lucia");
    assert!(lucia.post(&path, &form).await.text.contains(crate::cast::CANARY));
    lucia.put_away();
    // What is copied and never shown: the page that asks sends the answer itself, and gets the value as JSON.
    let never_shown = cast.filled("card/pan", Tier::Production, Class::Critical).await;
    cast.granted("lucia", &never_shown, 60).await;
    let path = format!("/secrets/{never_shown}/copy");
    let page = lucia.post(&path, &form).await;
    assert!(page.status == 403 && page.text.contains("data-copies=\"true\""), "{}", page.text);
    let proof = question(&page.text).unwrap();
    let json = [("accept", "application/json")];
    let wrong = [("proof", proof.as_str()), ("code", "000000"), ("passkey", "")];
    let told = lucia.send(axum::http::Method::POST, &path, &wrong, &json).await;
    assert!(told.status == 403 && told.text.contains("wrong_factor"), "{}", told.text);
    let code = cast.pocket("lucia").unwrap().codes[0].clone();
    let right = [("proof", proof.as_str()), ("code", &code), ("passkey", "")];
    assert!(lucia.send(axum::http::Method::POST, &path, &right, &json).await.text.contains(crate::cast::CANARY));
    let shown = lucia.post(&path, &[("proof", proof.as_str()), ("code", &code), ("passkey", "")]).await;
    assert!(!shown.text.contains(crate::cast::CANARY), "once, and never on a page");
    // Nobody is asked who would be refused anyway.
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    assert!(!jonas.post(&critical_path, &form).await.text.contains("second factor"));
    // Evidence leaves by a factor too; whoever has none is told where to get one.
    let mut samir = bare(&cast, &router, "samir").await;
    let export = [("q", "actor:jonas"), ("zone", "UTC"), ("kind", "evidence")];
    assert!(samir.post("/reports", &export).await.text.contains("take evidence out"));
    cast.world.clock.advance(TimeDelta::days(8));
    let anna = cast.caller("anna").await;
    let waits = people::assign_role(&cast.console, &anna, cast.id("jonas"), Role::Auditor, None, None).await.unwrap();
    let server::controls::Submitted::Waits { id, .. } = waits else { panic!("it loosens") };
    let mut mara = bare(&cast, &router, "mara").await;
    let digest = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        server::controls::store::find(&mut db, &id, cast.console.seal_key()).await.unwrap().unwrap().digest
    };
    let yes = [("digest", digest.as_str()), ("answer", "confirm")];
    let page = mara.post(&format!("/controls/{id}/decide"), &yes).await;
    assert!(page.text.contains("confirm a change of control"), "{}", page.text);
    // Proposing what loosens is asked for; what tightens is not.
    let mut boss = bare(&cast, &router, "anna").await;
    let path = format!("/people/{}/roles", cast.id("jonas"));
    assert_eq!(boss.post(&path, &[("role", "security"), ("project", "")]).await.status, StatusCode::FORBIDDEN);
    let role = cast.caller("mara").await.roles[0].id.clone();
    assert_eq!(boss.post(&format!("/roles/{role}/remove"), &[]).await.status, StatusCode::SEE_OTHER);
    mara.take_up(&cast, "mara");
    assert_eq!(
        mara.post(&format!("/controls/{id}/decide"), &yes).await.status,
        StatusCode::FORBIDDEN,
        "no role any more"
    );
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    let scopes = [("name", "ci"), ("scope", "rotations:read"), ("days", "7")];
    let none = jonas.post("/account/tokens", &scopes).await;
    assert!(none.status == 403 && none.text.contains("You have none yet"), "{}", none.text);
    let mut lucia = bare(&cast, &router, "lucia").await;
    assert_eq!(lucia.post("/account/tokens", &scopes).await.status, StatusCode::FORBIDDEN);
});

story!(nobody_decides_in_production_without_one, |world| {
    let cast = Cast::new(world).await;
    let anna = cast.caller("anna").await;
    people::assign_role(&cast.console, &anna, cast.id("jonas"), Role::Lead, Some(&cast.project), None).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(25));
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    let request = cast.ask("lucia", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("jonas", &request).await, Err(refused(Refusal::NoFactor)));
    let (_, decisions) = requests::visible_request(&cast.console, &cast.caller("lucia").await, &request).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let row = cast.request(&request).await;
    let able = requests::candidates(&cast.console, &mut db, &row, &decisions).await.unwrap();
    drop(db);
    let jonas = able.iter().find(|(person, _)| person.login == "jonas").unwrap();
    assert_eq!(jonas.1, Err(Refusal::NoFactor), "the request says who can decide, and why not");
    // A new one counts after a day; another one that it vouches for counts at once.
    enrol(&cast.console, &cast.caller("jonas").await).await;
    assert_eq!(cast.approve("jonas", &request).await, Err(refused(Refusal::NewcomerDecides)));
    cast.world.clock.advance(TimeDelta::hours(25));
    let jonas = proved(&cast, "jonas", Kind::Authenticator).await;
    enrol(&cast.console, &jonas).await;
    cast.approve("jonas", &request).await.unwrap();
    // After a code on paper, a new one counts after a day again.
    let next = cast.ask("lucia", &secret, Right::Write, 60).await.unwrap();
    let jonas = proved(&cast, "jonas", Kind::Recovery).await;
    enrol(&cast.console, &jonas).await;
    assert_eq!(cast.approve("jonas", &next).await, Err(refused(Refusal::NewcomerDecides)));
});

story!(signing_in_takes_both, |world| {
    let (cast, router) = site(world).await;
    let mut iris = Browser::new(&router);
    let form = [("login", "iris"), ("password", PASSWORD), ("next", "/requests")];
    let page = iris.post("/sign-in", &form).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains(PASSWORD));
    assert_eq!(iris.get("/").await.status, StatusCode::SEE_OTHER, "not signed in yet");
    let proof = question(&page.text).unwrap();
    let pocket = cast.pocket("iris").unwrap();
    let wrong = iris.post("/sign-in", &[("proof", &proof), ("code", "111111")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    // The question of a sign-in is none of an act, nor the other way round.
    let elsewhere = iris.post("/account/factors/codes", &[("proof", &proof), ("code", &pocket.codes[1])]).await;
    assert_eq!(elsewhere.status, StatusCode::UNPROCESSABLE_ENTITY);
    let proof = question(&wrong.text).unwrap();
    let code = pocket.shows(cast.console.now(), 0);
    let answer = iris.post("/sign-in", &[("proof", &proof), ("code", &code), ("next", "https://evil.example")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/requests"));
    // The same answer in another browser: nobody is signed in.
    let mut thief = Browser::new(&router);
    assert_eq!(thief.post("/sign-in", &[("proof", &proof), ("code", &code)]).await.status, 422);
    assert_eq!(thief.get("/").await.status, StatusCode::SEE_OTHER);
    // Between password and code the password changes, or two minutes pass.
    let mut late = Browser::new(&router);
    let proof = question(&late.post("/sign-in", &form).await.text).unwrap();
    let new = Zeroizing::new("another four words here".to_owned());
    people::change_password(&cast.console, &cast.caller("iris").await, Zeroizing::new(PASSWORD.into()), new)
        .await
        .unwrap();
    let page = late.post("/sign-in", &[("proof", &proof), ("code", &pocket.shows(cast.console.now(), 1))]).await;
    assert!(page.text.contains("Begin again") && late.get("/").await.status == StatusCode::SEE_OTHER, "{}", page.text);
    let mut mara = Browser::new(&router);
    let form = [("login", "mara"), ("password", PASSWORD)];
    let proof = question(&mara.post("/sign-in", &form).await.text).unwrap();
    cast.world.clock.advance(TimeDelta::seconds(121));
    let code = cast.pocket("mara").unwrap().shows(cast.console.now(), 0);
    let page = mara.post("/sign-in", &[("proof", &proof), ("code", &code)]).await;
    assert!(page.text.contains("Begin again") && mara.get("/").await.status == StatusCode::SEE_OTHER, "{}", page.text);
});

story!(a_stolen_session_adds_and_removes_nothing, |world| {
    let (cast, router) = site(world).await;
    // With a factor: every change of factors asks for it.
    let mut iris = bare(&cast, &router, "iris").await;
    let id = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        store::open_of(&mut db, cast.id("iris"), cast.console.seal_key()).await.unwrap()[0].id.clone()
    };
    for path in ["/account/factors/authenticator", "/account/factors/codes", &format!("/account/factors/{id}/remove")] {
        let page = iris.post(path, &[("name", "Mine"), ("setup", ""), ("code", "")]).await;
        assert!(page.status == 403 && page.text.contains("change your second factors"), "{path}: {}", page.text);
    }
    // Without one: only within minutes of signing in.
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    cast.world.clock.advance(TimeDelta::minutes(16));
    let old = jonas.post("/account/factors/authenticator", &[("name", "Mine"), ("setup", ""), ("code", "")]).await;
    assert!(old.status == 403 && old.text.contains("sign in again"), "{}", old.text);
    let mut fresh = Browser::signed_in(&cast, &router, "jonas").await;
    let page = fresh.get("/account/factors/authenticator").await;
    let setup = page.text.split_once("name=\"setup\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let key = page.text.split_once("class=\"key\">").unwrap().1.split_once('<').unwrap().0.replace(' ', "");
    let pocket = Pocket::new(&key);
    // A mistake keeps key and name; another's beginning is none.
    let wrong = fresh
        .post("/account/factors/authenticator", &[("setup", &setup), ("name", "My phone"), ("code", "12345")])
        .await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("value=\"My phone\"") && wrong.text.contains(&setup), "{}", wrong.text);
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    let code = pocket.shows(cast.console.now(), 0);
    let form = [("setup", setup.as_str()), ("name", "My phone"), ("code", &code)];
    assert_eq!(lucia.post("/account/factors/authenticator", &form).await.status, 422);
    let done = fresh.post("/account/factors/authenticator", &form).await;
    assert!(done.status == 200 && done.text.contains("Your recovery codes"), "{}", done.text);
    assert!(fresh.get("/account").await.text.contains("My phone"));
    assert!(fresh.get("/notices").await.text.contains("A second factor was added"));
    // The code that enrolled it is used up.
    let question = asked(&cast, "jonas", "/a").await;
    assert_eq!(answer(&cast, &question, &code).await, Err(refused(Refusal::WrongFactor)));
});

story!(a_lost_factor_is_taken_away_by_an_administrator, |world| {
    let (cast, router) = site(world).await;
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    let (anna, mara) = (cast.caller("anna").await, cast.caller("mara").await);
    assert_eq!(
        factors::reset_factors(&cast.console, &mara, cast.id("iris")).await.err(),
        Some(refused(Refusal::NoRule))
    );
    assert_eq!(
        factors::reset_factors(&cast.console, &anna, cast.id("anna")).await.err(),
        Some(refused(Refusal::OwnChange))
    );
    factors::reset_factors(&cast.console, &anna, cast.id("iris")).await.unwrap();
    assert_eq!(iris.get("/").await.status, StatusCode::SEE_OTHER, "signed out");
    // Whoever did it is one person with her for a week, and she decides nothing before a new one is a day old.
    let secret = cast.secret("a", Tier::Production, Class::Normal).await;
    people::assign_role(&cast.console, &anna, cast.id("anna"), Role::Member, Some(&cast.project), None).await.unwrap();
    let request = cast.ask("anna", &secret, Right::Read, 60).await.unwrap();
    enrol(&cast.console, &cast.caller("iris").await).await;
    cast.world.clock.advance(TimeDelta::hours(25));
    assert_eq!(cast.approve("iris", &request).await, Err(refused(Refusal::LinkedAccounts)));
    let wrong = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong;
    assert_eq!(wrong, Vec::<String>::new());
    // From the host, with the link for a new password.
    let who = Who::system("host");
    people::reset_from_host(&cast.console, &who, "mara").await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(!factors::has_factor(&mut db, cast.id("mara"), cast.console.seal_key()).await.unwrap());
});

story!(used_up_codes_are_replaced_by_the_next_enrolment, |world| {
    let cast = Cast::new(world).await;
    for code in &cast.pocket("iris").unwrap().codes {
        answer(&cast, &asked(&cast, "iris", "/a").await, code).await.unwrap();
    }
    let made = enrol(&cast.console, &cast.caller("iris").await).await;
    assert_eq!(made.codes.len(), 10);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let rows = store::open_of(&mut db, cast.id("iris"), cast.console.seal_key()).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.kind() == Some(Kind::Recovery)).count(), 1, "one set of codes at a time");
});

story!(the_database_owner_makes_no_factor, |world| {
    let cast = Cast::new(world).await;
    // Iris' authenticator under Jonas' name; and her own with its last step put back.
    let (iris, jonas) = (cast.id("iris").to_owned(), cast.id("jonas").to_owned());
    cast.world
        .as_database_owner(&[&format!(
            "INSERT INTO factors (id, person_id, kind, name, data, valid_from, event_seq, row_mac) \
             SELECT 'fac_forged', '{jonas}', kind, name, data, valid_from, event_seq, row_mac FROM factors \
             WHERE person_id = '{iris}' AND kind = 'authenticator'"
        )])
        .await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(!factors::has_factor(&mut db, &jonas, cast.console.seal_key()).await.unwrap());
    drop(db);
    let code = cast.pocket("iris").unwrap().shows(cast.console.now(), 0);
    let kept: (String,) = {
        use server::db::Sql;
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let sql = "SELECT data FROM factors WHERE person_id = $1 AND kind = 'authenticator'";
        db.sql(sql).bind(iris.clone()).one().await.unwrap()
    };
    answer(&cast, &asked(&cast, "iris", "/a").await, &code).await.unwrap();
    cast.world
        .as_database_owner(&[&format!(
            "UPDATE factors SET data = '{}' WHERE person_id = '{iris}' AND kind = 'authenticator'",
            kept.0
        )])
        .await;
    let again = answer(&cast, &asked(&cast, "iris", "/a").await, &code).await;
    assert_eq!(again, Err(refused(Refusal::WrongFactor)));
    let wrong = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong;
    assert_eq!(wrong.iter().filter(|line| line.starts_with("factors: ")).count(), 2, "{wrong:?}");
});
