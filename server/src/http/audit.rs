//! The trail and one event with its proof.
use super::{
    Problem, Site,
    visitor::{Names, Signed, day, shown},
};
use crate::{
    audit::{
        event::Event,
        store::{self, Narrow, Stored},
        tiles,
    },
    catalog,
    db::Sql,
    people,
    policies::Situation,
};
use app::{
    audit::{
        action::Action,
        leaf::{Leaf, Subject},
        page::{self, EventView, Filter, Line, Trail},
        tree::{leaf_hash, verify_inclusion},
    },
    error::{Error, Refusal},
    time::Moment,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use chrono::TimeDelta;
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

type Answer = Result<Response, Problem>;

/// Events on one page.
const PAGE: u64 = 50;
/// One reading is recorded once in this time.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
const MOST_READINGS: usize = 10_000;

/// Readings that were recorded lately: `(session, query)`.
#[derive(Default)]
pub struct Readings(Mutex<HashMap<(String, String), Moment>>);

impl Readings {
    fn is_new(&self, session: &str, query: &str, now: Moment) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_READINGS {
            known.retain(|_, at| now - *at < AGAIN);
        }
        let key = (session.to_owned(), query.to_owned());
        known.get(&key).is_none_or(|at| now - *at >= AGAIN)
    }

    fn recorded(&self, session: &str, query: &str, now: Moment) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((session.to_owned(), query.to_owned()), now);
    }
}

#[derive(Default, Deserialize)]
pub struct TrailQuery {
    #[serde(default)]
    actor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    before: Option<u64>,
}

impl TrailQuery {
    fn address(&self, before: Option<u64>) -> String {
        let mut pairs: Vec<(&str, String)> = [
            ("actor", &self.actor),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("project", &self.project),
            ("from", &self.from),
            ("to", &self.to),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.clone()))
        .collect();
        pairs.extend(before.map(|before| ("before", before.to_string())));
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        if query.is_empty() { "/audit".into() } else { format!("/audit?{query}") }
    }
}

/// Asks policy, and records the reading once in ten minutes. Reading goes on when the ledger cannot write: the answer says
/// that it was not recorded.
async fn may_read(signed: &Signed, project: Option<&str>, query: &str) -> Result<bool, Error> {
    let console = signed.console();
    let subject = Subject { project: project.map(Into::into), ..Subject::default() };
    let principal = signed.caller.principal(project);
    let decision = console.engine.decide(&principal, Action::ReadTrail, "", Situation::default());
    let event = Event::new(Action::ReadTrail).on(subject).by(decision.deciding).private("query", query);
    if let Some(refusal) = decision.refusal {
        return Err(console.ledger.refuse(&signed.caller.who, event, refusal).await);
    }
    let session = signed.caller.session().map_or("", |session| session.id.as_str());
    if !signed.site().readings.is_new(session, query, console.now()) {
        return Ok(true);
    }
    let recorded = console.ledger.observe(&signed.caller.who, event).await.is_ok();
    if recorded {
        signed.site().readings.recorded(session, query, console.now());
    }
    Ok(recorded)
}

pub async fn trail(signed: Signed, Query(mut query): Query<TrailQuery>) -> Answer {
    let console = signed.console();
    // Leads read the trail of what they lead: without a project it is their first.
    let wide = console.would(&signed.caller, Action::ReadTrail, None, Situation::default()).is_none();
    let led: Vec<String> = signed
        .caller
        .roles
        .iter()
        .filter_map(|row| row.project_id.clone())
        .filter(|id| signed.caller.leads(id))
        .collect();
    if !wide && query.project.is_empty() {
        query.project = led.first().cloned().unwrap_or_default();
    }
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let project = some(&query.project);
    let recorded = may_read(&signed, project.as_deref(), &query.address(None)).await?;
    let shell = signed.shell("/audit").await?;
    let dates = day(&query.from).and_then(|from| Ok((from, day(&query.to)?)));
    let mistake = match &dates {
        Err(why) => Some((*why).to_owned()),
        Ok((Some(from), Some(to))) if from > to => Some("The first day is after the last.".to_owned()),
        Ok(_) => None,
    };
    let (from, to) = dates.unwrap_or_default();
    let narrow = Narrow {
        actor: some(&query.actor),
        action: some(&query.action),
        outcome: some(&query.outcome),
        project,
        from,
        to: to.map(|to| to + TimeDelta::days(1)),
        ..Narrow::default()
    };
    let mut db = console.read().await?;
    let mut rows = store::list(&mut db, &narrow, query.before, PAGE + 1).await?;
    let more = rows.len() as u64 > PAGE;
    rows.truncate(PAGE as usize);
    let older = rows.last().filter(|_| more).map(|row| query.address(Some(row.seq as u64)));
    let mut names = Names::default();
    let mut lines = Vec::new();
    for row in &rows {
        lines.push(line(signed.site(), &mut db, &mut names, row).await?);
    }
    let actors = people::store::list(&mut db).await?.into_iter().map(|person| (person.id, person.name)).collect();
    let projects = catalog::store::projects(&mut db).await?;
    let projects = projects.into_iter().filter(|project| {
        if wide { catalog::sees(console, &signed.caller, project) } else { signed.caller.leads(&project.id) }
    });
    let view = Trail {
        lines,
        actors,
        projects: projects.map(|project| (project.id, project.name)).collect(),
        older,
        newest: query.before.map(|_| query.address(None)),
        size: store::size(&mut db).await?,
        signed: console.builder.signed().size,
        mistake,
        unrecorded: !recorded,
        filter: Filter {
            actor: query.actor,
            action: query.action,
            outcome: query.outcome,
            project: query.project,
            from: query.from,
            to: query.to,
        },
    };
    Ok(shown(page::trail(&shell, view)))
}

