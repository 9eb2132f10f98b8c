//! Decisions: one function, [`Engine::decide`], over Cedar with the built-in policies beside this file.
//!
//! ```text
//! facts (roles, grants, place) ──▶ Question ──Cedar──▶ Decision { deciding policy, input digest } ──▶ the event
//! ```
//!
//! The organisation's own policies stand beside the built-in ones (`organisation`, `documents`): they are checked before they come
//! into force (`check`), tried on what was decided (`replay`), and never weaken a built-in rule, since a forbid wins.
//!
//! SQL loads facts; Cedar never computes expiry. Default deny, forbid wins. What no policy can switch off (separation of
//! duties) is a pure rule in `app/src/requests/model.rs` and is asked besides.
pub mod check;
pub mod documents;
pub mod organisation;
pub mod parse;
pub mod replay;
pub mod store;
pub mod written;

use crate::levels::Timeline;
use app::{
    audit::{
        action::Action,
        leaf::{Deciding, Subject},
    },
    error::Refusal,
    levels::model::Levels,
    people::tokens::Scope,
    policies::model::{Class, Role, Tier},
    time::Moment,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy,
    PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use chrono::{Datelike, Timelike};
use organisation::{Organisation, REFUSAL, Rule};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    str::FromStr,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The built-in policies' version, as the trail names it. Another text is another version: whoever reads why an event was decided
/// is shown this text only where the versions agree.
const VERSION: u32 = 2;

/// Who asks, with what the engine may know of them.
#[derive(Clone, Debug, Serialize)]
pub struct Principal {
    pub workload: bool,
    pub id: String,
    pub org: BTreeSet<&'static str>,
    pub here: BTreeSet<&'static str>,
    /// What a personal access token is limited to; absent for a person in a browser, and for workloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// Has a second factor enrolled here.
    #[serde(skip_serializing_if = "is_false")]
    pub factor: bool,
    /// Showed with it, for this act alone, that it is them.
    #[serde(skip_serializing_if = "is_false")]
    pub proved: bool,
    /// That factor is younger than a day and no older one vouched for it; before they showed one: all of theirs are so.
    #[serde(skip_serializing_if = "is_false")]
    pub new_factor: bool,
    /// How they came in. Part of what a decision was made from only where a policy speaks of it.
    #[serde(skip)]
    pub method: &'static str,
    #[serde(skip)]
    pub acr: Option<String>,
    #[serde(skip)]
    pub groups: BTreeSet<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Principal {
    pub fn workload(id: &str) -> Self {
        Self {
            workload: true,
            id: id.into(),
            org: BTreeSet::new(),
            here: BTreeSet::new(),
            scopes: None,
            factor: false,
            proved: false,
            new_factor: false,
            method: "",
            acr: None,
            groups: BTreeSet::new(),
        }
    }
}

/// The situation: everything that a policy may look at beside the principal.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Situation {
    pub own: bool,
    pub team: bool,
    pub grant: bool,
    pub open: bool,
    pub tier: Option<Tier>,
    pub class: Option<Class>,
    pub deciders: u32,
    /// A control would be looser afterwards.
    #[serde(skip_serializing_if = "is_false")]
    pub loosens: bool,
}

/// What depends on the moment and the place: only what a policy speaks of is kept with a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    Environment,
    Hour,
    Weekday,
    Address,
    Method,
    Acr,
    Groups,
}

impl Attribute {
    pub const ALL: &'static [Self] =
        &[Self::Environment, Self::Hour, Self::Weekday, Self::Address, Self::Method, Self::Acr, Self::Groups];

    fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
            Self::Address => "address",
            Self::Method => "method",
            Self::Acr => "acr",
            Self::Groups => "groups",
        }
    }
}

impl Attribute {
    /// An address, or what somebody's employer says of them.
    fn is_personal(self) -> bool {
        matches!(self, Self::Address | Self::Acr | Self::Groups)
    }
}

