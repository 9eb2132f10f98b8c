//! `cargo xtask …`: every set-up step of Countersign, in Rust, so that a bare machine needs only cargo.
mod browser;
mod commands;
mod dates;
mod machine;
mod postgres;
mod runner;
mod site;
mod wasm;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  demo      build everything, seed a demonstration organisation, serve it on http://127.0.0.1:8400
  serve     build everything, serve without demonstration data (first start: how to make the first administrator)
  test      install what is missing, run every test on SQLite and PostgreSQL, and the browser tests
  contract  call the API as its OpenAPI document allows (Schemathesis): no server error, nothing undescribed
  fuzz      run the fuzz targets for a minute each, or for as many as are given
  dates     run the Rust tests on other days and in other time zones (about five minutes each; names choose some)
  lint      rustfmt, and clippy with warnings denied, for the server and for the browser
  build     one self-contained release binary: target/release/countersign
  bench     measure what README quotes, beside the cost of fsync on this machine
  site      build only what a browser loads: wasm, scripts, styles

Arguments after serve and demo are passed on to the countersign binary.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    // The binary that serve and demo start says what it takes; the others do nothing but say it here.
    let asks =
        !matches!(command.as_str(), "demo" | "serve") && rest.iter().any(|word| word == "--help" || word == "-h");
    let done = match command.as_str() {
        _ if asks => {
            print!("{HELP}");
            Ok(())
        }
        "demo" => commands::demo(&rest),
        "serve" => commands::serve(&rest),
        "test" => commands::test(&rest),
        "contract" => commands::contract(&rest),
        "fuzz" => commands::fuzz(&rest),
        "dates" => dates::run_all(&rest),
        "lint" => commands::lint(),
        "build" => commands::build(),
        "bench" => commands::bench(&rest),
        // What cargo runs test binaries through.
        "runner" => runner::run(&rest),
        "site" => site::build().map(|_| ()),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("unknown command {other:?}\n\n{HELP}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask: {why}");
            ExitCode::FAILURE
        }
    }
}
