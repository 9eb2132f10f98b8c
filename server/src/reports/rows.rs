//! Reports of what is: access, knowledge, requests, cases, access that nobody used. Each row names the rows and events that it
//! comes from; each is as of the end of the time that was asked for.
use super::{
    chunks::Chunks,
    events::Called,
    table::Table,
    work::{Stopped, Working},
};
use crate::{
    audit::search::{Condition, Filter, Group, Place, Reading, store as terms, term},
    catalog, grants, requests, rotations, vault,
};
use app::{
    audit::{
        action::Action,
        query::{Key, Query},
    },
    error::Error,
    policies::model::Tier,
    reports::model::{Format, Kind},
    time::{Moment, rfc3339},
};
use chrono::TimeDelta;
use std::collections::HashMap;

/// Rows that one report takes in.
const MOST: u32 = 100_000;
/// A grant that nobody used for so long is called dormant.
const DORMANT: TimeDelta = TimeDelta::days(30);

/// Reports of rows are narrowed by project and time alone.
pub fn check(kind: Kind, query: &Query) -> Result<(), Error> {
    if !kind.is_of_rows() {
        return Ok(());
    }
    let other = query.terms.iter().find(|term| term.negated || !matches!(term.key, Some(Key::Project | Key::Created)));
    match other {
        None => Ok(()),
        Some(term) => {
            let mistake = term.wrong("This report is narrowed by project: and created: alone.");
            Err(Error::invalid("q", mistake.to_string()))
        }
    }
}

/// What rows are of: projects, a time, names.
struct Of {
    projects: Option<Vec<String>>,
    since: Moment,
    at: Moment,
    called: Called,
    paths: HashMap<String, String>,
    levels: HashMap<String, Tier>,
}

impl Of {
    fn holds(&self, project: &str) -> bool {
        self.projects.as_ref().is_none_or(|chosen| chosen.iter().any(|id| id == project))
    }

    /// What had happened by then.
    fn by_then(&self, at: Option<Moment>) -> Option<Moment> {
        at.filter(|at| *at <= self.at)
    }

    fn path(&self, secret: &str) -> String {
        self.paths.get(secret).cloned().unwrap_or_else(|| secret.to_owned())
    }

    fn level(&self, environment: &str) -> String {
        self.levels.get(environment).map_or(String::new(), |tier| tier.code().to_owned())
    }
}

/// What kind of holder a grant has, and which.
fn holder(grant: &grants::store::Grant) -> Option<(&'static str, &String)> {
    let person = grant.person_id.as_ref().map(|id| ("person", id));
    person.or(grant.workload_id.as_ref().map(|id| ("workload", id)))
}

fn when(at: Option<Moment>) -> String {
    at.map(rfc3339).unwrap_or_default()
}

pub async fn write(
    working: &mut Working<'_>,
    kind: Kind,
    format: Format,
    query: &Query,
    chunks: &mut Chunks<'_>,
) -> Result<u64, Stopped> {
    let of = of(working, query).await?;
    // Whoever audits a period is told nothing as of a time before it, nor of one that has not begun.
    let out = matches!(working.reading, Reading::Period { .. }) && of.at < of.since;
    let (columns, rows): (&'static [&'static str], Vec<Vec<String>>) = match kind {
        Kind::Access => (&ACCESS, access(working, &of).await?),
        Kind::Knowledge => (&KNOWLEDGE, knowledge(working, &of).await?),
        Kind::Requests => (&REQUESTS, asked(working, &of).await?),
        Kind::Rotations => (&CASES, cases(working, &of).await?),
        _ => (&DORMANT_GRANTS, dormant(working, &of).await?),
    };
    let rows = if out { Vec::new() } else { rows };
    let mut table = Table::new(format, columns, working.job.raw)?;
    working.job.total = rows.len() as i64;
    for (done, row) in rows.into_iter().enumerate() {
        table.row(row)?;
        if done % 5_000 == 4_999 {
            chunks.write(&table.take()).await?;
            working.progress(table.rows, table.rows, chunks.bytes).await?;
        }
    }
    let rows = table.rows;
    chunks.write(&table.finish(working).await?).await?;
    Ok(rows)
}

async fn of(working: &Working<'_>, query: &Query) -> Result<Of, Stopped> {
    let (console, key) = (working.console, working.console.seal_key());
    let mut db = console.read().await?;
    let redacted = working.job.redacted;
    let all = catalog::store::projects(&mut db).await?;
    let wanted: Vec<&str> = query.of(Key::Project).map(|term| term.value.as_str()).collect();
    let chosen: Vec<String> = all
        .iter()
        .filter(|row| working.reading.covers(Some(&row.id)))
        .filter(|row| wanted.is_empty() || wanted.contains(&row.slug.as_str()) || wanted.contains(&row.id.as_str()))
        .map(|row| row.id.clone())
        .collect();
    let mut paths = HashMap::new();
    for project in chosen.iter().filter(|_| !redacted) {
        let secrets = catalog::store::secrets_of(&mut db, project, key).await?;
        paths.extend(secrets.into_iter().map(|row| (row.id, row.path)));
    }
    let environments = catalog::store::all_environments(&mut db, key).await?;
    let asked_at = working.job.created_at;
    Ok(Of {
        projects: Some(chosen),
        since: working.filter.since.unwrap_or_default(),
        at: working.filter.until.map_or(asked_at, |until| until.min(asked_at)),
        called: if redacted { Called::default() } else { Called::load(&mut db, key).await? },
        paths,
        levels: environments.into_iter().map(|row| (row.id.clone(), row.tier())).collect(),
    })
}

