//! The engine: takes each due rotation one step further. What may change a target is recorded first; a step that finds its
//! intent recorded asks the target before it does anything.
use super::{
    ROTATE, cases, consumers, is_confirmed, proof,
    rotator::{Rotator, Sessions, Surroundings, Trouble},
    store,
    store::{Plan, Rotation},
    subject,
};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::Tx,
    },
    catalog::{self, Located, store::Secret},
    console::Console,
    crash, held, jobs, keys, notifications,
    vault::{self, envelope::Payload},
    workloads,
};
use app::{
    audit::action::Action,
    error::Error,
    rotations::{
        cases::End,
        machine::Happened,
        model::{ATTEMPTS, Grade, Resolved, Standing, Step, resolve, wait},
    },
    time::{Moment, rfc3339},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use futures_util::future::{Either, join_all, select};
use std::{pin::pin, sync::Arc};
use tokio::sync::Semaphore;

/// How long a replica that stopped in the middle keeps a rotation from the others. While it works it holds on ([`holding_on`]).
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// How often it holds on, and how long that may take.
const RENEW: std::time::Duration = std::time::Duration::from_secs(4);
/// A pause and one more attempt: where the lease does not outlast them, the step stops before the lease runs out.
const ATTEMPT: TimeDelta = TimeDelta::seconds(8);
/// How often it is looked whether everybody has moved.
const LOOK: TimeDelta = TimeDelta::seconds(30);
/// Rotations that one round takes where they are taken one after the other.
const ROUND: usize = 20;
/// Rotations that one process works on at the same time, whatever their targets are like.
const AT_ONCE: usize = 16;
/// As many again are kept for what is cut off: it waits for no target but its own.
const URGENT: usize = 16;
/// When it is looked again at one that nothing could be done about and that is still due.
const SOON: TimeDelta = TimeDelta::seconds(2);

/// Everything that a step needs, read anew for each.
pub(super) struct Work {
    pub(super) rotation: Rotation,
    pub(super) located: Located,
    pub(super) plan: Plan,
    pub(super) rotator: Box<dyn Rotator>,
    pub(super) old: Payload,
    new: Option<Payload>,
    /// The value in use, where somebody wrote another than this rotation made.
    pub(super) in_use: Option<Payload>,
    /// What was opened for it: part of each event.
    opened: Vec<String>,
}

/// How a step ended.
pub(super) enum Outcome {
    /// Done: go on at once if the next step is due.
    Done,
    /// Nothing to do yet, or somebody else did it.
    Idle,
    /// Nothing to do before then, and nothing to record: looking is not an event.
    Until(Moment),
}

/// How many rotations this process can take up.
pub struct Slots {
    any: Arc<Semaphore>,
    urgent: Arc<Semaphore>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { any: Arc::new(Semaphore::new(AT_ONCE)), urgent: Arc::new(Semaphore::new(URGENT)) }
    }
}

/// Takes every rotation whose time has come one or more steps further, one after the other; how many there were.
pub async fn run_due(console: &Console) -> Result<usize, Error> {
    let due = store::due(&mut console.read().await?, console.now(), false, ROUND).await?;
    let mut worked = 0;
    for id in due {
        if let Some(holder) = take(console, &id).await? {
            work_on(console, &id, &holder).await?;
            worked += 1;
        }
    }
    Ok(worked)
}

/// Takes up what is due, as far as there are slots, and waits for none of it; how many were taken up.
pub async fn begin_due(console: &Console) -> Result<usize, Error> {
    let mut begun = 0;
    for (slots, only_urgent) in [(&console.slots.urgent, true), (&console.slots.any, false)] {
        let free = slots.available_permits();
        if free == 0 {
            continue;
        }
        let due = store::due(&mut console.read().await?, console.now(), only_urgent, free).await?;
        for id in due {
            let Ok(slot) = slots.clone().try_acquire_owned() else { break };
            let Some(holder) = take(console, &id).await? else { continue };
            let console = console.clone();
            begun += 1;
            tokio::spawn(async move {
                if let Err(error) = work_on(&console, &id, &holder).await {
                    tracing::error!(%error, rotation = id, "what became of a step could not be noted: its lease runs out");
                }
                drop(slot);
            });
        }
    }
    Ok(begun)
}

