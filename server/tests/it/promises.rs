//! Attacks that once succeeded. Each is tried as it was; what the product promises holds.
use crate::{
    cast::{Cast, PASSWORD},
    http::{Browser, site},
    story,
    workloads::machine,
};
use app::{
    error::{Conflict, Error, Refusal},
    id::CorrelationId,
    policies::model::{Class, Right, Tier},
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{
    audit::event::Who,
    catalog, people,
    requests::{self, Ask},
    workloads,
};
use std::sync::Arc;

fn refused(refusal: Refusal) -> Error {
    Error::Refused(refusal)
}

fn from(address: &str) -> Who {
    Who { address: Some(address.into()), ..Who::anonymous() }
}

story!(a_secret_that_is_renamed_while_it_is_asked_for_is_asked_for_again, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("app/harmless", Tier::Production, Class::Normal).await;
    let iris = cast.caller("iris").await;
    // Renamed, approved under the new name, renamed back.
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let digest = cast.request(&request).await.digest;
    catalog::move_secret(&cast.console, &iris, &secret, "app/signing-key").await.unwrap();
    let teodor = cast.caller("teodor").await;
    let answer = requests::approve_request(&cast.console, &teodor, &request, &digest, "").await;
    assert_eq!(answer.err(), Some(Error::Conflict(Conflict::TooLate)));
    catalog::move_secret(&cast.console, &iris, &secret, "app/harmless").await.unwrap();
    assert_eq!(cast.request(&request).await.outcome.as_deref(), Some("voided"));
    assert!(!cast.holds("jonas", &secret).await);
    // The same with its description, and with its class, which somebody else has to confirm where it falls.
    for (description, class) in [("The key of everything.", Class::Normal), ("The key of everything.", Class::High)] {
        let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let seen = catalog::store::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap().event_seq;
        drop(db);
        catalog::edit_secret(&cast.console, &iris, &secret, seen, description, class).await.unwrap();
        assert_eq!(cast.request(&request).await.outcome.as_deref(), Some("voided"), "{description} {class:?}");
    }
    // An edit that changes nothing leaves it.
    let request = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let seen = catalog::store::find(&mut db, &secret, cast.console.seal_key()).await.unwrap().unwrap().event_seq;
    drop(db);
    catalog::edit_secret(&cast.console, &iris, &secret, seen, "The key of everything.", Class::High).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    assert!(cast.holds("jonas", &secret).await);
    crate::rotations::is_whole(&cast).await;
});

// A name that was changed behind the operations' back, or by a version that does not end requests: the digest says so.
story!(what_an_approver_read_is_part_of_the_digest, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("app/harmless", Tier::Production, Class::Normal).await;
    let one = cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let request = cast.request(&one).await;
    assert_eq!(request.digest, request.compute_digest());
    let shown = Some(app::requests::model::shown(vec![]));
    assert_ne!(requests::store::Request { shown, ..request.clone() }.compute_digest(), request.digest);
    let without = requests::store::Request { shown: None, ..request.clone() };
    assert_ne!(without.compute_digest(), request.digest, "a request of before keeps its own digest");
});

story!(two_who_approve_each_other_at_the_same_instant, |world| {
    let cast = Arc::new(Cast::new(world).await);
    for round in 0..6 {
        let (first, second) = (format!("a{round}"), format!("b{round}"));
        let first = cast.secret(&first, Tier::Production, Class::Normal).await;
        let second = cast.secret(&second, Tier::Production, Class::Normal).await;
        let asked_by_iris = cast.ask("iris", &first, Right::Read, 60).await.unwrap();
        let asked_by_teodor = cast.ask("teodor", &second, Right::Read, 60).await.unwrap();
        let (one, other) = (cast.clone(), cast.clone());
        let one = tokio::spawn(async move { one.approve("teodor", &asked_by_iris).await });
        let other = tokio::spawn(async move { other.approve("iris", &asked_by_teodor).await });
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        let good = usize::from(one.is_ok()) + usize::from(other.is_ok());
        assert!(good <= 1, "round {round}: {one:?} {other:?}");
        assert!(round > 0 || good == 1, "one of them decides: {one:?} {other:?}");
        cast.world.clock.advance(TimeDelta::hours(25));
    }
});

