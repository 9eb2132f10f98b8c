//! Live copies of the trail: every event in order, at least once, heads between; a copy that stops is told of and goes on.
use crate::{cast::Cast, search::busy, story};
use app::policies::model::{Class, Tier};
use chrono::TimeDelta;
use serde_json::Value;
use server::{
    audit::{
        anchor::Anchor,
        store::{self, Narrow},
        stream::{Copy, name},
    },
    notifications,
};

fn read(path: &std::path::Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn drain(copy: &mut Copy, cast: &Cast) {
    while copy.go_on(&cast.console).await.unwrap() {}
}

async fn count(cast: &Cast, action: &str) -> usize {
    let narrow = Narrow { action: Some(action.into()), ..Narrow::default() };
    store::list(&mut cast.console.db().unseen().read().await.unwrap(), &narrow, None, 100).await.unwrap().len()
}

story!(a_copy_has_every_event_in_order_and_survives_its_replica, |world| {
    let cast = Cast::new(world).await;
    let path = cast.world.folder.path().join("trail.jsonl");
    let place = || Anchor::Folder(path.clone());
    let mut one = Copy::new(place(), "one");
    drain(&mut one, &cast).await;
    busy(&cast).await;
    drain(&mut one, &cast).await;
    // Another replica waits until the first is silent; then it goes on where that one was.
    let mut other = Copy::new(place(), "other");
    cast.filled("db/one", Tier::Staging, Class::Normal).await;
    assert!(!other.go_on(&cast.console).await.unwrap());
    cast.world.clock.advance(TimeDelta::seconds(61));
    drain(&mut other, &cast).await;
    let lines = read(&path);
    let seqs: Vec<u64> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(seqs, (0..cast.events().await).collect::<Vec<_>>(), "each once, where nothing failed");
    for line in lines.iter().filter(|line| line.get("seq").is_some()) {
        assert_eq!(line["seq"], line["event"]["seq"]);
    }
    // Heads are the log's, and cover no more than was written before them.
    let key = cast.console.builder.verifier();
    let mut written = 0;
    let mut heads = 0;
    for line in &lines {
        match line["checkpoint"].as_str() {
            Some(note) => {
                heads += 1;
                assert!(key.open(note).unwrap().size <= written);
            }
            None => written = line["seq"].as_u64().unwrap() + 1,
        }
    }
    assert!(heads >= 2);
    assert!(!std::fs::read_to_string(&path).unwrap().contains(crate::cast::CANARY));
    assert!(lines.iter().any(|line| line["disclosed"]["path"] == "db/one"), "what a collector needs is in it");
});

story!(a_copy_that_stops_is_told_of_once_and_loses_nothing, |world| {
    let cast = Cast::new(world).await;
    let folder = cast.world.folder.path().join("gone");
    let path = folder.join("trail.jsonl");
    let mut copy = Copy::new(Anchor::Folder(path.clone()), "one");
    for _ in 0..4 {
        assert!(!copy.go_on(&cast.console).await.unwrap(), "the folder is not there");
        cast.world.clock.advance(TimeDelta::seconds(25));
    }
    assert_eq!(count(&cast, "stream.stopped").await, 1);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let told = notifications::store::list(&mut db, cast.id("mara"), 10).await.unwrap();
    assert!(told.iter().any(|notice| notice.kind == "stream.stopped"));
    let streams = store::streams(&mut db).await.unwrap();
    assert!(streams[0].trouble.is_some() && streams[0].told);
    drop(db);
    std::fs::create_dir(&folder).unwrap();
    drain(&mut copy, &cast).await;
    assert_eq!(count(&cast, "stream.resumed").await, 1);
    drain(&mut copy, &cast).await;
    let seqs: Vec<u64> = read(&path).iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(seqs, (0..cast.events().await).collect::<Vec<_>>(), "nothing is missing");
    assert!(store::streams(&mut cast.console.db().unseen().read().await.unwrap()).await.unwrap()[0].trouble.is_none());
    assert!(!name(&Anchor::Folder(path)).contains("gone"), "no path is in the trail");
});
