//! Lives the demonstration and counts its signals: what was planted is found; what else is found is said, with how much life
//! there was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use app::{audit::leaf::Leaf, signals::model::Detector};
use server::{
    audit::store as trail,
    clock::Clock,
    config::Settings,
    console::Console,
    demo,
    instance::{self, Instance},
    signals::{
        self,
        store::{self, Narrow},
    },
};
use std::collections::{BTreeMap, BTreeSet};

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    // What it rotates against listens on this host.
    let allow_private = vec!["127.0.0.1/32".into()];
    let settings = Settings { data: Some(folder.path().join("demo")), allow_private, ..Settings::default() };
    let config = settings.resolve().unwrap();
    demo::clear(&config).unwrap();
    instance::init(&config, demo::start(), true).await.unwrap();
    demo::make(&config).await.unwrap();
    let instance = Instance::open(&config, Clock::Machine).await.unwrap();
    let console = Console::new(&instance, "Demo").unwrap();
    signals::refresh(&console).await.unwrap();
    let mut db = console.db().unseen().read().await.unwrap();
    let found = store::list(&mut db, &Narrow::default(), console.now(), 1_000).await.unwrap();
    let mut who: BTreeMap<String, String> = BTreeMap::new();
    for (login, _) in demo::organisation::PEOPLE {
        let person = server::people::store::find_by_login(&mut db, login, console.seal_key()).await.unwrap().unwrap();
        who.insert(person.id, login.to_owned());
    }
    let workloads = server::workloads::store::list(&mut db, console.seal_key()).await.unwrap();
    who.extend(workloads.into_iter().map(|row| (row.id, row.slug)));
    let size = trail::size(&mut db).await.unwrap();
    let mut days = BTreeSet::new();
    for (_, leaf) in trail::leaves(&mut db, 0, size, size).await.unwrap() {
        let leaf = Leaf::decode(&leaf).unwrap();
        days.extend(leaf.actor.id.filter(|id| who.contains_key(id)).map(|id| (id, leaf.at.date_naive())));
    }
    drop(db);
    let mut left: Vec<(Detector, String)> = found
        .iter()
        .map(|signal| {
            let actor = signal.actor_id.as_ref().and_then(|id| who.get(id)).cloned();
            (signal.key().unwrap().detector, actor.unwrap_or_else(|| "nobody".into()))
        })
        .collect();
    println!("{:<32}{:>8}{:>8}{:>8}", "detector", "planted", "found", "others");
    let mut missed = Vec::new();
    let mut others = 0;
    for detector in Detector::ALL {
        let planted: Vec<_> = demo::PLANTED.iter().filter(|(_, of, _)| *of == detector).collect();
        let mut hit = 0;
        for (day, _, login) in &planted {
            match left.iter().position(|(of, actor)| {
                let pair = detector == Detector::Mutual && actor == "teodor.ilic";
                *of == detector && (actor == login || pair)
            }) {
                Some(at) => {
                    left.remove(at);
                    hit += 1;
                }
                None => missed.push((*day, detector, *login)),
            }
        }
        let rest = left.iter().filter(|(of, _)| *of == detector).count();
        others += rest;
        println!("{:<32}{:>8}{:>8}{:>8}", detector.code(), planted.len(), hit, rest);
    }
    let rate = others as f64 * 1_000.0 / days.len() as f64;
    println!("{size} events, {} days of somebody acting: {rate:.1} unplanned signals in 1,000 of them", days.len());
    println!("besides: {left:?}");
    assert_eq!(missed, []);
    assert!(rate < 15.0, "{rate}");
}
