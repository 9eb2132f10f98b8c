//! Home, notices, the palette's answers, theme, health.
use super::{
    Problem, Site,
    visitor::{Fields, Signed, shown},
};
use crate::{
    audit, catalog,
    db::PATIENCE,
    grants::{self, Holder},
    notifications, people, rotations, signals, vault,
};
use app::{
    error::Error,
    home::page::{self, Home},
    notifications::page as notices_page,
    policies::model::{Role, Tier},
    rotations::model::{Step, Trigger},
    session::Theme,
    signals::model::State as SignalState,
    ui::rail,
};
use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

type Answer = Result<Response, Problem>;

pub async fn livez() -> &'static str {
    "ok\n"
}

/// Ready: database, keys, ledger and migrations, each by name. Asked over a connection that no request shares, so that the answer does
/// not depend on how many there are.
pub async fn readyz(State(site): State<Site>) -> Response {
    let console = &site.console;
    let asked = async { audit::store::size(&mut console.db().probe().await?).await };
    let database = matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(_)));
    let ledger = !console.builder.signed().forked;
    let newest = console.db().migrations().last().cloned().unwrap_or_default();
    let space = !console.space.is_short(console.now());
    let state = {
        let found = console.found.borrow();
        found.checked.wrong.is_empty() && found.trouble.is_none()
    };
    let clock = !console.clock_is_off.load(std::sync::atomic::Ordering::SeqCst);
    let ready = database && ledger && space && state && clock;
    let word = |good: bool| if good { "ok" } else { "failing" };
    let body = serde_json::json!({
        "database": word(database), "ledger": word(ledger), "keys": "ok", "space": word(space), "state": word(state), "clock": word(clock),
        "migrations": newest,
    });
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

pub async fn theme(State(site): State<Site>, headers: HeaderMap, fields: Fields) -> Answer {
    let theme = Theme::from_code(fields.get("theme")).ok_or(Error::NotFound)?;
    Ok(super::visitor::set_theme(theme, &headers, &site.base_url))
}

pub async fn home(signed: Signed) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/").await?;
    let caller = &signed.caller;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let mut held = Vec::new();
    for grant in grants::store::active_of(&mut db, Holder::Person(caller.id()), now, key).await?.into_iter().take(8) {
        for id in grant.secrets.split(' ').take(3) {
            if let Some(secret) = catalog::store::find(&mut db, id, key).await? {
                held.push((secret.path, format!("/secrets/{}", secret.id), grant.expires_at));
            }
        }
    }
    let posture = posture(&signed, &mut db).await?;
    let mut recent = Vec::new();
    if caller.is(Role::Auditor) || caller.is(Role::Security) {
        for row in audit::store::list(&mut db, &audit::store::Narrow::default(), None, 8).await? {
            let words = app::audit::action::Action::from_code(&row.action)
                .map_or(row.action.clone(), |action| action.words().into());
            recent.push((row.seq as u64, row.at, words));
        }
    }
    let mut audits = Vec::new();
    for row in &caller.roles {
        let Some(period) = row.period() else { continue };
        let of = match &row.project_id {
            Some(id) => catalog::store::find_project(&mut db, id).await?.map(|project| format!(", {}", project.name)),
            None => None,
        };
        audits.push((format!("Events of {}{}", period.words(), of.unwrap_or_default()), row.valid_to));
    }
    let first_steps = if caller.is(Role::Admin) { first_steps(console, &mut db).await? } else { Vec::new() };
    let viewer = shell.viewer.as_ref();
    let view = Home {
        needs_factor: !console.demo && !caller.factor && !caller.roles.is_empty(),
        to_decide: viewer.map_or(0, |viewer| viewer.inbox as usize),
        waiting: viewer.map_or(0, |viewer| viewer.requests as usize),
        held,
        holds_none: caller.roles.iter().any(|row| row.period().is_some() && row.project_id.is_none()),
        audits,
        posture,
        recent,
        first_steps,
    };
    Ok(shown(page::home(&shell, view)))
}

