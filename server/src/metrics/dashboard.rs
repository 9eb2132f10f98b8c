//! Everything on the dashboard, over one window and one scope.
use super::{
    Rollup, charts,
    charts::{Case as Drawn, Role},
    hour,
    scope::Scope,
    store::{self, Bucket, Count},
};
use crate::{
    audit::{projection, search::on_the_wall},
    console::Console,
    db::Reader,
    grants,
    people::Caller,
    requests, rotations, vault,
};
use app::{
    audit::page::at,
    error::{Error, Refusal},
    grants::model::State,
    metrics::{
        model::{Series, change, share},
        page::{Cell, Chart, Dashboard, RANGES, Row, Trigger, count, percent},
    },
    policies::model::Tier,
    requests::model::Outcome,
    rotations::{
        cases::{Case, End, Figures, figures},
        model::Trigger as Why,
    },
    time::{Moment, about, rank},
};
use chrono::{DateTime, Days, TimeDelta};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};

/// What somebody asks for, as the address has it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub range: String,
    pub project: String,
    pub level: String,
    pub zone: String,
}

/// A grant that lasts longer is called permanent.
const PERMANENT: TimeDelta = TimeDelta::days(180);
/// Requests, grants and rotations that one look takes in.
const MOST: u32 = 5_000;
/// How far ahead rotations are shown.
const AHEAD: u64 = 14;

/// A window of whole hours, and the one of the same length before it.
struct Window {
    from: Moment,
    to: Moment,
    before: Moment,
    zone: Tz,
    days: i64,
}

impl Window {
    /// From a midnight in the zone, at the full hour, until now.
    fn new(now: Moment, days: i64, zone: Tz) -> Self {
        let first = now.with_timezone(&zone).date_naive() - TimeDelta::days(days - 1);
        let midnight = on_the_wall(zone, first.and_time(chrono::NaiveTime::MIN));
        let from = DateTime::from_timestamp(hour(midnight) * 3_600, 0).unwrap_or(midnight);
        let to = DateTime::from_timestamp((hour(now) + 1) * 3_600, 0).unwrap_or(now);
        Self { from, to, before: from - (to - from), zone, days }
    }

    fn hours(&self) -> (i64, i64) {
        (hour(self.from), hour(self.to))
    }

    fn words(&self, at: Moment) -> String {
        at.with_timezone(&self.zone).format("%-d %b %Y, %H:%M").to_string()
    }

    fn day(&self, at: Moment) -> String {
        at.with_timezone(&self.zone).format("%-d %b").to_string()
    }

    /// How the trail is asked for the same time: its end lies ahead, so that nothing is beyond it yet.
    fn query(&self) -> String {
        format!("created:{}..", self.from.format("%Y-%m-%dT%H:%M:%SZ"))
    }

    fn said(&self) -> String {
        format!("{} – now", self.day(self.from))
    }

    /// Bars: a day each up to a month, a week each beyond; how many hours one has.
    fn bar(&self) -> i64 {
        if self.days <= 31 { 24 } else { 24 * 7 }
    }

    fn ticks(&self, bars: usize) -> Vec<String> {
        let at = |bar: usize| self.day(self.from + TimeDelta::hours(self.bar() * bar as i64));
        match bars {
            0 => Vec::new(),
            1 | 2 => vec![at(0), "now".into()],
            bars => vec![at(0), at(bars / 2), "now".into()],
        }
    }
}

