//! Who left: every value that still works and that they know gets a case that counts from then, whether or not anybody looks at the
//! list; and somebody who does takes it up.
use super::{about, fresh, hasten_open, rotations, store, store::Case, subject};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Receipt, Tx},
    },
    catalog::{self, Located},
    console::Console,
    db::Sql,
    jobs,
    people::{self, Caller},
    rotations::OPEN_LEAVERS,
    vault,
};
use app::{
    audit::action::Action,
    error::{Conflict, Error},
    rotations::model::Trigger,
    time::Moment,
};

/// How many people one round looks at.
const ROUND: u32 = 10;

/// Opens the cases of those who left since; how many people were looked through.
pub async fn open_leavers(console: &Console) -> Result<usize, Error> {
    let left = rotations::leavers(&mut console.read().await?, console.now(), ROUND).await?;
    jobs::each(console, OPEN_LEAVERS, left, 1, |console, person| async move { open_known(&console, &person).await })
        .await
}

async fn open_known(console: &Console, person: &str) -> Result<(), Error> {
    let mut db = console.read().await?;
    let Some(left_at) = rotations::left_at(&mut db, person).await? else { return Ok(()) };
    let row = people::store::find(&mut db, person, console.seal_key()).await?;
    // Somebody may have opened the account again.
    let is_gone = row.ok_or(Error::NotFound)?.disabled_at == Some(left_at);
    let known = if is_gone { vault::store::working_known_to(&mut db, person).await? } else { Vec::new() };
    drop(db);
    let mut failed = None;
    for (secret, version) in known {
        // A secret that cannot be read keeps no other from its case; until it has one, it is tried again.
        failed = open_one(console, &secret, version, person, left_at).await.err().or(failed);
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let mut tx = console.ledger.housekeeping().await?;
    rotations::forget_leaver(&mut tx, person, left_at).await?;
    tx.finish().await
}

async fn open_one(console: &Console, secret: &str, version: i32, person: &str, left_at: Moment) -> Result<(), Error> {
    let located = Located::find(&mut console.read().await?, secret, console.seal_key()).await?;
    let located = located.ok_or(Error::NotFound)?;
    let mut tx = console.ledger.begin(&Who::system(OPEN_LEAVERS)).await?;
    catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let works = vault::store::find(&mut tx, secret, version).await?.is_some_and(|row| row.death.is_none());
    if works && let Some(event) = open_left(console, &mut tx, &located, version, person, left_at).await? {
        tx.commit(vec![event]).await?;
    }
    Ok(())
}

/// Opens the case of a value that somebody who left knows, unless one is open; it counts from when they left.
async fn open_left(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    version: i32,
    person: &str,
    left_at: Moment,
) -> Result<Option<Event>, Error> {
    if open_of_leaver(console, tx, &located.secret.id, version).await?.is_some() {
        return Ok(None);
    }
    let case = Case { suspect: Some(person.into()), ..fresh(console, located, Trigger::Leaver, version, left_at)? };
    store::insert(tx, &case).await?;
    tx.seal(&case)?;
    Ok(Some(about(console, Action::OpenCase, located, &case)))
}

async fn open_of_leaver(
    console: &Console,
    db: &mut impl Sql,
    secret: &str,
    version: i32,
) -> Result<Option<Case>, Error> {
    let known = store::of_version(db, secret, version, console.seal_key()).await?;
    Ok(known.into_iter().find(|case| case.ended_at.is_none() && case.trigger() == Trigger::Leaver))
}

/// Opens the case of a value that somebody who left knows, or takes up the one that is open, with what was chosen for it.
pub async fn take_up_leaver(
    console: &Console,
    caller: &Caller,
    secret: &str,
    version: i32,
    left: (&str, Moment),
    cut_off: bool,
) -> Result<(String, Receipt), Error> {
    let (person, left_at) = left;
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let known = open_of_leaver(console, &mut db, secret, version).await?;
    drop(db);
    let fresh = fresh(console, &located, Trigger::Leaver, version, left_at)?;
    let id = known.map_or(fresh.id.clone(), |case| case.id);
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::ContainCase, subject(&located, &id), situation).await?;
    catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let locked = open_of_leaver(console, &mut tx, secret, version).await?;
    if locked.as_ref().is_some_and(|case| case.contained_at.is_some() || case.id != id) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let chosen = |case: Case| Case {
        cut_off,
        contained_at: Some(console.now()),
        contained_by: Some(caller.id().into()),
        ..case
    };
    let choice = if cut_off { "cut off now" } else { "no downtime" };
    let mut events = vec![event.detail("choice", choice).private("path", located.secret.path.clone())];
    let case = match locked {
        Some(case) => {
            let case = chosen(case);
            store::save(&mut tx, &case).await?;
            case
        }
        None => {
            let (by, suspect) = (Some(caller.id().into()), Some(person.into()));
            let case = chosen(Case { id, opened_by: by, suspect, ..fresh });
            store::insert(&mut tx, &case).await?;
            events.push(about(console, Action::OpenCase, &located, &case));
            case
        }
    };
    tx.seal(&case)?;
    hasten_open(console, &mut tx, &located, &case, &mut events).await?;
    rotations::note_due(&mut tx, secret, console.now()).await?;
    Ok((case.id, tx.commit(events).await?))
}
