//! Background jobs as a list, and the items that failed.
use crate::{
    session::Shell,
    time::{Moment, about, span},
    ui,
};
use chrono::TimeDelta;
use leptos::prelude::*;

pub struct Line {
    pub name: &'static str,
    pub words: &'static str,
    pub every: TimeDelta,
    /// Since when it runs.
    pub since: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub took_ms: u64,
    /// Items since the start.
    pub items: u64,
    /// Why it failed last; nothing where it did not.
    pub failure: Option<String>,
    /// When it last did all that was due.
    pub done_at: Option<Moment>,
    pub aside: u64,
}

pub struct Aside {
    /// The job, in words.
    pub job: &'static str,
    pub item: String,
    pub attempts: i32,
    pub reason: String,
    pub since: Moment,
    pub next_at: Moment,
}

pub struct Jobs {
    pub lines: Vec<Line>,
    /// The longest first.
    pub aside: Vec<Aside>,
    /// How many there are in all.
    pub count: u64,
}

/// Where one looks into an item.
fn page_of(item: &str) -> Option<String> {
    let (kind, _) = item.split_once('_')?;
    let id = item.split_once(':').map_or(item, |(id, _)| id);
    let folder = match kind {
        "req" => "requests",
        "rot" => "rotations",
        "sec" => "secrets",
        "per" => "people",
        "ctl" => "controls",
        _ => return None,
    };
    Some(format!("/{folder}/{id}"))
}

/// How often it runs, in the largest unit that says it.
fn pace(every: TimeDelta) -> String {
    let seconds = every.num_seconds();
    if seconds < 60 { format!("every {seconds} seconds") } else { format!("every {}", span(every)) }
}

fn state(line: &Line, now: Moment) -> AnyView {
    match (&line.failure, line.since, line.ended_at) {
        (Some(why), ..) => {
            let since = line.done_at.map_or_else(
                || "No run has succeeded since the start.".to_owned(),
                |at| format!("The last success was {} ago.", about(now - at)),
            );
            view! { {ui::badge("danger", "Failing")}<small class="block muted">{format!("{why}. {since}")}</small> }
                .into_any()
        }
        (None, Some(since), _) if now - since > LONG => {
            ui::badge("attention", format!("Running for {}", span(now - since)))
        }
        (None, _, Some(_)) => ui::badge("good", "OK"),
        (None, Some(_), None) => ui::badge("note", "First run"),
        (None, None, None) => ui::badge("ended", "Not run yet"),
    }
}

/// A run that takes longer than this is worth a look.
const LONG: TimeDelta = TimeDelta::minutes(1);

pub fn jobs(shell: &Shell, view: Jobs) -> String {
    ui::page(shell, "Jobs", None, || {
        let now = shell.now;
        let failing = view.lines.iter().filter(|line| line.failure.is_some()).count();
        let trouble = (failing > 0).then(|| {
            let title = if failing == 1 { "1 job is failing".into() } else { format!("{failing} jobs are failing") };
            ui::callout(
                "danger",
                title,
                "Each runs again within seconds or a minute. Until it succeeds its work is late; access expires without it.",
            )
        });
        let aside: Vec<Vec<AnyView>> = view.aside.into_iter().map(|row| aside_row(row, now)).collect();
        let listed = aside.len() as u64;
        let lines = view
            .lines
            .into_iter()
            .map(|line| {
                let last = line.ended_at.map_or_else(
                    || ui::text("—"),
                    |at| view! { {ui::when_about(at, now)}<small class="block muted">{format!("took {} ms", line.took_ms)}</small> }.into_any(),
                );
                vec![
                    view! { {line.words}<small class="block muted"><code>{line.name}</code></small> }.into_any(),
                    state(&line, now),
                    last,
                    ui::text(pace(line.every)),
                    ui::text(line.items.to_string()),
                    ui::text(line.aside.to_string()),
                ]
            })
            .collect();
        view! {
            {ui::head("Jobs", "Background work of the server, and the items that failed.", None)}
            {trouble}
            {ui::clause("aside", "Failed items", "Retried after 10 seconds, 1 minute, 10 minutes, then every hour.", view! {
                {if aside.is_empty() {
                    ui::empty("No failed items", "When a job cannot process an item, the item appears here with the reason. Other items are not delayed.", None)
                } else {
                    ui::table("Failed items", &["Item", "Job", "Reason", "Failed", "Since", "Next retry"], aside)
                }}
                {(listed < view.count).then(|| view! { <p class="soft">{format!("The first {listed} of {}, the oldest first.", view.count)}</p> })}
            }.into_any())}
            {ui::clause("all", "All jobs", "On the replica that served this page, since it started.", ui::table(
                "Jobs",
                &["Job", "State", "Last run", "Interval", "Items done", "Failed items"],
                lines,
            ))}
        }
        .into_any()
    })
}

fn aside_row(row: Aside, now: Moment) -> Vec<AnyView> {
    let item = match page_of(&row.item) {
        Some(href) => view! { <a href=href><code>{row.item.clone()}</code></a> }.into_any(),
        None => view! { <code>{row.item.clone()}</code> }.into_any(),
    };
    let next = if row.next_at <= now { ui::text("now") } else { ui::text(format!("in {}", about(row.next_at - now))) };
    vec![
        item,
        ui::text(row.job),
        ui::text(row.reason),
        ui::text(if row.attempts == 1 { "once".into() } else { format!("{} times", row.attempts) }),
        ui::when_about(row.since, now),
        next,
    ]
}
