//! The organisation's own policies, parsed, and cut into slices: what can match one action in one project.
//!
//! A decision looks at the built-in rules for its action, at the organisation's rules for it that speak of every project, and at
//! those of its own project: a thousand documents cost what those few cost.
use super::{Attribute, Engine, Error, Loaded, parse::parse};
use app::{audit::action::Action, error::Refusal};
use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, ResourceConstraint};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

/// What organisation policies govern. Seeing names, and whatever only closes, is never theirs to refuse; nor is what policies
/// themselves are changed by, so that no policy can keep itself in force.
pub const GOVERNED: &[Action] = {
    use Action::*;
    &[
        SubmitRequest,
        ApproveRequest,
        RevealSecret,
        CopySecret,
        FetchSecret,
        IssueToken,
        WriteVersion,
        ImportSecrets,
        CreateSecret,
        EditSecret,
        MoveSecret,
        UndeleteVersion,
        ScheduleDestruction,
        DestroyVersion,
        RotateKey,
        DestroyKey,
        CreateProject,
        CreateEnvironment,
        ResumeGrant,
        ConfigureRotation,
        ConfirmPlan,
        SetDefault,
        StartRotation,
        ApproveRotation,
        ResolveRotation,
        RollBack,
        StartExport,
        CreateWorkload,
        IssueCredential,
        CreateAccessToken,
        InvitePerson,
        ResetPassword,
        EnablePerson,
        CreateTeam,
        AddMember,
        AssignRole,
        SetProvider,
        RemoveProvider,
        SetGroupRule,
        NameEmergency,
        Delegate,
        ResetFactors,
    ]
};

/// One document that is in force.
#[derive(Clone, Debug)]
pub struct Document {
    pub id: String,
    pub slug: String,
    pub version: u32,
    pub text: String,
}

impl Document {
    /// How many rules it has.
    pub fn rules(&self) -> usize {
        rules_of(self).map_or(0, |rules| rules.len())
    }
}

/// One rule of a document.
#[derive(Clone)]
pub(super) struct Rule {
    pub policy: Policy,
    pub version: u32,
    actions: Option<BTreeSet<String>>,
    project: Option<String>,
    pub uses: BTreeSet<Attribute>,
}

impl Rule {
    fn governs(&self, action: Action) -> bool {
        GOVERNED.contains(&action) && self.actions.as_ref().is_none_or(|known| known.contains(action.name()))
    }
}

impl Rule {
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }
}

/// The rules that one action in one project has to be asked of.
pub(super) struct Slice {
    pub set: PolicySet,
    /// Attributes of the moment that they speak of: these belong to what a decision was made from.
    pub uses: BTreeSet<Attribute>,
    pub organisation: bool,
}

type Slices = HashMap<(Action, Option<String>), Arc<Slice>>;

/// Every organisation policy that is in force, as of one epoch.
pub struct Organisation {
    pub(super) epoch: i64,
    rules: Vec<Rule>,
    /// Where each rule stands, by its name.
    places: HashMap<String, usize>,
    projects: BTreeSet<String>,
    slices: RwLock<Slices>,
    pub documents: Vec<Document>,
}

impl Organisation {
    pub fn none() -> Self {
        Self {
            epoch: -1,
            rules: Vec::new(),
            places: HashMap::new(),
            projects: BTreeSet::new(),
            slices: RwLock::default(),
            documents: Vec::new(),
        }
    }

    /// Documents were checked before they came into force; one that does not parse any more is an error, never left out.
    pub fn new(documents: Vec<Document>, epoch: i64) -> Result<Self, Error> {
        let mut rules = Vec::new();
        for document in &documents {
            rules.extend(rules_of(document)?);
        }
        Ok(Self::of(documents, rules, epoch))
    }

    fn of(documents: Vec<Document>, rules: Vec<Rule>, epoch: i64) -> Self {
        let projects = rules.iter().filter_map(|rule| rule.project.clone()).collect();
        let places = rules.iter().enumerate().map(|(place, rule)| (rule.policy.id().to_string(), place)).collect();
        Self { epoch, rules, places, projects, slices: RwLock::default(), documents }
    }

