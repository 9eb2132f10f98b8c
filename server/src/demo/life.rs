//! The half year itself: a morning on which everything is made, then one working day after another.
use super::{
    certificate,
    dice::Dice,
    organisation::{COMMENTS, DENIALS, OUTSIDE, PEOPLE, PROJECTS, Project, REASONS, ROLES, TEAMS},
    receiver::Receiver,
};
use crate::{
    audit::event::{Event, Who},
    catalog::{self, NewProject, NewSecret},
    clock::Clock,
    console::Console,
    grants::{self, Holder},
    jobs,
    people::{self, Caller, Entry, open_session, store as people_store},
    requests::{self, Ask},
    signals,
    vault::{self, Source, Take},
    workloads,
};
use app::{
    audit::action::Action,
    catalog::model::Kind,
    error::Error,
    id::CorrelationId,
    policies::model::{Class, Right, Tier, copy_only},
    time::Moment,
};
use chrono::{Datelike, TimeDelta, Timelike, Weekday};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Nothing is silent for longer than this in the simulated past.
const BEAT: TimeDelta = TimeDelta::minutes(110);

/// A secret of one environment.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) project: usize,
    pub(super) tier: Tier,
    pub(super) class: Class,
    pub(super) fields: &'static [&'static str],
}

pub struct Life {
    pub(super) console: Console,
    pub(super) clock: Clock,
    end: Moment,
    pub(super) dice: Dice,
    pub(super) people: HashMap<&'static str, String>,
    pub(super) projects: Vec<String>,
    pub(super) places: Vec<Place>,
    /// `(id, client secret, project index, paths)` of each workload.
    pub(super) machines: Vec<(String, Zeroizing<String>, usize, Vec<&'static str>)>,
    pub(super) last_event: Moment,
    /// What stands beside the partners' systems, and the key that its calls are signed with.
    pub(super) receiver: (Receiver, Zeroizing<String>),
    /// Secrets that rotate through it.
    pub(super) partners: Vec<Place>,
    /// Who left.
    pub(super) gone: Vec<&'static str>,
    /// How much of what stands out happened already; where two are who decide for each other.
    pub(super) planted: usize,
    pub(super) pair: usize,
}

impl Life {
    pub fn new(console: Console, clock: Clock, end: Moment, receiver: (Receiver, Zeroizing<String>)) -> Self {
        let last_event = clock.now();
        Self {
            console,
            clock,
            end,
            dice: Dice::new(0x00c0_ffee),
            people: HashMap::new(),
            projects: Vec::new(),
            places: Vec::new(),
            machines: Vec::new(),
            last_event,
            receiver,
            partners: Vec::new(),
            gone: Vec::new(),
            planted: 0,
            pair: 0,
        }
    }

    pub async fn live(mut self) -> Result<(), Error> {
        self.found().await?;
        // Roles decide in production after a day; the first values go in on the third.
        self.pass(TimeDelta::hours(49)).await?;
        self.fill().await?;
        self.machines().await?;
        self.partners().await?;
        let mut morning = self.clock.now();
        let mut mornings_of_control = 0..3;
        loop {
            let next = (morning + TimeDelta::days(1)).with_hour(7).and_then(|at| at.with_minute(0));
            morning = next.unwrap_or(self.end);
            if morning >= self.end - TimeDelta::hours(6) {
                break;
            }
            let left = (self.end - morning).num_days();
            let working = !matches!(morning.weekday(), Weekday::Sat | Weekday::Sun);
            if working {
                self.night(left, morning).await?;
            }
            self.to(morning).await?;
            self.rotations_of_day(left).await?;
            self.day().await?;
            if working {
                self.strange(left).await?;
            }
            if working
                && left <= 5
                && let Some(number) = mornings_of_control.next()
            {
                self.change_controls(number).await?;
            }
        }
        self.to((self.end - TimeDelta::hours(3)).max(self.clock.now())).await?;
        self.today().await?;
        self.to(self.end - TimeDelta::minutes(2)).await
    }

