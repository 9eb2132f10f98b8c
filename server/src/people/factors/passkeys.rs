//! Passkeys (Web Authentication Level 3) by `webauthn-rs`: always with user verification.
use super::super::store::Person;
use app::error::Error;
use sha2::{Digest, Sha256};
use std::time::Duration;
use webauthn_rs::{Webauthn, WebauthnBuilder, prelude::Url, prelude::Uuid};

/// What browsers know this installation as. None where the address is a number: browsers keep passkeys for names alone.
pub fn relying_party(base_url: &str) -> Option<Webauthn> {
    let origin = Url::parse(base_url).ok()?;
    let name = origin.domain()?;
    let built =
        WebauthnBuilder::new(name, &origin).ok()?.rp_name("Countersign").timeout(Duration::from_secs(120)).build();
    built.inspect_err(|error| tracing::warn!(%error, "no passkeys at this address")).ok()
}

/// The handle by which a device keeps whose passkey it is: says nothing of the person.
pub(super) fn handle(person: &Person) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(person.id.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = digest;
    Uuid::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

pub(super) fn failed(error: impl std::fmt::Display) -> Error {
    tracing::info!(%error, "a passkey's answer did not hold");
    Error::invalid("passkey", "The passkey’s answer did not hold. Try again.")
}
