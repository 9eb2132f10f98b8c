//! Rotations in the demonstration: by the real engine, against what the demonstration really has. Generated values drain
//! when their consumers have moved; partners' keys change through the receiver, which sometimes fails; a database that
//! cannot be reached needs a person. One engineer leaves, two values get out.
use super::{
    life::{Life, Place},
    organisation::PROJECTS,
    receiver::Fault,
};
use crate::{
    catalog::{self, Located, NewSecret},
    jobs, people,
    rotations::{self, Came, Leak, NewPlan, Selection, Suspend, postgres, rotator::Target, webhook},
    vault::{self, Source},
};
use app::{
    catalog::model::Kind,
    error::Error,
    policies::model::{Class, Right, Tier},
    rotations::{
        model::{Choice, Step},
        schedule::Schedule,
    },
};
use chrono::TimeDelta;
use zeroize::Zeroizing;

/// Which values of which project partners keep too: changed on both sides by the receiver.
const PARTNERS: [(&str, &[&str]); 3] = [
    ("payments", &["cards/acquirer-api", "bank/sepa-creditor-key"]),
    ("identity", &["sms/gateway-token", "oidc/client-partners"]),
    ("tracking", &["ais/feed-token"]),
];

/// Who leaves, and how many days before the demonstration opens.
const LEAVER: &str = "oskar.lind";
const LEFT: i64 = 47;

impl Life {
    /// Partners' keys get a plan: once a month, at night in Berlin.
    pub(super) async fn partners(&mut self) -> Result<(), Error> {
        for (slug, paths) in PARTNERS {
            let Some(index) = PROJECTS.iter().position(|project| project.slug == slug) else { continue };
            let signing = self.signing(index).await?;
            let rows = self.production(index).await?;
            for path in paths {
                let Some(place) = rows.iter().find(|(known, _)| known == path).map(|(_, place)| place.clone()) else {
                    continue;
                };
                self.agree(&place).await?;
                let settings =
                    webhook::Settings { url: self.receiver.0.url(), endpoints: vec![], signing: signing.clone() };
                let schedule = Schedule::Cron {
                    expression: "0 3 1 * *".into(),
                    zone: "Europe/Berlin".into(),
                    window_minutes: 240,
                };
                let plan = NewPlan { schedule, overlap_minutes: 24 * 60, ..NewPlan::at(Target::Webhook(settings)) };
                let lead = self.caller(PROJECTS[index].lead).await?;
                rotations::configure_rotation(&self.console, &lead, &place.id, plan).await?;
                self.later(30).await?;
                let security = self.caller("mara.lindqvist").await?;
                rotations::confirm_plan(&self.console, &security, &place.id).await?;
                self.later(20).await?;
                self.partners.push(place);
            }
        }
        // What says nothing itself, rotates as its place says.
        for (index, days) in [(0, 45), (1, 60)] {
            let lead = self.caller(PROJECTS[index].lead).await?;
            let mut db = self.console.read().await?;
            let rows = catalog::store::environments(&mut db, &self.projects[index], self.console.seal_key()).await?;
            drop(db);
            if let Some(row) = rows.into_iter().find(|row| row.tier() == Tier::Staging) {
                rotations::set_default(&self.console, &lead, &row.id, Schedule::Age { days }).await?;
                self.later(10).await?;
            }
        }
        Ok(())
    }

    /// The secret that calls of a project's production are signed with.
    async fn signing(&mut self, index: usize) -> Result<String, Error> {
        let lead = self.caller(PROJECTS[index].lead).await?;
        let mut db = self.console.read().await?;
        let key = self.console.seal_key();
        let project = catalog::store::find_project(&mut db, &self.projects[index]).await?.ok_or(Error::NotFound)?;
        let rows = catalog::store::environments(&mut db, &project.id, key).await?;
        drop(db);
        let row = rows.into_iter().find(|row| row.tier() == Tier::Production).ok_or(Error::NotFound)?;
        let new = NewSecret {
            path: "rotation/receiver-signing",
            kind: Kind::Opaque,
            class: Class::High,
            description: "Signs the calls that change partners' keys.",
            team: &project.team_id,
        };
        let (secret, _) = catalog::create_secret(&self.console, &lead, &project, &row, new).await?;
        let reason = "First value: the receiver was set up with it.";
        let request = self.ask(PROJECTS[index].lead, vec![secret.clone()], Right::Write, 480, reason, None).await?;
        self.decide_all(&request, 100).await?;
        let lead = self.caller(PROJECTS[index].lead).await?;
        let field = (Kind::Opaque.fields().first().copied().unwrap_or("value").to_owned(), self.receiver.1.clone());
        let payload = vault::payload(Kind::Opaque, vec![field])?;
        vault::write_version(&self.console, &lead, &secret, 0, payload, Source::Generated).await?;
        self.last_event = self.console.now();
        Ok(secret)
    }

