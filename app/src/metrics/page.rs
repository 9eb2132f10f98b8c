//! The dashboard of governance: figures share hairlines, each with what it means, its window, its data and its events.
use crate::{
    session::Shell,
    time::{self, Moment},
    ui,
};
use leptos::prelude::*;

/// A number with its thousands apart: 13,953.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Hundredths of a percent, with as many digits as tell: 99.97 %.
pub fn percent(hundredths: u64) -> String {
    if hundredths.is_multiple_of(100) {
        format!("{} %", hundredths / 100)
    } else {
        format!("{}.{:02} %", hundredths / 100, hundredths % 100)
    }
}

/// A drawing with what it shows in words; its labels stand below it as text.
pub struct Chart {
    /// What it is of, and how much in all; where a figure has several.
    pub caption: Option<(String, String)>,
    pub svg: String,
    pub words: String,
    pub ticks: Vec<String>,
}

pub struct Row {
    pub label: String,
    pub href: Option<String>,
    pub svg: String,
    pub value: String,
    pub more: String,
}

/// A figure, and everything that makes it one.
pub struct Cell {
    pub title: &'static str,
    pub width: &'static str,
    /// The figure, and the words behind it.
    pub figure: (String, String),
    /// How it was in the period before, in words.
    pub before: Option<String>,
    pub charts: Vec<Chart>,
    pub rows: Vec<Row>,
    /// A word, what it comes to, where that leads, and whether it needs somebody.
    pub pairs: Vec<(String, String, Option<String>, bool)>,
    pub about: String,
    pub window: String,
    pub definition: String,
    pub heads: Vec<&'static str>,
    pub data: Vec<Vec<String>>,
    /// What is behind it, and where.
    pub behind: (String, String),
}

/// Mean time to rotate of one trigger.
pub struct Trigger {
    pub words: &'static str,
    pub href: String,
    pub mean: Option<chrono::TimeDelta>,
    pub before: Option<chrono::TimeDelta>,
    pub svg: String,
    pub shown: String,
    pub median: Option<chrono::TimeDelta>,
    pub p90: Option<chrono::TimeDelta>,
    pub longest: Option<chrono::TimeDelta>,
    pub proved: u64,
    pub ended: u64,
    pub began: u64,
    pub within: u64,
    pub undecided: u64,
    pub open: u64,
    pub open_longest: Option<chrono::TimeDelta>,
}

