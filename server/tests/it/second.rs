//! Four eyes outside of requests: whoever agrees to a plan, a rotation, the end of a suspension, a destruction or the end of a case
//! in production counts by the same rules as whoever approves there.
use crate::{
    cast::Cast,
    policies::{confirm, grown, in_force},
    story,
};
use app::{
    catalog::model::Kind,
    error::{Error, Refusal},
    policies::model::{Class, Right, Role, Tier},
};
use chrono::TimeDelta;
use server::{
    audit::event::Who,
    catalog::{self, NewSecret},
    controls::Submitted,
    grants, people,
    reports::{self, Wanted},
    rotations::{self, Leak, NewPlan, rotator::Target},
    vault, workloads,
};
use zeroize::Zeroizing;

fn refused(why: Refusal) -> Option<Error> {
    Some(Error::Refused(why))
}

async fn given(cast: &Cast, login: &str, role: Role, project: Option<&str>) {
    let anna = cast.caller("anna").await;
    let given = people::assign_role(&cast.console, &anna, cast.id(login), role, project, None).await.unwrap();
    if let Submitted::Waits { id, .. } = given {
        confirm(cast, "mara", &id).await.unwrap();
    }
}

/// What waits for a second person, one of each kind, in production.
struct Waiting {
    planned: String,
    rotation: String,
    grant: String,
    destroyed: String,
    case: String,
}

impl Waiting {
    async fn new(cast: &Cast) -> Self {
        let iris = cast.caller("iris").await;
        let destroyed = cast.filled("old", Tier::Production, Class::Normal).await;
        vault::schedule_destruction(&cast.console, &iris, &destroyed, 1).await.unwrap();
        cast.world.clock.advance(TimeDelta::days(7));
        let planned = Self::planned(cast).await;
        let secret = cast.filled("api/key", Tier::Production, Class::Normal).await;
        let plan = NewPlan { approval_first: true, ..NewPlan::generated() };
        rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
        let (rotation, _) = rotations::start_rotation(&cast.console, &iris, &secret).await.unwrap();
        server::jobs::run_due(&cast.console).await.unwrap();
        let held = cast.filled("held", Tier::Production, Class::Normal).await;
        let grant = cast.granted("jonas", &held, 240).await;
        let leaked = cast.filled("leaked", Tier::Production, Class::Normal).await;
        let leak = Leak { version: 1, detected_at: cast.console.now(), what: "It stood in a log.", suspect: None };
        let (case, _) = rotations::report_leak(&cast.console, &cast.caller("ewa").await, &leaked, leak).await.unwrap();
        let mut tx = cast.console.ledger.begin(&Who::system("test")).await.unwrap();
        let key = cast.console.seal_key();
        let events = grants::suspend_every(&mut tx, cast.console.now(), "restored", key).await.unwrap();
        tx.commit(events).await.unwrap();
        Self { planned, rotation, grant, destroyed, case }
    }

    /// A database account whose values go to a server.
    async fn planned(cast: &Cast) -> String {
        let iris = cast.caller("iris").await;
        let new =
            NewSecret { path: "db/app", kind: Kind::Database, class: Class::Normal, description: "", team: &cast.team };
        let environment = cast.environment(Tier::Production);
        let (secret, _) =
            catalog::create_secret(&cast.console, &iris, &cast.project().await, environment, new).await.unwrap();
        let request = cast.ask("iris", &secret, Right::Write, 60).await.unwrap();
        cast.approve("teodor", &request).await.unwrap();
        let field = |name: &str| (name.to_owned(), Zeroizing::new("x".to_owned()));
        let payload = vault::payload(Kind::Database, vec![field("username"), field("password")]).unwrap();
        vault::write_version(&cast.console, &iris, &secret, 0, payload, vault::Source::Typed).await.unwrap();
        let settings = serde_json::json!({
            "endpoints": ["127.0.0.1:1"], "database": "app", "tls": false, "roles": [], "admin": null,
            "end_sessions": true, "dies_after_days": 0,
        });
        let plan = NewPlan::at(Target::Postgres(serde_json::from_value(settings).unwrap()));
        rotations::configure_rotation(&cast.console, &iris, &secret, plan).await.unwrap();
        secret
    }

