//! The trail, exports and the log through the API and the command line: what a token may, paging, files, and a witness that
//! sees a log grow, fork and fall silent.
use crate::{
    api::token,
    cast::Cast,
    http::{BASE, Browser, site},
    search::busy,
    story,
    support::World,
};
use app::{
    audit::{
        checkpoint::CosignerKey,
        evidence,
        tree::{leaf_hash, verify_inclusion},
    },
    people::tokens::Scope,
};
use axum::http::Method;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use server::{
    audit::{event_seal, store},
    console::Console,
    http::{Site, router},
    reports,
};
use std::process::Command;

async fn get(browser: &mut Browser, token: &str, path: &str) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let answer = browser.send(Method::GET, path, &[], &[("authorization", &bearer)]).await;
    (answer.status.as_u16(), serde_json::from_str(&answer.text).unwrap_or_default())
}

story!(the_trail_is_read_by_programs_as_far_as_their_owner_may, |world| {
    let (cast, router) = site(world).await;
    busy(&cast).await;
    let mut program = Browser::new(&router);
    let samir = token(&cast, "samir", &[Scope::ReadTrail]).await;
    // Every event once, a page at a time.
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(&mut program, &samir, &format!("/api/v1/events?q=actor:jonas&limit=3{before}")).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()));
        match page["next"].as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert!(seen.len() >= 5 && seen.windows(2).all(|pair| pair[0] > pair[1]));
    // One with its proof, which an outsider can check.
    let (status, one) = get(&mut program, &samir, &format!("/api/v1/events/{}", seen[0])).await;
    assert_eq!(status, 200);
    let head = cast.console.builder.verifier().open(one["checkpoint"].as_str().unwrap()).unwrap();
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let proof: Vec<_> = one["proof"].as_array().unwrap().iter().map(|hash| bytes(hash).try_into().unwrap()).collect();
    assert!(verify_inclusion(&leaf_hash(&bytes(&one["leaf"])), seen[0], head.size, &proof, &head.root));
    for (path, status) in [
        ("/api/v1/events?q=acter:x", 422),
        ("/api/v1/events?zone=Mars/Base", 422),
        ("/api/v1/events?limit=0", 422),
        ("/api/v1/events/99999999", 404),
        ("/api/v1/exports/rep_01m846kxs0e8kbcf2tpy8vep2a", 404),
        ("/api/v1/log/checkpoint", 403),
    ] {
        assert_eq!(get(&mut program, &samir, path).await.0, status, "{path}");
    }
    // A member's token reads nothing; a lead's only of what they lead; another scope nothing at all.
    let jonas = token(&cast, "jonas", &[Scope::ReadTrail]).await;
    assert_eq!(get(&mut program, &jonas, "/api/v1/events").await.0, 403);
    let iris = token(&cast, "iris", &[Scope::ReadTrail]).await;
    let (_, page) = get(&mut program, &iris, "/api/v1/events?limit=200").await;
    let project = cast.project.clone();
    assert!(page["items"].as_array().unwrap().iter().all(|event| event["project"] == project.as_str()));
    let rotations = token(&cast, "samir", &[Scope::Rotate]).await;
    assert_eq!(get(&mut program, &rotations, "/api/v1/events").await.0, 403);
    // An export, made and taken.
    let bearer = format!("Bearer {samir}");
    let ask = async |program: &mut Browser, body: Value| {
        let request = axum::http::Request::post("/api/v1/exports")
            .header("authorization", &bearer)
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        program.raw(request).await
    };
    assert_eq!(ask(&mut program, json!({ "kind": "nonsense" })).await.status, 422);
    let asked = ask(&mut program, json!({ "kind": "evidence", "q": "actor:jonas" })).await;
    let begun: Value = serde_json::from_str(&asked.text).unwrap();
    let id = begun["export"].as_str().unwrap();
    assert_eq!(get(&mut program, &samir, &format!("/api/v1/exports/{id}/file")).await.0, 409);
    reports::run_due(&cast.console).await.unwrap();
    let (_, job) = get(&mut program, &samir, &format!("/api/v1/exports/{id}")).await;
    assert_eq!((job["state"].as_str(), job["percent"].as_u64()), (Some("done"), Some(100)), "{job}");
    let mara = token(&cast, "mara", &[Scope::ReadTrail]).await;
    assert_eq!(get(&mut program, &mara, &format!("/api/v1/exports/{id}/file")).await.0, 404, "somebody else's");
});

/// A running console, and the command line against it.
struct Served {
    url: String,
    token: String,
}

async fn serve(console: &Console, cast: &Cast, login: &str, scope: Scope) -> Served {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = router(Site::new(console.clone(), BASE, None, true));
    let service = service.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(axum_server::from_tcp(listener).unwrap().serve(service));
    Served { url, token: token(cast, login, &[scope]).await }
}

