//! An event before it has its place: what an operation says happened, and who says so.
use app::{
    audit::{
        action::Action,
        leaf::{Actor, ActorKind, Deciding, Outcome, Subject},
    },
    error::Refusal,
    id::{CorrelationId, PersonId, WorkloadId},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Who acts, by which authentication, and where the request came from.
#[derive(Clone, Debug)]
pub struct Who {
    pub actor: Actor,
    pub correlation: Option<CorrelationId>,
    pub address: Option<String>,
    pub agent: Option<String>,
}

impl Who {
    fn new(kind: ActorKind, id: Option<String>, method: &str) -> Self {
        let method = (!method.is_empty()).then(|| method.to_owned());
        Self { actor: Actor { kind, id, method, session: None }, correlation: None, address: None, agent: None }
    }

    /// A job of the service itself, by its name.
    pub fn system(job: &str) -> Self {
        Self::new(ActorKind::System, Some(job.into()), "")
    }

    pub fn anonymous() -> Self {
        Self::new(ActorKind::Anonymous, None, "")
    }

    /// A person, and the id of the session or token that brought them.
    pub fn person(id: &PersonId, method: &str, session: Option<&str>) -> Self {
        let mut who = Self::new(ActorKind::Person, Some(id.to_string()), method);
        who.actor.session = session.map(ToOwned::to_owned);
        who
    }

    pub fn workload(id: &WorkloadId, method: &str) -> Self {
        Self::new(ActorKind::Workload, Some(id.to_string()), method)
    }

    /// The same origin, another actor: for sign-in, where the actor is known only at the end.
    pub fn from(mut self, origin: &Who) -> Self {
        self.correlation = origin.correlation.clone();
        self.address = origin.address.clone();
        self.agent = origin.agent.clone();
        self
    }
}

#[derive(Clone, Debug)]
pub struct Event {
    pub action: Action,
    pub outcome: Outcome,
    pub reason: Option<&'static str>,
    pub subject: Subject,
    pub policy: Option<Deciding>,
    pub detail: BTreeMap<String, Value>,
    /// Names, reasons, comments, paths: committed to in the leaf, kept beside it.
    pub private: BTreeMap<&'static str, String>,
    pub suppressed: Option<u64>,
}

impl Event {
    pub fn new(action: Action) -> Self {
        Self {
            action,
            outcome: Outcome::Allowed,
            reason: None,
            subject: Subject::default(),
            policy: None,
            detail: BTreeMap::new(),
            private: BTreeMap::new(),
            suppressed: None,
        }
    }

    pub fn refused(mut self, why: Refusal) -> Self {
        self.outcome = Outcome::Refused;
        self.reason = Some(why.code());
        self
    }

    pub fn on(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }

    pub fn by(mut self, policy: Deciding) -> Self {
        self.policy = Some(policy);
        self
    }

    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.into(), value.into());
        self
    }

    pub fn private(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.private.insert(name, value.into());
        self
    }
}
