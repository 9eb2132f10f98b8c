//! What loosens takes two: proposals, who confirms them, and what happens when the world moves on.
use crate::{
    cast::Cast,
    http::{Browser, site},
    story,
};
use app::{
    controls::model::{Outcome, WAITS},
    error::{Conflict, Error, Refusal},
    policies::model::Role,
};
use axum::http::StatusCode;
use chrono::TimeDelta;
use server::{
    controls::{self, Submitted, store},
    people,
};

fn refused<T>(why: Refusal) -> Result<T, Error> {
    Err(Error::Refused(why))
}

/// A company older than its founding week.
async fn grown(cast: &Cast) {
    cast.world.clock.advance(TimeDelta::days(8));
}

async fn proposed(cast: &Cast, login: &str, role: Role) -> String {
    let anna = cast.caller("anna").await;
    match people::assign_role(&cast.console, &anna, cast.id(login), role, None, None).await.unwrap() {
        Submitted::Waits { id, .. } => id,
        Submitted::Done(_) => panic!("it loosens"),
    }
}

async fn row(cast: &Cast, id: &str) -> store::Proposal {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    store::find(&mut db, id, cast.console.seal_key()).await.unwrap().unwrap()
}

async fn confirm(cast: &Cast, login: &str, id: &str) -> Result<(), Error> {
    let digest = row(cast, id).await.digest;
    controls::confirm_change(&cast.console, &cast.caller(login).await, id, &digest).await.map(|_| ())
}

async fn roles(cast: &Cast, login: &str) -> Vec<String> {
    cast.caller(login).await.roles.into_iter().map(|row| row.role).collect()
}

story!(a_role_waits_for_somebody_else, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let id = proposed(&cast, "jonas", Role::Lead).await;
    assert!(roles(&cast, "jonas").await.is_empty(), "nothing acts yet");
    assert_eq!(confirm(&cast, "anna", &id).await, refused(Refusal::OwnChange), "the proposer");
    assert_eq!(confirm(&cast, "jonas", &id).await, refused(Refusal::NoRule), "whoever gains");
    assert_eq!(confirm(&cast, "iris", &id).await, refused(Refusal::NoRule), "a lead");
    let wrong = controls::confirm_change(&cast.console, &cast.caller("mara").await, &id, "another digest").await;
    assert_eq!(wrong.err(), Some(Error::Refused(Refusal::WorldChanged)));
    confirm(&cast, "mara", &id).await.unwrap();
    assert_eq!(roles(&cast, "jonas").await, ["lead"]);
    assert_eq!(confirm(&cast, "ewa", &id).await, refused(Refusal::NotOpen), "once");
    let role = cast.caller("jonas").await.roles[0].clone();
    assert_eq!(
        role.given_by.as_deref(),
        Some(cast.id("anna")),
        "anna gave it, and counts as one with jonas for a week"
    );
    // Taking it away tightens: at once, by one.
    people::remove_role(&cast.console, &cast.caller("anna").await, &role.id).await.unwrap();
    assert!(roles(&cast, "jonas").await.is_empty());
    let checked = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert_eq!(checked.wrong, Vec::<String>::new());
});

story!(whoever_gains_does_not_confirm_even_as_security, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let id = proposed(&cast, "mara", Role::Admin).await;
    assert_eq!(confirm(&cast, "mara", &id).await, refused(Refusal::OwnChange));
    confirm(&cast, "ewa", &id).await.unwrap();
});

story!(a_new_pair_of_hands_is_no_second_person, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let anna = cast.caller("anna").await;
    // Anna makes Lucia an administrator with Mara's help; Lucia owes Anna the role and is new.
    let id = proposed(&cast, "lucia", Role::Admin).await;
    confirm(&cast, "mara", &id).await.unwrap();
    let next = proposed(&cast, "jonas", Role::Lead).await;
    assert_eq!(confirm(&cast, "lucia", &next).await, refused(Refusal::LinkedAccounts));
    cast.world.clock.advance(TimeDelta::days(7));
    let next = proposed(&cast, "teodor", Role::Security).await;
    confirm(&cast, "lucia", &next).await.unwrap();
    // An account that was set up anew by the proposer counts as the proposer's.
    people::reset_password(&cast.console, &anna, cast.id("mara")).await.unwrap();
    let next = proposed(&cast, "jonas", Role::Security).await;
    assert_eq!(confirm(&cast, "mara", &next).await, refused(Refusal::LinkedAccounts));
    confirm(&cast, "ewa", &next).await.unwrap();
});

