//! Rotations in the demonstration: by the real engine, against what the demonstration really has. Generated values drain
//! when their consumers have moved; one database cannot be reached, so that one rotation needs a person.
use super::{
    life::{Life, Place},
    organisation::PROJECTS,
};
use crate::{
    catalog, jobs,
    rotations::{self, NewPlan, postgres::Settings, rotator::Target},
};
use app::{error::Error, policies::model::Tier, rotations::schedule::Schedule};

impl Life {
    /// A lead rotates a value that consumers fetch.
    pub(super) async fn rotate_some(&mut self) -> Result<(), Error> {
        let generated: Vec<Place> = self.places.iter().filter(|place| place.fields.len() == 1).cloned().collect();
        let place = self.dice.pick(&generated).clone();
        self.rotate(&place, 24 * 60).await
    }

    /// Sets how a value rotates, where nobody did, and begins.
    pub(super) async fn rotate(&mut self, place: &Place, overlap_minutes: i64) -> Result<(), Error> {
        let caller = self.caller(PROJECTS[place.project].lead).await?;
        let mut db = self.console.read().await?;
        let key = self.console.seal_key();
        let plan = rotations::store::find_plan(&mut db, &place.id, key).await?;
        let open = rotations::store::open_of(&mut db, &place.id, key).await?;
        let secret = catalog::store::find(&mut db, &place.id, key).await?;
        drop(db);
        if open.is_some() || secret.is_none_or(|secret| secret.current_version.is_none()) {
            return Ok(());
        }
        if plan.is_none() {
            // Some rotate by themselves from then on.
            let schedule = if self.dice.chance(40) { Schedule::Age { days: 60 } } else { Schedule::ByHand };
            let plan = NewPlan { overlap_minutes, schedule, ..NewPlan::generated() };
            rotations::configure_rotation(&self.console, &caller, &place.id, plan).await?;
            self.later(3).await?;
        }
        rotations::start_rotation(&self.console, &caller, &place.id).await?;
        jobs::run_due(&self.console).await?;
        self.last_event = self.console.now();
        Ok(())
    }

    /// A database that does not answer: the engine tries, waits longer each time, and asks a person.
    pub(super) async fn rotate_in_vain(&mut self) -> Result<(), Error> {
        let database = self.places.iter().find(|place| place.tier == Tier::Staging && place.fields.len() == 2).cloned();
        let Some(place) = database else { return Ok(()) };
        let caller = self.caller(PROJECTS[place.project].lead).await?;
        let settings = Settings {
            endpoints: vec!["127.0.0.1:1".into()],
            database: "app".into(),
            tls: false,
            roles: vec![],
            admin: None,
            end_sessions: true,
            dies_after_days: 0,
        };
        let plan = NewPlan::at(Target::Postgres(settings));
        rotations::configure_rotation(&self.console, &caller, &place.id, plan).await?;
        self.later(30).await?;
        let security = self.caller("mara.lindqvist").await?;
        rotations::confirm_plan(&self.console, &security, &place.id).await?;
        self.later(3).await?;
        rotations::start_rotation(&self.console, &caller, &place.id).await?;
        jobs::run_due(&self.console).await?;
        self.last_event = self.console.now();
        Ok(())
    }
}
