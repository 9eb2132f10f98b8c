//! What-if: a draft asked about what was decided lately. Nothing is changed, and nobody's trail is read that the reader may not.
use super::{
    Attribute, Decision, Engine, Principal, Question, Situation, codes,
    organisation::{GOVERNED, Organisation},
    store,
};
use crate::{audit, console::Console, people::PAST_AUDITOR};
use app::{
    audit::{
        action::Action,
        leaf::{Leaf, Outcome},
    },
    error::Error,
    people::tokens::Scope,
    policies::model::Role,
};
use chrono::TimeDelta;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Decisions that one what-if looks at, the oldest first.
pub const MOST: usize = 100_000;
const CHUNK: u64 = 2_000;
/// Events that are listed one by one for each group.
const LISTED: usize = 5;

/// What would have been decided otherwise, for one actor and action.
#[derive(Clone, Debug)]
pub struct Shift {
    pub actor: String,
    pub workload: bool,
    pub action: Action,
    /// The rule that would have decided.
    pub rule: String,
    pub count: usize,
    /// The newest ones.
    pub events: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct Replayed {
    pub days: i64,
    /// Decisions that were asked again.
    pub asked: usize,
    /// Decisions whose input is not kept any more.
    pub lost: usize,
    /// More were there than are looked at.
    pub cut: bool,
    pub newly_refused: Vec<Shift>,
    pub newly_allowed: Vec<Shift>,
}

/// What is kept of a decision, read back.
#[derive(Deserialize)]
pub struct Kept {
    #[serde(default)]
    pub action: String,
    pub principal: KeptPrincipal,
    #[serde(default)]
    pub resource: String,
    pub situation: Situation,
    #[serde(default)]
    pub moment: BTreeMap<String, serde_json::Value>,
}

impl Kept {
    pub fn read(input: &str) -> Option<Self> {
        serde_json::from_str(input).ok()
    }

