//! The real router, asked as a browser without JavaScript and as a pipeline would: every route by enumeration, the headers,
//! the origin check, and a canary value that may be found in one place alone.
use crate::{
    cast::{CANARY, Cast, PASSWORD, Pocket},
    story,
    support::World,
};
use app::policies::model::{Class, Tier};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use server::{
    audit::store,
    console::Console,
    http::{
        Site, router,
        routes::{Access, table},
    },
};
use std::{collections::BTreeSet, sync::Arc};
use tower::ServiceExt;

pub const BASE: &str = "http://127.0.0.1:8400";

#[derive(Clone)]
pub struct Browser {
    router: Router,
    cookies: Vec<(String, String)>,
    /// Whoever sits before it answers questions for a second factor with what they have.
    hand: Option<(Console, Arc<Pocket>)>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }
}

impl Browser {
    pub fn new(router: &Router) -> Self {
        Self { router: router.clone(), cookies: Vec::new(), hand: None }
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(path);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if !headers.iter().any(|(name, _)| *name == "sec-fetch-site") {
                request = request.header("sec-fetch-site", "same-origin");
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = serde_urlencoded::to_string(form).unwrap();
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value));
            }
        }
        let bytes = to_bytes(body, 10_000_000).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let (Some((console, pocket)), Some(proof)) = (&self.hand, question(&text)) {
            let code = pocket.next(console.now());
            let hand = self.hand.take();
            let answer = Box::pin(self.post(path, &[("proof", &proof), ("code", &code)])).await;
            self.hand = hand;
            return answer;
        }
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// A request as it is, without cookies.
    pub async fn raw(&mut self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 10_000_000).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// From now on questions are answered with this login's authenticator, if there is one.
    pub fn take_up(&mut self, cast: &Cast, login: &str) {
        self.hand = cast.pocket(login).map(|pocket| (cast.console.clone(), pocket));
    }

    /// The same with an authenticator that somebody enrolled just now.
    pub fn hold(&mut self, console: &Console, pocket: Pocket) {
        self.hand = Some((console.clone(), Arc::new(pocket)));
    }

    /// From now on questions stay questions.
    pub fn put_away(&mut self) {
        self.hand = None;
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], &[]).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, form, &[]).await
    }

    /// Somebody before their browser, with their authenticator at hand.
    pub async fn signed_in(cast: &Cast, router: &Router, login: &str) -> Self {
        let mut browser = Self::new(router);
        browser.take_up(cast, login);
        let answer = browser.post("/sign-in", &[("login", login), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{login}: {}", answer.text);
        browser
    }
}

/// The sealed question of a page that asks for a second factor.
pub fn question(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("name=\"proof\" value=\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

pub async fn site(world: World) -> (Cast, Router) {
    let cast = Cast::new(world).await;
    let router = router(Site::new(cast.console.clone(), BASE, None, true));
    (cast, router)
}

/// A route's path with ids that could be real.
pub fn filled(path: &str, secret: &str) -> String {
    path.replace("/secrets/{id}", &format!("/secrets/{secret}"))
        .replace("{version}", "1")
        .replace("{seq}", "0")
        .replace("{level}", "0")
        .replace("{*n}", "000")
        .replace("{slug}", "payments")
        .replace("{project}", "payments")
        .replace("{environment}", "production")
        .replace("{*path}", "db/password")
        .replace("{name}", "none.css")
        .replace("{token}", "csl_none")
        .replace("{id}", "req_01m846kxs0e8kbcf2tpy8vep2a")
}

story!(every_route_refuses_anonymous_callers, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    let events = cast.events().await;
    for route in table() {
        let path = filled(route.path, &secret);
        // Noise is slowed down within a minute.
        cast.world.clock.advance(chrono::TimeDelta::seconds(61));
        let mut browser = Browser::new(&router);
        let answer = browser.send(route.method.clone(), &path, &[], &[]).await;
        match route.access {
            Access::Open => assert!(answer.status != StatusCode::INTERNAL_SERVER_ERROR, "{path}"),
            Access::Machine(_) | Access::Program(..) => {
                assert!(
                    [StatusCode::UNAUTHORIZED, StatusCode::UNPROCESSABLE_ENTITY].contains(&answer.status),
                    "{path} {}",
                    answer.status
                );
                assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
            }
            Access::Person(_) | Access::Own if route.method == Method::GET && !path.starts_with("/log/") => {
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
                assert!(answer.location().starts_with("/sign-in?next="), "{path}");
            }
            Access::Person(_) | Access::Own => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}"),
        }
        assert!(!answer.text.contains(CANARY), "{path}");
    }
    // Only refused sign-ins and bearers are events; nothing was changed.
    let mut db = cast.console.db().unseen().read().await.unwrap();
    for seq in events..cast.events().await {
        let row = store::find(&mut db, seq).await.unwrap().unwrap();
        assert_eq!(row.outcome, "refused", "{}", row.action);
    }
});

story!(every_change_refuses_the_wrong_role_and_says_so_in_the_trail, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    let open = cast.ask("iris", &secret, app::policies::model::Right::Read, 60).await.unwrap();
    let iris = cast.caller("iris").await;
    let environment = cast.environment(Tier::Production).clone();
    let project = cast.project().await;
    let (workload, _) =
        server::workloads::create_workload(&cast.console, &iris, &project, &environment, "w", "w", &cast.team)
            .await
            .unwrap();
    server::workloads::issue_credential(&cast.console, &iris, &workload, chrono::TimeDelta::days(1)).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let credential =
        server::workloads::store::credentials(&mut db, &workload, cast.console.seal_key()).await.unwrap()[0].id.clone();
    let grant = { cast.granted("iris", &secret, 60).await };
    let role =
        server::people::store::roles(&mut db, cast.console.now(), cast.console.seal_key()).await.unwrap()[0].id.clone();
    let membership = server::people::store::memberships(&mut db, None, cast.console.now(), cast.console.seal_key())
        .await
        .unwrap()[0]
        .id
        .clone();
    drop(db);
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    let anna = cast.caller("anna").await;
    server::people::providers::name_emergency_account(&cast.console, &anna, cast.id("anna")).await.unwrap();
    let settings = app::people::provider::Settings {
        name: "Example ID".into(),
        issuer: "https://id.example".into(),
        client_id: "c".into(),
        groups_claim: "groups".into(),
        admits: false,
        acr: None,
        max_age: None,
    };
    let secret_of_client = zeroize::Zeroizing::new("s".to_owned());
    server::people::providers::add_provider(&cast.console, &anna, settings, secret_of_client).await.unwrap();
    let provider = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let rows = server::people::providers::store::providers(&mut db, cast.console.seal_key()).await.unwrap();
        rows[0].provider_id.clone()
    };
    let gives = app::people::provider::Gives::Team { team: cast.team.clone() };
    server::people::providers::groups::set_group_rule(&cast.console, &anna, &provider, "g", gives).await.unwrap();
    let rule = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let rows = server::people::providers::store::rules(&mut db, &provider, cast.console.seal_key()).await.unwrap();
        rows[0].id.clone()
    };
    // What one member may do about themselves is no wrong role.
    let own = [
        "/account/delegate",
        "/account/password",
        "/account/sessions/end",
        "/account/factors/codes",
        "/sessions/{id}/end",
        "/sign-out",
        "/requests",
        "/requests/{id}/decide",
        "/requests/{id}/withdraw",
    ];
    let mut asked = BTreeSet::new();
    for route in table().into_iter().filter(|route| route.method == Method::POST) {
        let Access::Person(action) = route.access else { continue };
        if own.contains(&route.path) {
            continue;
        }
        let path = filled(route.path, &secret)
            .replace(
                "/people/req_01m846kxs0e8kbcf2tpy8vep2a/emergency",
                &format!("/people/{}/emergency", cast.id("anna")),
            )
            .replace("/people/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/people/{}", cast.id("jonas")))
            .replace("/providers/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/providers/{provider}"))
            .replace("/group-rules/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/group-rules/{rule}"))
            .replace("/environments/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/environments/{}", environment.id))
            .replace("/workloads/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/workloads/{workload}"))
            .replace("/credentials/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/credentials/{credential}"))
            .replace("/grants/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/grants/{grant}"))
            .replace("/roles/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/roles/{role}"))
            .replace("/memberships/req_01m846kxs0e8kbcf2tpy8vep2a", &format!("/memberships/{membership}"));
        let form = [
            ("slug", "fresh"),
            ("name", "Fresh"),
            ("team_name", "Fresh"),
            ("login", "fresh"),
            ("description", ""),
            ("team", &cast.team),
            ("role", "admin"),
            ("environment", &environment.id),
            ("path", "fresh"),
            ("kind", "opaque"),
            ("class", "low"),
            ("seen", "0"),
            ("tier", "test"),
            ("days", "1"),
            ("generation", "1"),
            ("expected", "1"),
            ("field.value", "x"),
            ("purpose", "looking"),
            ("format", "env"),
            ("text", "A=1"),
            ("stash", "none"),
            ("visibility", "open"),
            ("person", cast.id("jonas")),
            ("issuer", "https://other.example"),
            ("client_id", "c"),
            ("client_secret", "s"),
            ("groups_claim", "groups"),
            ("group", "admins"),
            ("gives", "role:admin"),
            ("do", "set"),
        ];
        // Repeats within a minute are only counted.
        cast.world.clock.advance(chrono::TimeDelta::seconds(61));
        cast.console.ledger.flush_repeats(false).await;
        let before = cast.events().await;
        let answer = lucia.post(&path, &form).await;
        assert!(
            [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.text.contains(CANARY), "{path}");
        if answer.status == StatusCode::FORBIDDEN {
            asked.insert(action.code());
            let mut db = cast.console.db().unseen().read().await.unwrap();
            let refused = store::find(&mut db, before).await.unwrap();
            assert!(
                refused.is_some_and(|row| row.outcome == "refused" && row.action == action.code()),
                "{path} left no refusal"
            );
        }
    }
    assert!(asked.len() >= 31, "{} actions were refused and recorded: {asked:?}", asked.len());
    assert_eq!(cast.request(&open).await.outcome, None);
});