story!(it_is_declined_with_a_reason_withdrawn_or_expires, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let (anna, mara) = (cast.caller("anna").await, cast.caller("mara").await);
    let id = proposed(&cast, "jonas", Role::Lead).await;
    let digest = row(&cast, &id).await.digest;
    let silent = controls::decline_change(&cast.console, &mara, &id, &digest, " ").await;
    assert!(matches!(silent, Err(Error::Invalid(_))));
    let secret = controls::decline_change(&cast.console, &mara, &id, &digest, "AKIAIOSFODNN7EXAMPLE").await;
    assert!(matches!(secret, Err(Error::Invalid(_))), "nothing that looks like a secret");
    controls::decline_change(&cast.console, &mara, &id, &digest, "Not before the review.").await.unwrap();
    assert_eq!(row(&cast, &id).await.outcome(cast.console.now()), Some(Outcome::Declined));
    assert_eq!(confirm(&cast, "ewa", &id).await, refused(Refusal::NotOpen));
    let id = proposed(&cast, "jonas", Role::Lead).await;
    let theirs = controls::withdraw_change(&cast.console, &mara, &id).await;
    assert_eq!(theirs.err(), Some(Error::Refused(Refusal::NoRule)));
    controls::withdraw_change(&cast.console, &anna, &id).await.unwrap();
    let id = proposed(&cast, "jonas", Role::Lead).await;
    cast.world.clock.advance(WAITS);
    assert_eq!(confirm(&cast, "mara", &id).await, refused(Refusal::NotOpen), "expired, recorded or not");
    assert_eq!(controls::expire_changes(&cast.console).await, Ok(1));
    assert_eq!(controls::expire_changes(&cast.console).await, Ok(0));
    assert!(roles(&cast, "jonas").await.is_empty());
});

story!(a_proposal_for_a_world_that_moved_on_does_nothing, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let anna = cast.caller("anna").await;
    let first = proposed(&cast, "jonas", Role::Lead).await;
    assert_eq!(proposed(&cast, "jonas", Role::Lead).await, first, "asked twice is proposed once");
    let until = Some(cast.console.now() + TimeDelta::days(9));
    let shorter = people::assign_role(&cast.console, &anna, cast.id("jonas"), Role::Lead, None, until).await.unwrap();
    let Submitted::Waits { id: second, .. } = shorter else { panic!("it loosens") };
    confirm(&cast, "mara", &first).await.unwrap();
    assert_eq!(confirm(&cast, "mara", &second).await, refused(Refusal::WorldChanged));
    assert_eq!(row(&cast, &second).await.outcome(cast.console.now()), Some(Outcome::Overtaken));
    // The person is gone, or the proposer is.
    let gone = proposed(&cast, "lucia", Role::Lead).await;
    people::disable_person(&cast.console, &anna, cast.id("lucia")).await.unwrap();
    assert_eq!(confirm(&cast, "mara", &gone).await, refused(Refusal::WorldChanged));
    let again = people::enable_person(&cast.console, &anna, cast.id("lucia")).await.unwrap();
    let Submitted::Waits { id, .. } = again else { panic!("opening an account loosens") };
    confirm(&cast, "ewa", &id).await.unwrap();
    assert!(cast.person("lucia").await.is_active());
});

story!(two_who_confirm_at_once_do_it_once, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let id = proposed(&cast, "jonas", Role::Lead).await;
    let digest = row(&cast, &id).await.digest;
    let (mara, ewa) = (cast.caller("mara").await, cast.caller("ewa").await);
    let (one, other) = crate::support::together(
        controls::confirm_change(&cast.console, &mara, &id, &digest),
        controls::confirm_change(&cast.console, &ewa, &id, &digest),
    )
    .await;
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
    assert_eq!(roles(&cast, "jonas").await, ["lead"]);
});

