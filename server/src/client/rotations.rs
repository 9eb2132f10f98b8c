//! `countersign rotations …`
use super::{
    Client, Failure, Server,
    table::{table, time, time_or_none},
};
use crate::{
    command::say,
    http::api::{
        Begun, Calendar, CalendarQuery, Cancel, Case, CaseQuery, Checked, Choice, Done, Figures, FiguresQuery,
        OfSecret, Page, Pause, Resolve, RollBack, Rotation, RotationDetail, RotationFigures, RotationQuery, State,
    },
};
use app::time::about;
use chrono::TimeDelta;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeSet, process::ExitCode, time::Duration};
use tokio::time::{Instant, sleep};

/// How often a rotation that is waited for is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What a rotation needs somebody for, or what a check denies.
const NEEDS_PERSON: u8 = 2;
/// It went on longer than it was waited for.
const STILL_RUNNING: u8 = 3;

/// What of an event is the trail's to tell: which values were opened, by what. `--json` has all of it.
const UNTOLD: [&str; 4] = ["opened", "opened_beside", "rotator", "sealed"];

#[derive(Args)]
pub struct Rotations {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Rotations, the newest first
    List {
        #[arg(long, value_enum)]
        state: Option<State>,
        #[arg(long, value_name = "SLUG")]
        project: Option<String>,
        /// Its id, or project/environment/path
        #[arg(long, value_name = "SECRET")]
        secret: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// One rotation: how far it is, who still uses the old value, and each step with what the target said
    Show { rotation: String },
    /// What ran, runs and will begin by itself
    Calendar {
        /// For how many days from now
        #[arg(long, default_value_t = 31, value_name = "N")]
        days: u32,
    },
    /// Ask the target whether a rotation would work now. Exit code 0: it will; 2: it will not
    Check {
        /// Its id, or project/environment/path
        secret: String,
    },
    /// Begin a rotation by the secret's plan
    Start {
        /// Its id, or project/environment/path
        secret: String,
        /// Wait until the new value is in use: exit code 0 then, 2 when it needs a person, 3 when this many seconds are over
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "600")]
        wait: Option<u64>,
    },
    /// Send a rotation that needs a person on its way
    Resolve {
        rotation: String,
        choice: Choice,
        /// What you saw, for the trail; not needed to retry
        #[arg(long, default_value = "", value_name = "TEXT")]
        comment: String,
    },
    /// End a rotation that has not begun at its target
    Cancel {
        rotation: String,
        #[arg(long, value_name = "TEXT")]
        comment: String,
    },
    /// End the overlap now, whoever still uses the old value
    CutOff { rotation: String },
    /// Go back to the old value while both work
    RollBack {
        rotation: String,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Pause a secret's schedule
    Pause {
        /// Its id, or project/environment/path
        secret: String,
        #[arg(long, value_name = "N")]
        days: u32,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End the pause of a secret's schedule
    Resume {
        /// Its id, or project/environment/path
        secret: String,
    },
    /// Secrets that had to be rotated, until their old credential was dead
    Cases {
        #[arg(long, value_enum)]
        state: Option<State>,
        #[arg(long, value_name = "SLUG")]
        project: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// Mean time to rotate and what stands beside it, for each trigger
    Figures {
        /// How many days back
        #[arg(long, default_value_t = 90, value_name = "N")]
        days: u32,
        #[arg(long, value_name = "SLUG")]
        project: Option<String>,
    },
}

pub async fn run(rotations: Rotations) -> Result<ExitCode, Failure> {
    let client = Client::new(&rotations.server)?;
    match rotations.verb {
        Verb::List { state, project, secret, limit } => {
            let query = RotationQuery { state, project, secret, ..RotationQuery::default() };
            let next =
                |last: Option<String>, limit: u32| RotationQuery { before: last, limit: Some(limit), ..query.clone() };
            let rows: Vec<Rotation> = all(&client, "/rotations", next, limit).await?;
            client.print(&rows, |rows| {
                let cells = |row: &Rotation| {
                    let grade = row.grade.clone().unwrap_or_default();
                    vec![
                        row.id.clone(),
                        time(row.started_at),
                        row.step.clone(),
                        grade,
                        row.trigger.clone(),
                        row.secret.name.clone(),
                    ]
                };
                table(
                    &["rotation", "started", "step", "old value", "trigger", "secret"],
                    &rows.iter().map(cells).collect::<Vec<_>>(),
                )
            });
        }
        Verb::Show { rotation } => {
            let detail: RotationDetail = client.get(&one(&rotation, ""), &()).await?;
            client.print(&detail, shown);
        }
        Verb::Calendar { days } => {
            let query = CalendarQuery { from: None, days: Some(days) };
            let calendar: Calendar = client.get("/rotations/calendar", &query).await?;
            client.print(&calendar, |calendar| {
                let rows = calendar.items.iter().map(|item| {
                    vec![time(item.at), item.state.clone(), item.secret.level.clone(), item.secret.name.clone()]
                });
                let more = if calendar.incomplete {
                    "There is more than one call looks at: ask for fewer days.\n"
                } else {
                    ""
                };
                table(&["when", "state", "level", "secret"], &rows.collect::<Vec<_>>()) + more
            });
        }
        Verb::Check { secret } => {
            let checked: Checked = client.post("/rotations/check", &OfSecret { secret }).await?;
            client.print(&checked, |checked| {
                let begin = if checked.will_work { "It will work" } else { "It will not work" };
                format!("{begin}: {} (event {})\n", checked.said, checked.event)
            });
            return Ok(if checked.will_work { ExitCode::SUCCESS } else { ExitCode::from(NEEDS_PERSON) });
        }
        Verb::Start { secret, wait } => {
            let begun: Begun = client.post("/rotations", &OfSecret { secret }).await?;
            client.print(&begun, |begun| format!("Begun: {} (event {})\n", begun.rotation, begun.event));
            if let Some(seconds) = wait {
                return follow(&client, &begun.rotation, Duration::from_secs(seconds)).await;
            }
        }
        Verb::Resolve { rotation, choice, comment } => {
            client.did(&one(&rotation, "/resolve"), &Resolve { choice, comment }).await?;
        }
        Verb::Cancel { rotation, comment } => client.did(&one(&rotation, "/cancel"), &Cancel { comment }).await?,
        Verb::CutOff { rotation } => client.did(&one(&rotation, "/cut-off"), &()).await?,
        Verb::RollBack { rotation, reason } => client.did(&one(&rotation, "/roll-back"), &RollBack { reason }).await?,
        Verb::Pause { secret, days, reason } => {
            client.did("/rotations/pause", &Pause { secret, days, reason }).await?;
        }
        Verb::Resume { secret } => client.did("/rotations/unpause", &OfSecret { secret }).await?,
        Verb::Cases { state, project, limit } => {
            let query = CaseQuery { state, project, ..CaseQuery::default() };
            let next =
                |last: Option<String>, limit: u32| CaseQuery { before: last, limit: Some(limit), ..query.clone() };
            let rows: Vec<Case> = all(&client, "/cases", next, limit).await?;
            client.print(&rows, |rows| {
                let cells = |row: &Case| {
                    let outcome = row.outcome.clone().unwrap_or_else(|| "open".into());
                    let (began, ended) = (time(row.began_at), time_or_none(row.ended_at));
                    vec![
                        row.id.clone(),
                        row.trigger.clone(),
                        began,
                        outcome,
                        ended,
                        format!("{} v{}", row.secret.name, row.version),
                    ]
                };
                table(
                    &["case", "trigger", "began", "outcome", "ended", "secret"],
                    &rows.iter().map(cells).collect::<Vec<_>>(),
                )
            });
        }
        Verb::Figures { days, project } => {
            let query = FiguresQuery { days: Some(days), project };
            let figures: RotationFigures = client.get("/figures/rotations", &query).await?;
            client.print(&figures, |figures| {
                let rows: Vec<Vec<String>> = figures.triggers.iter().map(figures_row).collect();
                let head = format!("From {} to {}\n", time(figures.from), time(figures.until));
                let parts: Vec<Vec<String>> = figures.triggers.iter().map(parts_row).collect();
                head + &table(&["trigger", "mean", "proved", "in time", "median", "p90", "longest", "open"], &rows)
                    + "\nWhere the time goes\n"
                    + &table(&["trigger", "late", "queue", "cycle", "overlap", "first attempt", "cases"], &parts)
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn figures_row(figures: &Figures) -> Vec<String> {
    let long = |seconds: Option<i64>| seconds.and_then(TimeDelta::try_seconds).map_or_else(|| "—".into(), about);
    vec![
        figures.trigger.clone(),
        long(figures.mean),
        format!("{} of {}", figures.proved, figures.ended),
        format!("{} of {}", figures.within_target, figures.began),
        long(figures.median),
        long(figures.p90),
        long(figures.longest),
        match figures.open {
            0 => "none".into(),
            open => format!("{open}, {} so far", long(figures.open_longest)),
        },
    ]
}

fn parts_row(figures: &Figures) -> Vec<String> {
    let long = |seconds: Option<i64>| seconds.and_then(TimeDelta::try_seconds).map_or_else(|| "—".into(), about);
    let parts = &figures.parts;
    vec![
        figures.trigger.clone(),
        long(parts.late),
        long(parts.queue),
        long(parts.cycle),
        long(parts.overlap),
        format!("{} of {}", parts.first_attempt, parts.ended),
        format!("{} by {} rotations", parts.cases, parts.proved),
    ]
}

/// The path of one rotation. What is no id leads nowhere else.
fn one(rotation: &str, verb: &str) -> String {
    let id: String = rotation.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
    format!("/rotations/{id}{verb}")
}

fn shown(detail: &RotationDetail) -> String {
    let rotation = &detail.rotation;
    let mut text = format!("{}  {} ({})\n", rotation.id, rotation.secret.name, rotation.secret.level);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("{name:<14} {value}\n"));
        }
    };
    fact("step", Some(rotation.step.clone()));
    fact("stopped at", rotation.stopped.clone());
    fact("because", rotation.reason.clone());
    fact("choose", Some(rotation.choices.join(", ").replace('_', "-")).filter(|choices| !choices.is_empty()));
    let to = rotation.to_version.map_or_else(|| "—".into(), |version| version.to_string());
    fact("version", Some(format!("{} to {to}", rotation.from_version)));
    fact("in use since", rotation.promoted_at.map(time));
    fact("both until", rotation.overlap_until.filter(|_| rotation.step == "overlap").map(time));
    fact("old value", rotation.grade.clone());
    fact("dead since", rotation.dead_at.map(time));
    fact("ended", rotation.ended_at.map(time));
    if !detail.consumers.is_empty() {
        let rows = detail.consumers.iter();
        let rows: Vec<_> =
            rows.map(|row| vec![row.workload.clone(), row.version.to_string(), time(row.fetched_at)]).collect();
        text.push('\n');
        text.push_str(&table(&["workload", "version", "fetched"], &rows));
    }
    let rows = detail.events.iter().rev();
    let rows: Vec<_> =
        rows.map(|event| vec![event.seq.to_string(), time(event.at), event.action.clone(), said(event)]).collect();
    text.push('\n');
    text.push_str(&table(&["event", "when", "what", "said"], &rows));
    text
}

fn said(event: &crate::http::api::Event) -> String {
    let told = event.detail.iter().filter(|(name, _)| !UNTOLD.contains(&name.as_str()));
    let pairs = told.filter_map(|(name, value)| match value {
        Value::Bool(false) => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(format!("{name}={text}")),
        other => Some(format!("{name}={other}")),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// Prints each step of a rotation as it happens, until the new value is in use, somebody is needed, or the time is over.
async fn follow(client: &Client, id: &str, patience: Duration) -> Result<ExitCode, Failure> {
    let (began, mut seen) = (Instant::now(), BTreeSet::new());
    loop {
        let detail: RotationDetail = client.get(&one(id, ""), &()).await?;
        for event in detail.events.iter().rev() {
            if seen.insert(event.seq) {
                client.print(event, |event| format!("{}  {}  {}\n", time(event.at), event.action, said(event)));
            }
        }
        match detail.rotation.step.as_str() {
            "needs_person" | "waiting" => return Ok(ExitCode::from(NEEDS_PERSON)),
            "cancelled" | "rolled_back" | "superseded" => return Ok(ExitCode::from(NEEDS_PERSON)),
            _ if detail.rotation.promoted_at.is_some() => return Ok(ExitCode::SUCCESS),
            _ if began.elapsed() >= patience => return Ok(ExitCode::from(STILL_RUNNING)),
            _ => sleep(LOOK).await,
        }
    }
}

/// Pages of a list, until there are `most` items or no more.
async fn all<T: serde::de::DeserializeOwned, Q: Serialize>(
    client: &Client,
    path: &str,
    query: impl Fn(Option<String>, u32) -> Q,
    most: usize,
) -> Result<Vec<T>, Failure> {
    let (mut items, mut last) = (Vec::new(), None);
    while items.len() < most {
        let wanted = (most - items.len()).min(200) as u32;
        let page: Page<T> = client.get(path, &query(last, wanted)).await?;
        items.extend(page.items);
        last = page.next;
        if last.is_none() {
            break;
        }
    }
    Ok(items)
}

impl Client {
    /// What the API answered, or the same in words.
    fn print<T: Serialize>(&self, answer: &T, words: impl FnOnce(&T) -> String) {
        let text = if self.json { serde_json::to_string(answer).unwrap_or_default() } else { words(answer) };
        say(text.trim_end());
    }

    async fn did(&self, path: &str, body: &impl Serialize) -> Result<(), Failure> {
        let done: Done = self.post(path, body).await?;
        self.print(&done, |done| format!("Done (event {})\n", done.event));
        Ok(())
    }
}
