//! Policies of the organisation: written, tried, confirmed by somebody else, in force on the next request, brought back.
use crate::{
    cast::{CANARY, Cast},
    http::{Browser, site},
    story,
};
use app::{
    audit::{action::Action, leaf::Leaf},
    controls::model::Change,
    error::{Error, Refusal},
    policies::{
        document::{LintKind, template},
        model::{Class, Right, Role, Tier},
    },
};
use chrono::TimeDelta;
use server::{
    console::Console,
    controls::{self, Submitted},
    people,
    policies::{
        check,
        documents::{self, Typed, document},
        organisation::{GOVERNED, Organisation},
        replay::replay,
        store,
    },
    vault::Take,
};

const NO_REVEAL: &str = r#"@id("nobody")
forbid (principal is Person, action == Action::"RevealSecret", resource in Project::"payments");
"#;

fn refused(why: Refusal) -> Error {
    Error::Refused(why)
}

async fn drafted(cast: &Cast, login: &str, slug: &str, text: &str) -> String {
    let typed = Typed { slug, name: slug, text, seen: 0 };
    documents::save_draft(&cast.console, &cast.caller(login).await, None, typed).await.unwrap().0
}

async fn proposed(cast: &Cast, login: &str, slug: &str, text: &str) -> Result<(String, String), Error> {
    let policy = drafted(cast, login, slug, text).await;
    match documents::propose(&cast.console, &cast.caller(login).await, &policy, 1).await? {
        Submitted::Waits { id, .. } => Ok((policy, id)),
        Submitted::Done(_) => panic!("every change of a policy waits"),
    }
}

pub async fn confirm(cast: &Cast, login: &str, change: &str) -> Result<(), Error> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let row = controls::store::find(&mut db, change, cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    controls::confirm_change(&cast.console, &cast.caller(login).await, change, &row.digest).await.map(|_| ())
}

/// Brings a policy into force; its id.
pub async fn in_force(cast: &Cast, slug: &str, text: &str) -> String {
    let (policy, change) = proposed(cast, "anna", slug, text).await.unwrap();
    confirm(cast, "mara", &change).await.unwrap();
    policy
}

/// A company that is no longer being founded: changes wait.
pub async fn grown(world: crate::support::World) -> Cast {
    let cast = Cast::new(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    cast
}

story!(a_policy_takes_two_and_acts_at_once_on_every_replica, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    // Another replica over the same database.
    let other = Console::new(&cast.world.instance, "Test").unwrap();
    let take = async |console: &Console| {
        let person = cast.person("jonas").await;
        let who = server::audit::event::Who::anonymous();
        let jonas = people::Caller::load(console, person, people::Entry::Direct, who).await.unwrap();
        server::vault::take_value(console, &jonas, &secret, Take::Reveal, "testing").await.map(|_| ())
    };
    take(&other).await.unwrap();
    let (policy, change) = proposed(&cast, "anna", "no-reveal", NO_REVEAL).await.unwrap();
    take(&other).await.unwrap();
    assert_eq!(confirm(&cast, "anna", &change).await, Err(refused(Refusal::OwnChange)));
    confirm(&cast, "mara", &change).await.unwrap();
    assert_eq!(take(&other).await, Err(refused(Refusal::Policy)));
    assert_eq!(take(&cast.console).await, Err(refused(Refusal::Policy)));
    let leaf = Leaf::decode(&cast.last_event().await.leaf).unwrap();
    let deciding = leaf.policy.unwrap();
    assert_eq!((deciding.id.as_str(), deciding.version), ("no-reveal/nobody", 1), "the event names rule and version");
    // Copying is not what it says, nor is another project.
    cast.take("jonas", &secret, Take::Copy).await.unwrap();
    // Out of force again, by two as well.
    let anna = cast.caller("anna").await;
    let Submitted::Waits { id, .. } = documents::remove(&cast.console, &anna, &policy).await.unwrap() else { panic!() };
    assert_eq!(take(&other).await, Err(refused(Refusal::Policy)));
    confirm(&cast, "ewa", &id).await.unwrap();
    take(&other).await.unwrap();
    take(&cast.console).await.unwrap();
    let wrong = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap().wrong;
    assert_eq!(wrong, Vec::<String>::new());
});

