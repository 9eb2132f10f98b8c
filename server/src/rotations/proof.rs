//! Proof that the old credential is dead: asked at every endpoint, together with the new one, once and twice again.
use super::{
    case_store, cases,
    engine::{Outcome, Stepped, Work, fail, jitter, load, open_version, save, save_in},
    rotator::Trouble,
    store::Rotation,
};
use crate::{audit::event::Who, catalog, console::Console, notifications, vault, vault::envelope::Payload};
use app::{
    audit::action::Action,
    error::Error,
    rotations::{
        cases::End,
        machine::Happened,
        model::{ATTEMPTS, Grade, Probe, REPEATS, Standing, Verdict, judge, wait},
    },
};
use futures_util::future::join_all;

/// How many older versions are asked about beside one: each is a refused sign-in, and targets lock accounts after a few.
const BESIDE: usize = 2;

/// Asks every endpoint about an old credential, and then about the new one.
async fn probe_both(console: &Console, work: &Work, old: &Payload) -> Result<Vec<Probe>, Error> {
    let new = work.made()?;
    let pair = async |endpoint: String| {
        let before = work.rotator.probe(&endpoint, old).await;
        let old_at = console.now();
        let after = match (work.rotator.probe(&endpoint, new).await, &work.in_use) {
            (Standing::Accepted, _) => Standing::Accepted,
            // Somebody changed it by hand since: what is in use is what shows that the target answers.
            (_, Some(in_use)) => work.rotator.probe(&endpoint, in_use).await,
            (other, None) => other,
        };
        Probe { endpoint, old: before, old_at, new: after, new_at: console.now() }
    };
    Ok(join_all(work.rotator.endpoints().into_iter().map(pair)).await)
}

