//! What ends by its own date: a certificate at its notAfter, a role's password at `VALID UNTIL`. Those who own a value in use
//! are told two weeks before and when it has ended; one that is no longer in use is graded *expired* then, which is less than
//! proved: the date is the target's own, and nobody asked the target.
use super::{EXPIRE, cases, store};
use crate::{
    audit::event::{Event, Who},
    catalog::{self, Located},
    console::Console,
    db::Sql,
    jobs, notifications,
    vault::{self, store::Version},
};
use app::{
    audit::action::Action,
    error::Error,
    rotations::cases::End,
    time::{Moment, rfc3339},
};
use chrono::TimeDelta;

/// How many versions one round looks at.
const ROUND: u32 = 50;
/// When it is looked again at one that has ended and is still in use, or that a rotation is about.
const AGAIN: TimeDelta = TimeDelta::hours(1);

/// Looks at each version whose date comes near or has passed; how many there were.
pub async fn expire_due(console: &Console) -> Result<usize, Error> {
    let due = vault::store::looks(&mut console.read().await?, console.now(), EXPIRE, ROUND).await?;
    jobs::each(console, EXPIRE, due, 1, |console, item| async move { look(&console, &item).await }).await
}

async fn look(console: &Console, item: &str) -> Result<(), Error> {
    let named = item.split_once(':').and_then(|(secret, version)| Some((secret, version.parse().ok()?)));
    let (secret, version): (&str, i32) = named.ok_or(Error::NotFound)?;
    let due = vault::store::look_at(&mut console.read().await?, secret, version).await?;
    let Some(due) = due else { return Ok(()) };
    let next = look_at(console, secret, version, due).await?;
    let mut tx = console.ledger.housekeeping().await?;
    match next {
        Some(at) => vault::store::note_look(&mut tx, secret, version, at).await?,
        None => vault::store::forget_look(&mut tx, secret, version).await?,
    };
    tx.finish().await
}

/// When to look again; `None`: never.
async fn look_at(console: &Console, secret: &str, version: i32, due: Moment) -> Result<Option<Moment>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let Some(row) = vault::store::find(&mut db, secret, version).await? else { return Ok(None) };
    let located = Located::find(&mut db, secret, key).await?.ok_or(Error::NotFound)?;
    let Some(until) = row.valid_until else { return Ok(None) };
    // What is dead may turn out not to be: until its date it is looked at again then.
    if row.death.is_some() {
        return Ok((now < until).then_some(until));
    }
    let in_use = located.secret.current_version == Some(version);
    let rotates = of_rotation(&mut db, console, secret, version).await?;
    drop(db);
    if now < until {
        if in_use {
            tell_ahead(console, &located).await?;
        }
        return Ok(Some(until));
    }
    if in_use {
        // Said once; then it is looked whether another value has taken its place.
        if due <= until {
            tell_ended(console, &located, &row, until).await?;
        }
        return Ok(Some(now + AGAIN));
    }
    if rotates {
        return Ok(Some(now + AGAIN));
    }
    expire(console, &located, version, until).await
}

/// Is a rotation about this version? It grades it by itself.
async fn of_rotation(db: &mut impl Sql, console: &Console, secret: &str, version: i32) -> Result<bool, Error> {
    let open = store::open_of(db, secret, console.seal_key()).await?;
    Ok(open.is_some_and(|row| row.from_version == version || row.to_version == Some(version)))
}

async fn tell_ahead(console: &Console, located: &Located) -> Result<(), Error> {
    let mut tx = console.ledger.housekeeping().await?;
    let told = catalog::owners(console, &mut tx, &located.project.id, &located.secret.id).await?;
    let told = told.iter().map(String::as_str);
    notifications::tell(console, &mut tx, told, "secret.expires", &located.secret.id).await?;
    tx.finish().await
}

fn ended(located: &Located, version: i32, until: Moment, in_use: bool) -> Event {
    let mut on = located.subject();
    on.version = u32::try_from(version).ok();
    Event::new(Action::ExpireVersion)
        .on(on)
        .detail("valid_until", rfc3339(until))
        .detail("in_use", in_use)
        .private("path", located.secret.path.clone())
}

async fn tell_ended(console: &Console, located: &Located, row: &Version, until: Moment) -> Result<(), Error> {
    let mut tx = console.ledger.begin(&Who::system(EXPIRE)).await?;
    let told = catalog::owners(console, &mut tx, &located.project.id, &located.secret.id).await?;
    let told = told.iter().map(String::as_str);
    notifications::tell(console, &mut tx, told, "secret.expired", &located.secret.id).await?;
    tx.commit(vec![ended(located, row.version, until, true)]).await?;
    Ok(())
}

/// Grades a version that is no longer in use, and ends its cases, if nothing became of it meanwhile.
async fn expire(console: &Console, located: &Located, version: i32, until: Moment) -> Result<Option<Moment>, Error> {
    let (now, key, secret) = (console.now(), console.seal_key(), &located.secret.id);
    let mut tx = console.ledger.begin(&Who::system(EXPIRE)).await?;
    let locked = catalog::store::lock(&mut tx, secret, key).await?.ok_or(Error::NotFound)?;
    let row = vault::store::find(&mut tx, secret, version).await?.ok_or(Error::NotFound)?;
    let taken = locked.current_version == Some(version) || of_rotation(&mut tx, console, secret, version).await?;
    if taken || row.death.is_some() || row.valid_until != Some(until) {
        return Ok(Some(now + AGAIN));
    }
    let mut events = vec![ended(located, version, until, false)];
    events.extend(cases::end(console, &mut tx, located, version, End::Expired, until).await?);
    tx.commit(events).await?;
    Ok(None)
}
