//! Cases: their figures and list, one of them, what is done about it, and the report of a leak.
use super::{Answer, events};
use crate::{
    catalog::{self, Located},
    console::Console,
    grants,
    http::visitor::{Fields, Names, Signed, done, mistaken, shown},
    rotations::{self, Leak, Seen, Suspend, case_store, case_store::Case, store},
    vault,
};
use app::{
    audit::action::Action,
    error::Error,
    rotations::{
        model::Trigger,
        page::{self, CaseLine, CaseView, CasesView, LeakForm},
    },
    time::Moment,
    ui::Form,
};
use axum::extract::{Path, Query};
use chrono::{NaiveDateTime, TimeDelta};
use serde::Deserialize;

/// How many cases of each kind the list shows.
const LIST: u32 = 200;

#[derive(Deserialize)]
pub struct Window {
    #[serde(default)]
    days: String,
    #[serde(default)]
    project: String,
}

fn line(console: &Console, case: &Case, located: &Located) -> CaseLine {
    CaseLine {
        id: case.id.clone(),
        path: located.secret.path.clone(),
        project: located.project.name.clone(),
        tier: located.environment.tier(),
        trigger: case.trigger(),
        version: case.version,
        began_at: case.began_at,
        end: case.end(),
        ended_at: case.ended_at,
        target: console.level_at(located.environment.tier(), case.began_at).dead_within(),
    }
}

pub async fn cases(signed: Signed, Query(window): Query<Window>) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let days = window.days.parse().ok().filter(|days| (1..=365).contains(days)).unwrap_or(90);
    let (now, key) = (console.now(), console.seal_key());
    let from = now - TimeDelta::days(days);
    let mut db = console.read().await?;
    // What this person sees is what the figures are of.
    let project = Some(window.project.as_str()).filter(|slug| !slug.is_empty());
    let seen = Seen::by(console, &mut db, &signed.caller, project).await?;
    let figures = seen.figures(console, &mut db, from, now).await?;
    let parts = seen.parts(console, &mut db, from, now).await?;
    let (mut open, mut ended) = (Vec::new(), Vec::new());
    for (lines, rows) in [
        (&mut open, case_store::open(&mut db, LIST, key).await?),
        (&mut ended, case_store::ended(&mut db, LIST, key).await?),
    ] {
        for row in rows.iter().filter(|row| seen.holds(row)) {
            if let Some(located) = Located::find(&mut db, &row.secret_id, key).await? {
                lines.push(line(console, row, &located));
            }
        }
    }
    let view = CasesView {
        days,
        figures,
        parts,
        open,
        ended,
        project: window.project,
        projects: seen.projects.into_iter().map(|project| (project.slug, project.name)).collect(),
    };
    Ok(shown(page::cases(&shell, view)))
}

pub async fn case(signed: Signed, Path(id): Path<String>) -> Answer {
    Ok(shown(case_page(&signed, &id, &Form::default()).await?))
}

