//! Asking, withdrawing and giving back by a program; its owner's requests and grants; the dashboard's figures and signals.
use crate::{
    api::{call, get, post, token},
    http::site,
    story,
};
use app::{
    people::tokens::Scope,
    policies::model::{Class, Right, Tier},
};
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{requests, vault::Take};

story!(requests_and_grants_are_read_as_far_as_their_owner_may, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/one", Tier::Staging, Class::Normal).await;
    let mut asked = Vec::new();
    for _ in 0..3 {
        let id = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
        requests::withdraw_request(&cast.console, &cast.caller("jonas").await, &id).await.unwrap();
        asked.push(id);
        cast.world.clock.advance(TimeDelta::minutes(1));
    }
    asked.push(cast.ask("jonas", &secret, Right::Read, 60).await.unwrap());
    let jonas = token(&cast, "jonas", &[Scope::ReadAccess]).await;
    let teodor = token(&cast, "teodor", &[Scope::ReadAccess]).await;
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    // Page by page, the newest first.
    let first = get(&router, &jonas, "/api/v1/requests?limit=3").await;
    let next = first["next"].as_str().unwrap();
    let second = get(&router, &jonas, &format!("/api/v1/requests?limit=3&before={next}")).await;
    assert!(second["next"].is_null());
    let mut seen = [ids(&first), ids(&second)].concat();
    seen.reverse();
    assert_eq!(seen, asked);
    let states: Vec<&str> =
        first["items"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["in_review", "withdrawn", "withdrawn"]);
    // Whoever can decide it has it in the inbox, until it is decided; nobody's list holds others' requests.
    assert_eq!(ids(&get(&router, &teodor, "/api/v1/requests?of=inbox").await), [asked[3].clone()]);
    assert!(ids(&get(&router, &jonas, "/api/v1/requests?of=inbox").await).is_empty());
    assert!(ids(&get(&router, &teodor, "/api/v1/requests").await).is_empty());
    assert!(ids(&get(&router, &jonas, "/api/v1/grants").await).is_empty());
    cast.approve("teodor", &asked[3]).await.unwrap();
    assert!(ids(&get(&router, &teodor, "/api/v1/requests?of=inbox").await).is_empty());
    let path = format!("/api/v1/requests/{}", asked[3]);
    let detail = get(&router, &jonas, &path).await;
    assert_eq!(detail["request"]["state"], "approved");
    assert_eq!(detail["decisions"][0]["person"], cast.id("teodor"));
    assert_eq!(detail["decisions"][0]["stands"], true);
    // What it led to, until it ends by itself.
    let held = get(&router, &jonas, "/api/v1/grants").await;
    assert_eq!(held["items"][0]["id"], detail["request"]["grant"]);
    assert_eq!(held["items"][0]["state"], "active");
    assert_eq!(held["items"][0]["secrets"][0]["id"], secret);
    assert!(ids(&get(&router, &teodor, "/api/v1/grants").await).is_empty());
    cast.world.clock.advance(TimeDelta::minutes(61));
    assert!(ids(&get(&router, &jonas, "/api/v1/grants").await).is_empty());
    // Somebody else's request is not there for whoever may not see it; nor is what was made up.
    let lucia = token(&cast, "lucia", &[Scope::ReadAccess]).await;
    assert_eq!(call(&router, &lucia, Method::GET, &path, "").await.0, StatusCode::NOT_FOUND);
    for wrong in ["?limit=0", "?before=rot_1", "?of=all", "?of=own&x=1"] {
        let (status, _) = call(&router, &jonas, Method::GET, &format!("/api/v1/requests{wrong}"), "").await;
        assert!([StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST].contains(&status), "{wrong} {status}");
    }
});