    /// The secrets of a project's production by path.
    async fn production(&mut self, index: usize) -> Result<Vec<(String, Place)>, Error> {
        let mut db = self.console.read().await?;
        let rows = catalog::store::secrets_of(&mut db, &self.projects[index], self.console.seal_key()).await?;
        let place =
            |id: &str| self.places.iter().find(|place| place.id == id && place.tier == Tier::Production).cloned();
        Ok(rows.into_iter().filter_map(|row| Some((row.path, place(&row.id)?))).collect())
    }

    /// The partner learns the present value: the demonstration plays the partner.
    async fn agree(&mut self, place: &Place) -> Result<(), Error> {
        let mut db = self.console.read().await?;
        let located = Located::find(&mut db, &place.id, self.console.seal_key()).await?.ok_or(Error::NotFound)?;
        let sealed = vault::current(&mut db, located).await?.ok_or(Error::NotFound)?;
        drop(db);
        let payload = vault::open_sealed(&self.console, &sealed).await?.ok_or(Error::NotFound)?;
        let text = |value: &[u8]| Zeroizing::new(String::from_utf8_lossy(value).into_owned());
        let fields = payload.fields().map(|(name, value)| (name.to_owned(), text(value).to_string()));
        self.receiver.0.accept(&fields.collect());
        Ok(())
    }

    /// What happens around rotations on one day, counted back from the day on which the demonstration opens.
    pub(super) async fn rotations_of_day(&mut self, left: i64) -> Result<(), Error> {
        let receiver = self.receiver.0.clone();
        match left {
            120 => receiver.fail("set", [Fault::AnswerLost, Fault::Late]),
            90 => receiver.fail("probe", [Fault::Down, Fault::Down, Fault::Garbage]),
            60 => receiver.fail("preflight", [Fault::Refused]),
            30 => receiver.fail("disable", [Fault::AnswerLost]),
            LEFT => self.leave().await?,
            26 => self.leak_contained().await?,
            2 => self.rotate_in_vain().await?,
            _ => {}
        }
        if left > 3 { self.unstick().await } else { Ok(()) }
    }

    /// Leads look at what stopped, and let it go on.
    async fn unstick(&mut self) -> Result<(), Error> {
        let open = rotations::store::open(&mut self.console.read().await?, 50, self.console.seal_key()).await?;
        for row in open.into_iter().filter(|row| row.step() == Step::NeedsPerson) {
            let Some(place) = self.places.iter().find(|place| place.id == row.secret_id).cloned() else { continue };
            self.later(15).await?;
            let lead = self.caller(PROJECTS[place.project].lead).await?;
            let said = "The partner had closed its interface for an hour; it answers again.";
            rotations::resolve_rotation(&self.console, &lead, &row.id, Choice::Retry, said).await?;
            jobs::run_due(&self.console).await?;
            self.last_event = self.console.now();
        }
        Ok(())
    }

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
            let schedule = if self.dice.chance(40) { Schedule::Inherited } else { Schedule::ByHand };
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
    async fn rotate_in_vain(&mut self) -> Result<(), Error> {
        let database = self.places.iter().find(|place| place.tier == Tier::Staging && place.fields.len() == 2).cloned();
        let Some(place) = database else { return Ok(()) };
        let caller = self.caller(PROJECTS[place.project].lead).await?;
        let settings = postgres::Settings {
            endpoints: vec!["127.0.0.1:1".into()],
            database: "app".into(),
            tls: false,
            roles: vec![],
            admin: None,
            end_sessions: true,
            dies_after_days: 0,
        };
        rotations::configure_rotation(&self.console, &caller, &place.id, NewPlan::at(Target::Postgres(settings)))
            .await?;
        self.later(30).await?;
        let security = self.caller("mara.lindqvist").await?;
        rotations::confirm_plan(&self.console, &security, &place.id).await?;
        self.later(3).await?;
        rotations::start_rotation(&self.console, &caller, &place.id).await?;
        jobs::run_due(&self.console).await?;
        self.last_event = self.console.now();
        Ok(())
    }

