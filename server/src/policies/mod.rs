//! Decisions: one function, [`Engine::decide`], over Cedar with the built-in policies beside this file.
//!
//! ```text
//! facts (roles, grants, place) ──▶ Question ──Cedar──▶ Decision { deciding policy, input digest } ──▶ the event
//! ```
//!
//! SQL loads facts; Cedar never computes expiry. Default deny, forbid wins. What no policy can switch off (separation of
//! duties) is a pure rule in `app/src/requests/model.rs` and is asked besides.
pub mod store;

use app::{
    audit::{action::Action, leaf::Deciding},
    error::Refusal,
    people::tokens::Scope,
    policies::model::{Class, Role, Tier},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeSet, HashSet},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// The built-in policies' version, as the trail names it.
const VERSION: u32 = 1;

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
        }
    }
}

/// The situation: everything that a policy may look at beside the principal.
#[derive(Clone, Copy, Debug, Default, Serialize)]
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

/// What a decision was made from: JCS, kept under its digest so that it can be replayed.
#[derive(Serialize)]
struct Input<'a> {
    action: &'static str,
    principal: &'a Principal,
    resource: &'a str,
    situation: Situation,
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
}

#[derive(Clone)]
pub struct Engine(Arc<Loaded>);

struct Loaded {
    policies: PolicySet,
    authorizer: Authorizer,
    person: EntityTypeName,
    workload: EntityTypeName,
    thing: EntityTypeName,
    action: EntityTypeName,
    /// Inputs that this process stored already: most decisions of a day are made from few of them.
    kept: Mutex<HashSet<String>>,
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

    /// Loads the built-in policies, checked against their schema.
    pub fn built_in() -> Result<Self, Error> {
        let failed = |why: String| Error::BuiltIn(why);
        let (schema, _) = Schema::from_cedarschema_str(include_str!("builtin.cedarschema"))
            .map_err(|error| failed(format!("{error:?}")))?;
        let parsed = PolicySet::from_str(BUILT_IN).map_err(|error| failed(format!("{error:?}")))?;
        let mut policies = PolicySet::new();
        for policy in parsed.policies() {
            let id = policy.annotation("id").ok_or_else(|| failed("a policy has no @id".into()))?;
            policies.add(policy.new_id(PolicyId::new(id))).map_err(|error| failed(error.to_string()))?;
        }
        let checked = Validator::new(schema).validate(&policies, ValidationMode::Strict);
        if !checked.validation_passed() {
            return Err(failed(format!("{checked:?}")));
        }
        let name = |text: &str| EntityTypeName::from_str(text).map_err(|error| failed(error.to_string()));
        Ok(Self(Arc::new(Loaded {
            policies,
            authorizer: Authorizer::new(),
            person: name("Person")?,
            workload: name("Workload")?,
            thing: name("Thing")?,
            action: name("Action")?,
            kept: Mutex::default(),
        })))
    }

    /// May they? Default deny.
    pub fn decide(&self, principal: &Principal, action: Action, resource: &str, situation: Situation) -> Decision {
        let input = Input { action: action.name(), principal, resource, situation };
        let input = serde_json_canonicalizer::to_string(&input).unwrap_or_default();
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(input.as_bytes()));
        // What a token is not for is refused before any policy is asked: a token never widens what its owner may.
        let beyond = |scopes: &Vec<Scope>| !scopes.iter().any(|scope| scope.covers(action));
        if principal.scopes.as_ref().is_some_and(beyond) {
            let deciding = Deciding { id: "token-scope".into(), version: VERSION, input: Some(digest) };
            return Decision { refusal: Some(Refusal::TokenScope), deciding, input };
        }
        let (id, refusal) = match self.ask(principal, action, resource, situation) {
            Ok((CedarDecision::Allow, id)) => (id.unwrap_or_default(), None),
            Ok((CedarDecision::Deny, Some(id))) => {
                let refusal = self.refusal_of(&id).unwrap_or(default_refusal(action));
                if refusal == Refusal::FactorNeeded && !principal.proved {
                    // Nobody is asked for a factor who would be refused with it.
                    let proved = Principal { proved: true, ..principal.clone() };
                    let with = self.decide(&proved, action, resource, situation);
                    if with.refusal.is_some() {
                        let deciding = Deciding { input: Some(digest), ..with.deciding };
                        return Decision { refusal: with.refusal, deciding, input };
                    }
                }
                (id, Some(refusal))
            }
            Ok((CedarDecision::Deny, None)) => ("default-deny".into(), Some(default_refusal(action))),
            Err(error) => {
                tracing::error!(%error, action = action.name(), "a decision could not be made and is a refusal");
                ("default-deny".into(), Some(Refusal::NoRule))
            }
        };
        Decision { refusal, deciding: Deciding { id, version: VERSION, input: Some(digest) }, input }
    }

    /// The sentence that a built-in rule is refused with.
    fn refusal_of(&self, id: &str) -> Option<Refusal> {
        let code = self.0.policies.annotation(&PolicyId::new(id), "refusal")?;
        Refusal::ALL.iter().copied().find(|known| code == known.code())
    }

    fn ask(
        &self,
        principal: &Principal,
        action: Action,
        resource: &str,
        situation: Situation,
    ) -> Result<(CedarDecision, Option<String>), Box<dyn std::error::Error>> {
        let loaded = &*self.0;
        let kind = if principal.workload { &loaded.workload } else { &loaded.person };
        let uid = |kind: &EntityTypeName, id: &str| EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let roles = |roles: &BTreeSet<&'static str>| {
            RestrictedExpression::new_set(roles.iter().map(|role| RestrictedExpression::new_string((*role).into())))
        };
        let attributes = [("org".to_owned(), roles(&principal.org)), ("here".to_owned(), roles(&principal.here))];
        let who = uid(kind, &principal.id);
        let entity = Entity::new(who.clone(), attributes.into(), Default::default())?;
        let entities = Entities::from_entities([entity], None)?;
        let text = |text: &str| RestrictedExpression::new_string(text.into());
        let flag = RestrictedExpression::new_bool;
        let context = Context::from_pairs([
            ("own".to_owned(), flag(situation.own)),
            ("team".to_owned(), flag(situation.team)),
            ("grant".to_owned(), flag(situation.grant)),
            ("open".to_owned(), flag(situation.open)),
            ("tier".to_owned(), text(situation.tier.map_or("", Tier::code))),
            ("class".to_owned(), text(situation.class.map_or("", Class::code))),
            ("deciders".to_owned(), RestrictedExpression::new_long(situation.deciders.into())),
            ("loosens".to_owned(), flag(situation.loosens)),
            ("factor".to_owned(), flag(principal.factor)),
            ("proved".to_owned(), flag(principal.proved)),
            ("program".to_owned(), flag(principal.scopes.is_some())),
        ])?;
        let action = uid(&loaded.action, action.name());
        let request = Request::new(who, action, uid(&loaded.thing, resource), context, None)?;
        let response = loaded.authorizer.is_authorized(&request, &loaded.policies, &entities);
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
const BUILT_IN: &str = include_str!("builtin.cedar");

/// The text of one built-in rule.
pub fn rule_text(id: &str) -> Option<&'static str> {
    let begin = BUILT_IN.find(&format!("@id(\"{id}\")"))?;
    let rest = &BUILT_IN[begin..];
    Some(rest[..rest.find(";\n")? + 1].trim())
}
