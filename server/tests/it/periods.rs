//! Auditors of a period: its events, exports and bundles; nothing of before, of later, or of what is now.
use crate::{
    cast::Cast,
    http::{Browser, filled, site},
    policies::{confirm, grown},
    story,
};
use app::{
    audit::evidence::verify,
    error::{Error, Refusal},
    people::period::Period,
    policies::model::{Class, Right, Role, Tier},
    reports::model::{Format, Kind},
    time::Moment,
};
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use server::{
    audit::search::Reading,
    catalog::{self, NewProject},
    controls::Submitted,
    http::routes::{Access, table},
    people,
    reports::{self, Download, Wanted},
    vault::Take,
};

/// Lucia audits the payments project, or everything, for a period; by two.
async fn auditor(cast: &Cast, project: bool, period: Period) {
    let anna = cast.caller("anna").await;
    let project = project.then_some(cast.project.as_str());
    let given = people::assign_auditor(&cast.console, &anna, cast.id("lucia"), project, None, period);
    if let Submitted::Waits { id, .. } = given.await.unwrap() {
        confirm(cast, "mara", &id).await.unwrap();
    }
}

/// An event each hour, of an attempt at a value; when the third was.
async fn attempts(cast: &Cast) -> (String, Moment) {
    let secret = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    let mut third = cast.console.now();
    for number in 0..6 {
        cast.world.clock.advance(TimeDelta::hours(1));
        if number == 2 {
            third = cast.console.now();
        }
        assert!(cast.take("jonas", &secret, Take::Reveal).await.is_err());
    }
    cast.console.builder.build().await.unwrap();
    (secret, third)
}

fn around(at: Moment) -> Period {
    Period { from: at, until: at + TimeDelta::hours(2) }
}

fn wanted(kind: Kind) -> Wanted<'static> {
    Wanted { kind, format: Format::Csv, query: "", zone: "UTC", redacted: false, raw: false, sample: 0, nonce: "" }
}

async fn made(cast: &Cast, kind: Kind) -> (String, Vec<u8>) {
    let lucia = cast.caller("lucia").await;
    let (id, _) = reports::start_export(&cast.console, &lucia, wanted(kind)).await.unwrap();
    while reports::run_due(&cast.console).await.unwrap() > 0 {}
    let bytes = Download::begin(&cast.console, &lucia, &id).await.unwrap().whole().await.unwrap();
    (id, bytes)
}

