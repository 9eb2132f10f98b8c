//! Sign-in through an identity provider: what it gives, what it ends, and everything that it may get wrong or lie about.
use crate::{
    cast::{Cast, PASSWORD},
    http::{Answer, BASE, Browser},
    provider::{CLIENT, Provider, SECRET, Script, Sign, merge},
    story,
    support::World,
};
use app::{
    audit::action::Action,
    error::{Conflict, Error, Refusal},
    people::provider::{Gives, Settings},
    policies::model::Role,
};
use axum::{
    Router,
    http::{Method, StatusCode},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{
    controls::Submitted,
    http::{Site, router},
    people::{
        self,
        providers::{self, groups, store},
    },
};
use std::time::Duration;
use zeroize::Zeroizing;

/// A company with a provider, and its administrator as emergency account.
struct Scene {
    cast: Cast,
    router: Router,
    provider: Provider,
    /// The provider's id here.
    id: String,
}

fn settings(provider: &Provider) -> Settings {
    Settings {
        name: "Example ID".into(),
        issuer: provider.issuer(),
        client_id: CLIENT.into(),
        groups_claim: "groups".into(),
        admits: true,
        acr: None,
        max_age: None,
    }
}

fn secret() -> Zeroizing<String> {
    Zeroizing::new(SECRET.into())
}

/// Who is about to come back from the provider.
struct Leaving {
    browser: Browser,
    state: String,
    nonce: String,
    url: String,
}

impl Scene {
    async fn new(mut world: World) -> Self {
        world.instance.private = vec!["127.0.0.1/32".parse().unwrap()];
        let provider = Provider::start().await;
        let cast = Cast::new(world).await;
        let anna = cast.caller("anna").await;
        providers::name_emergency_account(&cast.console, &anna, cast.id("anna")).await.unwrap();
        let set = providers::add_provider(&cast.console, &anna, settings(&provider), secret()).await.unwrap();
        assert!(matches!(set, Submitted::Done(_)), "in the first days one person acts alone");
        let mut db = cast.console.db().unseen().read().await.unwrap();
        let rows = store::providers(&mut db, cast.console.seal_key()).await.unwrap();
        drop(db);
        let router = router(Site::new(cast.console.clone(), BASE, None, true));
        Self { id: rows[0].provider_id.clone(), cast, router, provider }
    }

    async fn change(&self, change: impl Fn(&mut Settings)) {
        let mut new = settings(&self.provider);
        change(&mut new);
        let anna = self.cast.caller("anna").await;
        let seen = self.seen().await;
        providers::change_provider(&self.cast.console, &anna, &self.id, &seen, new, Zeroizing::default())
            .await
            .unwrap();
    }

    /// The row that settings are changed from.
    async fn seen(&self) -> String {
        let mut db = self.cast.console.db().unseen().read().await.unwrap();
        store::find(&mut db, &self.id, self.cast.console.seal_key()).await.unwrap().unwrap().id
    }

    async fn rule(&self, group: &str, gives: Gives) -> String {
        let anna = self.cast.caller("anna").await;
        groups::set_group_rule(&self.cast.console, &anna, &self.id, group, gives).await.unwrap();
        let mut db = self.cast.console.db().unseen().read().await.unwrap();
        store::rules(&mut db, &self.id, self.cast.console.seal_key()).await.unwrap().last().unwrap().id.clone()
    }

    async fn leave_by(&self, mut browser: Browser, query: &str) -> Leaving {
        let answer = browser.get(&format!("/sign-in/provider/{}{query}", self.id)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        Self::left(browser, &answer)
    }

    fn left(browser: Browser, answer: &Answer) -> Leaving {
        let url = answer.location().to_owned();
        let (_, query) = url.split_once('?').unwrap();
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        let of = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap();
        Leaving { browser, state: of("state"), nonce: of("nonce"), url: url.clone() }
    }

    async fn leave(&self) -> Leaving {
        self.leave_by(Browser::new(&self.router), "").await
    }

    /// Good claims about somebody for this flow.
    fn claims(&self, leaving: &Leaving, subject: &str) -> Value {
        let now = self.cast.console.now().timestamp();
        json!({
            "iss": self.provider.issuer(), "aud": CLIENT, "sub": subject, "nonce": leaving.nonce,
            "iat": now, "exp": now + 300, "preferred_username": subject, "name": format!("{subject} of Example"),
            "groups": [], "sid": format!("session of {subject}"),
        })
    }

    fn back(&self, leaving: &Leaving, code: &str) -> String {
        let query = [("state", leaving.state.as_str()), ("code", code), ("iss", &self.provider.issuer())];
        format!("/sign-in/return?{}", serde_urlencoded::to_string(query).unwrap())
    }

    /// Signs somebody in well, with groups.
    async fn sign_in(&self, subject: &str, groups: &[&str]) -> (Browser, Answer) {
        let leaving = self.leave().await;
        self.come_back(leaving, subject, groups).await
    }

    async fn come_back(&self, mut leaving: Leaving, subject: &str, groups: &[&str]) -> (Browser, Answer) {
        let mut claims = self.claims(&leaving, subject);
        merge(&mut claims, &json!({ "groups": groups }));
        self.provider.says(Script { claims, ..Script::default() });
        let back = self.back(&leaving, &leaving.state);
        let answer = leaving.browser.get(&back).await;
        (leaving.browser, answer)
    }

    async fn person(&self, login: &str) -> Option<people::store::Person> {
        let mut db = self.cast.console.db().unseen().read().await.unwrap();
        people::store::find_by_login(&mut db, login, self.cast.console.seal_key()).await.unwrap()
    }

    async fn roles(&self, login: &str) -> Vec<String> {
        let person = self.person(login).await.unwrap();
        let mut db = self.cast.console.db().unseen().read().await.unwrap();
        let (now, key) = (self.cast.console.now(), self.cast.console.seal_key());
        let roles = people::store::roles_of(&mut db, &person.id, now, key).await.unwrap();
        roles.into_iter().map(|row| row.role).collect()
    }

    async fn teams(&self, login: &str) -> usize {
        let person = self.person(login).await.unwrap();
        let mut db = self.cast.console.db().unseen().read().await.unwrap();
        let (now, key) = (self.cast.console.now(), self.cast.console.seal_key());
        people::store::memberships(&mut db, Some(&person.id), now, key).await.unwrap().len()
    }

    async fn is_in(&self, browser: &mut Browser) -> bool {
        browser.get("/account").await.status == StatusCode::OK
    }

    async fn logout(&self, claims: Value, sign: Sign) -> StatusCode {
        let now = self.cast.console.now().timestamp();
        let mut all = json!({
            "iss": self.provider.issuer(), "aud": CLIENT, "iat": now, "jti": format!("{now}"),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        merge(&mut all, &claims);
        let token = self.provider.sign(json!({ "typ": "logout+jwt" }), &all.to_string(), sign);
        let path = format!("/sign-in/back-channel/{}", self.id);
        let mut browser = Browser::new(&self.router);
        // As a server sends it: no cookie, no origin.
        browser
            .send(Method::POST, &path, &[("logout_token", &token)], &[("sec-fetch-site", "same-origin")])
            .await
            .status
    }
}

story!(whoever_the_provider_vouches_for_is_signed_in_and_known_by_issuer_and_subject, |world| {
    let scene = Scene::new(world).await;
    let leaving = scene.leave().await;
    for part in ["response_type=code", "code_challenge_method=S256", "scope=openid+profile+groups", "redirect_uri="] {
        assert!(leaving.url.contains(part), "{part} in {}", leaving.url);
    }
    let (mut browser, answer) = scene.come_back(leaving, "mara", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"));
    assert!(scene.is_in(&mut browser).await);
    assert!(scene.provider.last_form().contains_key("code_verifier"), "PKCE");
    // Mara of the console is somebody else: a name at the provider leads into nobody's account.
    let newcomer = scene.person("mara-2").await.expect("a name that is taken gets a number");
    assert_ne!(newcomer.id, scene.cast.id("mara"));
    assert_eq!(newcomer.name, "mara of Example");
    // The same subject is the same person, whatever it is called now.
    let leaving = scene.leave().await;
    let mut claims = scene.claims(&leaving, "mara");
    merge(&mut claims, &json!({ "preferred_username": "anna", "email": "anna@example.org" }));
    scene.provider.says(Script { claims, ..Script::default() });
    let back = scene.back(&leaving, "second");
    let mut again = leaving.browser;
    assert_eq!(again.get(&back).await.status, StatusCode::SEE_OTHER);
    assert!(again.get("/account").await.text.contains("You sign in as mara-2"));
    // Another spelling of the subject is another subject.
    scene.sign_in("MARA", &[]).await;
    assert!(scene.person("mara-3").await.is_some());
});

story!(every_false_answer_is_refused_with_a_page_and_an_event, |world| {
    let scene = Scene::new(world).await;
    let now = scene.cast.console.now().timestamp();
    let claims = |value: Value| Script { claims: value, ..Script::default() };
    let signed = |sign| Script { sign, ..Script::default() };
    let cases: Vec<(&str, Script, &str)> = vec![
        ("another nonce", claims(json!({ "nonce": "x" })), "nonce"),
        ("no nonce", claims(json!({ "nonce": null })), "nonce"),
        ("another issuer", claims(json!({ "iss": "https://other.example" })), "issuer"),
        ("the issuer with a slash", claims(json!({ "iss": format!("{}/", scene.provider.issuer()) })), "issuer"),
        ("another audience", claims(json!({ "aud": "other" })), "audience"),
        ("one audience too many", claims(json!({ "aud": [CLIENT, "other"] })), "audience"),
        ("another party", claims(json!({ "azp": "other" })), "audience"),
        ("no subject", claims(json!({ "sub": null })), "claims"),
        ("a number as subject", claims(json!({ "sub": 7 })), "claims"),
        ("an empty subject", claims(json!({ "sub": "" })), "claims"),
        ("a long subject", claims(json!({ "sub": "x".repeat(256) })), "claims"),
        ("a subject that is not ASCII", claims(json!({ "sub": "mаra" })), "claims"),
        ("no end", claims(json!({ "exp": null })), "claims"),
        ("an end as text", claims(json!({ "exp": "tomorrow" })), "claims"),
        ("over", claims(json!({ "exp": now - 61 })), "expired"),
        ("made long ago", claims(json!({ "iat": now - 3600 })), "expired"),
        ("made tomorrow", claims(json!({ "iat": now + 86_400 })), "expired"),
        ("groups as text", claims(json!({ "groups": "admins" })), "claims"),
        ("groups as numbers", claims(json!({ "groups": [1] })), "claims"),
        ("groups elsewhere", claims(json!({ "groups": null, "_claim_names": { "groups": "src1" } })), "claims"),
        ("another access token", claims(json!({ "at_hash": "AAAA" })), "access_token"),
        ("no signature", signed(Sign::None), "algorithm"),
        ("a shared secret", signed(Sign::ClientSecret), "algorithm"),
        ("the public key as secret", signed(Sign::PublicKey), "algorithm"),
        ("somebody else’s key", signed(Sign::Stranger), "signature"),
        ("a key that nobody published", Script { header: json!({ "kid": "three" }), ..signed(Sign::Stranger) }, "key"),
        (
            "a key that the token brings itself",
            Script {
                header: json!({ "kid": null, "jwk": { "kty": "OKP" }, "jku": "https://evil.example/keys" }),
                ..signed(Sign::Stranger)
            },
            "signature",
        ),
        (
            "an encrypted token",
            Script { header: json!({ "alg": "RSA-OAEP", "enc": "A128GCM" }), ..signed(Sign::Well) },
            "claims",
        ),
        ("no token", Script { no_id_token: true, ..Script::default() }, "claims"),
        ("no JSON", Script { status: Some((200, "<html>".into())), ..Script::default() }, "claims"),
        ("an error", Script { status: Some((500, String::new())), ..Script::default() }, "claims"),
        ("ten megabytes", Script { status: Some((200, "x".repeat(10_000_000))), ..Script::default() }, "silent"),
        ("a redirect", Script { status: Some((302, String::new())), ..Script::default() }, "claims"),
        (
            "a name twice",
            Script {
                payload: Some(format!(
                    r#"{{"iss":"{}","aud":"{CLIENT}","sub":"mallory","sub":"anna","nonce":"NONCE","iat":{now},"exp":{}}}"#,
                    scene.provider.issuer(),
                    now + 300
                )),
                ..Script::default()
            },
            "claims",
        ),
    ];
    for (what, mut script, why) in cases {
        // A minute apart: repeats within one are counted, not written.
        scene.cast.world.clock.advance(TimeDelta::seconds(61));
        let mut leaving = scene.leave().await;
        let mut all = scene.claims(&leaving, "mallory");
        for (name, shift) in [("iat", 0), ("exp", 300)] {
            // The times of a case are meant from its own moment.
            let moment = scene.cast.console.now().timestamp();
            if let Some(at) = script.claims.get(name).and_then(Value::as_i64) {
                merge(&mut script.claims, &json!({ name: moment + at - now }));
            }
            merge(&mut all, &json!({ name: moment + shift }));
        }
        merge(&mut all, &script.claims);
        let moment = scene.cast.console.now().timestamp();
        script.payload = script.payload.map(|payload| {
            payload
                .replace("NONCE", &leaving.nonce)
                .replace(&format!("\"iat\":{now}"), &format!("\"iat\":{moment}"))
                .replace(&format!("\"exp\":{}", now + 300), &format!("\"exp\":{}", moment + 300))
        });
        scene.provider.says(Script { claims: all, ..script });
        let back = scene.back(&leaving, what);
        let answer = leaving.browser.get(&back).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
        let refusal = if why == "silent" { Refusal::ProviderSilent } else { Refusal::ProviderAnswer };
        assert!(answer.text.contains(&refusal.to_string()), "{what}: {}", answer.text);
        let event = scene.cast.last_event().await;
        let leaf = app::audit::leaf::Leaf::decode(&event.leaf).unwrap();
        assert_eq!(
            (leaf.action.as_str(), leaf.reason.as_deref(), leaf.detail.get("why").and_then(Value::as_str)),
            (Action::SignIn.code(), Some(refusal.code()), Some(why)),
            "{what}"
        );
        assert!(!scene.is_in(&mut leaving.browser).await, "{what}");
    }
    assert!(scene.person("mallory").await.is_none(), "nobody came in");
    // And in the end a good one does.
    assert_eq!(scene.sign_in("honest", &[]).await.1.status, StatusCode::SEE_OTHER);
});

story!(a_sign_in_ends_where_it_began_once_and_soon, |world| {
    let scene = Scene::new(world).await;
    let stale = Refusal::SignInStale.to_string();
    // In another browser.
    let leaving = scene.leave().await;
    let mut claims = scene.claims(&leaving, "jo");
    scene.provider.says(Script { claims: claims.clone(), ..Script::default() });
    let back = scene.back(&leaving, "a");
    let mut other = Browser::new(&scene.router);
    assert!(other.get(&back).await.text.contains(&stale));
    let mut on_the_way = scene.leave().await.browser;
    assert!(on_the_way.get(&back).await.text.contains(&stale), "a browser with a flow of its own");
    // In its own, once.
    let mut browser = leaving.browser;
    assert_eq!(browser.get(&back).await.status, StatusCode::SEE_OTHER);
    assert!(browser.get(&back).await.text.contains(&stale), "the state is used up");
    // A code that was used before is the provider's to refuse, and its refusal counts.
    scene.cast.world.clock.advance(TimeDelta::seconds(61));
    let mut again = scene.leave().await;
    claims = scene.claims(&again, "jo");
    scene.provider.says(Script { claims, ..Script::default() });
    let replayed = scene.back(&again, "a");
    assert!(again.browser.get(&replayed).await.text.contains(&Refusal::ProviderAnswer.to_string()));
    // Ten minutes later.
    let mut late = scene.leave().await;
    let back = scene.back(&late, "b");
    scene.cast.world.clock.advance(TimeDelta::minutes(10));
    assert!(late.browser.get(&back).await.text.contains(&stale));
    // A state that nobody made, and none.
    for bad in ["/sign-in/return", "/sign-in/return?code=x&state=", "/sign-in/return?code=x&state=y"] {
        assert_eq!(late.browser.get(bad).await.status, StatusCode::FORBIDDEN, "{bad}");
    }
    // The person said no, there.
    let mut declined = scene.leave().await;
    let query = format!("/sign-in/return?error=access_denied&state={}&iss={}", declined.state, scene.provider.issuer());
    assert!(declined.browser.get(&query).await.text.contains(&Refusal::ProviderDeclined.to_string()));
});

story!(an_answer_names_the_provider_that_was_asked, |world| {
    let scene = Scene::new(world).await;
    let go = async |iss: Option<&str>| {
        let mut leaving = scene.leave().await;
        let claims = scene.claims(&leaving, "jo");
        scene.provider.says(Script { claims, ..Script::default() });
        let mut query = vec![("state", leaving.state.as_str()), ("code", leaving.nonce.as_str())];
        query.extend(iss.map(|iss| ("iss", iss)));
        let path = format!("/sign-in/return?{}", serde_urlencoded::to_string(query).unwrap());
        leaving.browser.get(&path).await.status
    };
    assert_eq!(go(Some("https://other.example")).await, StatusCode::FORBIDDEN, "a mix-up of two providers");
    assert_eq!(go(None).await, StatusCode::FORBIDDEN, "it says that it names itself, and did not");
    assert_eq!(go(Some(&scene.provider.issuer())).await, StatusCode::SEE_OTHER);
    scene.provider.names_itself(false);
    scene.cast.world.clock.advance(TimeDelta::minutes(16));
    assert_eq!(go(None).await, StatusCode::SEE_OTHER, "an older provider, which does not");
    assert_eq!(go(Some("https://other.example")).await, StatusCode::FORBIDDEN, "but never another’s name");
});

story!(what_is_insisted_on_is_verified, |world| {
    let scene = Scene::new(world).await;
    scene
        .change(|settings| {
            settings.acr = Some("mfa".into());
            settings.max_age = Some(3600);
        })
        .await;
    let now = || scene.cast.console.now().timestamp();
    let go = async |extra: Value| {
        scene.cast.world.clock.advance(TimeDelta::seconds(61));
        let mut leaving = scene.leave().await;
        assert!(leaving.url.contains("max_age=3600") && leaving.url.contains("acr_values=mfa"), "{}", leaving.url);
        let mut claims = scene.claims(&leaving, "jo");
        merge(&mut claims, &extra);
        scene.provider.says(Script { claims, ..Script::default() });
        let back = scene.back(&leaving, &leaving.state);
        leaving.browser.get(&back).await.status
    };
    assert_eq!(go(json!({ "acr": "mfa" })).await, StatusCode::FORBIDDEN, "no time of authentication");
    assert_eq!(go(json!({ "auth_time": now() })).await, StatusCode::FORBIDDEN, "no context");
    assert_eq!(go(json!({ "acr": "pwd", "auth_time": now() })).await, StatusCode::FORBIDDEN, "another context");
    assert_eq!(go(json!({ "acr": "mfa", "auth_time": now() - 7200 })).await, StatusCode::FORBIDDEN, "too long ago");
    assert_eq!(go(json!({ "acr": "mfa", "auth_time": now() + 7200 })).await, StatusCode::FORBIDDEN, "in the future");
    assert_eq!(go(json!({ "acr": "mfa", "auth_time": now() })).await, StatusCode::SEE_OTHER);
});

story!(groups_give_what_rules_say_and_take_it_again, |world| {
    let scene = Scene::new(world).await;
    let lead = Gives::Role { role: Role::Lead, project: Some(scene.cast.project.clone()) };
    let rule = scene.rule("payments-leads", lead.clone()).await;
    scene.rule("payments", Gives::Team { team: scene.cast.team.clone() }).await;
    let (mut browser, _) = scene.sign_in("noor", &["payments-leads", "payments", "unknown"]).await;
    assert_eq!((scene.roles("noor").await, scene.teams("noor").await), (vec!["lead".to_owned()], 1));
    let page = browser.get(&format!("/people/{}", scene.person("noor").await.unwrap().id)).await;
    assert!(page.text.contains("the group payments-leads"), "where a role comes from is said");
    // The same again leaves what is there as it is: a role does not begin anew with each sign-in.
    let events = scene.cast.events().await;
    scene.sign_in("noor", &["payments-leads", "payments", "unknown"]).await;
    assert_eq!(scene.cast.events().await, events + 1, "the sign-in alone");
    // A group that differs in case or by a space is another group.
    scene.sign_in("noor", &["Payments-Leads", " payments-leads", "payments"]).await;
    assert_eq!((scene.roles("noor").await, scene.teams("noor").await), (vec![], 1));
    scene.sign_in("noor", &["payments-leads"]).await;
    assert_eq!((scene.roles("noor").await, scene.teams("noor").await), (vec!["lead".to_owned()], 0));
    // The rule goes, and what it gave with it, at once and in mid-session.
    let anna = scene.cast.caller("anna").await;
    groups::remove_group_rule(&scene.cast.console, &anna, &rule).await.unwrap();
    assert!(scene.roles("noor").await.is_empty());
    assert!(scene.is_in(&mut browser).await);
    let again = groups::remove_group_rule(&scene.cast.console, &anna, &rule).await;
    assert_eq!(again.err(), Some(Error::Conflict(Conflict::AlreadyDone)));
    // What was given by hand, no group takes.
    let noor = scene.person("noor").await.unwrap();
    people::assign_role(&scene.cast.console, &anna, &noor.id, Role::Auditor, None, None).await.unwrap();
    scene.rule("auditors", Gives::Role { role: Role::Auditor, project: None }).await;
    scene.sign_in("noor", &["auditors"]).await;
    scene.sign_in("noor", &[]).await;
    assert_eq!(scene.roles("noor").await, ["auditor"]);
});

story!(the_dry_run_says_who_would_gain, |world| {
    let scene = Scene::new(world).await;
    scene.sign_in("noor", &["sec"]).await;
    scene.sign_in("omar", &["other"]).await;
    let mut anna = Browser::signed_in(&scene.cast, &scene.router, "anna").await;
    let path = format!("/providers/{}/rules", scene.id);
    let events = scene.cast.events().await;
    let shown = anna.post(&path, &[("group", "sec"), ("gives", "role:security"), ("do", "preview")]).await;
    assert!(shown.text.contains("noor of Example") && !shown.text.contains("omar of Example"), "{}", shown.text);
    assert_eq!(scene.cast.events().await, events, "a dry run changes nothing");
    for (group, gives) in
        [("", "role:security"), ("sec", "role:king"), ("sec", "role:member"), ("a\u{202e}b", "role:lead")]
    {
        let wrong = anna.post(&path, &[("group", group), ("gives", gives), ("do", "set")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{group:?} {gives}");
    }
    let set = anna.post(&path, &[("group", "sec"), ("gives", "role:security"), ("do", "set")]).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER);
    assert!(scene.roles("noor").await.is_empty(), "from the next sign-in");
    scene.sign_in("noor", &["sec"]).await;
    assert_eq!(scene.roles("noor").await, ["security"]);
    let mut jonas = Browser::new(&scene.router);
    assert_ne!(
        jonas.post(&path, &[("group", "sec"), ("gives", "role:admin"), ("do", "set")]).await.status,
        StatusCode::SEE_OTHER
    );
});

story!(people_who_are_invited_join_with_the_provider, |world| {
    let scene = Scene::new(world).await;
    scene.change(|settings| settings.admits = false).await;
    let (_, answer) = scene.sign_in("stranger", &[]).await;
    assert!(answer.text.contains(&Refusal::NotAdmitted.to_string()));
    let anna = scene.cast.caller("anna").await;
    let (id, link, _) = people::invite_person(&scene.cast.console, &anna, "nils", "Nils New").await.unwrap();
    let mut browser = Browser::new(&scene.router);
    let page = browser.get(&format!("/link/{}", *link)).await;
    assert!(page.text.contains("Join with Example ID") && !page.text.contains("new_password"), "{}", page.text);
    let typed = browser.post(&format!("/link/{}", *link), &[("new_password", "four ordinary words here")]).await;
    assert_eq!(typed.status, StatusCode::FORBIDDEN, "no password where a provider is used");
    let leaving = scene.leave_by(browser, &format!("?link={}", *link)).await;
    let (mut browser, answer) = scene.come_back(leaving, "some-subject", &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert!(browser.get("/account").await.text.contains("You sign in as nils"));
    assert_eq!(scene.person("nils").await.unwrap().id, id);
    let mut again = Browser::new(&scene.router);
    assert_eq!(
        again.get(&format!("/sign-in/provider/{}?link={}", scene.id, *link)).await.status,
        StatusCode::FORBIDDEN
    );
});

story!(an_identity_is_linked_by_its_owner_and_belongs_to_one, |world| {
    let scene = Scene::new(world).await;
    // Jonas has a password from before and is signed in; he is no emergency account.
    let anna = scene.cast.caller("anna").await;
    providers::name_emergency_account(&scene.cast.console, &anna, scene.cast.id("jonas")).await.unwrap();
    let mut jonas = Browser::signed_in(&scene.cast, &scene.router, "jonas").await;
    let answer = jonas.get(&format!("/account/identities/link/{}", scene.id)).await;
    let leaving = Scene::left(jonas, &answer);
    let (mut jonas, answer) = scene.come_back(leaving, "jonas-there", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/account"));
    assert!(jonas.get("/account").await.text.contains("jonas-there"));
    let (mut elsewhere, _) = scene.sign_in("jonas-there", &[]).await;
    assert!(elsewhere.get("/account").await.text.contains("You sign in as jonas."));
    // Nobody else links it.
    let mut emergency = Browser::signed_in(&scene.cast, &scene.router, "anna").await;
    let answer = emergency.get(&format!("/account/identities/link/{}", scene.id)).await;
    let leaving = Scene::left(emergency, &answer);
    let (_, answer) = scene.come_back(leaving, "jonas-there", &[]).await;
    assert!(answer.text.contains(&Refusal::IdentityTaken.to_string()));
    // Unlinking ends its sessions; without a password of one's own it is refused.
    let id = {
        let mut db = scene.cast.console.db().unseen().read().await.unwrap();
        let rows = store::identities_of(&mut db, scene.cast.id("jonas"), scene.cast.console.seal_key()).await.unwrap();
        rows[0].id.clone()
    };
    providers::unname_emergency_account(&scene.cast.console, &anna, scene.cast.id("jonas")).await.unwrap();
    let caller = scene.cast.caller("jonas").await;
    let only = providers::unlink_identity(&scene.cast.console, &caller, &id).await;
    assert_eq!(only.err(), Some(Error::Refused(Refusal::NoSecondSignIn)));
    let lucia = scene.cast.caller("lucia").await;
    assert!(providers::unlink_identity(&scene.cast.console, &lucia, &id).await.is_err(), "somebody else’s");
    let mara = scene.cast.caller("mara").await;
    providers::unlink_identity(&scene.cast.console, &mara, &id).await.unwrap();
    assert!(!scene.is_in(&mut elsewhere).await, "its sessions end");
});

story!(passwords_are_for_emergency_accounts_alone, |world| {
    let scene = Scene::new(world).await;
    let mut browser = Browser::new(&scene.router);
    let page = browser.get("/sign-in").await;
    assert!(page.text.contains("Sign in with Example ID") && page.text.contains("Emergency account"));
    let refused = browser.post("/sign-in", &[("login", "jonas"), ("password", PASSWORD)]).await;
    let unknown = browser.post("/sign-in", &[("login", "nobody"), ("password", PASSWORD)]).await;
    assert_eq!((refused.status, unknown.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    let same = |answer: &Answer, login: &str| answer.text.replace(login, "X");
    assert_eq!(same(&refused, "jonas"), same(&unknown, "nobody"), "the same answer for both");
    Browser::signed_in(&scene.cast, &scene.router, "anna").await;
    // Each such sign-in is told.
    let mut db = scene.cast.console.db().unseen().read().await.unwrap();
    for (login, told) in [("mara", true), ("ewa", true), ("jonas", false), ("anna", false)] {
        let has =
            server::notifications::store::has(&mut db, scene.cast.id(login), "emergency.used", scene.cast.id("anna"));
        assert_eq!(has.await.unwrap(), told, "{login}");
    }
    drop(db);
    // The last one who administers stays.
    let anna = scene.cast.caller("anna").await;
    let last = providers::unname_emergency_account(&scene.cast.console, &anna, scene.cast.id("anna")).await;
    assert_eq!(last.err(), Some(Error::Refused(Refusal::LastAdministrator)));
});

story!(no_provider_without_a_way_in_when_it_is_down, |world| {
    let mut world = world;
    world.instance.private = vec!["127.0.0.1/32".parse().unwrap()];
    let cast = Cast::new(world).await;
    let provider = Provider::start().await;
    let anna = cast.caller("anna").await;
    let set = || providers::add_provider(&cast.console, &anna, settings(&provider), secret());
    assert!(matches!(set().await, Err(Error::Invalid(_))), "an emergency account first");
    providers::name_emergency_account(&cast.console, &anna, cast.id("jonas")).await.unwrap();
    assert!(matches!(set().await, Err(Error::Invalid(_))), "who administers");
    providers::name_emergency_account(&cast.console, &anna, cast.id("anna")).await.unwrap();
    set().await.unwrap();
    assert!(matches!(set().await, Err(Error::Invalid(_))), "one provider for one issuer");
    let jonas = cast.caller("jonas").await;
    let theirs = providers::add_provider(&cast.console, &jonas, settings(&provider), secret()).await;
    assert_eq!(theirs.err(), Some(Error::Refused(Refusal::NoRule)));
});

story!(an_outage_shuts_nobody_out_who_is_in, |world| {
    let scene = Scene::new(world).await;
    let (mut browser, _) = scene.sign_in("noor", &[]).await;
    scene.provider.goes_down(true);
    scene.cast.world.clock.advance(TimeDelta::minutes(30));
    assert!(scene.is_in(&mut browser).await);
    // What it said before is used for a day.
    assert_eq!(scene.sign_in("omar", &[]).await.1.status, StatusCode::SEE_OTHER);
    scene.cast.world.clock.advance(TimeDelta::hours(24));
    let mut new = Browser::new(&scene.router);
    let answer = new.get(&format!("/sign-in/provider/{}", scene.id)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.text.contains(&Refusal::ProviderSilent.to_string()) && answer.text.contains("Emergency account"));
    // It is not asked again with each click.
    let asked = scene.provider.asked();
    for _ in 0..5 {
        new.get(&format!("/sign-in/provider/{}", scene.id)).await;
    }
    assert_eq!(scene.provider.asked(), asked);
    scene.provider.goes_down(false);
    scene.cast.world.clock.advance(TimeDelta::seconds(31));
    assert_eq!(scene.sign_in("omar", &[]).await.1.status, StatusCode::SEE_OTHER);
});

story!(new_keys_are_fetched_once_and_a_stream_of_unknown_ones_is_no_storm, |world| {
    let scene = Scene::new(world).await;
    scene.sign_in("noor", &[]).await;
    scene.provider.changes_keys();
    scene.cast.world.clock.advance(TimeDelta::seconds(31));
    assert_eq!(scene.sign_in("noor", &[]).await.1.status, StatusCode::SEE_OTHER, "the new key is looked for");
    let asked = scene.provider.asked();
    for _ in 0..5 {
        let mut leaving = scene.leave().await;
        let script = Script { header: json!({ "kid": "nine" }), sign: Sign::Stranger, ..Script::default() };
        scene.provider.says(Script { claims: scene.claims(&leaving, "x"), ..script });
        let back = scene.back(&leaving, &leaving.state);
        assert_eq!(leaving.browser.get(&back).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(scene.provider.asked(), asked);
});

story!(a_slow_provider_is_not_waited_for, |world| {
    let scene = Scene::new(world).await;
    let mut leaving = scene.leave().await;
    scene.provider.says(Script { slow: Some(Duration::from_secs(20)), ..Script::default() });
    let begun = std::time::Instant::now();
    let back = scene.back(&leaving, "slow");
    let answer = leaving.browser.get(&back).await;
    assert!(answer.text.contains(&Refusal::ProviderSilent.to_string()));
    assert!(begun.elapsed() < Duration::from_secs(10));
});

story!(the_provider_ends_sessions_behind_the_browsers_back, |world| {
    let scene = Scene::new(world).await;
    let (mut first, _) = scene.sign_in("noor", &[]).await;
    let (mut other, _) = scene.sign_in("omar", &[]).await;
    let good = json!({ "sid": "session of noor" });
    let merged = |value: Value| {
        let mut all = good.clone();
        merge(&mut all, &value);
        all
    };
    let event = "http://schemas.openid.net/event/backchannel-logout";
    for (what, claims, sign) in [
        ("another issuer", merged(json!({ "iss": "https://other.example" })), Sign::Well),
        ("another audience", merged(json!({ "aud": "other" })), Sign::Well),
        ("old", merged(json!({ "iat": scene.cast.console.now().timestamp() - 300 })), Sign::Well),
        ("over", merged(json!({ "exp": scene.cast.console.now().timestamp() - 300 })), Sign::Well),
        ("an ID token", merged(json!({ "nonce": "x" })), Sign::Well),
        ("no event", merged(json!({ "events": { event: null } })), Sign::Well),
        ("another event", merged(json!({ "events": { "x": {} } })), Sign::Well),
        ("an event that is text", merged(json!({ "events": { event: "yes" } })), Sign::Well),
        ("nobody", json!({}), Sign::Well),
        ("no id", json!({ "sid": "session of noor", "jti": null }), Sign::Well),
        ("unsigned", good.clone(), Sign::None),
        ("a shared secret", good.clone(), Sign::ClientSecret),
        ("the public key as secret", good.clone(), Sign::PublicKey),
        ("somebody else’s key", good.clone(), Sign::Stranger),
    ] {
        assert_eq!(scene.logout(claims, sign).await, StatusCode::BAD_REQUEST, "{what}");
        assert!(scene.is_in(&mut first).await, "{what}");
    }
    assert_eq!(scene.logout(good.clone(), Sign::Well).await, StatusCode::OK);
    assert!(!scene.is_in(&mut first).await && scene.is_in(&mut other).await);
    assert_eq!(scene.logout(good, Sign::Well).await, StatusCode::BAD_REQUEST, "each token once");
    // By subject: all of theirs.
    let (mut first, _) = scene.sign_in("noor", &[]).await;
    let (mut second, _) = scene.sign_in("noor", &[]).await;
    scene.cast.world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(scene.logout(json!({ "sub": "noor" }), Sign::Well).await, StatusCode::OK);
    assert!(!scene.is_in(&mut first).await && !scene.is_in(&mut second).await && scene.is_in(&mut other).await);
});

story!(signing_out_says_where_the_providers_session_ends, |world| {
    let scene = Scene::new(world).await;
    let (mut browser, _) = scene.sign_in("noor", &[]).await;
    let answer = browser.post("/sign-out", &[]).await;
    let to = answer.location().to_owned();
    assert_eq!(to, format!("/sign-in?out={}", scene.id));
    let page = browser.get(&to).await;
    assert!(page.text.contains(&format!("{}/sign-out?client_id={CLIENT}", scene.provider.issuer())), "{}", page.text);
    assert!(!scene.is_in(&mut browser).await);
});

story!(a_disabled_person_stays_out_and_a_removed_provider_takes_everything_with_it, |world| {
    let scene = Scene::new(world).await;
    scene.rule("leads", Gives::Role { role: Role::Lead, project: None }).await;
    let (mut browser, _) = scene.sign_in("noor", &["leads"]).await;
    let noor = scene.person("noor").await.unwrap();
    let anna = scene.cast.caller("anna").await;
    people::disable_person(&scene.cast.console, &anna, &noor.id).await.unwrap();
    assert!(!scene.is_in(&mut browser).await);
    let (_, answer) = scene.sign_in("noor", &["leads"]).await;
    assert!(answer.text.contains(&Refusal::Disabled.to_string()));
    people::enable_person(&scene.cast.console, &anna, &noor.id).await.unwrap();
    let (mut browser, _) = scene.sign_in("noor", &["leads"]).await;
    assert_eq!(scene.roles("noor").await, ["lead"]);
    providers::remove_provider(&scene.cast.console, &anna, &scene.id).await.unwrap();
    assert!(!scene.is_in(&mut browser).await && scene.roles("noor").await.is_empty());
    let mut gone = Browser::new(&scene.router);
    assert_eq!(gone.get(&format!("/sign-in/provider/{}", scene.id)).await.status, StatusCode::NOT_FOUND);
    Browser::signed_in(&scene.cast, &scene.router, "jonas").await;
    // Every row that all this wrote is as its event left it.
    let checked = server::audit::state::check(scene.cast.console.db(), scene.cast.console.seal_key()).await.unwrap();
    assert_eq!(checked.wrong, Vec::<String>::new());
});

story!(the_clients_secret_is_stored_wrapped_and_shown_nowhere, |world| {
    let scene = Scene::new(world).await;
    let mut anna = Browser::signed_in(&scene.cast, &scene.router, "anna").await;
    for path in ["/providers".to_owned(), format!("/providers/{}", scene.id)] {
        assert!(!anna.get(&path).await.text.contains(SECRET), "{path}");
    }
    let wrong =
        [("name", ""), ("issuer", "x"), ("client_secret", "another secret here"), ("groups_claim", "g"), ("do", "set")];
    let again = anna.post("/providers", &wrong).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!again.text.contains("another secret here"));
    let mut db = scene.cast.console.db().unseen().read().await.unwrap();
    let row = store::find(&mut db, &scene.id, scene.cast.console.seal_key()).await.unwrap().unwrap();
    assert!(!row.sealed_secret.contains(SECRET));
    assert_eq!(providers::open_secret(&scene.cast.console, &row).unwrap().as_str(), SECRET);
    let asked = anna.post("/providers", &[("issuer", scene.provider.issuer().as_str()), ("do", "check")]).await;
    assert!(asked.text.contains("EdDSA") && asked.text.contains("answers"), "{}", asked.text);
    let private = anna.post("/providers", &[("issuer", "https://10.0.0.1"), ("do", "check")]).await;
    assert!(private.text.contains("cannot be used"), "nothing private is reached");
});

story!(two_administrators_who_change_settings_see_each_other, |world| {
    let scene = Scene::new(world).await;
    let mut anna = Browser::signed_in(&scene.cast, &scene.router, "anna").await;
    let path = format!("/providers/{}", scene.id);
    let first = scene.seen().await;
    let issuer = scene.provider.issuer();
    let form = |seen: &str, name: &str| {
        [
            ("seen", seen.to_owned()),
            ("name", name.to_owned()),
            ("issuer", issuer.clone()),
            ("client_id", CLIENT.to_owned()),
            ("groups_claim", "groups".to_owned()),
            ("admits", "yes".to_owned()),
            ("do", "set".to_owned()),
        ]
    };
    let sent = form(&first, "Renamed ID");
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        anna.post(&path, &sent).await.status,
        StatusCode::SEE_OTHER,
        "a name tightens nothing and loosens nothing"
    );
    let late = form(&first, "Another name");
    let late: Vec<(&str, &str)> = late.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = anna.post(&path, &late).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("Somebody changed these settings") && refused.text.contains("Another name"));
    let again = form(&scene.seen().await, "Another name");
    let again: Vec<(&str, &str)> = again.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(anna.post(&path, &again).await.status, StatusCode::SEE_OTHER);
    let checked = server::audit::state::check(scene.cast.console.db(), scene.cast.console.seal_key()).await.unwrap();
    assert_eq!(checked.wrong, Vec::<String>::new());
});

story!(a_clock_that_is_a_minute_off_shuts_nobody_out, |world| {
    let scene = Scene::new(world).await;
    for (off, good) in [(-60, true), (60, true), (121, false), (-601, false)] {
        scene.cast.world.clock.advance(TimeDelta::seconds(61));
        let mut leaving = scene.leave().await;
        let mut claims = scene.claims(&leaving, "noor");
        let there = scene.cast.console.now().timestamp() + off;
        merge(&mut claims, &json!({ "iat": there, "exp": there + 60 }));
        scene.provider.says(Script { claims, ..Script::default() });
        let back = scene.back(&leaving, &leaving.state);
        let wanted = if good { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(leaving.browser.get(&back).await.status, wanted, "{off} seconds");
    }
});

story!(a_link_for_a_new_password_lets_no_other_identity_in, |world| {
    let scene = Scene::new(world).await;
    let anna = scene.cast.caller("anna").await;
    let (link, _) = people::reset_password(&scene.cast.console, &anna, scene.cast.id("iris")).await.unwrap();
    let mut browser = Browser::new(&scene.router);
    let page = browser.get(&format!("/link/{}", *link)).await;
    assert!(!page.text.contains("new_password"), "no password for her here");
    let begun = browser.get(&format!("/sign-in/provider/{}?link={}", scene.id, *link)).await;
    assert_eq!(begun.status, StatusCode::FORBIDDEN);
    // Also where the way there was begun before: an invitation that was used meanwhile.
    let (_, invitation, _) = people::invite_person(&scene.cast.console, &anna, "nils", "Nils New").await.unwrap();
    let query = format!("?link={}", *invitation);
    let first = scene.leave_by(Browser::new(&scene.router), &query).await;
    let second = scene.leave_by(Browser::new(&scene.router), &query).await;
    assert_eq!(scene.come_back(first, "nils-there", &[]).await.1.status, StatusCode::SEE_OTHER);
    let (_, late) = scene.come_back(second, "mallory", &[]).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    let nils = scene.person("nils").await.unwrap();
    let mut db = scene.cast.console.db().unseen().read().await.unwrap();
    let identities = store::identities_of(&mut db, &nils.id, scene.cast.console.seal_key()).await.unwrap();
    assert_eq!(identities.len(), 1);
});

story!(an_identity_that_was_taken_makes_no_second_account, |world| {
    let scene = Scene::new(world).await;
    scene.rule("leads", Gives::Role { role: Role::Lead, project: None }).await;
    scene.sign_in("noor", &["leads"]).await;
    let noor = scene.person("noor").await.unwrap();
    let anna = scene.cast.caller("anna").await;
    people::disable_person(&scene.cast.console, &anna, &noor.id).await.unwrap();
    let id = {
        let mut db = scene.cast.console.db().unseen().read().await.unwrap();
        store::identities_of(&mut db, &noor.id, scene.cast.console.seal_key()).await.unwrap()[0].id.clone()
    };
    providers::unlink_identity(&scene.cast.console, &anna, &id).await.unwrap();
    let (_, answer) = scene.sign_in("noor", &["leads"]).await;
    assert!(answer.text.contains(&Refusal::IdentityTaken.to_string()), "{}", answer.text);
    assert!(scene.person("noor-2").await.is_none());
    let (_, invitation, _) = people::invite_person(&scene.cast.console, &anna, "nils", "Nils New").await.unwrap();
    let leaving = scene.leave_by(Browser::new(&scene.router), &format!("?link={}", *invitation)).await;
    assert_eq!(scene.come_back(leaving, "noor", &[]).await.1.status, StatusCode::FORBIDDEN);
});

story!(what_binds_an_identity_begins_on_a_page_of_ours, |world| {
    let scene = Scene::new(world).await;
    let mut anna = Browser::signed_in(&scene.cast, &scene.router, "anna").await;
    let path = format!("/account/identities/link/{}", scene.id);
    for elsewhere in ["cross-site", "same-site", "none"] {
        let sent = anna.send(Method::GET, &path, &[], &[("sec-fetch-site", elsewhere)]).await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{elsewhere}");
    }
    let own = anna.send(Method::GET, &path, &[], &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(own.status, StatusCode::SEE_OTHER);
    // A new way in decides nothing in production for a day, and is told.
    let before = scene.cast.person("anna").await.counts_since();
    let leaving = Scene::left(anna, &own);
    scene.come_back(leaving, "anna-there", &[]).await;
    assert!(scene.cast.person("anna").await.counts_since() > before);
    let mut db = scene.cast.console.db().unseen().read().await.unwrap();
    let id = scene.cast.id("anna");
    assert!(server::notifications::store::has(&mut db, id, "identity.linked", id).await.unwrap());
});

story!(a_sign_in_on_the_way_does_not_outlive_its_provider, |world| {
    let scene = Scene::new(world).await;
    let leaving = scene.leave().await;
    let claims = scene.claims(&leaving, "noor");
    scene.provider.says(Script { claims, ..Script::default() });
    scene.change(|settings| settings.acr = Some("mfa".into())).await;
    // The settings of the moment count: this answer has no such context.
    let (_, answer) = scene.come_back(leaving, "noor", &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let (row, vouched) = {
        let mut db = scene.cast.console.db().unseen().read().await.unwrap();
        let row = store::find(&mut db, &scene.id, scene.cast.console.seal_key()).await.unwrap().unwrap();
        let vouched = providers::claims::Vouched {
            issuer: row.issuer.clone(),
            subject: "noor".into(),
            sid: None,
            name: None,
            wished_login: Some("noor".into()),
            groups: Default::default(),
            acr: None,
            auth_time: None,
        };
        (row, vouched)
    };
    let anna = scene.cast.caller("anna").await;
    providers::remove_provider(&scene.cast.console, &anna, &scene.id).await.unwrap();
    let origin = server::audit::event::Who::anonymous();
    let late = providers::flow::sign_in(
        &scene.cast.console,
        &origin,
        &row,
        &vouched,
        &providers::flow::Purpose::SignIn,
        vec![7; 32],
    );
    assert_eq!(late.await.err(), Some(Error::Refused(Refusal::SignInStale)));
    assert!(scene.person("noor").await.is_none());
});

story!(two_providers_have_to_name_themselves, |world| {
    let scene = Scene::new(world).await;
    scene.provider.names_itself(false);
    let other = Provider::start().await;
    let anna = scene.cast.caller("anna").await;
    providers::add_provider(&scene.cast.console, &anna, settings(&other), secret()).await.unwrap();
    let mut leaving = scene.leave().await;
    let claims = scene.claims(&leaving, "noor");
    scene.provider.says(Script { claims, ..Script::default() });
    let query = [("state", leaving.state.as_str()), ("code", "c")];
    let path = format!("/sign-in/return?{}", serde_urlencoded::to_string(query).unwrap());
    assert_eq!(leaving.browser.get(&path).await.status, StatusCode::FORBIDDEN);
    let another = scene.provider.issuer().replace("127.0.0.1", "localhost");
    let changed = Settings { issuer: another, ..settings(&scene.provider) };
    let seen = scene.seen().await;
    let moved = providers::change_provider(&scene.cast.console, &anna, &scene.id, &seen, changed, Zeroizing::default());
    assert!(matches!(moved.await, Err(Error::Invalid(_))), "another issuer is another provider");
});

story!(a_broken_seal_opens_no_other_way_in, |world| {
    let scene = Scene::new(world).await;
    scene.cast.world.as_database_owner(&["UPDATE identity_providers SET name = 'x'"]).await;
    let mut browser = Browser::new(&scene.router);
    let answer = browser.post("/sign-in", &[("login", "jonas"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
});

story!(a_role_by_a_group_stays_one_when_it_ends_earlier, |world| {
    let scene = Scene::new(world).await;
    let rule = scene.rule("leads", Gives::Role { role: Role::Lead, project: None }).await;
    scene.sign_in("noor", &["leads"]).await;
    let noor = scene.person("noor").await.unwrap();
    let anna = scene.cast.caller("anna").await;
    let far = Some(scene.cast.console.now() + TimeDelta::days(9000));
    people::assign_role(&scene.cast.console, &anna, &noor.id, Role::Lead, None, far).await.unwrap();
    groups::remove_group_rule(&scene.cast.console, &anna, &rule).await.unwrap();
    assert!(scene.roles("noor").await.is_empty(), "it was the group’s and went with it");
    let checked = server::audit::state::check(scene.cast.console.db(), scene.cast.console.seal_key()).await.unwrap();
    assert_eq!(checked.wrong, Vec::<String>::new());
});

story!(tokens_of_an_identity_end_with_it, |world| {
    let scene = Scene::new(world).await;
    let (mut browser, _) = scene.sign_in("noor", &[]).await;
    let (console, noor) = (&scene.cast.console, scene.person("noor").await.unwrap());
    let noor = people::Caller::load(console, noor, people::Entry::Direct, server::audit::event::Who::anonymous())
        .await
        .unwrap();
    browser.hold(console, crate::cast::enrol(console, &noor).await);
    let form = [("name", "script"), ("scope", "access:read"), ("days", "30")];
    let made = browser.post("/account/tokens", &form).await.text;
    let token = made.split("csp_").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let call = async || {
        let mut program = Browser::new(&scene.router);
        let bearer = format!("Bearer csp_{token}");
        program.send(Method::GET, "/api/v1/requests", &[], &[("authorization", &bearer)]).await.status
    };
    assert_eq!(call().await, StatusCode::OK);
    // The session that it was made in is long over.
    scene.cast.world.clock.advance(TimeDelta::hours(10));
    assert_eq!(call().await, StatusCode::OK);
    let noor = scene.person("noor").await.unwrap();
    let id = {
        let mut db = scene.cast.console.db().unseen().read().await.unwrap();
        store::identities_of(&mut db, &noor.id, scene.cast.console.seal_key()).await.unwrap()[0].id.clone()
    };
    let anna = scene.cast.caller("anna").await;
    providers::unlink_identity(&scene.cast.console, &anna, &id).await.unwrap();
    assert_eq!(call().await, StatusCode::UNAUTHORIZED);
});

story!(the_way_in_for_emergencies_is_kept, |world| {
    let scene = Scene::new(world).await;
    let anna = scene.cast.caller("anna").await;
    people::assign_role(&scene.cast.console, &anna, scene.cast.id("jonas"), Role::Admin, None, None).await.unwrap();
    let jonas = scene.cast.caller("jonas").await;
    // There is another administrator, and no other emergency account.
    let disabled = people::disable_person(&scene.cast.console, &jonas, scene.cast.id("anna")).await;
    assert_eq!(disabled.err(), Some(Error::Refused(Refusal::LastAdministrator)));
    let role = anna.roles.iter().find(|row| row.role == "admin").unwrap();
    let taken = people::remove_role(&scene.cast.console, &jonas, &role.id).await;
    assert_eq!(taken.err(), Some(Error::Refused(Refusal::LastAdministrator)));
    providers::name_emergency_account(&scene.cast.console, &anna, scene.cast.id("jonas")).await.unwrap();
    people::disable_person(&scene.cast.console, &jonas, scene.cast.id("anna")).await.unwrap();
});