/// One event in words: who, what, about what.
async fn line(site: &Site, db: &mut impl Sql, names: &mut Names, row: &Stored) -> Result<Line, Error> {
    let actor = match (row.actor_kind.as_str(), &row.actor_id) {
        ("person", Some(id)) => names.person(db, site, id).await?,
        ("workload", Some(id)) => names.workload(db, site, id).await?,
        ("system", Some(job)) => format!("system, {job}"),
        (kind, _) => kind.to_owned(),
    };
    let disclosed = store::disclosures(db, row.seq as u64, row.seq as u64).await?;
    let about = ["path", "login", "name"]
        .iter()
        .find_map(|wanted| disclosed.iter().find(|(_, field, ..)| field == wanted).map(|(.., value)| value.clone()));
    let mut words = Action::from_code(&row.action).map_or(row.action.clone(), |action| action.words().into());
    if let Some(code) = &row.reason {
        words.push_str(" — ");
        words.push_str(&code.replace('_', " "));
    }
    Ok(Line {
        seq: row.seq as u64,
        at: row.at,
        words,
        actor,
        about: about.unwrap_or_default(),
        outcome: match row.outcome.as_str() {
            "allowed" => "allowed",
            "refused" => "refused",
            _ => "failed",
        },
    })
}

pub async fn event(signed: Signed, Path(seq): Path<u64>) -> Answer {
    let console = signed.console();
    let mut db = console.read().await?;
    let row = store::find(&mut db, seq).await?.ok_or(Error::NotFound)?;
    drop(db);
    may_read(&signed, row.project_id.as_deref(), &format!("/audit/{seq}")).await?;
    let shell = signed.shell("/audit").await?;
    let built = console.builder.build().await.unwrap_or_else(|_| console.builder.signed());
    let mut db = console.read().await?;
    let leaf = Leaf::decode(&row.leaf).ok();
    let hash = leaf_hash(&row.leaf);
    let signed_root = console.builder.verifier().open(&built.note).ok().map(|checkpoint| checkpoint.root);
    let proof = if seq < built.size { tiles::inclusion_proof(&mut db, seq, built.size).await? } else { Vec::new() };
    let proven = signed_root.is_some_and(|root| verify_inclusion(&hash, seq, built.size, &proof, &root));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let disclosed: Vec<(String, String)> =
        store::disclosures(&mut db, seq, seq).await?.into_iter().map(|(_, field, _, value)| (field, value)).collect();
    let withheld = leaf.as_ref().map(|leaf| {
        leaf.committed.keys().filter(|name| !disclosed.iter().any(|(known, _)| known == *name)).cloned().collect()
    });
    let json = Leaf::json(&row.leaf).ok().and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
    let policy = leaf.as_ref().and_then(|leaf| leaf.policy.clone());
    let reason = row.reason.as_deref().map(|code| {
        let sentence = Refusal::ALL.iter().find(|refusal| refusal.code() == code).map(ToString::to_string);
        sentence.unwrap_or_else(|| code.replace('_', " "))
    });
    let view = EventView {
        line: line(signed.site(), &mut db, &mut Names::default(), &row).await?,
        actor_id: row.actor_id.clone().unwrap_or_default(),
        method: leaf
            .as_ref()
            .and_then(|leaf| leaf.actor.method.clone())
            .map_or(String::new(), |method| format!("by {method}")),
        reason: reason.unwrap_or_default(),
        policy: policy.map_or_else(
            || "no policy: an act of the service or of its rules".into(),
            |policy| format!("{}, built in, version {}", policy.id, policy.version),
        ),
        withheld: withheld.unwrap_or_default(),
        disclosed,
        json: json.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_default(),
        leaf: hex(&hash),
        root: signed_root.map(|root| hex(&root)).unwrap_or_default(),
        size: built.size,
        proof: proof.iter().map(|hash| hex(hash)).collect(),
        proven,
        checked_at: console.now(),
        request: row.request_id.clone(),
        secret: row.secret_id.clone(),
    };
    Ok(shown(page::event(&shell, view)))
}
