//! What every operation works with: ledger, engine, keys, clock; and the frame that every operation shares.
use crate::{
    audit::{
        builder::Builder,
        event::{Event, Who},
        ledger::{Ledger, Tx},
        row_seal::SealKey,
        search::Search,
        state::{Found, Trail},
    },
    clock::Clock,
    db::{Db, Reader},
    instance::Instance,
    jobs::board::Board,
    keys,
    outbound::Reach,
    people::{
        Caller,
        attempts::Attempts,
        passwords::{Hasher, SetUp},
        providers::discovery::Discovered,
    },
    policies::{self, Engine, Principal, Question, Situation, documents, store as inputs},
    rotations::Slots,
    space::Space,
    vault::Keyring,
    workloads::Prepared,
};
use app::{
    audit::{action::Action, checkpoint::CosignerKey, leaf::Subject},
    error::{Error, Refusal},
    id::Id,
    levels::model::Level,
    policies::model::Tier,
    time::Moment,
};
use std::{
    ops::Deref,
    sync::{Arc, atomic::AtomicBool},
};
use tokio::sync::{Mutex, watch};

#[derive(Clone)]
pub struct Console(Arc<Inner>);

pub struct Inner {
    pub ledger: Ledger,
    pub builder: Builder,
    pub engine: Engine,
    pub keyring: Keyring,
    pub prepared: Prepared,
    pub space: Space,
    /// What the trail is searched by.
    pub search: Search,
    pub hasher: Hasher,
    pub attempts: Attempts,
    pub set_up: SetUp,
    /// What identity providers say of themselves.
    pub providers: Discovered,
    pub organisation: String,
    pub demo: bool,
    /// Where calls to addresses that people typed may go.
    pub reach: Reach,
    /// This machine's clock is off the database's.
    pub clock_is_off: AtomicBool,
    /// Rows that contradict the trail.
    pub found: watch::Sender<Found>,
    /// What the trail says of rows, as far as this process read it.
    pub trail: Mutex<Trail>,
    /// How the service's own work goes.
    pub board: Board,
    /// How many rotations are worked on beside one another.
    pub slots: Slots,
    /// Keys of the witnesses whose cosignatures are kept.
    pub witnesses: Vec<CosignerKey>,
}

impl Deref for Console {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Console {
    pub fn new(instance: &Instance, organisation: &str) -> Result<Self, policies::Error> {
        Ok(Self(Arc::new(Inner {
            ledger: instance.ledger.clone(),
            builder: instance.builder.clone(),
            engine: Engine::built_in()?,
            keyring: Keyring::default(),
            prepared: Prepared::default(),
            search: Search::default(),
            space: Space::of(instance.folder.clone()),
            hasher: Hasher::default(),
            attempts: Attempts::default(),
            set_up: SetUp::default(),
            providers: Discovered::default(),
            organisation: organisation.into(),
            demo: instance.demo,
            reach: Reach::Typed(instance.private.clone()),
            clock_is_off: AtomicBool::new(false),
            found: watch::Sender::default(),
            trail: Mutex::new(Trail::of(instance.ledger.keys().row_seal.clone())),
            board: Board::default(),
            slots: Slots::default(),
            witnesses: instance.witnesses.clone(),
        })))
    }

    pub fn db(&self) -> &Db {
        self.ledger.db()
    }

    pub async fn read(&self) -> Result<Reader, Error> {
        Ok(self.db().read().await?)
    }

    pub fn clock(&self) -> &Clock {
        self.ledger.clock()
    }

    pub fn now(&self) -> Moment {
        self.clock().now()
    }

    /// The key that rows which open access are sealed with.
    pub fn seal_key(&self) -> &SealKey {
        &self.ledger.keys().row_seal
    }

    /// What holds at a protection level.
    pub fn level(&self, tier: Tier) -> Level {
        *self.engine.levels().of(tier)
    }

    /// What held at a protection level at a time: what a case or a past reading is measured by.
    pub fn level_at(&self, tier: Tier, at: Moment) -> Level {
        self.engine.timeline().at(tier, at)
    }

    /// A new id.
    pub fn id<T: Id>(&self) -> Result<T, Error> {
        let random = keys::random().map_err(|error| {
            tracing::error!(%error, "no ids without random numbers");
            Error::Unavailable
        })?;
        Ok(T::make(self.now().timestamp_millis().max(0) as u64, random))
    }

    /// Begins a change for a caller, if policy allows the action; else records the refusal.
    pub async fn begin(
        &self,
        caller: &Caller,
        action: Action,
        subject: Subject,
        situation: Situation,
    ) -> Result<(Tx, Event), Error> {
        let mut tx = self.ledger.begin(&caller.who).await?;
        // Since the request was recognised the account or its session may have ended: what counts is now.
        caller.goes_on(&mut tx, self.now(), self.seal_key()).await?;
        // A policy that came into force meanwhile counts, whichever replica it was confirmed on.
        documents::follow(&self.engine, &mut tx, self.seal_key()).await?;
        let principal = caller.principal(subject.project.as_deref());
        self.allow(tx, &principal, action, subject, situation).await
    }

