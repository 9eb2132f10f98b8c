//! The trail as it is asked for: every answer compared with a reading of all events, bounded work, mistakes in their place.
use crate::{
    cast::Cast,
    http::{Browser, site},
    story,
};
use app::{
    audit::{
        action::Action,
        leaf::{ActorKind, Leaf},
        query::Query,
    },
    error::{Error, Refusal},
    policies::model::{Class, Right, Tier},
};
use chrono::TimeDelta;
use chrono_tz::Tz;
use server::{
    audit::{
        event::{Event, Who},
        search::{self, Asked, Filter, Reading},
        store, views,
    },
    vault::Take,
};
use std::collections::BTreeMap;

async fn filter_for(cast: &Cast, login: &str, text: &str) -> Result<Filter, Asked> {
    search::refresh(&cast.console).await.unwrap();
    let caller = cast.caller(login).await;
    let reading = Reading::of(&cast.console, &caller).await.unwrap().unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let query = Query::parse(text).unwrap();
    search::resolve(&cast.console, &mut db, &caller, &reading, &query, Tz::UTC).await
}

/// Every event that fits, newest first, a small page at a time.
async fn found(cast: &Cast, login: &str, text: &str) -> Vec<i64> {
    let filter = filter_for(cast, login, text).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = filter.page(&mut db, before, 3).await.unwrap();
        all.extend(page.rows.iter().map(|row| row.seq));
        if page.complete {
            return all;
        }
        assert!(before.is_none_or(|before| page.looked_to < before), "each page goes further back");
        before = Some(page.looked_to);
    }
}

async fn mistake(cast: &Cast, login: &str, text: &str) -> (usize, String) {
    match filter_for(cast, login, text).await {
        Err(Asked::Mistake(mistake)) => (mistake.at, mistake.why),
        other => panic!("{text}: {other:?}"),
    }
}

/// An event as the brute force sees it.
struct Seen {
    leaf: Leaf,
    private: BTreeMap<String, String>,
}

async fn everything(cast: &Cast) -> Vec<Seen> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let size = store::size(&mut db).await.unwrap();
    let mut private: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
    for (seq, field, _, value) in store::disclosures(&mut db, 0, size).await.unwrap() {
        private.entry(seq).or_default().insert(field, value);
    }
    let leaves = store::leaves(&mut db, 0, size, size).await.unwrap();
    let seen = leaves.into_iter().map(|(seq, leaf)| Seen {
        leaf: Leaf::decode(&leaf).unwrap(),
        private: private.remove(&seq).unwrap_or_default(),
    });
    seen.collect()
}

/// A busy hour: requests, refusals, reveals, jobs, workloads.
pub async fn busy(cast: &Cast) -> (String, String) {
    let secret = cast.filled("db/settlement-primary", Tier::Staging, Class::Normal).await;
    let other = cast.filled("fx/rates-feed", Tier::Development, Class::Low).await;
    for _ in 0..4 {
        assert!(cast.take("jonas", &secret, Take::Reveal).await.is_err());
        cast.world.clock.advance(TimeDelta::minutes(2));
    }
    cast.granted("jonas", &secret, 60).await;
    for take in [Take::Reveal, Take::Copy, Take::Reveal] {
        cast.take("jonas", &secret, take).await.unwrap();
        cast.world.clock.advance(TimeDelta::minutes(7));
    }
    cast.ask("ewa", &other, Right::Read, 30).await.unwrap();
    let away = Who { address: Some("203.0.113.9".into()), ..Who::anonymous() };
    for _ in 0..3 {
        cast.console
            .ledger
            .observe(&away, Event::new(Action::SignIn).refused(Refusal::WrongCredentials))
            .await
            .unwrap();
    }
    server::jobs::run_due(&cast.console).await.unwrap();
    (secret, other)
}

