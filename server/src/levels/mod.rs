//! Protection levels: set by administrators through `controls`, followed by every replica at each request. Rules and bounds are
//! in `app/src/levels`.
pub mod store;

use crate::{
    audit::{event::Event, ledger::Tx, row_seal::SealKey},
    catalog,
    console::Console,
    controls::{self, Submitted},
    db::Sql,
    people::Caller,
    rotations,
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::{Change, Control},
    error::{Conflict, Error, FieldError},
    id::LevelId,
    levels::model::{Level, Levels},
    policies::model::Tier,
    time::Moment,
};
use store::LevelRow;

/// What held at each level, and since when: as it was built in, where nobody set it.
#[derive(Clone, Debug, Default)]
pub struct Timeline(Vec<(Level, Moment, Option<Moment>)>);

impl Timeline {
    /// What held at a time.
    pub fn at(&self, tier: Tier, at: Moment) -> Level {
        let held = |(level, from, until): &&(Level, Moment, Option<Moment>)| {
            level.tier == tier && *from <= at && until.is_none_or(|until| at < until)
        };
        self.0.iter().find(held).map_or(Level::built_in(tier), |(level, ..)| *level)
    }

    /// What holds now.
    pub fn now(&self) -> Levels {
        let set = self.0.iter().filter(|(.., until)| until.is_none());
        set.fold(Levels::default(), |levels, (level, ..)| levels.with(*level))
    }
}

/// Everything that was ever set. A row that cannot be trusted may have been the stricter one: then nothing is decided.
pub async fn timeline(db: &mut impl Sql, key: &SealKey) -> Result<Timeline, Error> {
    let mut all = Vec::new();
    for row in store::every(db, key).await? {
        // An unknown word is no reason to fall back to something looser.
        all.push((row.level().ok_or(Error::Unavailable)?, row.valid_from, row.valid_to));
    }
    Ok(Timeline(all))
}

/// Sets what holds at a level, or proposes it where something gets looser.
pub async fn set_level(console: &Console, caller: &Caller, level: Level) -> Result<Submitted, Error> {
    controls::submit(console, caller, Change::SetLevel { level }).await
}

/// How the level stands and how it would.
pub(crate) async fn outlook(
    console: &Console,
    tx: &mut Tx,
    level: &Level,
) -> Result<(Option<Control>, Option<Control>), Error> {
    let wrong = level.check();
    if !wrong.is_empty() {
        let fields = wrong.into_iter().map(|(field, message)| FieldError { field, message: message.into() });
        return Err(Error::Invalid(fields.collect()));
    }
    let before = *timeline(tx, console.seal_key()).await?.now().of(level.tier);
    if before == *level {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    Ok((Some(Control::Level { level: before }), Some(Control::Level { level: *level })))
}

/// The same within a change. What rotates by the level's age is looked at anew.
pub(crate) async fn set(
    console: &Console,
    tx: &mut Tx,
    by: &str,
    level: &Level,
    event: Event,
) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let id = console.id::<LevelId>()?.to_string();
    let before = *timeline(tx, key).await?.now().of(level.tier);
    let mut events = Vec::new();
    let mut event =
        event.on(Subject { row: Some(id.clone()), ..Subject::default() }).detail("level", level.tier.code());
    if let Some(former) = store::lock(tx, level.tier.code(), key).await? {
        let former = LevelRow { valid_to: Some(now), ..former };
        store::close(tx, &former.id, now).await?;
        tx.seal(&former)?;
        let about = Subject { row: Some(former.id), ..Subject::default() };
        events.push(Event::new(Action::SupersedeLevel).on(about).detail("level", level.tier.code()));
    }
    for (name, was, is) in store::shifts(&before, level) {
        event = event.detail(&format!("{name}_before"), was).detail(name, is);
    }
    let row = LevelRow::of(level, id, by, now);
    store::insert(tx, &row).await?;
    tx.seal(&row)?;
    for environment in catalog::store::all_environments(tx, key).await? {
        if environment.tier() == level.tier {
            rotations::store::note_all_due(tx, &environment.id, now).await?;
        }
    }
    events.insert(0, event);
    Ok(events)
}
