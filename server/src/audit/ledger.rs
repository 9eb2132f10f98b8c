//! The four doors through which anything is written; there is no fifth.
//!
//! * [`Ledger::begin`] … [`Tx::commit`]: a change with its events.
//! * [`Tx::refuse`]: the change is undone, the refusal is recorded.
//! * [`Ledger::observe`]: an event without a change, durable before the call returns.
//! * [`Ledger::housekeeping`]: changes to operational tables, which no event describes.
use super::{
    event::{Event, Who},
    event_seal,
    heard::{Change, News, Written},
    repeats::Repeats,
    row_seal::{PendingSeal, SealKey, SealedRow},
    state,
    store::{self, Disclosure, Row},
};
use crate::{
    cause,
    clock::Clock,
    crash,
    db::{self, Db, OPERATIONAL, Query, Sql, Statement, Transaction},
    held,
    keys::{self, Keys, Secret},
};
use app::{
    audit::{
        leaf::{Commitment, Leaf, Outcome},
        tree::leaf_hash,
    },
    error::{Conflict, Error, Refusal},
    time::Moment,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, mpsc, oneshot};

/// Events of others that one statement reads.
const MOST_READ: u64 = 2000;

/// The most events that one batch of observations commits.
const BATCH: usize = 256;

/// How often a stop looks whether what is under way has ended, every 10 ms.
const LAST_CALLS: u32 = 500;

/// Where an operation's first event stands: shown to whoever acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub seq: u64,
    pub at: Moment,
}

#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

struct Shared {
    db: Db,
    clock: Clock,
    keys: Keys,
    pseudonyms: Secret,
    observed: mpsc::Sender<Observed>,
    repeats: Repeats,
    /// Rung after each commit, for the builder.
    grown: Notify,
    /// Changes that are under way.
    open: AtomicUsize,
    /// Nothing is begun any more: the process stops.
    closing: AtomicBool,
    /// How the stored trail contradicts what this process knows of it.
    contradiction: OnceLock<String>,
}

/// A change that is under way, until it is dropped.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }

    fn begin(shared: &Arc<Shared>) -> Result<Self, Error> {
        let begun = Self::count(shared);
        if shared.closing.load(Ordering::SeqCst) { Err(Error::Unavailable) } else { Ok(begun) }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Observed {
    who: Who,
    event: Event,
    basis: Vec<Basis>,
    recorded: oneshot::Sender<Result<Option<Receipt>, Error>>,
}

/// A row that an observation rests on, as a certain event left it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Basis {
    pub(super) table: &'static str,
    pub(super) id: String,
    pub(super) seq: i64,
}

impl Basis {
    pub fn of<R: SealedRow>(row: &R) -> Self {
        Self { table: R::TABLE, id: row.id().into(), seq: row.seal().0 }
    }
}

