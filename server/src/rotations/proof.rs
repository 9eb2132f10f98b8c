//! Proof that the old credential is dead: asked at every endpoint, together with the new one, once and twice again.
use super::{
    case_store, cases,
    engine::{Outcome, Stepped, Work, fail, jitter, load, open_version, save, save_in},
    rotator::Trouble,
    store::Rotation,
};
use crate::{audit::event::Who, catalog, console::Console, crash, notifications, vault};
use app::{
    audit::action::Action,
    error::Error,
    rotations::{
        cases::End,
        model::{ATTEMPTS, Grade, Probe, REPEATS, Standing, Step, Verdict, judge, wait},
    },
};

/// Asks every endpoint about both credentials, the old one first.
async fn probe_both(console: &Console, work: &Work) -> Result<Vec<Probe>, Error> {
    let mut probes = Vec::new();
    for endpoint in work.rotator.endpoints() {
        let old = work.rotator.probe(&endpoint, &work.old).await;
        let old_at = console.now();
        let new = work.rotator.probe(&endpoint, work.made()?).await;
        probes.push(Probe { endpoint, old, old_at, new, new_at: console.now() });
    }
    Ok(probes)
}

/// Older versions with an open case that every endpoint refuses as well: their proof is the same pair of answers.
async fn others(console: &Console, work: &Work) -> Result<(Vec<i32>, Vec<String>), Error> {
    let mut db = console.read().await?;
    let open = case_store::of_secret(&mut db, &work.rotation.secret_id, console.seal_key()).await?;
    let mut versions: Vec<i32> = open.iter().filter(|case| case.ended_at.is_none()).map(|case| case.version).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.retain(|version| *version < work.rotation.from_version);
    let (mut dead, mut opened) = (Vec::new(), Vec::new());
    for version in versions {
        // What was made before the plan named these places may have been for others: they cannot say that it is dead.
        let row = vault::store::find(&mut db, &work.rotation.secret_id, version).await?;
        if row.is_none_or(|row| row.created_at < work.plan.set_at) {
            continue;
        }
        let Some(payload) = open_version(console, &mut db, &work.located, version, &mut opened).await? else {
            continue;
        };
        let mut refused = true;
        for endpoint in work.rotator.endpoints() {
            refused &= matches!(work.rotator.probe(&endpoint, &payload).await, Standing::Refused(_));
        }
        if refused {
            dead.push(version);
        }
    }
    Ok((dead, opened))
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
    let probes = probe_both(console, work).await?;
    let now = console.now();
    match judge(&probes, 0) {
        Verdict::Dead => {
            let after = Rotation {
                dead_at: Some(now),
                grade: Some(Grade::Proved.code().into()),
                ..work.at(Step::VerifiedDead, now + REPEATS[0])
            };
            let event = work
                .event(Action::ProveDead)
                .detail("grade", Grade::Proved.code())
                .detail("answers", answers(&probes).join("; "))
                .detail("time", 1);
            let (others, opened) = others(console, work).await?;
            let event = event.detail("opened_beside", opened.join(", "));
            let mut tx = console.ledger.begin(&Who::system("rotate")).await?;
            catalog::store::lock(&mut tx, &work.rotation.secret_id, console.seal_key()).await?;
            let mut closed = Vec::new();
            for version in others.into_iter().chain([work.rotation.from_version]) {
                closed.extend(cases::end(console, &mut tx, &work.located, version, End::Proved, now).await?);
            }
            let done = save_in(console, tx, &work.rotation, after, event, closed).await?;
            crash::at("rotation.old_dead");
            Ok(Ok(done))
        }
        Verdict::Ungraded => Ok(Err(Trouble::No("the plan names no server any more".into()))),
        Verdict::Alive(endpoint) => reopen(console, work, &endpoint, answers(&probes)).await.map(Ok),
        Verdict::Unclear(endpoint) => Ok(Err(Trouble::Later(format!("{endpoint}: {}", answers(&probes).join("; "))))),
        Verdict::Sessions(_) => Ok(Err(Trouble::Later("sessions are still open".into()))),
    }
}

/// The old credential opens an endpoint: it is disabled again, and people are told if it had been dead.
async fn reopen(console: &Console, work: &Work, endpoint: &str, answers: Vec<String>) -> Result<Outcome, Error> {
    let was_dead = work.rotation.dead_at.is_some();
    // What had been dead begins to be disabled anew; what never died is given up after a while.
    let attempts = if was_dead { 1 } else { work.rotation.attempts + 1 };
    if attempts >= ATTEMPTS {
        return fail(console, &work.rotation, Trouble::No(format!("{endpoint} goes on taking the old value"))).await;
    }
    let next = console.now() + wait(attempts, jitter());
    let after = Rotation { dead_at: None, grade: None, repeats: 0, attempts, ..work.at(Step::Disabling, next) };
    let event = work
        .event(Action::ReopenRotation)
        .detail("endpoint", endpoint)
        .detail("answers", answers.join("; "))
        .detail("was_dead", was_dead);
    let mut tx = console.ledger.begin(&Who::system("rotate")).await?;
    catalog::store::lock(&mut tx, &work.rotation.secret_id, console.seal_key()).await?;
    let mut opened = Vec::new();
    if was_dead {
        opened = cases::reopen(console, &mut tx, &work.located, &work.rotation).await?;
        let told = catalog::leads(console, &mut tx, &work.rotation.project_id).await?;
        let told = told.iter().map(String::as_str);
        notifications::tell(console, &mut tx, told, "rotation.old_alive", &work.rotation.id).await?;
    }
    save_in(console, tx, &work.rotation, after, event, opened).await
}

/// Dead once is looked at again after an hour and after a day; then the rotation is closed.
pub(super) async fn look_again(console: &Console, work: &Work) -> Stepped {
    let probes = probe_both(console, work).await?;
    match judge(&probes, 0) {
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
            let after = Rotation { repeats, ..work.at(Step::VerifiedDead, dead_at + *next) };
            save(console, &work.rotation, after, event(Action::ProveDead)).await.map(Ok)
        }
        _ => {
            let after = Rotation { repeats, ended_at: Some(now), ..work.at(Step::Closed, now) };
            save(console, &work.rotation, after, event(Action::CloseRotation)).await.map(Ok)
        }
    }
}

/// What each endpoint says of the old credential now: before a person's word that it is the one to keep counts.
pub(super) async fn ask_about_old(console: &Console, rotation: &Rotation) -> Result<Vec<Standing>, Error> {
    let work = load(console, rotation.clone()).await?.map_err(|_| Error::Unavailable)?;
    let mut answers = Vec::new();
    for endpoint in work.rotator.endpoints() {
        answers.push(work.rotator.probe(&endpoint, &work.old).await);
    }
    Ok(answers)
}
