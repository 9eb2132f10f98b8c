//! Home, by role: what I can decide, what I hold, what is wrong.
use crate::{policies::model::Role, session::Shell, time::Moment, ui};
use leptos::prelude::*;

pub struct Home {
    /// A role of theirs needs a second factor, and they have none.
    pub needs_factor: bool,
    pub to_decide: usize,
    pub waiting: usize,
    /// Access that I hold: `(path, href, until)`.
    pub held: Vec<(String, String, Moment)>,
    /// They audit a period of everything: what auditors may not hold they do not.
    pub holds_none: bool,
    /// Periods whose events they audit: `(of what, until when the role lasts)`.
    pub audits: Vec<(String, Option<Moment>)>,
    /// What security and leads should look at: `(what, count, href, kind)`.
    pub posture: Vec<(&'static str, usize, String, &'static str)>,
    /// For evidence readers: `(seq, when, words)`.
    pub recent: Vec<(u64, Moment, String)>,
    pub first_steps: Vec<(&'static str, &'static str, bool)>,
}

pub fn home(shell: &Shell, view: Home) -> String {
    ui::page(shell, "Home", None, || {
        let Some(viewer) = shell.viewer.as_ref() else { return ().into_any() };
        let purpose = if viewer.is(Role::Security) {
            "What you can decide now, and what is wrong."
        } else if viewer.is(Role::Auditor) {
            "Evidence: what happened, and the proof that it is all there."
        } else if viewer.leads {
            "How your projects stand, and what waits for you."
        } else if !view.audits.is_empty() {
            "The events that you audit, each with its proof."
        } else {
            "What waits for you, and what you hold."
        };
        let now = shell.now;
        let factor = view.needs_factor.then(|| view! {
            <div class="callout attention"><div><b>"You have no second factor"</b><p>
                "What your role decides, confirms or exports asks for one, and a new one counts after 24 hours. "<a href="/account#h-factors">"Add one on your account’s page"</a>"."
            </p></div></div>
        });
        let steps = (!view.first_steps.is_empty()).then(|| {
            let steps = view
                .first_steps
                .iter()
                .map(|(words, href, done)| {
                    let state = if *done { ui::badge("good", "done") } else { ui::badge("wait", "next") };
                    view! { <li>{state}" "<a href=*href>{*words}</a></li> }
                })
                .collect_view();
            ui::clause(
                "h-first",
                "First steps",
                "From an empty installation to the first approved request.",
                view! { <ol class="plain">{steps}</ol> }.into_any(),
            )
        });
        let work = {
            let decide = if view.to_decide == 0 {
                "Nothing waits for your decision.".to_owned()
            } else {
                format!("{} waiting for your decision", view.to_decide)
            };
            view! {
                <p class="lead"><a href="/inbox">{decide}</a></p>
                <p class="soft">{format!("{} of your own requests wait.", view.waiting)}</p>
            }
        };
        let held = view
            .held
            .iter()
            .map(|(path, href, until)| {
                view! {
                    <li><a class="path" href=href.clone()>{path.clone()}</a>" until "{ui::when_about(*until, now)}</li>
                }
            })
            .collect_view();
        let holds_none = viewer.is(Role::Auditor) || view.holds_none;
        let held = match (view.held.is_empty(), holds_none) {
            (false, _) => view! { <ul class="plain">{held}</ul> }.into_any(),
            (true, true) => ui::text("Nothing: auditors never hold a value."),
            (true, false) => view! { <p>"Nothing. "<a href="/projects">"Find a secret to ask for"</a></p> }.into_any(),
        };
        let audits = (!view.audits.is_empty()).then(|| {
            let rows = view.audits.iter().map(|(words, until)| {
                let until = until.map(
                    |until| view! { <small class="block muted">"The role ends "{ui::when_about(until, now)}</small> },
                );
                view! { <li><a href="/audit">{words.clone()}</a>{until}</li> }
            });
            let rows =
                view! { <ul class="plain">{rows.collect_view()}</ul><p><a href="/reports">"Reports of it"</a></p> };
            ui::clause("h-audits", "You audit", "Nothing of before, of later or of now.", rows.into_any())
        });
        let posture = (!view.posture.is_empty()).then(|| {
            let rows = view
                .posture
                .iter()
                .map(|(what, count, href, kind)| {
                    vec![
                        ui::link(href.clone(), *what),
                        if *count == 0 { ui::badge("good", "none") } else { ui::badge(kind, count.to_string()) },
                    ]
                })
                .collect();
            ui::clause(
                "h-posture",
                "Posture",
                "As of now; each leads to what is behind it.",
                ui::table("What to look at", &["What", "How many"], rows),
            )
        });
        let recent = (!view.recent.is_empty()).then(|| {
            let items = view.recent.iter().map(|(seq, at, words)| view! {
                <li>{ui::when_short(*at)}<div><p><a href=format!("/audit/{seq}")>{words.clone()}</a></p></div></li>
            }).collect_view();
            ui::clause(
                "h-recent",
                "Latest events",
                "Newest first, UTC",
                view! { <ol class="timeline">{items}</ol><p><a href="/audit">"The whole trail"</a></p> }.into_any(),
            )
        });
        view! {
            {ui::head(format!("Good day, {}", viewer.name.split(' ').next().unwrap_or_default()), purpose, None)}
            {factor}
            {steps}
            {audits}
            {viewer.is(Role::Member).then(|| view! {
                {ui::clause("h-work", "To decide", "", work.into_any())}
                {ui::clause("h-held", "You hold", "Ends by itself.", held)}
            })}
            {posture}
            {recent}
        }
        .into_any()
    })
}