impl Ledger {
    pub fn new(db: Db, clock: Clock, keys: Keys, pseudonyms: Secret) -> Self {
        let (observed, inbox) = mpsc::channel(4 * BATCH);
        let repeats = Repeats::default();
        let ledger = Self(Arc::new(Shared {
            db,
            clock,
            keys,
            pseudonyms,
            observed,
            repeats,
            grown: Notify::new(),
            open: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            contradiction: OnceLock::new(),
        }));
        tokio::spawn(record_observations(Arc::downgrade(&ledger.0), inbox));
        ledger
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn db(&self) -> &Db {
        &self.0.db
    }

    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub fn pseudonyms(&self) -> &Secret {
        &self.0.pseudonyms
    }

    /// How the stored trail was found to contradict what this process knows of it, where a change took its place.
    pub fn contradiction(&self) -> Option<String> {
        self.0.contradiction.get().cloned()
    }

    /// Waits until something was committed.
    pub async fn grown(&self) {
        self.0.grown.notified().await;
    }

    /// Begins a change for somebody. Dropping it without [`Tx::commit`] undoes it.
    pub async fn begin(&self, who: &Who) -> Result<Tx, Error> {
        let under_way = UnderWay::begin(&self.0)?;
        let inner = self.0.db.begin().await?;
        Ok(Tx {
            inner,
            ledger: self.clone(),
            who: who.clone(),
            seals: Vec::new(),
            basis: Vec::new(),
            _under_way: under_way,
        })
    }

    /// Records an event that changes nothing; durable when this returns.
    pub async fn observe(&self, who: &Who, event: Event) -> Result<Receipt, Error> {
        self.observe_while(who, event, Vec::new()).await?.ok_or(Error::Unavailable)
    }

    /// Records an event that rests on rows which were read before: it is written only if each of them is, at the event's
    /// place in the trail, still what was read. `None`: one of them changed, and nothing was recorded.
    pub async fn observe_while(&self, who: &Who, event: Event, basis: Vec<Basis>) -> Result<Option<Receipt>, Error> {
        held::nothing_is_held("the ledger");
        let _under_way = UnderWay::begin(&self.0)?;
        self.hand_over(who, event, basis).await
    }

    async fn hand_over(&self, who: &Who, event: Event, basis: Vec<Basis>) -> Result<Option<Receipt>, Error> {
        // The waiter exists before the event is handed over, so that no wake-up is lost.
        let (recorded, receipt) = oneshot::channel();
        let observed = Observed { who: who.clone(), event, basis, recorded };
        self.0.observed.send(observed).await.map_err(|_| Error::Unavailable)?;
        receipt.await.map_err(|_| Error::Unavailable)?
    }

    /// Records the last event of this process: what is under way ends first, as far as it does so in time, and nothing is begun
    /// after it.
    pub async fn close(&self, who: &Who, event: Event) -> Result<(), Error> {
        self.0.closing.store(true, Ordering::SeqCst);
        for _ in 0..LAST_CALLS {
            if self.0.open.load(Ordering::SeqCst) == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.hand_over(who, event, Vec::new()).await.map(drop)
    }

    /// Records a refusal and returns it as the error. Repeats within a minute are counted, not written one by one.
    pub async fn refuse(&self, who: &Who, event: Event, why: Refusal) -> Error {
        let event = event.refused(why);
        if self.0.repeats.is_first(who, &event, self.0.clock.now())
            && let Err(error) = self.observe(who, event).await
        {
            // The refusal stands all the same: what is closed stays closed when the ledger cannot write.
            tracing::error!(%error, code = why.code(), "a refusal could not be recorded");
        }
        Error::Refused(why)
    }

    /// Writes the counts of repeated refusals whose minute is over.
    pub async fn flush_repeats(&self, all: bool) {
        for (who, event) in self.0.repeats.due(self.0.clock.now(), all) {
            if let Err(error) = self.observe(&who, event).await {
                tracing::error!(%error, "a count of repeated refusals was lost");
            }
        }
    }

    /// The same for the builder, which signs what was written last, also while the process stops.
    pub(super) async fn building(&self) -> Result<Housekeeping, Error> {
        Ok(Housekeeping { inner: self.0.db.begin().await?, _under_way: UnderWay::count(&self.0) })
    }

    /// Begins a change to operational tables alone.
    pub async fn housekeeping(&self) -> Result<Housekeeping, Error> {
        let under_way = UnderWay::begin(&self.0)?;
        Ok(Housekeeping { inner: self.0.db.begin().await?, _under_way: under_way })
    }
}

/// A change that becomes durable together with its events.
pub struct Tx {
    inner: Transaction,
    ledger: Ledger,
    who: Who,
    seals: Vec<PendingSeal>,
    basis: Vec<Basis>,
    _under_way: UnderWay,
}

impl Sql for Tx {
    fn seal_key(&self) -> Option<&SealKey> {
        self.inner.seal_key()
    }

    fn sql(&mut self, statement: impl Into<Statement>) -> Query<'_> {
        self.inner.sql(statement)
    }
}

impl Tx {
    pub fn lock(&mut self, select: impl Into<Statement>) -> Query<'_> {
        self.inner.lock(select)
    }