pub async fn dashboard(console: &Console, caller: &Caller, asked: &Asked) -> Result<Dashboard, Error> {
    let now = console.now();
    let (zone, mut mistake) = match asked.zone.trim() {
        "" => (Tz::UTC, None),
        name => match name.parse() {
            Ok(zone) => (zone, None),
            Err(_) => (Tz::UTC, Some("No time zone has this name. They are written Europe/Zurich.".to_owned())),
        },
    };
    let range = if asked.range.is_empty() { "90d" } else { asked.range.as_str() };
    let days =
        RANGES.iter().find(|(code, _)| *code == range).and_then(|(code, _)| code.trim_end_matches('d').parse().ok());
    let days: i64 = days.unwrap_or_else(|| {
        mistake = Some("There is no such range.".into());
        90
    });
    let complete_to = projection::catch_up(console, &Rollup).await?;
    let mut db = console.read().await?;
    let scope = match Scope::of(console, &mut db, caller, &asked.project, &asked.level).await {
        Err(Error::Invalid(fields)) => {
            mistake = fields.first().map(|field| field.message.clone());
            Scope::of(console, &mut db, caller, "", "").await?
        }
        other => other?,
    };
    let window = Window::new(now, days, zone);
    let mut looked = Looked { console, scope, window, now, db };
    let (triggers, secrets) = (looked.triggers().await?, looked.secrets().await?);
    let cells = vec![
        looked.taken().await?,
        looked.failed().await?,
        looked.lead_time().await?,
        looked.access().await?,
        looked.pending().await?,
        looked.known().await?,
        looked.past_age().await?,
        looked.upcoming(caller).await?,
    ];
    let Looked { scope, window, .. } = looked;
    Ok(Dashboard {
        range: format!("{days}d"),
        events: at(&format!("action:case.* {}{}", window.query(), scope.query()), zone.name()),
        project: scope.project,
        level: scope.level.map_or(String::new(), |level| level.code().into()),
        zone: zone.name().into(),
        mistake,
        projects: scope.projects.iter().map(|row| (row.slug.clone(), row.name.clone())).collect(),
        from: window.words(window.from),
        to: window.words(now),
        secrets,
        complete_to,
        triggers,
        axis: [(60, "1 h"), (1_440, "1 d"), (10_080, "7 d"), (43_200, "30 d")]
            .map(|(minutes, words)| ((charts::place(minutes) * 100.0).round() as u32, words))
            .to_vec(),
        cells,
        drawn_at: now,
    })
}

struct Looked<'c> {
    console: &'c Console,
    scope: Scope,
    window: Window,
    now: Moment,
    db: Reader,
}

