//! Sign-in, sessions, links, roles: who gets in, and how that ends.
use crate::{
    cast::{Cast, PASSWORD},
    http::{Browser, site},
    story,
};
use app::{
    error::{Conflict, Error, Refusal},
    people::model::session_limits,
    policies::model::Role,
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{
    audit::{event::Who, search::Reading},
    people::{self, store},
};
use zeroize::Zeroizing;

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

fn origin() -> Who {
    Who { address: Some("10.0.0.1".into()), ..Who::anonymous() }
}

async fn sign_in(cast: &Cast, login: &str, password: &str, browser: u8) -> Result<store::Session, Error> {
    let person = people::check_password(&cast.console, &origin(), login, secret(password), None).await?;
    people::open_session(&cast.console, &origin(), &person, "password", vec![browser; 32])
        .await
        .map(|(session, _)| session)
}

async fn is_in(cast: &Cast, browser: u8) -> bool {
    people::recognise(&cast.console, origin(), &[browser; 32]).await.unwrap().is_some()
}

story!(unknown_names_answer_like_wrong_passwords, |world| {
    let cast = Cast::new(world).await;
    assert!(sign_in(&cast, "Mara ", PASSWORD, 1).await.is_ok(), "one spelling, however it is typed");
    for (login, password) in [("mara", "wrong"), ("nobody", PASSWORD), ("", ""), ("mara\u{200b}", PASSWORD)] {
        assert_eq!(
            sign_in(&cast, login, password, 2).await.err(),
            Some(Error::Refused(Refusal::WrongCredentials)),
            "{login:?}"
        );
    }
    assert!(!is_in(&cast, 2).await);
});

story!(guessing_is_slowed_for_a_minute, |world| {
    let cast = Cast::new(world).await;
    for _ in 0..10 {
        assert_eq!(sign_in(&cast, "mara", "wrong", 1).await.err(), Some(Error::Refused(Refusal::WrongCredentials)));
    }
    assert_eq!(sign_in(&cast, "MARA", PASSWORD, 1).await.err(), Some(Error::Refused(Refusal::TooManyAttempts)));
    cast.world.clock.advance(TimeDelta::seconds(61));
    assert!(sign_in(&cast, "mara", PASSWORD, 1).await.is_ok(), "nobody is locked out for ever");
});

story!(sessions_end_by_themselves_sooner_for_those_who_could_do_more, |world| {
    let cast = Cast::new(world).await;
    let mut browser = 0;
    for (login, deciding) in [("jonas", false), ("iris", false), ("mara", true), ("anna", true)] {
        let limits = session_limits(if deciding { &[Role::Admin] } else { &[Role::Member] });
        browser += 2;
        sign_in(&cast, login, PASSWORD, browser).await.unwrap();
        cast.world.clock.advance(limits.idle);
        assert!(!is_in(&cast, browser).await, "{login}: idle");
        sign_in(&cast, login, PASSWORD, browser + 1).await.unwrap();
        let step = limits.idle - TimeDelta::minutes(5);
        let steps = (limits.longest - TimeDelta::minutes(1)).num_minutes() / step.num_minutes();
        for _ in 0..steps {
            cast.world.clock.advance(step);
            assert!(is_in(&cast, browser + 1).await, "{login}: busy");
        }
        cast.world.clock.advance(limits.longest - step * i32::try_from(steps).unwrap());
        assert!(!is_in(&cast, browser + 1).await, "{login}: busy, and its longest time is over");
    }
});

story!(a_new_role_shortens_the_session_that_is_open, |world| {
    let cast = Cast::new(world).await;
    sign_in(&cast, "jonas", PASSWORD, 1).await.unwrap();
    cast.world.clock.advance(TimeDelta::minutes(40));
    assert!(is_in(&cast, 1).await);
    let anna = cast.caller("anna").await;
    people::assign_role(&cast.console, &anna, cast.id("jonas"), Role::Admin, None, None).await.unwrap();
    cast.world.clock.advance(TimeDelta::minutes(40));
    assert!(!is_in(&cast, 1).await);
});

story!(signing_out_and_ending_a_session_work_on_the_next_request, |world| {
    let cast = Cast::new(world).await;
    let first = sign_in(&cast, "mara", PASSWORD, 1).await.unwrap();
    sign_in(&cast, "mara", PASSWORD, 2).await.unwrap();
    let (jonas, mara) = (cast.caller("jonas").await, cast.caller("mara").await);
    let theirs = people::end_session(&cast.console, &jonas, &first.id).await;
    assert_eq!(theirs.err(), Some(Error::Refused(Refusal::NotYours)));
    people::end_session(&cast.console, &mara, &first.id).await.unwrap();
    assert!(!is_in(&cast, 1).await && is_in(&cast, 2).await);
    let signed = people::recognise(&cast.console, origin(), &[2; 32]).await.unwrap().unwrap();
    people::sign_out(&cast.console, &signed).await.unwrap();
    assert!(!is_in(&cast, 2).await);
});

story!(a_new_password_ends_every_other_session, |world| {
    let cast = Cast::new(world).await;
    sign_in(&cast, "mara", PASSWORD, 1).await.unwrap();
    sign_in(&cast, "mara", PASSWORD, 2).await.unwrap();
    let caller = people::recognise(&cast.console, origin(), &[2; 32]).await.unwrap().unwrap();
    let change = |former: &'static str, new: &'static str| {
        people::change_password(&cast.console, &caller, secret(former), secret(new))
    };
    assert!(matches!(change("wrong", "another four words now").await, Err(Error::Invalid(_))));
    assert!(matches!(change(PASSWORD, "short").await, Err(Error::Invalid(_))));
    change(PASSWORD, "another four words now").await.unwrap();
    assert!(!is_in(&cast, 1).await && is_in(&cast, 2).await);
    assert!(sign_in(&cast, "mara", PASSWORD, 3).await.is_err());
    assert!(sign_in(&cast, "mara", "another four words now", 3).await.is_ok());
});

story!(an_invitation_is_used_once_and_opens_nothing_before, |world| {
    let cast = Cast::new(world).await;
    let anna = cast.caller("anna").await;
    let jonas = cast.caller("jonas").await;
    let forbidden = people::invite_person(&cast.console, &jonas, "new", "New Person").await;
    assert_eq!(forbidden.err(), Some(Error::Refused(Refusal::NoRule)));
    let (_, link, _) = people::invite_person(&cast.console, &anna, "new", "New Person").await.unwrap();
    let taken = people::invite_person(&cast.console, &anna, "NEW", "Other").await;
    assert!(matches!(taken.err(), Some(Error::Invalid(_))));
    assert!(sign_in(&cast, "new", PASSWORD, 1).await.is_err(), "invited is not joined");
    people::use_link(&cast.console, &origin(), &link, secret(PASSWORD)).await.unwrap();
    let again = people::use_link(&cast.console, &origin(), &link, secret(PASSWORD)).await;
    assert_eq!(again.err(), Some(Error::Refused(Refusal::LinkUsed)));
    assert!(sign_in(&cast, "new", PASSWORD, 1).await.is_ok());
    let (_, late, _) = people::invite_person(&cast.console, &anna, "late", "Late Person").await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(72));
    let expired = people::use_link(&cast.console, &origin(), &late, secret(PASSWORD)).await;
    assert_eq!(expired.err(), Some(Error::Refused(Refusal::LinkUsed)));
});

