//! The list: newest first, a page at a time, with one event beside it.
use super::{
    EventView, Line, View,
    event::side,
    filter::{Search, beside, form, nothing, views},
    outcome_badge,
};
use crate::{islands::Fresh, nav, session::Shell, time, ui};
use leptos::prelude::*;

pub struct Trail {
    pub search: Search,
    pub lines: Vec<Line>,
    pub beside: Option<EventView>,
    /// From where this page begins, where it is not the newest.
    pub before: Option<u64>,
    /// Where the next page begins, if there is more.
    pub older: Option<u64>,
    /// How far back this page looked, where it stopped before it was full: the event, and when it was.
    pub looked_to: Option<(u64, String)>,
    /// From when to when, in words; empty: everything.
    pub window: String,
    pub views: Vec<View>,
    pub teams: Vec<(String, String)>,
    pub size: u64,
    pub signed: u64,
    /// Words are found up to here, where that is not the head.
    pub words_to: Option<u64>,
    /// Whose trail it is, where it is not all of it.
    pub scope: Option<String>,
    /// The reading itself could not be recorded.
    pub unrecorded: bool,
}

pub fn trail(shell: &Shell, view: Trail) -> String {
    ui::page(shell, "Audit trail", None, || {
        let search = &view.search;
        let empty = view.lines.is_empty();
        let here = view.beside.as_ref().map(|event| event.line.seq);
        let mut day = String::new();
        let rows = view.lines.iter().map(|line| {
            let this = line.shown.format("%a %-d %b %Y").to_string();
            let head = (this != day).then(|| {
                day.clone_from(&this);
                view! { <tr class="day"><th scope="rowgroup" colspan="3">{this}</th></tr> }
            });
            let open = here == Some(line.seq);
            let href = beside(search, view.before, Some(line.seq));
            view! {
                {head}
                <tr class=open.then_some("here") aria-current=open.then_some("true")><td class="when" data-l="Time"><time datetime=time::rfc3339(line.at)>{line.shown.format("%H:%M:%S").to_string()}</time></td>
                    <th scope="row"><a href=format!("{href}#event")>{line.words.clone()}</a><small class="block soft">{line.actor.clone()}{(!line.about.is_empty()).then(|| format!(" · {}", line.about))}</small></th>
                    <td data-l="Outcome">{outcome_badge(line.outcome)}</td></tr>
            }
        }).collect_view();
        let unrecorded = view.unrecorded.then(|| {
            ui::callout(
                "attention",
                "Your reading was not recorded",
                "The ledger cannot write now. Reading goes on all the same.",
            )
        });
        let window =
            if view.window.is_empty() { "From the beginning until now".to_owned() } else { view.window.clone() };
        let words_to = view.words_to.map(|seq| {
            ui::callout(
                "attention",
                "Words are found up to a place only",
                format!("The ledger cannot write now: words and ids are found in events before {seq}."),
            )
        });
        let fresh = (view.before.is_none() && search.mistake.is_none()).then(|| {
            let from = view.size.to_string();
            let url = nav::address("/audit/new", &[("q", &search.text), ("zone", &search.zone), ("from", &from)]);
            view! { <Fresh url=url show=beside(search, None, None) /> }
        });
        let looked =
            view.looked_to.map(|(seq, when)| view! { <span>{format!("Looked back to event {seq}, {when}")}</span> });
        let older = view.older.map(|seq| {
            let words = if looked.is_some() { "Look further back" } else { "Older" };
            view! { <a class="button" href=beside(search, Some(seq), None) rel="next">{words}</a> }
        });
        let pages = view! {
            <div class="pages">{looked.unwrap_or_else(|| view! { <span>{String::new()}</span> })}<span class="actions">
                {view.before.map(|_| view! { <a class="button" href=beside(search, None, None)>"Newest"</a> })}
                {older}
            </span></div>
        };
        let list = if empty {
            view! { {nothing(search, view.older.is_none())}{pages} }.into_any()
        } else {
            view! {
                <table class="table cards trail">
                    <caption class="vh">"Events, newest first"</caption>
                    <colgroup><col class="c-when" /><col /><col class="c-outcome" /></colgroup>
                    <thead class="stick"><tr><th scope="col">"Time"</th><th scope="col">"Event"</th><th scope="col">"Outcome"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
                {pages}
            }.into_any()
        };
        let close = beside(search, view.before, None);
        let export = search.mistake.is_none().then(|| {
            let href = nav::address("/reports", &[("q", &search.text), ("zone", &search.zone)]);
            view! { <a class="button" href=href>"Export"</a> }.into_any()
        });
        let list = match view.beside {
            Some(event) => view! { <div class="split"><div>{list}</div>{side(event, search, close)}</div> }.into_any(),
            None => list,
        };
        view! {
            {ui::head("Audit trail", "Every read, refusal, decision and change, in the order in which it was recorded.", export)}
            {unrecorded}{words_to}
            {views(search, &view.views, &view.teams)}
            {form(search)}
            <p class="window"><span><b>{window}</b>{format!(", {}", search.zone)}</span>
                {view.scope.map(|scope| view! { <span>{scope}</span> })}
                <span>{format!("{} events in the tree", view.size)}</span>
                <span>{ui::badge("good", format!("Signed up to event {}", view.signed.saturating_sub(1)))}" by this server"</span></p>
            {fresh}
            {search.mistake.is_none().then_some(list)}
        }
        .into_any()
    })
}