story!(people_get_through_the_path_with_forms_alone, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    let (mut jonas, mut iris) =
        (Browser::signed_in(&cast, &router, "jonas").await, Browser::signed_in(&cast, &router, "iris").await);
    let form = jonas.get(&format!("/requests/new?secret={secret}")).await.text;
    let form_id = form.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let fields =
        [("form", form_id.as_str()), ("secret", &secret), ("right", "read"), ("minutes", "60"), ("reason", "T-1")];
    let sent = jonas.post("/requests", &fields).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    let request = sent.location().to_owned();
    assert_eq!(jonas.post("/requests", &fields).await.location(), request, "sent twice is one request");
    assert!(jonas.get(&request).await.text.contains("It is not access yet"), "the flash message is said once");
    assert!(!jonas.get(&request).await.text.contains("It is not access yet"));
    assert!(iris.get("/inbox").await.text.contains("Jonas Engineer"));
    let page = iris.get(&request).await.text;
    let digest = page.split("name=\"digest\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let path = format!("{request}/decide");
    let stale = iris.post(&path, &[("digest", "x"), ("answer", "approve"), ("comment", "")]).await;
    assert_eq!(stale.status, StatusCode::FORBIDDEN);
    assert_eq!(
        iris.post(&path, &[("digest", &digest), ("answer", "approve"), ("comment", "")]).await.status,
        StatusCode::SEE_OTHER
    );
    let silent = jonas.post(&format!("/secrets/{secret}/reveal"), &[("purpose", " ")]).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    let revealed = jonas.post(&format!("/secrets/{secret}/reveal"), &[("purpose", "T-1")]).await;
    assert_eq!(revealed.status, StatusCode::OK);
    assert!(revealed.text.contains(&format!("<output>{CANARY}</output>")));
    assert_eq!(revealed.headers[header::CACHE_CONTROL], "no-store");
    assert!(!revealed.text.contains("<script"), "the document with the value runs nothing");
});