story!(a_reset_link_ends_sessions_and_dies_with_the_account, |world| {
    let cast = Cast::new(world).await;
    sign_in(&cast, "jonas", PASSWORD, 1).await.unwrap();
    let anna = cast.caller("anna").await;
    let (link, _) = people::reset_password(&cast.console, &anna, cast.id("jonas")).await.unwrap();
    assert!(is_in(&cast, 1).await, "a link alone changes nothing");
    people::use_link(&cast.console, &origin(), &link, secret("yet another four words")).await.unwrap();
    assert!(!is_in(&cast, 1).await);
    let (former, _) = people::reset_password(&cast.console, &anna, cast.id("lucia")).await.unwrap();
    let (link, _) = people::reset_password(&cast.console, &anna, cast.id("lucia")).await.unwrap();
    let older = people::use_link(&cast.console, &origin(), &former, secret(PASSWORD)).await;
    assert_eq!(older.err(), Some(Error::Refused(Refusal::LinkUsed)), "a new link ends the former one");
    people::disable_person(&cast.console, &anna, cast.id("lucia")).await.unwrap();
    let disabled = people::use_link(&cast.console, &origin(), &link, secret(PASSWORD)).await;
    assert_eq!(disabled.err(), Some(Error::Refused(Refusal::LinkUsed)));
    assert!(sign_in(&cast, "lucia", PASSWORD, 2).await.is_err());
});

story!(the_last_administrator_stays, |world| {
    let cast = Cast::new(world).await;
    let anna = cast.caller("anna").await;
    let role = anna.roles.iter().find(|row| row.role == "admin").unwrap().id.clone();
    let last = Some(Error::Refused(Refusal::LastAdministrator));
    assert_eq!(people::remove_role(&cast.console, &anna, &role).await.err(), last);
    assert_eq!(people::disable_person(&cast.console, &anna, cast.id("anna")).await.err(), last);
    people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Admin, None, None).await.unwrap();
    people::remove_role(&cast.console, &anna, &role).await.unwrap();
    let again = people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Admin, None, None).await;
    assert_eq!(
        again.err(),
        Some(Error::Conflict(Conflict::AlreadyDone)),
        "a loaded caller keeps its roles for its request alone"
    );
});

