//! The ledger's SQL.
use super::ledger::{Basis, Housekeeping};
use crate::db::{Result, Sql, Statement, Transaction};
use app::{
    audit::{leaf::Leaf, tree::Hash},
    time::Moment,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A leaf with the columns that are searched.
pub struct Row {
    pub seq: u64,
    pub leaf: Vec<u8>,
    pub seal: [u8; 32],
    pub at: Moment,
    pub action: &'static str,
    pub outcome: &'static str,
    pub reason: Option<String>,
    pub actor_kind: &'static str,
    pub actor_id: Option<String>,
    pub project: Option<String>,
    pub environment: Option<String>,
    pub secret: Option<String>,
    pub request: Option<String>,
    pub grant: Option<String>,
}

pub struct Disclosure {
    pub seq: u64,
    pub field: &'static str,
    pub salt: [u8; 16],
    pub value: String,
}

/// Takes `count` places at the head and keeps the head locked: always an operation's last lock. Returns the first place.
pub async fn take_places(tx: &mut Transaction, count: usize) -> Result<u64> {
    tx.reach_head().await?;
    let (size,): (i64,) =
        tx.sql("UPDATE ledger_head SET size = size + $1 WHERE id = 1 RETURNING size").bind(count as i64).one().await?;
    Ok(size as u64 - count as u64)
}

/// Which of these rows are no longer as they were read, and the number of the next event. Keeps the head locked from here on, so that
/// what changes them later also stands later in the trail.
pub async fn gone(tx: &mut Transaction, basis: &[&Basis]) -> Result<(HashSet<Basis>, u64)> {
    let mut asked: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
    let basis: HashSet<&Basis> = basis.iter().copied().collect();
    for row in &basis {
        asked.entry(row.table).or_default().insert(&row.id);
    }
    let size = take_places(tx, 0).await?;
    let mut found = HashSet::new();
    for (table, ids) in asked {
        let mut ids = ids.into_iter().peekable();
        while ids.peek().is_some() {
            let chunk = CHUNKS.into_iter().find(|size| *size <= ids.len()).unwrap_or(1);
            let mut statement = Statement::from("SELECT id, event_seq FROM ");
            statement.push(table).push(" WHERE id IN ").rows(1, chunk);
            let mut query = tx.sql(statement);
            for id in ids.by_ref().take(chunk) {
                query = query.bind(id.to_owned());
            }
            let rows: Vec<(String, i64)> = query.all().await?;
            found.extend(rows.into_iter().map(|(id, seq)| Basis { table, id, seq }));
        }
    }
    Ok((basis.into_iter().filter(|row| !found.contains(*row)).cloned().collect(), size))
}

/// How many rows one statement carries: few shapes, so that each stays prepared.
const CHUNKS: [usize; 3] = [64, 8, 1];

pub async fn insert(tx: &mut Transaction, rows: Vec<Row>) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk = CHUNKS.into_iter().find(|size| *size <= rows.len()).unwrap_or(1);
        let mut statement = Statement::from(
            "INSERT INTO audit_events (seq, leaf, at, action, outcome, reason, actor_kind, actor_id, project_id, \
             environment_id, secret_id, request_id, grant_id, seal) VALUES ",
        );
        statement.rows(chunk, 14);
        let mut query = tx.sql(statement);
        for row in rows.by_ref().take(chunk) {
            query = query
                .bind(row.seq as i64)
                .bind(row.leaf)
                .bind(row.at)
                .bind(row.action)
                .bind(row.outcome)
                .bind(row.reason)
                .bind(row.actor_kind)
                .bind(row.actor_id)
                .bind(row.project)
                .bind(row.environment)
                .bind(row.secret)
                .bind(row.request)
                .bind(row.grant)
                .bind(row.seal.to_vec());
        }
        query.execute().await?;
    }
    Ok(())
}