story!(a_value_is_found_nowhere_but_where_it_was_asked_for, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    cast.take("jonas", &secret, server::vault::Take::Reveal).await.unwrap();
    for login in ["anna", "mara", "samir", "iris", "jonas", "lucia"] {
        let mut browser = Browser::signed_in(&cast, &router, login).await;
        for route in table().into_iter().filter(|route| route.method == Method::GET) {
            let path = filled(route.path, &secret);
            let answer = browser.get(&path).await;
            assert!(answer.status.as_u16() < 500 || path == "/readyz", "{login} {path}: {}", answer.status);
            assert!(!answer.text.contains(CANARY), "{login} {path}");
        }
    }
    // Not in the trail, and not in the database in the clear.
    let mut db = cast.console.db().unseen().read().await.unwrap();
    for (_, leaf) in store::leaves(&mut db, 0, i64::MAX as u64, 100_000).await.unwrap() {
        assert!(!String::from_utf8_lossy(&leaf).contains(CANARY));
    }
    for (.., value) in store::disclosures(&mut db, 0, i64::MAX as u64 - 1).await.unwrap() {
        assert!(!value.contains(CANARY));
    }
    if cast.world.url.is_none() {
        for file in std::fs::read_dir(cast.world.folder.path()).unwrap().flatten().filter(|file| file.path().is_file())
        {
            let bytes = std::fs::read(file.path()).unwrap();
            assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "{:?}", file.path());
        }
    }
    // A form that is refused does not show what was typed as a value.
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    let writing = format!("/secrets/{secret}/write");
    for form in
        [[("expected", "0"), ("field.value", CANARY)], [("expected", "1"), ("field.value", &format!(" {CANARY} "))]]
    {
        let answer = iris.post(&writing, &form).await;
        assert!(answer.status.is_client_error() && !answer.text.contains(CANARY), "{}", answer.status);
    }
});