story!(an_auditor_of_a_period_reads_its_events_alone, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let (secret, third) = attempts(&cast).await;
    auditor(&cast, true, around(third)).await;
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    let page = lucia.get("/audit?q=outcome%3Arefused").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let narrow = server::audit::store::Narrow {
        secret: Some(secret.clone()),
        outcome: Some("refused".into()),
        ..Default::default()
    };
    let refusals = server::audit::store::list(&mut db, &narrow, None, 50).await.unwrap();
    drop(db);
    let (inside, outside): (Vec<_>, Vec<_>) = refusals.iter().partition(|row| around(third).contains(row.at));
    assert_eq!((inside.len(), outside.len()), (2, 4));
    for row in &inside {
        assert!(page.text.contains(&format!("event={}", row.seq)), "{}", row.seq);
        for path in [format!("/audit/{}", row.seq), format!("/audit/{}/why", row.seq)] {
            assert_eq!(lucia.get(&path).await.status, StatusCode::OK, "{path}");
        }
    }
    for row in &outside {
        assert!(!page.text.contains(&format!("event={}", row.seq)), "{}", row.seq);
        for path in [format!("/audit/{}", row.seq), format!("/audit/{}/why", row.seq)] {
            assert_eq!(lucia.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        let beside = lucia.get(&format!("/audit?event={}", row.seq)).await;
        assert!(!beside.text.contains(&format!("/audit/{}/why", row.seq)));
        assert_eq!(lucia.get(&format!("/log/proof/{}", row.seq)).await.status, StatusCode::FORBIDDEN);
    }
    // Asking for more than the period brings no more.
    let wide = lucia.get("/audit?q=outcome%3Arefused+created%3A30d").await;
    assert!(outside.iter().all(|row| !wide.text.contains(&format!("event={}", row.seq))));
    // What is computed from now is not there, nor is anything else that auditors of what is may look at.
    for path in ["/dashboard", "/signals", "/policies", "/controls"] {
        assert_eq!(lucia.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    // Not a name of what is: neither in an open project nor of people, workloads, levels or access.
    for path in [
        "/projects",
        "/rotations",
        "/cases",
        "/rotations/calendar",
        "/rotations/known",
        "/requests",
        "/access",
        "/inbox",
    ] {
        let page = lucia.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text.contains("db/url") && !page.text.contains("/projects/payments"), "{path}: {}", page.text);
    }
    for path in [
        "/projects/payments",
        "/projects/payments/drift",
        &format!("/secrets/{secret}"),
        &format!("/secrets/{secret}/leak"),
    ] {
        assert_eq!(lucia.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let jonas = format!("/people/{}", cast.id("jonas"));
    for path in [
        "/people",
        &jonas,
        "/workloads",
        "/levels",
        "/levels/production",
        "/explain",
        "/explain?who=jonas",
        "/rotations/select",
    ] {
        assert_eq!(lucia.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let home = lucia.get("/").await.text;
    assert!(!home.contains("href=\"/projects\"") && !home.contains("href=\"/people\""));
    assert!(home.contains("Audit trail") && !home.contains("href=\"/dashboard\""));
    // Suggestions name nothing of now, and counts for a monitor are not theirs.
    let offered = lucia.get("/audit/suggest?text=project%3A&cursor=8").await;
    assert!(!offered.text.contains("payments"), "{}", offered.text);
    // Nor do searches tell which paths there are today.
    cast.filled("later/key", Tier::Staging, Class::Normal).await;
    let asked = |path: &str| format!("/audit?q=secret%3A{path}");
    let (there, not) = (lucia.get(&asked("later/key")).await, lucia.get(&asked("never/key")).await);
    assert_eq!((there.status, not.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(there.text.matches("No secret has the path").count(), 0);
    for never in ["project%3Anever", "env%3Anever", "workload%3Anever", "actor%3Anever"] {
        let said = lucia.get(&format!("/audit?q={never}")).await;
        assert!(said.status == StatusCode::OK && !said.text.contains("Did you mean"), "{never}: {}", said.text);
    }
    assert_eq!(there.text.replace("later", "never").len(), not.text.len(), "the same answer, but for the word");
    // Never a value.
    assert_eq!(cast.ask("lucia", &secret, Right::Read, 60).await, Err(Error::NotFound));
});

/// What an auditor of a period may open, whatever else there is.
const OF_A_PERIOD: &[&str] = &[
    "/",
    "/notices",
    "/account",
    "/account/factors/authenticator",
    "/account/factors/passkey",
    "/inbox",
    "/requests",
    "/access",
    "/audit",
    "/audit/suggest",
    "/evidence",
    "/log",
    "/log/checkpoint",
    "/reports",
    "/api",
];

// A page that is added later is closed to them until it stands in the list above, or shows nothing of the present.
story!(every_page_is_closed_to_an_auditor_of_a_period_or_listed, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let (secret, third) = attempts(&cast).await;
    auditor(&cast, false, around(third)).await;
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    let mut opened = Vec::new();
    for route in table().into_iter().filter(|route| route.method == Method::GET) {
        if !matches!(route.access, Access::Person(_) | Access::Own) {
            continue;
        }
        let path = filled(route.path, &secret);
        cast.world.clock.advance(TimeDelta::seconds(61));
        let answer = lucia.get(&path).await;
        assert!(!answer.status.is_server_error(), "{path}: {}", answer.status);
        // Lists that are empty for them show no more than that there is nothing.
        let shows = ["payments", "db/url", "Jonas", "jonas"].iter().any(|name| answer.text.contains(name));
        if answer.status == StatusCode::OK && shows {
            opened.push(route.path);
        }
    }
    opened.retain(|path| !OF_A_PERIOD.contains(path));
    assert!(opened.is_empty(), "{opened:?}");
});

story!(whoever_leads_elsewhere_reads_no_more_by_a_period, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let (secret, third) = attempts(&cast).await;
    let anna = cast.caller("anna").await;
    let new = NewProject { slug: "quiet", name: "Quiet", description: "", open: false, team: &cast.team };
    let (quiet, _) = catalog::create_project(&cast.console, &anna, new).await.unwrap();
    let led = people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Lead, Some(&quiet), None).await;
    if let Submitted::Waits { id, .. } = led.unwrap() {
        confirm(&cast, "mara", &id).await.unwrap();
    }
    auditor(&cast, false, around(third)).await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let narrow =
        server::audit::store::Narrow { secret: Some(secret), outcome: Some("refused".into()), ..Default::default() };
    let refusals = server::audit::store::list(&mut db, &narrow, None, 50).await.unwrap();
    drop(db);
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    for row in &refusals {
        let status = lucia.get(&format!("/audit/{}", row.seq)).await.status;
        assert_eq!(status, StatusCode::FORBIDDEN, "what she leads is read, and nothing else");
    }
    // An auditor of a closed project for a period sees nothing of what it is now.
    let period = around(third);
    let jonas = people::assign_auditor(&cast.console, &anna, cast.id("jonas"), Some(&quiet), None, period).await;
    if let Submitted::Waits { id, .. } = jonas.unwrap() {
        confirm(&cast, "mara", &id).await.unwrap();
    }
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    for path in ["/projects/quiet", "/projects/quiet/drift"] {
        assert_eq!(jonas.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(jonas.get("/audit").await.status, StatusCode::OK);
});

story!(what_is_made_of_a_period_holds_the_period_alone, |world| {
    let cast = grown(world).await;
    let (_, third) = attempts(&cast).await;
    auditor(&cast, true, around(third)).await;
    let (_, events) = made(&cast, Kind::Events).await;
    let text = String::from_utf8(events).unwrap();
    assert_eq!(text.matches("secret.revealed").count(), 2, "{text}");
    // A bundle verifies, and tells nothing of what became of things since.
    let (bundle, bytes) = made(&cast, Kind::Evidence).await;
    let key = app::audit::checkpoint::VerifierKey::parse(&cast.console.builder.verifier().to_string()).unwrap();
    let verdict = verify(&bytes, Some(&key));
    assert!(verdict.told().holds, "{:?}", verdict.told().lines());
    // Access as of the end of the period, not of now.
    let (_, access) = made(&cast, Kind::Access).await;
    assert!(!String::from_utf8(access).unwrap().contains("lucia"));
    // As of a day before the period there is nothing, whatever there was.
    let lucia = cast.caller("lucia").await;
    let early = Wanted { query: "created:2020-01-01..2020-02-01", ..wanted(Kind::Access) };
    let (id, _) = reports::start_export(&cast.console, &lucia, early).await.unwrap();
    while reports::run_due(&cast.console).await.unwrap() > 0 {}
    let bytes = Download::begin(&cast.console, &lucia, &id).await.unwrap().whole().await.unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap().lines().count(), 1, "its heading alone");
    // Verifying everything takes everything.
    let lucia = cast.caller("lucia").await;
    let whole = reports::start_export(&cast.console, &lucia, wanted(Kind::Verification)).await;
    assert_eq!(whole.err(), Some(Error::Refused(Refusal::NoRule)));
    // With a shorter period what was made of the longer one is taken no more.
    auditor(&cast, true, Period { from: third, until: third + TimeDelta::hours(1) }).await;
    let lucia = cast.caller("lucia").await;
    assert!(Download::begin(&cast.console, &lucia, &bundle).await.is_err());
    let (_, events) = made(&cast, Kind::Events).await;
    assert_eq!(String::from_utf8(events).unwrap().matches("secret.revealed").count(), 1);
});

story!(a_longer_period_takes_two_and_a_shorter_one_does_not, |world| {
    let cast = grown(world).await;
    let now = cast.console.now();
    let quarter = Period { from: now - TimeDelta::days(90), until: now };
    auditor(&cast, false, quarter).await;
    let reading = Reading::of_events(&cast.console, &cast.caller("lucia").await).await.unwrap();
    assert_eq!(reading, Some(Reading::Period { projects: None, period: quarter }));
    assert_eq!(Reading::of(&cast.console, &cast.caller("lucia").await).await.unwrap(), None);
    let anna = cast.caller("anna").await;
    let set = async |period| people::assign_auditor(&cast.console, &anna, cast.id("lucia"), None, None, period).await;
    let month = Period { from: now - TimeDelta::days(30), until: now };
    assert!(matches!(set(month).await.unwrap(), Submitted::Done(_)), "less is read at once");
    assert!(matches!(set(quarter).await.unwrap(), Submitted::Waits { .. }), "more waits");
    let open = people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Auditor, None, None).await;
    assert!(matches!(open.unwrap(), Submitted::Waits { .. }), "and so does everything");
    let backwards = Period { from: now, until: now - TimeDelta::days(1) };
    assert!(matches!(set(backwards).await, Err(Error::Invalid(_))));
    let wrong = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong;
    assert_eq!(wrong, Vec::<String>::new());
});