    /// The same with one document in another state: as drafted, or gone.
    pub fn with(&self, id: &str, document: Option<Document>) -> Result<Self, Error> {
        let others = self.documents.iter().filter(|known| known.id != id).cloned();
        Self::new(others.chain(document).collect(), self.epoch)
    }

    /// Without one rule: to see what it changes.
    pub(super) fn without(&self, rule: &str) -> Self {
        let rules = self.rules.iter().filter(|known| known.policy.id().to_string() != rule).cloned();
        Self::of(self.documents.clone(), rules.collect(), self.epoch)
    }

    pub(super) fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(*self.places.get(id)?)
    }

    pub fn uses(&self, engine: &Engine, action: Action, project: Option<&str>) -> BTreeSet<Attribute> {
        self.slice(&engine.0, action, project).uses.clone()
    }

    pub(super) fn slice(&self, loaded: &Loaded, action: Action, project: Option<&str>) -> Arc<Slice> {
        // Projects that no rule names share one slice.
        let project = project.filter(|project| self.projects.contains(*project)).map(str::to_owned);
        let key = (action, project);
        if let Some(slice) = self.slices.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return slice.clone();
        }
        let mut set = PolicySet::new();
        let mut uses = BTreeSet::new();
        let mut organisation = false;
        let fixed = loaded.built_in.by_action.get(action.name()).into_iter().flatten();
        for policy in fixed {
            // Ids are one to one: the built-in ones were a set, the organisation's begin with their document.
            let _ = set.add(policy.clone());
        }
        let ours = self.rules.iter().filter(|rule| rule.governs(action));
        for rule in ours.filter(|rule| rule.project.is_none() || rule.project == key.1) {
            organisation = true;
            uses.extend(&rule.uses);
            let _ = set.add(rule.policy.clone());
        }
        let slice = Arc::new(Slice { set, uses, organisation });
        self.slices.write().unwrap_or_else(PoisonError::into_inner).insert(key, slice.clone());
        slice
    }
}

/// The rules of a document, named `document/rule`: by their own `@id`, else by their place.
pub(super) fn rules_of(document: &Document) -> Result<Vec<Rule>, Error> {
    let parsed = parse(&document.text).map_err(|error| Error::Document(error.to_string()))?;
    let mut rules = Vec::new();
    for (number, policy) in in_order(&parsed).into_iter().enumerate() {
        let name = name_of(number, policy);
        let uses = policy.to_string();
        let speaks = |attribute: &Attribute| uses.contains(attribute.name());
        rules.push(Rule {
            actions: actions(policy),
            project: project(policy),
            uses: Attribute::ALL.iter().copied().filter(speaks).collect(),
            policy: policy.new_id(PolicyId::new(format!("{}/{name}", document.slug))),
            version: document.version,
        });
    }
    Ok(rules)
}

/// What a rule is called within its document.
pub(super) fn name_of(number: usize, policy: &Policy) -> String {
    policy.annotation("id").map_or_else(|| (number + 1).to_string(), str::to_owned)
}

/// The rules of a text as they follow one another.
pub(super) fn in_order(parsed: &PolicySet) -> Vec<&Policy> {
    let mut policies: Vec<&Policy> = parsed.policies().collect();
    policies.sort_by_key(|policy| place(policy));
    policies
}

/// Cedar numbers what it parses: `policy0`, `policy1`.
fn place(policy: &Policy) -> usize {
    policy.id().to_string().trim_start_matches("policy").parse().unwrap_or_default()
}

/// The actions that a policy's head names; none for every one.
pub(super) fn actions(policy: &Policy) -> Option<BTreeSet<String>> {
    let name = |uid: &EntityUid| uid.id().unescaped().to_owned();
    match policy.action_constraint() {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(uid) => Some(BTreeSet::from([name(&uid)])),
        ActionConstraint::In(uids) => Some(uids.iter().map(name).collect()),
    }
}

/// The project that a policy's head names.
fn project(policy: &Policy) -> Option<String> {
    match policy.resource_constraint() {
        ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) if uid.type_name().to_string() == "Project" => {
            Some(uid.id().unescaped().to_owned())
        }
        _ => None,
    }
}

/// The sentence for a rule of the organisation.
pub const REFUSAL: Refusal = Refusal::Policy;