/// What leads see of their projects, and security of all: values known to people, values past their age, missing ones.
async fn posture(
    signed: &Signed,
    db: &mut impl crate::db::Sql,
) -> Result<Vec<(&'static str, usize, String, &'static str)>, Error> {
    let console = signed.console();
    let caller = &signed.caller;
    let (now, key) = (console.now(), console.seal_key());
    let mut lines = Vec::new();
    let wide = caller.is(Role::Security) || caller.is(Role::Auditor);
    let (mut known, mut old) = (0, 0);
    let mut worst = (0, "/projects".to_owned());
    let mut led = Vec::new();
    for project in catalog::store::projects(db).await? {
        if !wide && !caller.leads(&project.id) {
            continue;
        }
        if !wide {
            led.push(project.id.clone());
        }
        let environments = catalog::store::environments(db, &project.id, key).await?;
        let tier = |id: &str| {
            environments.iter().find(|row| row.id == id).map_or(Tier::Production, catalog::store::Environment::tier)
        };
        let current = vault::store::current_of(db, &project.id).await?;
        let mut knowing: Vec<String> = vault::store::knowing_current(db, &project.id)
            .await?
            .into_iter()
            .filter(|row| {
                current.iter().any(|version| {
                    version.secret_id == row.secret_id && tier(&version.environment_id) == Tier::Production
                })
            })
            .map(|row| row.secret_id)
            .collect();
        knowing.sort_unstable();
        knowing.dedup();
        known += knowing.len();
        old += current
            .iter()
            .filter(|version| now - version.created_at > console.level(tier(&version.environment_id)).rotate_within())
            .count();
        if knowing.len() > worst.0 {
            worst = (knowing.len(), format!("/projects/{}?q=is:known", project.slug));
        }
    }
    if wide || caller.roles.iter().any(|row| row.role == Role::Lead.code()) {
        let (stopped, late) = (stopped(signed, db, wide).await?, late(signed, db, wide).await?);
        lines.push(("Rotations that stopped and need a person", stopped, "/rotations".into(), "danger"));
        lines.push(("Open leaks, and other cases past their target", late, "/cases".into(), "danger"));
        let narrow = signals::store::Narrow { state: Some(SignalState::Open), projects: &led, ..Default::default() };
        let open = signals::store::list(db, &narrow, now, 100).await?.len();
        lines.push(("Open signals", open, "/signals".into(), "attention"));
        lines.push(("Production values known to people", known, worst.1, "attention"));
        lines.push(("Values past their age", old, "/projects".into(), "danger"));
    }
    // Whoever owns a secret is told as well, when there is something to tell.
    if lines.is_empty() {
        let stopped = stopped(signed, db, wide).await?;
        if stopped > 0 {
            lines.push(("Rotations of your team that stopped", stopped, "/rotations".into(), "danger"));
        }
    }
    Ok(lines)
}

/// Rotations that wait for a person, of what one leads or what one's team owns.
async fn stopped(signed: &Signed, db: &mut impl crate::db::Sql, wide: bool) -> Result<usize, Error> {
    let key = signed.console().seal_key();
    let mut stopped = 0;
    for row in rotations::store::open(db, 500, key).await?.iter().filter(|row| row.step() == Step::NeedsPerson) {
        let mine = wide || signed.caller.leads(&row.project_id) || {
            let located = catalog::Located::visible(signed.console(), db, &signed.caller, &row.secret_id).await;
            located.is_ok_and(|located| signed.caller.teams.contains(&located.secret.team_id))
        };
        stopped += usize::from(mine);
    }
    Ok(stopped)
}