story!(a_program_asks_withdraws_and_gives_back, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/one", Tier::Staging, Class::Normal).await;
    cast.filled("db/dev", Tier::Development, Class::Normal).await;
    cast.filled("db/prod", Tier::Production, Class::Normal).await;
    let reads = token(&cast, "jonas", &[Scope::ReadAccess]).await;
    let jonas = token(&cast, "jonas", &[Scope::AskAccess]).await;
    let ask = |path: &str| json!({ "secrets": [path], "minutes": 60, "reason": "PAY-1: the job fails." });
    let (status, _) = post(&router, &reads, "/api/v1/requests", ask("payments/staging/db/one")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "reading is not asking");
    // Sent twice under one name it is one request; another's same name is another request.
    let mut named = ask("payments/staging/db/one");
    named["once"] = "deploy 17".into();
    let (status, first) = post(&router, &jonas, "/api/v1/requests", named.clone()).await;
    assert_eq!((status, &first["granted"]), (StatusCode::OK, &json!(false)), "{first}");
    assert_eq!(post(&router, &jonas, "/api/v1/requests", named.clone()).await.1, first);
    let mut changed = named.clone();
    changed["minutes"] = 61.into();
    assert_eq!(post(&router, &jonas, "/api/v1/requests", changed).await.0, StatusCode::CONFLICT);
    let iris = token(&cast, "iris", &[Scope::AskAccess]).await;
    assert_ne!(post(&router, &iris, "/api/v1/requests", named).await.1["request"], first["request"]);
    // Nobody withdraws what somebody else asked for; withdrawn, it is over.
    let path = format!("/api/v1/requests/{}", first["request"].as_str().unwrap());
    let (status, _) = post(&router, &iris, &format!("{path}/withdraw"), json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(post(&router, &jonas, &format!("{path}/withdraw"), json!({})).await.0, StatusCode::OK);
    assert_eq!(get(&router, &jonas, &path).await["request"]["state"], "withdrawn");
    assert_eq!(post(&router, &jonas, &format!("{path}/withdraw"), json!({})).await.0, StatusCode::FORBIDDEN);
    // Where nobody decides, access begins at once; it is given back.
    let (_, given) = post(&router, &jonas, "/api/v1/requests", ask("payments/development/db/dev")).await;
    assert_eq!(given["granted"], true, "{given}");
    // Whoever lost the answer hears the same again; for another workload it is another request.
    let mut named = ask("payments/development/db/dev");
    named["once"] = "lost".into();
    let first = post(&router, &iris, "/api/v1/requests", named.clone()).await.1;
    assert_eq!(
        (&first["granted"], &post(&router, &iris, "/api/v1/requests", named.clone()).await.1),
        (&json!(true), &first)
    );
    let held = get(&router, &jonas, "/api/v1/grants").await;
    let grant = held["items"][0]["id"].as_str().unwrap().to_owned();
    let back = format!("/api/v1/grants/{grant}/give-back");
    assert_eq!(post(&router, &iris, &back, json!({})).await.0, StatusCode::FORBIDDEN);
    assert_eq!(post(&router, &jonas, &back, json!({})).await.0, StatusCode::OK);
    assert_eq!(post(&router, &jonas, &back, json!({})).await.0, StatusCode::CONFLICT);
    assert!(get(&router, &jonas, "/api/v1/grants").await["items"].as_array().unwrap().is_empty());
    // What is wrong is said at its place, and nothing is asked for.
    let none = |member: &str, value: Value| {
        let mut wrong = ask("payments/staging/db/one");
        wrong[member] = value;
        wrong
    };
    for (wrong, status) in [
        (none("secrets", json!([])), StatusCode::UNPROCESSABLE_ENTITY),
        (none("secrets", json!(["payments/staging/none"])), StatusCode::NOT_FOUND),
        (
            none("secrets", json!(["payments/staging/db/one", "payments/production/db/prod"])),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (none("secrets", json!(vec!["payments/staging/db/one"; 101])), StatusCode::UNPROCESSABLE_ENTITY),
        (none("minutes", json!(0)), StatusCode::UNPROCESSABLE_ENTITY),
        (none("minutes", json!(9_000_000)), StatusCode::UNPROCESSABLE_ENTITY),
        (none("right", json!("own")), StatusCode::UNPROCESSABLE_ENTITY),
        (none("reason", json!("")), StatusCode::UNPROCESSABLE_ENTITY),
        (none("reason", json!("AKIA0000")), StatusCode::UNPROCESSABLE_ENTITY),
        (none("once", json!("")), StatusCode::UNPROCESSABLE_ENTITY),
        (none("starts_at", json!("2020-01-01T00:00:00Z")), StatusCode::UNPROCESSABLE_ENTITY),
        (none("workload", json!("wkl_none")), StatusCode::NOT_FOUND),
        (none("more", json!(1)), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (met, said) = post(&router, &jonas, "/api/v1/requests", wrong.clone()).await;
        assert_eq!(met, status, "{wrong} {said}");
    }
    // An auditor asks for nothing, with whatever token.
    let samir = token(&cast, "samir", &[Scope::AskAccess]).await;
    let (status, _) = post(&router, &samir, "/api/v1/requests", ask("payments/staging/db/one")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (mut db, key) = (cast.console.db().unseen().read().await.unwrap(), cast.console.seal_key());
    let open = requests::store::open_in(&mut db, None, "", cast.console.now(), 100, key).await.unwrap();
    drop(db);
    assert_eq!(open.len(), 1, "iris's alone waits");
    assert!(cast.take("jonas", &secret, Take::Copy).await.is_err(), "asking is not access");
});

story!(figures_and_signals_are_read_by_programs, |world| {
    let (cast, router) = site(world).await;
    for n in 0..12 {
        let secret = cast.secret(&format!("door/{n}"), Tier::Staging, Class::Normal).await;
        assert!(cast.take("lucia", &secret, Take::Copy).await.is_err());
    }
    let samir = token(&cast, "samir", &[Scope::ReadTrail]).await;
    let board = get(&router, &samir, "/api/v1/figures/dashboard?range=7d").await;
    let figures = board["figures"].as_array().unwrap();
    let failed = figures.iter().find(|figure| figure["title"] == "Failed attempts").unwrap();
    assert!(failed["figure"] == "12" && failed["behind"].as_str().unwrap().starts_with("/audit?"), "{failed}");
    let taken = figures.iter().find(|figure| figure["title"].as_str().unwrap().starts_with("Automated")).unwrap();
    assert_eq!(taken["figure"], "—", "what is unknown is not 0");
    for wrong in ["?range=9d", "?zone=Mars/Base", "?project=none"] {
        let (status, _) = call(&router, &samir, Method::GET, &format!("/api/v1/figures/dashboard{wrong}"), "").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    let page = get(&router, &samir, "/api/v1/signals?state=open&detector=refusal_burst").await;
    let signal = &page["items"][0];
    assert_eq!((signal["actor"].as_str(), signal["evidence"]["count"].as_u64()), (Some(cast.id("lucia")), Some(10)));
    assert_eq!(signal["events"].as_array().unwrap().len(), 10);
    let path = format!("/api/v1/signals/{}", signal["id"].as_str().unwrap());
    assert_eq!(&get(&router, &samir, &path).await, signal);
    assert!(get(&router, &samir, "/api/v1/signals?state=closed").await["items"].as_array().unwrap().is_empty());
    for wrong in ["?state=done", "?detector=none", "?limit=0", "?before=x", "?before=odd_hours-1"] {
        let (status, _) = call(&router, &samir, Method::GET, &format!("/api/v1/signals{wrong}"), "").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(call(&router, &samir, Method::GET, "/api/v1/signals/none-1", "").await.0, StatusCode::NOT_FOUND);
    let jonas = token(&cast, "jonas", &[Scope::ReadTrail]).await;
    for path in ["/api/v1/signals", &path, "/api/v1/figures/dashboard"] {
        assert_eq!(call(&router, &jonas, Method::GET, path, "").await.0, StatusCode::FORBIDDEN, "{path}");
    }
});
