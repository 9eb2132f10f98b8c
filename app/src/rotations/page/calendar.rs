//! The calendar: a month as a table of days, or the same as a list; what will rotate and what did.
use super::tabs;
use crate::{session::Shell, time::Moment, ui};
use chrono::{Datelike, Days, Months, NaiveDate};
use leptos::prelude::*;

/// One thing on a day.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Moment,
    pub href: String,
    pub path: String,
    pub project: String,
    pub kind: EntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Will begin by itself.
    Planned,
    /// Will not begin while its schedule is paused, or before its plan is confirmed.
    Held,
    UnderWay,
    Stuck,
    Done,
}

impl EntryKind {
    fn words(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Held => "held up",
            Self::UnderWay => "under way",
            Self::Stuck => "needs a person",
            Self::Done => "ended",
        }
    }

    fn badge(self) -> &'static str {
        match self {
            Self::Planned => "note",
            Self::Held => "attention",
            Self::UnderWay => "wait",
            Self::Stuck => "danger",
            Self::Done => "good",
        }
    }
}

pub struct CalendarView {
    /// The first day of the month.
    pub month: NaiveDate,
    pub agenda: bool,
    pub entries: Vec<Entry>,
    /// Secrets whose next time is known, of how many with a plan that were looked at.
    pub more: bool,
}

/// Entries that a day of the month's table names; the agenda names all.
const A_DAY: usize = 3;

pub fn calendar(shell: &Shell, view: CalendarView) -> String {
    ui::page(shell, "Calendar of rotations", None, || {
        let month = view.month;
        let name = month.format("%B %Y").to_string();
        let link = |date: Option<NaiveDate>, agenda: bool| {
            let date = date.unwrap_or(month);
            format!("/rotations/calendar?month={}{}", date.format("%Y-%m"), if agenda { "&view=agenda" } else { "" })
        };
        let (before, after) = (month.checked_sub_months(Months::new(1)), month.checked_add_months(Months::new(1)));
        let shape = |words: &'static str, agenda: bool| {
            let current = (agenda == view.agenda).then_some("true");
            view! { <a href=link(Some(month), agenda) aria-current=current>{words}</a> }
        };
        let count = view.entries.len();
        view! {
            {ui::head("Calendar", "What rotates by itself, and what did. Days are UTC.", None)}
            {tabs("/rotations/calendar")}
            <div class="row pad">
                <a class="button" rel="prev" href=link(before, view.agenda)>"Earlier"</a>
                <h2 class="month-name">{name.clone()}</h2>
                <a class="button" rel="next" href=link(after, view.agenda)>"Later"</a>
                <nav class="segments" aria-label="Shape">{shape("Month", false)}{shape("Agenda", true)}</nav>
            </div>
            {view.more.then(|| ui::callout("info", "Not everything is shown", "Only the first thousand rotations and secrets with a plan are looked at for a month."))}
            {(count == 0).then(|| ui::empty("Nothing in this month", "Secrets with a schedule appear here by themselves.", Some(("/projects".into(), "Find a secret"))))}
            {if view.agenda { agenda(view.entries) } else { grid(shell.now.date_naive(), month, &name, &link(Some(month), true), view.entries) }}
        }
        .into_any()
    })
}

fn agenda(entries: Vec<Entry>) -> AnyView {
    let rows = entries
        .into_iter()
        .map(|entry| {
            vec![
                view! { <span class="nowrap">{ui::when_short(entry.at)}</span> }.into_any(),
                ui::link(entry.href, entry.path),
                ui::text(entry.project),
                ui::badge(entry.kind.badge(), entry.kind.words()),
            ]
        })
        .collect::<Vec<_>>();
    if rows.is_empty() {
        ().into_any()
    } else {
        ui::table("Rotations of the month", &["When, UTC", "Secret", "Where", "State"], rows)
    }
}

/// Weeks from Monday; days of other months are empty.
fn grid(today: NaiveDate, month: NaiveDate, name: &str, all: &str, entries: Vec<Entry>) -> AnyView {
    let first = month - Days::new(month.weekday().num_days_from_monday().into());
    let weeks = (0..6_u64)
        .map(|week| first + Days::new(week * 7))
        .filter(|monday| *monday < month + Months::new(1))
        .map(|monday| {
            let days = (0..7_u64)
                .map(|day| {
                    let date = monday + Days::new(day);
                    if date.month() != month.month() {
                        return view! { <td class="out"></td> }.into_any();
                    }
                    let mine: Vec<&Entry> = entries.iter().filter(|entry| entry.at.date_naive() == date).collect();
                    let shown = mine.iter().take(A_DAY).map(|entry| {
                        let title = format!("{} {} · {} · {}", entry.at.format("%H:%M UTC"), entry.path, entry.project, entry.kind.words());
                        view! { <li><a href=entry.href.clone() title=title.clone() aria-label=title class=format!("badge {}", entry.kind.badge())>{entry.path.clone()}</a></li> }
                    }).collect_view();
                    let rest = mine.len().saturating_sub(A_DAY);
                    let more = (rest > 0).then(|| view! { <li><a href=all.to_owned()>{format!("{rest} more")}</a></li> });
                    let is_today = date == today;
                    let current = is_today.then_some("date");
                    view! {
                        <td class:today=is_today aria-current=current>
                            <span class="day">{date.day()}</span>
                            <ul class="plain">{shown}{more}</ul>
                        </td>
                    }
                    .into_any()
                })
                .collect_view();
            view! { <tr>{days}</tr> }
        })
        .collect_view();
    let heads = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        .map(|day| view! { <th scope="col">{day}</th> })
        .collect_view();
    view! {
        <table class="month"><caption class="vh">{format!("Rotations in {name}")}</caption>
            <thead><tr>{heads}</tr></thead><tbody>{weeks}</tbody></table>
    }
    .into_any()
}