story!(a_new_member_of_a_team_waits_also_before_it_keeps_anything, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let anna = cast.caller("anna").await;
    let (idle, _) = people::create_team(&cast.console, &anna, "idle", "Idle").await.unwrap();
    let added = people::add_member(&cast.console, &anna, &idle, cast.id("anna")).await.unwrap();
    let Submitted::Waits { id, .. } = added else { panic!("a workload may come to it later") };
    confirm(&cast, "mara", &id).await.unwrap();
    let again = people::add_member(&cast.console, &anna, &idle, cast.id("anna")).await;
    assert!(matches!(again, Err(Error::Conflict(Conflict::AlreadyDone))));
});

story!(a_role_ends_on_its_day_and_its_end_moves_only_nearer_alone, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let anna = cast.caller("anna").await;
    let until = |days| Some(cast.console.now() + TimeDelta::days(days));
    let give = |until| people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Auditor, None, until);
    assert!(matches!(give(until(-1)).await, Err(Error::Invalid(_))), "a day that is over");
    let Submitted::Waits { id, .. } = give(until(30)).await.unwrap() else { panic!("it loosens") };
    confirm(&cast, "mara", &id).await.unwrap();
    let end = cast.caller("lucia").await.roles[0].valid_to;
    assert!(matches!(give(end).await, Err(Error::Conflict(Conflict::AlreadyDone))));
    assert!(matches!(give(until(10)).await.unwrap(), Submitted::Done(_)), "nearer");
    assert!(matches!(give(until(20)).await.unwrap(), Submitted::Waits { .. }), "further");
    assert!(matches!(give(None).await.unwrap(), Submitted::Waits { .. }), "for good");
    assert_eq!(roles(&cast, "lucia").await, ["auditor"]);
    cast.world.clock.advance(TimeDelta::days(10));
    assert!(roles(&cast, "lucia").await.is_empty(), "over by itself, whatever ran");
});

story!(one_alone_acts_alone_and_everybody_hears_of_it, |world| {
    let cast = Cast::new(world).await;
    let anna = cast.caller("anna").await;
    // In the first week everybody owes their role to Anna: nobody is independent.
    let given = people::assign_role(&cast.console, &anna, cast.id("jonas"), Role::Lead, None, None).await.unwrap();
    assert!(matches!(given, Submitted::Done(_)));
    let event = cast.last_event().await;
    let leaf = app::audit::leaf::Leaf::decode(&event.leaf).unwrap();
    assert_eq!(leaf.detail.get("alone"), Some(&true.into()));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert!(server::notifications::store::count_unread(&mut db, cast.id("mara")).await.unwrap() > 0);
});

