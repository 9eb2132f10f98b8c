//! Protection levels: stricter at once, looser by two; what follows everywhere; drift between environments.
use crate::{
    cast::Cast,
    http::{Browser, site},
    policies::{confirm, grown},
    story,
    workloads::{machine, token},
};
use app::{
    error::{Conflict, Error, Refusal},
    explain::model::Verdict,
    levels::model::{Level, Reveal},
    policies::model::{Class, Right, Tier},
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{catalog::Located, console::Console, controls::Submitted, explain, levels, people, vault::Take};

async fn set(cast: &Cast, login: &str, level: Level) -> Result<Submitted, Error> {
    levels::set_level(&cast.console, &cast.caller(login).await, level).await
}

async fn tightened(cast: &Cast, level: Level) {
    assert!(matches!(set(cast, "anna", level).await.unwrap(), Submitted::Done(_)), "stricter acts at once");
}

fn refused(why: Refusal) -> Error {
    Error::Refused(why)
}

story!(stricter_acts_at_once_and_looser_takes_two, |world| {
    let cast = grown(world).await;
    let staging = Level::built_in(Tier::Staging);
    assert_eq!(set(&cast, "mara", staging).await.err(), Some(refused(Refusal::NoRule)), "administrators alone");
    assert_eq!(set(&cast, "anna", staging).await.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    let strict = Level { grant_minutes: 60, token_minutes: 5, ..staging };
    tightened(&cast, strict).await;
    let level = || async {
        cast.caller("anna").await;
        cast.console.level(Tier::Staging)
    };
    assert_eq!(level().await, strict);
    // One setting stricter and one looser is looser, as a whole.
    let mixed = Level { grant_minutes: 30, token_minutes: 10, ..staging };
    let Submitted::Waits { id, .. } = set(&cast, "anna", mixed).await.unwrap() else { panic!() };
    assert_eq!(level().await, strict);
    assert_eq!(confirm(&cast, "anna", &id).await, Err(refused(Refusal::OwnChange)));
    confirm(&cast, "mara", &id).await.unwrap();
    assert_eq!(level().await, mixed);
    // What the world became overtakes what was proposed for another one.
    let Submitted::Waits { id, .. } = set(&cast, "anna", staging).await.unwrap() else { panic!() };
    tightened(&cast, Level { grant_minutes: 20, ..mixed }).await;
    assert_eq!(confirm(&cast, "mara", &id).await, Err(refused(Refusal::WorldChanged)));
    let wrong = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong;
    assert_eq!(wrong, Vec::<String>::new());
    // Out of bounds at its field.
    for (level, field) in [
        (Level { signers: 0, ..Level::built_in(Tier::Production) }, "signers"),
        (Level { critical_signers: 1, signers: 2, ..staging }, "critical_signers"),
        (Level { grant_minutes: 5, ..staging }, "grant_minutes"),
        (Level { rotate_days: 0, ..staging }, "rotate_days"),
        (Level { token_minutes: 600, ..staging }, "token_minutes"),
    ] {
        let Err(Error::Invalid(fields)) = set(&cast, "anna", level).await else { panic!() };
        assert_eq!(fields[0].field, field);
    }
});

story!(another_replica_follows_and_a_forged_row_stops, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    cast.granted("lucia", &secret, 600).await;
    let other = Console::new(&cast.world.instance, "Test").unwrap();
    let take = async || {
        let person = cast.person("lucia").await;
        let who = server::audit::event::Who::anonymous();
        let lucia = people::Caller::load(&other, person, people::Entry::Direct, who).await?;
        server::vault::take_value(&other, &lucia, &secret, Take::Reveal, "testing").await.map(|_| ())
    };
    take().await.unwrap();
    tightened(&cast, Level { reveal: Reveal::Copied, ..Level::built_in(Tier::Staging) }).await;
    assert_eq!(take().await, Err(refused(Refusal::CopyOnly)));
    cast.take("lucia", &secret, Take::Copy).await.unwrap();
    tightened(&cast, Level { reveal: Reveal::Nobody, ..Level::built_in(Tier::Staging) }).await;
    assert_eq!(take().await, Err(refused(Refusal::NoPerson)));
    assert_eq!(cast.take("lucia", &secret, Take::Copy).await, Err(refused(Refusal::NoPerson)));
    // What is explained is what happens here too.
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let place = Located::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    let whom = explain::Whom::Person(cast.person("lucia").await);
    let said = explain::explain(&cast.console, &cast.caller("mara").await, &whom, &place).await.unwrap();
    let reveal = said.acts.iter().find(|act| act.action == app::audit::action::Action::RevealSecret).unwrap();
    assert_eq!(reveal.verdict, Verdict::No(Refusal::NoPerson));
    // The database's owner lets people read again: nothing is decided until somebody looks.
    cast.world.as_database_owner(&["UPDATE levels SET reveal = 'shown' WHERE valid_to IS NULL"]).await;
    let third = Console::new(&cast.world.instance, "Test").unwrap();
    let person = cast.person("lucia").await;
    let who = server::audit::event::Who::anonymous();
    assert!(people::Caller::load(&third, person, people::Entry::Direct, who).await.is_err());
});

story!(the_services_own_work_follows_and_the_past_keeps_its_measure, |world| {
    let cast = grown(world).await;
    let other = Console::new(&cast.world.instance, "Test").unwrap();
    let before = cast.console.now();
    cast.world.clock.advance(TimeDelta::hours(1));
    let strict = Level { rotate_days: 30, dead_hours: 12, ..Level::built_in(Tier::Staging) };
    tightened(&cast, strict).await;
    // Nobody visits the other replica: its own work learns of it all the same.
    assert_eq!(other.level(Tier::Staging), Level::built_in(Tier::Staging));
    server::jobs::run_due(&other).await.unwrap();
    assert_eq!(other.level(Tier::Staging), strict);
    // A case that began before is measured by the target of then, whatever is set since.
    assert_eq!(other.level_at(Tier::Staging, before), Level::built_in(Tier::Staging));
    assert_eq!(other.level_at(Tier::Staging, other.now()), strict);
});

story!(what_a_level_says_holds_everywhere, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    let staging = Level::built_in(Tier::Staging);
    // A request that waits under other terms is asked again; access that was given keeps its end.
    let waiting = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let held = cast.granted("lucia", &secret, 600).await;
    tightened(&cast, Level { grant_minutes: 120, signers: 2, critical_signers: 2, token_minutes: 5, ..staging }).await;
    assert_eq!(cast.approve("teodor", &waiting).await, Err(refused(Refusal::WorldChanged)));
    assert_eq!(cast.request(&waiting).await.outcome.as_deref(), Some("voided"));
    assert!(cast.holds("lucia", &secret).await, "{held}");
    // No longer than the level gives, and by as many as it asks.
    let Err(Error::Invalid(fields)) = cast.ask("jonas", &secret, Right::Read, 121).await else { panic!() };
    assert_eq!(fields[0].field, "minutes");
    let request = cast.ask("jonas", &secret, Right::Read, 120).await.unwrap();
    assert_eq!(cast.request(&request).await.policy, "staging:2");
    cast.approve("teodor", &request).await.unwrap();
    assert!(!cast.holds("jonas", &secret).await);
    cast.approve("ewa", &request).await.unwrap();
    assert!(cast.holds("jonas", &secret).await);
    // Tokens live as long as it says.
    let worker = machine(&cast, "worker", Tier::Staging).await;
    let bearer = token(&cast, &worker).await.unwrap();
    cast.world.clock.advance(TimeDelta::minutes(6));
    let fetched = crate::workloads::fetch(&cast, &bearer, "staging", "db/url").await;
    assert_eq!(fetched, Err(refused(Refusal::BadToken)));
    // Given by rule, where two agreed that it may be.
    let by_rule = Level { signers: 0, critical_signers: 0, ..Level::built_in(Tier::Test) };
    let Submitted::Waits { id, .. } = set(&cast, "anna", by_rule).await.unwrap() else { panic!() };
    confirm(&cast, "mara", &id).await.unwrap();
    let open = cast.filled("db/url", Tier::Test, Class::Critical).await;
    let request = cast.ask("jonas", &open, Right::Read, 60).await.unwrap();
    assert_eq!(cast.request(&request).await.policy, "test:0");
    assert!(cast.holds("jonas", &open).await);
});

