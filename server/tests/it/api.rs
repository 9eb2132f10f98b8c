//! Personal access tokens, the API for people's programs, and the command line over it.
use crate::{
    cast::{CANARY, Cast},
    http::{Answer, BASE, Browser, site},
    rotations::{current, generated, is_whole, rotation, until_ended},
    story,
    support::World,
    workloads::{self, allow, machine},
};
use app::{
    error::{Conflict, Error, Refusal},
    people::tokens::Scope,
    policies::model::{Class, Right, Tier},
    rotations::{model::Step, schedule::Schedule},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{
    audit::{event::Who, store},
    catalog::{self, NewProject},
    http::{
        Site, router,
        routes::{Access, table},
    },
    people::{self, Caller, passwords::bearer_hash, tokens},
    requests,
    rotations::{self, NewPlan},
};
use std::collections::BTreeSet;
use tower::ServiceExt;

pub async fn token(cast: &Cast, login: &str, scopes: &[Scope]) -> String {
    let caller = cast.caller(login).await;
    let made = people::create_access_token(&cast.console, &caller, "laptop", scopes, TimeDelta::days(30)).await;
    made.unwrap().0.to_string()
}

async fn program(cast: &Cast, token: &str) -> Result<Caller, Error> {
    people::recognise_access_token(&cast.console, &Who::anonymous(), token).await
}

/// A call with a token: its status and its JSON.
pub async fn call(router: &Router, token: &str, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()));
    let response = router.clone().oneshot(request.unwrap()).await.unwrap();
    let status = response.status();
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    assert_eq!(kind, if status == StatusCode::OK { "application/json" } else { "application/problem+json" }, "{path}");
    assert_eq!(response.headers().contains_key(header::WWW_AUTHENTICATE), status == StatusCode::UNAUTHORIZED);
    let bytes = to_bytes(response.into_body(), 10_000_000).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