    /// Who asked, as the engine knew them then.
    pub fn principal(&self, leaf: &Leaf) -> Principal {
        let kept = &self.principal;
        let roles = |names: &BTreeSet<String>| {
            let mut known = codes(names.iter().filter_map(|name| Role::from_code(name)));
            known.extend(names.contains(PAST_AUDITOR).then_some(PAST_AUDITOR));
            known
        };
        let methods = ["password", "provider", "demo", "token"];
        let groups = self.moment.get("groups").and_then(|groups| serde_json::from_value(groups.clone()).ok());
        Principal {
            org: roles(&kept.org),
            here: roles(&kept.here),
            workload: kept.workload,
            id: kept.id.clone(),
            scopes: kept.scopes.clone(),
            factor: kept.factor,
            proved: kept.proved,
            method: methods.into_iter().find(|known| leaf.actor.method.as_deref() == Some(known)).unwrap_or_default(),
            acr: self.moment.get("acr").and_then(|acr| acr.as_str()).map(Into::into),
            groups: groups.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
pub struct KeptPrincipal {
    pub workload: bool,
    pub id: String,
    pub org: BTreeSet<String>,
    pub here: BTreeSet<String>,
    #[serde(default)]
    pub scopes: Option<Vec<Scope>>,
    #[serde(default)]
    pub factor: bool,
    #[serde(default)]
    pub proved: bool,
}

/// Asks both what is in force and `draft` about every decision of the last days that policies govern.
pub async fn replay(console: &Console, draft: &Organisation, days: i64) -> Result<Replayed, Error> {
    let since = console.now() - TimeDelta::try_days(days).unwrap_or_default();
    let present = console.engine.organisation();
    let mut db = console.read().await?;
    let size = audit::store::size(&mut db).await?;
    console.engine.name(store::short_names(&mut db).await?);
    let mut from = audit::store::first_at(&mut db, since).await?;
    drop(db);
    let mut found = Replayed { days, ..Replayed::default() };
    let mut shifts: BTreeMap<(bool, String, Action, String), Shift> = BTreeMap::new();
    while from < size {
        if found.asked + found.lost >= MOST {
            found.cut = true;
            break;
        }
        let mut db = console.read().await?;
        let rows = audit::store::stored(&mut db, from, CHUNK).await?;
        let Some(last) = rows.last() else { break };
        from = last.seq as u64 + 1;
        let governed = |row: &audit::store::Stored| {
            Action::from_code(&row.action).is_some_and(|action| GOVERNED.contains(&action))
        };
        let leaves: Vec<(Action, Leaf)> = rows
            .iter()
            .filter(|row| governed(row))
            .filter_map(|row| Some((Action::from_code(&row.action)?, Leaf::decode(&row.leaf).ok()?)))
            .collect();
        let digests: BTreeSet<String> =
            leaves.iter().filter_map(|(_, leaf)| leaf.policy.as_ref()?.input.clone()).collect();
        let inputs = store::inputs(&mut db, &digests.into_iter().collect::<Vec<_>>()).await?;
        let addresses = addresses(&mut db, &leaves).await?;
        drop(db);
        for (action, leaf) in &leaves {
            // What has no input was not decided by policy: an effect of another act, or the service's own.
            let Some(digest) = leaf.policy.as_ref().and_then(|policy| policy.input.as_ref()) else { continue };
            let Some(kept) = inputs.get(digest).and_then(|input| Kept::read(input)) else {
                found.lost += 1;
                continue;
            };
            if console.engine.needs_more(draft, *action, leaf, &kept.moment) {
                found.lost += 1;
                continue;
            }
            found.asked += 1;
            let address = addresses.get(&leaf.seq).map(String::as_str);
            let (before, after) = both(&console.engine, &present, draft, *action, leaf, kept, address);
            // Only what the draft changes, and what the world then let through or refused by policy too.
            let refused = match (leaf.outcome, before.refusal.is_some(), after.refusal.is_some()) {
                (Outcome::Allowed, false, true) => true,
                (Outcome::Refused, true, false) => false,
                _ => continue,
            };
            let key = (refused, actor_of(leaf), *action, after.deciding.id.clone());
            let shift = shifts.entry(key).or_insert_with(|| Shift {
                actor: actor_of(leaf),
                workload: leaf.actor.kind == app::audit::leaf::ActorKind::Workload,
                action: *action,
                rule: after.deciding.id.clone(),
                count: 0,
                events: Vec::new(),
            });
            shift.count += 1;
            shift.events.insert(0, leaf.seq);
            shift.events.truncate(LISTED);
        }
    }
    for ((refused, ..), shift) in shifts {
        if refused { found.newly_refused.push(shift) } else { found.newly_allowed.push(shift) }
    }
    for list in [&mut found.newly_refused, &mut found.newly_allowed] {
        list.sort_by_key(|shift| std::cmp::Reverse(shift.count));
    }
    Ok(found)
}

impl Engine {
    /// Does a draft speak of what the provider says of somebody, where that was not kept with their decision?
    pub(crate) fn needs_more(
        &self,
        draft: &Organisation,
        action: Action,
        leaf: &Leaf,
        moment: &BTreeMap<String, serde_json::Value>,
    ) -> bool {
        let project = leaf.subject.project.as_ref().and_then(|id| self.short_name(id));
        let uses = draft.uses(self, action, project.as_deref());
        leaf.actor.method.as_deref() == Some("provider")
            && [Attribute::Groups, Attribute::Acr]
                .iter()
                .any(|used| uses.contains(used) && !moment.contains_key(used.name()))
    }
}

fn actor_of(leaf: &Leaf) -> String {
    leaf.actor.id.clone().unwrap_or_default()
}

fn both(
    engine: &Engine,
    present: &Organisation,
    draft: &Organisation,
    action: Action,
    leaf: &Leaf,
    kept: Kept,
    address: Option<&str>,
) -> (Decision, Decision) {
    let principal = kept.principal(leaf);
    let name = |id: &Option<String>| id.as_ref().and_then(|id| engine.short_name(id));
    let (project, environment) = (name(&leaf.subject.project), name(&leaf.subject.environment));
    let question = Question {
        principal: &principal,
        action,
        resource: &kept.resource,
        situation: kept.situation,
        project: project.as_deref(),
        environment: environment.as_deref(),
        address,
        at: leaf.at,
    };
    (engine.decide_with(present, &question), engine.decide_with(draft, &question))
}

/// Where each of these came from: kept beside the leaf, where it is kept.
async fn addresses(db: &mut impl crate::db::Sql, leaves: &[(Action, Leaf)]) -> Result<HashMap<u64, String>, Error> {
    let seqs: Vec<i64> = leaves.iter().map(|(_, leaf)| leaf.seq as i64).collect();
    let disclosed = audit::store::disclosures_of(db, &seqs).await?;
    let of = disclosed.into_iter().filter(|(_, field, ..)| field == "address");
    Ok(of.map(|(seq, _, _, value)| (seq as u64, value)).collect())
}