pub async fn insert_disclosures(tx: &mut Transaction, rows: Vec<Disclosure>) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk = CHUNKS.into_iter().find(|size| *size <= rows.len()).unwrap_or(1);
        let mut statement = Statement::from("INSERT INTO audit_disclosures (seq, field, salt, value) VALUES ");
        statement.rows(chunk, 4);
        let mut query = tx.sql(statement);
        for row in rows.by_ref().take(chunk) {
            query = query.bind(row.seq as i64).bind(row.field).bind(row.salt.to_vec()).bind(row.value);
        }
        query.execute().await?;
    }
    Ok(())
}

pub async fn size(db: &mut impl Sql) -> Result<u64> {
    let (size,): (i64,) = db.sql("SELECT size FROM ledger_head WHERE id = 1").one().await?;
    Ok(size as u64)
}

/// Up to `limit` leaves from `from` on, below `to`, in order.
pub async fn leaves(db: &mut impl Sql, from: u64, to: u64, limit: u64) -> Result<Vec<(i64, Vec<u8>)>> {
    db.sql("SELECT seq, leaf FROM audit_events WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3")
        .bind(from as i64)
        .bind(to as i64)
        .bind(limit as i64)
        .all()
        .await
}

/// An event that lies where none was written yet.
pub async fn beyond(db: &mut impl Sql) -> Result<Option<i64>> {
    let found: Option<(i64,)> = db
        .sql(
            "SELECT seq FROM audit_events WHERE seq >= (SELECT size FROM ledger_head WHERE id = 1) ORDER BY seq LIMIT 1",
        )
        .optional()
        .await?;
    Ok(found.map(|(seq,)| seq))
}

/// The same with the seal of each.
pub async fn sealed_leaves(db: &mut impl Sql, from: u64, to: u64, limit: u64) -> Result<Vec<SealedLeaf>> {
    db.sql("SELECT seq, leaf, seal FROM audit_events WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3")
        .bind(from as i64)
        .bind(to as i64)
        .bind(limit as i64)
        .all()
        .await
}

/// A leaf as it is stored. One without a seal was written by nobody whom this service knows.
#[derive(sqlx::FromRow)]
pub struct SealedLeaf {
    pub seq: i64,
    pub leaf: Vec<u8>,
    pub seal: Option<Vec<u8>>,
}

#[derive(Clone, sqlx::FromRow)]
pub struct Stored {
    pub seq: i64,
    pub leaf: Vec<u8>,
    pub at: Moment,
    pub action: String,
    pub outcome: String,
    pub reason: Option<String>,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub project_id: Option<String>,
    pub environment_id: Option<String>,
    pub secret_id: Option<String>,
    pub request_id: Option<String>,
    pub grant_id: Option<String>,
}

impl Stored {
    /// Its number with its leaf, for [`told`].
    pub fn numbered(&self) -> (i64, &[u8]) {
        (self.seq, &self.leaf)
    }

    /// As its leaf tells it: the columns are for finding it, and carry no seal.
    pub fn as_told(self) -> Self {
        let Ok(told) = Leaf::decode(&self.leaf) else { return self };
        Self {
            at: told.at,
            action: told.action,
            outcome: told.outcome.code().into(),
            reason: told.reason,
            actor_kind: told.actor.kind.code().into(),
            actor_id: told.actor.id,
            project_id: told.subject.project,
            environment_id: told.subject.environment,
            secret_id: told.subject.secret,
            request_id: told.subject.request,
            grant_id: told.subject.grant,
            seq: self.seq,
            leaf: self.leaf,
        }
    }
}

const STORED: &str = "SELECT seq, leaf, at, action, outcome, reason, actor_kind, actor_id, project_id, environment_id, \
                      secret_id, request_id, grant_id FROM audit_events";

/// Whole rows, for comparing columns with leaves.
pub async fn stored(db: &mut impl Sql, from: u64, limit: u64) -> Result<Vec<Stored>> {
    let mut statement = Statement::from(STORED);
    statement.push(" WHERE seq >= ").placeholder().push(" ORDER BY seq LIMIT ").placeholder();
    db.sql(statement).bind(from as i64).bind(limit as i64).all().await
}

