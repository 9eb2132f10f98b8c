//! Making, editing, moving and archiving secrets. None of it reads a value.
use super::{
    Located,
    store::{self, Environment, Project, Secret},
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    console::Console,
    controls::{self, Submitted},
    grants,
    people::Caller,
    policies::Situation,
    requests,
    vault::{self, envelope::rewrap, key_of, place},
};
use app::{
    audit::{action::Action, leaf::Subject},
    catalog::model::{self, Kind},
    controls::model::Change,
    error::{Conflict, Error},
    id::SecretId,
    people::model as text,
    policies::model::{Class, Tier},
};

/// What a new secret is.
#[derive(Clone, Debug)]
pub struct NewSecret<'a> {
    pub path: &'a str,
    pub kind: Kind,
    pub class: Class,
    pub description: &'a str,
    pub team: &'a str,
}

pub(super) fn row(console: &Console, environment: &Environment, new: &NewSecret<'_>) -> Result<Secret, Error> {
    let path = model::path(new.path).map_err(|why| Error::invalid("path", why))?;
    Ok(Secret {
        id: console.id::<SecretId>()?.to_string(),
        project_id: environment.project_id.clone(),
        environment_id: environment.id.clone(),
        folded: model::folded(&path),
        path,
        kind: new.kind.into(),
        class: new.class.into(),
        description: text::line(new.description, 500).map_err(|why| Error::invalid("description", why))?,
        team_id: new.team.into(),
        current_version: None,
        latest_version: 0,
        created_at: console.now(),
        archived_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    })
}

/// A secret with nothing in it yet.
pub async fn create_secret(
    console: &Console,
    caller: &Caller,
    project: &Project,
    environment: &Environment,
    new: NewSecret<'_>,
) -> Result<(String, Receipt), Error> {
    vault::line(console, "description", new.description, 500).await?;
    let secret = row(console, environment, &new)?;
    let located = Located { project: project.clone(), environment: environment.clone(), secret };
    let situation = super::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::CreateSecret, located.subject(), situation).await?;
    if store::insert(&mut tx, &located.secret).await? == 0 {
        return Err(Error::invalid("path", "There is a secret at this path already, or was one that is archived."));
    }
    tx.seal(&located.secret)?;
    let event = event.detail("kind", new.kind.code()).detail("class", new.class.code());
    let receipt = tx.commit(vec![event.private("path", located.secret.path.clone())]).await?;
    Ok((located.secret.id, receipt))
}

