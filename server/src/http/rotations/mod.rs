//! Rotations: the list, one of them, and what decides how it goes on. Plans, cases, the calendar and choosing many have
//! files of their own.
mod calendar;
mod cases;
mod many;
mod plan;

pub use calendar::calendar;
pub use cases::*;
pub use many::*;
pub use plan::*;

use super::{
    Problem,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    audit::row_seal::SealKey,
    catalog::{self, Located},
    db::Sql,
    jobs,
    rotations::{
        self, case_store,
        store::{Rotation, Wanted},
    },
};
use app::{
    audit::action::Action,
    error::Error,
    id::RotationId,
    rotations::{
        model::Step,
        model::{Choice, RotatorKind},
        page::{self, Line, ListView, Moved, Now, RotationView},
    },
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;

type Answer = Result<Response, Problem>;

fn line(rotation: &Rotation, located: &Located) -> Line {
    Line {
        id: rotation.id.clone(),
        path: located.secret.path.clone(),
        project: located.project.name.clone(),
        tier: located.environment.tier(),
        step: rotation.step(),
        reason: rotation.reason.clone(),
        grade: rotation.grade(),
        trigger: rotation.trigger().words(),
        started_at: rotation.started_at,
        ended_at: rotation.ended_at,
    }
}

/// How many rotations that are under way the list shows.
const OPEN: u32 = 200;
/// How many rotations that ended one page shows.
const PAGE: u32 = 50;

#[derive(Default, Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    secret: String,
    #[serde(default)]
    before: String,
}

impl ListQuery {
    fn address(&self, before: Option<&str>) -> String {
        let pairs = [("secret", Some(self.secret.as_str())), ("before", before)];
        let pairs =
            pairs.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
        let query = serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).unwrap_or_default();
        if query.is_empty() { "/rotations".into() } else { format!("/rotations?{query}") }
    }
}

pub async fn list(signed: Signed, Query(query): Query<ListQuery>) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let key = console.seal_key();
    let mut db = console.read().await?;
    let of = match query.secret.as_str() {
        "" => None,
        secret => Some(Located::visible(console, &mut db, &signed.caller, secret).await?),
    };
    let projects: Vec<String> = match &of {
        Some(located) => vec![located.project.id.clone()],
        None => {
            let visible = catalog::visible_projects(console, &mut db, &signed.caller).await?;
            visible.into_iter().map(|project| project.id).collect()
        }
    };
    let (secret, before) = (of.as_ref().map(|located| located.secret.id.as_str()), query.before.as_str());
    let before = Some(before).filter(|before| before.parse::<RotationId>().is_ok());
    let wanted = Wanted { projects: &projects, secret, ended: Some(true), before };
    let mut rows = rotations::store::page(&mut db, &wanted, PAGE + 1, key).await?;
    let more = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    let older = rows.last().filter(|_| more).map(|last| query.address(Some(&last.id)));
    let ended = lines(&mut db, &rows, key).await?;
    let open = match before {
        None => {
            let rows = rotations::store::under_way(&mut db, &projects, secret, OPEN, key).await?;
            Some(lines(&mut db, &rows, key).await?)
        }
        Some(_) => None,
    };
    let view = ListView {
        open,
        ended,
        older,
        newest: before.map(|_| query.address(None)),
        of: of.map(|located| (located.secret.id, located.secret.path)),
    };
    Ok(shown(page::list(&shell, view)))
}

async fn lines(db: &mut impl Sql, rows: &[Rotation], key: &SealKey) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend(Located::find(db, &row.secret_id, key).await?.map(|located| line(row, &located)));
    }
    Ok(lines)
}

pub async fn rotation(signed: Signed, Path(id): Path<String>) -> Answer {
    Ok(shown(rotation_page(&signed, &id, &Form::default()).await?))
}

