//! Asking.
use super::{candidates, end, pieces, store, store::Request, subject};
use crate::{
    audit::ledger::{Receipt, Tx},
    catalog::Located,
    console::Console,
    grants::{self, Holder},
    notifications,
    people::Caller,
    policies::Situation,
    vault, workloads,
};
use app::{
    audit::action::Action,
    error::{Conflict, Error, Refusal},
    id::RequestId,
    policies::model::{Class, Right, Role, Tier},
    requests::model::{AHEAD, Outcome, WAITS},
    time::Moment,
};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub secrets: Vec<String>,
    pub right: Right,
    pub minutes: i64,
    pub reason: &'a str,
    /// When access shall begin, if later than its approval.
    pub starts_at: Option<Moment>,
    /// For a workload of one's team instead of oneself.
    pub workload: Option<&'a str>,
    /// Made once for each form: the same form twice is the same request.
    pub form: &'a str,
}

/// Sends a request for review, or gives at once where the level's policy has no human step.
pub async fn submit_request(
    console: &Console,
    caller: &Caller,
    ask: Ask<'_>,
) -> Result<(String, Action, Receipt), Error> {
    let reason = vault::prose(console, "reason", ask.reason, 1000).await?;
    if let Some(at) = ask.starts_at
        && (at <= console.now() || at > console.now() + AHEAD)
    {
        return Err(Error::invalid("starts_at", "Between now and seven days from now, or empty."));
    }
    let mut db = console.read().await?;
    let mut wanted = ask.secrets.clone();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.len() > 100 {
        return Err(Error::invalid("secrets", "At most 100 secrets in one request."));
    }
    let mut located: Vec<Located> = Vec::new();
    for id in &wanted {
        located.push(Located::visible(console, &mut db, caller, id).await?);
    }
    let Some(first) = located.first().cloned() else {
        return Err(Error::invalid("secrets", "Choose at least one secret."));
    };
    if located.iter().any(|other| other.environment.id != first.environment.id) {
        return Err(Error::invalid("secrets", "One request stays in one environment."));
    }
    if located.iter().any(|other| other.secret.archived_at.is_some()) {
        return Err(Error::Conflict(Conflict::Archived));
    }
    let tier = first.environment.tier();
    let class = located.iter().map(|located| located.secret.class()).max().unwrap_or(Class::Critical);
    if reason.is_empty() && tier != Tier::Development {
        return Err(Error::invalid("reason", "Say why: whoever decides reads it."));
    }
    let workload = match ask.workload {
        Some(id) => {
            let workload = workloads::store::find(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
            if !caller.teams.contains(&workload.team_id) && !caller.leads(&first.project.id) {
                return Err(Error::invalid("workload", "Ask for workloads of your own teams."));
            }
            if workload.environment_id != first.environment.id {
                return Err(Error::invalid("workload", Refusal::OtherEnvironment.to_string()));
            }
            if ask.right != Right::Read {
                return Err(Error::invalid("right", "Workloads read; they do not write."));
            }
            Some(workload.id)
        }
        None => None,
    };
    let level = console.level(tier);
    if workload.is_none() && ask.right == Right::Read {
        level.takes(false).map_err(|why| Error::invalid("right", why.to_string()))?;
    }
    let longest = level.longest_for(workload.is_some()).num_minutes();
    if ask.minutes < 1 || ask.minutes > longest {
        return Err(Error::invalid(
            "minutes",
            format!("At most {} here.", app::time::span(level.longest_for(workload.is_some()))),
        ));
    }
    let holder = match &workload {
        Some(id) => Holder::Workload(id),
        None => Holder::Person(caller.id()),
    };
    let ids: Vec<&str> = located.iter().map(|located| located.secret.id.as_str()).collect();
    let piece = pieces::longest(console, &mut db, holder, &ids, ask.right, ask.starts_at, ask.minutes).await?;
    let most = level.longest_for(workload.is_some()) * 2;
    if piece > most {
        let most = app::time::span(most);
        return Err(Error::invalid(
            "minutes",
            format!("With the access that is held already this would be longer than {most} in one piece."),
        ));
    }
    drop(db);
    let now = console.now();
    let mut request = Request {
        id: console.id::<RequestId>()?.to_string(),
        revision: 1,
        requester_id: caller.id().into(),
        workload_id: workload,
        project_id: first.project.id.clone(),
        environment_id: first.environment.id.clone(),
        tier: tier.into(),
        class: class.into(),
        access_right: ask.right.into(),
        secrets: ids.join(" "),
        minutes: ask.minutes,
        reason: reason.clone(),
        policy: level.approval_policy(class),
        digest: String::new(),
        form_id: ask.form.into(),
        submitted_at: now,
        expires_at: now + WAITS,
        ended_at: None,
        outcome: None,
        grant_id: None,
        starts_at: ask.starts_at,
        shown: Some(super::shown(located.iter())),
        event_seq: 0,
        row_mac: Vec::new(),
    };
    request.digest = request.compute_digest();
    let situation =
        Situation { open: first.project.is_open, tier: Some(tier), class: Some(class), ..Situation::default() };
    let (mut tx, event) = console.begin(caller, Action::SubmitRequest, subject(&request), situation).await?;
    // What was asked under may have become stricter while this waited.
    if console.level(tier) != level {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    if request.seats().is_empty() {
        // Nobody looks at it any more: what others were given meanwhile counts here.
        crate::people::store::lock(&mut tx, caller.id(), console.seal_key()).await?;
        if let Some(workload) = &request.workload_id {
            workloads::store::lock(&mut tx, workload, console.seal_key()).await?;
        }
        let holder = match &request.workload_id {
            Some(id) => Holder::Workload(id),
            None => Holder::Person(caller.id()),
        };
        let piece = pieces::longest(console, &mut tx, holder, &ids, ask.right, ask.starts_at, ask.minutes).await?;
        if piece > most {
            return Err(tx.refuse(event, Refusal::OnePiece).await);
        }
    }
    if store::insert(&mut tx, &request).await? == 0 {
        return sent_before(console, &mut tx, &request).await;
    }
    tx.seal(&request)?;
    let paths: Vec<&str> = located.iter().map(|located| located.secret.path.as_str()).collect();
    let event = match request.starts_at {
        Some(at) => event.detail("starts_at", app::time::rfc3339(at)),
        None => event,
    };
    let event = event
        .detail("right", ask.right.code())
        .detail("minutes", ask.minutes as u64)
        .detail("digest", request.digest.clone())
        .detail("approval_policy", request.policy.clone())
        .private("reason", reason)
        .private("path", paths.iter().take(20).copied().collect::<Vec<_>>().join(", "));
    let mut events = vec![event];
    let mut done = Action::SubmitRequest;
    if request.seats().is_empty() {
        let (grant, issued) = grants::issue(console, &mut tx, &request).await?;
        request = end(console, &mut tx, request, Outcome::Approved, Some(grant.id)).await?;
        events.push(issued.detail("rule", request.policy.clone()));
        done = Action::IssueGrant;
    } else {
        let able = candidates(console, &mut tx, &request, &[]).await?;
        if !able.iter().any(|(_, may)| may.is_ok()) {
            // Locked: nobody can decide now. It is said at once to whoever asked and to those who could change it.
            let mut told = able.iter().map(|(person, _)| person.id.clone()).collect::<Vec<_>>();
            told.extend(crate::people::holders(console, &mut tx, Role::Security).await?);
            told.push(caller.id().to_owned());
            told.sort_unstable();
            told.dedup();
            notifications::tell(console, &mut tx, told.iter().map(String::as_str), "request.locked", &request.id)
                .await?;
        }
        let able = able.iter().filter(|(_, may)| may.is_ok()).map(|(person, _)| person.id.as_str());
        notifications::tell(console, &mut tx, able.collect::<Vec<_>>(), "request.submitted", &request.id).await?;
    }
    Ok((request.id, done, tx.commit(events).await?))
}

/// The same form twice shows the first result.
async fn sent_before(console: &Console, tx: &mut Tx, again: &Request) -> Result<(String, Action, Receipt), Error> {
    // Within the change: the first one may not be committed yet.
    let request = store::find_by_form(tx, &again.form_id, console.seal_key()).await?;
    let same = |first: &Request| {
        first.requester_id == again.requester_id
            && first.secrets == again.secrets
            && first.workload_id == again.workload_id
            && first.access_right == again.access_right
            && first.minutes == again.minutes
            && first.reason == again.reason
            && first.starts_at == again.starts_at
    };
    let request = request.filter(same).ok_or(Error::Conflict(Conflict::AlreadyDone))?;
    let receipt = Receipt { seq: request.event_seq as u64, at: request.submitted_at };
    // Given by rule, or waiting: as it was said the first time.
    let action = if request.seats().is_empty() { Action::IssueGrant } else { Action::SubmitRequest };
    Ok((request.id, action, receipt))
}
