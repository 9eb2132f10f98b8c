//! Hostile text in every field of every form: whatever page it comes back on is parsed as a browser would, and nothing of it is markup.
use crate::{
    http::{Answer, Browser, site},
    rotations::generated,
    story,
    workloads::machine,
};
use app::policies::model::{Class, Right, Tier};
use axum::http::Method;
use html5gum::{DefaultEmitter, Token, Tokenizer};
use server::{http::routes::table, rotations};
use std::collections::{BTreeMap, BTreeSet};

/// Ends whatever it may stand in, and would then be an element that nobody else writes.
const HOSTILE: &str =
    "</textarea></title></option></select>\"'><img src=x onerror=pwned><pwned-element pwned=1>&lt;pwned-twice&gt;";

/// A form as it stands on a page.
#[derive(Debug, Default)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
    /// Fields that somebody types into.
    typed: BTreeSet<String>,
}

fn attribute(attributes: &BTreeMap<html5gum::HtmlString, html5gum::HtmlString>, name: &str) -> Option<String> {
    let found = attributes.iter().find(|(known, _)| known.as_slice() == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value.as_slice()).into_owned())
}

/// The forms of a page that send something; panics where a hostile text became markup.
fn read(page: &str, from: &str) -> Vec<Form> {
    let mut tokens = Tokenizer::new_with_emitter(page, {
        let mut emitter: DefaultEmitter = DefaultEmitter::default();
        // As a browser does: what stands in a title, a text area or a script is text.
        emitter.naively_switch_states(true);
        emitter
    });
    let (mut forms, mut form, mut area): (Vec<Form>, Option<Form>, Option<String>) = Default::default();
    while let Some(Ok(token)) = tokens.next() {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(tag.name.as_slice()).into_owned();
                let is_ours = !name.contains("pwned")
                    && !tag.attributes.keys().any(|key| {
                        let key = String::from_utf8_lossy(key.as_slice()).into_owned();
                        key.contains("pwned") || key.starts_with("on")
                    });
                assert!(is_ours, "{from}: <{name}> was written by whoever filled a form in");
                let attributes: BTreeMap<_, _> =
                    tag.attributes.iter().map(|(key, value)| (key.clone(), value.value.clone())).collect();
                let value = |name: &str| attribute(&attributes, name);
                match name.as_str() {
                    "form" if value("method").is_some_and(|method| method.eq_ignore_ascii_case("post")) => {
                        form = Some(Form { action: value("action").unwrap_or_default(), ..Form::default() });
                    }
                    "input" | "select" | "textarea" => {
                        let (Some(form), Some(field)) = (&mut form, value("name")) else { continue };
                        let kind = value("type").unwrap_or_else(|| "text".into());
                        let types =
                            name == "textarea" || name == "input" && ["text", "search"].contains(&kind.as_str());
                        if types {
                            form.typed.insert(field.clone());
                        }
                        if !["checkbox", "radio", "file", "submit"].contains(&kind.as_str()) {
                            form.fields.push((field.clone(), value("value").unwrap_or_default()));
                        }
                        area = (name == "textarea").then_some(field);
                    }
                    "option" => {
                        let chosen = form.as_mut().and_then(|form| form.fields.last_mut());
                        if let (Some((_, chosen)), Some(option)) = (chosen, value("value"))
                            && (chosen.is_empty() || value("selected").is_some())
                        {
                            *chosen = option;
                        }
                    }
                    _ => {}
                }
            }
            Token::String(text) => {
                if let (Some(form), Some(field)) = (&mut form, &area)
                    && let Some((_, value)) = form.fields.iter_mut().find(|(name, _)| name == field)
                {
                    value.push_str(&String::from_utf8_lossy(text.as_slice()));
                }
            }
            Token::EndTag(tag) => match tag.name.as_slice() {
                b"form" => forms.extend(form.take()),
                b"textarea" => area = None,
                _ => {}
            },
            _ => {}
        }
    }
    forms
}

fn is_page(answer: &Answer) -> bool {
    answer.headers.get("content-type").is_some_and(|kind| kind.to_str().unwrap_or_default().starts_with("text/html"))
}

story!(no_text_becomes_markup, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    let rotating = cast.secret("app/key", Tier::Staging, Class::Normal).await;
    cast.write("iris", &rotating, 0, "a value that is replaced").await.unwrap();
    let iris = cast.caller("iris").await;
    rotations::configure_rotation(&cast.console, &iris, &rotating, generated(60)).await.unwrap();
    let waiting = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let workload = machine(&cast, "deployer", Tier::Staging).await;
    let ids = [
        ("/requests/{id}", format!("/requests/{waiting}")),
        ("/people/{id}", format!("/people/{}", cast.id("jonas"))),
        ("/teams/{id}", format!("/teams/{}", cast.team)),
        ("/workloads/{id}", format!("/workloads/{}", workload.id)),
        ("/environments/{id}", format!("/environments/{}", cast.environment(Tier::Staging).id)),
        ("/secrets/{id}/rotation", format!("/secrets/{rotating}/rotation")),
        ("/secrets/{id}", format!("/secrets/{secret}")),
        ("{slug}", "payments".into()),
        ("{tier}", "staging".into()),
        ("{seq}", "3".into()),
    ];
    let filled = |path: &str| ids.iter().fold(path.to_owned(), |path, (from, to)| path.replace(from, to));
    let pages: Vec<String> = table()
        .into_iter()
        .filter(|route| route.method == Method::GET && !route.path.starts_with("/api/") && route.path != "/metrics")
        .map(|route| filled(route.path))
        .filter(|path| !path.contains('{'))
        .chain([format!("/requests/new?secret={secret}"), format!("/audit?q={}", "%3C%2Ftextarea%3E%22%3E%3Cpwned%3E")])
        .collect();
    let mut sent = BTreeSet::new();
    for login in ["anna", "iris", "mara", "jonas"] {
        let mut browser = Browser::signed_in(&cast, &router, login).await;
        for page in &pages {
            let answer = browser.get(page).await;
            if !is_page(&answer) {
                continue;
            }
            for form in read(&answer.text, page) {
                // What would end the browser's own session, or take away who is needed, has nothing to type in.
                if form.typed.is_empty()
                    || form.action.contains("/factors")
                    || !sent.insert((login, form.action.clone()))
                {
                    continue;
                }
                let fields: Vec<(&str, &str)> = form
                    .fields
                    .iter()
                    .map(|(name, value)| {
                        let typed = form.typed.contains(name);
                        (name.as_str(), if typed { HOSTILE } else { value.as_str() })
                    })
                    .collect();
                cast.world.clock.advance(chrono::TimeDelta::seconds(61));
                let answer = browser.post(&form.action, &fields).await;
                assert!(answer.status.as_u16() < 500, "{login} {}: {}", form.action, answer.status);
                if is_page(&answer) {
                    read(&answer.text, &format!("{login}: the answer of {}", form.action));
                }
                let next = answer.location().to_owned();
                if next.starts_with('/') {
                    let answer = browser.get(&next).await;
                    read(&answer.text, &format!("{login}: {next} after {}", form.action));
                }
            }
        }
    }
    assert!(sent.len() > 20, "{sent:?}");
    // What was kept of it is read by everybody else.
    for login in ["anna", "iris", "mara", "samir", "lucia"] {
        let mut browser = Browser::signed_in(&cast, &router, login).await;
        for page in pages.iter().chain([&"/audit?q=created:1d".to_owned(), &"/signals".to_owned()]) {
            let answer = browser.get(page).await;
            if is_page(&answer) {
                read(&answer.text, &format!("{login}: {page}"));
            }
        }
    }
});
