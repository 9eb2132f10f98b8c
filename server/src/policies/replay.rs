//! What-if: a draft asked about what was decided lately. Nothing is changed, and nobody's trail is read that the reader may not.
use super::{
    Attribute, Engine, Principal, Question, Situation, codes,
    organisation::{GOVERNED, Organisation},
    store,
};
use crate::{
    audit::{self, store::Stored},
    console::Console,
    people::PAST_AUDITOR,
};
use app::{
    audit::{
        action::Action,
        leaf::{Leaf, Outcome},
    },
    error::Error,
    people::tokens::Scope,
    policies::model::Role,
    time::Moment,
};
use chrono::TimeDelta;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Decisions that one what-if looks at.
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

    /// The same question once more.
    pub fn question<'a>(
        &'a self,
        principal: &'a Principal,
        action: Action,
        (project, environment): (Option<&'a str>, Option<&'a str>),
        address: Option<&'a str>,
        at: Moment,
    ) -> Question<'a> {
        let (resource, situation) = (self.resource.as_str(), self.situation);
        Question { principal, action, resource, situation, project, environment, address, at }
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
            new_factor: kept.new_factor,
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
    #[serde(default)]
    pub new_factor: bool,
}

/// Asks both what is in force and `draft` about every decision of the last days that policies govern, the newest first.
pub async fn replay(console: &Console, draft: Organisation, days: i64) -> Result<Replayed, Error> {
    let _turn = console.engine.turn().await?;
    let since = console.now() - TimeDelta::try_days(days).unwrap_or_default();
    let pair = Arc::new(Pair { engine: console.engine.clone(), present: console.engine.organisation(), draft });
    let mut db = console.read().await?;
    console.engine.name(store::short_names(&mut db).await?);
    let first = audit::store::first_at(&mut db, since).await?;
    let mut to = audit::store::size(&mut db).await?;
    drop(db);
    let mut found = Replayed { days, ..Replayed::default() };
    let mut shifts: BTreeMap<(bool, String, Action, String), Shift> = BTreeMap::new();
    while to > first {
        if found.asked + found.lost >= MOST {
            found.cut = true;
            break;
        }
        let from = to.saturating_sub(CHUNK).max(first);
        let recorded = recorded(console, from, to - from).await?;
        to = from;
        let pair = pair.clone();
        // The engine computes for as long as it takes: not where others wait to be answered.
        let answers = tokio::task::spawn_blocking(move || recorded.into_iter().map(|one| pair.ask(one)).collect());
        let answers: Vec<Answer> = answers.await.map_err(|_| Error::Unavailable)?;
        for answer in answers {
            let (refused, shift, seq) = match answer {
                Answer::Lost => {
                    found.lost += 1;
                    continue;
                }
                Answer::Same => {
                    found.asked += 1;
                    continue;
                }
                Answer::Shifted { refused, shift, seq } => (refused, shift, seq),
            };
            found.asked += 1;
            let key = (refused, shift.actor.clone(), shift.action, shift.rule.clone());
            let shift = shifts.entry(key).or_insert(shift);
            shift.count += 1;
            if shift.events.len() < LISTED {
                shift.events.push(seq);
            }
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

/// A decision as it was recorded; without its input where that is not kept any more.
struct Recorded {
    action: Action,
    leaf: Leaf,
    kept: Option<Kept>,
    address: Option<String>,
}

/// Decisions that policies govern among `count` events from one on, the newest first.
async fn recorded(console: &Console, from: u64, count: u64) -> Result<Vec<Recorded>, Error> {
    let mut db = console.read().await?;
    let rows: Vec<_> = audit::store::stored(&mut db, from, count).await?.into_iter().map(Stored::as_told).collect();
    let governed = |row: &Stored| {
        let action = Action::from_code(&row.action).filter(|action| GOVERNED.contains(action))?;
        Some((action, Leaf::decode(&row.leaf).ok()?))
    };
    let leaves: Vec<(Action, Leaf)> = rows.iter().rev().filter_map(governed).collect();
    // What has no input was not decided by policy: an effect of another act, or the service's own.
    let input = |leaf: &Leaf| leaf.policy.as_ref().and_then(|policy| policy.input.clone());
    let digests: BTreeSet<String> = leaves.iter().filter_map(|(_, leaf)| input(leaf)).collect();
    let inputs = store::inputs(&mut db, &digests.into_iter().collect::<Vec<_>>()).await?;
    let mut addresses = addresses(&mut db, &rows).await?;
    let of = leaves.into_iter().filter_map(|(action, leaf)| {
        let kept = inputs.get(&input(&leaf)?).and_then(|input| Kept::read(input));
        Some(Recorded { action, address: addresses.remove(&leaf.seq), leaf, kept })
    });
    Ok(of.collect())
}

/// What is asked about each decision: what is in force, and a draft.
struct Pair {
    engine: Engine,
    present: Arc<Organisation>,
    draft: Organisation,
}

/// What became of a decision that was asked again.
enum Answer {
    Lost,
    Same,
    Shifted { refused: bool, shift: Shift, seq: u64 },
}

impl Pair {
    fn ask(&self, recorded: Recorded) -> Answer {
        let Recorded { action, leaf, kept, address } = recorded;
        let Some(kept) = kept.filter(|kept| !self.engine.needs_more(&self.draft, action, &leaf, &kept.moment)) else {
            return Answer::Lost;
        };
        let principal = kept.principal(&leaf);
        let name = |id: &Option<String>| id.as_ref().and_then(|id| self.engine.short_name(id));
        let (project, environment) = (name(&leaf.subject.project), name(&leaf.subject.environment));
        let place = (project.as_deref(), environment.as_deref());
        let question = kept.question(&principal, action, place, address.as_deref(), leaf.at);
        let before = self.engine.decide_with(&self.present, &question);
        let after = self.engine.decide_with(&self.draft, &question);
        // Only what the draft changes, and what the world then let through or refused by policy too.
        let refused = match (leaf.outcome, before.refusal.is_some(), after.refusal.is_some()) {
            (Outcome::Allowed, false, true) => true,
            (Outcome::Refused, true, false) => false,
            _ => return Answer::Same,
        };
        let shift = Shift {
            actor: leaf.actor.id.clone().unwrap_or_default(),
            workload: leaf.actor.kind == app::audit::leaf::ActorKind::Workload,
            action,
            rule: after.deciding.id,
            count: 0,
            events: Vec::new(),
        };
        Answer::Shifted { refused, shift, seq: leaf.seq }
    }
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

/// Where each of these came from: kept beside the leaf, where it is kept.
async fn addresses(db: &mut impl crate::db::Sql, rows: &[Stored]) -> Result<HashMap<u64, String>, Error> {
    let disclosed = audit::store::told(db, rows.iter().map(Stored::numbered)).await?;
    let of = disclosed.into_iter().filter(|(_, field, ..)| field == "address");
    Ok(of.map(|(seq, _, _, value)| (seq as u64, value)).collect())
}
