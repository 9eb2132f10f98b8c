//! The browser's half of the build: a compiler that knows wasm, `app` compiled with it, and wasm-bindgen.
use crate::machine::{Done, apt_update, cargo, output, root, run, say, target};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const TARGET: &str = "wasm32-unknown-unknown";

/// How to call a compiler that has a standard library for wasm.
enum Compiler {
    /// The active toolchain has the target.
    Active,
    /// Debian's own compiler, unpacked under `target/`, never installed.
    Unpacked { folder: PathBuf },
}

/// Compiles `app` for the browser, the islands and the check of evidence apart, so that a page loads only what it uses.
/// Returns the folder with wasm-bindgen's output.
pub fn build() -> Done<PathBuf> {
    let compiler = compiler()?;
    let out = target().join("browser-pkg");
    let _ = fs::remove_dir_all(&out);
    for (feature, name) in [("check", "check"), ("hydrate", "countersign")] {
        say(&format!("compile app for the browser: {feature}"));
        let mut build = compiler.cargo("build");
        build.args(["--profile", "browser", "--package", "app", "--features", feature, "--target", TARGET, "--lib"]);
        run(&mut build, "The errors above are in app or its dependencies.")?;
        bind(name, &out)?;
    }
    Ok(out)
}

fn bind(name: &str, out: &Path) -> Done {
    let wasm = folder().join(TARGET).join("browser").join("app.wasm");
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(&wasm)
        .out_name(name)
        .remove_name_section(true)
        .remove_producers_section(true)
        .web(true)
        .and_then(|bindgen| bindgen.typescript(false).generate(out))
        .map_err(|error| format!("wasm-bindgen: {error:#}"))
}

/// Clippy over what only the browser compiles.
pub fn lint() -> Done {
    let compiler = compiler()?;
    say("clippy, browser side");
    let mut check = match &compiler {
        Compiler::Active => compiler.cargo("clippy"),
        Compiler::Unpacked { folder } => {
            let driver = folder.join("usr/bin/clippy-driver");
            if !driver.exists() {
                unpack(folder, &["rust-web-clippy"])?;
            }
            let mut check = compiler.cargo("check");
            check.env("RUSTC_WORKSPACE_WRAPPER", wrapper(folder, "clippy-driver")?);
            check.env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
            check
        }
    };
    check.args(["--profile", "browser", "--package", "app", "--features", "hydrate", "--target", TARGET, "--lib"]);
    if matches!(compiler, Compiler::Active) {
        check.args(["--", "-Dwarnings"]);
    }
    run(&mut check, "Mend what clippy says above.")
}

/// The browser build has a target folder of its own: another compiler would evict the server's artefacts.
fn folder() -> PathBuf {
    target().join("browser")
}

impl Compiler {
    fn cargo(&self, command: &str) -> Command {
        let mut cargo = cargo();
        cargo.arg(command).arg("--target-dir").arg(folder());
        if let Compiler::Unpacked { folder } = self {
            cargo.env("RUSTC", folder.join("rustc-wasm")).env_remove("RUSTC_WRAPPER");
            if let Some(linker) = rust_lld() {
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            }
        }
        cargo
    }
}

fn sysroot() -> PathBuf {
    PathBuf::from(output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root())).unwrap_or_default())
}

fn rust_lld() -> Option<PathBuf> {
    let rustlib = sysroot().join("lib/rustlib");
    fs::read_dir(rustlib).ok()?.flatten().map(|host| host.path().join("bin/rust-lld")).find(|path| path.exists())
}

fn has_std(sysroot: &Path) -> bool {
    let lib = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::read_dir(lib).is_ok_and(|files| {
        files.flatten().any(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            name.starts_with("libcore-") && name.ends_with(".rlib")
        })
    })
}