    /// As [`Transaction::lock_one`].
    pub async fn lock_one<R: SealedRow + db::Row>(&mut self, id: &str) -> db::Result<Option<R>> {
        self.inner.lock_one(id).await
    }

    /// As [`Transaction::queue_for`].
    pub async fn queue_for(&mut self, key: &str) -> db::Result<()> {
        self.inner.queue_for(key).await
    }

    /// As [`Transaction::take_turn`].
    pub async fn take_turn(&mut self, name: &'static str) -> Result<(), Error> {
        Ok(self.inner.take_turn(name).await?)
    }

    pub fn now(&self) -> Moment {
        self.ledger.0.clock.now()
    }

    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Marks a row that opens access: it is sealed together with the number of its event at commit.
    pub fn seal<R: SealedRow>(&mut self, row: &R) -> Result<(), Error> {
        self.seals.push(PendingSeal::new(row)?);
        Ok(())
    }

    /// Says that the change rests on a row beside those that it seals: it is kept only if that row is, at the change's place in the trail,
    /// still what was read.
    pub fn rests_on(&mut self, basis: impl IntoIterator<Item = Basis>) {
        self.basis.extend(basis);
    }

    /// Makes the change durable with its events; `events` is never empty.
    pub async fn commit(mut self, events: Vec<Event>) -> Result<Receipt, Error> {
        if events.is_empty() {
            tracing::error!("an operation tried to commit a change without an event");
            return Err(Error::Unavailable);
        }
        let at_odds = state::at_odds(self.seals.iter().map(PendingSeal::row), &events);
        if !at_odds.is_empty() {
            tracing::error!(?at_odds, "an operation's events and the rows that it sealed are not the same");
            debug_assert!(false, "events and seals are at odds: {at_odds:?}");
            return Err(Error::Unavailable);
        }
        let count = events.len();
        let first = store::take_places(&mut self.inner, count).await?;
        crash::at("commit.placed");
        let basis: Vec<&Basis> = self.seals.iter().filter_map(PendingSeal::basis).chain(&self.basis).collect();
        let stale = self.ledger.0.stale(&mut self.inner, first, &basis).await?;
        if let Some(row) = stale.first() {
            tracing::error!(?row, "a change rests on a row that is not as its last event left it");
            cause::note(|| format!("{} {} is not as its last event left it", row.table, row.id));
            return Err(Error::Conflict(Conflict::EditedMeanwhile));
        }
        let at = self.ledger.0.clock.now();
        for seal in std::mem::take(&mut self.seals) {
            seal.write(&mut self.inner, &self.ledger.0.keys.row_seal, first).await?;
        }
        crash::at("commit.sealed");
        let news = news(first, &events);
        let batch = events.into_iter().map(|event| (&self.who, event));
        let leaves = append(&mut self.inner, &self.ledger.0, first, at, batch).await?;
        crash::at("commit.appended");
        let placed = self.ledger.0.place(Change {
            first,
            end: first + count as u64,
            news,
            leaves: leaves.iter().map(|leaf| leaf_hash(leaf)).collect(),
        });
        let committed = self.inner.commit().await;
        let settled = self.ledger.0.settle(committed, first, leaves.first().map_or(&[], Vec::as_slice)).await;
        placed.ends(settled)?;
        crash::at("commit.committed");
        self.ledger.0.grown.notify_one();
        Ok(Receipt { seq: first, at })
    }

    /// Undoes the change and records that it was refused.
    pub async fn refuse(self, event: Event, why: Refusal) -> Error {
        let Self { inner, ledger, who, .. } = self;
        drop(inner);
        ledger.refuse(&who, event, why).await
    }
}

/// Lets a change touch only [`OPERATIONAL`] tables.
pub struct Housekeeping {
    inner: Transaction,
    _under_way: UnderWay,
}

impl Housekeeping {
    pub async fn finish(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }

    pub fn lock(&mut self, select: impl Into<Statement>) -> Query<'_> {
        self.inner.lock(select)
    }
}