story!(a_newer_version_supersedes_and_an_older_one_is_brought_back, |world| {
    let cast = grown(world).await;
    let policy = in_force(&cast, "no-reveal", NO_REVEAL).await;
    let anna = cast.caller("anna").await;
    let milder = NO_REVEAL.replace("RevealSecret", "CopySecret");
    let typed = Typed { slug: "ignored", name: "no-reveal", text: &milder, seen: 0 };
    documents::save_draft(&cast.console, &anna, Some(&policy), typed).await.unwrap();
    let Submitted::Waits { id, .. } = documents::propose(&cast.console, &anna, &policy, 1).await.unwrap() else {
        panic!()
    };
    confirm(&cast, "mara", &id).await.unwrap();
    let versions =
        store::versions(&mut cast.console.db().unseen().read().await.unwrap(), &policy, cast.console.seal_key())
            .await
            .unwrap();
    assert_eq!(versions.iter().map(|row| row.version).collect::<Vec<_>>(), [2, 1]);
    assert!(versions[0].valid_to.is_none() && versions[1].valid_to.is_some() && versions[0].slug == "no-reveal");
    assert!(store::find_draft(&mut cast.console.db().unseen().read().await.unwrap(), &policy).await.unwrap().is_none());
    // The former text again is a third version; the same text as now is nothing to do.
    for (text, expected) in [(milder.as_str(), false), (NO_REVEAL, true)] {
        let typed = Typed { slug: "", name: "no-reveal", text, seen: 0 };
        documents::save_draft(&cast.console, &anna, Some(&policy), typed).await.unwrap();
        let again = documents::propose(&cast.console, &anna, &policy, 1).await;
        assert_eq!(again.is_ok(), expected, "{again:?}");
        documents::discard_draft(&cast.console, &anna, &policy).await.unwrap();
    }
});

story!(two_writers_do_not_overwrite_each_other, |world| {
    let cast = grown(world).await;
    let (anna, mara) = (cast.caller("anna").await, cast.caller("mara").await);
    let policy = drafted(&cast, "anna", "x", NO_REVEAL).await;
    let save = async |caller: &people::Caller, text: &str, seen| {
        let typed = Typed { slug: "", name: "x", text, seen };
        documents::save_draft(&cast.console, caller, Some(&policy), typed).await.map(|_| ())
    };
    save(&mara, "permit (principal, action, resource);", 1).await.unwrap();
    let late = save(&anna, NO_REVEAL, 1).await;
    assert!(
        matches!(&late, Err(Error::Invalid(fields)) if fields[0].message.contains("Somebody else saved")),
        "{late:?}"
    );
    let stale = documents::propose(&cast.console, &anna, &policy, 1).await;
    assert!(matches!(stale, Err(Error::Conflict(_))), "what is proposed is what was seen");
    let both = crate::support::together(save(&anna, NO_REVEAL, 2), save(&mara, NO_REVEAL, 2)).await;
    assert_eq!(usize::from(both.0.is_ok()) + usize::from(both.1.is_ok()), 1);
    // Two drafts under one short name.
    let typed = Typed { slug: "x", name: "y", text: NO_REVEAL, seen: 0 };
    let taken = documents::save_draft(&cast.console, &anna, None, typed).await;
    assert!(matches!(taken, Err(Error::Invalid(fields)) if fields[0].field == "slug"));
    for login in ["jonas", "iris", "samir"] {
        let typed = Typed { slug: "z", name: "z", text: NO_REVEAL, seen: 0 };
        let said = documents::save_draft(&cast.console, &cast.caller(login).await, None, typed).await.err();
        assert_eq!(said, Some(refused(Refusal::NoRule)), "{login}");
    }
});