async fn case_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let (case, located) = rotations::visible_case(console, &signed.caller, id).await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let mut names = Names::default();
    let opened_by = match &case.opened_by {
        Some(person) => names.person(&mut db, signed.site(), person).await?,
        None => "the service".into(),
    };
    let suspect = match &case.suspect {
        Some(id) => Some(name_of(signed, &mut db, &mut names, id).await?),
        None => None,
    };
    let mut holders = Vec::new();
    for grant in grants::store::open_for(&mut db, &case.secret_id, now, key).await? {
        let holder = match (&grant.person_id, &grant.workload_id) {
            (Some(person), _) => names.person(&mut db, signed.site(), person).await?,
            (_, Some(workload)) => names.workload(&mut db, signed.site(), workload).await?,
            _ => continue,
        };
        if grant.suspended_at.is_none() && !holders.contains(&holder) {
            holders.push(holder);
        }
    }
    let about = |row: &store::Rotation| row.from_version >= case.version && row.started_at >= case.opened_at;
    let rotations = store::of_secret(&mut db, &case.secret_id, 50, key).await?;
    let rotations = rotations
        .iter()
        .filter(|row| about(row) || row.from_version == case.version)
        .map(|row| {
            (row.id.clone(), format!("{}: {}", row.started_at.format("%-d %b %Y, %H:%M UTC"), row.step().words()))
        })
        .collect();
    let knowing = vault::store::knowing(&mut db, &case.secret_id).await?;
    let knowing =
        knowing.into_iter().filter(|row| row.version == case.version).map(|row| (row.name, row.how)).collect();
    let events = events(signed, &mut db, &mut names, &case.secret_id, id, case.opened_at).await?;
    let project = Some(located.project.id.as_str());
    let situation = catalog::secret_situation(&located);
    let would = |action| console.would(&signed.caller, action, project, situation);
    let cancel = match would(Action::CancelCase) {
        None => rotations::may_cancel(console, &mut db, signed.caller.id(), &located, &case).await?.err(),
        refused => refused,
    };
    let attest = match would(Action::AttestDeath) {
        None => rotations::may_attest(console, &mut db, signed.caller.id(), &case.secret_id, case.version).await?.err(),
        refused => refused,
    };
    let plan = store::find_plan(&mut db, &case.secret_id, key).await?;
    let open = store::open_of(&mut db, &case.secret_id, key).await?;
    let waits_for = open.filter(|row| row.from_version != case.version && !row.only_looks());
    let view = CaseView {
        line: line(console, &case, &located),
        secret: case.secret_id.clone(),
        project: (located.project.slug.clone(), located.project.name.clone()),
        environment: located.environment.slug.clone(),
        opened_by,
        opened_at: case.opened_at,
        suspect,
        cut_off: case.cut_off,
        // Whoever contains it reads what was reported, and whoever reported it.
        what: match would(Action::ContainCase).is_none() || case.opened_by.as_deref() == Some(signed.caller.id()) {
            true => reported(&mut db, &case).await?,
            false => None,
        },
        rotations,
        knowing,
        holders,
        is_current: located.secret.current_version == Some(case.version),
        waits_for: waits_for.map(|row| row.id),
        has_plan: plan.is_some_and(|plan| rotations::is_confirmed(console, &plan, &located)),
        events,
        contain: would(Action::ContainCase),
        attest,
        cancel,
    };
    Ok(page::case(&shell, view, form))
}

/// What the report of a leak said: a disclosure of its event.
async fn reported(db: &mut impl crate::db::Sql, case: &Case) -> Result<Option<String>, Error> {
    if case.trigger() != Trigger::Incident {
        return Ok(None);
    }
    let narrow = crate::audit::store::Narrow {
        secret: Some(case.secret_id.clone()),
        action: Some(Action::ReportLeak.code().to_owned()),
        ..Default::default()
    };
    for row in crate::audit::store::list(db, &narrow, None, 50).await? {
        let about = app::audit::leaf::Leaf::decode(&row.leaf).ok().and_then(|leaf| leaf.subject.row);
        if about.as_deref() == Some(&case.id) {
            let disclosed = crate::audit::store::told(db, [row.numbered()]).await?;
            return Ok(disclosed.into_iter().find(|(_, field, ..)| field == "what").map(|(_, _, _, value)| value));
        }
    }
    Ok(None)
}

async fn name_of(signed: &Signed, db: &mut impl crate::db::Sql, names: &mut Names, id: &str) -> Result<String, Error> {
    if id.starts_with("per_") {
        names.person(db, signed.site(), id).await
    } else {
        names.workload(db, signed.site(), id).await
    }
}

/// Shows the case again with what is wrong at its field.
async fn again(signed: &Signed, id: &str, fields: Fields, error: Error) -> Answer {
    let form = fields.again(error, &[])?;
    Ok(mistaken(case_page(signed, id, &form).await?))
}

pub async fn contain(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let suspend = Suspend::from_code(fields.get("suspend"))
        .ok_or_else(|| Error::invalid("suspend", "Choose whose access is suspended."))?;
    let cut_off = match fields.get("mode") {
        "cut" => true,
        "smooth" => false,
        _ => return Err(Error::invalid("mode", "Choose whether the old value is cut off.").into()),
    };
    let (rotation, receipt) = rotations::contain_case(signed.console(), &signed.caller, &id, suspend, cut_off).await?;
    let next = rotation.map_or_else(|| format!("/cases/{id}"), |rotation| format!("/rotations/{rotation}"));
    Ok(done(&next, Action::ContainCase, receipt))
}

