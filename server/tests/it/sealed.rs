//! The bytes that seals cover, of every table whose rows are sealed: frozen, because a row that was sealed once has to hold for ever.
//! A table that is new gets its lines with `COUNTERSIGN_WRITE_GOLDEN=1`; a line that changed is a fault.
use crate::support::World;
use serde::Serialize;
use server::{
    audit::row_seal::SealedRow,
    db::{Db, Row, Sql},
    table::rows_of,
};
use sqlx::Connection;
use std::{fmt::Write, path::Path};

/// Names of columns that hold a time.
const TIMES: [&str; 8] = [
    "valid_from",
    "valid_to",
    "paused_until",
    "overlap_until",
    "reads_from",
    "reads_until",
    "counts_from",
    "auth_time",
];

/// Codes of columns that hold a value of an enum.
const CODES: [(&str, &str, &str); 9] = [
    ("environments", "tier", "staging"),
    ("access_requests", "tier", "production"),
    ("secrets", "class", "critical"),
    ("access_requests", "class", "normal"),
    ("secrets", "kind", "certificate"),
    ("access_requests", "access_right", "read"),
    ("grants", "access_right", "write"),
    ("rotations", "step", "overlap"),
    ("", "trigger_kind", "incident"),
];

/// A value of a column, as SQLite keeps it.
fn value(table: &str, name: &str, kind: &str) -> String {
    if let Some((.., code)) = CODES.iter().find(|(of, column, _)| name == *column && (of.is_empty() || table == *of)) {
        return format!("'{code}'");
    }
    let is_time = name.ends_with("_at") || TIMES.contains(&name);
    match kind {
        "TEXT" if is_time => "'2026-11-23T14:06:07.123456Z'".into(),
        "TEXT" => format!("'{name} \"ü\"'"),
        "BOOLEAN" => "1".into(),
        "INTEGER" | "BIGINT" => format!("{}", 7 + name.len()),
        "BLOB" => "x'0102ff'".into(),
        other => panic!("{name} is of an unknown kind {other}"),
    }
}

/// Two rows of a table: one with everything, one with nothing that may be missing.
async fn rows<R: SealedRow + Row + Serialize>(db: &Db, connection: &mut sqlx::SqliteConnection, out: &mut String) {
    let text = format!("SELECT name, type, \"notnull\" FROM pragma_table_info('{}') ORDER BY cid", R::TABLE);
    let columns: Vec<(String, String, bool)> =
        sqlx::query_as(sqlx::AssertSqlSafe(text)).fetch_all(&mut *connection).await.unwrap();
    for id in ["full", "bare"] {
        let values = columns.iter().map(|(name, kind, always)| match name.as_str() {
            "id" => format!("'{id}'"),
            _ if id == "bare" && !always => "NULL".into(),
            // What must be unique, and what an index names, differs between the two.
            _ if id == "bare" && value(R::TABLE, name, kind).starts_with(&format!("'{name} ")) => {
                format!("'bare {name}'")
            }
            "hash" | "token_hash" if id == "bare" => "x'03'".into(),
            _ => value(R::TABLE, name, kind),
        });
        let names: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
        let values: Vec<String> = values.collect();
        let insert = format!("INSERT INTO {} ({}) VALUES ({})", R::TABLE, names.join(", "), values.join(", "));
        sqlx::query(sqlx::AssertSqlSafe(insert)).execute(&mut *connection).await.unwrap();
        let row: R = {
            let mut db = db.unseen().read().await.unwrap();
            let found = db.sql(rows_of::<R>(" WHERE id = $1")).bind(id.to_owned());
            found.one().await.unwrap()
        };
        let bytes = serde_json_canonicalizer::to_string(&row).unwrap();
        writeln!(out, "{} {bytes}", R::TABLE).unwrap();
    }
}

#[tokio::test]
async fn the_bytes_that_seals_cover_never_change() {
    let world = World::sqlite().await;
    let path = world.folder.path().join("countersign.db");
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut connection).await.unwrap();
    let mut out = String::new();
    macro_rules! each {
        ($($row:ty,)*) => { $(rows::<$row>(&world.instance.db, &mut connection, &mut out).await;)* };
    }
    server::sealed_tables!(each);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/sealed.txt");
    if std::env::var_os("COUNTERSIGN_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &out).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    for (ours, theirs) in out.lines().zip(frozen.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(out.lines().count(), frozen.lines().count());
}