/// Older versions with an open case that every endpoint refuses as well, by pairs of their own: which, what was opened, and what
/// was answered.
async fn others(console: &Console, work: &Work) -> Result<(Vec<i32>, Vec<String>, Vec<String>), Error> {
    let open = case_store::of_secret(&mut console.read().await?, &work.rotation.secret_id, console.seal_key()).await?;
    let mut versions: Vec<i32> = open.iter().filter(|case| case.ended_at.is_none()).map(|case| case.version).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.retain(|version| *version < work.rotation.from_version);
    let (mut dead, mut opened, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for version in versions.into_iter().rev() {
        if said.len() == BESIDE {
            break;
        }
        // What was made before the plan named these places may have been for others: they cannot say that it is dead.
        let mut db = console.read().await?;
        let row = vault::store::find(&mut db, &work.rotation.secret_id, version).await?;
        if row.is_none_or(|row| row.created_at < work.plan.set_at) {
            continue;
        }
        let Some(payload) = open_version(console, &mut db, &work.located, version, &mut opened).await? else {
            continue;
        };
        drop(db);
        let probes = probe_both(console, work, &payload).await?;
        said.push(format!("v{version}: {}", answers(&probes).join("; ")));
        if judge(&probes, 0) == Verdict::Dead {
            dead.push(version);
        }
    }
    Ok((dead, opened, said))
}

/// What the endpoints answered, for the event.
fn answers(probes: &[Probe]) -> Vec<String> {
    let word = |standing: &Standing| match standing {
        Standing::Accepted => "accepted".to_owned(),
        Standing::Refused(code) => format!("refused {code}"),
        Standing::Unclear(why) => format!("unclear: {why}"),
    };
    probes
        .iter()
        .map(|probe| format!("{}: old {}, new {}", probe.endpoint, word(&probe.old), word(&probe.new)))
        .collect()
}

/// Is the old credential dead, at every endpoint?
pub(super) async fn prove(console: &Console, work: &Work) -> Stepped {
    let probes = probe_both(console, work, &work.old).await?;
    let now = console.now();
    match judge(&probes, still_there(work)) {
        Verdict::Dead => {
            let after = Rotation {
                dead_at: Some(now),
                grade: Some(Grade::Proved.code().into()),
                next_at: now + REPEATS[0],
                ..work.after(Happened::ShownDead, now)?
            };
            let event = work
                .event(Action::ProveDead)
                .detail("grade", Grade::Proved.code())
                .detail("answers", answers(&probes).join("; "))
                .detail("time", 1);
            let event = match work.rotation.sessions_left {
                0 => event,
                accepted => event.detail("sessions_accepted", accepted),
            };
            let (others, opened, said) = others(console, work).await?;
            let event = event.detail("opened_beside", opened.join(", ")).detail("answers_beside", said.join("; "));
            let mut tx = console.ledger.begin(&Who::system(super::ROTATE)).await?;
            catalog::store::lock(&mut tx, &work.rotation.secret_id, console.seal_key()).await?;
            let mut closed = Vec::new();
            for version in others.into_iter().chain([work.rotation.from_version]) {
                closed.extend(cases::end(console, &mut tx, &work.located, version, End::Proved, now).await?);
            }
            save_in(console, tx, &work.rotation, after, event, closed).await.map(Ok)
        }
        Verdict::Ungraded => Ok(Err(Trouble::No("the plan names no server any more".into()))),
        Verdict::Alive(endpoint) => reopen(console, work, &endpoint, answers(&probes)).await.map(Ok),
        Verdict::Unclear(endpoint) => Ok(Err(Trouble::Later(format!("{endpoint}: {}", answers(&probes).join("; "))))),
        Verdict::Sessions(_) => Ok(Err(Trouble::Later("sessions are still open".into()))),
    }
}

/// Sessions of the old credential that nobody lets stay.
fn still_there(work: &Work) -> u32 {
    let more = work.rotation.sessions_left - work.rotation.sessions_accepted.unwrap_or(0);
    u32::try_from(more).unwrap_or(0)
}

/// The old credential opens an endpoint: it is disabled again, and people are told if it had been dead.
async fn reopen(console: &Console, work: &Work, endpoint: &str, answers: Vec<String>) -> Result<Outcome, Error> {
    let was_dead = work.rotation.dead_at.is_some();
    // What had been dead begins to be disabled anew; what never died is given up after a while.
    let attempts = if was_dead { 1 } else { work.rotation.attempts + 1 };
    if attempts >= ATTEMPTS {
        return fail(console, &work.rotation, Trouble::No(format!("{endpoint} goes on taking the old value"))).await;
    }
    let after = Rotation {
        dead_at: None,
        grade: None,
        repeats: 0,
        attempts,
        // Who came in since is nobody whom somebody let stay.
        sessions_left: 0,
        sessions_accepted: None,
        failures: work.rotation.failures + 1,
        next_at: console.now() + wait(attempts, jitter()),
        ..work.after(Happened::ShownAlive, console.now())?
    };
    let event = work
        .event(Action::ReopenRotation)
        .detail("endpoint", endpoint)
        .detail("answers", answers.join("; "))
        .detail("was_dead", was_dead);
    let mut tx = console.ledger.begin(&Who::system(super::ROTATE)).await?;
    catalog::store::lock(&mut tx, &work.rotation.secret_id, console.seal_key()).await?;
    let mut opened = Vec::new();
    if was_dead {
        opened = cases::reopen(console, &mut tx, &work.located, &work.rotation).await?;
        let told = catalog::owners(console, &mut tx, &work.rotation.project_id, &work.rotation.secret_id).await?;
        let told = told.iter().map(String::as_str);
        notifications::tell(console, &mut tx, told, "rotation.old_alive", &work.rotation.id).await?;
    }
    save_in(console, tx, &work.rotation, after, event, opened).await
}

/// Dead once is looked at again after an hour and after a day; then the rotation is closed.
pub(super) async fn look_again(console: &Console, work: &Work) -> Stepped {
    let probes = probe_both(console, work, &work.old).await?;
    match judge(&probes, still_there(work)) {
        Verdict::Dead => {}
        Verdict::Alive(endpoint) => return reopen(console, work, &endpoint, answers(&probes)).await.map(Ok),
        _ => return Ok(Err(Trouble::Later(answers(&probes).join("; ")))),
    }
    let repeats = work.rotation.repeats + 1;
    let now = console.now();
    let event = |action| {
        work.event(action)
            .detail("grade", Grade::Proved.code())
            .detail("answers", answers(&probes).join("; "))
            .detail("time", repeats + 1)
    };
    let next = REPEATS.get(repeats.max(0) as usize);
    match (next, work.rotation.dead_at) {
        (Some(next), Some(dead_at)) => {
            let after = Rotation { repeats, next_at: dead_at + *next, ..work.after(Happened::ShownDead, now)? };
            save(console, &work.rotation, after, event(Action::ProveDead)).await.map(Ok)
        }
        _ => {
            let after = Rotation { repeats, ..work.after(Happened::LookedEnough, now)? };
            save(console, &work.rotation, after, event(Action::CloseRotation)).await.map(Ok)
        }
    }
}

/// Does every endpoint take a version now, or why is that not known? Asked before a person's word that it is the one to keep counts.
pub(super) async fn takes(console: &Console, rotation: &Rotation, version: i32) -> Result<Result<(), String>, Error> {
    let work = match load(console, rotation.clone()).await? {
        Ok(work) => work,
        Err(why) => return Ok(Err(format!("The target cannot be asked: {why}."))),
    };
    let mut opened = Vec::new();
    let mut db = console.read().await?;
    let payload = open_version(console, &mut db, &work.located, version, &mut opened).await?;
    drop(db);
    let Some(payload) = payload else { return Ok(Err(format!("Version {version} has no value any more."))) };
    let endpoints = work.rotator.endpoints();
    let answers = join_all(endpoints.iter().map(|endpoint| work.rotator.probe(endpoint, &payload))).await;
    Ok(match answers.iter().all(|answer| *answer == Standing::Accepted) {
        true => Ok(()),
        false => Err(format!("The target does not take version {version} now: there is no way back to it.")),
    })
}