    /// What each says to one person.
    async fn tried(&self, cast: &Cast, login: &str) -> Vec<Option<Error>> {
        let who = cast.caller(login).await;
        vec![
            rotations::confirm_plan(&cast.console, &who, &self.planned).await.err(),
            rotations::approve_rotation(&cast.console, &who, &self.rotation).await.err(),
            grants::resume_grant(&cast.console, &who, &self.grant).await.err(),
            vault::destroy_version(&cast.console, &who, &self.destroyed, 1).await.err(),
            rotations::cancel_case(&cast.console, &who, &self.case, "It was a test value.").await.err(),
        ]
    }
}

story!(a_newcomer_is_no_second_person_in_production, |world| {
    let cast = Cast::new(world).await;
    let waiting = Waiting::new(&cast).await;
    given(&cast, "lucia", Role::Lead, Some(&cast.project)).await;
    given(&cast, "lucia", Role::Security, None).await;
    let before = cast.events().await;
    let said = waiting.tried(&cast, "lucia").await;
    assert_eq!(said, vec![refused(Refusal::NewcomerDecides); 5]);
    assert_eq!(cast.events().await, before + 5, "each is a recorded refusal");
    // Who has the role and no factor waits until there is one.
    given(&cast, "jonas", Role::Security, None).await;
    let jonas = waiting.tried(&cast, "jonas").await;
    assert_eq!(jonas[0], refused(Refusal::NoFactor));
    assert_eq!(jonas[2], refused(Refusal::OwnChange), "nobody lets their own access go on");
    cast.world.clock.advance(TimeDelta::hours(3));
    let said = waiting.tried(&cast, "mara").await;
    assert_eq!(said, vec![None; 5], "whoever has it for long is one at any hour");
});

story!(whoever_made_the_others_account_is_no_second_person, |world| {
    let cast = grown(world).await;
    given(&cast, "anna", Role::Lead, Some(&cast.project)).await;
    let secret = cast.filled("api/key", Tier::Staging, Class::Normal).await;
    let plan = NewPlan { approval_first: true, ..NewPlan::generated() };
    rotations::configure_rotation(&cast.console, &cast.caller("iris").await, &secret, plan).await.unwrap();
    // Anna gives Lucia the role by which she would agree to what Anna begins.
    given(&cast, "lucia", Role::Lead, Some(&cast.project)).await;
    let anna = cast.caller("anna").await;
    let (rotation, _) = rotations::start_rotation(&cast.console, &anna, &secret).await.unwrap();
    server::jobs::run_due(&cast.console).await.unwrap();
    let lucia = cast.caller("lucia").await;
    let said = rotations::approve_rotation(&cast.console, &lucia, &rotation).await.err();
    assert_eq!(said, refused(Refusal::LinkedAccounts), "below production too");
    cast.world.clock.advance(TimeDelta::days(7));
    rotations::approve_rotation(&cast.console, &cast.caller("lucia").await, &rotation).await.unwrap();
});