const ACCESS: [&str; 16] = [
    "holder_kind",
    "holder_id",
    "holder",
    "right",
    "project",
    "environment",
    "level",
    "secret_id",
    "path",
    "route",
    "grant",
    "request",
    "approved_by",
    "from",
    "until",
    "suspended",
];

/// Who could take what at that time, and by which route: a grant that came from a request. No role reads a value.
async fn access(working: &Working<'_>, of: &Of) -> Result<Vec<Vec<String>>, Stopped> {
    let (console, key) = (working.console, working.console.seal_key());
    let mut db = console.read().await?;
    let mut rows = Vec::new();
    for grant in grants::store::in_force_at(&mut db, of.at, MOST, key).await? {
        if !of.holds(&grant.project_id) {
            continue;
        }
        let Some((kind, holder)) = holder(&grant) else { continue };
        let decisions = requests::store::decisions(&mut db, &grant.request_id, key).await?;
        let request = requests::store::find(&mut db, &grant.request_id, key).await?;
        // Whoever approved other terms than these approved no grant.
        let standing = request.iter().flat_map(|request| request.standing(&decisions));
        let approved: Vec<String> = standing.map(|row| of.called.of(Some(&row.person_id))).collect();
        for secret in grant.secrets.split(' ') {
            rows.push(vec![
                kind.into(),
                holder.clone(),
                of.called.of(Some(holder)),
                grant.access_right.text(),
                of.called.of(Some(&grant.project_id)),
                of.called.of(Some(&grant.environment_id)),
                of.level(&grant.environment_id),
                secret.to_owned(),
                of.path(secret),
                if approved.is_empty() { "given by rule".into() } else { "approved request".into() },
                grant.id.clone(),
                grant.request_id.clone(),
                approved.join(", "),
                rfc3339(grant.starts_at),
                rfc3339(grant.expires_at),
                when(of.by_then(grant.suspended_at)),
            ]);
        }
    }
    Ok(rows)
}

const KNOWLEDGE: [&str; 8] = ["person_id", "person", "secret_id", "path", "environment", "level", "version", "since"];

async fn knowledge(working: &Working<'_>, of: &Of) -> Result<Vec<Vec<String>>, Stopped> {
    let mut db = working.console.read().await?;
    let spans = vault::store::knowledge_spans(&mut db).await?;
    let held = spans.into_iter().filter(|row| row.since <= of.at && row.until.is_none_or(|until| until > of.at));
    let mut rows = Vec::new();
    for row in held {
        let environment =
            catalog::store::find_environment(&mut db, &row.environment_id, working.console.seal_key()).await?;
        if !environment.is_some_and(|environment| of.holds(&environment.project_id)) {
            continue;
        }
        rows.push(vec![
            row.person_id.clone(),
            of.called.of(Some(&row.person_id)),
            row.secret_id.clone(),
            of.path(&row.secret_id),
            of.called.of(Some(&row.environment_id)),
            of.level(&row.environment_id),
            row.version.to_string(),
            rfc3339(row.since),
        ]);
    }
    Ok(rows)
}

const REQUESTS: [&str; 18] = [
    "request",
    "requester_id",
    "requester",
    "workload",
    "right",
    "project",
    "environment",
    "level",
    "class",
    "secrets",
    "minutes",
    "reason",
    "submitted_at",
    "ended_at",
    "outcome",
    "lead_minutes",
    "decided_by",
    "grant",
];

async fn asked(working: &Working<'_>, of: &Of) -> Result<Vec<Vec<String>>, Stopped> {
    let key = working.console.seal_key();
    let mut db = working.console.read().await?;
    let mut rows = Vec::new();
    for request in requests::store::submitted_between(&mut db, of.since, of.at, MOST, key).await? {
        if !of.holds(&request.project_id) {
            continue;
        }
        let decisions = requests::store::decisions(&mut db, &request.id, key).await?;
        let decided: Vec<String> = decisions
            .iter()
            .filter(|row| row.decided_at <= of.at)
            .map(|row| format!("{} {}", row.verdict, of.called.of(Some(&row.person_id))))
            .collect();
        let ended = of.by_then(request.ended_at);
        let outcome = ended.and(request.outcome.clone());
        let lead = ended.filter(|_| outcome.as_deref() == Some(requests::store::APPROVED));
        rows.push(vec![
            request.id.clone(),
            request.requester_id.clone(),
            of.called.of(Some(&request.requester_id)),
            of.called.of(request.workload_id.as_ref()),
            request.access_right.text(),
            of.called.of(Some(&request.project_id)),
            of.called.of(Some(&request.environment_id)),
            request.tier.text(),
            request.class.text(),
            request.secret_ids().iter().map(|id| of.path(id)).collect::<Vec<_>>().join(" "),
            request.minutes.to_string(),
            if working.job.redacted { String::new() } else { request.reason.clone() },
            rfc3339(request.submitted_at),
            when(ended),
            outcome.unwrap_or_default(),
            lead.map_or(String::new(), |at| (at - request.submitted_at).num_minutes().to_string()),
            decided.join(", "),
            ended.and(request.grant_id.clone()).unwrap_or_default(),
        ]);
    }
    Ok(rows)
}

