//! Small pieces: badges, times, ids, headings, empty states.
use crate::{
    error::Error,
    islands::CopyText,
    levels::model::Levels,
    policies::model::Tier,
    time::{self, Moment},
};
use leptos::prelude::*;

/// An environment by word, ladder and hue; production alone is filled.
pub fn env(tier: Tier) -> AnyView {
    let class =
        if tier == Tier::Production { "env production solid".to_owned() } else { format!("env {}", tier.code()) };
    view! { <span class=class>{tier.words()}</span> }.into_any()
}

/// Word, shape and hue: `good`, `wait`, `attention`, `danger`, `note` or `ended`.
pub fn badge(kind: &'static str, words: impl Into<String>) -> AnyView {
    view! { <span class=format!("badge {kind}")>{words.into()}</span> }.into_any()
}

/// A moment, always with its zone.
pub fn when(moment: Moment) -> AnyView {
    view! { <time datetime=time::rfc3339(moment)>{time::long(moment)}</time> }.into_any()
}

/// "24 Nov 2026, 12:07": for columns whose heading states the zone.
pub fn when_short(moment: Moment) -> AnyView {
    view! { <time datetime=time::rfc3339(moment)>{moment.format("%-d %b %Y, %H:%M").to_string()}</time> }.into_any()
}

/// A moment with how long ago or until.
pub fn when_about(moment: Moment, now: Moment) -> AnyView {
    let words = time::about(moment - now);
    let words = if moment > now { format!("in {words}") } else { format!("{words} ago") };
    view! { {when(moment)}<small class="muted nowrap">" · "{words}</small> }.into_any()
}

/// An id that can be copied.
pub fn id(text: &str) -> AnyView {
    view! { <span class="id">{text.to_owned()}" "<CopyText text=text.to_owned() label="Copy this id".to_owned() /></span> }
        .into_any()
}

/// A link whose long name is cut in the middle, the whole in reach.
pub fn middle(href: String, text: &str) -> AnyView {
    let cut = text.char_indices().rev().nth(5).map_or(0, |(at, _)| at);
    let (head, tail) = text.split_at(cut);
    view! { <a class="mid path" href=href title=text.to_owned() aria-label=text.to_owned()><span>{head.to_owned()}</span><span>{tail.to_owned()}</span></a> }
        .into_any()
}

/// Where a page stands: `(label, where it leads)`; the last one leads nowhere.
pub fn crumbs(steps: Vec<(String, Option<String>)>) -> AnyView {
    let steps = steps
        .into_iter()
        .map(|(label, href)| match href {
            Some(href) => view! { <li><a href=href>{label}</a></li> }.into_any(),
            None => view! { <li>{label}</li> }.into_any(),
        })
        .collect_view();
    view! { <nav aria-label="Breadcrumb"><ol class="crumbs">{steps}</ol></nav> }.into_any()
}

/// A page's title, one sentence of purpose, at most one primary action.
pub fn head(title: impl Into<String>, purpose: impl Into<String>, actions: Option<AnyView>) -> AnyView {
    view! {
        <div class="page-head">
            <div><h1>{title.into()}</h1><p class="purpose">{purpose.into()}</p></div>
            {actions.map(|actions| view! { <div class="actions">{actions}</div> })}
        </div>
    }
    .into_any()
}

/// A heading with a count, above a list.
pub fn group(title: impl Into<String>, count: usize, words: impl Into<String>) -> AnyView {
    view! { <div class="group"><h2>{title.into()}" "<span class="n">{count}</span></h2><p>{words.into()}</p></div> }
        .into_any()
}

/// Nothing here: why, and what to do about it.
pub fn empty(title: impl Into<String>, words: impl Into<String>, link: Option<(String, &str)>) -> AnyView {
    view! {
        <div class="empty"><h3>{title.into()}</h3><p>{words.into()}</p>
            {link.map(|(href, label)| view! { <a href=href>{label.to_owned()}</a> })}
        </div>
    }
    .into_any()
}

