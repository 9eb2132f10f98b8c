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
    // ledger.rs names the verbs to recognise them, row_seal.rs the one statement that every sealed table shares.
    let spelled =
        |path: &str| path.ends_with("audit/ledger.rs") || path.ends_with("audit/row_seal.rs") || path == TARGET;
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
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    for server_only in ["sqlx", "tokio", "axum", "hyper", "rustls"] {
        assert!(!tree.lines().any(|line| line.starts_with(&format!("{server_only} "))), "{server_only}");
    }
}