fn compiler() -> Done<Compiler> {
    if has_std(&sysroot()) {
        return Ok(Compiler::Active);
    }
    let unpacked = target().join("wasm-compiler");
    if has_std(&unpacked.join("usr")) {
        return Ok(Compiler::Unpacked { folder: unpacked });
    }
    say(&format!("rustup target add {TARGET}: the console's islands are compiled to wasm"));
    let added = Command::new("rustup").args(["target", "add", TARGET]).stderr(Stdio::null()).status();
    if added.is_ok_and(|status| status.success()) && has_std(&sysroot()) {
        return Ok(Compiler::Active);
    }
    say("not to be had from rustup: making it from Debian's own compiler and source (about a minute)");
    from_debian(&unpacked).map_err(|error| {
        format!("{error}\nInstall the {TARGET} standard library for your toolchain (rustup target add {TARGET}).")
    })?;
    Ok(Compiler::Unpacked { folder: unpacked })
}

fn from_debian(folder: &Path) -> Done {
    unpack(folder, &["rustc-web", "libstd-rust-web-dev", "rust-web-src"])?;
    let rustc = wrapper(folder, "rustc")?;
    let plain = folder.join("rustc-wasm");
    fs::rename(&rustc, &plain).map_err(|error| format!("{}: {error}", plain.display()))?;

    // One empty crate makes cargo compile the standard library, which then moves into the compiler's sysroot.
    let empty = folder.join("empty");
    fs::create_dir_all(empty.join("src")).map_err(|error| error.to_string())?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[profile.release]\npanic = \"abort\"\n";
    fs::write(empty.join("Cargo.toml"), manifest).map_err(|error| error.to_string())?;
    fs::write(empty.join("src/lib.rs"), "").map_err(|error| error.to_string())?;
    let mut build = cargo();
    build.current_dir(&empty).env("RUSTC", &plain).env("RUSTC_BOOTSTRAP", "1").env_remove("CARGO_TARGET_DIR");
    if let Some(linker) = rust_lld() {
        build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    build.args(["build", "--release", "--quiet", "-Zbuild-std=std,panic_abort", "--target", TARGET]);
    run(&mut build, "The standard library did not compile.")?;

    let lib = folder.join("usr/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&lib).map_err(|error| error.to_string())?;
    let built = empty.join("target").join(TARGET).join("release/deps");
    for file in fs::read_dir(&built).map_err(|error| error.to_string())?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty") {
            fs::copy(file.path(), lib.join(&name)).map_err(|error| error.to_string())?;
        }
    }
    if has_std(&folder.join("usr")) { Ok(()) } else { Err(format!("no core library appeared in {}", lib.display())) }
}

/// Downloads packages with the library packages they need, and unpacks them without installing.
fn unpack(folder: &Path, packages: &[&str]) -> Done {
    apt_update()?;
    let debs = folder.join("debs");
    fs::create_dir_all(&debs).map_err(|error| error.to_string())?;
    let mut wanted: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
    let mut next = 0;
    while let Some(name) = wanted.get(next).cloned() {
        next += 1;
        let depends = output(Command::new("apt-cache").args(["depends", &name])).unwrap_or_default();
        for line in depends.lines() {
            if let Some(needed) = line.trim().strip_prefix("Depends: ")
                && (needed.starts_with("libstd-rust-web") || needed.starts_with("libllvm"))
                && !wanted.iter().any(|known| known == needed)
            {
                wanted.push(needed.to_owned());
            }
        }
    }
    say(&format!("apt-get download {}", wanted.join(" ")));
    run(
        Command::new("apt-get").args(["download", "-qq"]).args(&wanted).current_dir(&debs).stderr(Stdio::null()),
        "These packages are in Debian's archive.",
    )?;
    for deb in fs::read_dir(&debs).map_err(|error| error.to_string())?.flatten() {
        run(Command::new("dpkg").arg("-x").arg(deb.path()).arg(folder), "dpkg unpacks Debian packages.")?;
    }
    fs::remove_dir_all(&debs).map_err(|error| error.to_string())
}

/// A script that runs an unpacked program with its own libraries.
fn wrapper(folder: &Path, program: &str) -> Done<PathBuf> {
    let lib = folder.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    let script = folder.join(format!("run-{program}"));
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
        lib.display(),
        folder.join("usr/bin").join(program).display()
    );
    fs::write(&script, text).map_err(|error| error.to_string())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    }
    Ok(script)
}
