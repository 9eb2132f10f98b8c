//! Who left: every value in use that they know gets a case that counts from then, whether or not anybody looks at the list.
use super::{cases, store};
use crate::{
    audit::event::Who,
    catalog::{self, Located},
    console::Console,
    people, vault,
};
use app::error::Error;

/// How many people one round looks at.
const ROUND: u32 = 10;

/// Opens the cases of those who left since; how many people were looked at.
pub async fn open_leavers(console: &Console) -> Result<usize, Error> {
    let left = store::leavers(&mut console.read().await?, ROUND).await?;
    let looked_at = left.len();
    for (person, left_at) in left {
        let mut db = console.read().await?;
        let row = people::store::find(&mut db, &person, console.seal_key()).await?;
        // Somebody may have opened the account again.
        let is_gone = row.is_some_and(|row| row.disabled_at == Some(left_at));
        let known = if is_gone { vault::store::known_to(&mut db, &person).await? } else { Vec::new() };
        drop(db);
        for secret in known {
            open_one(console, &secret, &person, left_at).await?;
        }
        let mut tx = console.ledger.housekeeping().await?;
        store::forget_leaver(&mut tx, &person, left_at).await?;
        tx.finish().await?;
    }
    Ok(looked_at)
}

async fn open_one(console: &Console, secret: &str, person: &str, left_at: app::time::Moment) -> Result<(), Error> {
    let key = console.seal_key();
    let located = Located::find(&mut console.read().await?, secret, key).await?;
    let Some(located) = located else { return Ok(()) };
    let mut tx = console.ledger.begin(&Who::system("open-leaver-cases")).await?;
    let locked = catalog::store::lock(&mut tx, secret, key).await?.ok_or(Error::NotFound)?;
    let Some(version) = locked.current_version else { return Ok(()) };
    let knows = vault::store::knowing(&mut tx, secret).await?;
    if !knows.iter().any(|row| row.person_id == person && row.version == version) {
        return Ok(());
    }
    if let Some(event) = cases::open_left(console, &mut tx, &located, version, person, left_at).await? {
        tx.commit(vec![event]).await?;
    }
    Ok(())
}
