//! This machine: running programs and installing what is missing, saying each step and why.
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

pub type Done<T = ()> = Result<T, String>;

/// The workspace's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where build results go; follows `CARGO_TARGET_DIR` as cargo does.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

pub fn say(what: &str) {
    println!("\x1b[1m→\x1b[0m {what}");
}

pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a program to its end; `need` says what to install when it cannot be found.
pub fn run(command: &mut Command, need: &str) -> Done {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} failed ({status}). {need}")),
        Err(error) => Err(format!("{name} could not be started: {error}. {need}")),
    }
}

/// What a program prints, or `None` when it fails or does not exist.
pub fn output(command: &mut Command) -> Option<String> {
    let out = command.stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

pub fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|path| path.is_file())
}

pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).as_deref() == Some("0")
}

/// Brings Debian's package lists up to date, once per run.
pub fn apt_update() -> Done {
    static DONE: OnceLock<Done> = OnceLock::new();
    DONE.get_or_init(|| {
        if on_path("apt-get").is_none() {
            return Err("apt-get is not on this machine".into());
        }
        say("apt-get update: package lists");
        let mut update = if is_root() { Command::new("apt-get") } else { sudo("apt-get") };
        run(update.args(["update", "-qq"]), "Check the network and the package sources.")
    })
    .clone()
}

fn sudo(program: &str) -> Command {
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

/// Installs Debian packages; on other systems says which ones are needed.
pub fn apt_install(packages: &[&str], why: &str) -> Done {
    let names = packages.join(" ");
    let need = format!("Install {names} by hand ({why}).");
    apt_update().map_err(|error| format!("{error}. {need}"))?;
    say(&format!("apt-get install {names}: {why}"));
    let mut install = if is_root() { Command::new("apt-get") } else { sudo("apt-get") };
    install.env("DEBIAN_FRONTEND", "noninteractive");
    run(install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages).stdout(Stdio::null()), &need)
}
