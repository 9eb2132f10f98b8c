//! What changes a credential at its target, behind one trait. Every method may be called again after a crash: none may do
//! harm when what it does was done already.
use super::{postgres, webhook};
use crate::{clock::Clock, outbound::Reach, vault::envelope::Payload};
use app::{
    error::Error,
    rotations::model::{RotatorKind, Standing, ValueRules},
    time::Moment,
};
use async_trait::async_trait;
use zeroize::Zeroizing;

/// Why a step did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The target said no, or a setting cannot work: trying again changes nothing.
    No(String),
    /// The target could not be reached or asked: later.
    Later(String),
    /// The request went out and no answer came back: only a probe tells what happened.
    Unknown(String),
}

/// Sessions that were opened with the old credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    pub ended: u32,
    pub left: u32,
}

#[async_trait]
pub trait Rotator: Send + Sync {
    /// Will it work? Says what was seen, or why not. Changes nothing.
    async fn preflight(&self, old: &Payload) -> Result<String, Trouble>;

    /// The next value, from the present one.
    fn create(&self, old: &Payload, rules: &ValueRules) -> Result<Payload, Error>;

    /// Makes the target take the new credential.
    async fn set(&self, old: &Payload, new: &Payload) -> Result<(), Trouble>;

    /// Every endpoint that takes the credential. None: there is no target, and none of the steps at it is taken.
    fn endpoints(&self) -> Vec<String>;

    /// Asks one endpoint whether it takes a credential: once, below any limit for lock-outs.
    async fn probe(&self, endpoint: &str, payload: &Payload) -> Standing;

    /// Makes the target refuse the old credential and ends, or counts, what was opened with it; with one account for both,
    /// what was opened before `since`.
    async fn disable_old(&self, old: &Payload, new: &Payload, since: Moment) -> Result<Sessions, Trouble>;

    /// Until when the target takes what is set now, at the latest, where it ends by itself.
    fn ends_at(&self) -> Option<Moment> {
        None
    }
}

/// The text of a field.
pub fn text<'a>(payload: &'a Payload, name: &str) -> Option<&'a str> {
    payload.fields().find(|(field, _)| *field == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
}

/// The same fields with some replaced.
pub fn with(payload: &Payload, replaced: &[(&str, Zeroizing<String>)]) -> Result<Payload, Error> {
    let fields = payload.fields().map(|(name, value)| {
        let new = replaced.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_bytes().to_vec());
        (name.to_owned(), Zeroizing::new(new.unwrap_or_else(|| value.to_vec())))
    });
    Payload::new(fields.collect()).map_err(|_| Error::Unavailable)
}

/// A value that consumers fetch. Whether the old one is dead nobody can ask; somebody may attest it.
struct Generated;

#[async_trait]
impl Rotator for Generated {
    async fn preflight(&self, old: &Payload) -> Result<String, Trouble> {
        match old.names().as_slice() {
            [only] => Ok(format!("A new {only} will be made; nothing else is touched.")),
            _ => Err(Trouble::No("this value has several fields: only one can be generated".into())),
        }
    }

    fn create(&self, old: &Payload, rules: &ValueRules) -> Result<Payload, Error> {
        let value = crate::vault::generate_by(rules)?;
        let name = old.names().into_iter().next().ok_or(Error::Unavailable)?;
        with(old, &[(name.as_str(), value)])
    }

    async fn set(&self, _: &Payload, _: &Payload) -> Result<(), Trouble> {
        Ok(())
    }

    fn endpoints(&self) -> Vec<String> {
        Vec::new()
    }

    async fn probe(&self, _: &str, _: &Payload) -> Standing {
        Standing::Unclear("there is no target".into())
    }

    async fn disable_old(&self, _: &Payload, _: &Payload, _: Moment) -> Result<Sessions, Trouble> {
        Ok(Sessions::default())
    }
}

/// A field of a form, and what is wrong with it.
pub type Mistake = (&'static str, &'static str);

/// Where a plan sets new values, with what that takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: consumers fetch what was generated.
    Consumers,
    Postgres(postgres::Settings),
    /// Two roles in turn.
    PostgresInTurn(postgres::Settings),
    Webhook(webhook::Settings),
}

/// What a rotator works with beside its settings.
pub struct Surroundings {
    /// The rotation's id: the same change never has two.
    pub rotation: String,
    /// The value of [`Target::helper`].
    pub helper: Option<Payload>,
    pub clock: Clock,
    pub reach: Reach,
}

impl Target {
    /// As a plan stores it.
    pub fn read(kind: RotatorKind, settings: &str) -> Option<Self> {
        Some(match kind {
            RotatorKind::Generated => Self::Consumers,
            RotatorKind::PostgresSingle => Self::Postgres(serde_json::from_str(settings).ok()?),
            RotatorKind::PostgresAlternating => Self::PostgresInTurn(serde_json::from_str(settings).ok()?),
            RotatorKind::Webhook => Self::Webhook(serde_json::from_str(settings).ok()?),
        })
    }

    pub fn kind(&self) -> RotatorKind {
        match self {
            Self::Consumers => RotatorKind::Generated,
            Self::Postgres(_) => RotatorKind::PostgresSingle,
            Self::PostgresInTurn(_) => RotatorKind::PostgresAlternating,
            Self::Webhook(_) => RotatorKind::Webhook,
        }
    }

    pub fn settings(&self) -> Result<String, Error> {
        let text = match self {
            Self::Consumers => Ok("{}".to_owned()),
            Self::Postgres(settings) | Self::PostgresInTurn(settings) => serde_json::to_string(settings),
            Self::Webhook(settings) => serde_json::to_string(settings),
        };
        text.map_err(|_| Error::Unavailable)
    }

    pub fn check(&self) -> Result<(), Mistake> {
        match self {
            Self::Consumers => Ok(()),
            Self::Postgres(settings) => settings.check(false),
            Self::PostgresInTurn(settings) => settings.check(true),
            Self::Webhook(settings) => settings.check(),
        }
    }

    /// The secret whose value it needs beside the one that rotates, and the field that names it.
    pub fn helper(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Consumers => None,
            Self::Postgres(settings) | Self::PostgresInTurn(settings) => Some(("admin", settings.admin.as_deref()?)),
            Self::Webhook(settings) => Some(("signing", &settings.signing)),
        }
    }

    /// Whom values are sent to, as pages name it.
    pub fn places(&self) -> String {
        match self {
            Self::Consumers => String::new(),
            Self::Postgres(settings) | Self::PostgresInTurn(settings) => settings.endpoints.join(", "),
            Self::Webhook(settings) => settings.url.clone(),
        }
    }

    /// The same target, with sessions of the old value ended in any case.
    pub fn cut_off(self) -> Self {
        let ended = |settings| postgres::Settings { end_sessions: true, ..settings };
        match self {
            Self::Postgres(settings) => Self::Postgres(ended(settings)),
            Self::PostgresInTurn(settings) => Self::PostgresInTurn(ended(settings)),
            other => other,
        }
    }

    pub fn build(self, around: Surroundings) -> Box<dyn Rotator> {
        match self {
            Self::Consumers => Box::new(Generated),
            Self::Postgres(settings) | Self::PostgresInTurn(settings) => {
                Box::new(postgres::Postgres::new(settings, around.helper, around.clock, around.reach))
            }
            Self::Webhook(settings) => Box::new(webhook::Webhook::new(settings, around)),
        }
    }
}
