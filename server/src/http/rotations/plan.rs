//! Plans: the form, the part of a secret's page, its check, pauses, and what an environment's secrets inherit.
use super::{Answer, line};
use crate::{
    catalog::{self, Located},
    db::Sql,
    http::visitor::{Fields, Names, Signed, done, mistaken, shown},
    rotations::{
        self, NewPlan, case_store, postgres, rotator::Target, store, store::Plan, timetable::Timetable, webhook,
    },
};
use app::{
    audit::action::Action,
    catalog::model::Kind,
    error::Error,
    rotations::{
        model::{Alphabet, RotatorKind, ValueRules},
        page::{self, DefaultView, PlanForm, PlanView, SecretRotation},
        schedule::{Origin, Schedule, Timing, effective},
    },
    ui::Form,
};
use axum::extract::Path;

/// What the page of a secret shows of its rotation.
pub(in crate::http) async fn of_secret(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    located: &Located,
) -> Result<SecretRotation, Error> {
    let console = signed.console();
    let key = console.seal_key();
    let project = Some(located.project.id.as_str());
    let would = |action| console.would(&signed.caller, action, project, catalog::secret_situation(located));
    let mut confirm = would(Action::ConfirmPlan);
    let plan = match store::find_plan(db, &located.secret.id, key).await? {
        Some(plan) => {
            if confirm.is_none() {
                confirm = rotations::may_confirm(console, db, &signed.caller, located, &plan).await?.err();
            }
            Some(plan_view(signed, db, names, &plan, located).await?)
        }
        None => None,
    };
    let last = store::of_secret(db, &located.secret.id, 5, key).await?;
    let mut cases = Vec::new();
    for case in case_store::of_secret(db, &located.secret.id, key).await? {
        if case.ended_at.is_none() {
            let since = app::time::about(console.now() - case.began_at);
            cases.push((
                case.id.clone(),
                format!("Version {} has to be rotated {}, for {since}", case.version, case.trigger().words()),
            ));
        }
    }
    Ok(SecretRotation {
        plan,
        last: last.iter().map(|rotation| line(rotation, located)).collect(),
        cases,
        configure: would(Action::ConfigureRotation),
        start: would(Action::StartRotation),
        confirm,
        pause: would(Action::PauseRotation),
    })
}

async fn plan_view(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    plan: &Plan,
    located: &Located,
) -> Result<PlanView, Error> {
    let when = rotations::when(signed.console(), db, plan, located).await?;
    Ok(PlanView {
        words: RotatorKind::from_code(&plan.rotator).map_or("Unknown", RotatorKind::words),
        target: plan.target().map(|target| target.places()).unwrap_or_default(),
        overlap_minutes: plan.overlap_minutes,
        hold: plan.hold,
        approval_first: plan.approval_first,
        schedule: when.schedule.words(),
        origin: when.origin.words(),
        due: when.due,
        runs: when.runs,
        paused_until: when.paused_until,
        set_by: names.person(db, signed.site(), &plan.set_by).await?,
        confirmed_by: match &plan.confirmed_by {
            Some(id) => Some(names.person(db, signed.site(), id).await?),
            None => None,
        },
        unconfirmed: !rotations::is_confirmed(signed.console(), plan, located),
    })
}

pub async fn plan(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let plan = store::find_plan(&mut console.read().await?, &id, console.seal_key()).await?;
    Ok(shown(plan_page(&signed, &id, &filled(plan)).await?))
}

/// The fields of a schedule, as a form holds them.
fn with_schedule(form: Form, schedule: &Schedule) -> Form {
    let form = form.with("timing", schedule.timing().code());
    match schedule {
        Schedule::Inherited | Schedule::ByHand => form.with("every", "30").with("zone", "UTC").with("window", "60"),
        Schedule::Age { days } => form.with("every", days.to_string()).with("zone", "UTC").with("window", "60"),
        Schedule::Cron { expression, zone, window_minutes } => form
            .with("every", "30")
            .with("cron", expression.clone())
            .with("zone", zone.clone())
            .with("window", window_minutes.to_string()),
    }
}