pub async fn find(db: &mut impl Sql, seq: u64) -> Result<Option<Stored>> {
    let mut statement = Statement::from(STORED);
    statement.push(" WHERE seq = ").placeholder();
    let row: Option<Stored> = db.sql(statement).bind(seq as i64).optional().await?;
    Ok(row.map(Stored::as_told))
}

/// How far a projection has read.
pub async fn cursor(db: &mut impl Sql, name: &'static str) -> Result<u64> {
    let row: Option<(i64,)> =
        db.sql("SELECT seq FROM projection_cursors WHERE name = $1").bind(name).optional().await?;
    Ok(row.map_or(0, |(seq,)| seq as u64))
}

/// The same, kept for this change.
pub async fn lock_cursor(tx: &mut Housekeeping, name: &'static str) -> Result<u64> {
    tx.sql("INSERT INTO projection_cursors (name, seq) VALUES ($1, 0) ON CONFLICT DO NOTHING")
        .bind(name)
        .execute()
        .await?;
    let (seq,): (i64,) = tx.lock("SELECT seq FROM projection_cursors WHERE name = $1").bind(name).one().await?;
    Ok(seq as u64)
}

pub async fn move_cursor(tx: &mut Housekeeping, name: &'static str, to: u64) -> Result<u64> {
    tx.sql("UPDATE projection_cursors SET seq = $1 WHERE name = $2").bind(to as i64).bind(name).execute().await
}

/// The first place from which on events are not before a moment. Found by steps that halve: their places depend on nothing
/// but the places below, so that the answer stays the same as the trail grows, even where a clock was set back.
pub async fn first_at(db: &mut impl Sql, moment: Moment) -> Result<u64> {
    let mut below = 0_u64;
    for bit in (0..=size(db).await?.checked_ilog2().unwrap_or(0)).rev() {
        let tried = below | (1 << bit);
        let row: Option<(Moment,)> =
            db.sql("SELECT at FROM audit_events WHERE seq = $1").bind(tried as i64 - 1).optional().await?;
        if row.is_some_and(|(at,)| at < moment) {
            below = tried;
        }
    }
    Ok(below)
}

/// What a list of events is narrowed to. Every key has an index with `seq` behind it.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    pub actor: Option<String>,
    pub action: Option<String>,
    /// Every action but this one.
    pub not_action: Option<String>,
    pub outcome: Option<String>,
    pub project: Option<String>,
    pub secret: Option<String>,
    pub request: Option<String>,
    pub from: Option<Moment>,
    pub to: Option<Moment>,
}

/// The last fetch of a secret by each workload: its id and the event's number. Whatever the number of fetches, it takes a step in
/// an index for each workload.
pub async fn last_fetches(db: &mut impl Sql, secret: &str) -> Result<Vec<(String, i64)>> {
    db.sql(
        "WITH RECURSIVE fetching (actor_id) AS (\
         SELECT MIN(actor_id) FROM audit_events \
         WHERE secret_id = $1 AND action = 'secret.fetched' AND outcome = 'allowed' \
         UNION ALL SELECT (SELECT MIN(e.actor_id) FROM audit_events e \
         WHERE e.secret_id = $1 AND e.action = 'secret.fetched' AND e.outcome = 'allowed' \
         AND e.actor_id > f.actor_id) FROM fetching f WHERE f.actor_id IS NOT NULL) \
         SELECT f.actor_id, (SELECT MAX(e.seq) FROM audit_events e WHERE e.secret_id = $1 \
         AND e.action = 'secret.fetched' AND e.outcome = 'allowed' AND e.actor_id = f.actor_id) AS seq \
         FROM fetching f WHERE f.actor_id IS NOT NULL ORDER BY f.actor_id",
    )
    .bind(secret.to_owned())
    .all()
    .await
}

