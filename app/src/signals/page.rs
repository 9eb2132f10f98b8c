//! Signals as a list, and one with its evidence and its answers.
use super::model::{Answer, Detector, Evidence, Key, State, Weight};
use crate::{
    audit::page::{Line, outcome_badge},
    session::Shell,
    time::{self, Moment},
    ui::{self, Form},
};
use leptos::prelude::*;

pub struct Row {
    pub key: Key,
    pub at: Moment,
    pub who: String,
    pub place: Option<String>,
    pub state: State,
    pub assignee: Option<String>,
}

pub struct List {
    /// As the address says it: `open`, `mine`, `snoozed`, `closed`, `not_useful`, `all`.
    pub tab: &'static str,
    pub detector: Option<Detector>,
    pub rows: Vec<Row>,
    pub older: Option<String>,
    /// Of each detector in the last 90 days: found, and called not useful.
    pub tally: Vec<(Detector, u64, u64)>,
}

pub const TABS: [(&str, &str); 6] = [
    ("open", "Open"),
    ("mine", "Yours"),
    ("snoozed", "Put off"),
    ("closed", "Closed"),
    ("not_useful", "Not useful"),
    ("all", "All"),
];

pub fn address(tab: &str, detector: Option<Detector>, before: Option<Key>) -> String {
    let before = before.map(|key| key.to_string()).unwrap_or_default();
    let tab = if tab == "open" { "" } else { tab };
    crate::nav::address(
        "/signals",
        &[("show", tab), ("detector", detector.map_or("", Detector::code)), ("before", &before)],
    )
}

fn state_badge(state: State) -> AnyView {
    let kind = match state {
        State::Open => "attention",
        State::Snoozed => "wait",
        State::Closed => "good",
        State::NotUseful => "ended",
    };
    ui::badge(kind, state.words())
}

fn weight(weight: Weight) -> AnyView {
    let kind = match weight {
        Weight::Today => "danger",
        Weight::Week => "attention",
        Weight::Review => "note",
    };
    ui::badge(kind, weight.words())
}

fn empty(view: &List) -> AnyView {
    match view.tab {
        "open" if view.detector.is_none() => ui::empty(
            "Nothing stands out",
            "Every event up to now was read. What the detectors look for stands below.",
            None,
        ),
        "mine" => ui::empty("Nothing is assigned to you", "Signals that somebody hands to you appear here.", None),
        _ => ui::empty("None", "No signal fits.", Some(("/signals".into(), "The open ones"))),
    }
}

pub fn list(shell: &Shell, view: List) -> String {
    ui::page(shell, "Signals", None, || {
        let now = shell.now;
        let tabs = TABS
            .map(|(code, words)| {
                let current = (code == view.tab).then_some("page");
                view! { <a href=address(code, view.detector, None) aria-current=current>{words}</a> }
            })
            .collect_view();
        let narrowed = view.detector.map(|detector| {
            view! { <p class="soft">{format!("Only: {}. ", detector.words())}<a href=address(view.tab, None, None)>"All detectors"</a></p> }
        });
        let none = view.rows.is_empty();
        let nothing = none.then(|| empty(&view));
        let rows = view
            .rows
            .into_iter()
            .map(|row| {
                let place = row.place.map(|place| view! { <small class="block muted">{place}</small> });
                let assignee = row.assignee.map(|name| view! { <small class="block muted">{name}</small> });
                vec![
                    view! { <a href=format!("/signals/{}", row.key)>{row.key.detector.words()}</a>{place} }.into_any(),
                    ui::text(row.who),
                    ui::when_about(row.at, now),
                    weight(row.key.detector.weight()),
                    view! { {state_badge(row.state)}{assignee} }.into_any(),
                ]
            })
            .collect();
        let tally = view
            .tally
            .into_iter()
            .map(|(detector, found, rejected)| {
                vec![
                    view! { <a href=address("all", Some(detector), None)>{detector.words()}</a> }.into_any(),
                    view! { <span class="soft">{detector.rule()}</span> }.into_any(),
                    ui::text(found.to_string()),
                    ui::text(if found == 0 { "—".into() } else { format!("{rejected} of {found}") }),
                ]
            })
            .collect();
        view! {
            {ui::head("Signals", "What stands out in the trail, why it matters, and what became of it.", None)}
            <nav class="tabs" aria-label="Signals">{tabs}</nav>
            {narrowed}
            {nothing}
            {(!none).then(|| ui::table("Signals, newest first", &["What", "Who", "When", "Look at it", "State"], rows))}
            {view.older.map(|older| view! { <p><a href=older>"Older ones"</a></p> })}
            {ui::clause("h-detectors", "Detectors", "Counts are of the last 90 days.",
                ui::table("Detectors", &["Detector", "What it finds", "Found", "Called not useful"], tally))}
        }
        .into_any()
    })
}

