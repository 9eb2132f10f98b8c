//! `cargo xtask dates`: the Rust tests on other days and in other time zones. A test that passes only today is found before that day
//! is over. Everything that the tests start is told the same time: the processes inherit it, the private PostgreSQL is started with it.
use crate::{
    machine::{Done, apt_install, cargo, output, run, say},
    postgres::Postgres,
    site,
};
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeZone, Utc, Weekday};
use std::{path::PathBuf, process::Command};

/// A time to run at: its name, the zone of the machine, and the moment that the run begins at.
pub struct Date {
    pub name: &'static str,
    zone: &'static str,
    at: DateTime<Utc>,
}

/// What changes the clock of a process and of its children; nothing for the machine's own.
pub type Faked = Vec<(&'static str, String)>;

fn all(now: DateTime<Utc>) -> Vec<Date> {
    let after = |days| now + Days::new(days);
    let leap = (now.year()..).find_map(|year| {
        let day = NaiveDate::from_ymd_opt(year, 2, 29)?;
        let at = Utc.from_utc_datetime(&day.and_hms_opt(9, 0, 0)?);
        (at > now).then_some(at)
    });
    // Berlin's clocks change at 01:00 UTC on the last Sundays of March and October: the run begins two minutes before.
    let change = |month| {
        (now.year()..).find_map(|year| {
            let last = NaiveDate::from_ymd_opt(year, month, 31)?;
            let back = last.weekday().days_since(Weekday::Sun);
            let at = Utc.from_utc_datetime(&(last - Days::new(back.into())).and_hms_opt(0, 58, 0)?);
            (at > now).then_some(at)
        })
    };
    let mut dates = vec![
        Date { name: "day", zone: "UTC", at: after(1) },
        Date { name: "forty-days", zone: "America/St_Johns", at: after(40) },
        Date { name: "four-hundred-days", zone: "Asia/Kathmandu", at: after(400) },
    ];
    dates.extend(leap.map(|at| Date { name: "leap-day", zone: "Pacific/Kiritimati", at }));
    dates.extend(change(3).map(|at| Date { name: "hour-skipped", zone: "Europe/Berlin", at }));
    dates.extend(change(10).map(|at| Date { name: "hour-repeated", zone: "Europe/Berlin", at }));
    dates
}

/// Runs the Rust tests at each time, or at those that are named; what follows `--` goes to the tests.
pub fn run_all(arguments: &[String]) -> Done {
    let (names, rest) = match arguments.iter().position(|word| word == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, [].as_slice()),
    };
    #[allow(clippy::disallowed_methods, reason = "the machine's own time is what the others are counted from")]
    let now = Utc::now();
    let dates = all(now);
    if let Some(unknown) = names.iter().find(|name| !dates.iter().any(|date| date.name == **name)) {
        let known: Vec<&str> = dates.iter().map(|date| date.name).collect();
        return Err(format!("{unknown:?} is no time to run at: {}", known.join(", ")));
    }
    site::build()?;
    let library = library()?;
    let runner = runner_variable()?;
    say("compile the tests");
    run(cargo().args(["test", "--workspace", "--quiet", "--no-run"]), "The errors are above.")?;
    for date in dates.iter().filter(|date| names.is_empty() || names.iter().any(|name| date.name == name)) {
        say(&format!("{}: from {} on, TZ={}", date.name, date.at.format("%Y-%m-%d %H:%M UTC"), date.zone));
        let faked: Faked = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME", format!("{:+}s", (date.at - now).num_seconds())),
            // What is waited for passes as always; only the date is another.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
            ("TZ", date.zone.into()),
        ];
        let postgres = Postgres::start(false, &faked)?;
        let with: Vec<String> = faked.iter().map(|(name, value)| format!("{name}={value}")).collect();
        run(
            cargo()
                .args(["test", "--workspace", "--quiet"])
                .args(rest)
                // Cargo itself lives in the present, so that nothing is compiled again.
                .env(&runner, format!("env {}", with.join(" ")))
                .envs(postgres.environment())
                .env("COUNTERSIGN_TEST_FAKETIME", &library),
            &format!("At {} the tests above fail.", date.name),
        )?;
    }
    Ok(())
}

/// The variable that tells cargo through what it runs test binaries on this machine.
pub fn runner_variable() -> Done<String> {
    let triple = output(Command::new("rustc").arg("-vV")).unwrap_or_default();
    let triple = triple.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc -vV names no host")?;
    Ok(format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace('-', "_")))
}

/// faketime's library for programs with threads.
pub fn library() -> Done<PathBuf> {
    let find = || {
        let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|folder| folder.path());
        folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|file| file.exists())
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    apt_install(&["faketime"], "tests tell a process another time")?;
    find().ok_or_else(|| "faketime is installed but its library was not found".into())
}