story!(policies_know_the_level_of_whatever_they_are_asked_about, |world| {
    let cast = Cast::new(world).await;
    let waiting = Waiting::new(&cast).await;
    cast.world.clock.advance(TimeDelta::days(1));
    let text = r#"@id("not-in-production")
forbid (principal is Person, action in [Action::"ConfirmPlan", Action::"ResumeGrant", Action::"CreateWorkload",
  Action::"IssueCredential"], resource)
when { context.tier == "production" };
@id("not-twice")
forbid (principal is Person, action == Action::"EditSecret", resource)
when { context.class == "critical" && context.tier == "production" };
"#;
    let iris = cast.caller("iris").await;
    let project = cast.project().await;
    let create = |tier| {
        let (cast, iris, project) = (&cast, &iris, &project);
        let slug: &str = if tier == Tier::Production { "deploy-production" } else { "deploy-staging" };
        async move {
            let environment = cast.environment(tier);
            workloads::create_workload(&cast.console, iris, project, environment, slug, "Deploy", &cast.team).await
        }
    };
    let (staging, _) = create(Tier::Staging).await.unwrap();
    let (production, _) = create(Tier::Production).await.unwrap();
    let critical = cast.secret("card/key", Tier::Production, Class::Critical).await;
    in_force(&cast, "levels", text).await;
    let rule = refused(Refusal::Policy);
    let mara = cast.caller("mara").await;
    assert_eq!(rotations::confirm_plan(&cast.console, &mara, &waiting.planned).await.err(), rule);
    assert_eq!(grants::resume_grant(&cast.console, &mara, &waiting.grant).await.err(), rule);
    let issue = |id: String| {
        let (cast, iris) = (&cast, &iris);
        async move { workloads::issue_credential(&cast.console, iris, &id, TimeDelta::days(1)).await.err() }
    };
    assert_eq!((issue(production).await, issue(staging).await), (rule.clone(), None));
    let again = workloads::create_workload(
        &cast.console,
        &iris,
        &project,
        cast.environment(Tier::Production),
        "another",
        "Another",
        &cast.team,
    );
    assert_eq!(again.await.err(), rule);
    let seen = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        catalog::store::find(&mut db, &critical, cast.console.seal_key()).await.unwrap().unwrap().event_seq
    };
    let lower = catalog::edit_secret(&cast.console, &iris, &critical, seen, "", Class::Normal).await;
    assert_eq!(lower.err(), rule, "a lower class is a change of the class that it has");
});

story!(an_export_of_several_projects_is_asked_about_each, |world| {
    let cast = grown(world).await;
    let anna = cast.caller("anna").await;
    let new = catalog::NewProject { slug: "aaa", name: "aaa", description: "", open: true, team: &cast.team };
    let (other, _) = catalog::create_project(&cast.console, &anna, new).await.unwrap();
    given(&cast, "iris", Role::Lead, Some(&other)).await;
    let wanted = || Wanted {
        kind: app::reports::model::Kind::Events,
        format: app::reports::model::Format::Csv,
        query: "",
        zone: "UTC",
        redacted: false,
        raw: false,
        sample: 0,
        nonce: "",
    };
    let export = |login: &'static str| {
        let cast = &cast;
        async move { reports::start_export(&cast.console, &cast.caller(login).await, wanted()).await.err() }
    };
    assert_eq!(export("iris").await, None);
    for slug in ["payments", "aaa"] {
        let text = format!(
            "forbid (principal is Person, action == Action::\"StartExport\", resource in Project::\"{slug}\");\n"
        );
        let policy = in_force(&cast, &format!("no-{slug}"), &text).await;
        assert_eq!(export("iris").await, refused(Refusal::Policy), "{slug}");
        assert_eq!(export("teodor").await.is_some(), slug == "payments");
        let gone = server::policies::documents::remove(&cast.console, &anna, &policy).await.unwrap();
        let Submitted::Waits { id, .. } = gone else { panic!("it waits") };
        confirm(&cast, "mara", &id).await.unwrap();
    }
});