/// Newest first, below `before`.
pub async fn list(db: &mut impl Sql, narrow: &Narrow, before: Option<u64>, limit: u64) -> Result<Vec<Stored>> {
    let mut statement = Statement::from(STORED);
    statement.push(" WHERE seq < ").placeholder();
    let texts = [
        (" AND actor_id = ", &narrow.actor),
        (" AND action = ", &narrow.action),
        (" AND action <> ", &narrow.not_action),
        (" AND outcome = ", &narrow.outcome),
        (" AND project_id = ", &narrow.project),
        (" AND secret_id = ", &narrow.secret),
        (" AND request_id = ", &narrow.request),
    ];
    for (text, _) in texts.iter().filter(|(_, value)| value.is_some()) {
        statement.push(text).placeholder();
    }
    let times = [(" AND at >= ", narrow.from), (" AND at < ", narrow.to)];
    for (text, _) in times.iter().filter(|(_, value)| value.is_some()) {
        statement.push(text).placeholder();
    }
    statement.push(" ORDER BY seq DESC LIMIT ").placeholder();
    let mut query = db.sql(statement).bind(before.map_or(i64::MAX, |seq| seq as i64));
    for (_, value) in texts {
        if let Some(value) = value {
            query = query.bind(value.clone());
        }
    }
    for (_, value) in times {
        if let Some(value) = value {
            query = query.bind(value);
        }
    }
    let rows: Vec<Stored> = query.bind(limit as i64).all().await?;
    Ok(rows.into_iter().map(Stored::as_told).collect())
}

/// A sensitive field of an event: its number, the field, the salt and the value.
pub type Told = (i64, String, Vec<u8>, String);

/// The sensitive fields of some events that were not erased, whatever they are worth: for verifying them.
pub async fn disclosures(db: &mut impl Sql, from: u64, to: u64) -> Result<Vec<Told>> {
    db.sql("SELECT seq, field, salt, value FROM audit_disclosures WHERE seq >= $1 AND seq <= $2 ORDER BY seq, field")
        .bind(from as i64)
        .bind(to as i64)
        .all()
        .await
}

/// The same for events that do not follow one another; few at a time.
pub async fn disclosures_of(db: &mut impl Sql, seqs: &[i64]) -> Result<Vec<Told>> {
    let mut found = Vec::new();
    for part in seqs.chunks(CHUNKS[0]) {
        let mut statement = Statement::from("SELECT seq, field, salt, value FROM audit_disclosures WHERE seq IN ");
        statement.rows(1, part.len()).push(" ORDER BY seq, field");
        let query = part.iter().fold(db.sql(statement), |query, seq| query.bind(*seq));
        found.extend(query.all::<Told>().await?);
    }
    Ok(found)
}

/// Those of these events' sensitive fields that their leaves committed to: what is shown beside an event is what it said.
pub async fn told<'a>(db: &mut impl Sql, leaves: impl IntoIterator<Item = (i64, &'a [u8])>) -> Result<Vec<Told>> {
    let (mut seqs, mut decoded) = (Vec::new(), HashMap::new());
    for (seq, leaf) in leaves {
        seqs.push(seq);
        decoded.extend(Leaf::decode(leaf).ok().map(|leaf| (seq, leaf)));
    }
    let opens = |(seq, field, salt, value): &Told| {
        let committed = decoded.get(seq).and_then(|leaf| leaf.committed.get(field));
        let opens = committed
            .zip(salt.as_slice().try_into().ok())
            .is_some_and(|(committed, salt): (_, [u8; 16])| committed.opens(field, value, &salt));
        if !opens {
            tracing::error!(seq, field, "what is kept of an event is not what it committed to, and is not shown");
        }
        opens
    };
    Ok(disclosures_of(db, &seqs).await?.into_iter().filter(opens).collect())
}

pub async fn tile(db: &mut impl Sql, level: u32, n: u64) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = db
        .sql("SELECT hashes FROM audit_tiles WHERE level = $1 AND n = $2")
        .bind(level as i32)
        .bind(n as i64)
        .optional()
        .await?;
    Ok(row.map(|(hashes,)| hashes))
}

