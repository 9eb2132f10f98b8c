//! A small company in a world of its own: an administrator, two of security, three leads, two engineers, one project.
use crate::support::{Template, World};
use app::{
    catalog::model::Kind,
    error::Error,
    id::CorrelationId,
    policies::model::{Class, Right, Role, Tier},
};
use chrono::TimeDelta;
use server::{
    audit::{event::Who, store::Stored},
    catalog::{self, NewProject, NewSecret, store::Environment},
    console::Console,
    grants::{self, Holder},
    people::{self, Caller, Entry, factors, store},
    requests::{self, Ask},
    vault::{self, Source},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};
use zeroize::Zeroizing;

pub const PASSWORD: &str = "four ordinary words here";
/// Stands in every value that a story writes: it is looked for where no value may be.
pub const CANARY: &str = "canary-7f3a91";

pub struct Cast {
    pub world: World,
    pub console: Console,
    people: HashMap<&'static str, String>,
    /// What people have in their pockets.
    pockets: HashMap<&'static str, Arc<Pocket>>,
    pub team: String,
    pub project: String,
    pub environments: Vec<Environment>,
}

const PEOPLE: [(&str, &str); 8] = [
    ("anna", "Anna Admin"),
    ("mara", "Mara Security"),
    ("ewa", "Ewa Security"),
    ("samir", "Samir Auditor"),
    ("iris", "Iris Lead"),
    ("teodor", "Teodor Lead"),
    ("jonas", "Jonas Engineer"),
    ("lucia", "Lucia Engineer"),
];

/// Everybody but Jonas has an authenticator.
const EQUIPPED: [&str; 7] = ["anna", "mara", "ewa", "samir", "iris", "teodor", "lucia"];

/// An authenticator and recovery codes: each code once.
pub struct Pocket {
    key: String,
    pub codes: Vec<String>,
    /// The last step whose code was used.
    last: AtomicI64,
}

impl Pocket {
    /// An app that was told this key.
    pub fn new(key: &str) -> Self {
        Self { key: key.into(), codes: Vec::new(), last: AtomicI64::new(0) }
    }

    fn copy(&self) -> Self {
        let last = AtomicI64::new(self.last.load(Ordering::SeqCst));
        Self { key: self.key.clone(), codes: self.codes.clone(), last }
    }

    /// What the authenticator shows at a moment, so many steps of half a minute from it.
    pub fn shows(&self, at: app::time::Moment, steps: i64) -> String {
        self.at_step(at.timestamp() / 30 + steps)
    }

    fn at_step(&self, step: i64) -> String {
        let secret = totp_rs::Secret::try_from_base32(&self.key).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build_noncompliant();
        totp.generate((30 * step) as u64).to_string()
    }

    /// A code that counts at a moment and was not used here: there are three, unless time goes on.
    pub fn next(&self, at: app::time::Moment) -> String {
        let now = at.timestamp() / 30;
        let step = (self.last.load(Ordering::SeqCst) + 1).max(now - 1);
        assert!(step <= now + 1, "every code of this minute was used");
        self.last.store(step, Ordering::SeqCst);
        self.at_step(step)
    }
}

/// Enrols an authenticator.
pub async fn enrol(console: &Console, caller: &Caller) -> Pocket {
    let begun = factors::begin_authenticator(console, caller).unwrap();
    let mut pocket = Pocket::new(&begun.secret);
    let code = pocket.next(console.now());
    let (_, codes) = factors::enrol_authenticator(console, caller, &begun.setup, "Phone", &code).await.unwrap();
    pocket.codes = codes.iter().map(|code| code.to_string()).collect();
    pocket
}

/// Argon2 is slow by design: everybody in the tests has the same password, hashed once.
async fn hash(console: &Console) -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return hash.clone();
    }
    let made = console.hasher.hash("test", Zeroizing::new(PASSWORD.into())).await.unwrap();
    HASH.get_or_init(|| made).clone()
}

/// A company that was made once for each kind of database, to be copied.
struct Company {
    database: Template,
    people: HashMap<&'static str, String>,
    pockets: Vec<(&'static str, Pocket)>,
    team: String,
    project: String,
    environments: Vec<Environment>,
    at: app::time::Moment,
}

impl Company {
    fn sqlite() -> &'static Self {
        static COMPANY: OnceLock<Company> = OnceLock::new();
        COMPANY.get_or_init(|| Template::once(async || Self::of(Cast::make(World::sqlite().await).await).await))
    }

