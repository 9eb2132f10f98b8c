//! What stands out in the demonstration, on purpose; and what security answered. Everything else that the detectors find is
//! ordinary life: how much that is, is measured.
use super::{
    life::{Life, Place},
    organisation::PROJECTS,
};
use crate::{
    audit::event::Who,
    people::{Caller, Entry, open_session, store as people_store},
    requests,
    signals::{self, Wanted, store::Narrow},
    vault::{self, Take},
    workloads,
};
use app::{
    error::Error,
    policies::model::{Class, Right, Tier},
    signals::model::{Answer, Detector, State},
    time::Moment,
};
use chrono::TimeDelta;

/// What is planted: how many days before the demonstration opens, which detector has to find it, and with whom.
pub const PLANTED: [(i64, Detector, &str); 12] = [
    (120, Detector::Dormant, "settlement-worker"),
    (84, Detector::Mutual, "chen.rui"),
    (61, Detector::Hours, "tomas.varga"),
    (52, Detector::Critical, "chen.rui"),
    (45, Detector::Place, "lucia.ferraro"),
    (38, Detector::Refusals, "jonas.weidmann"),
    (33, Detector::Dormant, "identity-api"),
    (24, Detector::Hours, "ingrid.solberg"),
    (12, Detector::Refusals, "lucia.ferraro"),
    (6, Detector::Place, "settlement-worker"),
    (4, Detector::Hours, "priya.raghunathan"),
    (3, Detector::Refusals, "tomas.varga"),
];

/// Two who decide for each other: every second working day one asks and the other approves.
const PAIR: [&str; 2] = ["chen.rui", "teodor.ilic"];

const FOUND: [&str; 4] = [
    "Asked on the phone: it was they, with the on-call ticket of that night.",
    "Compared with the request: the work was done there, and the access has ended.",
    "The consumer was moved and its path was wrong. Corrected the same day.",
    "Talked it over with both and with the lead. Somebody else decides from now on.",
];

impl Life {
    /// At the beginning of a working day: what is due of what is planted.
    pub(super) async fn strange(&mut self, left: i64) -> Result<(), Error> {
        if let Some((_, detector, who)) = PLANTED.get(self.planted).copied().filter(|(due, ..)| left <= *due) {
            self.planted += 1;
            match detector {
                Detector::Hours => {}
                Detector::Dormant => self.forgotten(who).await?,
                Detector::Mutual => self.pair = 1,
                Detector::Critical => self.first_read(who).await?,
                Detector::Place if PROJECTS.iter().any(|project| project.workload.0 == who) => self.stolen().await?,
                Detector::Place => self.elsewhere(who).await?,
                Detector::Refusals => self.rummage(who).await?,
            }
        }
        self.decide_for_each_other().await?;
        signals::refresh(&self.console).await?;
        if left % 4 == 0 && left > 6 { self.answer_signals().await } else { Ok(()) }
    }

    /// Before it: somebody is awake who usually is not.
    pub(super) async fn night(&mut self, left: i64, morning: Moment) -> Result<(), Error> {
        let Some((due, Detector::Hours, who)) = PLANTED.get(self.planted).copied() else { return Ok(()) };
        if left > due {
            return Ok(());
        }
        self.planted += 1;
        self.to(morning - TimeDelta::minutes(260)).await?;
        self.come(who).await?;
        self.last_event = self.clock.now();
        let Some(place) =
            self.places.iter().find(|place| place.tier == Tier::Development && place.project != 3).cloned()
        else {
            return Ok(());
        };
        self.later(4).await?;
        self.ask(who, vec![place.id.clone()], Right::Read, 60, "OPS-840: the job stands since midnight.", None).await?;
        self.use_access(who, &place).await
    }

    async fn stranger(&mut self, login: &str, address: &str, agent: &str) -> Result<(Who, Caller), Error> {
        let caller = self.caller(login).await?;
        let origin = Who { address: Some(address.into()), agent: Some(agent.into()), ..Who::anonymous() };
        let caller = Caller::load(&self.console, caller.person, Entry::Direct, origin.clone()).await?;
        Ok((origin, caller))
    }

    /// A sign-in from a network and with a program that nobody knows.
    async fn elsewhere(&mut self, login: &str) -> Result<(), Error> {
        self.later(40).await?;
        let (origin, caller) = self.stranger(login, "198.51.100.23", "python-requests/2.32").await?;
        let browser = crate::keys::random::<32>().map_err(|_| Error::Unavailable)?.to_vec();
        let person = people_store::find(&mut self.console.read().await?, caller.id(), self.console.seal_key()).await?;
        open_session(&self.console, &origin, &person.ok_or(Error::NotFound)?, "password", browser).await?;
        self.last_event = self.clock.now();
        Ok(())
    }