    /// Moves the clock, with a heartbeat where nothing else happened and with what falls due on the way.
    pub(super) async fn to(&mut self, moment: Moment) -> Result<(), Error> {
        while moment - self.last_event > BEAT {
            self.clock.set((self.last_event + BEAT).max(self.clock.now()));
            jobs::run_due(&self.console).await?;
            self.console.ledger.observe(&Who::system("heartbeat"), Event::new(Action::Heartbeat)).await?;
            self.last_event = self.clock.now();
        }
        if moment > self.clock.now() {
            self.clock.set(moment);
        }
        Ok(())
    }

    async fn pass(&mut self, time: TimeDelta) -> Result<(), Error> {
        self.to(self.clock.now() + time).await
    }

    /// Some minutes later, and something happens.
    pub(super) async fn later(&mut self, most: i64) -> Result<(), Error> {
        let minutes = 1 + self.dice.below(most as usize) as i64;
        self.pass(TimeDelta::minutes(minutes)).await?;
        self.last_event = self.clock.now();
        Ok(())
    }

    fn origin(&mut self, login: &str) -> Who {
        let host = login.bytes().map(u32::from).sum::<u32>() % 200 + 20;
        Who {
            address: Some(format!("10.20.4.{host}")),
            agent: Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/131.0".into()),
            ..Who::anonymous()
        }
    }

    pub(super) async fn caller(&mut self, login: &str) -> Result<Caller, Error> {
        let id = self.people.get(login).ok_or(Error::NotFound)?.clone();
        let person = people_store::find(&mut self.console.read().await?, &id, self.console.seal_key()).await?;
        let origin = self.origin(login);
        Caller::load(&self.console, person.ok_or(Error::NotFound)?, Entry::Direct, origin).await
    }

    /// The first morning: people, teams, roles, projects, secrets.
    async fn found(&mut self) -> Result<(), Error> {
        let console = self.console.clone();
        // One hash for everybody: nobody signs in with a password here.
        let unknown = console.hasher.hash("demo", vault::generate(40)?).await?;
        let (admin, name) = PEOPLE[0];
        people::make_administrator(&console, &Who::system("demo"), admin, name, Some(unknown)).await?;
        let row = people_store::find_by_login(&mut console.read().await?, admin, console.seal_key()).await?;
        self.people.insert(admin, row.ok_or(Error::NotFound)?.id);
        let boss = self.caller(admin).await?;
        for (login, name) in &PEOPLE[1..] {
            self.later(4).await?;
            let (id, link, _) = people::invite_person(&console, &boss, login, name).await?;
            let origin = self.origin(login);
            self.later(6).await?;
            people::join_demo(&console, &origin, &link).await?;
            self.people.insert(login, id);
        }
        let mut teams = HashMap::new();
        for (slug, name, members) in TEAMS {
            self.later(5).await?;
            let (team, _) = people::create_team(&console, &boss, slug, name).await?;
            for member in members {
                let person = self.people[member].clone();
                people::add_member(&console, &boss, &team, &person).await?;
            }
            teams.insert(slug, team);
        }
        for project in &PROJECTS {
            self.later(10).await?;
            let new = NewProject {
                slug: project.slug,
                name: project.name,
                description: project.what,
                open: project.open,
                team: &teams[project.team],
            };
            let (id, _) = catalog::create_project(&console, &boss, new).await?;
            self.projects.push(id);
        }
        for (person, role, project) in ROLES {
            self.later(4).await?;
            let index = project.and_then(|slug| PROJECTS.iter().position(|project| project.slug == slug));
            let project = index.map(|index| self.projects[index].clone());
            let person = self.people[person].clone();
            people::assign_role(&console, &boss, &person, role, project.as_deref(), None).await?;
        }
        for (index, project) in PROJECTS.iter().enumerate() {
            self.secrets(index, project, &teams[project.team]).await?;
        }
        Ok(())
    }

