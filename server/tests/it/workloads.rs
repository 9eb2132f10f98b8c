//! Machines: a client secret for a token, a token for a value, and each way in which that ends.
use crate::{
    cast::{CANARY, Cast},
    story,
};
use app::{
    error::{Error, Refusal},
    id::CorrelationId,
    policies::model::{Class, Right, Tier},
};
use chrono::TimeDelta;
use server::{
    audit::event::Who,
    requests::{self, Ask},
    workloads,
};
use zeroize::Zeroizing;

pub struct Machine {
    pub id: String,
    pub secret: Zeroizing<String>,
}

fn origin() -> Who {
    Who { address: Some("10.30.0.1".into()), ..Who::anonymous() }
}

pub async fn machine(cast: &Cast, slug: &str, tier: Tier) -> Machine {
    let iris = cast.caller("iris").await;
    let (project, environment) = (cast.project().await, cast.environment(tier));
    let (id, _) =
        workloads::create_workload(&cast.console, &iris, &project, environment, slug, slug, &cast.team).await.unwrap();
    let made = workloads::issue_credential(&cast.console, &iris, &id, TimeDelta::days(30)).await.unwrap();
    if let Some(change) = &made.waits_for {
        second(cast, "mara", change).await.unwrap();
    }
    Machine { id, secret: made.secret }
}

/// Somebody else confirms that a client secret works.
pub async fn second(cast: &Cast, login: &str, change: &str) -> Result<(), Error> {
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let row = server::controls::store::find(&mut db, change, cast.console.seal_key()).await.unwrap().unwrap();
    drop(db);
    let caller = cast.caller(login).await;
    server::controls::confirm_change(&cast.console, &caller, change, &row.digest).await.map(|_| ())
}

pub async fn allow(cast: &Cast, machine: &Machine, secret: &str, minutes: i64) -> String {
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let ask = Ask {
        secrets: vec![secret.into()],
        right: Right::Read,
        minutes,
        reason: "runs",
        workload: Some(&machine.id),
        starts_at: None,
        form: &form,
    };
    let (request, ..) = requests::submit_request(&cast.console, &cast.caller("jonas").await, ask).await.unwrap();
    request
}

pub async fn token(cast: &Cast, machine: &Machine) -> Result<Zeroizing<String>, Error> {
    Ok(workloads::issue_token(&cast.console, &origin(), &machine.secret).await?.token)
}

pub async fn fetch(cast: &Cast, token: &str, environment: &str, path: &str) -> Result<String, Error> {
    let taken = workloads::fetch_secret(&cast.console, &origin(), token, "payments", environment, path).await?;
    Ok(String::from_utf8_lossy(taken.payload.fields().next().unwrap().1).into_owned())
}

story!(a_pipeline_fetches_by_an_approved_request_alone, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("db/url", Tier::Production, Class::Normal).await;
    let worker = machine(&cast, "worker", Tier::Production).await;
    let bearer = token(&cast, &worker).await.unwrap();
    assert_eq!(fetch(&cast, &bearer, "production", "db/url").await.err(), Some(Error::Refused(Refusal::NoGrant)));
    let request = allow(&cast, &worker, &secret, 180 * 24 * 60).await;
    assert_eq!(
        cast.approve("iris", &request).await.err(),
        Some(Error::Refused(Refusal::OwnBenefit)),
        "the owning team does not decide"
    );
    cast.approve("teodor", &request).await.unwrap();
    assert_eq!(fetch(&cast, &bearer, "production", "db/url").await.unwrap(), CANARY);
    let event = cast.last_event().await;
    assert_eq!((event.action.as_str(), event.actor_kind.as_str()), ("secret.fetched", "workload"));
    assert_eq!(fetch(&cast, &bearer, "production", "DB/url").await.err(), Some(Error::NotFound), "one spelling");
    assert_eq!(fetch(&cast, &bearer, "production", "nothing").await.err(), Some(Error::NotFound));
});