/// How many full tiles of a level are stored.
pub async fn tiles(db: &mut impl Sql, level: u32) -> Result<u64> {
    let (count,): (i64,) =
        db.sql("SELECT COALESCE(MAX(n) + 1, 0) FROM audit_tiles WHERE level = $1").bind(level as i32).one().await?;
    Ok(count as u64)
}

/// 0: there is one already.
pub async fn insert_tile(db: &mut impl Sql, level: u32, n: u64, hashes: Vec<u8>) -> Result<u64> {
    db.sql("INSERT INTO audit_tiles (level, n, hashes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(level as i32)
        .bind(n as i64)
        .bind(hashes)
        .execute()
        .await
}

/// Stores a checkpoint; if one of this size is there, returns its root.
pub async fn insert_checkpoint(db: &mut impl Sql, size: u64, root: &Hash, note: &str) -> Result<Option<Vec<u8>>> {
    let written = db
        .sql("INSERT INTO audit_checkpoints (size, root, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(size as i64)
        .bind(root.to_vec())
        .bind(note.to_owned())
        .execute()
        .await?;
    if written == 1 {
        return Ok(None);
    }
    let (there,): (Vec<u8>,) =
        db.sql("SELECT root FROM audit_checkpoints WHERE size = $1").bind(size as i64).one().await?;
    Ok(Some(there))
}

/// All stored checkpoints from a size on, smallest first.
pub async fn checkpoints(db: &mut impl Sql, from: u64, limit: u64) -> Result<Vec<(i64, String)>> {
    db.sql("SELECT size, note FROM audit_checkpoints WHERE size >= $1 ORDER BY size LIMIT $2")
        .bind(from as i64)
        .bind(limit as i64)
        .all()
        .await
}

/// The newest head of a tree that is not larger.
pub async fn checkpoint_below(db: &mut impl Sql, size: u64) -> Result<Option<String>> {
    let row: Option<(String,)> = db
        .sql("SELECT note FROM audit_checkpoints WHERE size <= $1 ORDER BY size DESC LIMIT 1")
        .bind(size as i64)
        .optional()
        .await?;
    Ok(row.map(|(note,)| note))
}

/// A live copy of the trail, and how it stands.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Stream {
    pub name: String,
    pub seq: i64,
    pub moved_at: Moment,
    pub failing_since: Option<Moment>,
    pub trouble: Option<String>,
    pub told: bool,
}

pub async fn streams(db: &mut impl Sql) -> Result<Vec<Stream>> {
    db.sql("SELECT name, seq, moved_at, failing_since, trouble, told FROM audit_streams ORDER BY name").all().await
}

/// Takes a copy to write, unless another replica writes it.
pub async fn lease_stream(
    tx: &mut Housekeeping,
    name: &str,
    holder: &str,
    now: Moment,
    until: Moment,
) -> Result<Option<Stream>> {
    let taken = tx
        .sql(
            "INSERT INTO audit_streams (name, seq, moved_at, holder, leased_until, told) VALUES ($1, 0, $2, $3, $4, $5) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until \
             WHERE audit_streams.holder = excluded.holder OR audit_streams.leased_until <= $2",
        )
        .bind(name.to_owned())
        .bind(now)
        .bind(holder.to_owned())
        .bind(until)
        .bind(false)
        .execute()
        .await?;
    if taken == 0 {
        return Ok(None);
    }
    tx.sql("SELECT name, seq, moved_at, failing_since, trouble, told FROM audit_streams WHERE name = $1")
        .bind(name.to_owned())
        .optional()
        .await
}

pub async fn move_stream(tx: &mut Housekeeping, name: &str, holder: &str, to: u64, now: Moment) -> Result<u64> {
    tx.sql(
        "UPDATE audit_streams SET seq = $1, moved_at = $2, failing_since = NULL, trouble = NULL, told = $3 \
         WHERE name = $4 AND holder = $5",
    )
    .bind(to as i64)
    .bind(now)
    .bind(false)
    .bind(name.to_owned())
    .bind(holder.to_owned())
    .execute()
    .await
}

pub async fn fail_stream(tx: &mut Housekeeping, name: &str, since: Moment, why: &str, told: bool) -> Result<u64> {
    tx.sql("UPDATE audit_streams SET failing_since = $1, trouble = $2, told = $3 WHERE name = $4")
        .bind(since)
        .bind(why.to_owned())
        .bind(told)
        .bind(name.to_owned())
        .execute()
        .await
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SeenHead {
    pub size: i64,
    pub root: Vec<u8>,
    pub seen_at: Moment,
}

/// The head that a person was shown last.
pub async fn seen_head(db: &mut impl Sql, person: &str) -> Result<Option<SeenHead>> {
    db.sql("SELECT size, root, seen_at FROM seen_heads WHERE person_id = $1").bind(person.to_owned()).optional().await
}

pub async fn note_seen_head(tx: &mut impl Sql, person: &str, size: u64, root: &Hash, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO seen_heads (person_id, size, root, seen_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (person_id) DO UPDATE SET size = excluded.size, root = excluded.root, seen_at = excluded.seen_at",
    )
    .bind(person.to_owned())
    .bind(size as i64)
    .bind(root.to_vec())
    .bind(at)
    .execute()
    .await
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CosignedHead {
    pub witness: String,
    pub size: i64,
    pub root: Vec<u8>,
    pub line: String,
    pub cosigned_at: Moment,
    pub heard_at: Moment,
}

pub async fn cosigned_heads(db: &mut impl Sql) -> Result<Vec<CosignedHead>> {
    db.sql("SELECT witness, size, root, line, cosigned_at, heard_at FROM cosigned_heads ORDER BY witness").all().await
}

/// Keeps a witness's newest head. One that is older than what is known changes nothing.
pub async fn note_cosigned_head(tx: &mut impl Sql, head: &CosignedHead) -> Result<u64> {
    tx.sql(
        "INSERT INTO cosigned_heads (witness, size, root, line, cosigned_at, heard_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (witness) DO UPDATE SET size = excluded.size, root = excluded.root, line = excluded.line, \
         cosigned_at = excluded.cosigned_at, heard_at = excluded.heard_at WHERE cosigned_heads.cosigned_at < excluded.cosigned_at AND cosigned_heads.size <= excluded.size",
    )
    .bind(head.witness.clone())
    .bind(head.size)
    .bind(head.root.clone())
    .bind(head.line.clone())
    .bind(head.cosigned_at)
    .bind(head.heard_at)
    .execute()
    .await
}

pub async fn latest_checkpoint(db: &mut impl Sql) -> Result<Option<(i64, Vec<u8>, String)>> {
    db.sql("SELECT size, root, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1").optional().await
}

#[derive(sqlx::FromRow)]
pub struct Identity {
    pub store_id: String,
    pub log_id: String,
    pub epoch: i32,
    pub demo: bool,
    pub key_check: Vec<u8>,
    pub pseudonym_key: Vec<u8>,
}

pub async fn identity(db: &mut impl Sql) -> Result<Option<Identity>> {
    db.sql("SELECT store_id, log_id, epoch, demo, key_check, pseudonym_key FROM store_identity WHERE id = 1")
        .optional()
        .await
}

pub async fn set_epoch(tx: &mut impl Sql, epoch: i32, key_check: Vec<u8>) -> Result<u64> {
    tx.sql("UPDATE store_identity SET epoch = $1, key_check = $2 WHERE id = 1")
        .bind(epoch)
        .bind(key_check)
        .execute()
        .await
}

pub async fn insert_identity(tx: &mut impl Sql, identity: &Identity, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO store_identity (id, store_id, log_id, epoch, demo, key_check, pseudonym_key, created_at) \
         VALUES (1, $1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(identity.store_id.clone())
    .bind(identity.log_id.clone())
    .bind(identity.epoch)
    .bind(identity.demo)
    .bind(identity.key_check.clone())
    .bind(identity.pseudonym_key.clone())
    .bind(at)
    .execute()
    .await
}