/// The schedule that a form says.
fn read_schedule(fields: &Fields) -> Result<Schedule, Error> {
    let number = |name| i32::try_from(fields.number(name)?).map_err(|_| Error::invalid(name, "This is not a number."));
    Ok(match Timing::from_code(fields.get("timing")) {
        Some(Timing::Inherited) => Schedule::Inherited,
        Some(Timing::ByHand) => Schedule::ByHand,
        Some(Timing::Age) => Schedule::Age { days: number("every")? },
        Some(Timing::Cron) => Schedule::Cron {
            expression: fields.get("cron").trim().to_owned(),
            zone: fields.get("zone").trim().to_owned(),
            window_minutes: number("window")?,
        },
        None => return Err(Error::invalid("timing", "Choose when it rotates.")),
    })
}

/// What new values look like, as a form holds it.
fn with_rules(form: Form, rules: &ValueRules) -> Form {
    form.with("length", rules.length.to_string())
        .with("letters", rules.letters.code())
        .with("forbidden", rules.forbidden.clone())
        .with("again", rules.not_again.to_string())
}

/// The form as the present plan fills it.
fn filled(plan: Option<Plan>) -> Form {
    let Some(plan) = plan else {
        let rules = ValueRules::default();
        let form = Form::default().with("overlap", "60").with("dies", "0");
        return with_schedule(with_rules(form, &rules), &Schedule::Inherited);
    };
    let form = Form::default()
        .with("kind", plan.rotator.clone())
        .with("overlap", plan.overlap_minutes.to_string())
        .with("hold", if plan.hold { "yes" } else { "no" })
        .with("first", if plan.approval_first { "yes" } else { "no" });
    let form = with_schedule(with_rules(form, &plan.rules()), &plan.schedule());
    match plan.target() {
        Some(Target::Postgres(settings) | Target::PostgresInTurn(settings)) => form
            .with("endpoints", settings.endpoints.join("\n"))
            .with("database", settings.database)
            .with("roles", settings.roles.join("\n"))
            .with("admin", settings.admin.unwrap_or_default())
            .with("tls", if settings.tls { "yes" } else { "no" })
            .with("sessions", if settings.end_sessions { "end" } else { "wait" })
            .with("dies", settings.dies_after_days.to_string()),
        Some(Target::Webhook(settings)) => form
            .with("url", settings.url)
            .with("signing", settings.signing)
            .with("places", settings.endpoints.join("\n"))
            .with("dies", "0"),
        Some(Target::Consumers) | None => form.with("dies", "0"),
    }
}

async fn plan_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let located = Located::visible(console, &mut console.read().await?, &signed.caller, id).await?;
    let situation = catalog::secret_situation(&located);
    // Asked before the form is read, so that a refusal does not depend on what was typed.
    let (who, principal) = (&signed.caller.who, signed.caller.principal(Some(&located.project.id)));
    console.permit(who, &principal, Action::ConfigureRotation, located.subject(), situation).await?;
    let mut db = console.read().await?;
    let beside = catalog::store::secrets_of(&mut db, &located.project.id, console.seal_key()).await?;
    let beside = beside.into_iter().filter(|row| {
        row.environment_id == located.environment.id && row.id != located.secret.id && row.archived_at.is_none()
    });
    let (admins, keys): (Vec<_>, Vec<_>) = beside.partition(|row| row.kind() == Kind::Database);
    let named = |rows: Vec<catalog::store::Secret>| rows.into_iter().map(|row| (row.id, row.path)).collect();
    let database = located.secret.kind() == Kind::Database;
    let fits = |kind: &RotatorKind| match kind {
        RotatorKind::Generated => !database,
        RotatorKind::PostgresSingle | RotatorKind::PostgresAlternating => database,
        RotatorKind::Webhook => true,
    };
    let default = store::find_default(&mut db, &located.environment.id, console.seal_key()).await?;
    let default = default.map(|row| row.schedule());
    let (inherited, _) = effective(&Schedule::Inherited, default.as_ref(), &console.level(located.environment.tier()));
    let view = PlanForm {
        secret: id.into(),
        path: located.secret.path.clone(),
        project: (located.project.slug.clone(), located.project.name.clone()),
        environment: located.environment.slug.clone(),
        tier: located.environment.tier(),
        kinds: RotatorKind::ALL.iter().copied().filter(fits).collect(),
        inherited: inherited.words(),
        admins: named(admins),
        keys: named(keys),
    };
    Ok(page::plan(&shell, view, form))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
}

