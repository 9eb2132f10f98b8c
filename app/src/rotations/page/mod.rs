//! What people see of rotations: the list, one as a timeline, how a secret rotates, the calendar, cases, and choosing many.
mod calendar;
mod cases;
mod many;
mod one;
mod plan;

pub use calendar::*;
pub use cases::*;
pub use many::*;
pub use one::*;
pub use plan::*;

use super::model::{Grade, Step};
use crate::{
    policies::model::Tier,
    session::Shell,
    time::{self, Moment},
    ui,
};
use leptos::prelude::*;

/// The pages of this slice, as a row of links.
fn tabs(here: &'static str) -> AnyView {
    let tab = |href: &'static str, words: &'static str| {
        let current = (here == href).then_some("page");
        view! { <a href=href aria-current=current>{words}</a> }
    };
    view! {
        <nav class="tabs" aria-label="Rotations">
            {tab("/rotations", "Under way")}
            {tab("/rotations/calendar", "Calendar")}
            {tab("/cases", "Cases")}
            {tab("/rotations/known", "Known to people")}
            {tab("/rotations/select", "Rotate many")}
        </nav>
    }
    .into_any()
}

pub struct Line {
    pub id: String,
    pub path: String,
    pub project: String,
    pub tier: Tier,
    pub step: Step,
    pub reason: Option<String>,
    pub grade: Option<Grade>,
    pub trigger: &'static str,
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
}

/// How a rotation stands, in a word.
pub fn badge(step: Step, grade: Option<Grade>) -> AnyView {
    match (step, grade) {
        (Step::NeedsPerson, _) => ui::badge("danger", "Needs a person"),
        (Step::Closed | Step::VerifiedDead, Some(grade @ Grade::Proved)) => {
            ui::badge("good", format!("Old value {}", grade.words()))
        }
        (Step::Closed, Some(grade)) => ui::badge("attention", format!("Old value {}", grade.words())),
        (Step::RolledBack | Step::Superseded | Step::Cancelled, _) => ui::badge("ended", step.words()),
        _ => ui::badge("wait", step.words()),
    }
}

/// Whoever this is shown to, what happened in order, each with its event.
pub struct Moved {
    pub seq: u64,
    pub at: Moment,
    pub words: String,
    pub by: String,
    pub evidence: Vec<String>,
    /// It went wrong.
    pub wrong: bool,
}

fn timeline(events: &[Moved]) -> AnyView {
    let events = events
        .iter()
        .map(|event| {
            let evidence =
                event.evidence.iter().map(|line| view! { <span class="block small">{line.clone()}</span> }).collect_view();
            let wrong = event.wrong.then(|| ui::badge("danger", "failed"));
            let ink = !event.wrong;
            view! {
                <li class:ink=ink>{ui::when_short(event.at)}<div>
                    <p>{event.words.clone()}" "{wrong}" "<a class="muted small" href=format!("/audit/{}", event.seq)>{format!("event {}", event.seq)}</a></p>
                    <p class="muted">{event.by.clone()}{evidence}</p></div></li>
            }
        })
        .collect_view();
    view! { <ol class="timeline">{events}</ol> }.into_any()
}

/// A moment in two short lines, for a column whose heading states the zone.
fn brief(moment: Moment, now: Moment) -> AnyView {
    view! { <span class="nowrap">{ui::when_short(moment)}<small class="muted block">{format!("{} ago", time::about(now - moment))}</small></span> }.into_any()
}

pub struct ListView {
    /// What is under way; absent beyond the first page.
    pub open: Option<Vec<Line>>,
    pub ended: Vec<Line>,
    pub older: Option<String>,
    pub newest: Option<String>,
    /// The secret that the list is narrowed to: its id and path.
    pub of: Option<(String, String)>,
}

pub fn list(shell: &Shell, view: ListView) -> String {
    ui::page(shell, "Rotations", None, || {
        let now = shell.now;
        let stuck = view.open.iter().flatten().filter(|line| line.step == Step::NeedsPerson).count();
        let rows = |lines: Vec<Line>| {
            lines
                .into_iter()
                .map(|line| {
                    vec![
                        ui::link(format!("/rotations/{}", line.id), line.path),
                        view! { {line.project}" "{ui::env(line.tier)} }.into_any(),
                        view! { {badge(line.step, line.grade)}{line.reason.map(|why| view! { <small class="block muted">{why}</small> })} }.into_any(),
                        view! { <span class="nowrap">{line.trigger}</span> }.into_any(),
                        brief(line.ended_at.unwrap_or(line.started_at), now),
                    ]
                })
                .collect::<Vec<_>>()
        };
        let open = view.open.map(|open| {
            let running = open.len();
            let table = if running == 0 {
                ui::empty(
                    "Nothing rotates now",
                    "Start a rotation on the page of a secret that has a plan.",
                    Some(("/projects".into(), "Find a secret")),
                )
            } else {
                ui::table("Rotations under way", &["Secret", "Where", "State", "Begun", "Since, UTC"], rows(open))
            };
            view! { {ui::group("Under way", running, "longest first")}{table} }
        });
        let done = view.ended.len();
        let head = match &view.of {
            Some((id, path)) => view! {
                {ui::crumbs(vec![(path.clone(), Some(format!("/secrets/{id}"))), ("Rotations".into(), None)])}
                {ui::head("Rotations", format!("Everything that was done to rotate {path}."), None)}
            }
            .into_any(),
            None => view! {
                {ui::head("Rotations", "A new credential takes the place of an old one, and the old one is shown to be dead.", None)}
                {tabs("/rotations")}
            }
            .into_any(),
        };
        let pages = (view.older.is_some() || view.newest.is_some()).then(|| {
            view! {
                <div class="pages"><span></span><span class="actions">
                    {view.newest.map(|href| view! { <a class="button" href=href>"Newest"</a> })}
                    {view.older.map(|href| view! { <a class="button" href=href>"Older"</a> })}
                </span></div>
            }
        });
        view! {
            {head}
            {(stuck > 0).then(|| ui::callout("danger", format!("{stuck} stopped"), "The machine does not guess: somebody has to say how these go on. No value was discarded."))}
            {open}
            {ui::group("Ended", done, "latest begun first, on this page")}
            {if done == 0 {
                ui::empty("None yet", "Every rotation stays here, with what the target answered.", None)
            } else {
                ui::table("Rotations that ended", &["Secret", "Where", "State", "Begun", "Ended, UTC"], rows(view.ended))
            }}
            {pages}
        }
        .into_any()
    })
}