story!(the_page_shows_what_it_loosens_and_who_confirms, |world| {
    let (cast, router) = site(world).await;
    grown(&cast).await;
    let mut anna = Browser::signed_in(&cast, &router, "anna").await;
    let path = format!("/people/{}/roles", cast.id("jonas"));
    let sent = anna.post(&path, &[("role", "lead"), ("project", cast.project.as_str()), ("until", "")]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    let to = sent.headers["location"].to_str().unwrap().to_owned();
    assert!(to.starts_with("/controls/ctl_"), "{to}");
    assert!(anna.get(&to).await.text.contains("Withdraw it"));
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    assert!(mara.get("/inbox").await.text.contains("Make Jonas Engineer Lead of payments"));
    let page = mara.get(&to).await.text;
    for part in
        ["Make Jonas Engineer Lead of payments", "Ewa Security", "proposed it, or gains by it", "Confirm: it acts now"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    assert_eq!(jonas.get(&to).await.status, StatusCode::OK, "it is about him");
    assert_eq!(jonas.get("/controls").await.status, StatusCode::FORBIDDEN);
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    assert_eq!(lucia.get(&to).await.status, StatusCode::NOT_FOUND);
    let id = to.trim_start_matches("/controls/").to_owned();
    let digest = row(&cast, &id).await.digest;
    let answer = |answer, comment| [("digest", digest.as_str()), ("answer", answer), ("comment", comment)];
    let silent = mara.post(&format!("{to}/decide"), &answer("decline", "")).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = mara.post(&format!("{to}/decide"), &answer("confirm", "")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(mara.get(&to).await.text.contains("Confirmed, in effect"));
    assert!(mara.get(&format!("/people/{}", cast.id("jonas"))).await.text.contains("Lead of payments"));
    // A day that is none loses nothing.
    let odd = anna.post(&path, &[("role", "lead"), ("project", ""), ("until", "soon")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
});

story!(whoever_removes_the_others_is_not_alone_by_that, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let anna = cast.caller("anna").await;
    people::disable_person(&cast.console, &anna, cast.id("mara")).await.unwrap();
    for role in cast.caller("ewa").await.roles {
        people::remove_role(&cast.console, &anna, &role.id).await.unwrap();
    }
    proposed(&cast, "jonas", Role::Security).await;
    assert!(roles(&cast, "jonas").await.is_empty(), "nobody is there to confirm it: it waits");
    assert!(matches!(
        people::enable_person(&cast.console, &anna, cast.id("mara")).await.unwrap(),
        Submitted::Waits { .. }
    ));
    cast.world.clock.advance(TimeDelta::days(7));
    let given = people::assign_role(&cast.console, &anna, cast.id("jonas"), Role::Security, None, None).await.unwrap();
    assert!(matches!(given, Submitted::Done(_)), "a single person is not locked out for ever");
});

story!(an_alias_of_whoever_gains_is_no_second_person, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let anna = cast.caller("anna").await;
    // Mara becomes an administrator, invites a puppet, and has Anna propose it.
    let id = proposed(&cast, "mara", Role::Admin).await;
    confirm(&cast, "ewa", &id).await.unwrap();
    cast.world.clock.advance(TimeDelta::days(8));
    let mara = cast.caller("mara").await;
    let (puppet, link, _) = people::invite_person(&cast.console, &mara, "puppet", "A Puppet").await.unwrap();
    let password = zeroize::Zeroizing::new(crate::cast::PASSWORD.to_owned());
    people::use_link(&cast.console, &server::audit::event::Who::anonymous(), &link, password).await.unwrap();
    let given = people::assign_role(&cast.console, &anna, &puppet, Role::Lead, None, None).await.unwrap();
    let Submitted::Waits { id, .. } = given else { panic!("it loosens") };
    assert_eq!(confirm(&cast, "mara", &id).await, refused(Refusal::LinkedAccounts));
    // Another link by somebody else does not erase that she made the account.
    people::reset_password(&cast.console, &anna, &puppet).await.unwrap();
    assert_eq!(confirm(&cast, "mara", &id).await, refused(Refusal::LinkedAccounts));
    confirm(&cast, "ewa", &id).await.unwrap();
});

story!(a_proposal_ends_with_its_proposers_role, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let id = proposed(&cast, "lucia", Role::Admin).await;
    confirm(&cast, "mara", &id).await.unwrap();
    cast.world.clock.advance(TimeDelta::days(8));
    let lucia = cast.caller("lucia").await;
    let given = people::assign_role(&cast.console, &lucia, cast.id("jonas"), Role::Lead, None, None).await.unwrap();
    let Submitted::Waits { id, .. } = given else { panic!("it loosens") };
    let anna = cast.caller("anna").await;
    people::remove_role(&cast.console, &anna, &lucia.roles[0].id).await.unwrap();
    assert_eq!(confirm(&cast, "mara", &id).await, refused(Refusal::WorldChanged));
});

story!(proposals_of_one_person_do_not_drown_the_others, |world| {
    let cast = Cast::new(world).await;
    grown(&cast).await;
    let anna = cast.caller("anna").await;
    let give = |days| {
        let until = Some(cast.console.now() + TimeDelta::days(days));
        people::assign_role(&cast.console, &anna, cast.id("jonas"), Role::Lead, None, until)
    };
    for days in 1..=20 {
        give(days).await.unwrap();
    }
    assert_eq!(give(21).await.err(), Some(Error::Refused(Refusal::ManyProposals)));
});

story!(the_last_administrator_does_not_expire, |world| {
    let cast = Cast::new(world).await;
    let anna = cast.caller("anna").await;
    let until = Some(cast.console.now() + TimeDelta::days(1));
    let ends = people::assign_role(&cast.console, &anna, cast.id("anna"), Role::Admin, None, until).await;
    assert!(matches!(ends, Err(Error::Invalid(_))));
    // One who will not be there tomorrow is not the one who stays.
    people::assign_role(&cast.console, &anna, cast.id("lucia"), Role::Admin, None, until).await.unwrap();
    let role = anna.roles.iter().find(|row| row.role == "admin").unwrap();
    let taken = people::remove_role(&cast.console, &anna, &role.id).await;
    assert_eq!(taken.err(), Some(Error::Refused(Refusal::LastAdministrator)));
});
