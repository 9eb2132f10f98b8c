//! Queries that somebody keeps: for themselves, or for a team of theirs. A view opens nothing: whoever follows it reads as
//! much of the trail as they may.
pub mod store;

use self::store::SavedView;
use crate::{audit::ledger::Receipt, console::Console, db::Sql, people::Caller, policies::Situation};
use app::{
    audit::{action::Action, leaf::Subject, query::Query},
    error::{Error, Refusal},
    id::ViewId,
};

/// How many views one person keeps.
const MOST: i64 = 100;

/// The views that a caller is shown.
pub async fn visible(db: &mut impl Sql, caller: &Caller) -> Result<Vec<SavedView>, Error> {
    let all = store::list(db, caller.id()).await?;
    Ok(all.into_iter().filter(|view| may_use(caller, view)).collect())
}

fn may_use(caller: &Caller, view: &SavedView) -> bool {
    match &view.team_id {
        Some(team) => caller.teams.contains(team),
        None => view.owner_id == caller.id(),
    }
}

fn own() -> Situation {
    Situation { own: true, ..Situation::default() }
}

/// Keeps a query under a name.
pub async fn save_view(
    console: &Console,
    caller: &Caller,
    name: &str,
    query: &str,
    team: Option<&str>,
) -> Result<Receipt, Error> {
    let name = crate::vault::line(console, "name", name, 80).await?;
    if name.is_empty() || name.contains('\n') {
        return Err(Error::invalid("name", "A name of one line."));
    }
    let query = Query::parse(query).map_err(|mistake| Error::invalid("q", mistake.to_string()))?;
    crate::vault::without_secrets(console, "q", &query.to_string()).await?;
    if query.is_empty() {
        return Err(Error::invalid("q", "There is nothing to keep: the query is empty."));
    }
    if team.is_some_and(|team| !caller.teams.iter().any(|own| own == team)) {
        return Err(Error::invalid("team", "Choose a team that you belong to."));
    }
    let view = SavedView {
        id: console.id::<ViewId>()?.to_string(),
        owner_id: caller.id().into(),
        team_id: team.map(Into::into),
        name,
        query: query.to_string(),
        created_at: console.now(),
    };
    let subject = Subject { row: Some(view.id.clone()), team: view.team_id.clone(), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::SaveView, subject, own()).await?;
    if store::count_of(&mut tx, caller.id()).await? >= MOST {
        return Err(Error::invalid("name", "You keep 100 views. Remove one first."));
    }
    store::insert(&mut tx, &view).await?;
    tx.commit(vec![event.private("name", view.name).private("query", view.query)]).await
}

/// Removes a view: one's own, or one of a team that one belongs to.
pub async fn remove_view(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let view = store::find(&mut console.read().await?, id).await?.ok_or(Error::NotFound)?;
    let subject = Subject { row: Some(view.id.clone()), team: view.team_id.clone(), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::RemoveView, subject, own()).await?;
    if !may_use(caller, &view) {
        return Err(tx.refuse(event, Refusal::NotYours).await);
    }
    if store::delete(&mut tx, id).await? == 0 {
        return Err(Error::NotFound);
    }
    tx.commit(vec![event.private("name", view.name).private("query", view.query)]).await
}
