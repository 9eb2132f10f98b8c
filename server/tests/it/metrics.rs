//! Figures: each recounted from the trail alone, over windows and scopes; nothing of what a viewer may not see; the events
//! behind a figure are as many as it says.
use crate::{
    cast::Cast,
    http::{Browser, site},
    search::busy,
    story,
    workloads::{allow, fetch, machine, token},
};
use app::{
    audit::{
        leaf::{ActorKind, Leaf, Outcome},
        query::Query,
    },
    error::{Error, Refusal},
    metrics::page::Dashboard,
    policies::model::{Class, Tier},
    time::Moment,
};
use chrono::TimeDelta;
use server::{
    audit::{
        projection,
        search::{self, Reading},
        store,
    },
    metrics::{self, Asked, Rollup, hour},
    vault::Take,
};
use std::collections::BTreeMap;

async fn leaves(cast: &Cast) -> Vec<Leaf> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let size = store::size(&mut db).await.unwrap();
    let rows = store::leaves(&mut db, 0, size, size).await.unwrap();
    rows.into_iter().map(|(_, leaf)| Leaf::decode(&leaf).unwrap()).collect()
}

/// Counted by hand, in other words than the product's.
fn by_hand(leaves: &[Leaf], from: Moment, to: Moment) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for leaf in leaves.iter().filter(|leaf| from <= leaf.at && leaf.at < to) {
        let allowed = leaf.outcome == Outcome::Allowed;
        let (series, label) = if leaf.action == "secret.fetched" && allowed {
            ("machine", String::new())
        } else if leaf.action.starts_with("secret.") && leaf.actor.kind == ActorKind::Person && allowed {
            match leaf.action.as_str() {
                "secret.revealed" | "secret.copied" => ("human", leaf.action.clone()),
                _ => continue,
            }
        } else if leaf.outcome == Outcome::Refused {
            ("failed", leaf.reason.clone().unwrap())
        } else {
            continue;
        };
        *counts.entry((series.to_owned(), label)).or_insert(0) += leaf.suppressed.unwrap_or(1);
    }
    counts
}

async fn by_rollup(cast: &Cast, from: Moment, to: Moment) -> BTreeMap<(String, String), u64> {
    projection::catch_up(&cast.console, &Rollup).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let mut counts = BTreeMap::new();
    for row in metrics::store::sums(&mut db, hour(from), hour(to)).await.unwrap() {
        *counts.entry((row.series, row.label)).or_insert(0) += row.value as u64;
    }
    counts
}

/// Days with fetches, reveals, refusals and their repeats.
async fn days(cast: &Cast) -> String {
    let secret = busy(cast).await;
    let worker = machine(cast, "worker", Tier::Staging).await;
    let request = allow(cast, &worker, &secret.0, 60 * 24 * 20).await;
    cast.approve("teodor", &request).await.unwrap();
    for day in 0..5 {
        cast.world.clock.advance(TimeDelta::hours(23));
        let bearer = token(cast, &worker).await.unwrap();
        for _ in 0..=day {
            fetch(cast, &bearer, "staging", "db/settlement-primary").await.unwrap();
        }
        for _ in 0..10 {
            assert!(cast.take("lucia", &secret.0, Take::Copy).await.is_err());
        }
        cast.console.ledger.flush_repeats(true).await;
    }
    secret.0
}

async fn look(cast: &Cast, login: &str, asked: Asked) -> Result<Dashboard, Error> {
    metrics::dashboard(&cast.console, &cast.caller(login).await, &asked).await
}

fn asked(range: &str) -> Asked {
    Asked { range: range.into(), ..Asked::default() }
}

story!(every_count_is_that_of_the_trail, |world| {
    let cast = Cast::new(world).await;
    days(&cast).await;
    let leaves = leaves(&cast).await;
    let first = leaves[0].at;
    let whole = |at: Moment| {
        at - TimeDelta::seconds(at.timestamp().rem_euclid(3_600))
            - TimeDelta::microseconds(i64::from(at.timestamp_subsec_micros()))
    };
    let start = whole(first);
    let mut met = 0;
    for (from, to) in [(0, 500), (0, 30), (24, 80), (50, 51), (70, 200)] {
        let (from, to) = (start + TimeDelta::hours(from), start + TimeDelta::hours(to));
        let wanted = by_hand(&leaves, from, to);
        assert_eq!(by_rollup(&cast, from, to).await, wanted, "{from} {to}");
        met += wanted.len();
    }
    assert!(met > 6, "the windows hold something");
    let all = by_rollup(&cast, start, start + TimeDelta::days(30)).await;
    assert_eq!(all[&("machine".to_owned(), String::new())], 15);
    assert!(all[&("failed".to_owned(), "no_grant".to_owned())] >= 50, "repeats are added back: {all:?}");
    // Computed again from the beginning it is the same; computed twice at once it counts once.
    let mut tx = cast.console.ledger.housekeeping().await.unwrap();
    metrics::store::clear(&mut tx).await.unwrap();
    store::lock_cursor(&mut tx, "metrics").await.unwrap();
    store::move_cursor(&mut tx, "metrics", 0).await.unwrap();
    tx.finish().await.unwrap();
    let (one, other) = crate::support::together(
        projection::catch_up(&cast.console, &Rollup),
        projection::catch_up(&cast.console, &Rollup),
    )
    .await;
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(by_rollup(&cast, start, start + TimeDelta::days(30)).await, all);
});