story!(a_mistake_is_shown_where_it_is, |world| {
    let cast = grown(world).await;
    let engine = &cast.console.engine;
    for (text, line, column, says) in [
        ("permit (principal, action, resource)", 1, 37, "unexpected"),
        ("\n\npermit (principal is Persn, action, resource);", 3, 22, "Persn"),
        (
            "permit (principal is Person, action == Action::\"RevealSecret\", resource)\nwhen { context.hours > 1 };",
            2,
            8,
            "hours",
        ),
        (
            "permit (principal is Person, action == Action::\"RevealSecret\", resource)\nwhen { context.address.isInRange(ip(\"10.0.0.0/8\")) };",
            2,
            8,
            "address",
        ),
        ("forbid (principal, action == Action::\"SignOut\", resource);", 1, 1, "SignOut is not governed"),
        ("forbid (principal, action == Action::\"SetPolicy\", resource);", 1, 1, "SetPolicy is not governed"),
        ("@id(\"Bad Name\")\nforbid (principal, action, resource);", 1, 1, "one name per rule"),
        (
            "@id(\"a\") forbid (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);",
            2,
            1,
            "one name per rule",
        ),
        ("// nothing", 1, 1, "no rule"),
        ("permit (principal == ?principal, action, resource);", 1, 1, "slots"),
    ] {
        let found = check::mistakes(engine, text);
        let first = found.first().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(first.line, line, "{text}: {first:?}");
        assert!(
            first.column <= column + 40 && first.message.to_lowercase().contains(&says.to_lowercase()),
            "{text}: {first:?}"
        );
    }
    assert!(!check::mistakes(engine, &"forbid (principal, action, resource);\n".repeat(51)).is_empty());
    assert!(!check::mistakes(engine, &"/".repeat(30_000)).is_empty());
    for tier in Tier::ALL {
        assert_eq!(check::mistakes(engine, template(*tier)), [], "{tier}");
        let lints =
            check::lints(engine, &Organisation::none(), &document("t", "t", 1, template(*tier)), cast.console.now());
        assert_eq!(lints, [], "{tier}");
    }
    // Whatever the draft holds, a policy with mistakes is not proposed.
    let broken = proposed(&cast, "anna", "broken", "permit (principal, action, resource)").await.err().unwrap();
    assert!(matches!(&broken, Error::Invalid(fields) if fields[0].message.starts_with("Line 1, column")), "{broken:?}");
});