/// The value of a `datetime-local` field, in UTC.
fn moment(fields: &Fields, name: &'static str) -> Result<Moment, Error> {
    let text = fields.get(name);
    let read = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"));
    read.map(|moment| moment.and_utc()).map_err(|_| Error::invalid(name, "Say a day and a time, in UTC."))
}

pub async fn earlier(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let sent = async {
        let began = moment(&fields, "began")?;
        rotations::move_case(signed.console(), &signed.caller, &id, began, fields.get("reason")).await
    };
    match sent.await {
        Ok(receipt) => Ok(done(&format!("/cases/{id}"), Action::MoveCase, receipt)),
        Err(error) => again(&signed, &id, fields, error).await,
    }
}

pub async fn cancel(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    match rotations::cancel_case(signed.console(), &signed.caller, &id, fields.get("reason")).await {
        Ok(receipt) => Ok(done(&format!("/cases/{id}"), Action::CancelCase, receipt)),
        Err(error) => again(&signed, &id, fields, error).await,
    }
}

pub async fn attest_case(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let (case, _) = rotations::visible_case(signed.console(), &signed.caller, &id).await?;
    let attested =
        rotations::attest_death(signed.console(), &signed.caller, &case.secret_id, case.version, fields.get("reason"));
    match attested.await {
        Ok(receipt) => Ok(done(&format!("/cases/{id}"), Action::AttestDeath, receipt)),
        Err(error) => again(&signed, &id, fields, error).await,
    }
}

/// The same for a version without a case.
pub async fn attest_version(signed: Signed, Path((id, version)): Path<(String, i32)>, fields: Fields) -> Answer {
    let receipt = rotations::attest_death(signed.console(), &signed.caller, &id, version, fields.get("reason")).await?;
    Ok(done(&format!("/secrets/{id}"), Action::AttestDeath, receipt))
}

pub async fn leak(signed: Signed, Path(id): Path<String>) -> Answer {
    let now = signed.console().now();
    let form = Form::default().with("detected", now.format("%Y-%m-%dT%H:%M").to_string());
    Ok(shown(leak_page(&signed, &id, &form).await?))
}

async fn leak_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, &signed.caller, id).await?;
    let key = console.seal_key();
    let mut names = Names::default();
    let mut suspects: Vec<(String, String)> = Vec::new();
    let mut add = |id: String, words: String| {
        if !suspects.iter().any(|(known, _)| *known == id) {
            suspects.push((id, words));
        }
    };
    for row in vault::store::knowing(&mut db, id).await? {
        add(row.person_id, format!("{}, who {} it", row.name, row.how));
    }
    for grant in grants::store::open_for(&mut db, id, console.now(), key).await? {
        match (&grant.person_id, &grant.workload_id) {
            (Some(person), _) => {
                add(
                    person.clone(),
                    format!("{}, who holds access", names.person(&mut db, signed.site(), person).await?),
                );
            }
            (_, Some(workload)) => {
                let name = names.workload(&mut db, signed.site(), workload).await?;
                add(workload.clone(), format!("{name}, a workload with access"));
            }
            _ => {}
        }
    }
    let mut versions: Vec<i32> =
        vault::store::versions(&mut db, id).await?.into_iter().map(|row| row.version).take(20).collect();
    versions.sort_by_key(|version| (Some(*version) != located.secret.current_version, -version));
    let view = LeakForm {
        secret: id.into(),
        path: located.secret.path.clone(),
        project: (located.project.slug.clone(), located.project.name.clone()),
        environment: located.environment.slug.clone(),
        tier: located.environment.tier(),
        versions,
        suspects,
    };
    Ok(page::leak(&shell, view, form))
}

pub async fn report_leak(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let sent = async {
        let leak = Leak {
            version: fields.version("version")?,
            detected_at: moment(&fields, "detected")?,
            what: fields.get("what"),
            suspect: Some(fields.get("suspect")).filter(|suspect| !suspect.is_empty()),
        };
        rotations::report_leak(signed.console(), &signed.caller, &id, leak).await
    };
    match sent.await {
        Ok((case, receipt)) => Ok(done(&format!("/cases/{case}"), Action::ReportLeak, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(leak_page(&signed, &id, &form).await?))
        }
    }
}