story!(a_figure_and_its_events_are_as_many, |world| {
    let cast = Cast::new(world).await;
    days(&cast).await;
    let board = look(&cast, "mara", asked("30d")).await.unwrap();
    let taken = board.cells.iter().find(|cell| cell.title.starts_with("Automated")).unwrap();
    // The link beside the figure, asked of the trail.
    let address = taken.behind.1.strip_prefix("/audit?").unwrap();
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(address).unwrap();
    let query = Query::parse(&pairs.iter().find(|(name, _)| name == "q").unwrap().1).unwrap();
    let caller = cast.caller("mara").await;
    search::refresh(&cast.console).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let filter =
        search::resolve(&cast.console, &mut db, &caller, &Reading::All, &query, chrono_tz::Tz::UTC).await.unwrap();
    let found = filter.page(&mut db, None, 1_000).await.unwrap();
    assert_eq!(taken.behind.0, format!("{} values", found.rows.len()));
    assert!(found.rows.len() > 15);
    drop(db);
    let sum =
        |of: usize| -> u64 { taken.data.iter().map(|row| row[of].replace(',', "").parse::<u64>().unwrap()).sum() };
    assert_eq!(sum(1) + sum(2), found.rows.len() as u64, "the bars add up to the figure");
    for cell in &board.cells {
        assert!(!cell.about.is_empty() && !cell.definition.is_empty() && !cell.window.is_empty(), "{}", cell.title);
        assert!(cell.behind.1.starts_with('/'), "{}", cell.title);
        for chart in &cell.charts {
            assert!(!chart.words.is_empty() && chart.svg.contains("<svg"), "{}", cell.title);
        }
    }
});

story!(what_is_unknown_is_not_zero_and_what_is_foreign_not_there, |world| {
    let cast = Cast::new(world).await;
    let empty = look(&cast, "mara", asked("7d")).await.unwrap();
    assert!(empty.triggers.iter().all(|row| row.mean.is_none() && row.median.is_none()));
    let taken = empty.cells.iter().find(|cell| cell.title.starts_with("Automated")).unwrap();
    assert_eq!(taken.figure.0, "—");
    assert_eq!(taken.before, None, "nothing to compare with");
    days(&cast).await;
    cast.filled("known/one", Tier::Production, Class::Normal).await;
    let find = |board: &Dashboard, title: &str| {
        board.cells.iter().find(|cell| cell.title == title).map(|cell| cell.figure.0.clone()).unwrap()
    };
    let all = look(&cast, "mara", asked("30d")).await.unwrap();
    assert_eq!(find(&all, "Production values known to people"), "1");
    let staging = Asked { level: "staging".into(), ..asked("30d") };
    let staging = look(&cast, "mara", staging).await.unwrap();
    assert_eq!(find(&staging, "Production values known to people"), "0");
    assert!(staging.secrets < all.secrets);
    // A lead sees the counts of what they lead: sign-in failures of the organisation are not among them.
    let led = look(&cast, "iris", asked("30d")).await.unwrap();
    let attempts = |board: &Dashboard| find(board, "Failed attempts").replace(',', "").parse::<u64>().unwrap();
    assert!(attempts(&led) < attempts(&all), "{} {}", attempts(&led), attempts(&all));
    assert_eq!(look(&cast, "jonas", asked("30d")).await.err(), Some(Error::Refused(Refusal::NoRule)));
    // Mistakes are said, and the page is there all the same.
    for wrong in [
        Asked { zone: "Mars/Base".into(), ..asked("30d") },
        Asked { project: "none".into(), ..asked("30d") },
        Asked { level: "none".into(), ..asked("30d") },
        asked("forever"),
    ] {
        let board = look(&cast, "mara", wrong.clone()).await.unwrap();
        assert!(board.mistake.is_some() && board.cells.len() == 8, "{wrong:?}");
    }
});

story!(the_dashboard_and_the_monitor_answer, |world| {
    let (cast, router) = site(world).await;
    days(&cast).await;
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    let page = mara.get("/dashboard?range=30d&zone=Europe%2FZurich").await;
    assert_eq!(page.status, 200);
    for wanted in
        ["Mean time to rotate", "Failed attempts", "<svg class=\"chart\"", "Definition and data", "Europe/Zurich"]
    {
        assert!(page.text.contains(wanted), "{wanted}");
    }
    assert!(!page.text.contains("style="));
    assert_eq!(mara.get("/dashboard?zone=Mars%2FBase").await.status, 422);
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    assert_eq!(jonas.get("/dashboard").await.status, 403);
    let mut monitor = Browser::new(&router);
    assert_eq!(monitor.get("/metrics").await.status, 401, "not for everybody");
    let scope = [app::people::tokens::Scope::ReadMetrics];
    let bearer = format!("Bearer {}", crate::api::token(&cast, "mara", &scope).await);
    let scraped = monitor.send(axum::http::Method::GET, "/metrics", &[], &[("authorization", &bearer)]).await;
    assert_eq!(scraped.status, 200);
    assert!(scraped.text.contains("countersign_ledger_events_total ") && scraped.text.contains("series=\"machine\""));
    for line in scraped.text.lines() {
        assert!(
            line.starts_with("# ") || line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()),
            "{line}"
        );
    }
});