story!(what_is_probably_not_meant_is_said, |world| {
    let cast = grown(world).await;
    let kinds = |text: &str| {
        let lints =
            check::lints(&cast.console.engine, &Organisation::none(), &document("t", "t", 1, text), cast.console.now());
        lints.into_iter().map(|lint| lint.kind).collect::<Vec<_>>()
    };
    use LintKind::*;
    for (text, expected) in [
        ("permit (principal is Person, action == Action::\"CreateProject\", resource);", vec![Everyone]),
        (
            "permit (principal is Person, action == Action::\"RevealSecret\", resource) when { principal.org.contains(\"security\") && context.tier == \"production\" };",
            vec![Unapproved, ChangesNothing],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { context.hour > 30 };",
            vec![NeverMatches],
        ),
        (
            "forbid (principal is Person, action == Action::\"RevealSecret\", resource) when { context.tier == \"production\" && context.class == \"critical\" };",
            vec![ChangesNothing],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { context.hour > 20 };",
            vec![],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { context.hour * 9223372036854775807 > 9 };",
            vec![Fails],
        ),
        (
            "permit (principal is Person, action == Action::\"CreateProject\", resource) when { principal.org.contains(\"security\") };",
            vec![],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { principal.org.contains(\"auditor\") };",
            vec![PastAuditors],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { principal.org.containsAny([\"auditor\", \"past-auditor\"]) };",
            vec![],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { principal.org.contains(\"past-auditor\") };",
            vec![],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) unless { principal.org.contains(\"auditor\") };",
            vec![],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { principal.here.contains(\"auditor\") };",
            vec![PastAuditors],
        ),
        (
            "forbid (principal is Person, action == Action::\"StartExport\", resource) when { context.new_factor };",
            vec![],
        ),
    ] {
        assert_eq!(kinds(text), expected, "{text}");
    }
});

story!(nobody_locks_everybody_out, |world| {
    let cast = grown(world).await;
    for text in [
        "forbid (principal, action, resource);",
        "forbid (principal is Person, action == Action::\"AssignRole\", resource);",
        "forbid (principal is Person, action == Action::\"AssignRole\", resource) when { context.loosens };",
        "forbid (principal is Person, action in [Action::\"AssignRole\", Action::\"AddMember\"], resource) unless { context.groups.contains(\"nobody\") };",
        "forbid (principal is Person, action == Action::\"InvitePerson\", resource) when { context.hour < 24 };",
    ] {
        let slug = format!("lock-{}", text.len());
        let said = proposed(&cast, "anna", &slug, text).await.err();
        assert_eq!(said, Some(refused(Refusal::LocksOut)), "{text}");
    }
    // At night alone, or for security alone, there is a way back.
    for text in [
        "forbid (principal is Person, action == Action::\"AssignRole\", resource) when { context.hour < 6 };",
        "forbid (principal is Person, action == Action::\"AssignRole\", resource) when { principal.org.contains(\"security\") };",
    ] {
        proposed(&cast, "anna", &format!("fine-{}", text.len()), text).await.unwrap();
    }
});

story!(two_policies_at_once_lock_nobody_out_together, |world| {
    let cast = grown(world).await;
    // Each leaves half a day in which roles can be given: both together leave none.
    let mut changes = Vec::new();
    for (slug, half) in [("not-mornings", "context.hour < 12"), ("not-evenings", "context.hour >= 12")] {
        let text =
            format!("forbid (principal is Person, action == Action::\"AssignRole\", resource) when {{ {half} }};");
        changes.push(proposed(&cast, "anna", slug, &text).await.unwrap().1);
    }
    let (one, two) =
        crate::support::together(confirm(&cast, "mara", &changes[0]), confirm(&cast, "ewa", &changes[1])).await;
    let mut said = [one, two];
    said.sort_by_key(Result::is_err);
    assert_eq!(said, [Ok(()), Err(refused(Refusal::LocksOut))]);
    let mut db = cast.console.db().unseen().read().await.unwrap();
    assert_eq!(store::in_force(&mut db, cast.console.seal_key()).await.unwrap().len(), 1);
});

story!(a_permit_never_passes_a_built_in_rule, |world| {
    let cast = grown(world).await;
    in_force(
        &cast,
        "everything",
        "permit (principal, action, resource) when { principal.org.contains(\"member\") || principal.org.isEmpty() };",
    )
    .await;
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    // Without a grant no value, whatever a policy says; separation of duties stands; auditors hold nothing.
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await, Err(refused(Refusal::NoGrant)));
    let request = cast.ask("teodor", &secret, Right::Read, 60).await.unwrap();
    if cast.request(&request).await.ended_at.is_none() {
        assert_eq!(cast.approve("teodor", &request).await, Err(refused(Refusal::OwnRequest)));
    }
    let said = cast.ask("samir", &secret, Right::Read, 60).await.err();
    assert_eq!(said, Some(refused(Refusal::NoRule)));
    // What it does allow, it allows: here, projects made by anybody.
    let new = server::catalog::NewProject { slug: "own", name: "own", description: "", open: true, team: &cast.team };
    server::catalog::create_project(&cast.console, &cast.caller("jonas").await, new).await.unwrap();
});

story!(a_rule_of_ones_own_asks_for_a_second_factor, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    in_force(
        &cast,
        "proof",
        "@id(\"asks\") forbid (principal is Person, action == Action::\"RevealSecret\", resource) unless { context.proved };",
    )
    .await;
    cast.granted("lucia", &secret, 60).await;
    let mut lucia = Browser::signed_in(&cast, &router, "lucia").await;
    lucia.put_away();
    let (path, form) = (format!("/secrets/{secret}/reveal"), [("purpose", "TICKET-1")]);
    assert!(lucia.post(&path, &form).await.text.contains("take a critical value"), "asked, not refused");
    lucia.take_up(&cast, "lucia");
    assert!(lucia.post(&path, &form).await.text.contains(CANARY));
});

story!(a_forged_or_changed_policy_stops_every_decision, |world| {
    let cast = grown(world).await;
    in_force(&cast, "no-reveal", NO_REVEAL).await;
    cast.world.as_database_owner(&["UPDATE policies SET text = '// nothing', event_seq = event_seq + 100"]).await;
    let person = cast.person("jonas").await;
    let who = server::audit::event::Who::anonymous();
    let loaded = people::Caller::load(&cast.console, person, people::Entry::Direct, who).await;
    assert_eq!(loaded.err(), Some(Error::Unavailable));
});

story!(time_address_and_way_of_signing_in_count, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    in_force(
        &cast,
        "own-network",
        "@id(\"here\") forbid (principal is Person, action == Action::\"CopySecret\", resource) unless { context has address && context.address.isInRange(ip(\"10.0.0.0/8\")) };\n\
         @id(\"passwords\") forbid (principal is Person, action == Action::\"RevealSecret\", resource) when { context.method == \"password\" };",
    )
    .await;
    cast.granted("jonas", &secret, 60).await;
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    let form = [("purpose", "TICKET-1")];
    for (verb, rule) in [("copy", "own-network/here"), ("reveal", "own-network/passwords")] {
        let answer = jonas.post(&format!("/secrets/{secret}/{verb}"), &form).await;
        assert!(answer.status == 403 && !answer.text.contains(CANARY), "{verb}");
        assert!(answer.text.contains("A policy of your organisation"), "{}", answer.text);
        let leaf = Leaf::decode(&cast.last_event().await.leaf).unwrap();
        let deciding = leaf.policy.unwrap();
        assert_eq!(deciding.id, rule);
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let input = store::inputs(&mut db, &[deciding.input.clone().unwrap()]).await.unwrap();
        let input = &input[&deciding.input.unwrap()];
        let speaks = if verb == "copy" { "\"address\":null" } else { "\"method\":\"password\"" };
        assert!(input.contains(speaks), "what a policy speaks of is kept with the decision: {input}");
    }
});

story!(a_draft_is_tried_on_what_was_decided, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    cast.granted("lucia", &secret, 60).await;
    for login in ["jonas", "jonas", "lucia"] {
        cast.take(login, &secret, Take::Reveal).await.unwrap();
    }
    let before = cast.last_event().await.seq as u64;
    assert_eq!(cast.take("iris", &secret, Take::Reveal).await, Err(refused(Refusal::NoGrant)));
    let new = server::catalog::NewProject { slug: "own", name: "own", description: "", open: true, team: &cast.team };
    let denied = server::catalog::create_project(&cast.console, &cast.caller("lucia").await, new).await;
    assert_eq!(denied.err(), Some(refused(Refusal::NoRule)));
    let text = format!(
        "{NO_REVEAL}@id(\"projects\") permit (principal is Person, action == Action::\"CreateProject\", resource) when {{ principal.org.contains(\"member\") }};"
    );
    let with = |text: &str| {
        let document = document("t", "trial", 1, text);
        cast.console.engine.organisation().with("t", Some(document)).unwrap()
    };
    let found = replay(&cast.console, with(&text), 30).await.unwrap();
    assert!(found.asked > 5 && found.lost == 0 && !found.cut, "{found:?}");
    let told = |shifts: &[server::policies::replay::Shift]| {
        let mut told: Vec<_> =
            shifts.iter().map(|shift| (shift.actor.clone(), shift.action, shift.rule.clone(), shift.count)).collect();
        told.sort();
        told
    };
    let mut expected = vec![
        (cast.id("jonas").to_owned(), Action::RevealSecret, "trial/nobody".to_owned(), 2),
        (cast.id("lucia").to_owned(), Action::RevealSecret, "trial/nobody".to_owned(), 1),
    ];
    expected.sort();
    assert_eq!(told(&found.newly_refused), expected);
    assert_eq!(
        told(&found.newly_allowed),
        [(cast.id("lucia").to_owned(), Action::CreateProject, "trial/projects".to_owned(), 1)]
    );
    let lucia = found.newly_refused.iter().find(|shift| shift.actor == cast.id("lucia")).unwrap();
    assert_eq!(lucia.events, [before], "each leads to its event");
    // Another project is not concerned; nor is what was decided longer ago than asked; nothing was written.
    let elsewhere = replay(&cast.console, with(&NO_REVEAL.replace("payments", "other")), 30).await.unwrap();
    assert!(elsewhere.newly_refused.is_empty() && elsewhere.newly_allowed.is_empty());
    let events = cast.events().await;
    cast.world.clock.advance(TimeDelta::days(3));
    let later = replay(&cast.console, with(&text), 2).await.unwrap();
    assert_eq!((later.asked, later.newly_refused.len()), (0, 0));
    assert_eq!(cast.events().await, events);
});

story!(a_draft_that_depends_on_the_hour_is_tried_at_its_own_time, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    cast.granted("jonas", &secret, 240).await;
    let mut hours = Vec::new();
    for _ in 0..3 {
        use chrono::Timelike;
        cast.take("jonas", &secret, Take::Reveal).await.unwrap();
        hours.push(cast.console.now().hour());
        cast.world.clock.advance(TimeDelta::hours(1));
    }
    let text = format!(
        "@id(\"hour\") forbid (principal is Person, action == Action::\"RevealSecret\", resource) when {{ context.hour == {} }};",
        hours[1]
    );
    let with = cast.console.engine.organisation().with("t", Some(document("t", "trial", 1, &text))).unwrap();
    let found = replay(&cast.console, with, 30).await.unwrap();
    assert_eq!(found.newly_refused.iter().map(|shift| shift.count).sum::<usize>(), 1);
});

story!(policies_are_written_tried_and_confirmed_in_a_browser, |world| {
    let (cast, router) = site(world).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    cast.granted("jonas", &secret, 60).await;
    cast.take("jonas", &secret, Take::Reveal).await.unwrap();
    let mut anna = Browser::signed_in(&cast, &router, "anna").await;
    assert!(anna.get("/policies").await.text.contains("No policy of your own"));
    assert!(anna.get("/policies/new?template=production").await.text.contains("on-call"));
    let wrong = anna.post("/policies", &[("slug", "Not A Slug"), ("name", "No reveals"), ("text", NO_REVEAL)]).await;
    assert!(
        wrong.status == 422 && wrong.text.contains("No reveals") && wrong.text.contains("nobody"),
        "nothing is lost"
    );
    let form = [("slug", "no-reveal"), ("name", "No reveals"), ("text", "permit (principal")];
    let made = anna.post("/policies", &form).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let page = made.location().to_owned();
    let shown = anna.get(&page).await;
    assert!(shown.text.contains("Line 1, column") && shown.text.contains("cannot be proposed"), "{}", shown.text);
    let form = [("answer", "save"), ("seen", "1"), ("name", "No reveals"), ("text", NO_REVEAL)];
    assert_eq!(anna.post(&page, &form).await.status, 303);
    let late = anna.post(&page, &form).await;
    assert!(late.status == 422 && late.text.contains("Somebody else saved"), "{}", late.text);
    let tried = anna.get(&format!("{page}?days=30")).await;
    assert!(tried.text.contains("Jonas Engineer") && tried.text.contains("no-reveal/nobody"), "{}", tried.text);
    let form = [("answer", "propose"), ("seen", "2"), ("name", "No reveals"), ("text", NO_REVEAL)];
    let waits = anna.post(&page, &form).await;
    assert!(waits.status == 303 && waits.location().starts_with("/controls/"), "{}", waits.text);
    let change = waits.location().to_owned();
    let mut mara = Browser::signed_in(&cast, &router, "mara").await;
    let seen = mara.get(&change).await;
    for words in ["Bring the policy No reveals into force", "would have been refused", "Jonas Engineer", "added: "] {
        assert!(seen.text.contains(words), "{words}: {}", seen.text);
    }
    let digest = seen.text.split_once("name=\"digest\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let yes = mara.post(&format!("{change}/decide"), &[("digest", &digest), ("answer", "confirm")]).await;
    assert_eq!(yes.status, 303, "{}", yes.text);
    let shown = anna.get(&page).await;
    assert!(shown.text.contains("Version 1 is in force"), "{}", shown.text);
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    let read = iris.get(&page).await;
    assert!(read.status == 200 && !read.text.contains("<textarea"), "leads read");
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    assert_eq!(jonas.get(&page).await.status, 403);
});

#[test]
fn every_change_of_a_policy_loosens() {
    use app::controls::model::{Control, Direction, direction};
    let policy = |text: &str| Control::Policy { name: "n".into(), text: text.into() };
    for (before, after) in
        [(None, Some(policy("a"))), (Some(policy("a")), None), (Some(policy("a")), Some(policy("b")))]
    {
        assert_eq!(direction(before.as_ref(), after.as_ref()), Direction::Loosening);
    }
    let change = Change::RemovePolicy { policy: "p".into() };
    assert_eq!(change.person(), None);
    assert!(GOVERNED.iter().all(|action| !action.closes()), "what only closes is never a policy's to refuse");
    assert!(Role::ALL.len() > 3);
}