story!(a_workloads_suspended_access_goes_on_by_nobody_who_gains_by_it, |world| {
    let cast = Cast::new(world).await;
    let iris = cast.caller("iris").await;
    let secret = cast.filled("api/key", Tier::Production, Class::Normal).await;
    let environment = cast.environment(Tier::Production);
    let anna = cast.caller("anna").await;
    let (team, _) = people::create_team(&cast.console, &anna, "ops", "Ops").await.unwrap();
    people::add_member(&cast.console, &anna, &team, cast.id("lucia")).await.unwrap();
    let (workload, _) =
        workloads::create_workload(&cast.console, &iris, &cast.project().await, environment, "w", "W", &team)
            .await
            .unwrap();
    workloads::issue_credential(&cast.console, &iris, &workload, TimeDelta::days(1)).await.unwrap();
    let form = cast.console.id::<app::id::CorrelationId>().unwrap().to_string();
    let ask = server::requests::Ask {
        secrets: vec![secret.clone()],
        right: Right::Read,
        minutes: 7 * 24 * 60,
        reason: "TICKET-1",
        workload: Some(&workload),
        starts_at: None,
        form: &form,
    };
    let (request, ..) =
        server::requests::submit_request(&cast.console, &cast.caller("lucia").await, ask).await.unwrap();
    cast.approve("teodor", &request).await.unwrap();
    let grant = cast.request(&request).await.grant_id.unwrap();
    let mut tx = cast.console.ledger.begin(&Who::system("test")).await.unwrap();
    let key = cast.console.seal_key();
    let events = grants::suspend_every(&mut tx, cast.console.now(), "contained", key).await.unwrap();
    tx.commit(events).await.unwrap();
    let resume = |login: &'static str| {
        let (cast, grant) = (&cast, &grant);
        async move { grants::resume_grant(&cast.console, &cast.caller(login).await, grant).await.err() }
    };
    given(&cast, "lucia", Role::Lead, Some(&cast.project)).await;
    assert_eq!(resume("lucia").await, refused(Refusal::OwnBenefit), "who is of its team");
    let membership = {
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let rows = people::store::memberships(&mut db, Some(cast.id("lucia")), cast.console.now(), key).await.unwrap();
        rows[0].id.clone()
    };
    people::remove_member(&cast.console, &anna, &membership).await.unwrap();
    assert_eq!(resume("lucia").await, refused(Refusal::OwnChange), "who asked for it");
    assert_eq!(resume("iris").await, refused(Refusal::ChangedTrust), "who issued its client secret");
    assert_eq!(resume("mara").await, None);
});

story!(nobody_clears_themself, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("api/key", Tier::Production, Class::Normal).await;
    let iris = cast.caller("iris").await;
    let leak =
        Leak { version: 1, detected_at: cast.console.now(), what: "It stood in a log.", suspect: Some(cast.id("ewa")) };
    let (case, _) = rotations::report_leak(&cast.console, &iris, &secret, leak).await.unwrap();
    let ewa = cast.caller("ewa").await;
    let cancel = rotations::cancel_case(&cast.console, &ewa, &case, "It was nothing.").await;
    assert_eq!(cancel.err(), refused(Refusal::OwnChange));
    let attest = rotations::attest_death(&cast.console, &ewa, &secret, 1, "I saw it die.").await;
    assert_eq!(attest.err(), refused(Refusal::OwnChange));
    rotations::cancel_case(&cast.console, &cast.caller("mara").await, &case, "It was nothing.").await.unwrap();
});

story!(destroying_and_giving_up_in_production_ask_for_a_factor, |world| {
    let (cast, router) = crate::http::site(world).await;
    let waiting = Waiting::new(&cast).await;
    let mut mara = crate::http::Browser::signed_in(&cast, &router, "mara").await;
    mara.put_away();
    let destroy = format!("/secrets/{}/versions/1/destroy", waiting.destroyed);
    let cancel = format!("/cases/{}/cancel", waiting.case);
    let why = [("reason", "It was a test value.")];
    assert!(mara.get(&format!("/secrets/{}", waiting.destroyed)).await.text.contains("Destroy for ever"));
    assert!(mara.post(&destroy, &[]).await.text.contains("destroy a production value"));
    assert!(mara.post(&cancel, &why).await.text.contains("decide in production"));
    mara.take_up(&cast, "mara");
    assert_eq!(mara.post(&destroy, &[]).await.status, 303);
    assert_eq!(mara.post(&cancel, &why).await.status, 303);
    // Whoever began it reads why it is not theirs, and can still take it back.
    let mut iris = crate::http::Browser::signed_in(&cast, &router, "iris").await;
    let page = iris.get(&format!("/rotations/{}", waiting.rotation)).await.text;
    assert!(page.contains("Somebody else confirms it.") && !page.contains("Let it begin"), "{page}");
    let back = [("answer", "cancel"), ("comment", "Not today.")];
    assert_eq!(iris.post(&format!("/rotations/{}/answer", waiting.rotation), &back).await.status, 303);
    assert!(!iris.get(&format!("/secrets/{}", waiting.planned)).await.text.contains("Confirm this plan"));
});
