//! Explaining: what is said is what happens; every route; the past as it was; who may ask; decisions as they were made.
use crate::{
    api::{call, get, token},
    cast::{Cast, enrol},
    http::{Browser, site},
    policies::{grown, in_force},
    story,
    workloads::{allow, machine},
};
use app::{
    audit::action::Action,
    catalog::model::Kind,
    error::{Error, Refusal},
    explain::model::{Access, Explanation, Given, Need, Source, Verdict},
    grants::model::State,
    levels::model::{Level, Reveal},
    people::tokens::Scope,
    policies::model::{Class, Right, Role, Tier},
    time::Moment,
};
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use server::{
    audit::search::Reading,
    catalog::{self, Located, NewProject, NewSecret},
    controls, explain, grants, people,
    policies::documents,
    vault::Take,
};

async fn located(cast: &Cast, secret: &str) -> Located {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    Located::find(&mut db, secret, cast.console.seal_key()).await.unwrap().unwrap()
}

async fn found(cast: &Cast, asker: &str, who: &str) -> Result<explain::Whom, Error> {
    let asker = cast.caller(asker).await;
    explain::Whom::find(&cast.console, &mut cast.console.db().unseen().read().await.unwrap(), &asker, who).await
}

async fn explained(cast: &Cast, asker: &str, who: &str, secret: &str) -> Explanation {
    let whom = found(cast, asker, who).await.unwrap();
    let place = located(cast, secret).await;
    explain::explain(&cast.console, &cast.caller(asker).await, &whom, &place).await.unwrap()
}

async fn readers(cast: &Cast, secret: &str, at: Moment) -> Access {
    let past = (at < cast.console.now()).then_some(at);
    explain::access(&cast.console, &located(cast, secret).await, past).await.unwrap()
}

fn verdict(explanation: &Explanation, action: Action) -> Verdict {
    explanation.acts.iter().find(|act| act.action == action).unwrap().verdict
}

story!(what_is_explained_is_what_happens, |world| {
    let cast = grown(world).await;
    in_force(
        &cast,
        "no-copies",
        "forbid (principal is Person, action == Action::\"CopySecret\", resource in Project::\"payments\") when { context.tier == \"staging\" };",
    )
    .await;
    let mut secrets = Vec::new();
    for (path, tier, class) in [
        ("dev/url", Tier::Development, Class::Normal),
        ("stage/url", Tier::Staging, Class::Normal),
        ("prod/url", Tier::Production, Class::Normal),
        ("prod/key", Tier::Production, Class::Critical),
    ] {
        let secret = cast.filled(path, tier, class).await;
        cast.granted("lucia", &secret, 60).await;
        secrets.push(secret);
    }
    // Somebody whose only factor is of today.
    let critical = cast.filled("dev/key", Tier::Development, Class::Critical).await;
    enrol(&cast.console, &cast.caller("jonas").await).await;
    for login in ["jonas", "lucia"] {
        cast.granted(login, &critical, 60).await;
    }
    secrets.push(critical);
    let empty = cast.secret("dev/empty", Tier::Development, Class::Normal).await;
    cast.granted("lucia", &empty, 60).await;
    secrets.push(empty);
    let said = explained(&cast, "mara", "jonas", &secrets[4]).await;
    assert_eq!(verdict(&said, Action::RevealSecret), Verdict::No(Refusal::NewFactor));
    let (mut yes, mut no) = (0, 0);
    // At three times: while the grants hold, when they are over, and when their holder is suspended by nobody but the clock.
    for hours in [0, 2] {
        cast.world.clock.advance(TimeDelta::hours(hours));
        for secret in &secrets {
            for login in ["lucia", "jonas", "iris", "teodor", "samir", "anna", "mara"] {
                let said = explained(&cast, "mara", login, secret).await;
                for (take, action) in [(Take::Reveal, Action::RevealSecret), (Take::Copy, Action::CopySecret)] {
                    let happened = cast.take(login, secret, take).await;
                    let told = verdict(&said, action);
                    match (&happened, told) {
                        (Ok(_), open) => assert!(open.is_open(), "{login} {secret} {action:?}: {told:?}"),
                        (Err(Error::Refused(why)), told) => assert_eq!(told, Verdict::No(*why), "{login} {action:?}"),
                        (Err(other), _) => panic!("{other:?}"),
                    }
                    if happened.is_ok() { yes += 1 } else { no += 1 }
                }
            }
        }
    }
    assert!(yes >= 5 && no >= 50, "{yes} taken, {no} refused");
    // What was explained left nothing behind but what happened itself.
    let said = explained(&cast, "mara", "lucia", &secrets[0]).await;
    assert_eq!(verdict(&said, Action::RevealSecret), Verdict::No(Refusal::GrantEnded));
    let before = cast.events().await;
    explained(&cast, "mara", "lucia", &secrets[0]).await;
    assert_eq!(cast.events().await, before);
});