impl Looked<'_> {
    fn link(&self, terms: &str) -> String {
        let query = format!("{terms} {}{}", self.window.query(), self.scope.query());
        at(&query, self.window.zone.name())
    }

    async fn sums(&mut self, from: Moment, to: Moment) -> Result<Vec<Count>, Error> {
        let all = store::sums(&mut self.db, hour(from), hour(to)).await?;
        Ok(all.into_iter().filter(|row| self.scope.holds(&row.project, &row.environment)).collect())
    }

    async fn secrets(&mut self) -> Result<u64, Error> {
        let mut secrets = 0;
        let chosen: Vec<String> = self.scope.chosen().map(|row| row.id.clone()).collect();
        for project in chosen {
            let rows = crate::catalog::store::secrets_of(&mut self.db, &project, self.console.seal_key()).await?;
            secrets += rows
                .iter()
                .filter(|row| row.archived_at.is_none() && self.scope.tier(&row.environment_id).is_some())
                .count() as u64;
        }
        Ok(secrets)
    }

    async fn triggers(&mut self) -> Result<Vec<Trigger>, Error> {
        let (from, to, before) = (self.window.from, self.window.to, self.window.before);
        let rows = rotations::case_store::since(&mut self.db, before, self.console.seal_key()).await?;
        let known: Vec<Case> = rows
            .iter()
            .filter_map(|row| {
                Some(Case {
                    trigger: row.trigger(),
                    began_at: row.began_at,
                    dead_at: row.dead_at,
                    ended_at: row.ended_at,
                    end: row.end(),
                    target: self.console.level_at(self.scope.tier(&row.environment_id)?, row.began_at).dead_within(),
                })
            })
            .collect();
        Ok(Why::ALL
            .iter()
            .map(|why| {
                let found = figures(&known, *why, from, to, self.now);
                let earlier = figures(&known, *why, before, from, self.now);
                self.trigger(*why, &known, found, &earlier)
            })
            .collect())
    }

    fn trigger(&self, why: Why, known: &[Case], found: Figures, earlier: &Figures) -> Trigger {
        let inside = |moment: Moment| self.window.from <= moment && moment < self.window.to;
        let mine = known.iter().filter(|case| case.trigger == why);
        let drawn: Vec<Drawn> = mine
            .filter_map(|case| {
                let (until, open) = match (case.end, case.dead_at) {
                    (Some(End::Proved), Some(dead)) if inside(dead) => (dead, false),
                    (None, _) => (self.now, true),
                    _ => return None,
                };
                let took = until - case.began_at;
                Some(Drawn { minutes: took.num_minutes(), late: took > case.target, open })
            })
            .collect();
        // Targets differ by protection level: one line is drawn where there is one.
        let target = self.scope.level.map(|tier| self.console.level(tier).dead_within().num_minutes());
        let words = why.words();
        let shown = match (found.mean, found.longest) {
            (Some(mean), Some(longest)) => {
                format!("{} cases, mean {}, longest {}", found.proved, about(mean), about(longest))
            }
            _ => "no case was proved".into(),
        };
        Trigger {
            words,
            href: format!("/cases?trigger={}", why.code()),
            svg: charts::strip(&drawn, target, found.mean.map(|mean| mean.num_minutes())),
            shown,
            mean: found.mean,
            before: earlier.mean,
            median: found.median,
            p90: found.p90,
            longest: found.longest,
            proved: found.proved as u64,
            ended: found.ended as u64,
            began: found.began as u64,
            within: found.within as u64,
            undecided: found.undecided as u64,
            open: found.open as u64,
            open_longest: found.open_longest,
        }
    }

    /// Automated fetches and human reveals.
    async fn taken(&mut self) -> Result<Cell, Error> {
        let (from, to) = self.window.hours();
        let now = self.sums(self.window.from, self.window.to).await?;
        let earlier = self.sums(self.window.before, self.window.from).await?;
        let of = |rows: &[Count], series: Series| total(rows, series);
        let (machine, human) = (of(&now, Series::Machine), of(&now, Series::Human));
        let (machine_before, human_before) = (of(&earlier, Series::Machine), of(&earlier, Series::Human));
        let width = self.window.bar();
        let buckets = store::buckets(&mut self.db, from, to, width).await?;
        let bars = |series: Series| {
            let mut values = vec![0_u64; usize::try_from((to - from + width - 1) / width).unwrap_or_default()];
            let mine = |row: &&Bucket| row.series == series.code() && self.scope.holds(&row.project, &row.environment);
            for row in buckets.iter().filter(mine) {
                if let Some(value) = values.get_mut(usize::try_from(row.bucket).unwrap_or(usize::MAX)) {
                    *value += row.value as u64;
                }
            }
            values
        };
        let (machines, humans) = (bars(Series::Machine), bars(Series::Human));
        let chart = |words: &str, all: u64, values: &[u64], role| Chart {
            caption: Some((words.to_owned(), count(all))),
            svg: charts::bars(values, role, &[]),
            words: format!(
                "{words}: {} in all, at most {} in one bar",
                count(all),
                count(values.iter().copied().max().unwrap_or(0))
            ),
            ticks: self.window.ticks(values.len()),
        };
        let unit = if width == 24 { "day" } else { "week" };
        let data = machines.iter().zip(&humans).enumerate().map(|(bar, (machine, human))| {
            let at = self.window.from + TimeDelta::hours(width * bar as i64);
            vec![self.window.day(at), count(*machine), count(*human)]
        });
        Ok(Cell {
            title: "Automated fetches and human reveals",
            width: "w7",
            figure: match share(machine, machine + human) {
                Some(share) => (percent(share), "of values taken by machines".into()),
                None => ("—".into(), "nothing was taken".into()),
            },
            before: compared(human, human_before, "values taken by people").or_else(|| compared(machine, machine_before, "fetches")),
            charts: vec![chart("Workloads", machine, &machines, Role::Bar), chart("People, shown or copied", human, &humans, Role::Second)],
            rows: Vec::new(),
            pairs: Vec::new(),
            about: "Values that left. Lists, previews and rotation checks count nothing.".into(),
            window: format!("{} · copies count as reveals · each bar a {unit}, on its own scale", self.window.said()),
            definition: "Successful reads of a value by workloads, and values that people were shown or copied; a bulk read of n values counts n. Share = machine / (machine + human). Nothing else feeds this figure.".into(),
            heads: vec!["From", "Workloads", "People"],
            data: data.collect(),
            behind: (format!("{} values", count(machine + human)), self.link("action:secret.fetched action:secret.revealed action:secret.copied outcome:allowed")),
        })
    }

    /// Failed attempts, by reason.
    async fn failed(&mut self) -> Result<Cell, Error> {
        let (from, to) = self.window.hours();
        let now = self.sums(self.window.from, self.window.to).await?;
        let earlier = total(&self.sums(self.window.before, self.window.from).await?, Series::Failed);
        let all = total(&now, Series::Failed);
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for row in now.iter().filter(|row| row.series == Series::Failed.code()) {
            *reasons.entry(row.label.clone()).or_default() += row.value as u64;
        }
        let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
        reasons.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
        let actors = store::actors(&mut self.db, from, to).await?;
        let actors: BTreeSet<String> = actors
            .into_iter()
            .filter(|(_, project, environment)| self.scope.holds(project, environment))
            .map(|(actor, ..)| actor)
            .collect();
        let most = reasons.first().map_or(0, |(_, count)| *count);
        let words = |code: &str| match code {
            "" => "without a reason".to_owned(),
            code => code.replace('_', " "),
        };
        let rows = reasons.iter().take(8).map(|(code, value)| Row {
            label: words(code),
            href: Refusal::ALL
                .iter()
                .any(|refusal| refusal.code() == code)
                .then(|| self.link(&format!("reason:{code}"))),
            svg: charts::part(*value, most),
            value: count(*value),
            more: share(*value, all).map_or(String::new(), |share| percent(share / 100 * 100)),
        });
        Ok(Cell {
            title: "Failed attempts",
            width: "w5",
            figure: (count(all), format!("by {} actors", count(actors.len() as u64))),
            before: compared(all, earlier, "attempts"),
            charts: Vec::new(),
            rows: rows.collect(),
            pairs: Vec::new(),
            about: "Failed sign-ins, refusals by policy, and limits of place or time.".into(),
            window: format!("{} · repeats that were counted, not written one by one, are added back", self.window.said()),
            definition: "Every refusal in the trail. Repeats of one within a minute are one event with their number. At most 60 s of such numbers are lost when the process is killed. Actors: accounts, workloads, and addresses of those that nobody knows.".into(),
            heads: vec!["Reason", "Attempts"],
            data: reasons.iter().map(|(code, value)| vec![words(code), count(*value)]).collect(),
            behind: ("The events behind it".into(), self.link("outcome:refused")),
        })
    }

    /// How long requests wait for their approval.
    async fn lead_time(&mut self) -> Result<Cell, Error> {
        let ended = requests::store::ended_between(
            &mut self.db,
            self.window.before,
            self.window.to,
            MOST + 1,
            self.console.seal_key(),
        )
        .await?;
        let cut = ended.len() > MOST as usize;
        let mine: Vec<_> = ended
            .iter()
            .filter(|row| self.scope.tier(&row.environment_id).is_some() && !row.seats().is_empty())
            .collect();
        let is = |row: &requests::store::Request, outcome: Outcome| row.outcome.as_deref() == Some(outcome.code());
        let leads = |from: Moment, to: Moment| {
            let mut times: Vec<TimeDelta> = mine
                .iter()
                .filter(|row| is(row, Outcome::Approved))
                .filter_map(|row| row.ended_at.filter(|at| from <= *at && *at < to).map(|at| at - row.submitted_at))
                .collect();
            times.sort_unstable();
            times
        };
        let times = leads(self.window.from, self.window.to);
        let earlier = rank(&leads(self.window.before, self.window.from), 50);
        let expired = mine
            .iter()
            .filter(|row| is(row, Outcome::Expired) && row.ended_at.is_some_and(|at| at >= self.window.from))
            .count();
        let denied = mine
            .iter()
            .filter(|row| is(row, Outcome::Denied) && row.ended_at.is_some_and(|at| at >= self.window.from))
            .count();
        let bounds = [
            (5, "5 min"),
            (15, "15 min"),
            (60, "1 h"),
            (240, "4 h"),
            (1_440, "1 d"),
            (4_320, "3 d"),
            (i64::MAX, "7 d"),
        ];
        let mut bars = vec![0_u64; bounds.len()];
        for time in &times {
            let place = bounds.iter().position(|(most, _)| time.num_minutes() < *most).unwrap_or(bounds.len() - 1);
            bars[place] += 1;
        }
        Ok(Cell {
            title: "Approval lead time",
            width: "w4",
            figure: match (rank(&times, 50), rank(&times, 90)) {
                (Some(median), Some(p90)) => (about(median), format!("median · p90 {}", about(p90))),
                _ => ("—".into(), "nothing was approved".into()),
            },
            before: earlier.map(|before| format!("before: {}", about(before))),
            charts: vec![Chart {
                caption: None,
                svg: charts::bars(&bars, Role::Bar, &[]),
                words: format!("Number of requests approved within each time: {}", bounds.iter().zip(&bars).map(|((_, words), bar)| format!("{words} {bar}")).collect::<Vec<_>>().join(", ")),
                ticks: bounds.iter().map(|(_, words)| (*words).to_owned()).collect(),
            }],
            rows: Vec::new(),
            pairs: Vec::new(),
            about: "From sent for review to the last approval needed; bars count up to the time named.".into(),
            window: format!("{} · {} approved · {denied} denied and {expired} expired undecided, kept apart{}", self.window.said(), count(times.len() as u64), if cut { " · the newest 5,000 only" } else { "" }),
            definition: "Requests that people approved in the window. What a rule gives by itself and what was withdrawn is left out. Nights and weekends count.".into(),
            heads: vec!["Within", "Requests"],
            data: bounds.iter().zip(&bars).map(|((_, words), bar)| vec![(*words).to_owned(), count(*bar)]).collect(),
            behind: (format!("{} requests", count(times.len() as u64)), self.link("action:request.approved action:request.denied action:request.expired")),
        })
    }

    /// Permanent and temporary access.
    async fn access(&mut self) -> Result<Cell, Error> {
        let open = grants::store::open(&mut self.db, self.now, self.console.seal_key()).await?;
        let active: Vec<_> = open
            .iter()
            .filter(|row| row.state(self.now) == State::Active && self.scope.tier(&row.environment_id).is_some())
            .collect();
        let tally = |permanent: bool, person: bool| {
            active
                .iter()
                .filter(|row| {
                    (row.expires_at - row.starts_at >= PERMANENT) == permanent && row.person_id.is_some() == person
                })
                .count() as u64
        };
        let (people, people_for_long) = (tally(false, true), tally(true, true));
        let (machines, machines_for_long) = (tally(false, false), tally(true, false));
        let all = active.len() as u64;
        let suspended = open
            .iter()
            .filter(|row| row.suspended_at.is_some() && self.scope.tier(&row.environment_id).is_some())
            .count() as u64;
        Ok(Cell {
            title: "Permanent and temporary access",
            width: "w4",
            figure: (count(people_for_long), "permanent for people".into()),
            before: None,
            charts: vec![Chart {
                caption: None,
                svg: charts::part(people_for_long + machines_for_long, all),
                words: format!("{} permanent of {all} grants", people_for_long + machines_for_long),
                ticks: Vec::new(),
            }],
            rows: Vec::new(),
            pairs: vec![
                ("Permanent, workloads".into(), count(machines_for_long), None, false),
                ("Temporary, workloads".into(), count(machines), None, false),
                ("Temporary, people".into(), count(people), None, false),
                ("Suspended".into(), count(suspended), None, suspended > 0),
            ],
            about: "Grants in force. Permanent: for 180 days or longer.".into(),
            window: format!("now, {} · {} grants", self.window.words(self.now), count(all)),
            definition:
                "Every grant that is active at this moment. Scheduled and suspended ones are left out of the sum."
                    .into(),
            heads: vec!["", "Permanent", "Temporary"],
            data: vec![
                vec!["People".into(), count(people_for_long), count(people)],
                vec!["Workloads".into(), count(machines_for_long), count(machines)],
            ],
            behind: ("Grants that began".into(), self.link("action:grant.issued")),
        })
    }

    /// Requests that wait, by how long.
    async fn pending(&mut self) -> Result<Cell, Error> {
        let open = requests::store::open_in(&mut self.db, None, "", self.now, MOST, self.console.seal_key()).await?;
        let mut ages: Vec<TimeDelta> = open
            .iter()
            .filter(|row| self.scope.tier(&row.environment_id).is_some())
            .map(|row| self.now - row.submitted_at)
            .collect();
        ages.sort_unstable();
        let bounds = [(1, "up to a day"), (3, "one to three days"), (i64::MAX, "longer")];
        let mut from = 0;
        let mut pairs = Vec::new();
        for (days, words) in bounds {
            let inside = ages.iter().filter(|age| age.num_days() >= from && age.num_days() < days).count() as u64;
            pairs.push((words.to_owned(), count(inside), None, days == i64::MAX && inside > 0));
            from = days;
        }
        Ok(Cell {
            title: "Pending approvals",
            width: "w4",
            figure: (
                count(ages.len() as u64),
                ages.last().map_or("nobody waits".into(), |age| format!("oldest {}", about(*age))),
            ),
            before: None,
            charts: Vec::new(),
            rows: Vec::new(),
            data: pairs.iter().map(|(words, value, ..)| vec![words.clone(), value.clone()]).collect(),
            pairs,
            about: "Requests that wait for an answer, by how long.".into(),
            window: format!("now, {}", self.window.words(self.now)),
            definition: "Requests that nobody has ended and whose time is not over. They expire after seven days."
                .into(),
            heads: vec!["Waiting", "Requests"],
            behind: ("Requests that were made".into(), self.link("action:request.submitted")),
        })
    }

    /// Production values that people know, and how that went.
    async fn known(&mut self) -> Result<Cell, Error> {
        let spans = vault::store::knowledge_spans(&mut self.db).await?;
        let mine: Vec<_> =
            spans.into_iter().filter(|row| self.scope.tier(&row.environment_id) == Some(Tier::Production)).collect();
        let at_moment =
            |at: Moment| mine.iter().filter(move |row| row.since <= at && row.until.is_none_or(|until| until > at));
        let values =
            |at: Moment| at_moment(at).map(|row| (&row.secret_id, row.version)).collect::<BTreeSet<_>>().len() as u64;
        let people = at_moment(self.now).map(|row| &row.person_id).collect::<BTreeSet<_>>().len();
        let points = usize::try_from(self.window.days.min(90)).unwrap_or(1);
        let step = (self.now - self.window.from) / i32::try_from(points).unwrap_or(1);
        let line: Vec<u64> = (0..points).map(|point| values(self.window.from + step * (point as i32 + 1))).collect();
        let now = values(self.now);
        let before = values(self.window.from);
        Ok(Cell {
            title: "Production values known to people",
            width: "w4",
            figure: (count(now), format!("to {people} people")),
            before: Some(format!("{} at the beginning", count(before))),
            charts: vec![Chart { caption: None, svg: charts::steps(&line), words: format!("From {before} to {now} values; the goal is none"), ticks: vec![self.window.day(self.window.from), "now · goal 0".into()] }],
            rows: Vec::new(),
            pairs: Vec::new(),
            about: "Values still working that a person typed, copied or was shown. The goal is nobody.".into(),
            window: format!("now, {} · imported values counted", self.window.words(self.now)),
            definition: "Versions in production whose credential is not known to be dead and that somebody knows. Knowledge ends only when the old value is proved dead, not when a grant ends.".into(),
            heads: vec!["At", "Values"],
            data: line.iter().enumerate().rev().step_by(7).map(|(point, value)| vec![self.window.day(self.window.from + step * (point as i32 + 1)), count(*value)]).collect(),
            behind: ("Who knows which".into(), "/rotations/known".into()),
        })
    }

    /// Values older than their protection level allows.
    async fn past_age(&mut self) -> Result<Cell, Error> {
        let chosen: Vec<(String, String)> = self.scope.chosen().map(|row| (row.id.clone(), row.slug.clone())).collect();
        let (mut over, mut all) = (Vec::new(), 0_u64);
        for (project, slug) in chosen {
            let secrets = crate::catalog::store::secrets_of(&mut self.db, &project, self.console.seal_key()).await?;
            for version in vault::store::current_of(&mut self.db, &project).await? {
                let Some(tier) = self.scope.tier(&version.environment_id) else { continue };
                let secret = secrets.iter().find(|row| row.id == version.secret_id && row.archived_at.is_none());
                let Some(secret) = secret else { continue };
                all += 1;
                let late = self.now - version.created_at - self.console.level(tier).rotate_within();
                if late > TimeDelta::zero() {
                    over.push((late, format!("{slug}/{}", secret.path), format!("/secrets/{}", secret.id)));
                }
            }
        }
        over.sort_by_key(|(late, ..)| std::cmp::Reverse(*late));
        let mut pairs: Vec<_> = over
            .iter()
            .take(4)
            .map(|(late, path, href)| (path.clone(), format!("{} d over", late.num_days()), Some(href.clone()), true))
            .collect();
        if over.len() > 4 {
            pairs.push((format!("{} more", over.len() - 4), String::new(), None, false));
        }
        Ok(Cell {
            title: "Secrets past their age",
            width: "w4",
            figure: (count(over.len() as u64), format!("of {}", count(all))),
            before: None,
            charts: Vec::new(),
            rows: Vec::new(),
            pairs,
            about: "Current value older than its protection level allows.".into(),
            window: format!("now, {}", self.window.words(self.now)),
            definition: "The age of the version that is handed out against the longest age of its protection level. Secrets without a value are left out.".into(),
            heads: vec!["Secret", "Days over"],
            data: over.iter().take(50).map(|(late, path, _)| vec![path.clone(), late.num_days().to_string()]).collect(),
            behind: ("Rotate what is old".into(), "/rotations/select?older=90".into()),
        })
    }

    /// Rotations of the next two weeks.
    async fn upcoming(&mut self, caller: &Caller) -> Result<Cell, Error> {
        let zone = self.window.zone;
        let today = self.now.with_timezone(&zone).date_naive();
        let until = on_the_wall(zone, (today + Days::new(AHEAD)).and_time(chrono::NaiveTime::MIN));
        let (dated, more) = rotations::calendar(self.console, &mut self.db, caller, self.now, until).await?;
        let (mut days, mut held) = (vec![0_u64; AHEAD as usize], 0_u64);
        for entry in &dated {
            if self.scope.tier(&entry.located.environment.id).is_none() {
                continue;
            }
            let day = (entry.at.with_timezone(&zone).date_naive() - today).num_days();
            match entry.what {
                rotations::What::Planned => {
                    if let Some(day) = usize::try_from(day).ok().and_then(|day| days.get_mut(day)) {
                        *day += 1;
                    }
                }
                rotations::What::Held => held += 1,
                rotations::What::Rotation(_) => {}
            }
        }
        let name = |day: u64| (today + Days::new(day)).format("%a %-d %b").to_string();
        let all: u64 = days.iter().sum();
        Ok(Cell {
            title: "Upcoming rotations",
            width: "w4",
            figure: (count(all), "in fourteen days".into()),
            before: None,
            charts: vec![Chart {
                caption: None,
                svg: charts::bars(&days, Role::Bar, &[]),
                words: format!("Rotations due on each of the next fourteen days, {all} in all"),
                ticks: vec![name(0), name(AHEAD / 2), name(AHEAD - 1)],
            }],
            rows: Vec::new(),
            pairs: vec![("Held: not confirmed, or paused".into(), count(held), Some("/rotations".into()), held > 0)],
            about: "Due by schedule or by age, at the latest moment allowed.".into(),
            window: format!("{} – {}{}", name(0), name(AHEAD - 1), if more { " · the first 1,000 only" } else { "" }),
            definition:
                "What the calendar shows for the next fourteen days in this zone. Jitter within a window is not drawn."
                    .into(),
            heads: vec!["Day", "Rotations"],
            data: days.iter().enumerate().map(|(day, value)| vec![name(day as u64), count(*value)]).collect(),
            behind: ("The calendar".into(), "/rotations/calendar".into()),
        })
    }
}

fn total(rows: &[Count], series: Series) -> u64 {
    rows.iter().filter(|row| row.series == series.code()).map(|row| row.value as u64).sum()
}

/// Against the period before, in words; nothing where there was nothing.
fn compared(now: u64, before: u64, what: &str) -> Option<String> {
    let change = change(now, before)?;
    let sign = if change > 0 {
        "+"
    } else if change < 0 {
        "−"
    } else {
        ""
    };
    Some(format!("{sign}{} % {what} against the period before ({})", change.abs(), count(before)))
}