    async fn secrets(&mut self, index: usize, project: &'static Project, team: &str) -> Result<(), Error> {
        let console = self.console.clone();
        let lead = self.caller(project.lead).await?;
        let mut db = console.read().await?;
        let row = catalog::store::find_project(&mut db, &self.projects[index]).await?.ok_or(Error::NotFound)?;
        let environments = catalog::store::environments(&mut db, &row.id, console.seal_key()).await?;
        drop(db);
        for (path, kind, class) in project.secrets {
            for environment in &environments {
                let tier = environment.tier();
                // Not everything exists everywhere.
                if tier != Tier::Production && self.dice.chance(10) {
                    continue;
                }
                self.later(2).await?;
                let description = format!("{} of {}", kind, project.name);
                let new = NewSecret { path, kind: *kind, class: *class, description: &description, team };
                let (id, _) = catalog::create_secret(&console, &lead, &row, environment, new).await?;
                self.places.push(Place { id, project: index, tier, class: *class, fields: kind.fields() });
            }
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, login: &str, place: &Place, source: Source) -> Result<(), Error> {
        let caller = self.caller(login).await?;
        let secret = catalog::store::find(&mut self.console.read().await?, &place.id, self.console.seal_key()).await?;
        let secret = secret.ok_or(Error::NotFound)?;
        let fields = if secret.kind() == Kind::Certificate {
            // The first ones end one after the other, some while they are in use; what replaces one lasts.
            let lasts =
                TimeDelta::days(if secret.latest_version == 0 { 170 + self.dice.below(40) as i64 } else { 365 });
            certificate::issue(&secret.folded.replace('/', "."), self.clock.now(), lasts)?
        } else {
            let made = place.fields.iter().map(|name| Ok(((*name).to_owned(), vault::generate(32)?)));
            made.collect::<Result<Vec<_>, Error>>()?
        };
        // Whoever writes a partner's value by hand has agreed it with the partner.
        if self.partners.iter().any(|partner| partner.id == place.id) {
            self.receiver.0.accept(&fields.iter().map(|(name, value)| (name.clone(), value.to_string())).collect());
        }
        let payload = vault::payload(secret.kind(), fields)?;
        vault::write_version(&self.console, &caller, &place.id, secret.latest_version, payload, source).await?;
        self.last_event = self.clock.now();
        Ok(())
    }

    /// The first values. Below production leads write blind; in production everybody needs an approved request.
    async fn fill(&mut self) -> Result<(), Error> {
        for place in self.places.clone() {
            if place.tier != Tier::Production {
                let source = if self.dice.chance(25) { Source::Typed } else { Source::Generated };
                self.write(PROJECTS[place.project].lead, &place, source).await?;
            }
        }
        for (index, project) in PROJECTS.iter().enumerate() {
            self.later(20).await?;
            let places: Vec<Place> = self
                .places
                .iter()
                .filter(|place| place.project == index && place.tier == Tier::Production)
                .cloned()
                .collect();
            let secrets = places.iter().map(|place| place.id.clone()).collect();
            let lead = project.lead;
            let request = self
                .ask(lead, secrets, Right::Write, 480, "First values for production, agreed with security.", None)
                .await?;
            self.decide_all(&request, 100).await?;
            for place in places {
                self.later(3).await?;
                self.write(lead, &place, Source::Generated).await?;
            }
        }
        Ok(())
    }

    async fn machines(&mut self) -> Result<(), Error> {
        let console = self.console.clone();
        for (index, project) in PROJECTS.iter().enumerate() {
            self.later(20).await?;
            let lead = self.caller(project.lead).await?;
            let mut db = console.read().await?;
            let row = catalog::store::find_project(&mut db, &self.projects[index]).await?.ok_or(Error::NotFound)?;
            let environments = catalog::store::environments(&mut db, &row.id, console.seal_key()).await?;
            drop(db);
            let production =
                environments.into_iter().find(|row| row.tier() == Tier::Production).ok_or(Error::NotFound)?;
            let (slug, count) = project.workload;
            let name = slug.replace('-', " ");
            let (id, _) =
                workloads::create_workload(&console, &lead, &row, &production, slug, &name, &row.team_id).await?;
            let made = workloads::issue_credential(&console, &lead, &id, TimeDelta::days(180)).await?;
            if let Some(change) = &made.waits_for {
                self.second(change).await?;
            }
            let secret = made.secret;
            let places: Vec<String> = self
                .places
                .iter()
                .filter(|place| place.project == index && place.tier == Tier::Production)
                .take(count)
                .map(|place| place.id.clone())
                .collect();
            let days = TimeDelta::days(180).num_minutes();
            let reason = format!("{name} reads these at run time.");
            let request = self.ask(project.lead, places, Right::Read, days, &reason, Some(&id)).await?;
            self.decide_all(&request, 100).await?;
            let paths = project.secrets.iter().take(count).map(|(path, ..)| *path).collect();
            self.machines.push((id, secret, index, paths));
        }
        Ok(())
    }

    pub(super) async fn ask(
        &mut self,
        login: &str,
        secrets: Vec<String>,
        right: Right,
        minutes: i64,
        reason: &str,
        workload: Option<&str>,
    ) -> Result<String, Error> {
        let caller = self.caller(login).await?;
        let form = self.console.id::<CorrelationId>()?.to_string();
        let ask = Ask { secrets, right, minutes, reason, workload, starts_at: None, form: &form };
        let (id, _, _) = requests::submit_request(&self.console, &caller, ask).await?;
        self.last_event = self.clock.now();
        Ok(id)
    }

    /// One person takes the next seat, if there is one who may. Says whether the request is still open.
    async fn decide(&mut self, id: &str, yes: u64) -> Result<bool, Error> {
        let console = self.console.clone();
        let mut db = console.read().await?;
        let Some(request) = requests::store::find(&mut db, id, console.seal_key()).await? else { return Ok(false) };
        let decisions = requests::store::decisions(&mut db, id, console.seal_key()).await?;
        let able = requests::candidates(&console, &mut db, &request, &decisions).await?;
        drop(db);
        let able: Vec<_> = able.into_iter().filter(|(_, may)| may.is_ok()).map(|(person, _)| person).collect();
        if able.is_empty() {
            return Ok(false);
        }
        let person = able[self.dice.below(able.len())].clone();
        let origin = self.origin(&person.login);
        let caller = Caller::load(&console, person, Entry::Direct, origin).await?;
        let approves = self.dice.chance(yes);
        if approves {
            let comment = *self.dice.pick(&COMMENTS);
            requests::approve_request(&console, &caller, id, &request.digest, comment).await?;
        } else {
            let comment = *self.dice.pick(&DENIALS);
            requests::deny_request(&console, &caller, id, &request.digest, comment).await?;
        }
        self.last_event = self.clock.now();
        Ok(approves && decisions.len() + 1 < request.seats().len())
    }

    pub(super) async fn decide_all(&mut self, id: &str, yes: u64) -> Result<(), Error> {
        loop {
            self.later(25).await?;
            if !self.decide(id, yes).await? {
                return Ok(());
            }
        }
    }

    /// One day: people come, machines fetch, somebody asks for something, sometimes somebody tries what they may not.
    async fn day(&mut self) -> Result<(), Error> {
        let weekday = self.clock.now().weekday();
        let working = !matches!(weekday, Weekday::Sat | Weekday::Sun);
        self.fetch().await?;
        if !working {
            return Ok(());
        }
        for (login, _) in PEOPLE.iter().filter(|(login, _)| *login != OUTSIDE) {
            if self.dice.chance(55) && !self.gone.contains(login) {
                self.later(9).await?;
                self.come(login).await?;
            }
        }
        let wishes = 1 + self.dice.below(2);
        for _ in 0..wishes {
            self.later(50).await?;
            self.wish().await?;
        }
        self.fetch().await?;
        if self.dice.chance(22) {
            self.later(30).await?;
            self.rotate_some().await?;
        }
        if self.dice.chance(18) {
            self.later(20).await?;
            self.mishap().await?;
        }
        for _ in 0..2 {
            if self.dice.chance(70) {
                self.later(30).await?;
                self.renew().await?;
            }
        }
        Ok(())
    }

    pub(super) async fn come(&mut self, login: &'static str) -> Result<(), Error> {
        let id = self.people[login].clone();
        let person = people_store::find(&mut self.console.read().await?, &id, self.console.seal_key()).await?;
        let browser = crate::keys::random::<32>().map_err(|_| Error::Unavailable)?.to_vec();
        let origin = self.origin(login);
        open_session(&self.console, &origin, &person.ok_or(Error::NotFound)?, "password", browser).await?;
        Ok(())
    }

    async fn wish(&mut self) -> Result<(), Error> {
        let index = self.dice.below(PROJECTS.len());
        let project = &PROJECTS[index];
        let login = *self.dice.pick(project.users);
        if self.gone.contains(&login) {
            return Ok(());
        }
        let places: Vec<Place> = self.places.iter().filter(|place| place.project == index).cloned().collect();
        let place = self.dice.pick(&places).clone();
        let reason = *self.dice.pick(&REASONS);
        let longest = self.console.level(place.tier).grant_minutes;
        let minutes = [60, 120, 240, 480][self.dice.below(4)].min(longest);
        let request = match self.ask(login, vec![place.id.clone()], Right::Read, minutes, reason, None).await {
            // A private project is invisible to some: they are told that there is nothing.
            Err(Error::NotFound) => return Ok(()),
            asked => asked?,
        };
        if place.tier != Tier::Development {
            // Some requests are left to expire.
            if self.dice.chance(4) {
                return Ok(());
            }
            self.decide_all(&request, 92).await?;
        }
        self.use_access(login, &place).await
    }

    /// Takes the value, if access came of it; sometimes twice, sometimes it is given back.
    pub(super) async fn use_access(&mut self, login: &str, place: &Place) -> Result<(), Error> {
        let console = self.console.clone();
        let id = self.people[login].clone();
        let mut db = console.read().await?;
        let held =
            grants::effective(&mut db, Holder::Person(&id), &place.id, Right::Read, console.now(), console.seal_key())
                .await?;
        drop(db);
        let Some(grant) = held else { return Ok(()) };
        let times = 1 + self.dice.below(2);
        for _ in 0..times {
            self.later(12).await?;
            let caller = self.caller(login).await?;
            let take =
                if copy_only(place.tier, place.class) || self.dice.chance(50) { Take::Copy } else { Take::Reveal };
            vault::take_value(&console, &caller, &place.id, take, "as asked for").await?;
        }
        if self.dice.chance(35) {
            self.later(20).await?;
            let caller = self.caller(login).await?;
            grants::give_back_grant(&console, &caller, &grant.id).await?;
        }
        Ok(())
    }

    /// Every workload exchanges its client secret and reads what it needs.
    async fn fetch(&mut self) -> Result<(), Error> {
        let console = self.console.clone();
        for n in 0..self.machines.len() {
            self.later(3).await?;
            let (_, secret, index, paths) = self.machines[n].clone();
            let origin = Who {
                address: Some(format!("10.30.1.{}", 10 + n)),
                agent: Some("pipeline/2.4".into()),
                ..Who::anonymous()
            };
            let issued = match workloads::issue_token(&console, &origin, &secret).await {
                Ok(issued) => issued,
                // Its client secret ran out: the lead issues another one tomorrow.
                Err(Error::Refused(_)) => continue,
                Err(error) => return Err(error),
            };
            for path in paths {
                let slug = PROJECTS[index].slug;
                match workloads::fetch_secret(&console, &origin, &issued.token, slug, "production", path).await {
                    Ok(_) | Err(Error::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Somebody tries what they may not.
    async fn mishap(&mut self) -> Result<(), Error> {
        let console = self.console.clone();
        match self.dice.below(3) {
            0 => {
                let origin =
                    Who { address: Some("203.0.113.77".into()), agent: Some("curl/8.9".into()), ..Who::anonymous() };
                let attempt = Event::new(Action::SignIn).private("login", "admin");
                console.ledger.refuse(&origin, attempt, app::error::Refusal::WrongCredentials).await;
            }
            1 => {
                let place = self.dice.pick(&self.places.clone()).clone();
                let caller = self.caller("lucia.ferraro").await?;
                // No grant: refused, and that is the point.
                let refused = vault::take_value(&console, &caller, &place.id, Take::Reveal, "just looking").await;
                debug_assert!(refused.is_err() || place.tier == Tier::Development || place.project == 4);
            }
            _ => {
                let origin =
                    Who { address: Some("10.30.9.9".into()), agent: Some("pipeline/1.0".into()), ..Who::anonymous() };
                let refused = workloads::fetch_secret(
                    &console,
                    &origin,
                    "cst_old",
                    "payments",
                    "production",
                    "cards/acquirer-api",
                )
                .await;
                debug_assert!(refused.is_err());
            }
        }
        Ok(())
    }

    /// A lead writes a new value somewhere: blind below production, with an approved request in it.
    async fn renew(&mut self) -> Result<(), Error> {
        let place = self.dice.pick(&self.places.clone()).clone();
        let lead = PROJECTS[place.project].lead;
        if place.tier == Tier::Production {
            let request =
                self.ask(lead, vec![place.id.clone()], Right::Write, 60, "OPS-901: due for a new value.", None).await?;
            self.decide_all(&request, 100).await?;
            let mut db = self.console.read().await?;
            let holder = self.people[lead].clone();
            let (now, key) = (self.console.now(), self.console.seal_key());
            let held = grants::effective(&mut db, Holder::Person(&holder), &place.id, Right::Write, now, key).await?;
            drop(db);
            if held.is_none() {
                return Ok(());
            }
        }
        self.later(5).await?;
        self.write(lead, &place, Source::Generated).await
    }

    /// The day on which the demonstration opens: requests that wait, access that is held.
    async fn today(&mut self) -> Result<(), Error> {
        let pick = |life: &Self, path: &str, tier: Tier| -> Option<Place> {
            let (index, _) = PROJECTS
                .iter()
                .enumerate()
                .find(|(_, project)| project.secrets.iter().any(|(known, ..)| *known == path))?;
            let class = PROJECTS[index].secrets.iter().find(|(known, ..)| *known == path)?.2;
            let mut of =
                life.places.iter().filter(|place| place.project == index && place.tier == tier && place.class == class);
            of.next().cloned()
        };
        for (login, _) in PEOPLE.iter().filter(|(login, _)| super::PERSONAS.iter().any(|(persona, _)| persona == login))
        {
            self.later(5).await?;
            self.come(login).await?;
        }
        // A value that is being rotated: its consumers have not all moved.
        let fetched = |place: &&Place| place.project == 0 && place.tier == Tier::Production && place.fields.len() == 1;
        if let Some(place) = self.places.iter().find(fetched).cloned() {
            self.rotate(&place, 24 * 60).await?;
        }
        self.leak_today().await?;
        // Access that Jonas holds now.
        if let Some(place) = pick(self, "bank/sepa-creditor-key", Tier::Staging) {
            let request =
                self.ask("jonas.weidmann", vec![place.id.clone()], Right::Read, 24 * 60, REASONS[5], None).await?;
            self.decide_all(&request, 100).await?;
        }
        // A critical production request: a lead has signed, security is still needed.
        let critical: Vec<String> = self
            .places
            .iter()
            .filter(|place| place.project == 0 && place.tier == Tier::Production && place.class == Class::Critical)
            .take(2)
            .map(|place| place.id.clone())
            .collect();
        let request = self.ask("jonas.weidmann", critical, Right::Read, 240, REASONS[0], None).await?;
        self.later(10).await?;
        self.decide(&request, 100).await?;
        // One that waits for a lead of payments, one for tracking.
        if let Some(place) = pick(self, "cards/acquirer-api", Tier::Production) {
            self.later(10).await?;
            self.ask("tomas.varga", vec![place.id], Right::Read, 120, REASONS[8], None).await?;
        }
        if let Some(place) = pick(self, "sftp/port-authority", Tier::Production) {
            self.later(10).await?;
            self.ask("lucia.ferraro", vec![place.id], Right::Read, 60, REASONS[3], None).await?;
        }
        self.fetch().await?;
        self.keep_views().await?;
        self.make_reports().await?;
        signals::refresh(&self.console).await?;
        Ok(())
    }
}