story!(environments_are_isolated, |world| {
    let cast = Cast::new(world).await;
    cast.filled("db/url", Tier::Production, Class::Normal).await;
    let staging = cast.filled("db/url", Tier::Staging, Class::Normal).await;
    let worker = machine(&cast, "worker", Tier::Staging).await;
    let request = allow(&cast, &worker, &staging, 60).await;
    cast.approve("teodor", &request).await.unwrap();
    let bearer = token(&cast, &worker).await.unwrap();
    assert!(fetch(&cast, &bearer, "staging", "db/url").await.is_ok());
    assert_eq!(
        fetch(&cast, &bearer, "production", "db/url").await.err(),
        Some(Error::Refused(Refusal::OtherEnvironment))
    );
    let production = cast.secret("other", Tier::Production, Class::Normal).await;
    let form = cast.console.id::<CorrelationId>().unwrap().to_string();
    let across = Ask {
        secrets: vec![production],
        right: Right::Read,
        minutes: 60,
        reason: "x",
        workload: Some(&worker.id),
        starts_at: None,
        form: &form,
    };
    let across = requests::submit_request(&cast.console, &cast.caller("jonas").await, across).await;
    assert!(matches!(across.err(), Some(Error::Invalid(_))));
});

story!(every_end_works_on_the_next_request, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    let worker = machine(&cast, "worker", Tier::Production).await;
    let request = allow(&cast, &worker, &secret, 180 * 24 * 60).await;
    cast.approve("teodor", &request).await.unwrap();
    let bad = Some(Error::Refused(Refusal::BadToken));
    let bearer = token(&cast, &worker).await.unwrap();
    cast.world.clock.advance(TimeDelta::minutes(15));
    assert_eq!(fetch(&cast, &bearer, "production", "a").await.err(), bad, "the token's life is over");
    let bearer = token(&cast, &worker).await.unwrap();
    let iris = cast.caller("iris").await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let credential =
        workloads::store::credentials(&mut db, &worker.id, cast.console.seal_key()).await.unwrap()[0].id.clone();
    drop(db);
    workloads::revoke_credential(&cast.console, &iris, &credential).await.unwrap();
    assert_eq!(fetch(&cast, &bearer, "production", "a").await.err(), bad, "its client secret was revoked");
    assert_eq!(token(&cast, &worker).await.err(), bad);
    let again = workloads::issue_credential(&cast.console, &iris, &worker.id, TimeDelta::days(1)).await.unwrap();
    if let Some(change) = &again.waits_for {
        second(&cast, "mara", change).await.unwrap();
    }
    let again = again.secret;
    let worker = Machine { id: worker.id, secret: again };
    let bearer = token(&cast, &worker).await.unwrap();
    assert!(fetch(&cast, &bearer, "production", "a").await.is_ok());
    workloads::disable_workload(&cast.console, &cast.caller("mara").await, &worker.id).await.unwrap();
    assert_eq!(fetch(&cast, &bearer, "production", "a").await.err(), bad, "the workload is disabled");
    assert_eq!(token(&cast, &worker).await.err(), bad);
    let state = server::audit::state::check(cast.console.db(), cast.console.seal_key()).await.unwrap();
    assert_eq!(state.wrong, Vec::<String>::new(), "every end left its rows sealed");
});

story!(wrong_bearers_get_one_answer, |world| {
    let cast = Cast::new(world).await;
    let worker = machine(&cast, "worker", Tier::Production).await;
    let bearer = token(&cast, &worker).await.unwrap();
    for wrong in ["", "cst_", "x", worker.secret.as_str(), &bearer[..bearer.len() - 1], &format!("{}A", *bearer)] {
        assert_eq!(
            fetch(&cast, wrong, "production", "a").await.err(),
            Some(Error::Refused(Refusal::BadToken)),
            "{wrong}"
        );
    }
    for wrong in ["", "csc_", bearer.as_str()] {
        let issued = workloads::issue_token(&cast.console, &origin(), wrong).await;
        assert_eq!(issued.err(), Some(Error::Refused(Refusal::BadToken)));
    }
});