    /// An engineer leaves; the next day everything that he knows and that still works is rotated, or gets a case.
    async fn leave(&mut self) -> Result<(), Error> {
        // On his last days he used two values.
        for index in [0, 3] {
            let Some(place) = self.partners.get(index).cloned() else { continue };
            let reason = "Last look at the partner's sandbox.";
            let login = if place.project == 0 { "jonas.weidmann" } else { LEAVER };
            let request = self.ask(login, vec![place.id.clone()], Right::Read, 120, reason, None).await?;
            self.decide_all(&request, 100).await?;
            self.use_access(login, &place).await?;
        }
        self.later(60).await?;
        let boss = self.caller("anneliese.hohenberg").await?;
        let person = self.people[LEAVER].clone();
        people::disable_person(&self.console, &boss, &person).await?;
        self.gone.push(LEAVER);
        self.later(90).await?;
        let security = self.caller("mara.lindqvist").await?;
        let selection = Selection { person: Some(person.clone()), ..Selection::default() };
        let (fits, _) = rotations::fitting(&self.console, &security, &selection).await?;
        let chosen: Vec<String> = fits.into_iter().map(|fit| fit.located.secret.id).collect();
        let came = rotations::begin_many(&self.console, &security, &chosen, Some(&person), false).await?;
        jobs::run_due(&self.console).await?;
        self.last_event = self.console.now();
        // What has no plan is changed by hand; two are forgotten, and stay open.
        let by_hand = came.into_iter().filter(|(_, came)| matches!(came, Came::Case(_))).map(|(located, _)| located);
        let by_hand: Vec<Located> = by_hand.filter(|located| located.environment.tier() != Tier::Production).collect();
        for located in by_hand.iter().skip(2) {
            let Some(place) = self.places.iter().find(|place| place.id == located.secret.id).cloned() else { continue };
            let version = located.secret.current_version.unwrap_or_default();
            let login = PROJECTS[place.project].lead;
            self.later(40).await?;
            self.write(login, &place, Source::Generated).await?;
            self.later(20).await?;
            let lead = self.caller(login).await?;
            let said = "Changed in the partner's portal; the old one is refused there.";
            rotations::attest_death(&self.console, &lead, &place.id, version, said).await?;
            self.last_event = self.console.now();
        }
        Ok(())
    }

    /// A value got out, was cut off within the hour and shown to be dead.
    async fn leak_contained(&mut self) -> Result<(), Error> {
        let Some(place) = self.partners.first().cloned() else { return Ok(()) };
        let case = self
            .leak(&place, "jonas.weidmann", "It stood in the log of a failed build, readable to the team.", 2)
            .await?;
        let Some(case) = case else { return Ok(()) };
        self.later(25).await?;
        let lead = self.caller(PROJECTS[place.project].lead).await?;
        rotations::contain_case(&self.console, &lead, &case, Suspend::Nobody, true).await?;
        jobs::run_due(&self.console).await?;
        self.last_event = self.console.now();
        self.later(40).await?;
        let reason = "The log is from the evening before.";
        let (row, _) = rotations::visible_case(&self.console, &lead, &case).await?;
        let began = row.began_at - TimeDelta::hours(11);
        rotations::move_case(&self.console, &lead, &case, began, reason).await?;
        self.last_event = self.console.now();
        Ok(())
    }

    /// One that waits for somebody to contain it when the demonstration opens.
    pub(super) async fn leak_today(&mut self) -> Result<(), Error> {
        let Some(place) = self.partners.first().cloned() else { return Ok(()) };
        self.leak(&place, "tomas.varga", "The partner saw it in a support ticket and called us.", 1).await.map(|_| ())
    }

    async fn leak(&mut self, place: &Place, login: &str, what: &str, hours_ago: i64) -> Result<Option<String>, Error> {
        let caller = self.caller(login).await?;
        let mut db = self.console.read().await?;
        let secret = catalog::store::find(&mut db, &place.id, self.console.seal_key()).await?;
        drop(db);
        let Some(version) = secret.and_then(|secret| secret.current_version) else { return Ok(None) };
        let detected_at = self.console.now() - TimeDelta::hours(hours_ago);
        let leak = Leak { version, detected_at, what, suspect: None };
        let (case, _) = rotations::report_leak(&self.console, &caller, &place.id, leak).await?;
        self.last_event = self.console.now();
        self.later(5).await?;
        Ok(Some(case))
    }
}