story!(every_answer_is_that_of_a_reading_of_all_events, |world| {
    let cast = Cast::new(world).await;
    let (secret, _) = busy(&cast).await;
    let jonas = cast.id("jonas").to_owned();
    let all = everything(&cast).await;
    let middle = all[all.len() / 2].leaf.at;
    let window = format!("created:{}..", middle.format("%Y-%m-%dT%H:%M:%SZ"));
    let cut = middle - TimeDelta::microseconds(i64::from(middle.timestamp_subsec_micros()));
    let has = |seen: &Seen, word: &str| {
        let fields = seen.private.iter().filter(|(field, _)| !["address", "agent", "query"].contains(&field.as_str()));
        fields.into_iter().any(|(_, text)| {
            text.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).any(|part| part.starts_with(word))
        })
    };
    type Rule<'a> = Box<dyn Fn(&Seen) -> bool + 'a>;
    let is_actor = |seen: &Seen| seen.leaf.actor.id.as_deref() == Some(jonas.as_str());
    let is_taken = |seen: &Seen| ["secret.revealed", "secret.copied"].contains(&seen.leaf.action.as_str());
    let rules: Vec<(String, Rule)> = vec![
        (String::new(), Box::new(|_| true)),
        ("actor:jonas".into(), Box::new(is_actor)),
        ("-actor:jonas".into(), Box::new(move |seen| !is_actor(seen))),
        ("action:revealed action:secret.copied".into(), Box::new(is_taken)),
        (
            "action:secret.* -action:revealed".into(),
            Box::new(|seen| seen.leaf.action.starts_with("secret.") && seen.leaf.action != "secret.revealed"),
        ),
        (
            "actor:jonas outcome:refused reason:no_grant".into(),
            Box::new(move |seen| is_actor(seen) && seen.leaf.reason.as_deref() == Some("no_grant")),
        ),
        (
            format!("secret:{secret} -outcome:allowed"),
            Box::new(|seen| {
                seen.leaf.subject.secret.as_deref() == Some(&secret) && seen.leaf.outcome.code() != "allowed"
            }),
        ),
        ("secret:DB/Settlement-Primary".into(), Box::new(|seen| seen.leaf.subject.secret.as_deref() == Some(&secret))),
        ("secret:db/*".into(), Box::new(|seen| seen.leaf.subject.secret.as_deref() == Some(&secret))),
        ("settle".into(), Box::new(|seen| has(seen, "settle"))),
        ("\"primary settlement\"".into(), Box::new(|seen| has(seen, "settlement") && has(seen, "primary"))),
        ("-settlement actor:jonas".into(), Box::new(move |seen| !has(seen, "settlement") && is_actor(seen))),
        ("nosuchword".into(), Box::new(|_| false)),
        ("-nosuchword actor-type:system".into(), Box::new(|seen| seen.leaf.actor.kind == ActorKind::System)),
        (
            "actor:system actor:jonas".into(),
            Box::new(move |seen| seen.leaf.actor.kind == ActorKind::System || is_actor(seen)),
        ),
        ("ip:203.0.113.9".into(), Box::new(|seen| seen.private.get("address").is_some_and(|at| at == "203.0.113.9"))),
        (
            "ip:203.* ip:198.51.100.1".into(),
            Box::new(|seen| seen.private.get("address").is_some_and(|at| at.starts_with("203."))),
        ),
        (
            "policy:a-grant-reads".into(),
            Box::new(|seen| seen.leaf.policy.as_ref().is_some_and(|policy| policy.id == "a-grant-reads")),
        ),
        ("person:ewa".into(), Box::new(|seen| seen.leaf.subject.person.as_deref() == Some(cast.id("ewa")))),
        (
            "env:staging -env:development".into(),
            Box::new(|seen| {
                seen.leaf.subject.environment.as_deref() == Some(cast.environment(Tier::Staging).id.as_str())
            }),
        ),
        ("event:5..9".into(), Box::new(|seen| (5..=9).contains(&seen.leaf.seq))),
        ("event:3 event:7".into(), Box::new(|seen| [3, 7].contains(&seen.leaf.seq))),
        (window.clone(), Box::new(move |seen| seen.leaf.at >= cut)),
        (format!("-{window} actor:jonas"), Box::new(move |seen| seen.leaf.at < cut && is_actor(seen))),
        ("created:..2020-01-01".into(), Box::new(|_| false)),
    ];
    let mut met = 0;
    for (text, rule) in &rules {
        let wanted: Vec<i64> = all.iter().rev().filter(|seen| rule(seen)).map(|seen| seen.leaf.seq as i64).collect();
        assert_eq!(found(&cast, "mara", text).await, wanted, "{text}");
        met += usize::from(!wanted.is_empty());
    }
    assert!(met >= rules.len() - 3, "the rules find something: {met} of {}", rules.len());
});

