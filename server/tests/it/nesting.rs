//! Whatever reads text from outside meets text that is nested without end: each answers, on the stack of an ordinary thread, before
//! anything is read that calls itself for each level.
use crate::{
    api,
    http::{Browser, site},
    story,
};
use app::{
    audit::{
        checkpoint::{LogKey, VerifierKey},
        evidence, leaf,
        query::Query,
    },
    people::tokens::Scope,
    policies::model::Tier,
    rotations::model::RotatorKind,
};
use axum::http::Method;
use server::{
    catalog,
    http::routes::{Access, table},
    policies::parse,
    rotations::rotator::Target,
};

/// Beyond what any stack takes in a parser that calls itself.
const LEVELS: usize = 100_000;

/// What opens a level in one of the languages, with what closes it.
const PAIRS: &[(&str, &str)] = &[
    ("[", "]"),
    ("{", "}"),
    ("(", ")"),
    ("{\"a\":", "}"),
    ("[{\"a\":[", "]}]"),
    ("\"", "\""),
    ("'", "'"),
    ("-", ""),
    ("!", ""),
    ("not ", ""),
    ("- ", ""),
    ("if (", ") then true else false"),
    ("a.", "b"),
    ("${", "}"),
    ("<a>", "</a>"),
    ("/*", "*/"),
    ("project:(", ")"),
    ("&a [", "]"),
    ("? ", ""),
    ("? [", "]"),
    ("a: {", "}"),
    ("!!str [", "]"),
];

/// Levels of one kind and of all kinds in turn, closed and left open.
fn nested(levels: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for (open, close) in PAIRS {
        texts.push(format!("{}1{}", open.repeat(levels), close.repeat(levels)));
        texts.push(open.repeat(levels));
    }
    // As deep as indentation goes in a text that may still be sent.
    let lines = (0..levels.min(1_000)).map(|level| format!("{}a:\n", " ".repeat(level)));
    texts.push(lines.collect());
    let all: String = PAIRS.iter().map(|(open, _)| *open).collect();
    texts.push(all.repeat(levels / PAIRS.len()));
    texts
}

/// Runs on a thread as the service has them.
fn on_an_ordinary_thread(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn every_reader_of_text_answers_nested_text() {
    for text in nested(LEVELS).into_iter().chain(nested(100)) {
        on_an_ordinary_thread(move || {
            let _ = Query::parse(&text);
            let _ = Query::parse(&text.chars().take(400).collect::<String>());
            let _ = parse::parse(&text);
            let _ = parse::parse(&format!("permit (principal, action, resource) when {{ {text} }};"));
            for kind in RotatorKind::ALL {
                let _ = Target::read(*kind, &text);
            }
            let _ = leaf::Leaf::decode(text.as_bytes());
            let key = LogKey::new("log.example".into(), &[7; 32]).verifier();
            assert!(key.open(&text).is_err() && VerifierKey::parse(&text).is_none());
            assert!(!evidence::verify(text.as_bytes(), None).holds());
        });
    }
}

story!(every_call_and_form_answers_nested_text, |world| {
    let (cast, router) = site(world).await;
    let environment = cast.environment(Tier::Staging);
    let iris = cast.caller("iris").await;
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    for (place, text) in nested(5_000).into_iter().enumerate() {
        for format in ["env", "json", "yaml"] {
            let _ = catalog::preview_import(&cast.console, &iris, environment, format, &text).await;
        }
        // The trail's language, from an address.
        if place % 6 == 0 {
            let query: String = text.chars().take(1_000).collect();
            let query = serde_urlencoded::to_string([("q", query)]).unwrap();
            assert!(!mara.get(&format!("/audit?{query}")).await.status.is_server_error());
        }
    }
    let bearer = api::token(&cast, "mara", Scope::ALL).await;
    let calls = table().into_iter().filter(|route| route.method != Method::GET);
    for route in calls.filter(|route| matches!(route.access, Access::Program(..) | Access::Machine(_))) {
        let path = route.path.replace(['{', '}', '*'], "x");
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            let body = format!("{{\"a\":{}1{}}}", open.repeat(LEVELS), close.repeat(LEVELS));
            let (status, _) = api::call(&router, &bearer, route.method.clone(), &path, &body).await;
            assert!(status.is_client_error(), "{path}: {status}");
        }
    }
});