pub struct One {
    pub key: Key,
    pub at: Moment,
    pub state: State,
    pub until: Option<Moment>,
    pub who: String,
    pub who_href: Option<String>,
    /// The trail of whoever it is about, around that time.
    pub trail: Option<String>,
    pub other: Option<String>,
    pub project: Option<(String, String)>,
    pub secret: Option<(String, String)>,
    pub request: Option<String>,
    pub evidence: Option<Evidence>,
    /// The hours of the day as a chart.
    pub chart: Option<String>,
    pub lines: Vec<Line>,
    /// How many events it was found in; not all may be shown.
    pub events: usize,
    /// Where somebody was: addresses and programs of its events.
    pub places: Vec<String>,
    pub answers: Vec<Past>,
    /// The last answer that this page knows.
    pub seen: i32,
    pub assignee: Option<String>,
    /// Who may be asked to answer.
    pub people: Vec<(String, String)>,
    /// Why the reader may not answer.
    pub refused: Option<String>,
}

pub struct Past {
    pub answer: Answer,
    pub by: String,
    pub at: Moment,
    pub assignee: Option<String>,
    pub until: Option<Moment>,
    pub reason: String,
}

fn of_days(count: u32, days: u32) -> String {
    match count {
        0 => format!("on none of {days} days before"),
        1 => format!("on 1 of {days} days before"),
        count => format!("on {count} of {days} days before"),
    }
}

/// What was seen, as sentences.
fn told(view: &One) -> Vec<String> {
    let who = &view.who;
    match &view.evidence {
        Some(Evidence::Hours { hour, by_hour, by_weekend, days, weekends, hours }) => {
            let near = [(hour + 23) % 24, *hour, (hour + 1) % 24];
            let most = near.iter().filter_map(|hour| hours.get(*hour as usize)).max().copied().unwrap_or_default();
            let by_hour = by_hour.then(|| {
                format!(
                    "{who} acted between {hour:02}:00 and {hour:02}:59 UTC. Within an hour of that they acted {}.",
                    of_days(most, *days)
                )
            });
            let by_weekend =
                by_weekend.then(|| format!("{who} acted on a weekend. They did {}.", of_days(*weekends, *days)));
            by_hour.into_iter().chain(by_weekend).collect()
        }
        Some(Evidence::Place { network, agent, days }) => {
            let what = match (network, agent) {
                (true, true) => "from a network and with a program that were",
                (true, false) => "from a network that was",
                _ => "with a program that was",
            };
            vec![format!("{who}, known on {days} days, acted {what} never seen with them.")]
        }
        Some(Evidence::Refusals { count, secrets, reasons }) => {
            let about = match secrets {
                0 => String::new(),
                1 => " about one secret".into(),
                secrets => format!(" about {secrets} different secrets"),
            };
            let reasons: Vec<String> = reasons.iter().map(|reason| reason.replace('_', " ")).collect();
            vec![format!("{who} was refused {count} times within ten minutes{about}: {}.", reasons.join(", "))]
        }
        Some(Evidence::Critical) => {
            vec![format!("{who} read a critical production secret of this project, and never had before.")]
        }
        Some(Evidence::Dormant { used, since }) => {
            let last = if *used { "last used" } else { "given, and never used since," };
            vec![format!("Access of {who} was {last} on {} and still works.", time::long(*since))]
        }
        Some(Evidence::Mutual { given, taken, .. }) => {
            let other = view.other.clone().unwrap_or_else(|| "Somebody".into());
            vec![format!(
                "Within 30 days {who} approved {given} requests of {other}, and {other} approved {taken} of theirs."
            )]
        }
        None => vec!["What it was found by cannot be read by this version.".into()],
    }
}

fn past(answers: &[Past]) -> AnyView {
    let items = answers
        .iter()
        .rev()
        .map(|past| {
            let to = past.assignee.as_ref().filter(|_| past.answer == Answer::Assign);
            let more = match (to, past.until) {
                (Some(name), _) => format!(" to {name}"),
                (None, Some(until)) => format!(" until {}", time::long(until)),
                (None, None) => String::new(),
            };
            let reason = (!past.reason.is_empty()).then(|| view! { <p class="quoted">{past.reason.clone()}</p> });
            view! { <li>{ui::when_short(past.at)}<div><p>{format!("{}{more}, by {}", past.answer.words(), past.by)}</p>{reason}</div></li> }
        })
        .collect_view();
    view! { <ol class="timeline">{items}</ol> }.into_any()
}

fn answer(view: &One, form: &Form) -> AnyView {
    if let Some(refused) = &view.refused {
        return view! { <p>{refused.clone()}</p> }.into_any();
    }
    let here = format!("/signals/{}", view.key);
    let seen = view.seen.to_string();
    let hidden = move || view! { <input type="hidden" name="seen" value=seen.clone() /> };
    if view.state.may(Answer::Reopen) && view.state != State::Snoozed {
        return ui::act(here, "Open it again", vec![("seen", view.seen.to_string()), ("answer", "reopened".into())]);
    }
    let days = [("1", "a day"), ("7", "a week"), ("30", "30 days"), ("90", "90 days")];
    let days = days.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let people = view.people.clone();
    let assign = (!people.is_empty()).then(|| view! {
        <form class="sheet" method="post" action=here.clone()>{hidden()}
            {ui::pick(form, "assignee", "Who looks at it", "They are told.", people)}
            <div class="actions"><button class="button" type="submit" name="answer" value="assigned">"Assign"</button></div>
        </form>
    });
    view! {
        <div class="stacked"><form class="sheet" method="post" action=here.clone()>{hidden()}
            {ui::text_area(form, "reason", "What you found", "It stands in the trail, and is read at the next review.")}
            {ui::pick(form, "days", "Put off for", "Only where you put it off.", days)}
            <div class="actions">
                <button class="button primary" type="submit" name="answer" value="closed">"Close"</button>
                <button class="button" type="submit" name="answer" value="snoozed">"Put off"</button>
                <button class="button" type="submit" name="answer" value="not_useful">"Not useful"</button>
            </div>
        </form>
        {assign}</div>
    }
    .into_any()
}