impl Sql for Housekeeping {
    fn seal_key(&self) -> Option<&SealKey> {
        self.inner.seal_key()
    }

    fn sql(&mut self, statement: impl Into<Statement>) -> Query<'_> {
        let statement = statement.into();
        assert!(is_operational(statement.text()), "housekeeping may not run: {}", statement.text());
        self.inner.sql(statement)
    }
}

fn is_operational(sql: &str) -> bool {
    let rest = ["INSERT INTO ", "UPDATE ", "DELETE FROM "].iter().find_map(|verb| sql.strip_prefix(verb));
    let table = rest.and_then(|rest| rest.split_whitespace().next());
    table.map_or(sql.starts_with("SELECT "), |table| OPERATIONAL.contains(&table))
}

async fn record_observations(ledger: std::sync::Weak<Shared>, mut inbox: mpsc::Receiver<Observed>) {
    let mut batch = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut batch, BATCH).await > 0 {
        let Some(ledger) = ledger.upgrade() else { return };
        let (mut events, mut waiters) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for Observed { who, event, basis, recorded } in batch.drain(..) {
            events.push((who, event, basis));
            waiters.push(recorded);
        }
        match write_observations(&ledger, events).await {
            Ok(receipts) => waiters.into_iter().zip(receipts).for_each(|(waiter, receipt)| {
                let _ = waiter.send(Ok(receipt));
            }),
            Err(error) => waiters.into_iter().for_each(|waiter| {
                let _ = waiter.send(Err(error.clone()));
            }),
        }
    }
}

/// One receipt for each event in order; none for those whose basis is gone.
async fn write_observations(
    ledger: &Shared,
    events: Vec<(Who, Event, Vec<Basis>)>,
) -> Result<Vec<Option<Receipt>>, Error> {
    let mut tx = ledger.db.begin().await?;
    let rests: Vec<&Basis> = events.iter().flat_map(|(_, _, basis)| basis).collect();
    let mut gone = HashSet::new();
    if !rests.is_empty() {
        let (changed, size) = store::gone(&mut tx, &rests).await?;
        gone = changed;
        gone.extend(ledger.stale(&mut tx, size, &rests).await?.into_iter().cloned());
    }
    let stands: Vec<bool> = events.iter().map(|(_, _, basis)| !basis.iter().any(|row| gone.contains(row))).collect();
    let count = stands.iter().filter(|stands| **stands).count();
    if count == 0 {
        return Ok(vec![None; stands.len()]);
    }
    let first = store::take_places(&mut tx, count).await?;
    crash::at("observe.placed");
    ledger.is_behind(first)?;
    let at = ledger.clock.now();
    let standing = events.iter().zip(&stands).filter(|(_, stands)| **stands);
    let batch = standing.map(|((who, event, _), _)| (who, event.clone()));
    let leaves = append(&mut tx, ledger, first, at, batch).await?;
    crash::at("observe.appended");
    let placed = ledger.place(Change {
        first,
        end: first + count as u64,
        news: Vec::new(),
        leaves: leaves.iter().map(|leaf| leaf_hash(leaf)).collect(),
    });
    let committed = tx.commit().await;
    let settled = ledger.settle(committed, first, leaves.first().map_or(&[], Vec::as_slice)).await;
    placed.ends(settled)?;
    crash::at("observe.committed");
    ledger.grown.notify_one();
    let mut places = first..;
    let receipt = |stands| if stands { places.next().map(|seq| Receipt { seq, at }) } else { None };
    Ok(stands.into_iter().map(receipt).collect())
}

/// What the events of a change say of rows.
fn news(first: u64, events: &[Event]) -> Vec<News> {
    let heard = Instant::now();
    let allowed = (first..).zip(events).filter(|(_, event)| event.outcome == Outcome::Allowed);
    let rows = allowed.flat_map(|(by, event)| {
        let rows = state::rows_written(event);
        rows.into_iter().map(move |(table, id)| (table, id.clone(), Written { first, by, heard }))
    });
    rows.collect()
}

