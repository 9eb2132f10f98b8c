//! One principal before one secret: the engine's answers, and the fewest changes that would turn a no into a yes.
use crate::{
    catalog::Located,
    console::Console,
    policies::{Attribute, Engine, Principal, Question, Situation, organisation::Organisation, written},
};
use app::{
    audit::action::Action,
    error::Refusal,
    explain::model::{Act, Need, Rule, Verdict},
    policies::model::{Right, Role},
    time::Moment,
};
use std::sync::Arc;

pub struct Asking {
    engine: Engine,
    organisation: Arc<Organisation>,
    principal: Principal,
    project: String,
    environment: String,
    resource: String,
    address: Option<String>,
    at: Moment,
}

impl Asking {
    /// With the policies that are in force.
    pub fn now(console: &Console, principal: Principal, located: &Located, address: Option<String>) -> Self {
        let asking = Self::then(console, console.engine.organisation(), principal, located, console.now());
        Self { address, ..asking }
    }

    /// With the policies of a time before.
    pub fn then(
        console: &Console,
        organisation: Arc<Organisation>,
        principal: Principal,
        located: &Located,
        at: Moment,
    ) -> Self {
        Self {
            engine: console.engine.clone(),
            organisation,
            principal,
            project: located.project.slug.clone(),
            environment: located.environment.slug.clone(),
            resource: located.secret.id.clone(),
            address: None,
            at,
        }
    }

    /// Verdict and rule.
    pub fn answer(&self, action: Action, situation: Situation) -> (Verdict, Option<Rule>) {
        self.asked(&self.principal, action, situation)
    }

    fn asked(&self, principal: &Principal, action: Action, situation: Situation) -> (Verdict, Option<Rule>) {
        let decision = self.engine.decide_with(
            &self.organisation,
            &Question {
                principal,
                action,
                resource: &self.resource,
                situation,
                project: Some(&self.project),
                environment: Some(&self.environment),
                address: self.address.as_deref(),
                at: self.at,
            },
        );
        let verdict = match decision.refusal {
            None => Verdict::Yes,
            Some(Refusal::FactorNeeded) if principal.factor => Verdict::WithFactor,
            Some(refusal) => Verdict::No(refusal),
        };
        (verdict, written::rule(&self.organisation, &decision.deciding.id))
    }

    /// The same, with what would change it and what it depends on besides.
    pub fn act(&self, action: Action, situation: Situation) -> Act {
        let (verdict, rule) = self.answer(action, situation);
        let needs = if verdict.is_open() { Vec::new() } else { self.needs(action, situation) };
        Act { action, verdict, rule, needs, ask: None, depends: self.depends(action) }
    }

    /// Each single change that opens it; where none does, each pair.
    fn needs(&self, action: Action, situation: Situation) -> Vec<Vec<Need>> {
        let right = if action == Action::WriteVersion { Right::Write } else { Right::Read };
        let mut all = vec![Need::Grant(right), Need::TwoDeciders];
        if !self.principal.workload {
            all.extend([Need::RoleHere(Role::Member), Need::RoleHere(Role::Lead)]);
            all.extend([Need::Role(Role::Security), Need::Role(Role::Admin)]);
        }
        let opens = |needs: &[Need]| {
            let (mut principal, mut changed) = (self.principal.clone(), situation);
            for need in needs {
                match need {
                    Need::Grant(_) => changed.grant = true,
                    Need::TwoDeciders => changed.deciders = changed.deciders.max(2),
                    Need::RoleHere(role) => _ = principal.here.insert(role.code()),
                    Need::Role(role) => _ = principal.org.insert(role.code()),
                }
            }
            self.asked(&principal, action, changed).0.is_open()
        };
        let single: Vec<Vec<Need>> = all.iter().map(|need| vec![*need]).filter(|needs| opens(needs)).collect();
        if single.contains(&vec![Need::RoleHere(Role::Member)]) {
            // The least role is enough: no greater one is recommended.
            let role = |need: &Need| matches!(need, Need::RoleHere(role) | Need::Role(role) if *role != Role::Member);
            return single.into_iter().filter(|needs| !needs.iter().any(role)).collect();
        }
        if !single.is_empty() {
            return single;
        }
        let pairs = all.iter().enumerate().flat_map(|(at, one)| all[at + 1..].iter().map(|other| vec![*one, *other]));
        pairs.filter(|needs| opens(needs)).collect()
    }

    /// What policies look at here that another hour or another place would change.
    pub fn depends(&self, action: Action) -> Vec<&'static str> {
        let uses = self.organisation.uses(&self.engine, action, Some(&self.project));
        let words = |used: &Attribute| match used {
            Attribute::Hour => Some("the hour"),
            Attribute::Weekday => Some("the weekday"),
            Attribute::Address if self.address.is_none() => Some("the address they come from"),
            Attribute::Method if self.principal.method.is_empty() => Some("how they signed in"),
            Attribute::Acr if self.principal.acr.is_none() => Some("how strongly their provider recognised them"),
            Attribute::Environment | Attribute::Groups | Attribute::Address | Attribute::Method | Attribute::Acr => {
                None
            }
        };
        uses.iter().filter_map(words).collect()
    }
}