    /// A workload's client secret, used from where that workload never was.
    async fn stolen(&mut self) -> Result<(), Error> {
        self.later(40).await?;
        let Some((_, secret, index, paths)) = self.machines.first().cloned() else { return Ok(()) };
        let origin = Who { address: Some("203.0.113.45".into()), agent: Some("curl/8.9.1".into()), ..Who::anonymous() };
        let Ok(issued) = workloads::issue_token(&self.console, &origin, &secret).await else { return Ok(()) };
        for path in paths.into_iter().take(2) {
            let slug = PROJECTS[index].slug;
            match workloads::fetch_secret(&self.console, &origin, &issued.token, slug, "production", path).await {
                Ok(_) | Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.last_event = self.clock.now();
        Ok(())
    }

    /// Many doors in a few minutes.
    async fn rummage(&mut self, login: &str) -> Result<(), Error> {
        self.later(40).await?;
        let places: Vec<Place> =
            self.places.iter().filter(|place| place.tier == Tier::Production && place.project != 3).cloned().collect();
        for place in places.iter().skip(2).take(14) {
            self.clock.set(self.clock.now() + TimeDelta::seconds(17));
            let caller = self.caller(login).await?;
            let refused = vault::take_value(&self.console, &caller, &place.id, Take::Copy, "trying").await;
            debug_assert!(refused.is_err() || login != "lucia.ferraro");
        }
        self.last_event = self.clock.now();
        Ok(())
    }

    /// Access for a workload that never uses it.
    async fn forgotten(&mut self, slug: &str) -> Result<(), Error> {
        let Some(index) = PROJECTS.iter().position(|project| project.workload.0 == slug) else { return Ok(()) };
        let Some((workload, ..)) = self.machines.iter().find(|(_, _, of, _)| *of == index).cloned() else {
            return Ok(());
        };
        let place = self
            .places
            .iter()
            .rfind(|place| place.project == index && place.tier == Tier::Production && place.class != Class::Critical);
        let Some(place) = place.cloned() else { return Ok(()) };
        self.later(40).await?;
        let minutes = TimeDelta::days(90).num_minutes();
        let reason = "The migration job will need it when it starts.";
        let request =
            self.ask(PROJECTS[index].lead, vec![place.id], Right::Read, minutes, reason, Some(&workload)).await?;
        self.decide_all(&request, 100).await
    }

    /// Critical values of a project that this person never read of.
    async fn first_read(&mut self, login: &str) -> Result<(), Error> {
        let critical =
            |place: &&Place| place.project == 0 && place.tier == Tier::Production && place.class == Class::Critical;
        let Some(place) = self.places.iter().find(critical).cloned() else { return Ok(()) };
        self.later(40).await?;
        let reason = "INC-140: identity and payments disagree about an account.";
        let request = self.ask(login, vec![place.id.clone()], Right::Read, 60, reason, None).await?;
        self.decide_all(&request, 100).await?;
        self.use_access(login, &place).await
    }

    async fn decide_for_each_other(&mut self) -> Result<(), Error> {
        if self.pair == 0 || self.pair > 12 {
            return Ok(());
        }
        self.pair += 1;
        if self.pair % 2 == 1 {
            return Ok(());
        }
        let turn = self.pair / 2 % 2;
        let (asks, decides) = (PAIR[turn], PAIR[1 - turn]);
        let place = self.places.iter().find(|place| place.project == 1 && place.tier == Tier::Staging).cloned();
        let Some(place) = place else { return Ok(()) };
        self.later(40).await?;
        let id = self.ask(asks, vec![place.id], Right::Read, 60, "Comparing staging, as yesterday.", None).await?;
        self.later(2).await?;
        let request = requests::store::find(&mut self.console.read().await?, &id, self.console.seal_key()).await?;
        let digest = request.ok_or(Error::NotFound)?.digest;
        let caller = self.caller(decides).await?;
        match requests::approve_request(&self.console, &caller, &id, &digest, "").await {
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        self.last_event = self.clock.now();
        Ok(())
    }

    /// Security goes through what is open.
    async fn answer_signals(&mut self) -> Result<(), Error> {
        let narrow = Narrow { state: Some(State::Open), ..Narrow::default() };
        let open = signals::store::list(&mut self.console.read().await?, &narrow, self.clock.now(), 50).await?;
        for signal in open {
            let Some(key) = signal.key() else { continue };
            // Not about herself, and a day later.
            let login = if signal.actor_id.as_deref() == self.people.get("mara.lindqvist").map(String::as_str) {
                "ewa.nowak"
            } else {
                "mara.lindqvist"
            };
            self.later(6).await?;
            let caller = self.caller(login).await?;
            let ewa = self.people["ewa.nowak"].clone();
            let seen = signal.n.unwrap_or(0);
            let given = |answer: Answer, reason: &'static str| Wanted { answer, seen, assignee: "", days: 30, reason };
            let wanted = match key.detector {
                Detector::Dormant => {
                    given(Answer::Snooze, "The migration was moved to next month. Looked at again then.")
                }
                Detector::Mutual => given(Answer::Close, FOUND[3]),
                Detector::Refusals if seen == 0 && signal.actor_id != Some(ewa.clone()) => {
                    Wanted { answer: Answer::Assign, seen, assignee: &ewa, days: 0, reason: "" }
                }
                Detector::Refusals => given(Answer::Close, FOUND[2]),
                Detector::Place => given(Answer::NotUseful, "A new laptop, handed out by us on that day."),
                Detector::Hours => given(Answer::Close, FOUND[0]),
                Detector::Critical => given(Answer::Close, FOUND[1]),
            };
            match signals::answer(&self.console, &caller, key, wanted).await {
                Ok(_) | Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
            self.last_event = self.clock.now();
        }
        Ok(())
    }
}