/// Leaks that are open, and cases whose old value should be dead by now.
async fn late(signed: &Signed, db: &mut impl crate::db::Sql, wide: bool) -> Result<usize, Error> {
    let (now, key) = (signed.console().now(), signed.console().seal_key());
    let mine = |project: &str| wide || signed.caller.leads(project);
    let mut late = 0;
    for case in rotations::case_store::open(db, 500, key).await? {
        let environment = catalog::store::find_environment(db, &case.environment_id, key).await?;
        let tier = environment.map_or(Tier::Production, |row| row.tier());
        let target = signed.console().level_at(tier, case.began_at).dead_within();
        let urgent = case.trigger() == Trigger::Incident || now - case.began_at > target;
        late += usize::from(mine(&case.project_id) && urgent);
    }
    Ok(late)
}

/// What an administrator of a new installation does next; nothing once all of it is done.
async fn first_steps(
    console: &crate::console::Console,
    db: &mut impl crate::db::Sql,
) -> Result<Vec<(&'static str, &'static str, bool)>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let steps = vec![
        ("Make a team", "/people", !people::store::teams(db).await?.is_empty()),
        ("Invite the people who decide", "/people", people::deciders(db, now, key).await? >= 2),
        ("Make a project", "/projects/new", !catalog::store::projects(db).await?.is_empty()),
    ];
    Ok(if steps.iter().all(|(_, _, done)| *done) { Vec::new() } else { steps })
}

pub async fn notices(signed: Signed) -> Answer {
    let shell = signed.shell("/notices").await?;
    let rows = notifications::store::list(&mut signed.console().read().await?, signed.caller.id(), 200).await?;
    let notices = rows
        .into_iter()
        .map(|row| notices_page::Notice {
            kind: row.kind,
            subject: row.subject,
            told_at: row.told_at,
            unread: row.read_at.is_none(),
        })
        .collect();
    Ok(shown(notices_page::notices(&shell, notices)))
}

pub async fn read_notices(signed: Signed) -> Answer {
    notifications::mark_read(signed.console(), signed.caller.id()).await?;
    Ok(Redirect::to("/notices").into_response())
}

#[derive(Deserialize)]
pub struct Words {
    #[serde(default)]
    q: String,
}

/// What the palette offers for some words: pages, projects, secrets. Only what this person may know of.
pub async fn go(signed: Signed, Query(query): Query<Words>) -> Answer {
    let console = signed.console();
    let words = query.q.trim().to_lowercase();
    if words.chars().count() > 200 {
        return Err(Error::TooLarge.into());
    }
    let mut found = Vec::new();
    for page in rail::pages(&signed.viewer()?) {
        if page.words.to_lowercase().contains(&words) {
            found.push(serde_json::json!({ "title": page.words, "place": "page", "href": page.href }));
        }
    }
    let mut db = console.read().await?;
    let projects = catalog::store::projects(&mut db).await?;
    let seen = |id: &str| {
        projects
            .iter()
            .find(|project| project.id == id)
            .filter(|project| catalog::sees(console, &signed.caller, project))
    };
    for project in projects
        .iter()
        .filter(|project| project.slug.contains(&words))
        .filter(|project| seen(&project.id).is_some())
        .take(6)
    {
        found.push(serde_json::json!({ "title": project.name, "place": "project", "href": format!("/projects/{}", project.slug) }));
    }
    if !words.is_empty() {
        let environments = catalog::store::all_environments(&mut db, console.seal_key()).await?;
        for secret in catalog::store::search(&mut db, &words, 60, console.seal_key()).await? {
            let Some(project) = seen(&secret.project_id) else { continue };
            let environment =
                environments.iter().find(|row| row.id == secret.environment_id).map_or("", |row| row.slug.as_str());
            let place = format!("{} / {environment}", project.slug);
            found.push(
                serde_json::json!({ "title": secret.path, "place": place, "href": format!("/secrets/{}", secret.id) }),
            );
            if found.len() >= 24 {
                break;
            }
        }
    }
    Ok(Json(found).into_response())
}
