//! One function per command of `cargo xtask`.
use crate::{
    browser, dates,
    machine::{Done, apt_install, cargo, on_path, root, run, say, target},
    postgres::Postgres,
    runner, site, wasm,
};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// A run that takes longer is said to be slow: that is a fault.
const SLOW: Duration = Duration::from_secs(30 * 60);
/// How many of the slowest tests are named.
const NAMED: usize = 10;

pub fn demo(arguments: &[String]) -> Done {
    prepare()?;
    run(Command::new(binary()).arg("demo").args(arguments).current_dir(root()), "See the message above.")
}

pub fn serve(arguments: &[String]) -> Done {
    prepare()?;
    let binary = binary();
    let data = root().join("countersign-data");
    let names_data = arguments.iter().any(|argument| argument.starts_with("--data"));
    if !names_data && !data.exists() {
        run(Command::new(&binary).arg("init").arg("--data").arg(&data), "init makes keys, ledger and store.")?;
    }
    let mut server = Command::new(binary);
    server.arg("serve");
    if !names_data {
        server.arg("--data").arg(&data);
    }
    run(server.args(arguments).current_dir(root()), "See the message above.")
}

/// Runs every test. With an argument: only that stage (`rust` or `browser`), the rest is passed on.
pub fn test(arguments: &[String]) -> Done {
    let only = arguments.first().map(String::as_str);
    let rest = arguments.get(1..).unwrap_or_default();
    let mut stages = Stages::default();
    stages.time("site", site::build)?;
    if only != Some("browser") {
        if on_path("python3").is_none() {
            apt_install(&["python3"], "evidence is checked by an independent program as well")?;
        }
        let postgres = stages.time("postgres", || Postgres::start(false, &Vec::new()))?;
        let faketime = dates::library()?;
        say("compile the tests");
        stages.time("compile", || {
            run(cargo().args(["test", "--workspace", "--quiet", "--no-run"]), "The errors are above.")
        })?;
        let times = target().join("test-times");
        let _ = std::fs::remove_file(&times);
        say("rust tests, on SQLite and on PostgreSQL");
        let ran = stages.time("rust tests", || {
            run(
                cargo()
                    .args(["test", "--workspace", "--quiet"])
                    .args(rest)
                    .envs(postgres.environment())
                    .envs(runner::environment(&times)?)
                    .env("COUNTERSIGN_TEST_FAKETIME", &faketime),
                "The failing tests are named above.",
            )
        });
        println!("\nseconds  the slowest tests");
        runner::slowest(&times, NAMED).iter().for_each(|(seconds, name)| println!("{seconds:>7.1}  {name}"));
        ran?;
    }
    if only != Some("rust") {
        // The rust tests have just built the binary; alone, this stage does.
        if only == Some("browser") {
            stages.time("server", build_server)?;
        }
        stages.time("browser tests", || browser::test(if only == Some("browser") { rest } else { &[] }))?;
    }
    stages.report();
    Ok(())
}

/// Compares the API with its own description; arguments go to Playwright.
pub fn contract(arguments: &[String]) -> Done {
    prepare()?;
    browser::contract(arguments)
}

/// Runs the fuzz targets for some minutes each: one, or as many as are given.
pub fn fuzz(arguments: &[String]) -> Done {
    let minutes: u64 = match arguments.first() {
        None => 1,
        Some(text) => text.parse().map_err(|_| format!("{text:?} is no number of minutes"))?,
    };
    let time = (minutes * 60_000).to_string();
    say("fuzz targets");
    run(
        cargo()
            .args(["test", "--release", "--package", "app", "--test", "fuzz", "--", "--nocapture"])
            .env("BOLERO_RANDOM_TEST_TIME_MS", time)
            .env("BOLERO_RANDOM_ITERATIONS", u64::MAX.to_string()),
        "The input that failed stands above; keep it in app/tests/__fuzz__.",
    )
}

pub fn lint() -> Done {
    say("rustfmt");
    run(cargo().args(["fmt", "--all", "--", "--check"]), "Run cargo fmt.")?;
    // The server embeds what a browser loads: without it nothing of it compiles.
    site::build()?;
    say("clippy, server side");
    run(
        cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-Dwarnings"]),
        "Mend what clippy says above.",
    )?;
    wasm::lint()?;
    browser::lint()
}

pub fn build() -> Done {
    site::build()?;
    say("compile the release binary");
    run(cargo().args(["build", "--release", "--package", "server"]), "The errors above are in server or app.")?;
    println!("{}", target().join("release/countersign").display());
    Ok(())
}

pub fn bench(arguments: &[String]) -> Done {
    build()?;
    let postgres = Postgres::start(true, &Vec::new())?;
    run(
        Command::new(target().join("release/countersign"))
            .arg("bench")
            .args(arguments)
            .env("COUNTERSIGN_LOG", "warn")
            .envs(postgres.environment()),
        "See the message above.",
    )
}

fn prepare() -> Done {
    site::build()?;
    build_server()
}

fn build_server() -> Done {
    say("compile the server");
    run(cargo().args(["build", "--package", "server"]), "The errors above are in server or app.")
}

fn binary() -> std::path::PathBuf {
    target().join("debug/countersign")
}

#[derive(Default)]
struct Stages(Vec<(&'static str, Duration)>);

impl Stages {
    fn time<T>(&mut self, name: &'static str, stage: impl FnOnce() -> Done<T>) -> Done<T> {
        let start = Instant::now();
        let done = stage();
        self.0.push((name, start.elapsed()));
        done.inspect_err(|_| self.report())
    }

    fn report(&self) {
        println!("\nstage            minutes");
        for (name, took) in &self.0 {
            println!("{name:<16} {:>7.1}", took.as_secs_f64() / 60.0);
        }
        let all: Duration = self.0.iter().map(|(_, took)| *took).sum();
        println!("{:<16} {:>7.1}", "all", all.as_secs_f64() / 60.0);
        if all > SLOW {
            println!("warning: over 30 minutes; make it leaner before adding to it");
        }
    }
}
