//! Both databases have the same tables and columns.
use crate::support::World;
use std::{collections::BTreeSet, fs, path::Path};

fn migrations() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations")
}

#[test]
fn both_folders_have_the_same_names() {
    let names = |database: &str| -> BTreeSet<_> {
        fs::read_dir(migrations().join(database)).unwrap().flatten().map(|file| file.file_name()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
    assert!(!names("sqlite").is_empty());
}

#[tokio::test]
async fn both_databases_have_the_same_columns() {
    use server::db::Sql;
    let postgres = World::postgres().await;
    let sqlite = World::sqlite().await;
    let theirs: Vec<(String, String)> = (postgres.instance.db.unseen().read().await.unwrap())
        .sql("SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = 'public'")
        .all()
        .await
        .unwrap();
    let ours: Vec<(String, String)> = (sqlite.instance.db.unseen().read().await.unwrap())
        .sql("SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'")
        .all()
        .await
        .unwrap();
    let (theirs, ours): (BTreeSet<_>, BTreeSet<_>) = (theirs.into_iter().collect(), ours.into_iter().collect());
    assert_eq!(theirs, ours);
    assert!(ours.len() > 20);
}