pub struct Dashboard {
    pub range: String,
    pub project: String,
    pub level: String,
    pub zone: String,
    pub mistake: Option<String>,
    /// `(slug, name)`.
    pub projects: Vec<(String, String)>,
    pub from: String,
    pub to: String,
    pub secrets: u64,
    pub complete_to: u64,
    pub triggers: Vec<Trigger>,
    /// Where each tick of the logarithmic axis lies, in percent, and what it says.
    pub axis: Vec<(u32, &'static str)>,
    pub events: String,
    pub cells: Vec<Cell>,
    pub drawn_at: Moment,
}

pub const RANGES: [(&str, &str); 4] = [("7d", "7 d"), ("30d", "30 d"), ("90d", "90 d"), ("365d", "12 months")];

fn length(time: Option<chrono::TimeDelta>) -> String {
    time.map_or_else(|| "unknown".into(), time::about)
}

fn mttr(view: &[Trigger], axis: &[(u32, &'static str)]) -> AnyView {
    let ticks = axis.iter().map(|(at, words)| view! { <text x=format!("{at}%") y="11">{*words}</text> }).collect_view();
    let rows = view.iter().map(|row| {
        let within = row.began.checked_sub(row.undecided).filter(|decided| *decided > 0);
        let within = within.map_or_else(|| view! { <span class="muted">"none decided"</span> }.into_any(), |decided| view! { <span>{percent(row.within * 10_000 / decided / 100 * 100)}" "<span class="muted">{format!("{} of {decided}", row.within)}</span></span> }.into_any());
        let open = if row.open == 0 { view! { <span class="muted">"none"</span> }.into_any() } else { view! { <span>{count(row.open)}" "<span class="muted">{format!("· {} so far", length(row.open_longest))}</span></span> }.into_any() };
        let before = row.before.map(|before| view! { <small class="block muted">{format!("before: {}", time::about(before))}</small> });
        view! {
            <tr><th scope="row"><a href=row.href.clone()>{row.words}</a></th>
                <td class="num" data-l="Mean"><b>{length(row.mean)}</b>{before}</td>
                <td class="strip" data-l="Each case"><span class="vh">{row.shown.clone()}</span><div inner_html=row.svg.clone()></div></td>
                <td class="num" data-l="Median">{length(row.median)}</td>
                <td class="num" data-l="p90">{length(row.p90)}</td>
                <td class="num" data-l="Proved">{count(row.proved)}" "<span class="muted">{format!("of {}", row.ended)}</span></td>
                <td class="num" data-l="In target">{within}</td>
                <td class="num" data-l="Still open">{open}</td></tr>
        }
    }).collect_view();
    view! {
        <table class="table cards mttr">
            <caption class="vh">"Time from trigger to old value proved dead, by trigger"</caption>
            <thead><tr><th scope="col">"Trigger"</th><th scope="col" class="num">"Mean"</th><th scope="col" class="strip"><span class="vh">"Each case on a logarithmic axis"</span><svg class="strip-axis" aria-hidden="true">{ticks}</svg></th><th scope="col" class="num">"Median"</th><th scope="col" class="num">"p90"</th><th scope="col" class="num">"Proved"</th><th scope="col" class="num">"In target"</th><th scope="col" class="num">"Still open"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn basis(
    about: String,
    window: String,
    definition: String,
    heads: Vec<&'static str>,
    data: Vec<Vec<String>>,
    behind: (String, String),
) -> AnyView {
    let table = (!data.is_empty()).then(|| {
        let heads = heads.into_iter().map(|head| view! { <th scope="col">{head}</th> }).collect_view();
        let rows = data.into_iter().map(|cells| {
            let mut cells = cells.into_iter();
            let first = cells.next().map(|cell| view! { <th scope="row">{cell}</th> });
            view! { <tr>{first}{cells.map(|cell| view! { <td class="num">{cell}</td> }.into_any()).collect_view()}</tr> }.into_any()
        }).collect_view();
        view! { <div class="data"><table class="table compact"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
    });
    view! {
        <div class="basis"><p>{about}</p><p><b>{window}</b></p>
            <div class="foot"><details><summary>"Definition and data"</summary><p>{definition}</p>{table}</details><a href=behind.1>{behind.0}</a></div></div>
    }
    .into_any()
}

fn cell(cell: Cell) -> AnyView {
    let charts = cell
        .charts
        .into_iter()
        .map(|chart| {
            let caption =
                chart.caption.map(|(words, all)| view! { <p class="multi"><span>{words}</span><b>{all}</b></p> });
            let ticks = (!chart.ticks.is_empty()).then(|| {
                let ticks = chart.ticks.into_iter().map(|tick| view! { <span>{tick}</span> }).collect_view();
                view! { <p class="ticks" aria-hidden="true">{ticks}</p> }
            });
            view! { {caption}<div class="plot" role="img" aria-label=chart.words inner_html=chart.svg></div>{ticks} }
        })
        .collect_view();
    let rows = (!cell.rows.is_empty()).then(|| {
        let rows = cell.rows.into_iter().map(|row| {
            let label = match row.href {
                Some(href) => view! { <a href=href>{row.label}</a> }.into_any(),
                None => row.label.into_any(),
            };
            view! { <tr><th scope="row">{label}</th><td class="fill" inner_html=row.svg></td><td class="num">{row.value}</td><td class="num muted">{row.more}</td></tr> }
        }).collect_view();
        view! { <table class="table compact bars"><caption class="vh">{cell.title}</caption><thead class="vh"><tr><th scope="col">"What"</th><th scope="col">"Share"</th><th scope="col">"How many"</th><th scope="col">"By"</th></tr></thead><tbody>{rows}</tbody></table> }.into_any()
    });
    let pairs = (!cell.pairs.is_empty()).then(|| {
        let pairs = cell
            .pairs
            .into_iter()
            .map(|(word, value, href, urgent)| {
                let value = if urgent { ui::badge("attention", value) } else { value.into_any() };
                let value = match href {
                    Some(href) => view! { <a href=href>{value}</a> }.into_any(),
                    None => value,
                };
                view! { <dt>{word}</dt><dd>{value}</dd> }
            })
            .collect_view();
        view! { <dl class="pairs">{pairs}</dl> }
    });
    let before = cell.before.map(|before| view! { <span class="delta small muted">{before}</span> });
    view! {
        <section class=format!("cell {}", cell.width)>
            <header><h2>{cell.title}</h2></header>
            <p class="figure"><b>{cell.figure.0}</b><span>{cell.figure.1}</span>{before}</p>
            {charts}{rows}{pairs}
            {basis(cell.about, cell.window, cell.definition, cell.heads, cell.data, cell.behind)}
        </section>
    }
    .into_any()
}

pub fn dashboard(shell: &Shell, view: Dashboard) -> String {
    ui::page(shell, "Governance", None, || {
        let ranges = RANGES.map(|(value, words)| {
            let chosen = view.range == value;
            view! { <label><input class="vh" type="radio" name="range" value=value checked=chosen />{words}</label> }
        });
        let options = |chosen: &str, choices: Vec<(String, String)>| {
            choices
                .into_iter()
                .map(|(value, words)| {
                    let selected = value == chosen;
                    view! { <option value=value selected=selected>{words}</option> }
                })
                .collect_view()
        };
        let projects =
            [vec![(String::new(), format!("All {} projects", view.projects.len()))], view.projects.clone()].concat();
        let levels = [
            vec![(String::new(), "All levels".to_owned())],
            crate::policies::model::Tier::ALL
                .iter()
                .map(|tier| (tier.code().to_owned(), tier.words().to_owned()))
                .collect(),
        ]
        .concat();
        let mistake = view.mistake.clone().map(|why| view! { <p class="wrong" role="alert">{why}</p> });
        let cells = view.cells.into_iter().map(cell).collect_view();
        let window = format!("{} – {}", view.from, view.to);
        let (proved, ended) =
            view.triggers.iter().fold((0, 0), |(proved, ended), row| (proved + row.proved, ended + row.ended));
        let data = view
            .triggers
            .iter()
            .map(|row| {
                vec![
                    row.words.to_owned(),
                    length(row.mean),
                    length(row.median),
                    length(row.p90),
                    length(row.longest),
                    count(row.proved),
                    count(row.ended),
                    count(row.began),
                    count(row.within),
                    count(row.undecided),
                    count(row.open),
                ]
            })
            .collect();
        view! {
            {ui::head("Governance", "How fast secrets are replaced, who takes their values and how, and what is overdue. Unknown is never counted as zero.", None)}
            <form class="controls" method="get" action="/dashboard" aria-label="Range and scope">
                <div class="segments" role="radiogroup" aria-label="Range">{ranges}</div>
                <span class="pick"><select class="select" name="project" aria-label="Project">{options(&view.project, projects)}</select></span>
                <span class="pick"><select class="select" name="level" aria-label="Protection level">{options(&view.level, levels)}</select></span>
                <input class="input" name="zone" aria-label="Time zone" value=view.zone.clone() />
                <button class="button" type="submit">"Show"</button>
            </form>
            {mistake}
            <p class="window"><span><b>{window.clone()}</b>{format!(", {}", view.zone)}</span><span>{format!("{} secrets", count(view.secrets))}</span><span>"complete up to event "<a href=format!("/audit?q=event%3A{}", view.complete_to.saturating_sub(1))>{count(view.complete_to.saturating_sub(1))}</a></span></p>
            <div class="panel">
                <section class="cell w12">
                    <header><h2><a href="/cases">"Mean time to rotate"</a></h2></header>
                    {mttr(&view.triggers, &view.axis)}
                    {basis(
                        "From the trigger to the old value being refused by every endpoint. Triggers are never mixed. The median counts open cases; the mean cannot.".into(),
                        format!("{window} · {proved} of {ended} cases that ended were proved dead"),
                        "Mean, p90 and longest: t2 − t0 over cases proved in the window. In target: of the cases that began in it and are decided. Median: Kaplan–Meier over those that began in it, open ones counted for as long as they were seen; unknown where half is not reached. Retries never reset t0; cancelled cases stay counted.".into(),
                        vec!["Trigger", "Mean", "Median", "p90", "Longest", "Proved", "Ended", "Began", "In target", "Undecided", "Open"], data,
                        ("The events behind it".into(), view.events))}
                </section>
                {cells}
            </div>
        }
        .into_any()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_for_people() {
        let spelled = [(0, "0"), (999, "999"), (1_000, "1,000"), (13_953, "13,953"), (1_501_087, "1,501,087")];
        for (number, wanted) in spelled {
            assert_eq!(count(number), wanted);
        }
        assert_eq!((percent(9_997), percent(10_000), percent(5)), ("99.97 %".into(), "100 %".into(), "0.05 %".into()));
    }
}
