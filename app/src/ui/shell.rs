//! The frame around every page: document, rail, flash message; and the door, which people without a session see.
use crate::{
    islands::Palette,
    session::{Shell, Theme, Viewer, render},
    ui::{
        parts::{Band, band},
        rail::{Entry, RAIL},
    },
};
use leptos::prelude::*;

/// A whole page for somebody signed in.
pub fn page(shell: &Shell, title: &str, place: Option<Band>, content: impl FnOnce() -> AnyView) -> String {
    render(|| {
        let (islands, flash) = (shell.viewer.is_some(), flash(shell));
        let body = view! {
            <a class="skip" href="#content">"Skip to content"</a>
            <div class="app">
                <header class="topbar" aria-label="Top">
                    {mark("/")}
                    <button class="button" type="button" popovertarget="rail" aria-label="Menu"><span class="ic menu" aria-hidden="true"></span></button>
                </header>
                {shell.viewer.as_ref().map(|viewer| rail(shell, viewer))}
                <div class="stage">
                    {place.map(|place| band(place, &shell.levels))}
                    <main id="content">{flash}{content()}</main>
                </div>
            </div>
        };
        document(shell, title, islands, body.into_any())
    })
}

/// A page without the rail and without any script: sign-in, links that join, errors.
pub fn door(shell: &Shell, title: &str, content: impl FnOnce() -> AnyView) -> String {
    render(|| {
        let body = view! {
            <div class="door">
                <header>{mark("/")}</header>
                <main>{content()}</main>
                <footer>
                    <span>{shell.organisation.clone()}</span>
                    <span>{concat!("Version ", env!("CARGO_PKG_VERSION"))}</span>
                    <span>"Times are UTC"</span>
                </footer>
            </div>
        };
        document(shell, title, false, body.into_any())
    })
}

fn document(shell: &Shell, title: &str, islands: bool, body: AnyView) -> AnyView {
    let theme = (shell.theme != Theme::System).then_some(shell.theme.code());
    let assets = &shell.assets;
    let asset = |name: &str| format!("/assets/{name}");
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <title>{format!("{title} · Countersign")}</title>
                <link rel="icon" href="data:," />
                <link rel="stylesheet" href=asset(&assets.styles) />
                {islands.then(|| view! {
                    <link rel="modulepreload" href=asset(&assets.script) />
                    <script type="module" src=asset(&assets.boot)></script>
                })}
            </head>
            <body>{body}</body>
        </html>
    }
    .into_any()
}

fn mark(href: &'static str) -> AnyView {
    view! {
        <a class="mark" href=href>
            <svg viewBox="0 0 20 20" aria-hidden="true">
                <path class="m-line" d="M2 16.5h16" />
                <path class="m-ink" d="M3 9.2 6.4 12.6 12.2 4.6" />
                <path class="m-ink" d="M9.4 11.4 10.6 12.6 17 4.6" />
            </svg>
            "Countersign"
        </a>
    }
    .into_any()
}

fn rail(shell: &Shell, viewer: &Viewer) -> AnyView {
    let entry = |entry: &Entry| {
        let current = (shell.here == entry.href).then_some("page");
        let class = if entry.mine { "n mine" } else { "n" };
        let count = (entry.count)(viewer);
        view! {
            <li><a href=entry.href aria-current=current>{entry.words}
                {(count > 0).then(|| view! { <span class=class>{count}<span class="vh">{entry.meaning}</span></span> })}
            </a></li>
        }
    };
    let groups = RAIL.iter().map(|(heading, entries)| {
        let shown: Vec<_> = entries.iter().filter(|page| page.is_shown(viewer)).map(entry).collect();
        let heading = (!heading.is_empty()).then(|| view! { <h2>{*heading}</h2> });
        (!shown.is_empty()).then(|| view! { {heading}<ul>{shown}</ul> })
    });
    view! {
        <nav class="rail" id="rail" popover aria-label="Main">
            {mark("/")}
            <p class="place">{shell.organisation.clone()}</p>
            <Palette />
            <div class="nav">
                {groups.collect_view()}
            </div>
            <div class="rail-foot">
                <b><a href="/account">{viewer.name.clone()}</a></b>
                {format!("{} · UTC", viewer.roles)}
                <form class="theme" method="post" action="/theme" aria-label="Theme">
                    {Theme::ALL.map(|theme| {
                        let pressed = (shell.theme == theme).to_string();
                        view! { <button type="submit" name="theme" value=theme.code() aria-pressed=pressed>{theme.words()}</button> }
                    })}
                </form>
                <form method="post" action="/sign-out"><button class="link" type="submit">"Sign out"</button></form>
            </div>
        </nav>
    }
    .into_any()
}

fn flash(shell: &Shell) -> Option<AnyView> {
    let flash = shell.flash.as_ref()?;
    // Whoever reads a period that is over cannot look at what was just recorded.
    let past = shell.viewer.as_ref().is_some_and(|viewer| viewer.looks_back && !viewer.reads_now());
    let receipt = flash.event.map(|event| {
        let event = match past {
            true => view! { {event} }.into_any(),
            false => view! { <a href=format!("/audit/{event}")>{event}</a> }.into_any(),
        };
        view! { " " <span class="muted">"Recorded as event "{event}"."</span> }
    });
    Some(
        view! { <div class="callout good slim" role="status"><div><p>{flash.sentence()}{receipt}</p></div></div> }
            .into_any(),
    )
}
