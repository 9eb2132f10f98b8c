//! Rules about the source itself: each is named where it is broken.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust source below a folder, as (path from the root, text without its tests).
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                found.push((path.strip_prefix(root()).unwrap().display().to_string(), text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn offenders(folder: &str, is_wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
    sources(folder).into_iter().filter(|(path, text)| is_wrong(path, text)).map(|(path, _)| path).collect()
}

/// A database that is a rotation's target is not ours.
const TARGET: &str = "server/src/rotations/postgres.rs";

#[test]
fn sql_lives_in_stores() {
    let has_sql = |text: &str| {
        ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM "].iter().any(|verb| text.contains(verb))
    };
    let allowed = |path: &str| path.ends_with("/store.rs") || path == "server/src/db.rs";
    // ledger.rs names the verbs to recognise them, table.rs has the statements that every sealed table shares.
    let spelled = |path: &str| path.ends_with("audit/ledger.rs") || path == "server/src/table.rs" || path == TARGET;
    assert_eq!(
        offenders("server/src", |path, text| has_sql(text) && !allowed(path) && !spelled(path)),
        Vec::<String>::new()
    );
    assert_eq!(offenders("app/src", |_, text| has_sql(text)), Vec::<String>::new());
}

#[test]
fn only_the_database_layer_names_a_driver() {
    let names = |text: &str| {
        ["sqlx::Sqlite", "sqlx::Postgres", "SqlitePool", "PgPool", "sqlx::query"].iter().any(|name| text.contains(name))
    };
    let allowed = |path: &str| path == "server/src/db.rs" || path == TARGET;
    assert_eq!(offenders("server/src", |path, text| names(text) && !allowed(path)), Vec::<String>::new());
}

#[test]
fn the_ledger_is_insert_only() {
    let changes = |text: &str| {
        ["audit_events", "audit_tiles", "audit_checkpoints", "audit_disclosures"]
            .iter()
            .any(|table| ["UPDATE", "DELETE FROM"].iter().any(|verb| text.contains(&format!("{verb} {table}"))))
    };
    assert_eq!(offenders("server/src", |_, text| changes(text)), Vec::<String>::new());
}

#[test]
fn transactions_end_in_the_ledger_alone() {
    let begins = |text: &str| text.contains(".db.begin()") || text.contains("db().begin()");
    assert_eq!(
        offenders("server/src", |path, text| begins(text) && !path.ends_with("audit/ledger.rs")),
        Vec::<String>::new()
    );
}

#[test]
fn pages_have_no_inline_styles_and_no_server_functions() {
    let wrong = |text: &str| ["style=", "style:", "#[server"].iter().any(|mark| text.contains(mark));
    assert_eq!(offenders("app/src", |_, text| wrong(text)), Vec::<String>::new());
}

/// Leptos writes the children of a textarea as they are: only what the kit escaped stands there.
#[test]
fn texts_in_text_areas_are_escaped() {
    let wrong = |text: &str| {
        text.split("<textarea").skip(1).any(|rest| {
            let inside = rest.split("</textarea>").next().unwrap_or_default();
            let child = inside.rfind(['>', '\n']).map_or(inside, |end| &inside[end + 1..]).trim();
            let child = inside.rfind(">{").map_or(child, |begin| &inside[begin + 1..]);
            !child.is_empty() && !child.starts_with("{typed(") && !child.starts_with("{ui::typed(")
        })
    };
    assert_eq!(offenders("app/src", |_, text| wrong(text)), Vec::<String>::new());
}

/// Markup that is not written by the templates: drawings that plotters made, whose texts it escapes.
#[test]
fn raw_markup_has_a_reason() {
    let drawings = ["app/src/metrics/page.rs", "app/src/signals/page.rs"];
    let raw = |path: &str, text: &str| text.contains("inner_html") && !drawings.contains(&path);
    assert_eq!(offenders("app/src", raw), Vec::<String>::new());
    let ours = |text: &str| text.lines().filter(|line| line.contains("inner_html")).all(|line| line.contains("svg"));
    assert!(sources("app/src").iter().all(|(_, text)| ours(text)));
}

/// Who may read the machine's clock: the clock, the command line that starts with it, what serves a demonstration of now, and measurements.
#[test]
fn only_these_tell_real_time() {
    let allowed = [
        "server/src/clock.rs",
        "server/src/command.rs",
        "server/src/client/witness.rs",
        "server/src/demo/mod.rs",
        "server/src/bench.rs",
    ];
    let reads = |text: &str| {
        ["Clock::Machine", "Utc::now()", "SystemTime::now()", "Local::now()"].iter().any(|way| text.contains(way))
    };
    assert_eq!(offenders("server/src", |path, text| reads(text) && !allowed.contains(&path)), Vec::<String>::new());
    assert_eq!(offenders("app/src", |_, text| reads(text)), Vec::<String>::new());
    // In SQL the database's own time is asked for nowhere: everything is bound.
    let asks = |text: &str| {
        ["now()", "CURRENT_TIMESTAMP", "clock_timestamp"].iter().any(|way| text.contains(&format!(" {way}")))
    };
    assert_eq!(offenders("server/src", |path, text| path.ends_with("/store.rs") && asks(text)), Vec::<String>::new());
    // A story whose target is a real server takes the machine's time there, at the one place that joins the two.
    let tests = [
        "server/tests/it/rotations.rs",
        "server/tests/it/process.rs",
        "server/tests/signals.rs",
        "server/tests/it/tidy.rs",
    ];
    assert_eq!(offenders("server/tests", |path, text| reads(text) && !tests.contains(&path)), Vec::<String>::new());
}

#[test]
fn rules_know_nothing_of_the_web() {
    let wrong = |text: &str| ["leptos", "cfg(", "async "].iter().any(|mark| text.contains(mark));
    assert_eq!(offenders("app/src", |path, text| path.ends_with("/model.rs") && wrong(text)), Vec::<String>::new());
}

/// What is compiled for browsers has no server inside.
#[test]
fn the_browser_side_is_lean() {
    let tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--offline",
            "-p",
            "app",
            "--features",
            "hydrate",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .current_dir(root())
        // The compiler lives in the present: on other days it may never answer.
        .env_remove("LD_PRELOAD")
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    for server_only in ["sqlx", "tokio", "axum", "hyper", "rustls"] {
        assert!(!tree.lines().any(|line| line.starts_with(&format!("{server_only} "))), "{server_only}");
    }
}

/// The line of a declaration of a sealed table that names it (`server/src/table.rs`).
fn is_declaration(line: &str) -> bool {
    line.starts_with("    pub struct ") && line.contains(" in \"")
}

/// What is sealed is compared with the trail: every table, also one that is added later.
#[test]
fn every_sealed_table_is_compared_with_the_trail() {
    let declared: usize =
        sources("server/src").iter().map(|(_, text)| text.lines().filter(|line| is_declaration(line)).count()).sum();
    macro_rules! count {
        ($($row:ty,)*) => { [$(stringify!($row)),*].len() };
    }
    assert_eq!(server::sealed_tables!(count), declared);
}

/// Every table is sealed, or stands in the list that says why not; and nothing else stands there.
#[test]
fn every_table_is_sealed_or_says_why_not() {
    let mut sealed: Vec<String> = Vec::new();
    for (_, text) in sources("server/src") {
        let declared = text.lines().filter(|line| is_declaration(line));
        sealed.extend(declared.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())));
    }
    let listed = server::audit::unsealed::UNSEALED;
    assert!(listed.iter().all(|(_, why)| why.len() > 15) && listed.is_sorted());
    let mut known: Vec<String> = listed.iter().map(|(table, _)| (*table).to_owned()).chain(sealed).collect();
    known.sort();
    for database in ["sqlite", "postgres"] {
        let mut made: Vec<String> = Vec::new();
        for file in fs::read_dir(root().join("migrations").join(database)).unwrap().flatten() {
            let text = fs::read_to_string(file.path()).unwrap();
            let tables = text.lines().filter_map(|line| line.strip_prefix("CREATE TABLE "));
            made.extend(tables.filter_map(|rest| Some(rest.split_whitespace().next()?.to_owned())));
        }
        made.sort();
        assert_eq!(made, known, "{database}");
    }
}
