//! Rotations under seeded faults: the real engine, ledger and store against the reference receiver over loopback, with
//! answers lost, changes late, a receiver that is away or refuses, panics at each step, clocks that jump, two replicas, and
//! people who write a value in the middle, cut off, go back and decide where it stopped. At every moment a value that works has to be readable; nothing is rotated twice,
//! nothing called dead that lives. It plays as many schedules as fit into 55 seconds on every core, and says on standard
//! output what it ran. `COUNTERSIGN_SIMULATE=N` plays N schedules, `COUNTERSIGN_SEED=S` begins at seed S.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, unused_macros, reason = "the cast and its world are shared with the stories")]

#[path = "it/cast.rs"]
mod cast;
#[path = "it/steps.rs"]
mod steps;
#[path = "it/support.rs"]
mod support;

use app::{
    policies::model::{Class, Tier},
    rotations::model::{Choice, Grade, Step},
};
use cast::Cast;
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{
    catalog::{self, Located},
    console::Console,
    demo::{
        dice::Dice,
        receiver::{Fault, Receiver},
    },
    rotations::{self, NewPlan, rotator::Target, store::Rotation, webhook::Settings},
    vault,
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use steps::STEPS;
use support::World;

const KEY: &str = "a signing key of more than 24 characters";
/// How long a normal run goes on, and how many schedules each process plays however slow the machine is.
const BUDGET: Duration = Duration::from_secs(55);
const AT_LEAST: u64 = 120;
/// How many schedules share one world.
const A_WORLD: u64 = 60;
const FAULTS: [Fault; 5] = [Fault::AnswerLost, Fault::Down, Fault::Late, Fault::Refused, Fault::Garbage];

/// What a person does while both values work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlapping {
    CutOff,
    Back,
}

struct Stage {
    cast: Cast,
    receiver: Receiver,
    signing: String,
}

impl Stage {
    async fn new() -> Self {
        let cast = Cast::new(World::sqlite().await).await;
        let receiver = Receiver::start(KEY, cast.world.clock.clone()).await.unwrap();
        let signing = cast.secret("signing", Tier::Staging, Class::Normal).await;
        cast.write("iris", &signing, 0, KEY).await.unwrap();
        Self { cast, receiver, signing }
    }

    /// A secret with a plan, known to the receiver.
    async fn secret(&self, seed: u64, overlap_minutes: i64) -> String {
        let secret = self.cast.secret(&format!("s{seed}"), Tier::Staging, Class::Normal).await;
        let value = format!("first-value-of-{seed}");
        self.cast.write("iris", &secret, 0, &value).await.unwrap();
        self.receiver.accept(&json!({ "value": value }));
        let settings = Settings {
            url: self.receiver.url(),
            endpoints: vec!["one".into(), "two".into()],
            signing: self.signing.clone(),
        };
        let plan = NewPlan { overlap_minutes, ..NewPlan::at(Target::Webhook(settings)) };
        let (iris, mara) = (self.cast.caller("iris").await, self.cast.caller("mara").await);
        rotations::configure_rotation(&self.cast.console, &iris, &secret, plan).await.unwrap();
        rotations::confirm_plan(&self.cast.console, &mara, &secret).await.unwrap();
        secret
    }

    async fn rotation(&self, id: &str) -> Rotation {
        let mut db = self.cast.console.db().unseen().read().await.unwrap();
        rotations::store::find(&mut db, id, self.cast.console.seal_key()).await.unwrap().unwrap()
    }

    async fn row(&self, secret: &str) -> catalog::store::Secret {
        let mut db = self.cast.console.db().unseen().read().await.unwrap();
        catalog::store::find(&mut db, secret, self.cast.console.seal_key()).await.unwrap().unwrap()
    }

    /// Every version that can still be read, by its number.
    async fn values(&self, secret: &str) -> BTreeMap<i32, Value> {
        let console = &self.cast.console;
        let mut values = BTreeMap::new();
        for version in 1..=self.row(secret).await.latest_version {
            let mut db = console.db().unseen().read().await.unwrap();
            let row = vault::store::find(&mut db, secret, version).await.unwrap().unwrap();
            let located = Located::find(&mut db, secret, console.seal_key()).await.unwrap().unwrap();
            let sealed = vault::version(&mut db, located, version).await.unwrap();
            drop(db);
            if let Some(sealed) = sealed.filter(|_| row.is_there()) {
                let payload = vault::open_sealed(console, &sealed).await.unwrap().unwrap();
                let text = String::from_utf8(payload.fields().next().unwrap().1.to_vec()).unwrap();
                values.insert(version, json!({ "value": text }));
            }
        }
        values
    }

    /// What holds at every moment: some value that works is readable; where both values work beside each other, it is the
    /// one that is handed out.
    async fn holds(&self, secret: &str, replaces: bool, log: &str) {
        let values = self.values(secret).await;
        let current = self.row(secret).await.current_version.unwrap();
        let works = |version: &i32| values.get(version).is_some_and(|value| self.receiver.accepts(value));
        assert!(values.keys().any(works), "no value that works is left\n{log}");
        assert!(replaces || works(&current), "what is handed out does not work\n{log}");
    }
}

