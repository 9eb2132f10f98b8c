//! Workloads.
use super::{
    Problem,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    catalog,
    grants::{self, Holder},
    people,
    workloads::{self, store},
};
use app::{
    audit::action::Action,
    error::Error,
    ui::Form,
    workloads::page::{self, CredentialLine, GrantLine, Line, WorkloadView},
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

/// Environments of projects that this caller leads, as choices.
async fn led(signed: &Signed) -> Result<Vec<(String, String)>, Error> {
    let console = signed.console();
    let mut db = console.read().await?;
    let mut found = Vec::new();
    for project in catalog::store::projects(&mut db).await? {
        let may = |tier| {
            let situation = workloads::situation(tier, false);
            console.would(&signed.caller, Action::CreateWorkload, Some(&project.id), situation).is_none()
        };
        let rows = catalog::store::environments(&mut db, &project.id, console.seal_key()).await?;
        let rows = rows.into_iter().filter(|row| may(row.tier()));
        found.extend(rows.map(|row| (row.id, format!("{} / {}", project.name, row.slug))));
    }
    Ok(found)
}

pub async fn workloads(signed: Signed) -> Answer {
    signed.sees_now()?;
    let console = signed.console();
    let shell = signed.shell("/workloads").await?;
    let may_create = !led(&signed).await?.is_empty();
    let mut db = console.read().await?;
    let mut names = Names::default();
    let mut lines = Vec::new();
    for row in store::list(&mut db, console.seal_key()).await? {
        let project = catalog::store::find_project(&mut db, &row.project_id).await?;
        let Some(project) = project.filter(|project| catalog::sees(console, &signed.caller, project)) else { continue };
        let environment = catalog::store::find_environment(&mut db, &row.environment_id, console.seal_key()).await?;
        let held =
            grants::store::active_of(&mut db, Holder::Workload(&row.id), console.now(), console.seal_key()).await?;
        lines.push(Line {
            team: names.team(&mut db, &row.team_id).await?,
            id: row.id,
            name: row.name,
            project: project.name,
            tier: environment.ok_or(Error::Unavailable)?.tier(),
            grants: held.len(),
            disabled: row.disabled_at.is_some(),
        });
    }
    Ok(shown(page::workloads(&shell, lines, may_create)))
}

pub async fn new_workload(signed: Signed) -> Answer {
    Ok(shown(new_page(&signed, &Form::default()).await?))
}

async fn new_page(signed: &Signed, form: &Form) -> Result<String, Error> {
    let shell = signed.shell("/workloads").await?;
    let environments = led(signed).await?;
    if environments.is_empty() {
        return Err(Error::Refused(app::error::Refusal::NoRule));
    }
    let teams = people::store::teams(&mut signed.console().read().await?).await?;
    let teams = teams.into_iter().map(|team| (team.id, team.name)).collect();
    Ok(page::new_workload(&shell, environments, teams, form))
}

pub async fn create(signed: Signed, fields: Fields) -> Answer {
    let console = signed.console();
    let made = async {
        let mut db = console.read().await?;
        let environment =
            catalog::store::find_environment(&mut db, fields.get("environment"), console.seal_key()).await?;
        let environment = environment.ok_or_else(|| Error::invalid("environment", "Choose an environment."))?;
        let project = catalog::store::find_project(&mut db, &environment.project_id).await?.ok_or(Error::NotFound)?;
        drop(db);
        let (slug, name, team) = (fields.get("slug"), fields.get("name"), fields.get("team"));
        workloads::create_workload(console, &signed.caller, &project, &environment, slug, name, team).await
    };
    match made.await {
        Ok((id, receipt)) => Ok(done(&format!("/workloads/{id}"), Action::CreateWorkload, receipt)),
        Err(error) => Ok(mistaken(new_page(&signed, &fields.again(error, &[])?).await?)),
    }
}

pub async fn workload(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.sees_now()?;
    Ok(shown(workload_page(&signed, &id, &Form::default()).await?))
}

async fn workload_page(signed: &Signed, id: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let shell = signed.shell("/workloads").await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let row = store::find(&mut db, id, key).await?.ok_or(Error::NotFound)?;
    let project = catalog::store::find_project(&mut db, &row.project_id).await?.ok_or(Error::NotFound)?;
    let project = catalog::visible_project(console, &mut db, &signed.caller, &project.slug).await?;
    let environment =
        catalog::store::find_environment(&mut db, &row.environment_id, key).await?.ok_or(Error::NotFound)?;
    let credentials = store::credentials(&mut db, id, key).await?;
    let tokens = store::open_tokens(&mut db, id, now, key).await?.len();
    let mut held = Vec::new();
    for grant in grants::store::active_of(&mut db, Holder::Workload(id), now, key).await? {
        let mut paths = Vec::new();
        for secret in grant.secrets.split(' ').take(10) {
            paths.extend(catalog::store::find(&mut db, secret, key).await?.map(|secret| secret.path));
        }
        held.push(GrantLine { request: grant.request_id, paths, until: grant.expires_at });
    }
    let situation = workloads::situation(environment.tier(), signed.caller.teams.contains(&row.team_id));
    let would = |action| console.would(&signed.caller, action, Some(&project.id), situation);
    let view = WorkloadView {
        team: Names::default().team(&mut db, &row.team_id).await?,
        issue: would(Action::IssueCredential),
        revoke: would(Action::RevokeCredential),
        disable: would(Action::DisableWorkload),
        id: row.id,
        name: row.name,
        slug: row.slug,
        project: (project.slug, project.name),
        tier: environment.tier(),
        environment: environment.slug,
        disabled: row.disabled_at.is_some(),
        tokens,
        credentials: credentials
            .into_iter()
            .map(|row| CredentialLine {
                waits: row.waits(),
                id: row.id,
                created_at: row.created_at,
                expires_at: row.expires_at,
                revoked: row.revoked_at.is_some(),
            })
            .collect(),
        grants: held,
    };
    Ok(page::workload(&shell, view, form))
}

pub async fn issue_credential(signed: Signed, Path(id): Path<String>, fields: Fields) -> Answer {
    let console = signed.console();
    let issued = async {
        let life = chrono::TimeDelta::try_days(fields.number("days")?).unwrap_or_default();
        workloads::issue_credential(console, &signed.caller, &id, life).await
    };
    match issued.await {
        Ok(made) => {
            let shell = signed.shell("/workloads").await?;
            let row = store::find(&mut console.read().await?, &id, console.seal_key()).await?.ok_or(Error::NotFound)?;
            Ok(shown(page::credential_made(&shell, &row.name, &id, &made.secret, made.waits_for.as_deref())))
        }
        Err(error) => Ok(mistaken(workload_page(&signed, &id, &fields.again(error, &[])?).await?)),
    }
}

pub async fn disable(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = workloads::disable_workload(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/workloads/{id}"), Action::DisableWorkload, receipt))
}

pub async fn revoke_credential(signed: Signed, Path(id): Path<String>) -> Answer {
    let (receipt, workload) = workloads::revoke_credential(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/workloads/{workload}"), Action::RevokeCredential, receipt))
}