story!(a_role_that_was_inserted_in_the_database_counts_for_nothing, |world| {
    let cast = Cast::new(world).await;
    let forged = if cast.world.url.is_some() { "'\\x00'::bytea" } else { "x'00'" };
    cast.world
        .as_database_owner(&[&format!(
            "INSERT INTO roles (id, person_id, role, valid_from, event_seq, row_mac) SELECT 'rol_forged', '{}', 'admin', valid_from, event_seq, {forged} FROM roles LIMIT 1",
            cast.id("jonas")
        )])
        .await;
    assert!(!cast.caller("jonas").await.is(Role::Admin));
    cast.world.as_database_owner(&["UPDATE roles SET role = 'admin' WHERE role = 'auditor'"]).await;
    assert!(!cast.caller("samir").await.is(Role::Admin));
    cast.world.as_database_owner(&["UPDATE people SET password_hash = NULL WHERE login = 'mara'"]).await;
    assert!(sign_in(&cast, "mara", PASSWORD, 1).await.is_err());
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_needs_the_printed_code() {
    let world = crate::support::World::sqlite().await;
    let console = server::console::Console::new(&world.instance, "Test").unwrap();
    let code = console.set_up.open(console.now()).unwrap();
    let nobody = Who::anonymous();
    let set_up = async |code: &str| people::set_up(&console, &nobody, code, "anna", "Anna", secret(PASSWORD)).await;
    assert!(matches!(set_up("set_wrong").await, Err(Error::Invalid(_))));
    world.clock.advance(TimeDelta::minutes(30));
    assert!(matches!(set_up(&code).await, Err(Error::Invalid(_))), "half an hour is over");
    let code = console.set_up.open(console.now()).unwrap();
    set_up(&code).await.unwrap();
    assert_eq!(set_up(&code).await.err(), Some(Error::NotFound), "there is somebody now");
}

story!(an_auditor_of_a_project_reads_its_trail_alone_and_until_the_day, |world| {
    let (cast, router) = site(world).await;
    let anna = cast.caller("anna").await;
    assert_eq!(Reading::of(&cast.console, &cast.caller("lucia").await).await, Ok(None));
    let until = Some(cast.console.now() + TimeDelta::days(14));
    people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Auditor, Some(&cast.project), until)
        .await
        .unwrap();
    let lucia = cast.caller("lucia").await;
    let reading = Reading::of(&cast.console, &lucia).await.unwrap();
    assert_eq!(reading, Some(Reading::Projects(vec![cast.project.clone()])));
    let mut browser = Browser::signed_in(&cast, &router, "lucia").await;
    let trail = browser.get("/audit").await;
    assert_eq!(trail.status, StatusCode::OK);
    assert!(browser.get("/").await.text.contains("Audit trail"), "it is in her rail");
    let elsewhere = browser.get("/audit?q=action%3Asession.started").await;
    assert!(!elsewhere.text.contains("Signed in"), "what belongs to no project is not hers to read");
    // She asks for no value while she audits.
    let secret = cast.secret("a", app::policies::model::Tier::Test, app::policies::model::Class::Low).await;
    let asked = cast.ask("lucia", &secret, app::policies::model::Right::Read, 60).await;
    assert_eq!(asked.err(), Some(Error::Refused(Refusal::NoRule)));
    cast.world.clock.advance(TimeDelta::days(14));
    assert_eq!(Reading::of(&cast.console, &cast.caller("lucia").await).await, Ok(None), "the day is over");
});

story!(people_are_filtered_and_paged_and_a_team_says_who_belongs_and_why, |world| {
    let (cast, router) = site(world).await;
    let anna = cast.caller("anna").await;
    for n in 0..120 {
        let (login, name) = (format!("z{n:03}"), format!("Zed {n:03}"));
        people::invite_person(&cast.console, &anna, &login, &name).await.unwrap();
    }
    let mut browser = Browser::signed_in(&cast, &router, "anna").await;
    let first = browser.get("/people").await.text;
    assert!(first.contains("Anna Admin") && first.contains("Zed 091") && !first.contains("Zed 092"), "a hundred");
    let next = first.split("href=\"/people?after=").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = browser.get(&format!("/people?after={next}")).await.text;
    assert!(second.contains("Zed 092") && second.contains("Zed 119") && !second.contains("Zed 091"));
    assert!(!second.contains("Next people"));
    let found = browser.get("/people?q=SECURITY+ewa").await.text;
    assert!(found.contains("Ewa Security") && !found.contains("Mara Security"));
    assert!(browser.get("/people?q=nobody-at-all").await.text.contains("Nobody fits"));
    let team = format!("/teams/{}", cast.team);
    let page = browser.get(&team).await.text;
    for part in ["Iris Lead", "by hand", "payments"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let added = browser.post(&format!("{team}/members"), &[("person", cast.id("lucia"))]).await;
    assert_eq!((added.status, added.location()), (StatusCode::SEE_OTHER, team.as_str()));
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    let read = jonas.get(&team).await;
    assert!(read.status == StatusCode::OK && !read.text.contains("Add to the team"));
    assert_eq!(jonas.get("/teams/tea_01m846kxs0e8kbcf2tpy8vep2a").await.status, StatusCode::NOT_FOUND);
});
