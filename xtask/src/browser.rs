//! The browser tests: Chromium, the npm packages of `end2end`, Playwright.
use crate::machine::{Done, apt_install, on_path, root, run, say};
use std::{fs, path::PathBuf, process::Command};

const SCHEMATHESIS: &str = "schemathesis==4.32.5";

pub fn test(arguments: &[String]) -> Done {
    let chromium = chromium()?;
    packages()?;
    say("browser tests");
    run(
        Command::new("npx")
            .args(["playwright", "test"])
            .args(arguments)
            .current_dir(root().join("end2end"))
            .env("COUNTERSIGN_BINARY", crate::machine::target().join("debug/countersign"))
            .env("CHROMIUM", chromium),
        "The failing steps are named above; traces lie in end2end/test-results.",
    )
}

/// The types of the browser tests.
pub fn lint() -> Done {
    packages()?;
    say("tsc: the browser tests");
    run(
        Command::new("npx").args(["tsc", "--noEmit", "-p", "."]).current_dir(root().join("end2end")),
        "Mend what tsc says above.",
    )
}

/// The calls that the API's own description allows, made by Schemathesis against a demonstration.
pub fn contract(arguments: &[String]) -> Done {
    let venv = crate::machine::target().join("schemathesis");
    let program = venv.join("bin/schemathesis");
    if !program.exists() {
        if on_path("python3").is_none() {
            apt_install(&["python3", "python3-venv"], "Schemathesis is written in Python")?;
        }
        say("install Schemathesis");
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status();
        if !made.is_ok_and(|status| status.success()) {
            apt_install(&["python3-venv"], "Schemathesis is kept in a folder of its own")?;
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv), "Python makes the folder.")?;
        }
        let pip = venv.join("bin/pip");
        run(
            Command::new(pip).args(["install", "--quiet", SCHEMATHESIS]),
            "Check the network and the index of Python.",
        )?;
    }
    let chromium = chromium()?;
    packages()?;
    run(
        Command::new("npx")
            .args(["playwright", "test", "contract"])
            .args(arguments)
            .current_dir(root().join("end2end"))
            .env("COUNTERSIGN_BINARY", crate::machine::target().join("debug/countersign"))
            .env("SCHEMATHESIS", program)
            .env("CHROMIUM", chromium),
        "What does not fit its description is named above.",
    )
}

fn chromium() -> Done<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    apt_install(&["chromium"], "the browser tests run in a real Chromium")?;
    find().ok_or_else(|| "chromium is installed but was not found on the path".into())
}

fn find() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path)
}

fn packages() -> Done {
    if on_path("npm").is_none() {
        apt_install(&["nodejs", "npm"], "Playwright drives the browser")?;
    }
    let folder = root().join("end2end");
    let stamp = folder.join("node_modules/.installed");
    let lock = fs::read_to_string(folder.join("package-lock.json")).unwrap_or_default();
    if fs::read_to_string(&stamp).ok().as_deref() == Some(lock.as_str()) {
        return Ok(());
    }
    say("npm ci: the packages of end2end");
    run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .current_dir(&folder),
        "Check the network and the npm registry.",
    )?;
    fs::write(stamp, lock).map_err(|error| error.to_string())
}