story!(mistakes_are_told_where_they_are, |world| {
    let cast = Cast::new(world).await;
    busy(&cast).await;
    for (text, at, why) in [
        ("outcome:good", 0, "allowed, refused or failed."),
        ("actor:jonas project:pament", 12, "There is no project pament here. Did you mean payments?"),
        ("env:prodction", 0, "There is no environment prodction here. Did you mean production?"),
        ("action:reveeled", 0, "There is no action reveeled here. Did you mean revealed?"),
        ("x actor:nobody", 2, "Nobody is called nobody here."),
        ("reason:nope", 0, "There is no reason nope here."),
        ("ip:10.0.0", 0, "An address: 10.20.4.31, 2001:db8::1, or its beginning with * behind."),
        ("secret:a/*/b", 0, "A * stands at the end of a path only."),
        ("secret:no/such", 0, "No secret has the path no/such here."),
        ("event:9..5", 0, "The first number is after the last."),
        (
            "created:2026-13-01",
            0,
            "Times are written 2026-11-24, 2026-11-24T14:05, 7d, 24h, today; two of them with .. between.",
        ),
        ("created:2026-11-24..2026-11-01", 0, "The first time is after the last."),
    ] {
        assert_eq!(mistake(&cast, "mara", text).await, (at, why.to_owned()), "{text}");
    }
});

story!(leads_read_of_what_they_lead_alone, |world| {
    let cast = Cast::new(world).await;
    let (secret, _) = busy(&cast).await;
    let all = everything(&cast).await;
    let project = cast.project().await;
    let of_it = all.iter().rev().filter(|seen| seen.leaf.subject.project.as_ref() == Some(&project.id));
    let wanted: Vec<i64> = of_it.map(|seen| seen.leaf.seq as i64).collect();
    assert_eq!(found(&cast, "teodor", "").await, wanted, "teodor leads this project alone");
    let within = found(&cast, "teodor", "-outcome:nothing".replace("nothing", "failed").as_str()).await;
    assert_eq!(within, wanted, "no query leads out of it");
    assert!(found(&cast, "teodor", "ip:203.0.113.9").await.is_empty());
    assert!(!found(&cast, "teodor", &format!("secret:{secret}")).await.is_empty());
    assert!(
        Reading::of(&cast.console, &cast.caller("jonas").await).await.unwrap().is_none(),
        "a member reads none of it"
    );
});

story!(one_page_looks_so_far_and_says_so, |world| {
    let cast = Cast::new(world).await;
    cast.filled("db/one", Tier::Staging, Class::Normal).await;
    let refused = cast.events().await;
    assert!(
        cast.take("jonas", &cast.filled("db/two", Tier::Staging, Class::Normal).await, Take::Reveal).await.is_err()
    );
    let machine = Who::system("heartbeat");
    let mut waits = tokio::task::JoinSet::new();
    for _ in 0..21_000 {
        let (ledger, who) = (cast.console.ledger.clone(), machine.clone());
        waits.spawn(async move { ledger.observe(&who, Event::new(Action::Heartbeat)).await });
    }
    while let Some(done) = waits.join_next().await {
        done.unwrap().unwrap();
    }
    // No index says more than the order: what is looked at is bounded, and the page says how far.
    let filter = filter_for(&cast, "mara", "-actor:system").await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let page = filter.page(&mut db, None, 50).await.unwrap();
    assert!(page.rows.is_empty() && !page.complete, "20,000 entries are all system");
    assert_eq!(filter.to - page.looked_to, 20_000);
    let next = filter.page(&mut db, Some(page.looked_to), 50).await.unwrap();
    assert!(!next.rows.is_empty() && next.looked_to < page.looked_to);
    drop(db);
    // One with an index finds it at once.
    let filter = filter_for(&cast, "mara", "actor:jonas outcome:refused").await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let page = filter.page(&mut db, None, 50).await.unwrap();
    assert!(page.complete && page.rows.iter().any(|row| row.seq as u64 >= refused));
    // Where a time begins is the same whatever came later.
    let rows = store::stored(&mut db, 0, 40).await.unwrap();
    for row in &rows {
        let place = store::first_at(&mut db, row.at).await.unwrap();
        assert!(place as i64 <= row.seq);
        assert!(rows[place as usize].at >= row.at && (place == 0 || rows[place as usize - 1].at < row.at));
    }
});