async fn rotation_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let (rotation, located) = rotations::visible_rotation(console, &signed.caller, id).await?;
    let mut db = console.read().await?;
    let mut names = Names::default();
    let mut consumers = Vec::new();
    for consumer in rotations::consumers(&mut db, &rotation.secret_id, console.now()).await? {
        let name = names.workload(&mut db, signed.site(), &consumer.workload).await?;
        consumers.push((name, consumer.version, rotation.is_behind(consumer.version), consumer.at));
    }
    let started_by = match &rotation.started_by {
        Some(person) => names.person(&mut db, signed.site(), person).await?,
        None => "the service".to_owned(),
    };
    let events = events(signed, &mut db, &mut names, &rotation.secret_id, id, rotation.started_at).await?;
    let plan = rotations::store::find_plan(&mut db, &rotation.secret_id, console.seal_key()).await?;
    let project = Some(located.project.id.as_str());
    let situation = catalog::secret_situation(&located);
    let kind = plan.and_then(|plan| RotatorKind::from_code(&plan.rotator));
    let can_go_back =
        kind != Some(RotatorKind::PostgresSingle) && located.secret.current_version == rotation.to_version;
    let (mut cases, mut urgent) = (Vec::new(), false);
    for case in case_store::of_version(&mut db, &rotation.secret_id, rotation.from_version, console.seal_key()).await? {
        urgent |= case.ended_at.is_none() && case.is_urgent();
        let state = case.end().map_or("open", app::rotations::cases::End::words);
        cases.push((case.id.clone(), format!("{}: {state}", case.trigger().words())));
    }
    let would = |action| console.would(&signed.caller, action, project, situation);
    let approve = match would(Action::ApproveRotation) {
        None => rotations::may_approve(console, &mut db, &signed.caller, &located, &rotation).await?.err(),
        refused => refused,
    };
    // What is due and does not move: somebody is at it, or it is looked at again later.
    let due = rotation.ended_at.is_none()
        && rotation.next_at <= console.now()
        && !matches!(rotation.step(), Step::NeedsPerson | Step::Waiting);
    let now = match rotations::store::held(&mut db, id, console.now()).await?.filter(|_| due) {
        Some((holder, until)) if holder == rotations::store::WAITING => Some(Now::LeftAlone { until }),
        Some((_, until)) => Some(Now::Held { until }),
        // A step that failed for no reason of its target's is tried again later.
        None if due => {
            let aside = jobs::store::of(&mut db, rotations::ROTATE, &[id.to_owned()]).await?;
            let until = aside.first().map(|row| row.next_at).filter(|until| *until > console.now());
            Some(until.map_or(Now::Due, |until| Now::LeftAlone { until }))
        }
        None => None,
    };
    let view = RotationView {
        id: rotation.id.clone(),
        secret: rotation.secret_id.clone(),
        path: located.secret.path.clone(),
        project: (located.project.slug.clone(), located.project.name.clone()),
        environment: located.environment.slug.clone(),
        tier: located.environment.tier(),
        step: rotation.step(),
        stopped: rotation.stopped(),
        reason: rotation.reason.clone(),
        grade: rotation.grade(),
        rotator: kind.map_or("", RotatorKind::words),
        trigger: rotation.trigger().words(),
        started_by,
        started_at: rotation.started_at,
        next_at: rotation.ended_at.is_none().then_some(rotation.next_at),
        from_version: rotation.from_version,
        to_version: rotation.to_version,
        now,
        promoted_at: rotation.promoted_at,
        overlap_until: rotation.overlap_until,
        dead_at: rotation.dead_at,
        ended_at: rotation.ended_at,
        consumers,
        events,
        resolve: would(Action::ResolveRotation),
        approve,
        cancel: would(Action::CancelRotation),
        cut_off: would(Action::CutOff),
        roll_back: would(Action::RollBack),
        can_go_back,
        urgent,
        sessions_left: rotation.sessions_left,
        hurried: rotation.cut_off,
        due_at: rotation.due_at,
        cases,
    };
    Ok(page::rotation(&shell, view, form))
}

/// The events about one row of a secret out of the trail, newest first, with what they say of the target.
async fn events(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    secret: &str,
    row: &str,
    since: app::time::Moment,
) -> Result<Vec<Moved>, Error> {
    let mut moved = Vec::new();
    for (event, leaf) in rotations::history(db, secret, row, since).await? {
        let action = Action::from_code(&event.action);
        let by = match (event.actor_kind.as_str(), &event.actor_id) {
            ("person", Some(id)) => names.person(db, signed.site(), id).await?,
            _ => "the service".to_owned(),
        };
        let mut evidence = Vec::new();
        for (name, value) in &leaf.detail {
            // Which values were opened and by what is the trail's; the page says what happened.
            if ["opened", "rotator", "sealed", "step", "target_hours"].contains(&name.as_str()) {
                continue;
            }
            let said = match value {
                serde_json::Value::String(text) if text.is_empty() => continue,
                serde_json::Value::Bool(false) => continue,
                serde_json::Value::Bool(true) => "yes".to_owned(),
                serde_json::Value::String(text) => match app::time::parse_rfc3339(text) {
                    Some(moment) => app::time::long(moment),
                    None => text.clone(),
                },
                other => other.to_string(),
            };
            evidence.push(format!("{}: {said}", name.replace('_', " ")));
        }
        moved.push(Moved {
            seq: event.seq as u64,
            at: event.at,
            words: action.map_or(event.action.clone(), |action| action.words().to_owned()),
            by,
            evidence,
            wrong: matches!(
                action,
                Some(Action::FailStep | Action::AskPerson | Action::ReopenRotation | Action::ReopenCase)
            ),
        });
    }
    Ok(moved)
}

pub async fn resolve(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let choice = Choice::from_code(fields.get("choice")).ok_or_else(|| Error::invalid("choice", "Choose one."))?;
    let resolved =
        rotations::resolve_rotation(signed.console(), &signed.caller, &id, choice, fields.get("comment")).await;
    match resolved {
        Ok(receipt) => Ok(done(&format!("/rotations/{id}"), Action::ResolveRotation, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(rotation_page(&signed, &id, &form).await?))
        }
    }
}

pub async fn answer(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    if fields.get("answer") == "approve" {
        let receipt = rotations::approve_rotation(console, &signed.caller, &id).await?;
        return Ok(done(&format!("/rotations/{id}"), Action::ApproveRotation, receipt));
    }
    match rotations::cancel_rotation(console, &signed.caller, &id, fields.get("comment")).await {
        Ok(receipt) => Ok(done(&format!("/rotations/{id}"), Action::CancelRotation, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(rotation_page(&signed, &id, &form).await?))
        }
    }
}

pub async fn roll_back(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    match rotations::roll_back(signed.console(), &signed.caller, &id, fields.get("reason")).await {
        Ok(receipt) => Ok(done(&format!("/rotations/{id}"), Action::RollBack, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(rotation_page(&signed, &id, &form).await?))
        }
    }
}

pub async fn cut_off(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = rotations::cut_off(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/rotations/{id}"), Action::CutOff, receipt))
}