pub fn one(shell: &Shell, view: One, form: &Form) -> String {
    let detector = view.key.detector;
    ui::page(shell, detector.words(), None, || {
        let sentences = told(&view).into_iter().map(|sentence| view! { <p class="lead">{sentence}</p> }).collect_view();
        let chart = match (&view.chart, &view.evidence) {
            (Some(svg), Some(Evidence::Hours { hours, days, .. })) => {
                let words: Vec<String> = hours
                    .iter()
                    .enumerate()
                    .filter(|(_, count)| **count > 0)
                    .map(|(hour, count)| format!("{hour:02}: {count}"))
                    .collect();
                let words =
                    format!("Days, of {days}, on which something was done in each hour, UTC. {}", words.join(", "));
                Some(view! { <div>
                    <p class="plot-head">"Days with something done in each hour, UTC"</p>
                    <div class="plot" role="img" aria-label=words inner_html=svg.clone()></div>
                    <p class="ticks" aria-hidden="true"><span>"00"</span><span>"06"</span><span>"12"</span><span>"18"</span><span>"23"</span></p></div>
                })
            }
            _ => None,
        };
        let mut facts = vec![
            (
                "About",
                match &view.who_href {
                    Some(href) => ui::link(href.clone(), view.who.clone()),
                    None => ui::text(view.who.clone()),
                },
            ),
            ("When", ui::when_about(view.at, shell.now)),
            ("Look at it", weight(detector.weight())),
        ];
        if let Some((href, name)) = &view.project {
            facts.push(("Project", ui::link(href.clone(), name.clone())));
        }
        if let Some((href, path)) = &view.secret {
            facts.push(("Secret", view! { <a class="path" href=href.clone()>{path.clone()}</a> }.into_any()));
        }
        if let Some(request) = &view.request {
            facts.push(("Request", ui::link(request.clone(), "What was asked for")));
        }
        if !view.places.is_empty() {
            facts.push((
                "From",
                view.places
                    .iter()
                    .map(|place| view! { <span class="block">{place.clone()}</span> })
                    .collect_view()
                    .into_any(),
            ));
        }
        if let Some(name) = &view.assignee {
            facts.push(("Assigned to", ui::text(name.clone())));
        }
        if let Some(until) = view.until.filter(|_| view.state == State::Snoozed) {
            facts.push(("Put off until", ui::when(until)));
        }
        let rows = view
            .lines
            .iter()
            .map(|line| {
                vec![
                    view! { <a class="num" href=format!("/audit?event={0}&before={1}", line.seq, line.seq + 1)>{format!("#{}", line.seq)}</a> }.into_any(),
                    ui::when_short(line.at),
                    ui::text(line.actor.clone()),
                    ui::text(line.words.clone()),
                    match line.about.as_str() {
                        "" => ui::text("—"),
                        about => view! { <span class="path">{about.to_owned()}</span> }.into_any(),
                    },
                    outcome_badge(line.outcome),
                ]
            })
            .collect();
        let missing = view.events.saturating_sub(view.lines.len());
        let missing = (missing > 0).then(|| view! { <p class="soft">{format!("And {missing} more, which you may not read or which are not shown here.")}</p> });
        let trail = view.trail.clone().map(|href| view! { <p><a href=href>"What else they did then"</a></p> });
        let no_answer = view.answers.is_empty();
        view! {
            {ui::crumbs(vec![("Signals".into(), Some("/signals".into())), (detector.words().into(), None)])}
            {ui::head(detector.words(), detector.rule(), Some(state_badge(view.state)))}
            {ui::clause("h-seen", "What was seen", "", view! { <div class="stacked">{sentences}{chart}{ui::facts(facts)}</div> }.into_any())}
            {ui::clause("h-why", "Why it matters", "", view! { <div class="stacked"><p>{detector.why()}</p><p>{detector.next()}</p></div> }.into_any())}
            {ui::clause("h-events", "Evidence", "The events that it was found in; each has its proof.", view! { <div class="stacked">
                {ui::table("Events", &["Event", "When, UTC", "Who", "What", "About", "Outcome"], rows)}{missing}{trail}</div> }.into_any())}
            {ui::clause("h-answer", "Answer", "Each answer is an event.", answer(&view, form))}
            {(!no_answer).then(|| ui::clause("h-past", "Answers so far", "Newest first, UTC", past(&view.answers)))}
        }
        .into_any()
    })
}
