//! Rotations: the list, one of them, a secret's plan, and what begins or resolves one.
use super::{
    Problem,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    audit,
    catalog::{self, Located},
    db::Sql,
    rotations::{self, NewPlan, postgres::Settings, store::Plan, store::Rotation},
};
use app::{
    audit::{action::Action, leaf::Leaf},
    catalog::model::Kind,
    error::Error,
    policies::model::Tier,
    rotations::{
        model::{Choice, RotatorKind, Step, ValueRules},
        page::{self, Line, Moved, PlanForm, PlanView, RotationView, SecretRotation},
    },
    ui::Form,
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

/// How many events of one rotation its page shows.
const EVENTS: u64 = 400;

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

pub async fn list(signed: Signed) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let key = console.seal_key();
    let mut db = console.read().await?;
    let (mut open, mut ended) = (Vec::new(), Vec::new());
    for (lines, over) in [(&mut open, false), (&mut ended, true)] {
        for rotation in rotations::store::list(&mut db, over, 200, key).await? {
            match Located::visible(console, &mut db, &signed.caller, &rotation.secret_id).await {
                Ok(located) => lines.push(line(&rotation, &located)),
                Err(Error::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    // What stopped comes first.
    open.sort_by_key(|line| (line.step != Step::NeedsPerson, line.started_at));
    Ok(shown(page::list(&shell, open, ended)))
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
        consumers.push((name, consumer.version, consumer.at));
    }
    let started_by = match &rotation.started_by {
        Some(person) => names.person(&mut db, signed.site(), person).await?,
        None => "the service".to_owned(),
    };
    let events = events(signed, &mut db, &mut names, &rotation).await?;
    let plan = rotations::store::find_plan(&mut db, &rotation.secret_id, console.seal_key()).await?;
    let project = Some(located.project.id.as_str());
    let situation = catalog::secret_situation(&located);
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
        rotator: plan.and_then(|plan| RotatorKind::from_code(&plan.rotator)).map_or("", RotatorKind::words),
        trigger: rotation.trigger().words(),
        started_by,
        started_at: rotation.started_at,
        next_at: rotation.ended_at.is_none().then_some(rotation.next_at),
        from_version: rotation.from_version,
        to_version: rotation.to_version,
        promoted_at: rotation.promoted_at,
        overlap_until: rotation.overlap_until,
        dead_at: rotation.dead_at,
        ended_at: rotation.ended_at,
        consumers,
        events,
        resolve: console.would(&signed.caller, Action::ResolveRotation, project, situation),
    };
    Ok(page::rotation(&shell, view, form))
}

/// A rotation's events out of the trail, newest first, with what they say of the target.
async fn events(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    rotation: &Rotation,
) -> Result<Vec<Moved>, Error> {
    let narrow = audit::store::Narrow {
        secret: Some(rotation.secret_id.clone()),
        from: Some(rotation.started_at),
        ..Default::default()
    };
    let mut moved = Vec::new();
    for row in audit::store::list(db, &narrow, None, EVENTS).await? {
        let Ok(leaf) = Leaf::decode(&row.leaf) else { continue };
        if leaf.subject.row.as_deref() != Some(&rotation.id) {
            continue;
        }
        let action = Action::from_code(&row.action);
        let by = match (row.actor_kind.as_str(), &row.actor_id) {
            ("person", Some(id)) => names.person(db, signed.site(), id).await?,
            _ => "the service".to_owned(),
        };
        let mut evidence = Vec::new();
        for (name, value) in &leaf.detail {
            // Which values were opened and by what is the trail's; the page says what happened.
            if ["opened", "rotator", "sealed", "step"].contains(&name.as_str()) {
                continue;
            }
            let said = match value {
                serde_json::Value::String(text) if text.is_empty() => continue,
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            evidence.push(format!("{}: {said}", name.replace('_', " ")));
        }
        moved.push(Moved {
            seq: row.seq as u64,
            at: row.at,
            words: action.map_or(row.action.clone(), |action| action.words().to_owned()),
            by,
            evidence,
            wrong: matches!(action, Some(Action::FailStep | Action::AskPerson | Action::ReopenRotation))
                || row.outcome != "allowed",
        });
    }
    Ok(moved)
}

/// What the page of a secret shows of its rotation.
pub(super) async fn of_secret(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    located: &Located,
) -> Result<SecretRotation, Error> {
    let console = signed.console();
    let key = console.seal_key();
    let plan = match rotations::store::find_plan(db, &located.secret.id, key).await? {
        Some(plan) => Some(plan_view(signed, db, names, &plan, located).await?),
        None => None,
    };
    let last = rotations::store::of_secret(db, &located.secret.id, 5, key).await?;
    let project = Some(located.project.id.as_str());
    let would = |action| console.would(&signed.caller, action, project, catalog::secret_situation(located));
    Ok(SecretRotation {
        plan,
        last: last.iter().map(|rotation| line(rotation, located)).collect(),
        configure: would(Action::ConfigureRotation),
        start: would(Action::StartRotation),
        confirm: would(Action::ConfirmPlan),
    })
}

async fn plan_view(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    plan: &Plan,
    located: &Located,
) -> Result<PlanView, Error> {
    let target = serde_json::from_str::<Settings>(&plan.settings)
        .map_or_else(|_| String::new(), |settings| settings.endpoints.join(", "));
    Ok(PlanView {
        words: RotatorKind::from_code(&plan.rotator).map_or("Unknown", RotatorKind::words),
        target,
        overlap_minutes: plan.overlap_minutes,
        every_days: plan.every_days,
        due: rotations::next_due(db, plan, located.secret.current_version).await?,
        set_by: names.person(db, signed.site(), &plan.set_by).await?,
        confirmed_by: match &plan.confirmed_by {
            Some(id) => Some(names.person(db, signed.site(), id).await?),
            None => None,
        },
        unconfirmed: !rotations::is_confirmed(plan, located),
    })
}

pub async fn plan(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let plan = rotations::store::find_plan(&mut console.read().await?, &id, console.seal_key()).await?;
    Ok(shown(plan_page(&signed, &id, &filled(plan)).await?))
}

/// The form as the present plan fills it.
fn filled(plan: Option<Plan>) -> Form {
    let Some(plan) = plan else {
        let rules = ValueRules::default();
        return Form::default().with("length", rules.length.to_string()).with("overlap", "60").with("every", "0");
    };
    let form = Form::default()
        .with("kind", plan.rotator)
        .with("length", plan.length.to_string())
        .with("forbidden", plan.forbidden)
        .with("overlap", plan.overlap_minutes.to_string())
        .with("every", plan.every_days.to_string());
    match serde_json::from_str::<Settings>(&plan.settings) {
        Ok(settings) => form
            .with("endpoints", settings.endpoints.join("\n"))
            .with("database", settings.database)
            .with("roles", settings.roles.join("\n"))
            .with("admin", settings.admin.unwrap_or_default())
            .with("tls", if settings.tls { "yes" } else { "no" })
            .with("sessions", if settings.end_sessions { "end" } else { "wait" }),
        Err(_) => form,
    }
}

async fn plan_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, &signed.caller, id).await?;
    let situation = catalog::secret_situation(&located);
    // Asked before the form is read, so that a refusal does not depend on what was typed.
    let (who, principal) = (&signed.caller.who, signed.caller.principal(Some(&located.project.id)));
    console.permit(who, &principal, Action::ConfigureRotation, located.subject(), situation).await?;
    let accounts = catalog::store::secrets_of(&mut db, &located.project.id, console.seal_key()).await?;
    let admins = accounts
        .into_iter()
        .filter(|row| {
            row.environment_id == located.environment.id && row.kind() == Kind::Database && row.id != located.secret.id
        })
        .map(|row| (row.id, row.path))
        .collect();
    let database = located.secret.kind() == Kind::Database;
    let fits = |kind: &RotatorKind| (*kind == RotatorKind::Generated) != database;
    let view = PlanForm {
        secret: id.into(),
        path: located.secret.path.clone(),
        project: (located.project.slug.clone(), located.project.name.clone()),
        environment: located.environment.slug.clone(),
        tier: located.environment.tier(),
        oldest: oldest(located.environment.tier()),
        kinds: RotatorKind::ALL.iter().copied().filter(fits).collect(),
        admins,
    };
    Ok(page::plan(&shell, view, form))
}

fn oldest(tier: Tier) -> &'static str {
    match tier {
        Tier::Development => "At most 365 in development; 0: by hand alone.",
        Tier::Test => "At most 180 in test; 0: by hand alone.",
        Tier::Staging => "At most 90 in staging; 0: by hand alone.",
        Tier::Production => "At most 90 in production; 0: by hand alone.",
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
}

pub async fn configure(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let sent = async {
        let kind = RotatorKind::from_code(fields.get("kind"))
            .ok_or_else(|| Error::invalid("kind", "Choose what rotates it."))?;
        let postgres = (kind != RotatorKind::Generated).then(|| Settings {
            endpoints: lines(fields.get("endpoints")),
            database: fields.get("database").trim().to_owned(),
            tls: fields.get("tls") != "no",
            roles: lines(fields.get("roles")),
            admin: Some(fields.get("admin")).filter(|admin| !admin.is_empty()).map(ToOwned::to_owned),
            end_sessions: fields.get("sessions") != "wait",
        });
        let rules = ValueRules {
            length: usize::try_from(fields.number("length")?).unwrap_or(0),
            forbidden: fields.get("forbidden").trim().to_owned(),
        };
        let (overlap_minutes, every_days) = (fields.number("overlap")?, fields.number("every")?);
        let new = NewPlan { kind, postgres, rules, overlap_minutes, every_days };
        rotations::configure_rotation(signed.console(), &signed.caller, &id, new).await
    };
    match sent.await {
        Ok(receipt) => Ok(done(&format!("/secrets/{id}"), Action::ConfigureRotation, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(plan_page(&signed, &id, &form).await?))
        }
    }
}

pub async fn confirm(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = rotations::confirm_plan(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/secrets/{id}"), Action::ConfirmPlan, receipt))
}

pub async fn start(signed: Signed, Path(id): Path<String>) -> Answer {
    let (rotation, receipt) = rotations::start_rotation(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/rotations/{rotation}"), Action::StartRotation, receipt))
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