story!(levels_are_set_on_their_page, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let mut anna = Browser::signed_in(&cast, &router, "anna").await;
    let page = anna.get("/levels").await;
    for words in ["8 hours", "one lead and one security", "Change"] {
        assert!(page.text.contains(words), "{words}");
    }
    let form = |minutes: &'static str, signers: &'static str| {
        [
            ("grant_minutes", minutes),
            ("signers", signers),
            ("critical_signers", "1"),
            ("reveal", "shown"),
            ("rotate_days", "90"),
            ("dead_hours", "96"),
            ("token_minutes", "15"),
        ]
    };
    let wrong = anna.post("/levels/staging", &form("much", "1")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("This is not a number.") && wrong.text.contains("much"), "nothing is lost");
    assert_eq!(anna.post("/levels/staging", &form("60", "1")).await.status, StatusCode::SEE_OTHER);
    let page = anna.get("/levels/staging").await;
    assert!(page.text.contains("Longest grant of a person: 3 days → 1 hour"), "history");
    // The band above every page of the level says so.
    let secret = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    let page = anna.get(&format!("/secrets/{secret}")).await;
    assert!(page.text.contains("grants last at most 1 hour and need one lead"));
    // Looser: what waits is shown to whoever confirms, setting by setting.
    assert_eq!(anna.post("/levels/staging", &form("60", "0")).await.status, StatusCode::SEE_OTHER);
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    let list = mara.get("/inbox").await;
    let at = list.text.find("/controls/ctl_").unwrap();
    let page = mara.get(&list.text[at..at + "/controls/ctl_".len() + 26]).await;
    for words in ["Set what holds at the protection level Staging", "given by rule"] {
        assert!(page.text.contains(words), "{words}");
    }
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    assert_eq!(lucia.get("/levels").await.status, StatusCode::OK, "everybody reads what governs them");
    assert_eq!(lucia.post("/levels/staging", &form("61", "1")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(lucia.get("/levels/elsewhere").await.status, StatusCode::NOT_FOUND);
});

story!(drift_between_environments_is_shown, |world| {
    let (cast, router) = site(world).await;
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    let page = iris.get("/projects/payments/drift").await;
    assert!(page.text.contains("No drift"), "nothing yet");
    for tier in Tier::ALL {
        cast.filled("same/everywhere", *tier, Class::Normal).await;
    }
    cast.filled("only/staging", Tier::Staging, Class::High).await;
    cast.filled("weaker/here", Tier::Staging, Class::High).await;
    cast.filled("weaker/here", Tier::Production, Class::Low).await;
    let page = iris.get("/projects/payments/drift").await;
    assert!(page.text.contains("only/staging") && page.text.contains("lower class where it matters more"));
    assert!(!page.text.contains("same/everywhere"));
    let page = iris.get("/projects/payments/drift?what=weaker").await;
    let table = &page.text[page.text.find("<tbody").unwrap()..];
    assert!(table.contains("weaker/here") && !table.contains("only/staging"), "narrowed");
    let sheet = iris.get("/projects/payments/drift?format=csv").await;
    assert!(sheet.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert!(sheet.text.contains("only/staging,missing,missing,missing,there,missing\r\n"), "{}", sheet.text);
    assert!(!sheet.text.contains(crate::cast::CANARY));
});