    fn postgres() -> &'static Self {
        static COMPANY: OnceLock<Company> = OnceLock::new();
        COMPANY.get_or_init(|| Template::once(async || Self::of(Cast::make(World::postgres().await).await).await))
    }

    async fn of(cast: Cast) -> Self {
        let pockets = cast.pockets.iter().map(|(login, pocket)| (*login, pocket.copy())).collect();
        let at = cast.world.clock.now();
        drop(cast.console);
        Self {
            database: Template::take(cast.world).await,
            people: cast.people,
            pockets,
            team: cast.team,
            project: cast.project,
            environments: cast.environments,
            at,
        }
    }
}

impl Cast {
    /// The company of every story, as it is on its second day.
    pub async fn new(world: World) -> Self {
        if !world.is_untouched() {
            return Self::make(world).await;
        }
        let company = if world.url.is_some() { Company::postgres() } else { Company::sqlite() };
        let world = world.turned_into(&company.database).await;
        world.clock.set(company.at);
        let console = Console::new(&world.instance, "Test").unwrap();
        Self {
            world,
            console,
            people: company.people.clone(),
            pockets: company.pockets.iter().map(|(login, pocket)| (*login, Arc::new(pocket.copy()))).collect(),
            team: company.team.clone(),
            project: company.project.clone(),
            environments: company.environments.clone(),
        }
    }

    async fn make(world: World) -> Self {
        let console = Console::new(&world.instance, "Test").unwrap();
        let mut cast = Self {
            world,
            console,
            people: HashMap::new(),
            pockets: HashMap::new(),
            team: String::new(),
            project: String::new(),
            environments: Vec::new(),
        };
        let hash = hash(&cast.console).await;
        for (login, name) in PEOPLE {
            people::make_administrator(&cast.console, &Who::system("test"), login, name, Some(hash.clone()))
                .await
                .unwrap();
            let mut db = cast.console.db().unseen().read().await.unwrap();
            let person = store::find_by_login(&mut db, login, cast.console.seal_key()).await.unwrap().unwrap();
            cast.people.insert(login, person.id);
        }
        let anna = cast.caller("anna").await;
        for (login, _) in &PEOPLE[1..] {
            for role in cast.caller(login).await.roles {
                people::remove_role(&cast.console, &anna, &role.id).await.unwrap();
            }
        }
        let (team, _) = people::create_team(&cast.console, &anna, "payments", "Payments").await.unwrap();
        cast.team = team;
        for member in ["iris", "jonas"] {
            people::add_member(&cast.console, &anna, &cast.team, cast.id(member)).await.unwrap();
        }
        let new =
            NewProject { slug: "payments", name: "payments", description: "Settlement.", open: true, team: &cast.team };
        let (project, _) = catalog::create_project(&cast.console, &anna, new).await.unwrap();
        cast.project = project;
        let mut db = cast.console.db().unseen().read().await.unwrap();
        cast.environments =
            catalog::store::environments(&mut db, &cast.project, cast.console.seal_key()).await.unwrap();
        drop(db);
        for (login, role, here) in [
            ("mara", Role::Security, false),
            ("ewa", Role::Security, false),
            ("samir", Role::Auditor, false),
            ("iris", Role::Lead, true),
            ("teodor", Role::Lead, true),
        ] {
            let project = here.then_some(cast.project.as_str());
            people::assign_role(&cast.console, &anna, cast.id(login), role, project, None).await.unwrap();
        }
        for login in EQUIPPED {
            let pocket = enrol(&cast.console, &cast.caller(login).await).await;
            cast.pockets.insert(login, Arc::new(pocket));
        }
        // Roles, accounts and factors decide in production after a day.
        cast.world.clock.advance(TimeDelta::hours(25));
        cast
    }

    pub fn id(&self, login: &str) -> &str {
        &self.people[login]
    }

    pub fn pocket(&self, login: &str) -> Option<Arc<Pocket>> {
        self.pockets.get(login).cloned()
    }

    pub async fn person(&self, login: &str) -> store::Person {
        let mut db = self.console.db().unseen().read().await.unwrap();
        store::find(&mut db, self.id(login), self.console.seal_key()).await.unwrap().unwrap()
    }

    pub async fn caller(&self, login: &str) -> Caller {
        let person = self.person(login).await;
        Caller::load(&self.console, person, Entry::Direct, Who::anonymous()).await.unwrap()
    }