story!(rule_line_and_what_it_would_take_are_named, |world| {
    let cast = grown(world).await;
    let policy = in_force(
        &cast,
        "office",
        "// Only from the office.\n@id(\"hours\")\nforbid (principal is Person, action == Action::\"RevealSecret\", resource)\nwhen { context.hour < 24 && context.tier == \"production\" };\n",
    )
    .await;
    let secret = cast.filled("db/url", Tier::Production, Class::Normal).await;
    let said = explained(&cast, "mara", "lucia", &secret).await;
    let act = |action| said.acts.iter().find(|act| act.action == action).unwrap();
    // A rule of the organisation: document, version and line.
    let rule = act(Action::RevealSecret).rule.clone().unwrap();
    assert_eq!((rule.id.as_str(), rule.version, rule.line), ("office/hours", 1, 2));
    assert_eq!(rule.document.as_deref(), Some(policy.as_str()));
    assert!(rule.text.starts_with("@id(\"hours\")") && rule.text.contains("context.hour < 24"));
    assert_eq!(act(Action::RevealSecret).verdict, Verdict::No(Refusal::Policy));
    assert!(act(Action::RevealSecret).needs.is_empty(), "no role and no grant helps against it");
    assert_eq!(act(Action::RevealSecret).depends, ["the hour"]);
    let asked = act(Action::RevealSecret).ask.clone().unwrap();
    assert_eq!(
        asked.people.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["Anna Admin", "Ewa Security", "Mara Security"]
    );
    // A built-in one, by the line that it has in its file; and the one change that opens it, found by asking.
    let copy = act(Action::CopySecret);
    assert_eq!(copy.verdict, Verdict::No(Refusal::NoGrant));
    let rule = copy.rule.clone().unwrap();
    let line = server::policies::BUILT_IN.lines().nth(rule.line - 1).unwrap();
    assert_eq!((rule.id.as_str(), line), ("values-need-a-grant", "@id(\"values-need-a-grant\")"));
    assert_eq!(copy.needs, [vec![Need::Grant(Right::Read)]]);
    let asked = copy.ask.clone().unwrap();
    let names: Vec<&str> = asked.people.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Iris Lead", "Teodor Lead"], "who signs here");
    // Roles help where they help.
    let needs = &act(Action::EditSecret).needs;
    assert_eq!(*needs, [vec![Need::RoleHere(Role::Lead)]]);
    assert_eq!(act(Action::StartRotation).needs, [vec![Need::RoleHere(Role::Lead)], vec![Need::Role(Role::Security)]]);
    // An auditor is told no, whatever they had.
    let samir = explained(&cast, "mara", "samir", &secret).await;
    let submit = samir.acts.iter().find(|act| act.action == Action::SubmitRequest).unwrap();
    assert_eq!(submit.rule.as_ref().unwrap().id, "auditors-never-hold-values");
    assert!(submit.needs.is_empty());
});