    /// Asks policy in the middle of a change: the change goes on with its event, or ends in a recorded refusal. Asking for a second
    /// factor is no refusal: nothing is recorded until it is answered.
    pub async fn allow(
        &self,
        mut tx: Tx,
        principal: &Principal,
        action: Action,
        subject: Subject,
        situation: Situation,
    ) -> Result<(Tx, Event), Error> {
        self.may_open(action)?;
        documents::learn_names(&self.engine, &mut tx, &subject).await?;
        let decision = self.decide(tx.who().address.as_deref(), principal, action, &subject, situation);
        let event = Event::new(action).on(subject).by(decision.deciding.clone());
        if let Some(refusal) = decision.refusal {
            if refusal == Refusal::FactorNeeded {
                return Err(Error::Refused(refusal));
            }
            let refused = tx.refuse(event, refusal).await;
            self.keep_input(&decision).await?;
            return Err(refused);
        }
        if self.engine.is_new(&decision) {
            // Two transactions that insert the same row wait for each other at the server.
            if let Some(digest) = &decision.deciding.input {
                tx.queue_for(digest).await?;
            }
            if inputs::keep_input(&mut tx, &decision, self.now()).await? == 0 {
                self.engine.kept(&decision);
            }
        }
        Ok((tx, event))
    }

    /// Asks policy for something that changes nothing. The event is the caller's to record.
    pub async fn permit(
        &self,
        who: &Who,
        principal: &Principal,
        action: Action,
        subject: Subject,
        situation: Situation,
    ) -> Result<Event, Error> {
        self.may_open(action)?;
        if !self.engine.knows(&subject) {
            documents::learn_names(&self.engine, &mut self.read().await?, &subject).await?;
        }
        let decision = self.decide(who.address.as_deref(), principal, action, &subject, situation);
        let event = Event::new(action).on(subject).by(decision.deciding.clone());
        self.keep_input(&decision).await?;
        match decision.refusal {
            Some(Refusal::FactorNeeded) => Err(Error::Refused(Refusal::FactorNeeded)),
            Some(refusal) => Err(self.ledger.refuse(who, event, refusal).await),
            None => Ok(event),
        }
    }

    /// Nothing is opened when space runs low: what is left is for acts that close. Nor while what is stored contradicts the trail:
    /// the owner of the database would decide what.
    pub fn may_open(&self, action: Action) -> Result<(), Error> {
        let why = if action.closes() {
            return Ok(());
        } else if self.space.is_short(self.now()) {
            "space runs low: nothing is opened until there is more"
        } else if self.builder.signed().forked && !action.looks_into() {
            "what is stored contradicts the trail: nothing is opened until that is mended"
        } else {
            return Ok(());
        };
        tracing::error!(action = action.name(), why);
        Err(Error::Unavailable)
    }

    /// The same question without a record: for showing or explaining a control.
    pub fn would(
        &self,
        caller: &Caller,
        action: Action,
        project: Option<&str>,
        situation: Situation,
    ) -> Option<Refusal> {
        let subject = Subject { project: project.map(Into::into), ..Subject::default() };
        let principal = caller.principal(project);
        let refusal = self.decide(caller.who.address.as_deref(), &principal, action, &subject, situation).refusal;
        // A control is shown to whoever can use it after one more question.
        refusal.filter(|refusal| *refusal != Refusal::FactorNeeded)
    }

    /// The one question that everything else is a way of asking.
    pub fn decide(
        &self,
        address: Option<&str>,
        principal: &Principal,
        action: Action,
        subject: &Subject,
        situation: Situation,
    ) -> policies::Decision {
        let name = |id: &Option<String>| id.as_ref().and_then(|id| self.engine.short_name(id));
        let (project, environment, resource) = (name(&subject.project), name(&subject.environment), thing(subject));
        self.engine.decide(&Question {
            principal,
            action,
            resource: &resource,
            situation,
            project: project.as_deref(),
            environment: environment.as_deref(),
            address,
            at: self.now(),
        })
    }

    async fn keep_input(&self, decision: &policies::Decision) -> Result<(), Error> {
        if self.engine.is_new(decision) {
            let mut tx = self.ledger.housekeeping().await?;
            inputs::keep_input(&mut tx, decision, self.now()).await?;
            tx.finish().await?;
            self.engine.kept(decision);
        }
        Ok(())
    }
}

/// What the engine takes as the resource: the most exact id that the event names.
fn thing(subject: &Subject) -> String {
    let ids = [
        &subject.secret,
        &subject.request,
        &subject.grant,
        &subject.workload,
        &subject.environment,
        &subject.project,
        &subject.person,
        &subject.team,
        &subject.row,
    ];
    ids.into_iter().flatten().next().cloned().unwrap_or_default()
}