async fn command(served: &Served, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).args(["--url", &served.url]).env("COUNTERSIGN_TOKEN", &served.token).env("no_proxy", "*");
    let out = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code().unwrap(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_searches_and_exports() {
    let cast = Cast::new(World::sqlite().await).await;
    busy(&cast).await;
    let served = serve(&cast.console, &cast, "samir", Scope::ReadTrail).await;
    let (code, text) = command(&served, &["trail", "search", "actor:jonas outcome:refused"]).await;
    assert!(code == 0 && text.starts_with("EVENT") && text.contains("Jonas Engineer"), "{text}");
    let (code, text) = command(&served, &["trail", "search", "acter:x"]).await;
    assert!(code == 1 && text.contains("Did you mean actor?"), "{code} {text}");
    let console = cast.console.clone();
    let maker = tokio::spawn(async move {
        loop {
            reports::run_due(&console).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let out = cast.world.folder.path().join("evidence.zip");
    let out = out.to_str().unwrap();
    let (code, text) = command(&served, &["trail", "export", "actor:jonas", "--out", out]).await;
    assert!(code == 0 && text.contains("SHA-256"), "{code} {text}");
    assert!(evidence::verify(&std::fs::read(out).unwrap(), Some(&cast.console.builder.verifier())).holds());
    let (code, text) = command(&served, &["trail", "export", "actor:jonas", "--out", out]).await;
    assert!(code == 1, "nothing is overwritten: {text}");
    let other = cast.world.folder.path().join("other.zip");
    let (code, _) = command(&served, &["trail", "export", "acter:x", "--out", other.to_str().unwrap()]).await;
    assert!(code == 1 && !other.exists(), "nothing half-written stays");
    maker.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_cosigns_what_grows_and_finds_what_was_rewritten() {
    let mut world = World::sqlite().await;
    let state = world.folder.path().join("witness");
    let state = state.to_str().unwrap().to_owned();
    let printed = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["witness", "--name", "basel-1.example/witness", "--state", &state, "--print-key"])
        .output()
        .unwrap();
    let key = CosignerKey::parse(&String::from_utf8_lossy(&printed.stdout)).unwrap();
    world.instance.witnesses = vec![key];
    let cast = Cast::new(world).await;
    let served = serve(&cast.console, &cast, "samir", Scope::Witness).await;
    let look = ["witness", "--name", "basel-1.example/witness", "--state", &state, "--once"];
    let (code, text) = command(&served, &look).await;
    assert!(code == 0 && text.contains("continues what was seen") && !text.contains("not taken"), "{code} {text}");
    busy(&cast).await;
    let (code, text) = command(&served, &look).await;
    assert!(code == 0 && text.contains("continues what was seen"), "{code} {text}");
    let heads = store::cosigned_heads(&mut cast.console.db().unseen().read().await.unwrap()).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(heads[0].size as u64, cast.console.builder.signed().size.min(heads[0].size as u64));
    // Whoever is not a known witness is not heard.
    let stranger = cast.world.folder.path().join("stranger");
    let (code, text) =
        command(&served, &["witness", "--name", "other.example/w", "--state", stranger.to_str().unwrap(), "--once"])
            .await;
    assert!(code == 0 && text.contains("No witness of this name is known here"), "{text}");
    // The page says who saw what.
    let router = router(Site::new(cast.console.clone(), BASE, None, true));
    let mut samir = Browser::signed_in(&cast, &router, "samir").await;
    let page = samir.get("/log").await;
    assert!(page.text.contains("basel-1.example/witness") && page.text.contains("cosigned"));
    // A log whose owner rewrote an event, sealed it and signed everything again, with the keys.
    let before = cast.console.builder.build().await.unwrap();
    cast.world.without_triggers().await;
    cast.world
        .as_database_owner(&[
            "DELETE FROM audit_checkpoints",
            "DELETE FROM audit_tiles",
            "UPDATE audit_events SET leaf = CAST(REPLACE(CAST(leaf AS TEXT), 'request.submitted', 'request.withdrawn') AS BLOB) WHERE action = 'request.submitted'",
        ])
        .await;
    let mut db = cast.world.instance.db.unseen().read().await.unwrap();
    let leaves = store::sealed_leaves(&mut db, 0, before.size, before.size).await.unwrap();
    drop(db);
    let key = &cast.world.instance.keys.event_seal;
    for row in leaves {
        let seal = app::audit::tree::hex(&event_seal::seal(key, row.seq as u64, &row.leaf));
        let seal = format!("UPDATE audit_events SET seal = x'{seal}' WHERE seq = {}", row.seq);
        cast.world.as_database_owner(&[&seal]).await;
    }
    let again = server::instance::Instance::attach(
        cast.world.instance.db.clone(),
        &cast.world.files,
        cast.world.clock.clone(),
        server::audit::anchor::Anchors::default(),
    )
    .await
    .unwrap();
    let rewritten = Console::new(&again, "Test").unwrap();
    assert_ne!(rewritten.builder.build().await.unwrap().note, before.note, "signed, and another history");
    let forged = serve(&rewritten, &cast, "samir", Scope::Witness).await;
    let (code, text) = command(&forged, &look).await;
    assert!(code == 2 && text.contains("FORKED"), "{code} {text}");
    let (code, _) = command(&Served { url: "http://127.0.0.1:1".into(), token: forged.token.clone() }, &look).await;
    assert_eq!(code, 3, "nobody there");
}
