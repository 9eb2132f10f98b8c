//! The query box, its chips, what can be asked, and the views that somebody keeps.
use super::at;
use crate::{
    audit::query::{Key, Mistake, Query},
    islands::QueryBox,
    nav::address,
    ui,
};
use leptos::prelude::*;

/// A query that is kept.
pub struct View {
    pub id: String,
    pub name: String,
    pub query: String,
    /// Of which team; own where there is none.
    pub team: Option<String>,
    /// May this person remove it?
    pub own: bool,
}

/// What is asked, as it was typed, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub text: String,
    pub query: Query,
    pub mistake: Option<Mistake>,
    pub zone: String,
    pub zone_mistake: Option<String>,
}

const ZONES: [&str; 22] = [
    "UTC",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Zurich",
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Warsaw",
    "Europe/Athens",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
];

/// The form: it works by itself, and the island completes keys and values.
pub fn form(search: &Search) -> AnyView {
    let chips = search.query.terms.iter().enumerate().map(|(place, term)| {
        let key = term.key.map_or("words", Key::code);
        let key = if term.negated { format!("not {key}:") } else { format!("{key}:") };
        let label = format!("Remove {key} {}", term.value);
        let href = at(&search.query.without(place).to_string(), &search.zone);
        view! { <span class="chip"><span><i>{key}" "</i>{term.value.clone()}</span><a href=href aria-label=label><span class="ic stop" aria-hidden="true"></span></a></span> }
    }).collect_view();
    let quick = [
        ("outcome:refused", "refusals"),
        ("-actor-type:system", "no jobs"),
        ("created:7d", "last 7 days"),
        ("action:revealed action:copied", "values taken by people"),
    ];
    let said = search.query.to_string();
    let adds = quick
        .into_iter()
        .filter(|(term, _)| !said.contains(term))
        .map(|(term, words)| {
            let text = if said.is_empty() { term.to_owned() } else { format!("{said} {term}") };
            view! { <a class="chip add" href=at(&text, &search.zone)>"+ "{words}</a> }
        })
        .collect_view();
    let adds = search.mistake.is_none().then_some(adds);
    let mistake = search.mistake.as_ref().map(|mistake| pointed(&search.text, mistake));
    let zone_mistake = search.zone_mistake.clone().map(|why| view! { <p class="wrong" role="alert">{why}</p> });
    let keys = Key::ALL
        .iter()
        .map(|key| view! { <dt><code>{format!("{}:", key.code())}</code></dt><dd>{key.words()}</dd> })
        .collect_view();
    let zones = ZONES.map(|zone| view! { <option value=zone></option> }).collect_view();
    let mistaken = search.mistake.is_some().then_some("true");
    view! {
        <form class="filter" role="search" method="get" action="/audit">
            <div class="query"><div><span class="ic find" aria-hidden="true"></span>
                <input class="input" type="text" id="q" name="q" value=search.text.clone() maxlength="2000" aria-label="Query" aria-describedby="q-hint q-wrong" aria-invalid=mistaken spellcheck="false" autocomplete="off" autocapitalize="off" />
                <kbd>"/"</kbd><QueryBox /></div>
                <button class="button" type="submit">"Search"</button></div>
            {mistake}
            <div class="chips">{chips}{adds}</div>
            <p class="hint" id="q-hint">"The same key twice means or, different keys mean and, " <code>"-"</code> " excludes. Words are looked for in names, paths, reasons and comments, by their beginning."</p>
            <details class="more"><summary>"All keys, and the time zone"</summary>
                <dl class="facts tight keys">{keys}</dl>
                <div class="zone"><label for="zone">"Time zone (IANA)"</label><input class="input" id="zone" name="zone" value=search.zone.clone() list="zones" autocomplete="off" /><datalist id="zones">{zones}</datalist></div>
            </details>
            {zone_mistake}
        </form>
    }
    .into_any()
}