story!(answers_carry_the_headers_that_browsers_are_bound_by, |world| {
    let (cast, router) = site(world).await;
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    for path in ["/", "/sign-in", "/nothing-here", "/projects", "/livez"] {
        let answer = mara.get(path).await;
        let csp = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe-inline"), "{path}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{path}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(answer.headers.contains_key("x-request-id"));
        assert!(!answer.text.contains(" style=") && !answer.text.contains("<style"), "{path}");
    }
    let cookie = mara.cookies.iter().find(|(name, _)| name == "__Host-session").unwrap().1.clone();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let stored = server::people::store::load_browser(&mut db, cookie.as_bytes(), cast.console.now()).await.unwrap();
    assert!(stored.is_none(), "the cookie's text itself is stored nowhere");
});

story!(forms_from_elsewhere_change_nothing, |world| {
    let (cast, router) = site(world).await;
    let mut anna = Browser::signed_in(&cast, &router, "anna").await;
    let before = cast.events().await;
    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site"), ("origin", BASE)],
        vec![("sec-fetch-site", "none")],
    ] {
        let answer = anna.send(Method::POST, "/teams", &[("slug", "evil"), ("team_name", "Evil")], &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(cast.events().await, before);
    let huge = "x".repeat(1_100_000);
    assert_eq!(anna.post("/teams", &[("slug", &huge)]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let odd = anna.send(Method::POST, "/api/v1/token", &[], &[("content-type", "application/json")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
});

story!(a_session_gets_a_new_id_at_sign_in, |world| {
    let (cast, router) = site(world).await;
    let mut browser = Browser::signed_in(&cast, &router, "mara").await;
    let first = browser.cookies.clone();
    let signed_out = browser.post("/sign-out", &[]).await;
    assert_eq!(signed_out.status, StatusCode::SEE_OTHER);
    browser.cookies.clone_from(&first);
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "the old cookie is worth nothing");
    browser.post("/sign-in", &[("login", "mara"), ("password", PASSWORD)]).await;
    let id =
        |cookies: &[(String, String)]| cookies.iter().find(|(name, _)| name == "__Host-session").unwrap().1.clone();
    assert_ne!(id(&first), id(&browser.cookies));
    let open = browser.get("/sign-in?next=//evil.example").await;
    assert_eq!(open.location(), "/", "never to another site");
});

story!(the_log_answers_as_c2sp_lays_it_out, |world| {
    let (cast, router) = site(world).await;
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    let note = mara.get("/log/checkpoint").await.text;
    let checkpoint = cast.world.instance.builder.verifier().open(&note).unwrap();
    assert!(checkpoint.size > 10);
    assert_eq!(mara.get("/log/tile/0/000").await.status, StatusCode::NOT_FOUND, "not full yet");
    let tile = mara.get("/log/tile/0/000.p/3").await;
    assert_eq!(tile.status, StatusCode::OK);
    let proof: serde_json::Value = serde_json::from_str(&mara.get("/log/proof/2").await.text).unwrap();
    assert_eq!(proof["seq"], 2);
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    assert_eq!(lucia.get("/log/proof/2").await.status, StatusCode::FORBIDDEN);
    assert_eq!(Browser::new(&router).get("/log/checkpoint").await.status, StatusCode::UNAUTHORIZED);
});
