//! Notices: written in the same change as what they tell of, read in the console.
pub mod store;

use crate::{console::Console, db::Sql};
use app::{error::Error, id::NoticeId};

/// Tells some people that something happened to `subject`.
pub async fn tell(
    console: &Console,
    tx: &mut impl Sql,
    people: impl IntoIterator<Item = &str>,
    kind: &str,
    subject: &str,
) -> Result<(), Error> {
    for person in people {
        let id = console.id::<NoticeId>()?.to_string();
        store::insert(tx, &id, person, kind, subject, console.now()).await?;
    }
    Ok(())
}

/// Marks everything as read that one person had seen up to now.
pub async fn mark_read(console: &Console, person: &str) -> Result<(), Error> {
    let mut tx = console.ledger.housekeeping().await?;
    store::mark_read(&mut tx, person, console.now()).await?;
    tx.finish().await
}
