//! Writing policies: drafts, proposing, coming into force, going out of it.
//!
//! ```text
//! draft ──propose──▶ change of control ──somebody else──▶ in force ──a newer version | removed──▶ superseded
//!   ▲                                                                                               │
//!   └──────────────────────────────── bring back as a draft ◀───────────────────────────────────────┘
//! ```
use super::{
    Engine, Principal, check,
    organisation::{Document, Organisation},
    store::{self, Draft, PolicyRow},
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
        row_seal::SealKey,
    },
    console::Console,
    controls::{self, Submitted},
    db::Sql,
    people::{self, Caller},
    policies::Situation,
    vault,
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::{Change, Control},
    error::{Conflict, Error, Refusal},
    id::PolicyId,
    people::model::slug,
    policies::document::{LONGEST, MOST_DOCUMENTS},
};

/// Learns what came into force since this process looked last.
pub async fn follow(engine: &Engine, db: &mut impl Sql, key: &SealKey) -> Result<(), Error> {
    let (epoch, levels) = store::epochs(db).await?;
    if engine.levels_epoch() != levels {
        engine.adopt_levels(levels, crate::levels::timeline(db, key).await?);
    }
    if engine.organisation().epoch == epoch {
        return Ok(());
    }
    let documents = store::in_force(db, key).await?.iter().map(PolicyRow::document).collect();
    let organisation = Organisation::new(documents, epoch).map_err(|error| {
        tracing::error!(%error, "policies that are in force cannot be read: nothing is decided");
        Error::Unavailable
    })?;
    engine.adopt(organisation);
    Ok(())
}

/// Learns the short names of projects and environments that this subject speaks of.
pub async fn learn_names(engine: &Engine, db: &mut impl Sql, subject: &Subject) -> Result<(), Error> {
    if !engine.knows(subject) {
        engine.name(store::short_names(db).await?);
    }
    Ok(())
}

fn about(policy: &str) -> Subject {
    Subject { row: Some(policy.into()), ..Subject::default() }
}

/// What somebody typed into the editor.
pub struct Typed<'a> {
    /// The short name; counts only for a new document.
    pub slug: &'a str,
    pub name: &'a str,
    pub text: &'a str,
    /// The revision that they had before them; 0 for a new draft.
    pub seen: i32,
}

/// Keeps a draft. It may have mistakes: it is proposed only without.
pub async fn save_draft(
    console: &Console,
    caller: &Caller,
    policy: Option<&str>,
    typed: Typed<'_>,
) -> Result<(String, Receipt), Error> {
    let id = match policy {
        Some(policy) => policy.to_owned(),
        None => console.id::<PolicyId>()?.to_string(),
    };
    let name = vault::name(console, "name", typed.name).await?;
    vault::without_secrets(console, "text", typed.text).await?;
    let (mut tx, event) = console.begin(caller, Action::SaveDraft, about(&id), Situation::default()).await?;
    let text = typed.text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(Error::invalid("text", "Write at least one rule, or begin from a template."));
    }
    if text.chars().count() > LONGEST {
        return Err(Error::invalid("text", "A document has at most 20,000 characters."));
    }
    let versions = store::lock_versions(&mut tx, &id, console.seal_key()).await?;
    let former = store::find_draft(&mut tx, &id).await?;
    let known = versions.first().map(|row| row.slug.clone()).or(former.as_ref().map(|draft| draft.slug.clone()));
    if policy.is_some() && known.is_none() {
        return Err(Error::NotFound);
    }
    let slug = match known {
        Some(slug) => slug,
        None => slug(typed.slug).map_err(|why| Error::invalid("slug", why))?,
    };
    let taken = store::in_force(&mut tx, console.seal_key()).await?;
    if taken.iter().any(|row| row.slug == slug && row.policy_id != id) {
        return Err(Error::invalid("slug", "Another policy has this short name."));
    }
    let draft = Draft {
        policy_id: id.clone(),
        slug,
        name,
        text,
        revision: typed.seen + 1,
        edited_by: caller.id().into(),
        edited_at: console.now(),
    };
    let kept = match former {
        Some(_) => store::save_draft(&mut tx, &draft).await?,
        None if typed.seen == 0 => store::insert_draft(&mut tx, &draft).await?,
        None => 0,
    };
    if kept == 0 {
        let field = if policy.is_some() { "text" } else { "slug" };
        let why = if policy.is_some() {
            "Somebody else saved this draft since you opened it. What you wrote is below, and not kept: open the policy in another tab, and take over what you need."
        } else {
            "Another draft has this short name."
        };
        return Err(Error::invalid(field, why));
    }
    let event = event.detail("revision", u64::try_from(draft.revision).unwrap_or_default()).private("name", draft.name);
    Ok((id, tx.commit(vec![event]).await?))
}

pub async fn discard_draft(console: &Console, caller: &Caller, policy: &str) -> Result<Receipt, Error> {
    let (mut tx, event) = console.begin(caller, Action::DiscardDraft, about(policy), Situation::default()).await?;
    if store::remove_draft(&mut tx, policy).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    tx.commit(vec![event]).await
}