story!(no_chain_of_requests_is_longer_than_the_limit, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("db/password", Tier::Production, Class::Normal).await;
    let most = cast.console.level(Tier::Production).longest_for(false) * 2;
    let begun = cast.console.now();
    let mut given = 0;
    // Eight hours each, asked for seven hours apart.
    for _ in 0..5 {
        let Ok(request) = cast.ask("jonas", &secret, Right::Read, 480).await else { break };
        cast.approve("iris", &request).await.unwrap();
        given += 1;
        cast.world.clock.advance(TimeDelta::hours(7));
    }
    assert_eq!(given, 2, "sixteen hours in one piece, of which two are at most eight each");
    // And with later beginnings: all asked for first, then approved.
    let other = cast.secret("db/other", Tier::Production, Class::Normal).await;
    let lucia = cast.caller("lucia").await;
    let mut asked = Vec::new();
    for n in 0..5 {
        let form = cast.console.id::<CorrelationId>().unwrap().to_string();
        let starts_at = cast.console.now() + TimeDelta::minutes(1) + TimeDelta::hours(7 * n);
        let ask = Ask {
            secrets: vec![other.clone()],
            right: Right::Read,
            minutes: 480,
            reason: "TICKET-1",
            workload: None,
            starts_at: Some(starts_at),
            form: &form,
        };
        asked.push(requests::submit_request(&cast.console, &lucia, ask).await.unwrap().0);
    }
    let mut refusals = Vec::new();
    for request in &asked {
        refusals.extend(cast.approve("iris", request).await.err());
    }
    assert_eq!(refusals.first(), Some(&refused(Refusal::OnePiece)), "{refusals:?}");
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let held = server::grants::Holder::Person(cast.id("lucia"));
    let grants = server::grants::store::ever_on(&mut db, held, &other, 50, cast.console.seal_key()).await.unwrap();
    let spans: Vec<_> = grants.iter().filter_map(server::grants::store::Grant::held).collect();
    for span in &spans {
        let (first, last) = app::grants::model::joined(&spans, *span);
        assert!(last - first <= most, "{spans:?}");
    }
    assert!(cast.console.now() > begun);
});

