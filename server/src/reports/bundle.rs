//! An evidence bundle of the events that fit: their leaves, what is disclosed of them, their proofs, and what they mention.
use super::{
    chunks::Chunks,
    events::next,
    work::{Stopped, Working},
};
use crate::{
    audit::{search::Reading, store, tiles::Prover},
    db::Sql,
    grants, requests, rotations,
};
use app::{
    audit::{
        evidence::{Consistency, Disclosed, Entry, Parts, Record, base64, line},
        leaf::Leaf,
    },
    error::Error,
    reports::model::Kind,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many records of each kind go with a bundle.
const MOST_RECORDS: usize = 5_000;

pub async fn write(working: &mut Working<'_>, chunks: &mut Chunks<'_>) -> Result<u64, Stopped> {
    let console = working.console;
    let built = console.builder.build().await?;
    let key = console.builder.verifier();
    let head = key
        .open(&built.note)
        .map_err(|_| Stopped::Failed("The trail's head is not signed by this log's key.".into()))?;
    working.filter.to = working.filter.to.min(head.size);
    let most = Kind::Evidence.most().unwrap_or_default();
    let (mut rows, mut before) = (Vec::new(), None);
    loop {
        let page = next(working, &mut before).await?;
        rows.extend(page.rows);
        if rows.len() as u64 > most {
            return Err(Stopped::Failed(format!(
                "More than {most} events fit: a bundle is put together whole. Ask for less."
            )));
        }
        working.progress(0, rows.len() as u64, 0).await?;
        if page.complete {
            break;
        }
    }
    rows.reverse();
    working.job.total = rows.len() as i64;
    let mut prover = Prover::new(head.size);
    let (mut events, mut mentioned) = (Vec::new(), Mentioned::default());
    for (done, part) in rows.chunks(200).enumerate() {
        let mut db = console.read().await?;
        let seqs: Vec<i64> = part.iter().map(|row| row.seq).collect();
        let mut told: HashMap<i64, BTreeMap<String, Disclosed>> = HashMap::new();
        if !working.job.redacted {
            for (seq, field, salt, value) in store::disclosures_of(&mut db, &seqs).await? {
                told.entry(seq).or_default().insert(field, Disclosed { salt: base64(&salt), value });
            }
        }
        for row in part {
            let seq = row.seq as u64;
            if let Ok(leaf) = Leaf::decode(&row.leaf) {
                mentioned.take(&leaf);
            }
            let proof = prover.inclusion(&mut db, seq).await?;
            let proof = proof.iter().map(|hash| base64(hash)).collect();
            let disclosed = told.remove(&row.seq).unwrap_or_default();
            events.extend(line(&Entry { seq, leaf: base64(&row.leaf), proof, disclosed }));
        }
        drop(db);
        let proved = (done * 200 + part.len()) as u64;
        working.progress(proved, proved, events.len() as u64).await?;
    }
    let first = rows.first().map_or(0, |row| row.seq as u64);
    let mut db = console.read().await?;
    // The newest head of this epoch from before the first event: the log only grew since.
    let older = store::checkpoint_below(&mut db, first.max(1)).await?;
    let older = match older.and_then(|note| key.open(&note).ok().map(|opened| (note, opened.size))) {
        Some((note, size)) if size < head.size => {
            let proof = prover.consistency(&mut db, size).await?;
            let proof = proof.iter().map(|hash| base64(hash)).collect();
            Some((note, Consistency { from: size, to: head.size, proof }))
        }
        _ => None,
    };
    // Rows say what became of things since: no part of a period.
    let records = match working.reading {
        Reading::Period { .. } => Vec::new(),
        Reading::All | Reading::Projects(_) => {
            mentioned.records(&mut db, console.seal_key(), working.job.redacted).await?
        }
    };
    drop(db);
    let count = rows.len() as u64;
    let parts = Parts {
        query: working.said_query(),
        zone: working.job.zone.clone(),
        events_below: working.job.as_of as u64,
        scope: working.reading.projects(),
        made_at: console.now(),
        made_by: working.job.owner_id.clone(),
        redacted: working.job.redacted,
        checkpoint: (built.note, head),
        older,
        events,
        count,
        records,
    };
    let builder = console.builder.clone();
    let packed = tokio::task::spawn_blocking(move || builder.assemble(parts)).await.ok().flatten();
    let packed =
        packed.ok_or_else(|| Stopped::Failed("The bundle would be larger than 256 MiB. Ask for less.".into()))?;
    chunks.write(&packed).await?;
    Ok(count)
}

/// Ids that events mention.
#[derive(Default)]
struct Mentioned {
    requests: BTreeSet<String>,
    grants: BTreeSet<String>,
    rotations: BTreeSet<String>,
    rules: BTreeSet<(String, u32)>,
}

impl Mentioned {
    fn take(&mut self, leaf: &Leaf) {
        self.requests.extend(leaf.subject.request.clone());
        self.grants.extend(leaf.subject.grant.clone());
        self.rotations.extend(leaf.subject.row.clone().filter(|id| id.starts_with("rot_")));
        self.rules.extend(leaf.policy.as_ref().map(|policy| (policy.id.clone(), policy.version)));
    }

    /// The rows behind them. What somebody wrote is left out of a redacted bundle.
    async fn records(
        &self,
        db: &mut impl Sql,
        key: &crate::audit::row_seal::SealKey,
        redacted: bool,
    ) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        let mut add = |kind: &str, id: &str, fields: Value| {
            let fields = match fields {
                Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
                _ => BTreeMap::new(),
            };
            records.push(Record { kind: kind.into(), id: id.into(), fields });
        };
        for id in self.requests.iter().take(MOST_RECORDS) {
            let Some(row) = requests::store::find(db, id, key).await? else { continue };
            let decisions = requests::store::decisions(db, id, key).await?;
            let decisions: Vec<Value> = decisions.iter().map(|row| {
                let comment = Some(&row.comment).filter(|_| !redacted);
                json!({ "id": row.id, "by": row.person_id, "decision": row.verdict, "at": row.decided_at, "digest": row.digest, "comment": comment })
            }).collect();
            let reason = Some(&row.reason).filter(|_| !redacted);
            add(
                "request",
                id,
                json!({
                    "revision": row.revision, "requester": row.requester_id, "workload": row.workload_id, "project": row.project_id,
                    "environment": row.environment_id, "level": row.tier, "class": row.class, "right": row.access_right,
                    "secrets": row.secret_ids(), "minutes": row.minutes, "reason": reason, "policy": row.policy, "digest": row.digest,
                    "submitted_at": row.submitted_at, "ended_at": row.ended_at, "outcome": row.outcome, "grant": row.grant_id,
                    "decisions": decisions, "event": row.event_seq,
                }),
            );
        }
        for id in self.grants.iter().take(MOST_RECORDS) {
            let Some(row) = grants::store::find(db, id, key).await? else { continue };
            add(
                "grant",
                id,
                json!({
                    "request": row.request_id, "person": row.person_id, "workload": row.workload_id, "project": row.project_id,
                    "environment": row.environment_id, "right": row.access_right, "secrets": row.secrets.split(' ').collect::<Vec<_>>(),
                    "starts_at": row.starts_at, "expires_at": row.expires_at, "revoked_at": row.revoked_at, "revoked_by": row.revoked_by,
                    "given_back_at": row.given_back_at, "suspended_at": row.suspended_at, "event": row.event_seq,
                }),
            );
        }
        for id in self.rotations.iter().take(MOST_RECORDS) {
            let Some(row) = rotations::store::find(db, id, key).await? else { continue };
            add(
                "rotation",
                id,
                json!({
                    "secret": row.secret_id, "trigger": row.trigger().code(), "step": row.step, "from_version": row.from_version,
                    "to_version": row.to_version, "grade": row.grade, "started_at": row.started_at, "promoted_at": row.promoted_at,
                    "dead_at": row.dead_at, "ended_at": row.ended_at, "event": row.event_seq,
                }),
            );
        }
        for (id, version) in &self.rules {
            add(
                "rule",
                id,
                json!({ "version": version, "built_in": true, "text": crate::policies::written::rule_text(id) }),
            );
        }
        Ok(records)
    }
}
