//! My access; giving back and revoking.
use super::{
    Problem,
    visitor::{Signed, done, shown},
};
use crate::{
    catalog,
    grants::{self, Holder, store::Grant},
};
use app::{
    audit::action::Action,
    error::Error,
    grants::{
        model::State,
        page::{self, Line},
    },
};
use axum::{extract::Path, response::Response};

type Answer = Result<Response, Problem>;

async fn line(signed: &Signed, grant: Grant) -> Result<Line, Error> {
    let console = signed.console();
    let mut db = console.read().await?;
    let project = catalog::store::find_project(&mut db, &grant.project_id).await?.ok_or(Error::Unavailable)?;
    let environment = catalog::store::find_environment(&mut db, &grant.environment_id, console.seal_key()).await?;
    let mut secrets = Vec::new();
    for id in grant.secrets.split(' ') {
        if let Some(secret) = catalog::store::find(&mut db, id, console.seal_key()).await? {
            secrets.push((secret.id, secret.path));
        }
    }
    Ok(Line {
        state: grant.state(console.now()),
        right: grant.right(),
        id: grant.id,
        request: grant.request_id,
        project: project.name,
        tier: environment.ok_or(Error::Unavailable)?.tier(),
        secrets,
        expires_at: grant.expires_at,
    })
}

pub async fn access(signed: Signed) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/access").await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let active = grants::store::active_of(&mut db, Holder::Person(signed.caller.id()), now, key).await?;
    let history = grants::store::history_of(&mut db, signed.caller.id(), 60, key).await?;
    drop(db);
    let (mut held, mut past) = (Vec::new(), Vec::new());
    for grant in active {
        held.push(line(&signed, grant).await?);
    }
    for grant in history.into_iter().filter(|grant| !matches!(grant.state(now), State::Active)) {
        past.push(line(&signed, grant).await?);
    }
    Ok(shown(page::access(&shell, held, past)))
}

pub async fn give_back(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = grants::give_back_grant(signed.console(), &signed.caller, &id).await?;
    Ok(done("/access", Action::GiveBackGrant, receipt))
}

pub async fn resume(signed: Signed, Path(id): Path<String>) -> Answer {
    let (receipt, grant) = grants::resume_grant(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/requests/{}", grant.request_id), Action::ResumeGrant, receipt))
}

pub async fn revoke(signed: Signed, Path(id): Path<String>) -> Answer {
    let (receipt, grant) = grants::revoke_grant(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/requests/{}", grant.request_id), Action::RevokeGrant, receipt))
}
