//! Client secrets of production workloads: one person issues, another one confirms, and whoever issued counts as knowing what it opens.
use super::{
    situation,
    store::{self, Credential},
    subject,
};
use crate::{
    audit::{event::Event, ledger::Tx},
    catalog,
    console::Console,
    grants::{self, Holder},
    people,
    policies::Situation,
    vault,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::Error,
    policies::model::{Right, Tier},
};

/// How somebody knows what their client secret fetches: "who can fetch it".
const HOW: &str = "can fetch";

/// Does a new client secret of an environment of this level wait for a second person?
pub(super) fn needs_second(tier: Tier) -> bool {
    tier == Tier::Production
}

/// What a client secret that waits is about, and what policy is asked of whoever issued it.
pub(crate) async fn credential_situation(
    console: &Console,
    credential: &str,
    workload: &str,
    issuer: &str,
) -> Result<(Subject, Situation), Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let workload = store::find(&mut db, workload, key).await?.ok_or(Error::NotFound)?;
    let environment = catalog::store::find_environment(&mut db, &workload.environment_id, key).await?;
    let teams = people::store::memberships(&mut db, Some(issuer), now, key).await?;
    let of_its_team = teams.iter().any(|row| row.team_id == workload.team_id);
    let about = Subject { row: Some(credential.to_owned()), ..subject(&workload) };
    Ok((about, situation(environment.ok_or(Error::NotFound)?.tier(), of_its_team)))
}

/// It works from now on, within a change whose event the caller writes.
pub(crate) async fn confirm_credential(console: &Console, tx: &mut Tx, id: &str) -> Result<(), Error> {
    let row = store::find_credential(tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let row = Credential { confirmed_at: Some(console.now()), ..row };
    store::confirm_credential(tx, &row).await?;
    tx.seal(&row)?;
    works(console, tx, &row).await
}

/// A client secret works from now on: its issuer counts as knowing everything that it fetches.
pub(super) async fn works(console: &Console, tx: &mut Tx, row: &Credential) -> Result<(), Error> {
    let Some(issuer) = &row.issued_by else { return Ok(()) };
    let (now, key) = (console.now(), console.seal_key());
    for grant in grants::store::open_of(tx, Holder::Workload(&row.workload_id), now, key).await? {
        if grant.right() == Right::Read {
            learn(console, tx, issuer, &grant.secrets).await?;
        }
    }
    Ok(())
}

/// Somebody counts as knowing what is handed out of these secrets (ids with a space between).
async fn learn(console: &Console, tx: &mut Tx, person: &str, secrets: &str) -> Result<(), Error> {
    for secret in secrets.split(' ') {
        let found = catalog::store::find(tx, secret, console.seal_key()).await?;
        if let Some(version) = found.and_then(|secret| secret.current_version) {
            vault::store::learn(tx, secret, version, person, HOW, console.now()).await?;
        }
    }
    Ok(())
}

/// A version is handed out from now on: whoever issued a client secret that fetches it counts as knowing it.
pub(crate) async fn handed_out(console: &Console, tx: &mut Tx, secret: &str, version: i32) -> Result<(), Error> {
    let (now, key) = (console.now(), console.seal_key());
    for grant in grants::store::open_for(tx, secret, now, key).await? {
        let Some(workload) = grant.workload_id.as_deref().filter(|_| grant.right() == Right::Read) else {
            continue;
        };
        for row in store::credentials(tx, workload, key).await?.iter().filter(|row| row.works(now)) {
            if let Some(issuer) = &row.issued_by {
                vault::store::learn(tx, secret, version, issuer, HOW, now).await?;
            }
        }
    }
    Ok(())
}

/// A workload may fetch these secrets from now on: so may whoever issued its client secrets.
pub(crate) async fn widened(console: &Console, tx: &mut Tx, workload: &str, secrets: &str) -> Result<(), Error> {
    let now = console.now();
    for row in store::credentials(tx, workload, console.seal_key()).await?.iter().filter(|row| row.works(now)) {
        if let Some(issuer) = &row.issued_by {
            learn(console, tx, issuer, secrets).await?;
        }
    }
    Ok(())
}

/// Ends every client secret that somebody issued, and the tokens that came from them, within a change: they have seen them.
pub(crate) async fn end_credentials_of(console: &Console, tx: &mut Tx, person: &str) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut events = Vec::new();
    for row in store::issued_by(tx, person, now, key).await? {
        let Some(workload) = store::lock(tx, &row.workload_id, key).await? else { continue };
        if store::revoke_credential(tx, &row.id, now).await? == 0 {
            continue;
        }
        let id = row.id.clone();
        let about = Subject { row: Some(id.clone()), ..subject(&workload) };
        tx.seal(&Credential { revoked_at: Some(now), ..row })?;
        events.push(Event::new(Action::RevokeCredential).on(about));
        events.extend(super::revoke_tokens(console, tx, &workload, Some(&id)).await?);
    }
    Ok(events)
}