    pub fn environment(&self, tier: Tier) -> &Environment {
        self.environments.iter().find(|row| row.tier() == tier).unwrap()
    }

    pub async fn project(&self) -> catalog::store::Project {
        catalog::store::find_project(&mut self.console.db().unseen().read().await.unwrap(), &self.project)
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn secret(&self, path: &str, tier: Tier, class: Class) -> String {
        let iris = self.caller("iris").await;
        let new = NewSecret { path, kind: Kind::Opaque, class, description: "", team: &self.team };
        let project = self.project().await;
        catalog::create_secret(&self.console, &iris, &project, self.environment(tier), new).await.unwrap().0
    }

    pub async fn write(&self, login: &str, secret: &str, expected: i32, value: &str) -> Result<i32, Error> {
        self.write_as(&self.caller(login).await, secret, expected, value).await
    }

    pub async fn write_as(&self, caller: &Caller, secret: &str, expected: i32, value: &str) -> Result<i32, Error> {
        let fields = vec![("value".to_owned(), Zeroizing::new(value.to_owned()))];
        let payload = vault::payload(Kind::Opaque, fields)?;
        let written = vault::write_version(&self.console, caller, secret, expected, payload, Source::Typed).await?;
        Ok(written.0)
    }

    /// A secret with the canary in it. In production by an approved request to write.
    pub async fn filled(&self, path: &str, tier: Tier, class: Class) -> String {
        let secret = self.secret(path, tier, class).await;
        if tier == Tier::Production {
            let request = self.ask("iris", &secret, Right::Write, 60).await.unwrap();
            self.approve("teodor", &request).await.unwrap();
            if class == Class::Critical {
                self.approve("ewa", &request).await.unwrap();
            }
        }
        self.write("iris", &secret, 0, CANARY).await.unwrap();
        secret
    }

    pub async fn ask(&self, login: &str, secret: &str, right: Right, minutes: i64) -> Result<String, Error> {
        let form = self.console.id::<CorrelationId>()?.to_string();
        let ask = Ask {
            secrets: vec![secret.into()],
            right,
            minutes,
            reason: "TICKET-1",
            workload: None,
            starts_at: None,
            form: &form,
        };
        Ok(requests::submit_request(&self.console, &self.caller(login).await, ask).await?.0)
    }

    pub async fn request(&self, id: &str) -> requests::store::Request {
        let mut db = self.console.db().unseen().read().await.unwrap();
        requests::store::find(&mut db, id, self.console.seal_key()).await.unwrap().unwrap()
    }

    pub async fn approve(&self, login: &str, request: &str) -> Result<(), Error> {
        let digest = self.request(request).await.digest;
        requests::approve_request(&self.console, &self.caller(login).await, request, &digest, "").await.map(|_| ())
    }

    /// Asks and gets it: the grant's id.
    pub async fn granted(&self, login: &str, secret: &str, minutes: i64) -> String {
        let request = self.ask(login, secret, Right::Read, minutes).await.unwrap();
        let seats = self.request(&request).await.seats().len();
        if seats > 0 {
            self.approve("teodor", &request).await.unwrap();
        }
        if seats > 1 {
            self.approve("mara", &request).await.unwrap();
        }
        self.request(&request).await.grant_id.unwrap()
    }

    pub async fn take(&self, login: &str, secret: &str, take: vault::Take) -> Result<String, Error> {
        let caller = self.caller(login).await;
        let taken = vault::take_value(&self.console, &caller, secret, take, "testing").await?;
        let value = taken.payload.fields().next().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        Ok(value.unwrap())
    }

    pub async fn holds(&self, login: &str, secret: &str) -> bool {
        let mut db = self.console.db().unseen().read().await.unwrap();
        let holder = Holder::Person(self.id(login));
        let held =
            grants::effective(&mut db, holder, secret, Right::Read, self.console.now(), self.console.seal_key()).await;
        held.unwrap().is_some()
    }

    /// The newest event.
    pub async fn last_event(&self) -> Stored {
        let mut db = self.console.db().unseen().read().await.unwrap();
        let size = server::audit::store::size(&mut db).await.unwrap();
        server::audit::store::find(&mut db, size - 1).await.unwrap().unwrap()
    }

    pub async fn events(&self) -> u64 {
        server::audit::store::size(&mut self.console.db().unseen().read().await.unwrap()).await.unwrap()
    }
}