/// Takes the lease of a rotation unless another holder has it. Returns the new holder.
async fn take(console: &Console, id: &str) -> Result<Option<String>, Error> {
    let holder = URL_SAFE_NO_PAD.encode(keys::random::<16>().map_err(|_| Error::Unavailable)?);
    let now = console.now();
    let mut tx = console.ledger.housekeeping().await?;
    let leased = store::lease(&mut tx, id, &holder, now, now + LEASE).await?;
    tx.finish().await?;
    Ok(leased.then_some(holder))
}

/// Takes a leased rotation one or more steps further, and gives its lease back. One that fails is set aside.
async fn work_on(console: &Console, id: &str, holder: &str) -> Result<(), Error> {
    let before = jobs::earlier(console, ROTATE, &[id.to_owned()]).await?;
    let advanced = jobs::attempt(Box::pin(advance(console, id, holder))).await;
    // It is set aside before anybody can take it again.
    jobs::settle(console, ROTATE, id, advanced.as_ref().err().cloned(), before.get(id)).await?;
    let mut tx = console.ledger.housekeeping().await?;
    match advanced {
        Ok(Some(until)) => store::postpone(&mut tx, id, holder, until).await?,
        Ok(None) | Err(_) => store::release(&mut tx, id, holder).await?,
    };
    tx.finish().await
}

/// Steps until something has to be waited for; until when, where nothing else remembers it.
async fn advance(console: &Console, id: &str, holder: &str) -> Result<Option<Moment>, Error> {
    // Every step moves on or waits; the bound is for a mistake in that.
    for _ in 0..Step::ALL.len() {
        match holding_on(console, id, holder, step(console, id)).await.transpose()? {
            Some(Outcome::Done) => {}
            Some(Outcome::Idle) => {
                let still_due = find_due(console, id).await?.is_some();
                return Ok(still_due.then(|| console.now() + SOON));
            }
            Some(Outcome::Until(moment)) => return Ok(Some(moment)),
            None => break,
        }
        if !renew(console.clone(), id.into(), holder.into(), console.now() + LEASE).await? {
            break;
        }
    }
    Ok(None)
}

/// A rotation whose next step is due. One that is there and cannot be trusted is an error.
async fn find_due(console: &Console, id: &str) -> Result<Option<Rotation>, Error> {
    let rotation = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let is_due = |row: &Rotation| {
        row.ended_at.is_none()
            && row.next_at <= console.now()
            && !matches!(row.step(), Step::NeedsPerson | Step::Waiting)
    };
    Ok(Some(rotation).filter(is_due))
}