/// Changes description and class, if nobody changed the secret since the form was drawn (`seen` is its event).
pub async fn edit_secret(
    console: &Console,
    caller: &Caller,
    id: &str,
    seen: i64,
    description: &str,
    class: Class,
) -> Result<Submitted, Error> {
    let description = vault::line(console, "description", description, 500).await?;
    let located = Located::visible(console, &mut console.read().await?, caller, id).await?;
    if class < located.secret.class() && located.environment.tier() == Tier::Production {
        return lower_class(console, caller, &located, seen, &description, class).await;
    }
    let loosens = class < located.secret.class();
    let situation = Situation { loosens, ..super::secret_situation(&located) };
    let (mut tx, event) = console.begin(caller, Action::EditSecret, located.subject(), situation).await?;
    let secret = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let lowers = class < secret.class() && located.environment.tier() == Tier::Production;
    if secret.event_seq != seen || lowers {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    let event = event.detail("class_before", secret.class().code()).detail("class", class.code());
    let event = event.private("path", secret.path.clone()).private("description", description.clone());
    let is_other = secret.description != description || secret.class() != class;
    let secret = Secret { description, class: class.into(), ..secret };
    store::save(&mut tx, &secret).await?;
    tx.seal(&secret)?;
    let mut events = vec![event];
    if is_other {
        events.extend(requests::void_requests_for(console, &mut tx, id, "secret_changed").await?);
    }
    Ok(Submitted::Done(tx.commit(events).await?))
}

/// It loosens what is asked of whoever wants the secret: somebody else confirms it, and it alone.
async fn lower_class(
    console: &Console,
    caller: &Caller,
    located: &Located,
    seen: i64,
    description: &str,
    class: Class,
) -> Result<Submitted, Error> {
    // Whether they may at all comes before what is wrong with how they ask.
    let (principal, situation) = (caller.principal(Some(&located.project.id)), super::secret_situation(located));
    console.permit(&caller.who, &principal, Action::EditSecret, located.subject(), situation).await?;
    if located.secret.event_seq != seen {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    if located.secret.description != description {
        return Err(Error::invalid("description", "Change this by itself: the lower class waits for somebody else."));
    }
    controls::submit(console, caller, Change::SetClass { secret: located.secret.id.clone(), class }).await
}

/// Another class within a change: what the event is about, the class before, and the ends of requests that were for the former one.
pub(crate) async fn set_class(
    console: &Console,
    tx: &mut Tx,
    id: &str,
    class: Class,
) -> Result<(Subject, Class, Vec<Event>), Error> {
    let located = Located::find(tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let (subject, before) = (located.subject(), located.secret.class());
    let secret = Secret { class: class.into(), ..located.secret };
    store::save(tx, &secret).await?;
    tx.seal(&secret)?;
    let voided = requests::void_requests_for(console, tx, id, "secret_changed").await?;
    Ok((subject, before, voided))
}

/// Moves a secret to another path of its environment: every data key is wrapped anew, a sign stays at the old place.
pub async fn move_secret(console: &Console, caller: &Caller, id: &str, path: &str) -> Result<Receipt, Error> {
    let path = model::path(path).map_err(|why| Error::invalid("path", why))?;
    let located = Located::visible(console, &mut console.read().await?, caller, id).await?;
    let situation = super::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::MoveSecret, located.subject(), situation).await?;
    let secret = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let folded = model::folded(&path);
    if store::find_at(&mut tx, &secret.environment_id, &folded, console.seal_key())
        .await?
        .is_some_and(|there| there.id != id)
    {
        return Err(Error::invalid("path", "There is a secret at this path already."));
    }
    let from = place(console, &Located { secret: secret.clone(), ..located.clone() });
    let to = vault::envelope::Place { path: path.clone(), ..from.clone() };
    for (version, stored) in vault::store::all_sealed(&mut tx, id).await? {
        let kek = key_of(console, &mut tx, &secret.environment_id, stored.generation).await?;
        let moved = rewrap(&from, &to, version as u32, &kek, &stored, (stored.generation, &kek));
        let moved = moved.map_err(|error| {
            tracing::error!(%error, secret = id, version, "a version could not be moved");
            Error::Unavailable
        })?;
        vault::store::save_data_key(&mut tx, id, version, &moved).await?;
    }
    store::insert_move(&mut tx, &secret.environment_id, &secret.folded, id, console.now()).await?;
    let event = event.private("path_before", secret.path.clone()).private("path", path.clone());
    let secret = Secret { path, folded, ..secret };
    store::save(&mut tx, &secret).await?;
    tx.seal(&secret)?;
    let mut events = vec![event];
    // Whoever approves read the former place.
    events.extend(requests::void_requests_for(console, &mut tx, id, "secret_moved").await?);
    tx.commit(events).await
}

/// Takes a secret out of use: grants on it end, requests for it lose their effect. Values stay, sealed.
pub async fn archive_secret(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let located = Located::visible(console, &mut console.read().await?, caller, id).await?;
    let situation = super::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::ArchiveSecret, located.subject(), situation).await?;
    let secret = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if secret.archived_at.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let secret = Secret { archived_at: Some(console.now()), ..secret };
    store::save(&mut tx, &secret).await?;
    tx.seal(&secret)?;
    let mut events = vec![event.private("path", secret.path.clone())];
    events.extend(requests::void_requests_for(console, &mut tx, id, "secret_archived").await?);
    events.extend(grants::revoke_grants_on(console, &mut tx, id, caller.id()).await?);
    tx.commit(events).await
}