/// Lets one or two replicas work; one that panics is a replica that died.
async fn work(stage: &Stage, replicas: usize) {
    let mut running = Vec::new();
    for _ in 0..replicas {
        let console: Console = stage.cast.console.clone();
        running.push(tokio::spawn(async move { rotations::run_due(&console).await.map(drop) }));
    }
    for one in running {
        if let Ok(done) = one.await {
            done.unwrap();
        }
    }
}

/// One schedule: at which step the process died, if it did, and how the rotation ended.
async fn play(stage: &Stage, seed: u64) -> (&'static str, Step) {
    let mut dice = Dice::new(seed);
    let mut log = format!("COUNTERSIGN_SEED={seed} COUNTERSIGN_SIMULATE=1\n");
    let replaces = dice.chance(50);
    let replicas = 1 + usize::from(dice.chance(30));
    let overlap = [0, 0, 30][dice.below(3)];
    stage.receiver.replace(replaces);
    let secret = stage.secret(seed, overlap).await;
    for what in ["preflight", "set", "probe", "disable"] {
        let count = [0, 0, 1, 1, 2, 4][dice.below(6)];
        let faults: Vec<Fault> = (0..count).map(|_| FAULTS[dice.below(FAULTS.len())]).collect();
        writeln!(log, "{what}: {faults:?}").unwrap();
        stage.receiver.fail(what, faults);
    }
    let dies = dice.chance(50).then(|| STEPS[dice.below(STEPS.len())]);
    if let Some(point) = dies {
        fail::cfg(point, "1*panic->off").unwrap();
    }
    let typed_at = dice.chance(12).then(|| dice.below(6));
    let in_overlap = [None, None, None, Some(Overlapping::CutOff), Some(Overlapping::Back)][dice.below(5)];
    writeln!(log, "replaces {replaces}, replicas {replicas}, overlap {overlap}, dies {dies:?}, typed {typed_at:?}")
        .unwrap();
    writeln!(log, "in its overlap {in_overlap:?}").unwrap();
    let iris = stage.cast.caller("iris").await;
    let (id, _) = rotations::start_rotation(&stage.cast.console, &iris, &secret).await.unwrap();
    let mut typed = 0;
    for round in 0..14 {
        work(stage, replicas).await;
        let row = stage.rotation(&id).await;
        writeln!(log, "{round}: {} {:?} {:?}", row.step().code(), row.stopped, row.reason).unwrap();
        stage.holds(&secret, replaces, &log).await;
        if row.ended_at.is_some() {
            break;
        }
        if Some(round) == typed_at {
            let value = format!("typed-{seed}");
            stage.receiver.accept(&json!({ "value": value }));
            let latest = stage.row(&secret).await.latest_version;
            typed += usize::from(stage.cast.write("iris", &secret, latest, &value).await.is_ok());
        }
        if row.step() == Step::Overlap {
            let console = &stage.cast.console;
            let done = match in_overlap {
                Some(Overlapping::CutOff) => rotations::cut_off(console, &iris, &id).await.map(drop),
                Some(Overlapping::Back) => rotations::roll_back(console, &iris, &id, "It fails.").await.map(drop),
                None => Ok(()),
            };
            writeln!(log, "{in_overlap:?}: {done:?}").unwrap();
            stage.holds(&secret, replaces, &log).await;
        }
        // A clock that is set back waits; one that jumps ahead makes due.
        match dice.below(6) {
            0 => stage.cast.world.clock.set(stage.cast.console.now() - TimeDelta::minutes(5)),
            1 => stage.cast.world.clock.advance(TimeDelta::hours(26)),
            n => stage.cast.world.clock.advance(TimeDelta::seconds([1, 15, 200, 3700][n - 2])),
        }
    }
    // Everything works again, and somebody looks at what stopped.
    stage.receiver.mend();
    if let Some(point) = dies {
        fail::remove(point);
    }
    for _ in 0..40 {
        stage.cast.world.clock.advance(TimeDelta::hours(2));
        work(stage, 1).await;
        let row = stage.rotation(&id).await;
        stage.holds(&secret, replaces, &log).await;
        writeln!(log, "after: {} {:?} {:?}", row.step().code(), row.stopped, row.reason).unwrap();
        if row.ended_at.is_some() {
            break;
        }
        if row.step() == Step::NeedsPerson {
            assert!(row.reason.is_some(), "a person is asked with a reason\n{log}");
            let choice = match row.stopped() {
                Some(Step::VerifiedNew) if typed > 0 => [Choice::KeepNew, Choice::KeepOld][dice.below(2)],
                _ => Choice::Retry,
            };
            let said = "I looked at the target.";
            rotations::resolve_rotation(&stage.cast.console, &iris, &id, choice, said).await.expect(&log);
        }
    }
    let row = stage.rotation(&id).await;
    let secret_row = stage.row(&secret).await;
    let made = usize::try_from(secret_row.latest_version).unwrap() - 1 - typed;
    assert!(made <= 1, "rotated {made} times\n{log}");
    match row.step() {
        Step::Closed => {
            assert_eq!(row.grade(), Some(Grade::Proved), "{log}");
            let values = stage.values(&secret).await;
            assert!(!stage.receiver.accepts(&values[&row.from_version]), "called dead and alive\n{log}");
            assert!(typed > 0 || secret_row.current_version == row.to_version, "{log}");
        }
        Step::Superseded => assert!(typed > 0, "{log}"),
        Step::RolledBack if typed > 0 => {
            let current = secret_row.current_version.unwrap();
            assert!(stage.receiver.accepts(&stage.values(&secret).await[&current]), "what is kept works\n{log}");
        }
        Step::RolledBack => {
            assert_eq!(in_overlap, Some(Overlapping::Back), "{log}");
            assert_eq!(secret_row.current_version, Some(row.from_version), "{log}");
            assert_eq!(stage.values(&secret).await.len(), 1, "the new one is withdrawn\n{log}");
        }
        other => panic!("it ended as {other:?}\n{log}"),
    }
    (dies.unwrap_or("nowhere"), row.step())
}