pub fn callout(kind: &'static str, title: impl Into<String>, words: impl Into<String>) -> AnyView {
    view! { <div class=format!("callout {kind}")><div><b>{title.into()}</b><p>{words.into()}</p></div></div> }
        .into_any()
}

/// A part of a document: heading and source in the margin, content beside it.
pub fn clause(anchor: &'static str, title: &'static str, source: impl Into<String>, content: AnyView) -> AnyView {
    view! {
        <section class="clause" aria-labelledby=anchor>
            <header><h2 id=anchor>{title}</h2>{source.into()}</header>
            <div>{content}</div>
        </section>
    }
    .into_any()
}

/// Pairs of a word and what it is.
pub fn facts(pairs: Vec<(&'static str, AnyView)>) -> AnyView {
    let pairs = pairs.into_iter().map(|(word, what)| view! { <dt>{word}</dt><dd>{what}</dd> }).collect_view();
    view! { <dl class="facts">{pairs}</dl> }.into_any()
}

/// A table whose rows become cards on a phone. The first cell of each row heads it.
pub fn table(caption: &'static str, columns: &[&'static str], rows: Vec<Vec<AnyView>>) -> AnyView {
    let heads = columns.iter().map(|column| view! { <th scope="col">{*column}</th> }).collect_view();
    let columns = columns.to_vec();
    let rows = rows
        .into_iter()
        .map(|cells| {
            let mut cells = cells.into_iter().zip(columns.clone());
            let first = cells.next().map(|(cell, _)| view! { <th scope="row">{cell}</th> });
            let rest = cells.map(|(cell, column)| view! { <td data-l=column>{cell}</td> }).collect_view();
            view! { <tr>{first}{rest}</tr> }
        })
        .collect_view();
    view! {
        <table class="table cards"><caption class="vh">{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>
    }
    .into_any()
}

/// Text as a view: for table cells.
pub fn text(words: impl Into<String>) -> AnyView {
    words.into().into_any()
}

pub fn link(href: impl Into<String>, words: impl Into<String>) -> AnyView {
    view! { <a href=href.into()>{words.into()}</a> }.into_any()
}

/// A button that does one thing by `POST`, with what it needs in hidden fields.
pub fn act(action: impl Into<String>, words: &'static str, hidden: Vec<(&'static str, String)>) -> AnyView {
    let hidden =
        hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    view! { <form class="inline" method="post" action=action.into()>{hidden}<button class="button" type="submit">{words}</button></form> }
        .into_any()
}

/// The environment that a page is about, above everything else on it.
pub struct Band {
    pub project: String,
    pub environment: String,
    pub tier: Tier,
}

pub fn band(place: Band, levels: &Levels) -> AnyView {
    view! {
        <section class=format!("band {}", place.tier.code()) aria-label="Environment">
            {env(place.tier)}
            <span class="rest">
                <span class="only-wide">"of "</span>{place.project}
                {(place.environment != place.tier.code()).then(|| format!(" / {}", place.environment))}
                <span class="only-wide">" · "{levels.of(place.tier).rule()}</span>
            </span>
        </section>
    }
    .into_any()
}

/// What went wrong, in place of the page that was asked for.
pub fn problem(error: &Error, correlation: &str) -> AnyView {
    let title = match error {
        Error::Unauthenticated => "Sign in first",
        Error::NotFound => "Nothing here",
        Error::Refused(_) => "You may not",
        Error::Invalid(_) => "That does not fit",
        Error::Conflict(_) => "The world changed",
        Error::WrongMethod => "Not used in that way",
        Error::TooLarge => "Too large",
        Error::Uncertain => "It may have been done",
        Error::Unavailable => "Not now",
    };
    view! {
        <div class="stack">
            <div><h1>{title}</h1><p class="purpose">{error.to_string()}</p></div>
            <p class="small muted">"Id of this answer: "<span class="id">{correlation.to_owned()}</span></p>
            <p><a href="/">"Go to the home page"</a></p>
        </div>
    }
    .into_any()
}
