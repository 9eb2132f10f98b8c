//! What people do about a signal: assign, put off, call it not useful, close, open again. Each is an event; nobody answers
//! a signal about themselves.
use super::store::{self, Answered, Signal};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::Receipt,
        search::Reading,
    },
    console::Console,
    db::Sql,
    notifications,
    people::{self, Caller, Entry},
    policies::Situation,
    requests, workloads,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error, Refusal},
    id::WorkloadId,
    signals::model::{Answer, Key},
};
use chrono::TimeDelta;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub answer: Answer,
    /// The last answer that whoever asks has seen; 0: none.
    pub seen: i32,
    pub assignee: &'a str,
    pub days: i64,
    pub reason: &'a str,
}

/// The event that an answer is.
pub fn action(answer: Answer) -> Action {
    match answer {
        Answer::Assign => Action::AssignSignal,
        Answer::Snooze => Action::SnoozeSignal,
        Answer::NotUseful => Action::RejectSignal,
        Answer::Close => Action::CloseSignal,
        Answer::Reopen => Action::ReopenSignal,
    }
}

/// Is a signal about this caller: themselves, a workload that they stand behind, or access that they asked for?
async fn is_own(console: &Console, db: &mut impl Sql, caller: &Caller, signal: &Signal) -> Result<bool, Error> {
    if signal.is_about(caller.id()) {
        return Ok(true);
    }
    let key = console.seal_key();
    if let Some(id) = signal.actor_id.as_deref().filter(|id| id.parse::<WorkloadId>().is_ok()) {
        let workload = workloads::store::find(db, id, key).await?;
        let credentials = workloads::store::credentials(db, id, key).await?;
        if workload.is_some_and(|workload| caller.teams.contains(&workload.team_id))
            || credentials.iter().any(|row| row.issued_by.as_deref() == Some(caller.id()))
        {
            return Ok(true);
        }
    }
    match &signal.request_id {
        Some(id) => {
            let request = requests::store::find(db, id, key).await?;
            Ok(request.is_some_and(|request| request.requester_id == caller.id()))
        }
        None => Ok(false),
    }
}

async fn situation(console: &Console, caller: &Caller, signal: &Signal) -> Result<Situation, Error> {
    let own = is_own(console, &mut console.read().await?, caller, signal).await?;
    Ok(Situation { own, ..Situation::default() })
}

/// A signal that this caller may read: as far as they may read the trail.
pub async fn find(console: &Console, caller: &Caller, key: Key) -> Result<Signal, Error> {
    let Some(reading) = Reading::of(console, caller).await? else {
        return Err(console.ledger.refuse(&caller.who, Event::new(Action::ReadTrail), Refusal::NoRule).await);
    };
    let signal = store::find(&mut console.read().await?, key).await?.ok_or(Error::NotFound)?;
    if reading.covers(signal.project_id.as_deref()) { Ok(signal) } else { Err(Error::NotFound) }
}

/// Why this caller may not answer, if they may not.
pub async fn may_answer(console: &Console, caller: &Caller, signal: &Signal) -> Result<Option<Refusal>, Error> {
    let situation = situation(console, caller, signal).await?;
    Ok(console.would(caller, Action::CloseSignal, signal.project_id.as_deref(), situation))
}

/// Who may answer a signal, by name.
pub async fn able(console: &Console, signal: &Signal) -> Result<Vec<(String, String)>, Error> {
    let mut db = console.read().await?;
    let roles = people::store::roles(&mut db, console.now(), console.seal_key()).await?;
    let mut ids: Vec<String> = roles.into_iter().map(|row| row.person_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut people = Vec::new();
    for id in &ids {
        people.extend(people::store::find(&mut db, id, console.seal_key()).await?);
    }
    drop(db);
    let mut able = Vec::new();
    for person in people.into_iter().filter(people::store::Person::is_active) {
        let id = person.id.clone();
        let caller = Caller::load(console, person, Entry::Direct, Who::anonymous()).await?;
        if may_answer(console, &caller, signal).await?.is_none() {
            able.push((id, caller.person.name.clone()));
        }
    }
    able.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(able)
}

/// The person that a signal goes to: somebody who may answer it.
async fn assignee(console: &Console, signal: &Signal, id: &str) -> Result<String, Error> {
    let able = able(console, signal).await?.into_iter().find(|(able, _)| able == id);
    able.map(|(id, _)| id).ok_or_else(|| Error::invalid("assignee", "Choose somebody who may answer this signal."))
}

pub async fn answer(console: &Console, caller: &Caller, key: Key, wanted: Wanted<'_>) -> Result<Receipt, Error> {
    let signal = find(console, caller, key).await?;
    let reason = crate::vault::prose(console, "reason", wanted.reason, 1_000).await?;
    let explained = matches!(wanted.answer, Answer::Snooze | Answer::NotUseful | Answer::Close);
    if explained && reason.is_empty() {
        return Err(Error::invalid("reason", "Say why: it is read at the next review."));
    }
    let assignee = match wanted.answer {
        Answer::Assign => Some(assignee(console, &signal, wanted.assignee).await?),
        _ => signal.assignee_id.clone(),
    };
    let now = console.now();
    let until = match wanted.answer {
        Answer::Snooze if (1..=90).contains(&wanted.days) => Some(now + TimeDelta::days(wanted.days)),
        Answer::Snooze => return Err(Error::invalid("days", "Put it off for 1 to 90 days.")),
        _ => None,
    };
    let situation = situation(console, caller, &signal).await?;
    let subject = Subject {
        project: signal.project_id.clone(),
        environment: signal.environment_id.clone(),
        secret: signal.secret_id.clone(),
        request: signal.request_id.clone(),
        grant: signal.grant_id.clone(),
        person: assignee.clone().filter(|_| wanted.answer == Answer::Assign),
        row: Some(key.to_string()),
        ..Subject::default()
    };
    let (mut tx, event) = console.begin(caller, action(wanted.answer), subject, situation).await?;
    // Asked once more where nothing can change meanwhile.
    let signal = store::find(&mut tx, key).await?.ok_or(Error::NotFound)?;
    if signal.n.unwrap_or(0) != wanted.seen {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    if !signal.state(now).may(wanted.answer) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let answered = Answered {
        n: wanted.seen + 1,
        answer: wanted.answer.code().into(),
        by_id: caller.id().into(),
        answered_at: now,
        assignee_id: assignee.clone(),
        until_at: until,
        reason: reason.clone(),
    };
    if store::insert_answer(&mut tx, key, &answered).await? == 0 {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    if let Some(person) = assignee.filter(|person| wanted.answer == Answer::Assign && person != caller.id()) {
        notifications::tell(console, &mut tx, [person.as_str()], "signal.assigned", &key.to_string()).await?;
    }
    let event = event.detail("signal_event", key.seq);
    let event = until.map_or(event.clone(), |until| event.detail("until", app::time::rfc3339(until)));
    tx.commit(vec![if reason.is_empty() { event } else { event.private("reason", reason) }]).await
}