story!(whoever_made_a_client_secret_does_not_decide_for_it, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Production, Class::Normal).await;
    // Mara is of security and not of the owning team; the lead who makes the workload is taken out of the team.
    let worker = machine(&cast, "worker", Tier::Production).await;
    let anna = cast.caller("anna").await;
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let rows =
        server::people::store::memberships(&mut db, Some(cast.id("iris")), cast.console.now(), cast.console.seal_key());
    let membership = rows.await.unwrap()[0].id.clone();
    drop(db);
    server::people::remove_member(&cast.console, &anna, &membership).await.unwrap();
    let request = allow(&cast, &worker, &secret, 60).await;
    let refused = cast.approve("iris", &request).await;
    assert_eq!(refused.err(), Some(Error::Refused(Refusal::ChangedTrust)));
    cast.world.clock.advance(TimeDelta::days(6));
    assert_eq!(cast.approve("iris", &request).await.err(), Some(Error::Refused(Refusal::ChangedTrust)));
    cast.approve("teodor", &request).await.unwrap();
    cast.world.clock.advance(TimeDelta::days(2));
    let request = allow(&cast, &worker, &secret, 60).await;
    // While it works she could fetch what she approves; once it is over, a week after it was made, she could not.
    assert_eq!(cast.approve("iris", &request).await.err(), Some(Error::Refused(Refusal::ChangedTrust)));
    let mut db = cast.console.db().unseen().read().await.unwrap();
    let key = cast.console.seal_key();
    let credential = workloads::store::credentials(&mut db, &worker.id, key).await.unwrap().remove(0).id;
    drop(db);
    workloads::revoke_credential(&cast.console, &anna, &credential).await.unwrap();
    cast.approve("iris", &request).await.unwrap();
});

story!(what_is_kept_between_fetches_never_answers_for_what_changed, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Staging, Class::Normal).await;
    let worker = machine(&cast, "worker", Tier::Staging).await;
    let request = allow(&cast, &worker, &secret, 60).await;
    cast.approve("teodor", &request).await.unwrap();
    let bearer = token(&cast, &worker).await.unwrap();
    for _ in 0..2 {
        assert_eq!(fetch(&cast, &bearer, "staging", "a").await.unwrap(), CANARY);
    }
    cast.write("iris", &secret, 1, "newer").await.unwrap();
    assert_eq!(fetch(&cast, &bearer, "staging", "a").await.unwrap(), "newer", "the value that is current now");
    let iris = cast.caller("iris").await;
    server::vault::delete_version(&cast.console, &iris, &secret, 2).await.unwrap();
    assert_eq!(fetch(&cast, &bearer, "staging", "a").await.unwrap(), CANARY, "the newer one is deleted");
    server::vault::rotate_key(&cast.console, &cast.caller("mara").await, &cast.environment(Tier::Staging).id)
        .await
        .unwrap();
    assert_eq!(fetch(&cast, &bearer, "staging", "a").await.unwrap(), CANARY);
    let grant = cast.request(&request).await.grant_id.unwrap();
    server::grants::revoke_grant(&cast.console, &iris, &grant).await.unwrap();
    assert_eq!(fetch(&cast, &bearer, "staging", "a").await.err(), Some(Error::Refused(Refusal::NoGrant)));
});

story!(no_fetch_stands_behind_the_revocation_of_its_grant, |world| {
    let cast = Cast::new(world).await;
    let secret = cast.filled("a", Tier::Staging, Class::Normal).await;
    let worker = machine(&cast, "worker", Tier::Staging).await;
    let request = allow(&cast, &worker, &secret, 60).await;
    cast.approve("teodor", &request).await.unwrap();
    let bearer = std::sync::Arc::new(token(&cast, &worker).await.unwrap());
    let mut fetches = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (console, bearer) = (cast.console.clone(), bearer.clone());
        fetches.spawn(async move {
            let mut seen = Vec::new();
            while let Ok(taken) =
                workloads::fetch_secret(&console, &origin(), &bearer, "payments", "staging", "a").await
            {
                seen.push(taken.receipt.seq);
            }
            seen
        });
    }
    let started = cast.events().await;
    while cast.events().await < started + 64 {
        tokio::task::yield_now().await;
    }
    let grant = cast.request(&request).await.grant_id.unwrap();
    let revoked = server::grants::revoke_grant(&cast.console, &cast.caller("iris").await, &grant).await.unwrap().0.seq;
    let seen: Vec<u64> = fetches.join_all().await.concat();
    assert!(seen.len() >= 64);
    assert!(seen.iter().all(|seq| *seq < revoked), "a fetch stands behind the revocation at {revoked}: {seen:?}");
});
