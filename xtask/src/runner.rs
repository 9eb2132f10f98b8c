//! Runs one test binary for cargo (as its runner) and notes how long each test took. libtest says so only in its own format, which it
//! calls unstable: what is read here is a name, how it ended, what it printed, and seconds.
use crate::machine::Done;
use serde_json::Value;
use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Names the file that times are added to, a line each: seconds, name.
pub const TIMES: &str = "COUNTERSIGN_TEST_TIMES";

/// Test binaries with a `main` of their own: they say themselves what they did.
const OWN: &[&str] = &["signals", "simulation"];

/// The environment in which cargo hands test binaries to this program.
pub fn environment(times: &Path) -> Done<[(String, String); 2]> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let name = crate::dates::runner_variable()?;
    Ok([(name, format!("{} runner", own.display())), (TIMES.into(), times.display().to_string())])
}

/// `arguments`: the binary, and what it is given.
pub fn run(arguments: &[String]) -> Done {
    let [binary, rest @ ..] = arguments else { return Err("which test binary?".into()) };
    let name = Path::new(binary).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.rsplit_once('-').map_or(name.as_str(), |(name, _)| name).to_owned();
    let mut command = Command::new(binary);
    // Cargo's own wish to be brief contradicts a format.
    command.args(rest.iter().filter(|word| *word != "--quiet" && *word != "-q"));
    if OWN.contains(&name.as_str()) {
        let ended = command.status().map_err(|error| error.to_string())?;
        return if ended.success() { Ok(()) } else { Err(format!("{name}: {ended}")) };
    }
    command.args(["-Zunstable-options", "--report-time", "--format=json"]).env("RUSTC_BOOTSTRAP", "1");
    let mut tests = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let lines = tests.stdout.take().ok_or("the tests print nothing")?;
    let mut report = Report { name, ..Report::default() };
    for line in BufReader::new(lines).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(said) => report.take(&said),
            Err(_) => println!("{line}"),
        }
    }
    let ended = tests.wait().map_err(|error| error.to_string())?;
    report.end();
    if let Some(file) = std::env::var_os(TIMES).map(PathBuf::from) {
        report.keep(&file).map_err(|error| error.to_string())?;
    }
    if ended.success() { Ok(()) } else { Err(format!("{}: {ended}", report.name)) }
}

#[derive(Default)]
struct Report {
    name: String,
    passed: usize,
    failed: Vec<(String, String)>,
    times: Vec<(f64, String)>,
}

impl Report {
    fn take(&mut self, said: &Value) {
        if said["type"] != "test" {
            return;
        }
        let name = said["name"].as_str().unwrap_or_default().to_owned();
        match said["event"].as_str() {
            Some("ok") => self.passed += 1,
            Some("failed") => self.failed.push((name.clone(), said["stdout"].as_str().unwrap_or_default().into())),
            Some("timeout") => println!("{}: {name} has been running for over 60 seconds", self.name),
            _ => return,
        }
        if let Some(seconds) = said["exec_time"].as_f64() {
            self.times.push((seconds, format!("{}: {name}", self.name)));
        }
    }

    fn end(&self) {
        for (name, printed) in &self.failed {
            println!("\n---- {}: {name} ----\n{printed}", self.name);
        }
        println!("{}: {} passed, {} failed", self.name, self.passed, self.failed.len());
        for (name, _) in &self.failed {
            println!("    {name}");
        }
    }

    fn keep(&self, file: &Path) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        self.times.iter().try_for_each(|(seconds, name)| writeln!(file, "{seconds:.2} {name}"))
    }
}

/// The slowest tests of a run, slowest first.
pub fn slowest(times: &Path, most: usize) -> Vec<(f64, String)> {
    let text = std::fs::read_to_string(times).unwrap_or_default();
    let parsed = text.lines().filter_map(|line| line.split_once(' '));
    let mut all: Vec<(f64, String)> =
        parsed.filter_map(|(seconds, name)| Some((seconds.parse().ok()?, name.to_owned()))).collect();
    all.sort_by(|one, other| other.0.total_cmp(&one.0));
    all.truncate(most);
    all
}