story!(every_route_is_listed_with_where_it_comes_from, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Production, Class::Critical).await;
    let grant = cast.granted("lucia", &secret, 120).await;
    cast.take("lucia", &secret, Take::Copy).await.unwrap();
    let said = explained(&cast, "mara", "lucia", &secret).await;
    let route = &said.grants[0];
    assert_eq!(
        (route.id.as_str(), route.state, route.policy.as_str()),
        (grant.as_str(), State::Active, "production-critical")
    );
    let Given::By(by) = &route.given else { panic!() };
    assert_eq!(by.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Teodor Lead", "Mara Security"]);
    assert_eq!(said.known.iter().map(|one| (one.version, one.current)).collect::<Vec<_>>(), [(1, true)]);
    assert_eq!(verdict(&said, Action::CopySecret), Verdict::WithFactor);
    assert_eq!(verdict(&said, Action::RevealSecret), Verdict::No(Refusal::CopyOnly));
    // Through a workload: whoever may issue a client secret for it, and nobody else.
    let worker = machine(&cast, "worker", Tier::Production).await;
    cast.world.clock.advance(TimeDelta::days(8));
    let request = allow(&cast, &worker, &secret, 600).await;
    // Its own team never decides on it; ownership of the deciding seats lies with the others.
    cast.approve("teodor", &request).await.unwrap();
    cast.approve("mara", &request).await.unwrap();
    for (login, reaches) in [("jonas", false), ("iris", true), ("teodor", true), ("lucia", false), ("mara", false)] {
        let said = explained(&cast, "mara", login, &secret).await;
        let reached: Vec<&str> = said.workloads.iter().map(|route| route.workload.name.as_str()).collect();
        assert_eq!(reached, if reaches { vec!["worker"] } else { vec![] }, "{login}");
        assert!(said.workloads.iter().all(|route| route.verdict == Verdict::WithFactor), "{login}");
    }
    let all = readers(&cast, &secret, cast.console.now()).await;
    assert_eq!(all.readers.len(), 1, "Lucia's is over");
    let behind: Vec<&str> = all.readers[0].behind.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(behind, ["Iris Lead", "Teodor Lead"], "Jonas has no second factor: he could issue none today");
    // The workload itself; another environment's cannot.
    let said = explained(&cast, "mara", &worker.id, &secret).await;
    assert!(said.workload && verdict(&said, Action::FetchSecret) == Verdict::Yes);
    let other = machine(&cast, "elsewhere", Tier::Staging).await;
    let said = explained(&cast, "mara", "elsewhere", &secret).await;
    assert_eq!(said.whom.id, other.id);
    assert_eq!(verdict(&said, Action::FetchSecret), Verdict::No(Refusal::OtherEnvironment));
    // Roles say who gave them.
    let said = explained(&cast, "mara", "iris", &secret).await;
    let lead = said.roles.iter().find(|held| held.role == Role::Lead).unwrap();
    let Source::ByHand(Some(by)) = &lead.source else { panic!() };
    assert_eq!((by.name.as_str(), lead.project.as_deref()), ("Anna Admin", Some("payments")));
    // Who is gone can nothing, whatever else is said.
    people::disable_person(&cast.console, &cast.caller("anna").await, cast.id("lucia")).await.unwrap();
    assert_eq!(explained(&cast, "mara", "lucia", &secret).await.account, Some(Refusal::Disabled.to_string()));
});

story!(the_past_is_told_as_it_was, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    let none = cast.console.now();
    cast.world.clock.advance(TimeDelta::hours(1));
    let grant = cast.granted("lucia", &secret, 60 * 24).await;
    cast.world.clock.advance(TimeDelta::hours(1));
    let held = cast.console.now();
    cast.take("lucia", &secret, Take::Reveal).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(1));
    // A policy forbids it for a while.
    let policy = in_force(
        &cast,
        "pause",
        "forbid (principal is Person, action == Action::\"CopySecret\", resource in Project::\"payments\");",
    )
    .await;
    cast.world.clock.advance(TimeDelta::hours(1));
    let forbidden = cast.console.now();
    cast.world.clock.advance(TimeDelta::hours(1));
    let anna = cast.caller("anna").await;
    let controls::Submitted::Waits { id, .. } = documents::remove(&cast.console, &anna, &policy).await.unwrap() else {
        panic!()
    };
    crate::policies::confirm(&cast, "ewa", &id).await.unwrap();
    // Suspended, then confirmed: the grant itself says nothing of it any more.
    let mut tx = cast.console.ledger.begin(&server::audit::event::Who::system("test")).await.unwrap();
    let events = grants::suspend_every(&mut tx, cast.console.now(), "test", cast.console.seal_key()).await.unwrap();
    tx.commit(events).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(1));
    let suspended = cast.console.now();
    grants::resume_grant(&cast.console, &cast.caller("teodor").await, &grant).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(1));
    let resumed = cast.console.now();
    grants::revoke_grant(&cast.console, &cast.caller("teodor").await, &grant).await.unwrap();
    cast.world.clock.advance(TimeDelta::hours(1));
    let lucia = |access: &Access| {
        let found = access.readers.iter().find(|reader| reader.who.name == "Lucia Engineer");
        found.map(|reader| reader.verdict)
    };
    for (at, wanted) in [
        (none, None),
        (held, Some(Verdict::Yes)),
        (forbidden, Some(Verdict::No(Refusal::Policy))),
        (suspended, Some(Verdict::No(Refusal::GrantSuspended))),
        (resumed, Some(Verdict::Yes)),
        (cast.console.now(), None),
    ] {
        assert_eq!(lucia(&readers(&cast, &secret, at).await), wanted, "{at}");
    }
    let then = readers(&cast, &secret, forbidden).await;
    let rule = then.readers[0].rule.clone().unwrap();
    assert_eq!(
        (rule.id.as_str(), rule.document.as_deref()),
        ("pause/1", Some(policy.as_str())),
        "a rule that is gone by now"
    );
    // Knowledge: from when it began, also after the access ended.
    let knew = |access: &Access| access.knowers.iter().any(|one| one.who.name == "Lucia Engineer");
    assert!(!knew(&readers(&cast, &secret, none).await));
    assert!(
        knew(&readers(&cast, &secret, forbidden).await) && knew(&readers(&cast, &secret, cast.console.now()).await)
    );
});