story!(strangers_lock_nobody_out, |world| {
    let (cast, router) = site(world).await;
    let mut known = Browser::signed_in(&cast, &router, "anna").await;
    let secret = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    // 72 requests in 200 seconds, for half an hour, from a dozen addresses.
    for n in 0..640 {
        let origin = from(&format!("198.51.100.{}", n % 12));
        let tried = people::check_password(&cast.console, &origin, "anna", secret("not her password"), None).await;
        assert!(tried.is_err());
        cast.world.clock.advance(TimeDelta::milliseconds(2_770));
    }
    let elsewhere = from("203.0.113.9");
    let owner = people::check_password(&cast.console, &elsewhere, "anna", secret(PASSWORD), None).await;
    assert_eq!(owner.map(|person| person.login), Ok("anna".into()), "from an address that did nothing");
    // And in the browser that she used before, even from an address that is loud.
    assert_eq!(known.post("/sign-out", &[]).await.status, StatusCode::SEE_OTHER);
    let answer = known.post("/sign-in", &[("login", "anna"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    // Such a browser has a budget of its own, and it is one.
    known.put_away();
    assert_eq!(known.post("/sign-out", &[]).await.status, StatusCode::SEE_OTHER);
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        last = known.post("/sign-in", &[("login", "anna"), ("password", "a wrong guess of hers")]).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
});

story!(ones_present_password_cannot_be_guessed_in_a_session, |world| {
    let cast = Cast::new(world).await;
    let jonas = cast.caller("jonas").await;
    let secret = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    let guess = async || {
        let new = secret("another five ordinary words");
        people::change_password(&cast.console, &jonas, secret("a guess"), new).await.err()
    };
    for _ in 0..10 {
        assert!(matches!(guess().await, Some(Error::Invalid(_))));
    }
    assert_eq!(guess().await, Some(refused(Refusal::TooManyAttempts)));
    let at_the_door = people::check_password(&cast.console, &from("10.0.0.1"), "jonas", secret(PASSWORD), None).await;
    assert!(at_the_door.is_ok(), "its owner still signs in");
});

story!(wrong_client_secrets_shut_out_no_workload, |world| {
    let cast = Cast::new(world).await;
    let machine = machine(&cast, "deployer", Tier::Production).await;
    let origin = from("10.0.0.1");
    for _ in 0..40 {
        let wrong = people::passwords::bearer("csc").unwrap();
        assert!(workloads::issue_token(&cast.console, &origin, &wrong).await.is_err());
    }
    assert!(workloads::issue_token(&cast.console, &origin, &machine.secret).await.is_ok());
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_do_not_block_the_first_set_up() {
    let world = crate::support::World::sqlite().await;
    let console = server::console::Console::new(&world.instance, "Test").unwrap();
    let code = console.set_up.open(console.now()).unwrap();
    let secret = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    for n in 0..30 {
        let origin = from(&format!("10.0.0.{}", n % 3));
        let _ = people::check_password(&console, &origin, "set-up", secret("x"), None).await;
        assert!(people::set_up(&console, &origin, "set_wrong", "a", "A", secret(PASSWORD)).await.is_err());
    }
    people::set_up(&console, &from("10.0.0.1"), &code, "anna", "Anna", secret(PASSWORD)).await.unwrap();
}

story!(one_engineer_reads_no_production_value_alone, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("card/key", Tier::Production, Class::Critical).await;
    let (iris, jonas) = (cast.caller("iris").await, cast.caller("jonas").await);
    let (project, environment) = (cast.project().await, cast.environment(Tier::Production));
    let made = workloads::create_workload(&cast.console, &iris, &project, environment, "w", "W", &cast.team).await;
    let workload = made.unwrap().0;
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let ask = Ask {
        secrets: vec![secret.clone()],
        right: Right::Read,
        minutes: 60 * 24 * 30,
        reason: "It signs.",
        workload: Some(&workload),
        starts_at: None,
        form: &form,
    };
    let (request, ..) = requests::submit_request(&cast.console, &iris, ask).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    cast.approve("mara", &request).await.unwrap();
    // A member of the owning team issues a client secret, and has it. It opens nothing.
    let issued = workloads::issue_credential(&cast.console, &jonas, &workload, TimeDelta::days(30)).await.unwrap();
    let fetch = async || {
        let token = workloads::issue_token(&cast.console, &from("10.0.0.1"), &issued.secret).await?.token;
        let origin = from("10.0.0.1");
        let (project, place) = ("payments", "production");
        let taken = workloads::fetch_secret(&cast.console, &origin, &token, project, place, "card/key").await?;
        Ok::<_, Error>(taken.version)
    };
    assert_eq!(fetch().await, Err(refused(Refusal::BadToken)));
    let knows = async |login: &str| {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        server::vault::store::known_to(&mut db, cast.id(login)).await.unwrap().contains(&secret)
    };
    assert!(!knows("jonas").await);
    let change = issued.waits_for.clone().unwrap();
    use crate::workloads::second;
    assert_eq!(second(&cast, "jonas", &change).await, Err(refused(Refusal::NoRule)));
    assert_eq!(second(&cast, "iris", &change).await, Err(refused(Refusal::NoRule)));
    // Whoever belongs to the team gains by it, whatever else they are.
    let anna = cast.caller("anna").await;
    let joins = people::add_member(&cast.console, &anna, &cast.team, cast.id("ewa")).await.unwrap();
    if let server::controls::Submitted::Waits { id, .. } = joins {
        second(&cast, "mara", &id).await.unwrap();
    }
    assert_eq!(second(&cast, "ewa", &change).await, Err(refused(Refusal::OwnBenefit)));
    second(&cast, "mara", &change).await.unwrap();
    assert_eq!(fetch().await, Ok(1));
    assert!(knows("jonas").await, "whoever issued it could fetch as well");
    // What is written later too.
    let writing = cast.ask("iris", &secret, Right::Write, 60).await.unwrap();
    cast.approve("teodor", &writing).await.unwrap();
    cast.approve("mara", &writing).await.unwrap();
    cast.write("iris", &secret, 1, "another value").await.unwrap();
    assert_eq!(fetch().await, Ok(2));
    assert!(knows("jonas").await);
    // A leaver takes nothing along: what they issued or made for others ends with their account, in the same change.
    people::disable_person(&cast.console, &anna, cast.id("jonas")).await.unwrap();
    assert_eq!(fetch().await, Err(refused(Refusal::BadToken)));
    crate::rotations::is_whole(&cast).await;
});

story!(a_link_ends_with_the_account_of_whoever_made_it, |world| {
    let cast = Cast::new(world).await;
    let anna = cast.caller("anna").await;
    let (_, link, _) = people::invite_person(&cast.console, &anna, "nora", "Nora New").await.unwrap();
    assert!(people::find_link(&cast.console, &link).await.is_ok());
    people::assign_role(&cast.console, &anna, cast.id("teodor"), app::policies::model::Role::Admin, None, None)
        .await
        .unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let waiting = server::controls::store::open(&mut db, cast.console.now(), cast.console.seal_key()).await.unwrap();
    drop(db);
    for row in waiting {
        crate::workloads::second(&cast, "mara", &row.id).await.unwrap();
    }
    people::disable_person(&cast.console, &cast.caller("mara").await, cast.id("anna")).await.unwrap();
    assert_eq!(people::find_link(&cast.console, &link).await.err(), Some(refused(Refusal::LinkUsed)));
    crate::rotations::is_whole(&cast).await;
});

story!(a_private_project_is_not_opened_from_the_database, |world| {
    let cast = Cast::new(world).await;
    let anna = cast.caller("anna").await;
    let new = catalog::NewProject { slug: "hidden", name: "Hidden", description: "", open: false, team: &cast.team };
    catalog::create_project(&cast.console, &anna, new).await.unwrap();
    let lucia = cast.caller("lucia").await;
    let sees = async || {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        catalog::visible_projects(&cast.console, &mut db, &lucia).await.unwrap().iter().any(|row| row.slug == "hidden")
    };
    assert!(!sees().await);
    cast.world.as_database_owner(&["UPDATE projects SET is_open = (1 = 1) WHERE slug = 'hidden'"]).await;
    assert!(!sees().await, "what was changed past the service opens nothing");
    let state = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert!(state.wrong.iter().any(|wrong| wrong.starts_with("projects: ")), "{:?}", state.wrong);
});

story!(a_report_is_handed_to_nobody_else, |world| {
    use server::reports::{self, Wanted};
    let cast = Cast::new(world).await;
    let samir = cast.caller("samir").await;
    let wanted = Wanted {
        kind: app::reports::model::Kind::Events,
        format: app::reports::model::Format::Csv,
        query: "",
        zone: "UTC",
        redacted: false,
        raw: false,
        sample: 0,
        nonce: "",
    };
    let (id, _) = reports::start_export(&cast.console, &samir, wanted).await.unwrap();
    while reports::run_due(&cast.console).await.unwrap() > 0 {}
    let (iris, samir) = (cast.id("iris"), cast.id("samir"));
    for (forged, back) in [
        (format!("owner_id = '{iris}'"), format!("owner_id = '{samir}'")),
        ("scope = 'prj_other'".into(), "scope = ''".into()),
        ("as_of = as_of + 1".into(), "as_of = as_of - 1".into()),
    ] {
        cast.world.as_database_owner(&[&format!("UPDATE report_jobs SET {forged}")]).await;
        let mut db = cast.console.db().unseen().read().await.unwrap();
        assert!(reports::store::find(&mut db, &id).await.unwrap().is_none(), "{forged}");
        assert!(reports::store::of_person(&mut db, iris, 10).await.unwrap().is_empty());
        drop(db);
        cast.world.as_database_owner(&[&format!("UPDATE report_jobs SET {back}")]).await;
    }
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(reports::store::find(&mut db, &id).await.unwrap().is_some());
});

story!(contradictions_without_end_are_counted_and_the_first_named, |world| {
    let (cast, router) = site(world).await;
    let copies = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
                  INSERT INTO memberships (id, team_id, person_id, valid_from, event_seq, row_mac) \
                  SELECT id || '_' || i, team_id, person_id, valid_from, event_seq, row_mac FROM n, \
                  (SELECT * FROM memberships ORDER BY id LIMIT 1) AS one";
    cast.world.as_database_owner(&[copies]).await;
    let mut trail = server::audit::state::Trail::of(cast.console.seal_key().clone());
    server::audit::state::watch(&cast.console, &mut trail).await.unwrap();
    let found = cast.console.found.borrow().checked.clone();
    assert_eq!((found.count(), found.wrong.len()), (3000, 1000));
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    let log = mara.get("/log").await.text;
    assert!(log.contains("3000 contradictions") && log.contains("The first 50 of 3000."), "{log}");
});

story!(a_row_that_was_put_back_opens_nothing, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let held = server::grants::Holder::Person(cast.id("jonas"));
    let key = cast.console.seal_key();
    let grant = server::grants::store::ever_on(&mut db, held, &secret, 1, key).await.unwrap().remove(0);
    drop(db);
    server::grants::revoke_grant(&cast.console, &cast.caller("mara").await, &grant.id).await.unwrap();
    assert!(!cast.holds("jonas", &secret).await);
    let mut trail = server::audit::state::Trail::of(cast.console.seal_key().clone());
    server::audit::state::watch(&cast.console, &mut trail).await.unwrap();
    assert!(cast.console.found.borrow().checked.wrong.is_empty());
    let hex = app::audit::tree::hex;
    let mac: [u8; 32] = grant.row_mac.clone().try_into().unwrap();
    let mac = if cast.world.url.is_some() { format!("'\\x{}'", hex(&mac)) } else { format!("x'{}'", hex(&mac)) };
    cast.world
        .as_database_owner(&[&format!(
            "UPDATE grants SET revoked_at = NULL, revoked_by = NULL, event_seq = {}, row_mac = {mac} WHERE id = '{}'",
            grant.event_seq, grant.id
        )])
        .await;
    // The trail was heard: no comparison is waited for.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(!cast.holds("jonas", &secret).await, "its seal holds, and it is not what its last event wrote");
    server::audit::state::watch(&cast.console, &mut trail).await.unwrap();
    // It is told, and the service is not ready.
    let found = cast.console.found.borrow().checked.wrong.clone();
    assert!(found.len() == 1 && found[0].contains("wrote it last"), "{found:?}");
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    let ready = mara.get("/readyz").await;
    assert!(ready.status == StatusCode::SERVICE_UNAVAILABLE && ready.text.contains("\"state\":\"failing\""));
    assert!(mara.get("/notices").await.text.contains("contradict the trail"));
    let log = mara.get("/log").await.text;
    assert!(log.contains("1 contradiction") && log.contains("wrote it last") && log.contains(&grant.id), "{log}");
    // A reader of some projects does not see rows of the others.
    let lucia = Browser::signed_in(&cast, &router, "lucia").await.get("/log").await;
    assert!(!lucia.text.contains(&grant.id));
});

/// Bytes as the database writes them in a statement.
pub fn blob(cast: &Cast, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if cast.world.url.is_some() { format!("'\\x{hex}'") } else { format!("x'{hex}'") }
}

async fn roles(cast: &Cast, login: &str) -> Vec<server::people::store::RoleRow> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let now = cast.console.now();
    server::people::store::roles_of(&mut db, cast.id(login), now, cast.console.seal_key()).await.unwrap()
}

/// Makes Jonas an administrator by a row that names an event, with a seal that holds.
pub async fn forged_administrator(cast: &Cast, event: i64) {
    let samir = roles(cast, "samir").await.remove(0);
    let mut row = samir.clone();
    (row.id, row.person_id) = ("rol_01m846kxs0e8kbcf2tpy8vep2a".into(), cast.id("jonas").into());
    (row.role, row.event_seq) = ("admin".into(), event);
    let fields = serde_json_canonicalizer::to_vec(&row).unwrap();
    let seal = server::keys::mac(cast.console.seal_key(), &[b"roles".as_slice(), &event.to_be_bytes(), &fields]);
    let insert = format!(
        "INSERT INTO roles (id, person_id, role, given_by, valid_from, event_seq, row_mac) \
         SELECT '{}', '{}', 'admin', given_by, valid_from, {event}, {} FROM roles WHERE id = '{}'",
        row.id,
        row.person_id,
        blob(cast, &seal),
        samir.id
    );
    cast.world.as_database_owner(&[&insert]).await;
}

/// A trail that is read from its beginning, as after a start.
async fn started(cast: &Cast) -> server::audit::state::Trail {
    let mut trail = server::audit::state::Trail::of(cast.console.seal_key().clone());
    server::audit::state::watch(&cast.console, &mut trail).await.unwrap();
    trail
}

// What an aborted change leaves behind in dead rows, or an epoch that was lost in a restore, has a seal that holds.
story!(a_sealed_row_that_no_event_names_opens_nothing, |world| {
    let cast = Cast::new(world).await;
    let samir = roles(&cast, "samir").await.remove(0);
    assert_eq!(samir.role, "auditor");
    forged_administrator(&cast, samir.event_seq).await;
    assert!(roles(&cast, "jonas").await.iter().any(|row| row.role == "admin"), "its seal holds");
    started(&cast).await;
    assert!(roles(&cast, "jonas").await.iter().all(|row| row.role != "admin"), "and no event says so");
    let found = cast.console.found.borrow().checked.wrong.clone();
    assert!(found.len() == 1 && found[0].contains("says nothing of it"), "{found:?}");
});

story!(what_cannot_be_read_blinds_nobody, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    let grant = cast.granted("jonas", &secret, 60).await;
    let mut trail = started(&cast).await;
    // An event far behind the head: the trail is read as far as the head, and no further.
    let far = if cast.world.url.is_some() { "'\\x31'" } else { "1" };
    let poison = format!(
        "INSERT INTO audit_events (seq, leaf, at, action, outcome, actor_kind, seal) \
         SELECT 4000000000000000, {far}, at, 'x', 'allowed', 'system', {} FROM audit_events WHERE seq = 0",
        blob(&cast, &[0])
    );
    cast.world.as_database_owner(&[&poison]).await;
    server::audit::state::watch(&cast.console, &mut trail).await.unwrap();
    let key = cast.console.builder.verifier();
    let report = server::audit::verify::run(cast.console.db(), &key, Default::default(), false).await.unwrap();
    assert!(report.lines().iter().any(|line| line.contains("beyond the ledger's head")), "{:?}", report.lines());
    if cast.world.url.is_none() {
        // A row of a sealed table that is no row at all: the others are compared all the same.
        cast.world
            .as_database_owner(&[
                "UPDATE memberships SET valid_from = 'not a time' WHERE id = (SELECT MIN(id) FROM memberships)",
                "UPDATE people SET name = 'Forged Name' WHERE login = 'jonas'",
            ])
            .await;
        server::audit::state::watch(&cast.console, &mut trail).await.unwrap();
        let found = cast.console.found.borrow().checked.wrong.clone();
        assert!(
            found.iter().any(|line| line.starts_with("memberships: ") && line.contains("cannot be read")),
            "{found:?}"
        );
        assert!(found.iter().any(|line| line.starts_with("people: ") && line.contains("fails its seal")), "{found:?}");
        assert_eq!(Browser::new(&router).get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
        // A trail that is not there at all: the page does not go on showing the last comparison alone.
        cast.world.as_database_owner(&["ALTER TABLE ledger_head RENAME TO taken_away"]).await;
        assert!(server::audit::state::watch(&cast.console, &mut trail).await.is_err());
        assert!(cast.console.found.borrow().trouble.is_some());
        cast.world.as_database_owner(&["ALTER TABLE taken_away RENAME TO ledger_head"]).await;
        let log = Browser::signed_in(&cast, &router, "mara").await.get("/log").await.text;
        assert!(log.contains("The rows cannot be compared now"), "{log}");
        server::audit::state::watch(&cast.console, &mut trail).await.unwrap();
        assert!(cast.console.found.borrow().trouble.is_none());
    }
    assert!(server::grants::revoke_grant(&cast.console, &cast.caller("mara").await, &grant).await.is_ok());
});

// An event that was taken out, and the row as it was before it: noticed at the next start, whatever the tiles say.
story!(a_trail_with_a_hole_opens_nothing, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Staging, Class::Normal).await;
    let beat = server::audit::event::Event::new(app::audit::action::Action::Heartbeat);
    cast.console.ledger.observe(&server::audit::event::Who::system("test"), beat).await.unwrap();
    let events = cast.events().await;
    let grant = cast.granted("iris", &secret, 60).await;
    cast.console.builder.build().await.unwrap();
    cast.world.without_triggers().await;
    cast.world
        .as_database_owner(&[
            &format!("DELETE FROM audit_disclosures WHERE seq = {}", events - 1),
            &format!("DELETE FROM audit_events WHERE seq = {}", events - 1),
        ])
        .await;
    started(&cast).await;
    let found = cast.console.found.borrow().checked.wrong.clone();
    assert!(found[0].contains(&format!("event {} is missing", events - 1)), "{found:?}");
    assert!(cast.console.builder.signed().forked);
    // Nothing is opened; acts that close go on, and so does reading the trail.
    assert_eq!(cast.take("iris", &secret, server::vault::Take::Reveal).await.err(), Some(Error::Unavailable));
    assert_eq!(Browser::new(&router).get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let mut samir = Browser::signed_in(&cast, &router, "samir").await;
    assert_eq!(samir.get("/audit").await.status, StatusCode::OK);
    server::grants::revoke_grant(&cast.console, &cast.caller("mara").await, &grant).await.unwrap();
});

// A comment that was put in the place of another is not shown as the words of a signed event; nor does a column
// decide who may read an event: its leaf does.
story!(beside_an_event_stands_what_it_said, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/password", Tier::Production, Class::Normal).await;
    cast.ask("jonas", &secret, Right::Read, 60).await.unwrap();
    let event = cast.events().await - 1;
    let mut samir = Browser::signed_in(&cast, &router, "samir").await;
    let page = samir.get(&format!("/audit?event={event}")).await.text;
    assert!(page.contains("TICKET-1"), "{page}");
    cast.world.without_triggers().await;
    cast.world
        .as_database_owner(&[
            &format!("UPDATE audit_disclosures SET value = 'FORGED' WHERE seq = {event}"),
            &format!("UPDATE audit_events SET project_id = 'prj_other', actor_id = 'per_other' WHERE seq = {event}"),
        ])
        .await;
    for path in [format!("/audit?event={event}"), format!("/audit/{event}"), "/audit".into()] {
        let page = samir.get(&path).await.text;
        assert!(!page.contains("FORGED") && !page.contains("prj_other") && !page.contains("per_other"), "{path}");
    }
    let row = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        server::audit::store::find(&mut db, event).await.unwrap().unwrap()
    };
    assert_eq!(row.project_id.as_deref(), Some(cast.project.as_str()));
});