/// Proposes the draft. It comes into force when somebody else confirms it.
pub async fn propose(console: &Console, caller: &Caller, policy: &str, seen: i32) -> Result<Submitted, Error> {
    let draft = store::find_draft(&mut console.read().await?, policy).await?.ok_or(Error::NotFound)?;
    if draft.revision != seen {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    let change = Change::SetPolicy { policy: policy.into(), slug: draft.slug, name: draft.name, text: draft.text };
    controls::submit(console, caller, change).await
}

pub async fn remove(console: &Console, caller: &Caller, policy: &str) -> Result<Submitted, Error> {
    controls::submit(console, caller, Change::RemovePolicy { policy: policy.into() }).await
}

/// How a policy stands, and how it would stand with a change; an error where that is not possible.
pub(crate) async fn outlook(
    console: &Console,
    tx: &mut Tx,
    policy: &str,
    wanted: Option<(&str, &str, &str)>,
) -> Result<(Option<Control>, Option<Control>), Error> {
    let key = console.seal_key();
    // Whether anybody still administers depends on all of them together: no two are judged at once.
    tx.take_turn("policies").await?;
    let versions = store::lock_versions(tx, policy, key).await?;
    let present = versions.first().filter(|row| row.valid_to.is_none());
    let before = present.map(|row| Control::Policy { name: row.name.clone(), text: row.text.clone() });
    let after = wanted.map(|(_, name, text)| Control::Policy { name: name.into(), text: text.into() });
    if before == after {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let in_force = store::in_force(tx, key).await?;
    if let Some((slug, _, text)) = wanted {
        if let Some(first) = check::mistakes_aside(&console.engine, text).await?.first() {
            let why = format!("Line {}, column {}: {}", first.line, first.column, first.message);
            return Err(Error::invalid("text", why));
        }
        if in_force.iter().any(|row| row.slug == slug && row.policy_id != policy) {
            return Err(Error::invalid("slug", "Another policy has this short name."));
        }
        if present.is_none() && in_force.len() >= MOST_DOCUMENTS {
            return Err(Error::invalid("text", "A thousand policies are in force. Remove one first."));
        }
    }
    let others = in_force.iter().filter(|row| row.policy_id != policy).map(PolicyRow::document);
    let next = wanted.map(|(slug, _, text)| document(policy, slug, next_version(&versions), text));
    let with = Organisation::new(others.chain(next).collect(), 0).map_err(|error| {
        tracing::error!(%error, "a policy that was checked cannot be read");
        Error::Unavailable
    })?;
    let administrators = administrators(console, tx).await?;
    if check::locks_out(&console.engine, &with, &administrators, console.now()) {
        return Err(Error::Refused(Refusal::LocksOut));
    }
    Ok((before, after))
}

pub fn document(policy: &str, slug: &str, version: i32, text: &str) -> Document {
    Document {
        id: policy.into(),
        slug: slug.into(),
        version: u32::try_from(version).unwrap_or_default(),
        text: text.into(),
    }
}

fn next_version(versions: &[PolicyRow]) -> i32 {
    versions.first().map_or(1, |row| row.version + 1)
}

/// Everybody who keeps policies right: administrators and security, as the engine knows them.
async fn administrators(console: &Console, db: &mut impl Sql) -> Result<Vec<Principal>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut found = Vec::new();
    for id in people::overseers(console, db).await? {
        let active = people::store::find(db, &id, key).await?.is_some_and(|person| person.is_active());
        if active && found.len() < 50 {
            let roles = people::store::roles_of(db, &id, now, key).await?;
            let factor = people::factors::has_factor(db, &id, key).await?;
            found.push(Principal {
                factor,
                proved: true,
                method: people::PASSWORD,
                ..people::principal(&id, &roles, None)
            });
        }
    }
    Ok(found)
}

/// Brings a policy into force within a change.
pub(crate) async fn set(
    console: &Console,
    tx: &mut Tx,
    by: &str,
    policy: &str,
    (slug, name, text): (&str, &str, &str),
    event: Event,
) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let versions = store::lock_versions(tx, policy, console.seal_key()).await?;
    let row = PolicyRow {
        id: console.id::<PolicyId>()?.to_string(),
        policy_id: policy.into(),
        slug: slug.into(),
        version: next_version(&versions),
        name: name.into(),
        text: text.into(),
        set_by: by.into(),
        valid_from: now,
        valid_to: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let mut superseded = Vec::new();
    if let Some(former) = versions.into_iter().find(|row| row.valid_to.is_none()) {
        superseded.push(end(tx, former, now).await?);
    }
    store::insert(tx, &row).await?;
    tx.seal(&row)?;
    if store::find_draft(tx, policy).await?.is_some_and(|draft| draft.text == text && draft.name == name) {
        store::remove_draft(tx, policy).await?;
    }
    let event = event.on(about(&row.id)).detail("policy", policy).detail("version", row.version as u64);
    Ok(std::iter::once(event.private("name", name)).chain(superseded).collect())
}

async fn end(tx: &mut Tx, row: PolicyRow, now: app::time::Moment) -> Result<Event, Error> {
    store::close(tx, &row.id, now).await?;
    let row = PolicyRow { valid_to: Some(now), ..row };
    tx.seal(&row)?;
    let event = Event::new(Action::RemovePolicy).on(about(&row.id)).detail("policy", row.policy_id.clone());
    Ok(event.detail("version", row.version as u64))
}

/// Takes a policy out of force within a change.
pub(crate) async fn take(console: &Console, tx: &mut Tx, policy: &str, event: Event) -> Result<Vec<Event>, Error> {
    let versions = store::lock_versions(tx, policy, console.seal_key()).await?;
    let former = versions.into_iter().find(|row| row.valid_to.is_none()).ok_or(Error::NotFound)?;
    let ended = end(tx, former, console.now()).await?;
    let mut detail = ended.detail;
    detail.extend(event.detail);
    Ok(vec![Event { subject: ended.subject, detail, ..event }])
}