fn read_target(fields: &Fields) -> Result<Target, Error> {
    let kind =
        RotatorKind::from_code(fields.get("kind")).ok_or_else(|| Error::invalid("kind", "Choose what rotates it."))?;
    let postgres = || -> Result<postgres::Settings, Error> {
        Ok(postgres::Settings {
            endpoints: lines(fields.get("endpoints")),
            database: fields.get("database").trim().to_owned(),
            tls: fields.get("tls") != "no",
            roles: lines(fields.get("roles")),
            admin: Some(fields.get("admin")).filter(|admin| !admin.is_empty()).map(ToOwned::to_owned),
            end_sessions: fields.get("sessions") != "wait",
            dies_after_days: u16::try_from(fields.number("dies")?)
                .map_err(|_| Error::invalid("dies", "At most 730 days, or 0 for never."))?,
        })
    };
    Ok(match kind {
        RotatorKind::Generated => Target::Consumers,
        RotatorKind::PostgresSingle => Target::Postgres(postgres()?),
        RotatorKind::PostgresAlternating => Target::PostgresInTurn(postgres()?),
        RotatorKind::Webhook => Target::Webhook(webhook::Settings {
            url: fields.get("url").trim().to_owned(),
            endpoints: lines(fields.get("places")),
            signing: fields.get("signing").to_owned(),
        }),
    })
}

pub async fn configure(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let sent = async {
        let new = NewPlan {
            target: read_target(&fields)?,
            rules: ValueRules {
                length: usize::try_from(fields.number("length")?).unwrap_or(0),
                forbidden: fields.get("forbidden").trim().to_owned(),
                letters: Alphabet::from_code(fields.get("letters"))
                    .ok_or_else(|| Error::invalid("letters", "Choose one."))?,
                not_again: u32::try_from(fields.number("again")?).unwrap_or(0),
            },
            overlap_minutes: fields.number("overlap")?,
            schedule: read_schedule(&fields)?,
            approval_first: fields.get("first") == "yes",
            hold: fields.get("hold") == "yes",
        };
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

pub async fn check(signed: Signed, Path(id): Path<String>) -> Answer {
    let (works, path, receipt) = rotations::check_rotation(signed.console(), &signed.caller, &id).await?;
    let shell = signed.shell("/rotations").await?;
    Ok(shown(page::checked(&shell, &id, &path, works, receipt.seq)))
}

pub async fn pause(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let days = fields.get("days").parse().unwrap_or(0);
    let receipt = rotations::pause_rotation(signed.console(), &signed.caller, &id, days, fields.get("reason")).await?;
    Ok(done(&format!("/secrets/{id}"), Action::PauseRotation, receipt))
}

pub async fn resume(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = rotations::resume_rotation(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/secrets/{id}"), Action::ResumeRotation, receipt))
}

/// What the page of an environment shows of its default.
pub(in crate::http) async fn of_environment(
    signed: &Signed,
    db: &mut impl Sql,
    row: &catalog::store::Environment,
) -> Result<(DefaultView, Form), Error> {
    let console = signed.console();
    let set = store::find_default(db, &row.id, console.seal_key()).await?;
    let own = set.as_ref().map_or(Schedule::Inherited, store::Default::schedule);
    let (holds, origin) = effective(&Schedule::Inherited, Some(&own), &console.level(row.tier()));
    let runs = match &holds {
        Schedule::Cron { expression, zone, window_minutes } => Timetable::read(expression, zone, *window_minutes)
            .map(|timetable| timetable.runs(console.now(), 5))
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    let set_by = match &set {
        Some(set) => Some(Names::default().person(db, signed.site(), &set.set_by).await?),
        None => None,
    };
    let situation = catalog::environment_situation(row);
    let view = DefaultView {
        environment: row.id.clone(),
        tier: row.tier(),
        words: match origin {
            Origin::Level => format!("{} So says its protection level.", holds.words()),
            Origin::Secret | Origin::Environment => holds.words(),
        },
        set_by,
        runs,
        refusal: console.would(&signed.caller, Action::SetDefault, Some(&row.project_id), situation),
    };
    Ok((view, with_schedule(Form::default(), &own)))
}

pub async fn set_default(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let sent = async {
        let schedule = read_schedule(&fields)?;
        rotations::set_default(signed.console(), &signed.caller, &id, schedule).await
    };
    match sent.await {
        Ok(receipt) => Ok(done(&format!("/environments/{id}"), Action::SetDefault, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(crate::http::catalog::environment_page(&signed, &id, Some(form)).await?))
        }
    }
}