/// Works on while the lease is renewed beside: a target may keep a step waiting for longer than the lease lasts. A replica that lost
/// the lease, or cannot renew it in time, stops where it is, as if it had died: another replica goes on from there.
async fn holding_on<T>(console: &Console, id: &str, holder: &str, work: impl Future<Output = T>) -> Option<T> {
    let renewing = held::apart(async {
        let mut held_until = console.now() + LEASE;
        loop {
            tokio::time::sleep(RENEW).await;
            let until = console.now() + LEASE;
            // In a task of its own: a step that ends meanwhile does not cut a change off in the middle of its COMMIT.
            let renewing = tokio::spawn(renew(console.clone(), id.into(), holder.into(), until));
            match tokio::time::timeout(RENEW, renewing).await.map(|renewed| renewed.unwrap_or(Err(Error::Unavailable)))
            {
                Ok(Ok(true)) => held_until = until,
                Ok(Ok(false)) => return tracing::warn!(rotation = id, "another replica took this rotation over"),
                Ok(Err(_)) | Err(_) => tracing::warn!(rotation = id, "the lease of a rotation could not be renewed"),
            }
            if console.now() + ATTEMPT >= held_until {
                return tracing::warn!(rotation = id, "the lease of a rotation ran out");
            }
        }
    });
    match select(pin!(work), pin!(renewing)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}

/// Is the lease still this holder's? Then until this moment.
async fn renew(console: Console, rotation: String, holder: String, until: Moment) -> Result<bool, Error> {
    let mut tx = console.ledger.housekeeping().await?;
    let held = store::renew(&mut tx, &rotation, &holder, until).await?;
    tx.finish().await?;
    Ok(held > 0)
}

async fn step(console: &Console, id: &str) -> Result<Outcome, Error> {
    let Some(rotation) = find_due(console, id).await? else { return Ok(Outcome::Idle) };
    let work = match load(console, rotation.clone()).await? {
        Ok(work) => work,
        Err(why) => return stop(console, &rotation, why).await,
    };
    let done = match rotation.step() {
        Step::Queued => begin(console, &work).await,
        Step::PendingCreated => set(console, &work).await,
        Step::SetUnknown => find_out(console, &work).await,
        Step::SetOnTarget => verify_new(console, &work).await,
        Step::VerifiedNew => promote(console, &work).await,
        Step::Overlap => drain(console, &work).await,
        Step::RollingBack => withdraw(console, &work).await,
        Step::Disabling => disable(console, &work).await,
        Step::OldDisabled => proof::prove(console, &work).await,
        Step::VerifiedDead => proof::look_again(console, &work).await,
        _ => return Ok(Outcome::Idle),
    };
    match done? {
        Ok(outcome) => Ok(outcome),
        Err(trouble) => fail(console, &rotation, trouble).await,
    }
}

/// A step's answer: an error of ours, or trouble with the target.
pub(super) type Stepped = Result<Result<Outcome, Trouble>, Error>;

/// Opens what a rotation needs; says why it cannot be opened.
pub(super) async fn load(console: &Console, rotation: Rotation) -> Result<Result<Work, String>, Error> {
    let mut db = console.read().await?;
    let key = console.seal_key();
    let Some(located) = Located::find(&mut db, &rotation.secret_id, key).await? else {
        return Ok(Err("the secret or its place cannot be read".into()));
    };
    if located.secret.archived_at.is_some() {
        return Ok(Err("the secret was archived meanwhile".into()));
    }
    let plan = store::find_plan(&mut db, &rotation.secret_id, key).await?;
    let Some(plan) = plan.filter(|plan| is_confirmed(console, plan, &located)) else {
        return Ok(Err("the plan of this secret is gone or not confirmed".into()));
    };
    let Some(target) = plan.target() else {
        return Ok(Err("the plan names a target that this version does not know".into()));
    };
    let mut opened = Vec::new();
    let Some(old) = open_version(console, &mut db, &located, rotation.from_version, &mut opened).await? else {
        return Ok(Err("the present value was deleted or destroyed".into()));
    };
    let new = match rotation.to_version {
        Some(version) => match open_version(console, &mut db, &located, version, &mut opened).await? {
            Some(payload) => Some(payload),
            None => return Ok(Err("the new value was deleted or destroyed".into())),
        },
        None => None,
    };
    // What somebody wrote after it was promoted is what the target should take by now.
    let in_use = match located.secret.current_version.filter(|_| rotation.promoted_at.is_some()) {
        Some(version) if Some(version) != rotation.to_version && version != rotation.from_version => {
            open_version(console, &mut db, &located, version, &mut opened).await?
        }
        _ => None,
    };
    let helper = match target.helper() {
        Some((_, helper)) => {
            let found = Located::find(&mut db, helper, key).await?;
            let version = found.as_ref().and_then(|located| located.secret.current_version);
            let payload = match (&found, version) {
                (Some(located), Some(version)) if located.environment.id == rotation.environment_id => {
                    open_version(console, &mut db, located, version, &mut opened).await?
                }
                _ => None,
            };
            match payload {
                Some(payload) => Some(payload),
                None => return Ok(Err("the administrative account or signing secret of the plan has no value".into())),
            }
        }
        None => None,
    };
    let target = if rotation.cut_off { target.cut_off() } else { target };
    let around = Surroundings {
        rotation: rotation.id.clone(),
        helper,
        clock: console.clock().clone(),
        reach: console.reach.clone(),
    };
    let rotator = target.build(around);
    Ok(Ok(Work { rotation, located, plan, rotator, old, new, in_use, opened }))
}

pub(super) async fn open_version(
    console: &Console,
    db: &mut impl crate::db::Sql,
    located: &Located,
    version: i32,
    opened: &mut Vec<String>,
) -> Result<Option<Payload>, Error> {
    let there = vault::store::find(db, &located.secret.id, version).await?.is_some_and(|row| row.is_there());
    if !there {
        return Ok(None);
    }
    let Some(sealed) = vault::version(db, located.clone(), version).await? else { return Ok(None) };
    opened.push(format!("{} v{version}", located.secret.id));
    vault::open_sealed_in(console, db, &sealed).await
}

impl Work {
    pub(super) fn event(&self, action: Action) -> Event {
        Event::new(action)
            .on(subject(&self.located, &self.rotation.id))
            .detail("opened", self.opened.join(", "))
            .detail("rotator", self.plan.rotator.clone())
            .private("path", self.located.secret.path.clone())
    }

    /// What the target says of a rotation that has not begun.
    pub(super) async fn preflight(&self) -> Result<String, String> {
        match self.rotator.preflight(&self.old).await {
            Ok(seen) => Ok(seen),
            Err(Trouble::No(why) | Trouble::Later(why) | Trouble::Unknown(why)) => Err(why),
        }
    }

    pub(super) fn made(&self) -> Result<&Payload, Error> {
        self.new.as_ref().ok_or(Error::Unavailable)
    }

    /// The same rotation one step further.
    pub(super) fn after(&self, happened: Happened, now: Moment) -> Result<Rotation, Error> {
        self.rotation.after(happened, now)
    }
}

/// Saves a rotation with its event, if nobody changed it since it was read.
pub(super) async fn save(
    console: &Console,
    before: &Rotation,
    after: Rotation,
    event: Event,
) -> Result<Outcome, Error> {
    let tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    save_in(console, tx, before, after, event, Vec::new()).await
}

/// The same within a change that was begun, with what else happened in it.
pub(super) async fn save_in(
    console: &Console,
    mut tx: Tx,
    before: &Rotation,
    after: Rotation,
    event: Event,
    more: Vec<Event>,
) -> Result<Outcome, Error> {
    let locked = store::lock(&mut tx, &before.id, console.seal_key()).await?;
    if locked.is_none_or(|locked| locked.event_seq != before.event_seq) {
        return Ok(Outcome::Idle);
    }
    store::save(&mut tx, &after).await?;
    tx.seal(&after)?;
    crash::beside("rotation", after.step.code(), "before");
    tx.commit([vec![event], more].concat()).await?;
    crash::beside("rotation", after.step.code(), "after");
    Ok(Outcome::Done)
}

/// Makes the new value. The target is asked whether it will work, and not touched.
async fn begin(console: &Console, work: &Work) -> Stepped {
    let seen = match work.rotator.preflight(&work.old).await {
        Ok(seen) => seen,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let payload = work.rotator.create(&work.old, &work.plan.rules())?;
    let version = work.located.secret.latest_version + 1;
    let mut db = console.read().await?;
    let sealed = vault::seal_version(console, &mut db, &work.located, version, &payload).await?;
    drop(db);
    let mut tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    let secret = match same_secret(console, &mut tx, work).await? {
        Ok(secret) => secret,
        Err(why) => return supersede(console, tx, work, why).await.map(Ok),
    };
    if secret.latest_version + 1 != version {
        return Ok(Ok(Outcome::Idle));
    }
    let digest = vault::put_pending(console, &mut tx, secret, version, &payload, sealed).await?;
    // Without a target there is nothing to set and nobody to ask: the value is ready to be handed out.
    let (now, target) = (console.now(), !work.rotator.endpoints().is_empty());
    let after =
        Rotation { to_version: Some(version), made_at: Some(now), ..work.after(Happened::Made { target }, now)? };
    let event =
        work.event(Action::CreatePending).detail("version", version).detail("sealed", digest).detail("preflight", seen);
    save_in(console, tx, &work.rotation, after, event, Vec::new()).await.map(Ok)
}

/// The secret under its lock, if what is current is still what is to be replaced.
async fn same_secret(console: &Console, tx: &mut Tx, work: &Work) -> Result<Result<Secret, String>, Error> {
    let secret = catalog::store::lock(tx, &work.rotation.secret_id, console.seal_key()).await?;
    let secret = secret.ok_or(Error::NotFound)?;
    Ok(match secret.current_version {
        Some(version) if version == work.rotation.from_version => Ok(secret),
        // A person saw it and said that it gives way.
        Some(version) if Some(version) == work.rotation.over_version => Ok(secret),
        Some(version) => Err(format!("version {version} was written meanwhile")),
        None => Err("the present value was deleted meanwhile".into()),
    })
}

/// Ends a rotation whose value the target does not have: somebody wrote a newer one. What was sent may still arrive there, and is
/// kept.
async fn supersede(console: &Console, mut tx: Tx, work: &Work, why: String) -> Result<Outcome, Error> {
    let now = console.now();
    set_aside(&mut tx, &work.rotation, now).await?;
    let after = Rotation { reason: Some(why.clone()), ..work.after(Happened::Overwritten, now)? };
    save_in(console, tx, &work.rotation, after, work.event(Action::SupersedeRotation).detail("why", why), Vec::new())
        .await
}

/// The new value is not what is handed out: what the target never saw is withdrawn, what it may have is kept for whoever has to
/// restore it.
pub(super) async fn set_aside(tx: &mut Tx, rotation: &Rotation, now: Moment) -> Result<(), Error> {
    let Some(version) = rotation.to_version else { return Ok(()) };
    match rotation.was_sent() {
        false => vault::store::withdraw(tx, &rotation.secret_id, version, now).await?,
        true => vault::store::set_deleted(tx, &rotation.secret_id, version, Some(now)).await?,
    };
    Ok(())
}

/// Records the intent, then sets the new credential.
async fn set(console: &Console, work: &Work) -> Stepped {
    let mut tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    if let Err(why) = same_secret(console, &mut tx, work).await? {
        return supersede(console, tx, work, why).await.map(Ok);
    }
    let now = console.now();
    let intent = Rotation {
        attempts: work.rotation.attempts,
        sent_at: work.rotation.sent_at.or(Some(now)),
        ..work.after(Happened::SetIntended, now)?
    };
    if let Outcome::Idle =
        save_in(console, tx, &work.rotation, intent, work.event(Action::IntendSet), Vec::new()).await?
    {
        return Ok(Ok(Outcome::Idle));
    }
    let answer = work.rotator.set(&work.old, work.made()?).await;
    // From here on the row is the one that the intent left, unless the answer took so long that somebody else went on.
    let held = store::find(&mut console.read().await?, &work.rotation.id, console.seal_key()).await?;
    let Some(held) = held.filter(|held| held.step() == Step::SetUnknown) else { return Ok(Ok(Outcome::Idle)) };
    match answer {
        Ok(()) => {
            let after = held.after(Happened::Set, console.now())?;
            was_set(console, work, &held, after, work.event(Action::SetOnTarget)).await.map(Ok)
        }
        // The answer came and was no, or the request never left: nothing was set.
        Err(trouble @ (Trouble::No(_) | Trouble::Later(_))) => {
            let back = Rotation { attempts: held.attempts, ..held.after(Happened::NotSet, console.now())? };
            fail(console, &back, trouble).await.map(Ok)
        }
        Err(trouble) => fail(console, &held, trouble).await.map(Ok),
    }
}

/// The target has the new value, which may end by itself there.
async fn was_set(
    console: &Console,
    work: &Work,
    before: &Rotation,
    after: Rotation,
    event: Event,
) -> Result<Outcome, Error> {
    let mut tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    let event = match (work.rotator.ends_at(), work.rotation.to_version) {
        (Some(until), Some(version)) => {
            vault::note_valid_until(&mut tx, &work.rotation.secret_id, version, until).await?;
            event.detail("valid_until", rfc3339(until))
        }
        _ => event,
    };
    save_in(console, tx, before, after, event, Vec::new()).await
}

/// After a crash or a lost answer: what does the target take?
async fn find_out(console: &Console, work: &Work) -> Stepped {
    let new = work.made()?;
    let Some(endpoint) = work.rotator.endpoints().into_iter().next() else {
        return Ok(Err(Trouble::No("the plan names no server any more".into())));
    };
    let (taken, refused) = (work.rotator.probe(&endpoint, new).await, work.rotator.probe(&endpoint, &work.old).await);
    let found = resolve(&refused, &taken);
    match found {
        Resolved::Set => {
            let event = work.event(Action::SetOnTarget).detail("found", "the target takes the new value");
            let after = work.after(Happened::Set, console.now())?;
            was_set(console, work, &work.rotation, after, event).await.map(Ok)
        }
        Resolved::NotSet => {
            let event = work.event(Action::FailStep).detail("found", "the target takes the old value only");
            let after = Rotation {
                attempts: work.rotation.attempts,
                failures: work.rotation.failures + 1,
                ..work.after(Happened::NotSet, console.now())?
            };
            save(console, &work.rotation, after, event).await.map(Ok)
        }
        Resolved::Neither => {
            Ok(Err(Trouble::No(format!("{endpoint} takes neither the old nor the new value: both are kept"))))
        }
        Resolved::Unclear => Ok(Err(Trouble::Later(format!("{endpoint} could not be asked about both values")))),
    }
}

/// Every endpoint has to take the new value before it is handed out.
async fn verify_new(console: &Console, work: &Work) -> Stepped {
    let (endpoints, new) = (work.rotator.endpoints(), work.made()?);
    let answers = join_all(endpoints.iter().map(|endpoint| work.rotator.probe(endpoint, new))).await;
    for (endpoint, answer) in endpoints.iter().zip(answers) {
        match answer {
            Standing::Accepted => {}
            // A replica may lag behind: later, and a person after too many.
            Standing::Refused(code) => {
                return Ok(Err(Trouble::Later(format!("{endpoint} does not take the new value: {code}"))));
            }
            Standing::Unclear(why) => return Ok(Err(Trouble::Later(format!("{endpoint}: {why}")))),
        }
    }
    let event = work.event(Action::VerifyNew).detail("endpoints", endpoints.join(", "));
    save(console, &work.rotation, work.after(Happened::Verified, console.now())?, event).await.map(Ok)
}

/// The new value becomes the current one.
async fn promote(console: &Console, work: &Work) -> Stepped {
    let version = work.rotation.to_version.ok_or(Error::Unavailable)?;
    let mut tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    let secret = match same_secret(console, &mut tx, work).await? {
        Ok(secret) => secret,
        Err(why) => {
            drop(tx);
            return Ok(Err(Trouble::No(format!("{why}, and the target has the value of this rotation"))));
        }
    };
    let now = console.now();
    let secret = Secret { current_version: Some(version), ..secret };
    catalog::store::save(&mut tx, &secret).await?;
    tx.seal(&secret)?;
    workloads::handed_out(console, &mut tx, &secret.id, version).await?;
    let after = Rotation {
        promoted_at: Some(now),
        overlap_until: Some(if work.rotation.cut_off {
            now
        } else {
            now + TimeDelta::minutes(work.plan.overlap_minutes)
        }),
        ..work.after(Happened::Promoted, now)?
    };
    // What gave way can be restored, and is not what a deletion of another version falls back to.
    if let Some(over) = work.rotation.over_version {
        vault::store::set_deleted(&mut tx, &work.rotation.secret_id, over, Some(now)).await?;
    }
    let event = work.event(Action::PromoteVersion).detail("version", version);
    save_in(console, tx, &work.rotation, after, event, Vec::new()).await.map(Ok)
}

/// Waits until everybody who fetched the old value has fetched the new one, or the overlap is over.
async fn drain(console: &Console, work: &Work) -> Stepped {
    let now = console.now();
    let over = work.rotation.overlap_until.is_none_or(|until| until <= now);
    let known = consumers(&mut console.read().await?, &work.rotation.secret_id, now).await?;
    let still: Vec<String> = known
        .iter()
        .filter(|consumer| work.rotation.is_behind(consumer.version))
        .map(|consumer| consumer.workload.clone())
        .collect();
    let moved = !known.is_empty() && still.is_empty();
    if !over && !moved {
        let until = work.rotation.overlap_until.unwrap_or(now);
        return Ok(Ok(Outcome::Until((now + LOOK).min(until))));
    }
    let named = names(console, &still).await?;
    if !moved && !still.is_empty() && work.plan.hold && !work.rotation.cut_off {
        return Ok(Err(Trouble::No(format!("the overlap is over, and the old value is still used by {named}"))));
    }
    let why = match (work.rotation.cut_off, moved) {
        (_, true) => "everybody has moved",
        (true, _) => "it is cut off",
        _ => "the overlap is over",
    };
    let said = |action| work.event(action).detail("why", why).detail("still_on_the_old_value", named.clone());
    if work.rotator.endpoints().is_empty() {
        return close_unproved(console, work, said(Action::CloseRotation)).await.map(Ok);
    }
    let after = work.after(Happened::DisableIntended, now)?;
    save(console, &work.rotation, after, said(Action::IntendDisable)).await.map(Ok)
}

/// Workloads as people call them.
async fn names(console: &Console, ids: &[String]) -> Result<String, Error> {
    let mut db = console.read().await?;
    let mut names = Vec::new();
    for id in ids {
        let workload = workloads::store::find(&mut db, id, console.seal_key()).await?;
        names.push(workload.map_or_else(|| id.clone(), |workload| workload.slug));
    }
    Ok(names.join(", "))
}

/// Nobody refuses the old value, so nobody can show that it is dead; its own date may have passed.
async fn close_unproved(console: &Console, work: &Work, event: Event) -> Result<Outcome, Error> {
    let (now, version) = (console.now(), work.rotation.from_version);
    let mut tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    catalog::store::lock(&mut tx, &work.rotation.secret_id, console.seal_key()).await?;
    let old = vault::store::find(&mut tx, &work.rotation.secret_id, version).await?;
    let (grade, end, at) = match old.and_then(|old| old.valid_until).filter(|until| *until <= now) {
        Some(until) => (Grade::Expired, End::Expired, until),
        None => (Grade::Unverified, End::Unverified, now),
    };
    let after = Rotation { grade: Some(grade.code().into()), ..work.after(Happened::NothingToAsk, now)? };
    let closed = cases::end(console, &mut tx, &work.located, version, end, at).await?;
    save_in(console, tx, &work.rotation, after, event.detail("grade", grade.code()), closed).await
}

/// The overlap of a rotation ends now, and so does that of one that is not there yet; one that waits for approval begins.
/// Within a change, whose event the caller writes; the secret and the rotation are locked.
pub(super) async fn hasten(tx: &mut Tx, rotation: Rotation, cut_off: bool, now: Moment) -> Result<(), Error> {
    let ends = |until: Moment| if cut_off { until.min(now) } else { until };
    let rotation = match rotation.step() {
        Step::Waiting => rotation.after(Happened::Agreed, now)?,
        _ => rotation,
    };
    let row = Rotation {
        cut_off: rotation.cut_off || cut_off,
        overlap_until: rotation.overlap_until.map(ends),
        next_at: rotation.next_at.min(now),
        ..rotation
    };
    store::save(tx, &row).await?;
    store::release_any(tx, &row.id).await?;
    tx.seal(&row)
}

/// The old value is handed out again: the target stops taking the new one, and the rotation is over.
async fn withdraw(console: &Console, work: &Work) -> Stepped {
    let since = work.rotation.promoted_at.unwrap_or(work.rotation.started_at);
    let sessions = if work.rotator.endpoints().is_empty() {
        Sessions::default()
    } else {
        match work.rotator.disable_old(work.made()?, &work.old, since).await {
            Ok(sessions) => sessions,
            Err(trouble) => return Ok(Err(trouble)),
        }
    };
    if sessions.left > 0 {
        return Ok(Err(Trouble::Later(format!("{} sessions of the new value are still open", sessions.left))));
    }
    let now = console.now();
    let mut tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    catalog::store::lock(&mut tx, &work.rotation.secret_id, console.seal_key()).await?;
    if let Some(version) = work.rotation.to_version {
        vault::store::withdraw(&mut tx, &work.rotation.secret_id, version, now).await?;
    }
    let after = work.after(Happened::Withdrawn, now)?;
    let given_up = cases::given_up(console, &mut tx, &work.located, &after, now).await?;
    let event = work.event(Action::WithdrawNew).detail("sessions_ended", sessions.ended);
    save_in(console, tx, &work.rotation, after, event, given_up).await.map(Ok)
}

/// Makes the target refuse the old credential.
async fn disable(console: &Console, work: &Work) -> Stepped {
    if work.rotator.endpoints().is_empty() {
        let event = work.event(Action::CloseRotation).detail("why", "a person said so");
        return close_unproved(console, work, event).await.map(Ok);
    }
    let since = work.rotation.promoted_at.unwrap_or(work.rotation.started_at);
    let Sessions { ended, left } = match work.rotator.disable_old(&work.old, in_use(work).await?, since).await {
        Ok(sessions) => sessions,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let sessions_left = i32::try_from(left).unwrap_or(i32::MAX);
    if sessions_left > work.rotation.sessions_accepted.unwrap_or(0) {
        let why = format!("{left} sessions that began with the old value are still open");
        let counted = Rotation { sessions_left, ..work.rotation.clone() };
        return fail(console, &counted, Trouble::Later(why)).await.map(Ok);
    }
    let event = work.event(Action::DisableOld).detail("sessions_ended", ended).detail("sessions_left", left);
    // What was disabled and works again is counted on: only the proof begins anew.
    let after =
        Rotation { attempts: work.rotation.attempts, sessions_left, ..work.after(Happened::Disabled, console.now())? };
    save(console, &work.rotation, after, event).await.map(Ok)
}

/// The credential that has to go on working: what somebody set by hand since, where the target takes that.
async fn in_use(work: &Work) -> Result<&Payload, Error> {
    let first = work.rotator.endpoints().into_iter().next();
    if let (Some(by_hand), Some(endpoint)) = (&work.in_use, first)
        && work.rotator.probe(&endpoint, by_hand).await == Standing::Accepted
    {
        return Ok(by_hand);
    }
    work.made()
}

pub(super) fn jitter() -> u32 {
    keys::random::<4>().map_or(0, u32::from_le_bytes)
}

/// A step did not work: later, or a person is asked.
pub(super) async fn fail(console: &Console, rotation: &Rotation, trouble: Trouble) -> Result<Outcome, Error> {
    let attempts = rotation.attempts + 1;
    match trouble {
        Trouble::No(why) => stop(console, rotation, why).await,
        Trouble::Later(why) | Trouble::Unknown(why) if attempts >= ATTEMPTS => {
            stop(console, rotation, format!("{why} ({attempts} attempts)")).await
        }
        Trouble::Later(why) | Trouble::Unknown(why) => {
            let next_at = console.now() + wait(attempts, jitter());
            let event = Event::new(Action::FailStep)
                .on(about(console, rotation).await?)
                .detail("step", rotation.step.code())
                .detail("attempt", attempts)
                .detail("why", why.clone());
            let failures = rotation.failures + 1;
            let after = Rotation { attempts, failures, next_at, reason: Some(why), ..rotation.clone() };
            save(console, rotation, after, event).await?;
            Ok(Outcome::Idle)
        }
    }
}

/// The line stops: somebody is told, nothing loops.
async fn stop(console: &Console, rotation: &Rotation, why: String) -> Result<Outcome, Error> {
    let event = Event::new(Action::AskPerson)
        .on(about(console, rotation).await?)
        .detail("step", rotation.step.code())
        .detail("why", why.clone());
    let after = Rotation {
        reason: Some(why),
        // Whoever still uses the old value holds it up: no step failed.
        failures: rotation.failures + i32::from(rotation.step() != Step::Overlap),
        ..rotation.after(Happened::Stopped, console.now())?
    };
    let mut tx = console.ledger.begin(&Who::system(ROTATE)).await?;
    let mut told = catalog::owners(console, &mut tx, &rotation.project_id, &rotation.secret_id).await?;
    told.extend(rotation.started_by.clone());
    told.sort_unstable();
    told.dedup();
    notifications::tell(console, &mut tx, told.iter().map(String::as_str), "rotation.needs_person", &rotation.id)
        .await?;
    save_in(console, tx, rotation, after, event, Vec::new()).await?;
    Ok(Outcome::Idle)
}

async fn about(console: &Console, rotation: &Rotation) -> Result<app::audit::leaf::Subject, Error> {
    let located = Located::find(&mut console.read().await?, &rotation.secret_id, console.seal_key()).await?;
    Ok(match located {
        Some(located) => subject(&located, &rotation.id),
        None => app::audit::leaf::Subject { row: Some(rotation.id.clone()), ..Default::default() },
    })
}