fn salt() -> String {
    // Without random numbers nothing else works either: no id is made.
    URL_SAFE_NO_PAD.encode(crate::keys::random::<16>().unwrap_or_default())
}

/// Everything that a decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub principal: &'a Principal,
    pub action: Action,
    /// The most exact id that the event will name.
    pub resource: &'a str,
    pub situation: Situation,
    /// Short names.
    pub project: Option<&'a str>,
    pub environment: Option<&'a str>,
    pub address: Option<&'a str>,
    pub at: Moment,
}

impl Question<'_> {
    /// An attribute as it is kept with a decision.
    fn kept(&self, attribute: Attribute) -> serde_json::Value {
        match attribute {
            Attribute::Environment => self.environment.into(),
            Attribute::Hour => self.at.hour().into(),
            Attribute::Weekday => self.at.weekday().number_from_monday().into(),
            Attribute::Address => self.address.into(),
            Attribute::Method => self.principal.method.into(),
            Attribute::Acr => self.principal.acr.clone().into(),
            Attribute::Groups => self.principal.groups.iter().cloned().collect::<Vec<_>>().into(),
        }
    }
}

/// What a decision was made from: JCS, kept under its digest so that it can be replayed.
#[derive(Serialize)]
struct Input<'a> {
    action: &'static str,
    principal: &'a Principal,
    resource: &'a str,
    situation: Situation,
    /// Where policies of the organisation were asked: the project, and what they speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    moment: BTreeMap<&'static str, serde_json::Value>,
    /// Where the moment holds what could be guessed from its digest, which everybody who reads the trail sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
}

/// The answer, with the policy that gave it.
#[derive(Clone, Debug)]
pub struct Decision {
    pub refusal: Option<Refusal>,
    pub deciding: Deciding,
    pub input: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("built-in policies: {0}")]
    BuiltIn(String),
    #[error("a policy of the organisation: {0}")]
    Document(String),
}

#[derive(Clone)]
pub struct Engine(Arc<Loaded>);

/// What every engine of a process shares: the built-in policies, parsed and validated once.
struct BuiltIn {
    policies: PolicySet,
    schema: Schema,
    /// The rules that name an action.
    by_action: HashMap<&'static str, Vec<Policy>>,
    project: EntityTypeName,
    person: EntityTypeName,
    workload: EntityTypeName,
    thing: EntityTypeName,
    action: EntityTypeName,
}

struct Loaded {
    built_in: &'static BuiltIn,
    /// What the organisation has in force.
    organisation: RwLock<Arc<Organisation>>,
    /// What holds at each protection level, and as of which event.
    levels: RwLock<(i64, Arc<Timeline>)>,
    /// Short names by id, of projects and environments.
    names: RwLock<HashMap<String, String>>,
    authorizer: Authorizer,
    /// Inputs that this process stored already: most decisions of a day are made from few of them.
    kept: Mutex<HashSet<String>>,
    /// Trying a draft out takes seconds of a core: one at a time.
    turn: Semaphore,
}

impl BuiltIn {
    /// Returns the one that was loaded first. It is loaded outside the lock: two at once load the same.
    fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceLock<BuiltIn> = OnceLock::new();
        match SHARED.get() {
            Some(shared) => Ok(shared),
            None => {
                let loaded = Self::load()?;
                Ok(SHARED.get_or_init(|| loaded))
            }
        }
    }

    /// Parses the built-in policies and checks them against their schema.
    fn load() -> Result<Self, Error> {
        let failed = |why: String| Error::BuiltIn(why);
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| failed(format!("{error:?}")))?;
        let parsed = PolicySet::from_str(BUILT_IN).map_err(|error| failed(format!("{error:?}")))?;
        let mut policies = PolicySet::new();
        for policy in parsed.policies() {
            let id = policy.annotation("id").ok_or_else(|| failed("a policy has no @id".into()))?;
            policies.add(policy.new_id(PolicyId::new(id))).map_err(|error| failed(error.to_string()))?;
        }
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !checked.validation_passed() {
            return Err(failed(format!("{checked:?}")));
        }
        let name = |text: &str| EntityTypeName::from_str(text).map_err(|error| failed(error.to_string()));
        let mut by_action: HashMap<&'static str, Vec<Policy>> = HashMap::new();
        for policy in policies.policies() {
            let named = organisation::actions(policy);
            let concerned = Action::ALL.iter().map(|action| action.name());
            for name in concerned.filter(|name| named.as_ref().is_none_or(|named| named.contains(*name))) {
                by_action.entry(name).or_default().push(policy.clone());
            }
        }
        Ok(Self {
            policies,
            schema,
            by_action,
            project: name("Project")?,
            person: name("Person")?,
            workload: name("Workload")?,
            thing: name("Thing")?,
            action: name("Action")?,
        })
    }
}