story!(about_others_it_takes_a_role_and_is_recorded, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    let mut jonas = Browser::signed_in(&cast, &router, "jonas").await;
    let before = cast.events().await;
    let page = jonas.get(&format!("/explain?secret={secret}")).await;
    assert_eq!(page.status, StatusCode::OK);
    for words in
        ["cannot take this value", "values-need-a-grant", "an approved request to read", "Teodor Lead", "Whom to ask"]
    {
        assert!(page.text.contains(words), "{words}");
    }
    assert_eq!(cast.events().await, before, "one's own leaves no event");
    // Somebody else's is refused, and that is an event; so is the list.
    for path in [format!("/explain?who=lucia&secret={secret}"), format!("/secrets/{secret}/access")] {
        assert_eq!(jonas.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
        let event = cast.last_event().await;
        assert_eq!((event.action.as_str(), event.outcome.as_str()), ("access.explained", "refused"));
    }
    // Nor does it tell who is here.
    assert_eq!(jonas.get(&format!("/explain?who=nobody-here&secret={secret}")).await.status, StatusCode::FORBIDDEN);
    let mut iris = Browser::signed_in(&cast, &router, "iris").await;
    let before = cast.events().await;
    let path = "/explain?who=lucia&secret=payments/staging/db/url";
    for _ in 0..2 {
        assert_eq!(iris.get(path).await.status, StatusCode::OK);
    }
    assert_eq!(cast.events().await, before + 1, "once for the same thing in ten minutes");
    let event = cast.last_event().await;
    assert_eq!((event.action.as_str(), event.outcome.as_str()), ("access.explained", "allowed"));
    assert_eq!(event.secret_id.as_deref(), Some(secret.as_str()));
    for (path, status, words) in [
        (
            format!("/explain?who=nobody-here&secret={secret}"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "Nobody here is called so.",
        ),
        ("/explain?secret=payments/staging/none".into(), StatusCode::UNPROCESSABLE_ENTITY, "nothing that you may see"),
        ("/explain?secret=x".into(), StatusCode::UNPROCESSABLE_ENTITY, "project/environment/path"),
        ("/explain".into(), StatusCode::OK, "Whom to ask".to_lowercase().as_str()),
        (format!("/secrets/{secret}/access?at=yesterday"), StatusCode::UNPROCESSABLE_ENTITY, "Write a day"),
        (format!("/secrets/{secret}/access?at=2099-01-01"), StatusCode::UNPROCESSABLE_ENTITY, "still to come"),
        (format!("/secrets/{secret}/access"), StatusCode::OK, "there is no grant on it"),
    ] {
        let page = iris.get(&path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text.contains(words), "{path}: {words}");
    }
});

story!(a_decision_is_explained_by_the_rule_of_its_day, |world| {
    let cast = grown(world).await;
    let text = "forbid (principal is Person, action == Action::\"RevealSecret\", resource in Project::\"payments\");";
    let policy = in_force(&cast, "closed", text).await;
    let secret = cast.filled("db/url", Tier::Development, Class::Normal).await;
    cast.granted("lucia", &secret, 60).await;
    assert_eq!(cast.take("lucia", &secret, Take::Reveal).await, Err(Error::Refused(Refusal::Policy)));
    let event = cast.last_event().await;
    // The document is out of force by now.
    let anna = cast.caller("anna").await;
    let controls::Submitted::Waits { id, .. } = documents::remove(&cast.console, &anna, &policy).await.unwrap() else {
        panic!()
    };
    crate::policies::confirm(&cast, "ewa", &id).await.unwrap();
    let why = explain::decided(&cast.console, &event, &Reading::All).await.unwrap().unwrap();
    assert_eq!((why.rule_id.as_str(), why.version, why.allowed), ("closed/1", 1, false));
    assert_eq!(why.rule.unwrap().text, text);
    assert_eq!(why.refusal, Some(Refusal::Policy));
    assert_eq!(why.now, Some(Verdict::Yes), "the same facts, today");
    assert_eq!(why.now_rule.unwrap().id, "a-grant-reads");
    let facts = why.facts.unwrap();
    assert!(facts.contains(&("A grant in force".into(), "yes".into())));
    assert!(facts.contains(&("Protection level".into(), "Development".into())));
    assert!(why.ask.unwrap().people.iter().any(|one| one.name == "Mara Security"));
    // What is no decision is not explained as one.
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let first = server::audit::store::find(&mut db, 0).await.unwrap().unwrap();
    drop(db);
    assert!(explain::decided(&cast.console, &first, &Reading::All).await.unwrap().is_none());
});

story!(what_is_no_policy_is_not_explained_as_one, |world| {
    let cast = grown(world).await;
    let secret = cast.filled("db/url", Tier::Production, Class::Normal).await;
    let request = cast.ask("iris", &secret, Right::Read, 60).await.unwrap();
    assert_eq!(cast.approve("iris", &request).await, Err(Error::Refused(Refusal::OwnRequest)));
    let event = cast.last_event().await;
    let why = explain::decided(&cast.console, &event, &Reading::All).await.unwrap().unwrap();
    assert_eq!((why.fixed, why.refusal, why.now), (true, Some(Refusal::OwnRequest), None));
    assert_eq!(why.rule_id, "deciders-decide", "what allowed it, said as such");
});

story!(the_least_that_helps_is_named_and_nothing_that_does_not, |world| {
    let cast = grown(world).await;
    let anna = cast.caller("anna").await;
    let new = NewProject { slug: "quiet", name: "Quiet", description: "", open: false, team: &cast.team };
    let (quiet, _) = catalog::create_project(&cast.console, &anna, new).await.unwrap();
    let given = people::assign_role(&cast.console, &anna, cast.id("teodor"), Role::Lead, Some(&quiet), None).await;
    if let controls::Submitted::Waits { id, .. } = given.unwrap() {
        crate::policies::confirm(&cast, "mara", &id).await.unwrap();
    }
    let teodor = cast.caller("teodor").await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let project = catalog::store::find_project(&mut db, &quiet).await.unwrap().unwrap();
    let environments = catalog::store::environments(&mut db, &quiet, cast.console.seal_key()).await.unwrap();
    drop(db);
    let place = environments.iter().find(|row| row.tier() == Tier::Staging).unwrap();
    let new = NewSecret { path: "a", kind: Kind::Opaque, class: Class::Normal, description: "", team: &cast.team };
    let (secret, _) = catalog::create_secret(&cast.console, &teodor, &project, place, new).await.unwrap();
    // Any role here is enough to ask: none greater is recommended.
    let said = explained(&cast, "teodor", "lucia", &secret).await;
    let submit = said.acts.iter().find(|act| act.action == Action::SubmitRequest).unwrap();
    assert_eq!(submit.needs, [vec![Need::RoleHere(Role::Member)]]);
    // Where a grant is what is missing, whoever gives grants is named.
    let prod = cast.filled("db/url", Tier::Production, Class::Normal).await;
    let said = explained(&cast, "mara", "lucia", &prod).await;
    let write = said.acts.iter().find(|act| act.action == Action::WriteVersion).unwrap();
    assert_eq!(write.verdict, Verdict::No(Refusal::NoRule));
    assert!(write.ask.as_ref().unwrap().people.iter().any(|one| one.name == "Iris Lead"));
    // Where the level keeps values from people, no grant is recommended, and none is asked for.
    let level = Level { reveal: Reveal::Nobody, ..Level::built_in(Tier::Production) };
    server::levels::set_level(&cast.console, &anna, level).await.unwrap();
    let said = explained(&cast, "mara", "lucia", &prod).await;
    let copy = said.acts.iter().find(|act| act.action == Action::CopySecret).unwrap();
    assert_eq!((copy.verdict, copy.needs.len()), (Verdict::No(Refusal::NoPerson), 0));
    assert!(copy.ask.as_ref().unwrap().words.starts_with("Protection levels are set by"));
    let Err(Error::Invalid(fields)) = cast.ask("lucia", &prod, Right::Read, 60).await else { panic!() };
    assert_eq!(fields[0].field, "right");
    // A workload of a project that one may not know of is nobody.
    server::workloads::create_workload(&cast.console, &teodor, &project, place, "hidden", "Hidden", &cast.team)
        .await
        .unwrap();
    assert!(found(&cast, "teodor", "hidden").await.is_ok() && found(&cast, "mara", "hidden").await.is_ok());
    assert!(found(&cast, "iris", "hidden").await.is_ok(), "of her team");
    let Err(Error::Invalid(fields)) = found(&cast, "lucia", "hidden").await else { panic!() };
    assert_eq!(fields[0].message, "Nobody here is called so.");
});

story!(nobody_is_said_to_reach_what_is_out_of_reach, |world| {
    let cast = grown(world).await;
    let (one, other) = (
        cast.filled("db/one", Tier::Staging, Class::Normal).await,
        cast.filled("db/other", Tier::Staging, Class::Normal).await,
    );
    let form = cast.console.id::<app::id::CorrelationId>().unwrap().to_string();
    let ask = server::requests::Ask {
        secrets: vec![one.clone(), other.clone()],
        right: Right::Read,
        minutes: 600,
        reason: "both",
        workload: None,
        starts_at: None,
        form: &form,
    };
    let lucia = cast.caller("lucia").await;
    let (request, ..) = server::requests::submit_request(&cast.console, &lucia, ask).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    let said = |access: &Access| access.readers.iter().map(|reader| reader.verdict).collect::<Vec<_>>();
    let now = || cast.console.now();
    assert_eq!(said(&readers(&cast, &one, now()).await), [Verdict::Yes]);
    // Archived: the grant stays for the other one, and opens nothing here.
    catalog::archive_secret(&cast.console, &cast.caller("iris").await, &one).await.unwrap();
    assert_eq!(said(&readers(&cast, &one, now()).await), [Verdict::No(Refusal::GrantEnded)]);
    assert_eq!(said(&readers(&cast, &other, now()).await), [Verdict::Yes]);
    // The level of the day counts for that day.
    let before = now();
    cast.world.clock.advance(TimeDelta::minutes(5));
    let level = Level { reveal: Reveal::Nobody, ..Level::built_in(Tier::Staging) };
    server::levels::set_level(&cast.console, &cast.caller("anna").await, level).await.unwrap();
    cast.world.clock.advance(TimeDelta::minutes(5));
    assert_eq!(said(&readers(&cast, &other, now()).await), [Verdict::No(Refusal::NoPerson)]);
    assert_eq!(said(&readers(&cast, &other, before).await), [Verdict::Yes]);
});

story!(programs_read_the_same, |world| {
    let (cast, router) = site(world).await;
    let secret = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    cast.granted("lucia", &secret, 60).await;
    let iris = token(&cast, "iris", &[Scope::ReadAccess]).await;
    let found = get(&router, &iris, "/api/v1/explain?who=lucia&secret=payments/staging/db/url").await;
    assert_eq!((&found["who"]["name"], &found["kind"]), (&"Lucia Engineer".into(), &"person".into()));
    let reveal = found["acts"].as_array().unwrap().iter().find(|act| act["action"] == "secret.revealed").unwrap();
    assert_eq!((&reveal["verdict"], &reveal["rule"]["id"]), (&"yes".into(), &"a-grant-reads".into()));
    assert_eq!(found["grants"][0]["approved_by"][0]["name"], "Teodor Lead");
    // The token's owner, as a person: what a token may is less.
    let own = get(&router, &iris, "/api/v1/explain?secret=payments/staging/db/url").await;
    let write = own["acts"].as_array().unwrap().iter().find(|act| act["action"] == "secret.version_written").unwrap();
    assert_eq!(write["verdict"], "yes");
    let list = get(&router, &iris, &format!("/api/v1/access?secret={secret}")).await;
    assert_eq!(list["readers"][0]["who"]["name"], "Lucia Engineer");
    let jonas = token(&cast, "jonas", &[Scope::ReadAccess]).await;
    let (status, _) = call(&router, &jonas, Method::GET, &format!("/api/v1/access?secret={secret}"), "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(cast.take("jonas", &secret, Take::Reveal).await, Err(Error::Refused(Refusal::NoGrant)));
    let seq = cast.last_event().await.seq;
    let mara = token(&cast, "mara", &[Scope::ReadTrail]).await;
    let why = get(&router, &mara, &format!("/api/v1/events/{seq}/why")).await;
    assert_eq!(
        (&why["allowed"], &why["refusal"], &why["today"]),
        (&false.into(), &"no_grant".into(), &"no_grant".into())
    );
    assert_eq!(why["rule"]["id"], "values-need-a-grant");
    let (status, _) = call(&router, &mara, Method::GET, "/api/v1/events/0/why", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
});
