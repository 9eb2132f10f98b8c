//! What changes a credential at its target, behind one trait. Every method may be called again after a crash: none may do
//! harm when what it does was done already.
use super::postgres;
use crate::vault::envelope::Payload;
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

/// The rotator of a plan, with what an administrative credential it needs.
pub fn build(kind: RotatorKind, settings: &str, admin: Option<Payload>) -> Result<Box<dyn Rotator>, Trouble> {
    let alternates = match kind {
        RotatorKind::Generated => return Ok(Box::new(Generated)),
        RotatorKind::PostgresSingle => false,
        RotatorKind::PostgresAlternating => true,
    };
    let settings = postgres::Settings::read(settings, alternates).map_err(|(_, why)| Trouble::No(why.into()))?;
    Ok(Box::new(postgres::Postgres::new(settings, admin)))
}