/// More digests than this are forgotten and stored anew, which changes nothing.
const MOST_KEPT: usize = 20_000;

impl Engine {
    /// Is this input not known to be stored?
    pub fn is_new(&self, decision: &Decision) -> bool {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        decision.deciding.input.as_ref().is_some_and(|digest| !kept.contains(digest))
    }

    /// This input is stored.
    pub fn kept(&self, decision: &Decision) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.extend(decision.deciding.input.clone());
    }

    /// Makes an engine that knows the built-in policies alone.
    pub fn built_in() -> Result<Self, Error> {
        Ok(Self(Arc::new(Loaded {
            built_in: BuiltIn::shared()?,
            organisation: RwLock::new(Arc::new(Organisation::none())),
            levels: RwLock::new((-1, Arc::default())),
            names: RwLock::default(),
            authorizer: Authorizer::new(),
            kept: Mutex::default(),
            turn: Semaphore::new(1),
        })))
    }

    /// Waits for the turn to try a draft out.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, app::error::Error> {
        self.0.turn.acquire().await.map_err(|_| app::error::Error::Unavailable)
    }

    /// What policies may speak of.
    pub fn schema(&self) -> &Schema {
        &self.0.built_in.schema
    }

    /// What the organisation has in force, as this process knows it.
    pub fn organisation(&self) -> Arc<Organisation> {
        self.0.organisation.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What holds at each protection level, as this process knows it.
    pub fn levels(&self) -> Levels {
        self.timeline().now()
    }

    /// What held at each, and since when.
    pub fn timeline(&self) -> Arc<Timeline> {
        self.0.levels.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// As of which event that is.
    pub(crate) fn levels_epoch(&self) -> i64 {
        self.0.levels.read().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Never goes back, as below.
    pub(crate) fn adopt_levels(&self, epoch: i64, levels: Timeline) {
        let mut present = self.0.levels.write().unwrap_or_else(PoisonError::into_inner);
        if epoch > present.0 {
            *present = (epoch, Arc::new(levels));
        }
    }

    /// Never goes back: whoever read earlier and comes later changes nothing.
    fn adopt(&self, organisation: Organisation) {
        let mut present = self.0.organisation.write().unwrap_or_else(PoisonError::into_inner);
        if organisation.epoch > present.epoch {
            *present = Arc::new(organisation);
        }
    }

    /// The short name of a project or an environment.
    pub fn short_name(&self, id: &str) -> Option<String> {
        self.0.names.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Are the short names known of whatever this subject speaks of?
    pub fn knows(&self, subject: &Subject) -> bool {
        [&subject.project, &subject.environment].into_iter().flatten().all(|id| self.short_name(id).is_some())
    }

    fn name(&self, names: impl IntoIterator<Item = (String, String)>) {
        self.0.names.write().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// May they? Default deny.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        self.decide_with(&self.organisation(), question)
    }

    /// The same with other policies of the organisation than those in force.
    pub fn decide_with(&self, organisation: &Organisation, question: &Question<'_>) -> Decision {
        let Question { principal, action, resource, situation, .. } = *question;
        let slice = organisation.slice(&self.0, action, question.project);
        let input = Input {
            action: action.name(),
            principal,
            resource,
            situation,
            project: question.project.filter(|_| slice.organisation),
            salt: slice.uses.iter().any(|used| used.is_personal()).then(salt),
            moment: slice.uses.iter().map(|used| (used.name(), question.kept(*used))).collect(),
        };
        let input = serde_json_canonicalizer::to_string(&input).unwrap_or_default();
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(input.as_bytes()));
        // What a token is not for is refused before any policy is asked: a token never widens what its owner may.
        let beyond = |scopes: &Vec<Scope>| !scopes.iter().any(|scope| scope.covers(action));
        if principal.scopes.as_ref().is_some_and(beyond) {
            let deciding = Deciding { id: "token-scope".into(), version: VERSION, input: Some(digest) };
            return Decision { refusal: Some(Refusal::TokenScope), deciding, input };
        }
        let (id, refusal) = match self.ask(&slice.set, &slice.uses, question) {
            Ok((CedarDecision::Allow, id)) => (id.unwrap_or_default(), None),
            Ok((CedarDecision::Deny, Some(id))) => {
                let ours = organisation.rule(&id).is_some();
                let refusal = if ours { Some(REFUSAL) } else { self.refusal_of(&id) };
                let mut refusal = refusal.unwrap_or(default_refusal(action));
                if (ours || refusal == Refusal::FactorNeeded) && !principal.proved && !principal.workload {
                    // Nobody is asked for a factor who would be refused with it; whoever would not be is asked, whichever rule asks.
                    let proved = Principal { proved: true, ..principal.clone() };
                    let with = self.decide_with(organisation, &Question { principal: &proved, ..*question });
                    if with.refusal.is_some() {
                        let deciding = Deciding { input: Some(digest), ..with.deciding };
                        return Decision { refusal: with.refusal, deciding, input };
                    }
                    refusal = Refusal::FactorNeeded;
                }
                (id, Some(refusal))
            }
            Ok((CedarDecision::Deny, None)) => ("default-deny".into(), Some(default_refusal(action))),
            Err(error) => {
                tracing::error!(%error, action = action.name(), "a decision could not be made and is a refusal");
                ("default-deny".into(), Some(Refusal::NoRule))
            }
        };
        let version = organisation.rule(&id).map_or(VERSION, |rule| rule.version);
        Decision { refusal, deciding: Deciding { id, version, input: Some(digest) }, input }
    }

    /// Only the answer, without what it was made from.
    fn allows(&self, organisation: &Organisation, question: &Question<'_>) -> CedarDecision {
        let slice = organisation.slice(&self.0, question.action, question.project);
        self.ask(&slice.set, &slice.uses, question).map_or(CedarDecision::Deny, |(decision, _)| decision)
    }

    /// Does one rule alone match? None where it cannot be computed.
    fn matches(&self, rule: &Rule, question: &Question<'_>) -> Option<bool> {
        let mut set = PolicySet::new();
        set.add(rule.policy.clone()).ok()?;
        self.ask(&set, &rule.uses, question).ok().map(|(_, id)| id.is_some())
    }

    /// The sentence that a built-in rule is refused with.
    fn refusal_of(&self, id: &str) -> Option<Refusal> {
        let code = self.0.built_in.policies.annotation(&PolicyId::new(id), "refusal")?;
        Refusal::ALL.iter().copied().find(|known| code == known.code())
    }

    fn ask(
        &self,
        policies: &PolicySet,
        uses: &BTreeSet<Attribute>,
        question: &Question<'_>,
    ) -> Result<(CedarDecision, Option<String>), Box<dyn std::error::Error>> {
        let known = self.0.built_in;
        let Question { principal, action, resource, situation, .. } = *question;
        let kind = if principal.workload { &known.workload } else { &known.person };
        let uid = |kind: &EntityTypeName, id: &str| EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let text = |text: &str| RestrictedExpression::new_string(text.into());
        let roles = |roles: &BTreeSet<&'static str>| RestrictedExpression::new_set(roles.iter().map(|role| text(role)));
        let attributes = [("org".to_owned(), roles(&principal.org)), ("here".to_owned(), roles(&principal.here))];
        let who = uid(kind, &principal.id);
        let thing = uid(&known.thing, resource);
        let mut entities = vec![Entity::new(who.clone(), attributes.into(), Default::default())?];
        if let Some(project) = question.project {
            entities.push(Entity::new_no_attrs(thing.clone(), [uid(&known.project, project)].into()));
        }
        let entities = Entities::from_entities(entities, None)?;
        let flag = RestrictedExpression::new_bool;
        let long = |number: u32| RestrictedExpression::new_long(number.into());
        let mut context = vec![
            ("own".to_owned(), flag(situation.own)),
            ("team".to_owned(), flag(situation.team)),
            ("grant".to_owned(), flag(situation.grant)),
            ("open".to_owned(), flag(situation.open)),
            ("tier".to_owned(), text(situation.tier.map_or("", Tier::code))),
            ("class".to_owned(), text(situation.class.map_or("", Class::code))),
            ("deciders".to_owned(), long(situation.deciders)),
            ("loosens".to_owned(), flag(situation.loosens)),
            ("new_factor".to_owned(), flag(principal.new_factor)),
            ("factor".to_owned(), flag(principal.factor)),
            ("proved".to_owned(), flag(principal.proved)),
            ("program".to_owned(), flag(principal.scopes.is_some())),
        ];
        // What no rule speaks of is not worked out.
        let moment = uses.iter().filter_map(|used| {
            let value = match used {
                Attribute::Environment => text(question.environment.unwrap_or_default()),
                Attribute::Hour => long(question.at.hour()),
                Attribute::Weekday => long(question.at.weekday().number_from_monday()),
                Attribute::Method => text(principal.method),
                Attribute::Acr => text(principal.acr.as_deref().unwrap_or_default()),
                Attribute::Groups => RestrictedExpression::new_set(principal.groups.iter().map(|group| text(group))),
                Attribute::Address => {
                    let known = question.address.filter(|address| address.parse::<std::net::IpAddr>().is_ok());
                    RestrictedExpression::new_ip(known?)
                }
            };
            Some((used.name().to_owned(), value))
        });
        context.extend(moment);
        let action = uid(&known.action, action.name());
        let request = Request::new(who, action, thing, Context::from_pairs(context)?, None)?;
        let response = self.0.authorizer.is_authorized(&request, policies, &entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(error.to_string().into());
        }
        // Several policies may agree; the first by name is the one that the trail names.
        let id = response.diagnostics().reason().map(ToString::to_string).min();
        Ok((response.decision(), id))
    }
}

/// The sentence for "nothing allows it", by what was tried.
fn default_refusal(action: Action) -> Refusal {
    match action {
        Action::RevealSecret | Action::CopySecret | Action::FetchSecret => Refusal::NoGrant,
        Action::WithdrawRequest | Action::GiveBackGrant | Action::EndSession | Action::EndAccessToken => {
            Refusal::NotYours
        }
        Action::ApproveRequest | Action::DenyRequest => Refusal::NotAnApprover,
        _ => Refusal::NoRule,
    }
}

/// Role codes as the engine takes them.
pub fn codes(roles: impl IntoIterator<Item = Role>) -> BTreeSet<&'static str> {
    roles.into_iter().map(Role::code).collect()
}

/// The built-in policies as they are written.
pub const BUILT_IN: &str = include_str!("builtin.cedar");

/// What rules may speak of, as it is written.
pub const SCHEMA: &str = include_str!("builtin.cedarschema");

#[cfg(test)]
mod tests {
    use super::*;

    /// Another text? Raise the version, then write the new digest here. Released versions never change.
    #[test]
    fn the_text_of_the_built_in_rules_and_their_version_belong_together() {
        let digest = Sha256::digest(BUILT_IN.as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((VERSION, digest.as_str()), (2, "54a933254c02e5bcb2eb52cd56f9856087a4551409b9659029edb9d2ffc8eb51"));
    }
}
