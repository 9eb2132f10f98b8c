//! How long somebody would hold a secret in one piece: access that overlaps or touches is one, however it was asked for.
use crate::{
    console::Console,
    db::Sql,
    grants::{self, Holder},
};
use app::{error::Error, grants::model::joined, policies::model::Right, time::Moment};
use chrono::TimeDelta;

/// Grants that are looked at for one secret, the newest: a piece of more is longer than any level allows.
const LATEST: u32 = 500;

/// The longest piece, over these secrets, that access of so many minutes would be part of. It begins now, or later.
pub(super) async fn longest(
    console: &Console,
    db: &mut impl Sql,
    holder: Holder<'_>,
    secrets: &[&str],
    right: Right,
    starts_at: Option<Moment>,
    minutes: i64,
) -> Result<TimeDelta, Error> {
    let now = console.now();
    let from = starts_at.filter(|at| *at > now).unwrap_or(now);
    let wanted = (from, from + TimeDelta::minutes(minutes));
    let mut longest = wanted.1 - wanted.0;
    for secret in secrets {
        let held = grants::store::ever_on(db, holder, secret, LATEST, console.seal_key()).await?;
        let held = held.iter().filter(|grant| grant.right() == right);
        let held: Vec<(Moment, Moment)> = held.filter_map(grants::store::Grant::held).collect();
        let (first, last) = joined(&held, wanted);
        longest = longest.max(last - first);
    }
    Ok(longest)
}