const CASES: [&str; 14] = [
    "case",
    "trigger",
    "project",
    "environment",
    "level",
    "secret_id",
    "path",
    "version",
    "began_at",
    "dead_at",
    "ended_at",
    "outcome",
    "minutes_to_rotate",
    "within_target",
];

async fn cases(working: &Working<'_>, of: &Of) -> Result<Vec<Vec<String>>, Stopped> {
    let mut db = working.console.read().await?;
    let mut rows = Vec::new();
    for case in rotations::case_store::since(&mut db, of.since, working.console.seal_key()).await? {
        if !of.holds(&case.project_id) || case.began_at > of.at {
            continue;
        }
        let (dead, ended) = (of.by_then(case.dead_at), of.by_then(case.ended_at));
        let took = dead.map(|dead| dead - case.began_at);
        let target = of
            .levels
            .get(&case.environment_id)
            .map(|tier| working.console.level_at(*tier, case.began_at).dead_within());
        let within = match (took, target) {
            (Some(took), Some(target)) => if took <= target { "yes" } else { "no" }.to_owned(),
            _ => String::new(),
        };
        rows.push(vec![
            case.id.clone(),
            case.trigger_kind.text(),
            of.called.of(Some(&case.project_id)),
            of.called.of(Some(&case.environment_id)),
            of.level(&case.environment_id),
            case.secret_id.clone(),
            of.path(&case.secret_id),
            case.version.to_string(),
            rfc3339(case.began_at),
            when(dead),
            when(ended),
            ended.and(case.end()).map_or("open".into(), |end| end.code().to_owned()),
            took.map_or(String::new(), |took| took.num_minutes().to_string()),
            within,
        ]);
    }
    Ok(rows)
}

const DORMANT_GRANTS: [&str; 11] = [
    "holder_kind",
    "holder_id",
    "holder",
    "right",
    "project",
    "environment",
    "grant",
    "request",
    "from",
    "until",
    "last_used",
];

/// Grants in force for a month whose holder took none of their values within it.
async fn dormant(working: &Working<'_>, of: &Of) -> Result<Vec<Vec<String>>, Stopped> {
    let key = working.console.seal_key();
    let mut db = working.console.read().await?;
    let mut rows = Vec::new();
    for grant in grants::store::in_force_at(&mut db, of.at, MOST, key).await? {
        if !of.holds(&grant.project_id) || of.at - grant.starts_at < DORMANT {
            continue;
        }
        let used = last_use(working, &mut db, &grant.id).await?;
        if used.is_some_and(|at| of.at - at < DORMANT) {
            continue;
        }
        let Some((kind, holder)) = holder(&grant) else { continue };
        rows.push(vec![
            kind.into(),
            holder.clone(),
            of.called.of(Some(holder)),
            grant.access_right.text(),
            of.called.of(Some(&grant.project_id)),
            of.called.of(Some(&grant.environment_id)),
            grant.id.clone(),
            grant.request_id.clone(),
            rfc3339(grant.starts_at),
            rfc3339(grant.expires_at),
            used.map_or("never".into(), rfc3339),
        ]);
    }
    Ok(rows)
}

/// When a value was taken by a grant last, as the trail has it.
async fn last_use(working: &Working<'_>, db: &mut impl crate::db::Sql, grant: &str) -> Result<Option<Moment>, Stopped> {
    let known = terms::numbers(db, &[format!("{}{grant}", term::GRANT)]).await?;
    let Some((_, number)) = known.first() else { return Ok(None) };
    let taken = [Action::FetchSecret, Action::RevealSecret, Action::CopySecret].map(|action| action.code().to_owned());
    let only = |condition| Group { negated: false, any: vec![vec![condition]] };
    let filter = Filter {
        groups: vec![only(Condition::Terms(vec![*number])), only(Condition::Text(Place::Action, taken.to_vec()))],
        // What came after the time that the report is of is no part of it.
        to: working.filter.to.min(working.job.as_of as u64),
        ..Filter::default()
    };
    Ok(filter.page(db, None, 1).await?.rows.first().map(|row| row.at))
}