pub async fn get(router: &Router, token: &str, path: &str) -> Value {
    let (status, answer) = call(router, token, Method::GET, path, "").await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

pub async fn post(router: &Router, token: &str, path: &str, body: Value) -> (StatusCode, Value) {
    call(router, token, Method::POST, path, &body.to_string()).await
}

/// The same, fetched by a pipeline: its rotation waits in the overlap.
async fn fetched(cast: &Cast, path: &str) -> String {
    let secret = planned(cast, path).await;
    let ci = machine(cast, "ci", Tier::Staging).await;
    let request = allow(cast, &ci, &secret, 60 * 24).await;
    cast.approve("teodor", &request).await.unwrap();
    let pipeline = workloads::token(cast, &ci).await.unwrap();
    workloads::fetch(cast, &pipeline, "staging", path).await.unwrap();
    secret
}

/// A secret in staging that rotates by a generated value.
async fn planned(cast: &Cast, path: &str) -> String {
    let secret = cast.filled(path, Tier::Staging, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let plan = NewPlan { schedule: Schedule::Age { days: 30 }, ..generated(60) };
    rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
    secret
}

story!(a_token_does_what_it_is_for_and_nothing_else, |world| {
    let cast = Cast::new(world).await;
    let secret = planned(&cast, "api/key").await;
    let reading = program(&cast, &token(&cast, "iris", &[Scope::ReadRotations]).await).await.unwrap();
    let rotating = program(&cast, &token(&cast, "iris", &[Scope::Rotate]).await).await.unwrap();
    assert_eq!(rotating.who.actor.method.as_deref(), Some("token"));
    let scope = Some(Error::Refused(Refusal::TokenScope));
    let start = |caller| rotations::start_rotation(&cast.console, caller, &secret);
    assert_eq!(start(&reading).await.err(), scope);
    assert_eq!(cast.last_event().await.reason.as_deref(), Some("token_scope"));
    let (id, _) = start(&rotating).await.unwrap();
    // The trail names the token, in the place of a session.
    let leaf = app::audit::leaf::Leaf::decode(&find(&cast, "rotation.started").await.leaf).unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let (now, key) = (cast.console.now(), cast.console.seal_key());
    let used = tokens::store::of_person(&mut db, cast.id("iris"), now, key).await.unwrap();
    let used: Vec<String> = used.into_iter().map(|row| row.id).collect();
    drop(db);
    assert!(leaf.actor.session.is_some_and(|session| used.contains(&session)));
    // What iris may in a browser her program may not, whatever its scopes.
    let caller = &rotating;
    let attest = rotations::attest_death(&cast.console, caller, &secret, 1, "gone").await.err();
    assert_eq!(attest, scope);
    assert_eq!(cast.write_as(caller, &secret, 1, "x").await.err(), scope);
    let made = people::create_access_token(&cast.console, caller, "more", Scope::ALL, TimeDelta::days(1)).await;
    assert_eq!(made.err(), scope);
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let digest = cast.request(&request).await.digest;
    let approve = requests::approve_request(&cast.console, caller, &request, &digest, "").await.err();
    assert_eq!(approve, Some(Error::NotFound), "it does not even see requests");
    // And what she may not, it may not either.
    let lucia = program(&cast, &token(&cast, "lucia", Scope::ALL).await).await.unwrap();
    let none = Some(Error::Refused(Refusal::NoRule));
    assert_eq!(rotations::cut_off(&cast.console, &lucia, &id).await.err(), none);
    is_whole(&cast).await;
});

async fn find(cast: &Cast, action: &str) -> store::Stored {
    let narrow = store::Narrow { action: Some(action.into()), outcome: Some("allowed".into()), ..Default::default() };
    store::list(&mut cast.console.db().unseen().read().await.unwrap(), &narrow, None, 1).await.unwrap().remove(0)
}

story!(tokens_end_on_the_next_call, |world| {
    let cast = Cast::new(world).await;
    let bad = Some(Error::Refused(Refusal::BadToken));
    let scopes = &[Scope::ReadRotations];
    let id_of = async |text: &str| {
        let hash = bearer_hash(tokens::PREFIX, text).unwrap();
        let mut db = cast.console.db().unseen().read().await.unwrap();
        tokens::store::find_by_hash(&mut db, &hash, cast.console.seal_key()).await.unwrap().unwrap().id
    };
    // By hand: one's own; somebody else's is not theirs to end, but security's.
    let (first, second) = (token(&cast, "iris", scopes).await, token(&cast, "iris", scopes).await);
    let (iris, jonas, mara) = (cast.caller("iris").await, cast.caller("jonas").await, cast.caller("mara").await);
    let theirs = people::end_access_token(&cast.console, &jonas, &id_of(&first).await).await.err();
    assert_eq!(theirs, Some(Error::Refused(Refusal::NotYours)));
    let (held, first_id) = (program(&cast, &first).await.unwrap(), id_of(&first).await);
    people::end_access_token(&cast.console, &iris, &first_id).await.unwrap();
    let twice = people::end_access_token(&cast.console, &iris, &first_id).await.err();
    assert_eq!(twice, Some(Error::Conflict(Conflict::AlreadyDone)));
    people::end_access_token(&cast.console, &mara, &id_of(&second).await).await.unwrap();
    assert_eq!(program(&cast, &first).await.err(), bad);
    assert_eq!(program(&cast, &second).await.err(), bad);
    // With the session that it was made in, when somebody ends that.
    let origin = Who { address: Some("10.0.0.1".into()), ..Who::anonymous() };
    let password = zeroize::Zeroizing::new(crate::cast::PASSWORD.to_owned());
    let person = people::check_password(&cast.console, &origin, "iris", password, None).await.unwrap();
    let (session, _) = people::open_session(&cast.console, &origin, &person, "password", vec![7; 32]).await.unwrap();
    let browser = people::recognise(&cast.console, origin, &[7; 32]).await.unwrap().unwrap();
    let asked = people::create_access_token(&cast.console, &browser, "thief", scopes, TimeDelta::days(90)).await;
    assert_eq!(asked.err(), Some(Error::Refused(Refusal::FactorNeeded)), "a session alone makes no token");
    let kind = app::people::factors::Kind::Authenticator;
    let proof = people::factors::Proof { kind, counts_from: browser.person.created_at };
    let browser = people::Caller { proved: Some(proof), ..browser };
    let made = people::create_access_token(&cast.console, &browser, "thief", scopes, TimeDelta::days(90)).await;
    let stolen = made.unwrap().0;
    people::end_session(&cast.console, &mara, &session.id).await.unwrap();
    assert_eq!(program(&cast, &stolen).await.err(), bad);
    let late = people::create_access_token(&cast.console, &browser, "thief", scopes, TimeDelta::days(90)).await;
    assert_eq!(late.err(), Some(Error::Unauthenticated));
    // A call that was recognised before the end of its token changes nothing after it.
    let secret = planned(&cast, "api/key").await;
    assert_eq!(rotations::start_rotation(&cast.console, &held, &secret).await.err(), Some(Error::Unauthenticated));
    // By a new password, by the end of the account, by themselves.
    let third = token(&cast, "jonas", scopes).await;
    let words = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    let former = words(crate::cast::PASSWORD);
    people::change_password(&cast.console, &jonas, former, words("five entirely different words")).await.unwrap();
    assert_eq!(program(&cast, &third).await.err(), bad);
    let fourth = token(&cast, "lucia", scopes).await;
    let anna = cast.caller("anna").await;
    people::disable_person(&cast.console, &anna, cast.id("lucia")).await.unwrap();
    assert_eq!(program(&cast, &fourth).await.err(), bad);
    people::enable_person(&cast.console, &anna, cast.id("lucia")).await.unwrap();
    assert_eq!(program(&cast, &fourth).await.err(), bad, "it does not come back with the account");
    let fifth = token(&cast, "teodor", scopes).await;
    cast.world.clock.advance(TimeDelta::days(29));
    assert!(program(&cast, &fifth).await.is_ok());
    cast.world.clock.advance(TimeDelta::days(1));
    assert_eq!(program(&cast, &fifth).await.err(), bad);
    // Each end stands in the trail, and what is no token at all is slowed down.
    let ends = store::Narrow { action: Some("person.token_ended".into()), ..Default::default() };
    let ends = store::list(&mut cast.console.db().unseen().read().await.unwrap(), &ends, None, 50).await.unwrap();
    assert_eq!(ends.iter().filter(|row| row.outcome == "allowed").count(), 5);
    cast.world.clock.advance(TimeDelta::minutes(2));
    for _ in 0..10 {
        assert_eq!(program(&cast, "csp_nonsense").await.err(), bad);
    }
    assert_eq!(program(&cast, "csp_nonsense").await.err(), Some(Error::Refused(Refusal::TooManyAttempts)));
    let good = token(&cast, "iris", scopes).await;
    assert!(program(&cast, &good).await.is_ok(), "noise keeps no good token out");
    is_whole(&cast).await;
});

story!(a_forged_token_opens_nothing, |world| {
    let cast = Cast::new(world).await;
    let text = token(&cast, "lucia", &[Scope::ReadRotations]).await;
    for change in ["scopes = 'rotations:write'", &format!("person_id = '{}'", cast.id("iris"))] {
        cast.world.as_database_owner(&[&format!("UPDATE access_tokens SET {change}")]).await;
        assert_eq!(program(&cast, &text).await.err(), Some(Error::Refused(Refusal::BadToken)), "{change}");
    }
    let wrong = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong;
    assert!(wrong.len() == 1 && wrong[0].starts_with("access_tokens: pat_"), "{wrong:?}");
});

story!(only_so_many_and_so_long, |world| {
    let cast = Cast::new(world).await;
    let iris = cast.caller("iris").await;
    let make = |name: &'static str, scopes: &'static [Scope], days| {
        people::create_access_token(&cast.console, &iris, name, scopes, TimeDelta::days(days))
    };
    for (name, scopes, days) in [
        ("", Scope::ALL, 7),
        ("a\u{202e}b", Scope::ALL, 7),
        ("ci", &[], 7),
        ("ci", Scope::ALL, 0),
        ("ci", Scope::ALL, 91),
    ] {
        assert!(matches!(make(name, scopes, days).await.err(), Some(Error::Invalid(_))), "{name:?} {days}");
    }
    for _ in 0..20 {
        make("ci", Scope::ALL, 90).await.unwrap();
    }
    assert!(matches!(make("ci", Scope::ALL, 7).await.err(), Some(Error::Invalid(_))));
});

story!(a_rotation_is_begun_watched_and_settled_by_a_program, |world| {
    let (cast, router) = site(world).await;
    let secret = fetched(&cast, "api/key").await;
    let token = token(&cast, "iris", &[Scope::Rotate]).await;
    let name = json!({ "secret": "payments/staging/api/key" });
    let (status, checked) = post(&router, &token, "/api/v1/rotations/check", name.clone()).await;
    assert_eq!((status, &checked["will_work"]), (StatusCode::OK, &json!(true)), "{checked}");
    let (status, begun) = post(&router, &token, "/api/v1/rotations", name.clone()).await;
    assert_eq!(status, StatusCode::OK, "{begun}");
    let id = begun["rotation"].as_str().unwrap().to_owned();
    let (status, twice) = post(&router, &token, "/api/v1/rotations", json!({ "secret": secret })).await;
    assert_eq!((status, &twice["type"]), (StatusCode::CONFLICT, &json!("urn:countersign:rotation_open")));
    let open = get(&router, &token, "/api/v1/rotations?state=open").await;
    assert_eq!(open["items"][0]["id"], id);
    assert_eq!(open["items"][0]["secret"]["name"], "payments/staging/api/key");
    assert_eq!(get(&router, &token, "/api/v1/rotations?state=ended").await["items"], json!([]));
    rotations::run_due(&cast.console).await.unwrap();
    let detail = get(&router, &token, &format!("/api/v1/rotations/{id}")).await;
    assert_eq!(detail["rotation"]["step"], rotation(&cast, &id).await.step().code());
    let case = detail["cases"][0].as_str().unwrap().to_owned();
    let (status, hastened) = post(&router, &token, &format!("/api/v1/rotations/{id}/cut-off"), json!({})).await;
    assert_eq!(status, StatusCode::OK, "{hastened}");
    until_ended(&cast, &id).await;
    let detail = get(&router, &token, &format!("/api/v1/rotations/{id}")).await;
    assert_eq!((&detail["rotation"]["step"], &detail["rotation"]["grade"]), (&json!("closed"), &json!("unverified")));
    let events: Vec<&str> =
        detail["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!((events.last(), events.first()), (Some(&"rotation.started"), Some(&"rotation.closed")));
    assert_eq!(current(&cast, &secret).await, Some(2));
    let case = get(&router, &token, &format!("/api/v1/cases/{case}")).await;
    assert_eq!((&case["case"]["outcome"], &case["case"]["trigger"]), (&json!("unverified"), &json!("manual")));
    let figures = get(&router, &token, "/api/v1/figures/rotations?days=30&project=payments").await;
    let manual = figures["triggers"].as_array().unwrap().iter().find(|row| row["trigger"] == "manual").unwrap();
    assert_eq!((&manual["ended"], &manual["proved"], &manual["mean"]), (&json!(1), &json!(0), &Value::Null));
    let calendar = get(&router, &token, "/api/v1/rotations/calendar?days=92").await;
    assert!(calendar["items"].as_array().unwrap().iter().any(|item| item["state"] == "planned"), "{calendar}");
    // Paused and resumed.
    let pause = json!({ "secret": secret, "days": 3, "reason": "change freeze" });
    assert_eq!(post(&router, &token, "/api/v1/rotations/pause", pause).await.0, StatusCode::OK);
    assert_eq!(post(&router, &token, "/api/v1/rotations/unpause", name.clone()).await.0, StatusCode::OK);
    assert_eq!(post(&router, &token, "/api/v1/rotations/unpause", name.clone()).await.0, StatusCode::CONFLICT);
    // Begun once more and cancelled, with a reason.
    let (_, begun) = post(&router, &token, "/api/v1/rotations", name).await;
    let cancel = format!("/api/v1/rotations/{}/cancel", begun["rotation"].as_str().unwrap());
    let (status, silent) = post(&router, &token, &cancel, json!({ "comment": " " })).await;
    assert_eq!((status, &silent["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("comment")));
    assert_eq!(post(&router, &token, &cancel, json!({ "comment": "wrong day" })).await.0, StatusCode::OK);
    is_whole(&cast).await;
});

story!(what_a_program_sends_is_read_strictly_and_never_said_back, |world| {
    let (cast, router) = site(world).await;
    planned(&cast, "api/key").await;
    let token = token(&cast, "iris", &[Scope::Rotate]).await;
    for body in [
        "",
        "[]",
        "null",
        "{",
        &format!("{{\"secret\":\"{CANARY}\",\"secret\":\"b\"}}"),
        &format!("{{\"secret\":\"a\",\"{CANARY}\":1}}"),
        &format!("{{\"secret\":[\"{CANARY}\"]}}"),
        &format!("{{\"secret\":\"a\"}} {CANARY}"),
        &format!("{{\"secret\":{}\"{CANARY}\"{}}}", "[".repeat(500), "]".repeat(500)),
        &format!("{{\"secret\":\"{CANARY}\"}}"),
    ] {
        let (status, problem) = call(&router, &token, Method::POST, "/api/v1/rotations", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(!problem.to_string().contains(CANARY), "{problem}");
    }
    for query in ["?limit=0", "?limit=201", "?limit=x", "?state=all", "?nonsense=1", "?before=%00", "?before=rot_x"] {
        let (status, _) = call(&router, &token, Method::GET, &format!("/api/v1/rotations{query}"), "").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
    for name in [
        "payments/staging/api/KEY",
        "payments/production/api/key",
        "nothing/staging/api/key",
        "payments/staging/../key",
    ] {
        let (status, _) = post(&router, &token, "/api/v1/rotations", json!({ "secret": name })).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}");
    }
    for path in
        ["/api/v1/rotations?project=%00", "/api/v1/rotations/%00", "/api/v1/cases/rot_x", "/api/v1/cases?project=A"]
    {
        assert_eq!(call(&router, &token, Method::GET, path, "").await.0, StatusCode::NOT_FOUND, "{path}");
    }
    // A browser's cookie is no token, and a workload's secret neither.
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    let Answer { status, .. } = iris.get("/api/v1/rotations").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    for token in ["", "cst_none", &token[..token.len() - 1], "csp_"] {
        let (status, _) = call(&router, token, Method::GET, "/api/v1/rotations", "").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
});

story!(every_call_asks_for_its_scope_and_for_the_role_behind_it, |world| {
    let (cast, router) = site(world).await;
    let secret = fetched(&cast, "api/key").await;
    let (id, _) = rotations::start_rotation(&cast.console, &cast.caller("iris").await, &secret).await.unwrap();
    rotations::run_due(&cast.console).await.unwrap();
    let reading = token(&cast, "iris", &[Scope::ReadRotations]).await;
    let wrong_role = token(&cast, "lucia", &[Scope::Rotate]).await;
    for route in table() {
        let Access::Program(scope, action) = route.access else { continue };
        let path = route.path.replace("/cases/{id}", "/cases/cas_01m846kxs0e8kbcf2tpy8vep2a").replace("{id}", &id);
        let body = json!({ "secret": secret });
        let body = match route.path.rsplit('/').next().unwrap() {
            "pause" => json!({ "secret": secret, "days": 1, "reason": "x" }),
            "resolve" => json!({ "choice": "retry" }),
            "cancel" => json!({ "comment": "x" }),
            "roll-back" => json!({ "reason": "x" }),
            _ => body,
        }
        .to_string();
        cast.world.clock.advance(TimeDelta::seconds(61));
        cast.console.ledger.flush_repeats(false).await;
        let before = cast.events().await;
        let (status, _) = call(&router, &reading, route.method.clone(), &path, &body).await;
        if scope == Scope::ReadRotations {
            assert!([StatusCode::OK, StatusCode::NOT_FOUND].contains(&status), "{path}: {status}");
            continue;
        }
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        let refused =
            store::find(&mut cast.console.db().unseen().read().await.unwrap(), before).await.unwrap().unwrap();
        assert_eq!(
            (refused.action.as_str(), refused.reason.as_deref()),
            (action.code(), Some("token_scope")),
            "{path}"
        );
        let (status, _) = call(&router, &wrong_role, route.method.clone(), &path, &body).await;
        // A rotation that needs nobody has nothing to resolve, whoever asks.
        let fits = if route.path.ends_with("resolve") { StatusCode::CONFLICT } else { StatusCode::FORBIDDEN };
        assert_eq!(status, fits, "{path}");
    }
    assert_eq!(rotation(&cast, &id).await.step(), Step::Overlap);
});

story!(lists_come_in_pages_of_what_one_may_see, |world| {
    let (cast, router) = site(world).await;
    let (iris, anna) = (cast.caller("iris").await, cast.caller("anna").await);
    let mut wanted = BTreeSet::new();
    for path in ["a", "b", "c", "d", "e"] {
        let secret = planned(&cast, path).await;
        wanted.insert(rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap().0);
    }
    // A private project beside it, with a rotation of its own.
    let new = NewProject { slug: "hidden", name: "hidden", description: "", open: false, team: &cast.team };
    let (hidden, _) = catalog::create_project(&cast.console, &anna, new).await.unwrap();
    people::assign_role(&cast.console, &anna, cast.id("teodor"), app::policies::model::Role::Lead, Some(&hidden), None)
        .await
        .unwrap();
    let teodor = cast.caller("teodor").await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let project = catalog::store::find_project(&mut db, &hidden).await.unwrap().unwrap();
    let environments = catalog::store::environments(&mut db, &hidden, cast.console.seal_key()).await.unwrap();
    let environment = environments.into_iter().find(|row| row.tier() == Tier::Staging).unwrap();
    drop(db);
    let new = catalog::NewSecret {
        path: "f",
        kind: app::catalog::model::Kind::Opaque,
        class: Class::Normal,
        description: "",
        team: &cast.team,
    };
    let (secret, _) = catalog::create_secret(&cast.console, &teodor, &project, &environment, new).await.unwrap();
    cast.write_as(&teodor, &secret, 0, CANARY).await.unwrap();
    rotations::configure_rotation(&cast.console, &teodor, &secret, generated(60)).await.unwrap();
    let (unseen, _) = rotations::start_rotation(&cast.console, &teodor, &secret).await.unwrap();
    let token = token(&cast, "iris", &[Scope::ReadRotations]).await;
    for list in ["rotations", "cases"] {
        let (mut seen, mut pages, mut next) = (BTreeSet::new(), 0, String::new());
        loop {
            let page = get(&router, &token, &format!("/api/v1/{list}?limit=2{next}")).await;
            for item in page["items"].as_array().unwrap() {
                assert!(seen.insert(item["id"].as_str().unwrap().to_owned()), "each stands on one page");
                assert!(!item["secret"]["name"].as_str().unwrap().starts_with("hidden"));
            }
            pages += 1;
            match page["next"].as_str() {
                Some(last) => next = format!("&before={last}"),
                None => break,
            }
        }
        assert_eq!((seen.len(), pages), (5, 3), "{list}");
        assert!(list == "cases" || seen == wanted);
    }
    for path in ["/api/v1/rotations?project=hidden".to_owned(), format!("/api/v1/rotations/{unseen}")] {
        assert_eq!(call(&router, &token, Method::GET, &path, "").await.0, StatusCode::NOT_FOUND, "{path}");
    }
});

/// The description says exactly what the table of routes says, and every reference in it leads somewhere.
#[tokio::test]
async fn the_description_is_of_these_routes() {
    let (_cast, router) = site(World::sqlite().await).await;
    let answer = Browser::new(&router).get("/api/v1/openapi.json").await;
    let document: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let scope = call["security"][0]["personal"][0].as_str().map(ToOwned::to_owned);
            described.insert((method.to_uppercase(), path.clone(), scope));
        }
    }
    let routes = table().into_iter().filter_map(|route| {
        let scope = match route.access {
            Access::Program(scope, _) => Some(scope.code().to_owned()),
            Access::Machine(_) => None,
            Access::Open | Access::Own | Access::Person(_) => return None,
        };
        Some((route.method.to_string(), route.path.replace("{*", "{"), scope))
    });
    assert_eq!(described, routes.collect());
    let mut references = vec![&document];
    while let Some(value) = references.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
                }
                references.extend(members.values());
            }
            Value::Array(items) => references.extend(items),
            _ => {}
        }
    }
}

/// The real binary against a real listener, with a token in a file.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_rotates() {
    let cast = Cast::new(World::sqlite().await).await;
    let secret = fetched(&cast, "api/key").await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = router(Site::new(cast.console.clone(), BASE, None, true));
    let service = service.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(axum_server::from_tcp(listener).unwrap().serve(service));
    let file = cast.world.folder.path().join("token");
    std::fs::write(&file, format!("{}\n", token(&cast, "iris", &[Scope::Rotate]).await)).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let run = async |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.arg("rotations").args(arguments).args(["--url", &url, "--token-file", &file]);
        command.env_remove("COUNTERSIGN_TOKEN").env("no_proxy", "*");
        let out = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        (out.status.code().unwrap(), text)
    };
    let (code, text) = run(&["check", "payments/staging/api/key"]).await;
    assert!(code == 0 && text.starts_with("It will work"), "{code} {text}");
    let engine = cast.console.clone();
    let engine = tokio::spawn(async move {
        loop {
            rotations::run_due(&engine).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let (code, text) = run(&["start", "payments/staging/api/key", "--wait"]).await;
    engine.abort();
    assert!(code == 0 && text.contains("rotation.promoted"), "{code} {text}");
    assert_eq!(current(&cast, &secret).await, Some(2));
    let id = text.split("rot_").nth(1).unwrap().split(' ').next().unwrap();
    let id = format!("rot_{id}");
    let (code, text) = run(&["show", &id]).await;
    assert!(code == 0 && text.contains("step           overlap") && text.contains("rotation.started"), "{text}");
    let (code, text) = run(&["list", "--state", "open", "--json"]).await;
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()[0]["id"], id);
    for (arguments, wanted) in [
        (vec!["cut-off", &id], "Done (event "),
        (vec!["calendar"], "WHEN"),
        (vec!["cases"], "payments/staging/api/key v1"),
        (vec!["figures", "--days", "30"], "TRIGGER"),
    ] {
        let (code, text) = run(&arguments).await;
        assert!(code == 0 && text.contains(wanted), "{arguments:?}: {text}");
    }
    // What does not go is said in a sentence, and with an exit code.
    for (arguments, wanted) in [
        (vec!["cut-off", id.as_str()], "This was done already."),
        (vec!["resolve", &id, "retry"], "This was done already."),
        (vec!["start", "payments/staging/nothing"], "nothing here, or nothing that you may see"),
        (vec!["start", "payments"], "project/environment/path"),
        (vec!["pause", &secret, "--days", "31", "--reason", "x"], "days: Between one and 30 days."),
    ] {
        let (code, text) = run(&arguments).await;
        assert!(code == 1 && text.contains(wanted), "{arguments:?}: {code} {text}");
    }
    let gone = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["rotations", "list", "--url", "http://secrets.example"])
        .env("COUNTERSIGN_TOKEN", "csp_none")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&gone.stderr).contains("sent over TLS"), "{gone:?}");
}