/// The text with the mistake marked, and what is wrong there.
fn pointed(text: &str, mistake: &Mistake) -> AnyView {
    const AROUND: usize = 60;
    let letters: Vec<char> = text.chars().collect();
    let (at, end) = (mistake.at.min(letters.len()), mistake.end.min(letters.len()).min(mistake.at + AROUND));
    let start = at.saturating_sub(AROUND);
    let last = (end + AROUND).min(letters.len());
    let part = |from: usize, to: usize| letters[from.min(to)..to].iter().collect::<String>();
    view! {
        <div class="pointed" id="q-wrong" role="alert">
            <p class="wrong">{mistake.to_string()}</p>
            <code>{(start > 0).then_some("…")}{part(start, at)}<mark>{if end > at { part(at, end) } else { "\u{2038}".into() }}</mark>{part(end.max(at), last)}{(last < letters.len()).then_some("…")}</code>
        </div>
    }
    .into_any()
}

/// The views that are kept, and a form to keep this one.
pub fn views(search: &Search, views: &[View], teams: &[(String, String)]) -> AnyView {
    let rows = views.iter().map(|view| {
        let place = view.team.clone().map(|team| view! { <small class="muted">" "{team}</small> });
        let current = (view.query == search.query.to_string()).then_some("page");
        let remove = view.own.then(|| view! {
            <form class="inline" method="post" action=format!("/audit/views/{}/delete", view.id)>
                <button class="icon-button" type="submit" aria-label=format!("Remove the view {}", view.name)><span class="ic stop" aria-hidden="true"></span></button></form>
        });
        view! { <li><a href=at(&view.query, &search.zone) aria-current=current>{view.name.clone()}</a>{place}{remove}</li> }
    }).collect_view();
    let kept = (!views.is_empty()).then(|| view! { <ul class="views" aria-label="Views that are kept">{rows}</ul> });
    let whose = vec![(String::new(), "me alone".to_owned())]
        .into_iter()
        .chain(teams.iter().map(|(id, name)| (id.clone(), format!("team {name}"))))
        .map(|(id, words)| view! { <option value=id>{words}</option> })
        .collect_view();
    let keep = (search.mistake.is_none() && !search.query.is_empty()).then(|| view! {
        <details class="more"><summary>"Keep this view"</summary>
            <form class="keep" method="post" action="/audit/views">
                <input type="hidden" name="q" value=search.query.to_string() />
                <div class="field"><label for="view-name">"Name"</label><input class="input" id="view-name" name="name" maxlength="80" required /></div>
                <div class="field"><label for="view-team">"For"</label><span class="pick"><select class="select" id="view-team" name="team">{whose}</select></span></div>
                <button class="button" type="submit">"Keep"</button>
            </form></details>
    });
    view! { {kept}{keep} }.into_any()
}

/// Links that add one value to the query, or exclude it.
pub fn more_or_less(search: &Search, key: Key, value: &str) -> AnyView {
    let (with, without) = (search.query.with(false, key, value), search.query.with(true, key, value));
    view! {
        <span class="finds"><a href=at(&with.to_string(), &search.zone) aria-label=format!("Only events with {} {value}", key.code())>"only"</a>
        <a href=at(&without.to_string(), &search.zone) aria-label=format!("Without events with {} {value}", key.code())>"without"</a></span>
    }
    .into_any()
}

/// The address of this search with an event beside it, from a place on.
pub fn beside(search: &Search, before: Option<u64>, event: Option<u64>) -> String {
    let (before, event) = (before.map(|seq| seq.to_string()), event.map(|seq| seq.to_string()));
    let zone = if search.zone == "UTC" { "" } else { &search.zone };
    let fields = [
        ("q", search.text.as_str()),
        ("zone", zone),
        ("before", before.as_deref().unwrap_or_default()),
        ("event", event.as_deref().unwrap_or_default()),
    ];
    address("/audit", &fields)
}

/// Nothing fits: why, and what to do.
pub fn nothing(search: &Search, complete: bool) -> AnyView {
    if search.query.is_empty() {
        ui::empty("Nothing yet", "Events appear here as they happen.", None)
    } else if complete {
        ui::empty(
            "No event matches",
            "Nothing was recorded that fits all of these.",
            Some((at("", &search.zone), "Clear the query")),
        )
    } else {
        ui::empty("None so far", "Nothing fits in the part that was looked at. Look further back.", None)
    }
}