/// A change of this process, from its place in the trail until it is known what became of it. Where nobody waits for that any more it
/// stays among those that are under way, until its event is read or its place is another's.
struct Placed<'l> {
    ledger: &'l Shared,
    change: Change,
}

impl Placed<'_> {
    fn ends(self, settled: Result<(), Error>) -> Result<(), Error> {
        let mut heard = self.ledger.keys.row_seal.heard();
        match &settled {
            Ok(()) => heard.keep(self.change),
            Err(Error::Uncertain) => {}
            Err(_) => heard.give_up(&self.change),
        }
        settled
    }
}

impl Shared {
    fn place(&self, change: Change) -> Placed<'_> {
        // Several changes share a COMMIT there: the next one stands behind this one before anybody knows what became of it.
        if !self.db.is_postgres() {
            self.keys.row_seal.heard().place(change.clone());
        }
        Placed { ledger: self, change }
    }

    fn contradicts(&self, why: String) -> Error {
        tracing::error!(why, "the stored trail contradicts what this process knows of it");
        cause::note(|| why.clone());
        let _ = self.contradiction.set(why);
        Error::Unavailable
    }

    /// Is this place behind everything that is known to be there?
    fn is_behind(&self, first: u64) -> Result<(), Error> {
        let next = self.keys.row_seal.heard().next();
        if first < next { Err(self.contradicts(format!("the events from {first} on are gone"))) } else { Ok(()) }
    }

    /// Which of these rows are not as the last event before a place left them. The head is locked: nothing comes between. What others
    /// committed since is read first; it has to be there and to be ours.
    async fn stale<'b>(&self, tx: &mut Transaction, first: u64, basis: &[&'b Basis]) -> Result<Vec<&'b Basis>, Error> {
        self.is_behind(first)?;
        let key = &self.keys.row_seal;
        let mut under_way: HashMap<(&'static str, String), Written> = HashMap::new();
        let mut reading = state::Reading::default();
        let mut at = key.heard().next();
        while at < first {
            let to = match key.heard().placed(at) {
                Ok(change) => {
                    let news = change.news.iter().cloned();
                    under_way.extend(news.map(|(table, id, written)| ((table, id), written)));
                    at = change.end;
                    continue;
                }
                Err(next) => first.min(at + MOST_READ).min(next.unwrap_or(first)),
            };
            let leaves = store::sealed_leaves(tx, at, to, MOST_READ).await?;
            let there = leaves.iter().map(|leaf| leaf.seq as u64).eq(at..to);
            if !there {
                return Err(self.contradicts(format!("events between {at} and {to} are missing")));
            }
            let foreign = |leaf: &&store::SealedLeaf| {
                !event_seal::holds(&self.keys.event_seal, leaf.seq as u64, &leaf.leaf, leaf.seal.as_deref())
            };
            if let Some(leaf) = leaves.iter().find(foreign) {
                return Err(self.contradicts(format!("event {} fails its seal", leaf.seq)));
            }
            let mut heard = key.heard();
            let now = heard.now();
            let news: Vec<News> =
                leaves.iter().flat_map(|leaf| reading.news(leaf.seq as u64, &leaf.leaf, now)).collect();
            if at <= heard.next() {
                heard.hear(news, to);
            } else {
                under_way.extend(news.into_iter().map(|(table, id, written)| ((table, id), written)));
            }
            at = to;
        }
        let heard = key.heard();
        let is_stale = |row: &&&Basis| {
            let last = under_way.get(&(row.table, row.id.clone())).copied();
            let last = last.or_else(|| heard.last(row.table, &row.id));
            last.is_none_or(|last| !last.wrote(row.seq as u64))
        };
        Ok(basis.iter().filter(is_stale).copied().collect())
    }

    /// What became of a change whose COMMIT was answered, or was not. A lost answer is found out by the first event: its leaf has a
    /// salt of its own, so that what stands at its place is it or is somebody else's.
    async fn settle(&self, committed: db::Result<()>, first: u64, leaf: &[u8]) -> Result<(), Error> {
        let Err(error) = committed else { return Ok(()) };
        if !error.is_lost() {
            return Err(error.into());
        }
        tracing::warn!(%error, seq = first, "the answer to COMMIT was lost: finding out what became of it");
        for pause in LOST {
            tokio::time::sleep(pause).await;
            let found = tokio::time::timeout(db::PATIENCE, async {
                let mut db = self.db.unseen().probe().await?;
                store::leaves(&mut db, first, first + 1, 1).await
            });
            match found.await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into())) {
                Ok(rows) if rows.first().is_some_and(|(_, stored)| stored == leaf) => return Ok(()),
                // Another event has its place: this one was not kept, and never will be.
                Ok(rows) if !rows.is_empty() => return Err(Error::Unavailable),
                // It may still be on its way: the server ends what its client left.
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the database does not answer"),
            }
        }
        Err(Error::Uncertain)
    }
}