story!(views_are_ones_own_or_a_teams, |world| {
    let cast = Cast::new(world).await;
    let (mara, ewa, iris) = (cast.caller("mara").await, cast.caller("ewa").await, cast.caller("iris").await);
    let save = |caller, name: &'static str, query: &'static str, team: Option<String>| {
        let console = cast.console.clone();
        async move { views::save_view(&console, caller, name, query, team.as_deref()).await }
    };
    save(&mara, "Refusals", "outcome:refused  created:7d", None).await.unwrap();
    for (name, query, field) in
        [("", "ip:1.1.1.1", "name"), ("x", "", "q"), ("x", "nope:1", "q"), ("a\nb", "x", "name")]
    {
        let error = save(&mara, name, query, None).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(ref fields) if fields[0].field == field), "{name} {query}: {error:?}");
    }
    let foreign = save(&mara, "x", "x", Some(cast.team.clone())).await;
    assert!(matches!(foreign, Err(Error::Invalid(_))) || mara.teams.contains(&cast.team));
    let own = views::visible(&mut cast.console.db().unseen().read().await.unwrap(), &mara).await.unwrap();
    assert_eq!((own.len(), own[0].query.as_str()), (1, "outcome:refused created:7d"));
    assert!(
        views::visible(&mut cast.console.db().unseen().read().await.unwrap(), &ewa).await.unwrap().is_empty(),
        "nobody else's"
    );
    let stolen = views::remove_view(&cast.console, &ewa, &own[0].id).await;
    assert_eq!(stolen.err(), Some(Error::Refused(Refusal::NotYours)));
    if iris.teams.contains(&cast.team) {
        save(&iris, "Team's", "outcome:failed", Some(cast.team.clone())).await.unwrap();
        let shared = views::visible(&mut cast.console.db().unseen().read().await.unwrap(), &iris).await.unwrap();
        assert_eq!(shared.len(), 1);
    }
    views::remove_view(&cast.console, &mara, &own[0].id).await.unwrap();
    assert!(views::visible(&mut cast.console.db().unseen().read().await.unwrap(), &mara).await.unwrap().is_empty());
    assert_eq!(cast.last_event().await.action, "view.removed");
});

story!(the_page_answers_every_query, |world| {
    let (cast, router) = site(world).await;
    busy(&cast).await;
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    for (address, status, wanted) in [
        ("/audit", 200, "events in the tree"),
        ("/audit?q=actor%3Ajonas+outcome%3Arefused", 200, "Jonas"),
        ("/audit?q=acter%3Ax", 422, "Did you mean actor?"),
        ("/audit?q=project%3Anone", 422, "There is no project none here."),
        ("/audit?zone=Europe%2FZurich", 200, "Europe/Zurich"),
        ("/audit?zone=Mars%2FBase", 422, "No time zone has this name."),
        ("/audit?q=%22%3Cscript%3E%22", 200, "No event matches"),
        ("/audit?q=created%3A24h&event=3", 200, "Around this event"),
        ("/audit?event=99999999", 200, "events in the tree"),
        ("/audit/3", 200, "In the tree"),
    ] {
        let page = mara.get(address).await;
        assert_eq!(page.status, status, "{address}");
        assert!(page.text.contains(wanted), "{address}: {wanted}");
        assert!(!page.text.contains("<script>\""), "{address}");
    }
    let long = mara.get(&format!("/audit?q={}", "x".repeat(3_000))).await;
    assert_eq!(long.status, 422);
    let offers = mara.get("/audit/suggest?text=action%3Areve&cursor=11").await;
    assert!(offers.text.contains("secret.revealed"), "{}", offers.text);
    let fresh = mara.get("/audit/new?q=actor%3Ajonas&from=0").await;
    assert!(fresh.text.contains("new events"), "{}", fresh.text);
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    for address in ["/audit", "/audit/new", "/audit/suggest?text=a&cursor=1", "/audit?q=actor%3Airis"] {
        assert_eq!(jonas.get(address).await.status, 403, "{address}");
    }
});