// What a browser is in the middle of is its own: nobody writes another purpose into it.
story!(a_browsers_record_is_read_by_this_service_alone, |world| {
    use server::db::Sql;
    let (cast, router) = site(world).await;
    Browser::signed_in(&cast, &router, "iris").await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let kept: Vec<(String,)> = db.sql("SELECT data FROM browser_sessions").all().await.unwrap();
    assert!(!kept.is_empty() && kept.iter().all(|(data,)| serde_json::from_str::<serde_json::Value>(data).is_err()));
});

story!(a_value_that_works_stands_in_no_text, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.secret("app/key", Tier::Staging, Class::Normal).await;
    cast.write("iris", &secret, 0, "correct horse battery staple").await.unwrap();
    let other = cast.secret("app/other", Tier::Staging, Class::Normal).await;
    cast.write("iris", &other, 0, "hunter2-and-more").await.unwrap();
    let ask = async |reason: &str| {
        let form = cast.console.id::<CorrelationId>().unwrap().to_string();
        let ask = Ask {
            secrets: vec![secret.clone()],
            right: Right::Read,
            minutes: 60,
            reason,
            workload: None,
            starts_at: None,
            form: &form,
        };
        requests::submit_request(&cast.console, &cast.caller("jonas").await, ask).await.map(|_| ())
    };
    for reason in [
        "it was hunter2-and-more, I think",
        "password=hunter2-and-more",
        "we use correct horse battery staple here",
        "my token is csp_0123456789abcdefghijkl",
        "csl_0123456789abcdefghijkl",
        // As it stands in connection strings, addresses and commands.
        "postgres://app:hunter2-and-more@host/db does not answer",
        "https://host/x?token=hunter2-and-more&y=1",
        "mysql -phunter2-and-more",
        "**hunter2-and-more**",
        "curl -ucsp_0123456789abcdefghijkl:",
    ] {
        assert!(matches!(ask(reason).await, Err(Error::Invalid(fields)) if fields[0].field == "reason"), "{reason}");
    }
    ask("TICKET-1: the horse is correct").await.unwrap();
    // Everywhere where people write: a purpose, a leak, a description, the name of a view.
    let iris = cast.caller("iris").await;
    let leak = server::rotations::Leak {
        version: 1,
        detected_at: cast.console.now(),
        what: "hunter2-and-more was in a log",
        suspect: None,
    };
    let leak = server::rotations::report_leak(&cast.console, &iris, &other, leak).await;
    assert!(matches!(leak, Err(Error::Invalid(_))), "{:?}", leak.err());
    let samir = cast.caller("samir").await;
    let view = server::audit::views::save_view(&cast.console, &samir, "hunter2-and-more", "", None);
    assert!(matches!(view.await, Err(Error::Invalid(_))));
    let view = server::audit::views::save_view(&cast.console, &samir, "Mine", "hunter2-and-more", None);
    assert!(matches!(view.await, Err(Error::Invalid(fields)) if fields[0].field == "q"));
    // And what people, teams, tokens and policies are called, and what a policy says.
    let anna = cast.caller("anna").await;
    let named = server::people::invite_person(&cast.console, &anna, "new.one", "hunter2-and-more").await.err();
    assert!(matches!(named, Some(Error::Invalid(fields)) if fields[0].field == "name"));
    let named = server::people::create_team(&cast.console, &anna, "team", "hunter2-and-more").await.err();
    assert!(matches!(named, Some(Error::Invalid(fields)) if fields[0].field == "name"));
    let scopes = [app::people::tokens::Scope::ReadAccess];
    let life = TimeDelta::days(1);
    let named =
        server::people::create_access_token(&cast.console, &iris, "hunter2-and-more", &scopes, life).await.err();
    assert!(matches!(named, Some(Error::Invalid(fields)) if fields[0].field == "name"));
    for (name, text, field) in [
        ("hunter2-and-more", "forbid (principal, action, resource);", "name"),
        ("Mine", "// hunter2-and-more\nforbid (principal, action, resource);", "text"),
    ] {
        let typed = server::policies::documents::Typed { slug: "mine", name, text, seen: 0 };
        let kept = server::policies::documents::save_draft(&cast.console, &anna, None, typed).await.err();
        assert!(matches!(kept, Some(Error::Invalid(fields)) if fields[0].field == field), "{field}");
    }
});