/// How long it is asked for after a lost answer.
const LOST: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(700), Duration::from_millis(1500)];

/// Inserts the leaves and their disclosures at the places that were taken. Returns the leaves.
async fn append<'a>(
    tx: &mut Transaction,
    ledger: &Shared,
    first: u64,
    at: Moment,
    events: impl Iterator<Item = (&'a Who, Event)>,
) -> Result<Vec<Vec<u8>>, Error> {
    let (mut rows, mut disclosures) = (Vec::new(), Vec::new());
    for (seq, (who, event)) in (first..).zip(events) {
        rows.push(row(seq, at, who, event, ledger, &mut disclosures)?);
    }
    let leaves = rows.iter().map(|row| row.leaf.clone()).collect();
    store::insert(tx, rows).await?;
    store::insert_disclosures(tx, disclosures).await?;
    Ok(leaves)
}

fn row(
    seq: u64,
    at: Moment,
    who: &Who,
    mut event: Event,
    ledger: &Shared,
    disclosures: &mut Vec<Disclosure>,
) -> Result<Row, Error> {
    for (field, value) in [("address", &who.address), ("agent", &who.agent)] {
        if let Some(value) = value {
            event.private.insert(field, value.clone());
        }
    }
    let mut leaf = Leaf {
        seq,
        at,
        salt: URL_SAFE_NO_PAD.encode(random()?),
        action: event.action.code().into(),
        outcome: event.outcome,
        reason: event.reason.map(Into::into),
        actor: who.actor.clone(),
        subject: event.subject,
        policy: event.policy,
        correlation: who.correlation.as_ref().map(ToString::to_string),
        detail: event.detail,
        committed: Default::default(),
        suppressed: event.suppressed,
    };
    for (field, value) in event.private {
        let salt = random()?;
        leaf.committed.insert(field.into(), Commitment::new(field, &value, &salt, &ledger.pseudonyms));
        disclosures.push(Disclosure { seq, field, salt, value });
    }
    let bytes = leaf.encode().map_err(|error| {
        tracing::error!(%error, action = leaf.action, "an event does not fit its format");
        Error::Unavailable
    })?;
    Ok(Row {
        seq,
        seal: event_seal::seal(&ledger.keys.event_seal, seq, &bytes),
        leaf: bytes,
        at,
        action: event.action.code(),
        outcome: event.outcome.code(),
        reason: leaf.reason,
        actor_kind: who.actor.kind.code(),
        actor_id: who.actor.id.clone(),
        project: leaf.subject.project,
        environment: leaf.subject.environment,
        secret: leaf.subject.secret,
        request: leaf.subject.request,
        grant: leaf.subject.grant,
    })
}

fn random() -> Result<[u8; 16], Error> {
    keys::random().map_err(|error| {
        tracing::error!(%error, "no event without a salt");
        Error::Unavailable
    })
}

impl From<db::Error> for Error {
    /// A database error as its user sees it: the details are for the log.
    fn from(error: db::Error) -> Self {
        tracing::error!(%error, "database");
        cause::note(|| error.words());
        Self::Unavailable
    }
}