/// How many schedules there were of each death and end, by `death end`.
type Ends = BTreeMap<String, u64>;

/// Deaths down, ends across.
fn fault_table(ends: &Ends) -> String {
    let mut rows: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (key, count) in ends {
        let (death, end) = key.split_once(' ').unwrap();
        *rows.entry(death).or_default().entry(end).or_default() += count;
    }
    let columns = [Step::Closed, Step::RolledBack, Step::Superseded].map(Step::code);
    let mut text = format!("{:<34}{:>10}{:>13}{:>12}\n", "died at", columns[0], columns[1], columns[2]);
    for (death, counts) in rows {
        let [closed, back, superseded] = columns.map(|end| counts.get(end).copied().unwrap_or(0));
        writeln!(text, "{death:<34}{closed:>10}{back:>13}{superseded:>12}").unwrap();
    }
    text
}

/// What one process plays: every `of`-th seed from `first` on.
#[derive(Clone, Copy)]
struct Part {
    first: u64,
    of: u64,
    /// How many; without it as many as fit into [`BUDGET`], and at least a few.
    count: Option<u64>,
}

impl Part {
    fn goes_on(&self, played: u64, started: Instant) -> bool {
        self.count.map_or(played < AT_LEAST || started.elapsed() < BUDGET, |count| played < count)
    }

    async fn play(self) -> Ends {
        let (started, mut played, mut ends) = (Instant::now(), 0, Ends::new());
        while self.goes_on(played, started) {
            let stage = Stage::new().await;
            for _ in 0..A_WORLD {
                if !self.goes_on(played, started) {
                    break;
                }
                let (death, end) = play(&stage, self.first + played * self.of).await;
                *ends.entry(format!("{death} {}", end.code())).or_default() += 1;
                played += 1;
            }
            let console = &stage.cast.console;
            let state = server::audit::state::check(console.db(), console.seal_key()).await.unwrap();
            assert_eq!(state.wrong, Vec::<String>::new());
        }
        ends
    }
}

/// Points at which a process dies are a process's own: each core plays its seeds in one of its own.
fn play_on_every_core(first: u64, count: Option<u64>) -> Ends {
    let of = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let parts: Vec<Child> = (0..of)
        .map(|part| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.env("COUNTERSIGN_SEED", (first + part).to_string()).env("COUNTERSIGN_PART_OF", of.to_string());
            if let Some(count) = count {
                let own = count / of + u64::from(part < count % of);
                command.env("COUNTERSIGN_SIMULATE", own.to_string());
            }
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut all = Ends::new();
    for part in parts {
        let played = part.wait_with_output().unwrap();
        assert!(played.status.success(), "a schedule failed: its seed stands above");
        for (end, count) in serde_json::from_slice::<Ends>(&played.stdout).unwrap() {
            *all.entry(end).or_default() += count;
        }
    }
    all
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "what was simulated is the result")]
async fn main() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let (first, count) = (number("COUNTERSIGN_SEED").unwrap_or(1), number("COUNTERSIGN_SIMULATE"));
    let started = Instant::now();
    // What is simulated to die panics: that is no news.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if !text.starts_with("failpoint ") {
            usual(info);
        }
    }));
    if let Some(of) = number("COUNTERSIGN_PART_OF") {
        let ends = Part { first, of, count }.play().await;
        println!("{}", serde_json::to_string(&ends).unwrap());
        return;
    }
    let ends = match count {
        Some(few @ 0..10) => Part { first, of: 1, count: Some(few) }.play().await,
        count => play_on_every_core(first, count),
    };
    let (played, took) = (ends.values().sum::<u64>(), started.elapsed().as_secs_f64());
    println!("{}{played} fault schedules from seed {first} in {took:.1} s", fault_table(&ends));
}