story!(names_of_what_is_private_are_told_to_nobody, |world| {
    let (cast, router) = site(world).await;
    let anna = cast.caller("anna").await;
    let (team, _) = people::create_team(&cast.console, &anna, "ops", "Ops").await.unwrap();
    let new = catalog::NewProject { slug: "hidden", name: "Hidden", description: "", open: false, team: &team };
    let (hidden, _) = catalog::create_project(&cast.console, &anna, new).await.unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let project = catalog::store::find_project(&mut db, &hidden).await.unwrap().unwrap();
    let key = cast.console.seal_key();
    let places = catalog::store::environments(&mut db, &hidden, key).await.unwrap();
    drop(db);
    people::assign_role(&cast.console, &anna, cast.id("teodor"), app::policies::model::Role::Lead, Some(&hidden), None)
        .await
        .unwrap();
    let mut db = cast.console.db().unseen().read().await.unwrap();
    for row in server::controls::store::open(&mut db, cast.console.now(), key).await.unwrap() {
        crate::workloads::second(&cast, "mara", &row.id).await.unwrap();
    }
    drop(db);
    let teodor = cast.caller("teodor").await;
    let secretive = "hidden-deployer";
    workloads::create_workload(&cast.console, &teodor, &project, &places[0], secretive, secretive, &team)
        .await
        .unwrap();
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    let page = lucia.get("/rotations/select?older=1").await;
    assert!(page.status == StatusCode::OK && !page.text.contains(secretive));
    // A workload's token tells nothing apart outside its own project.
    let worker = machine(&cast, "worker", Tier::Staging).await;
    let token = workloads::issue_token(&cast.console, &from("10.0.0.1"), &worker.secret).await.unwrap().token;
    let fetch = async |project: &str, place: &str| {
        workloads::fetch_secret(&cast.console, &from("10.0.0.1"), &token, project, place, "x").await.err()
    };
    assert_eq!(fetch("hidden", "production").await, Some(Error::NotFound));
    assert_eq!(fetch("hidden", "nowhere").await, fetch("nowhere", "production").await);
    assert_eq!(fetch("payments", "production").await, Some(refused(Refusal::OtherEnvironment)), "its own it is told");
});

// Somebody who guesses passwords keeps nobody behind the same address from the first set-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loud_address_does_not_block_the_first_set_up() {
    use axum::{body::Body, extract::ConnectInfo, http::Request};
    let world = crate::support::World::sqlite().await;
    let console = server::console::Console::new(&world.instance, "Test").unwrap();
    let code = console.set_up.open(console.now()).unwrap();
    let router = server::http::router(server::http::Site::new(console, crate::http::BASE, None, true));
    let send = async |path: &str, form: &[(&str, &str)]| {
        let from: std::net::SocketAddr = "198.51.100.7:4000".parse().unwrap();
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .extension(ConnectInfo(from))
            .body(Body::from(serde_urlencoded::to_string(form).unwrap()));
        Browser::new(&router).raw(request.unwrap()).await.status
    };
    let mut last = StatusCode::OK;
    for n in 0..40 {
        last = send("/sign-in", &[("login", &format!("name-{n}")), ("password", "wrong")]).await;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "it is loud");
    let form = [("code", code.as_str()), ("login", "anna"), ("name", "Anna"), ("new_password", PASSWORD)];
    assert_eq!(send("/set-up", &form).await, StatusCode::SEE_OTHER);
}
