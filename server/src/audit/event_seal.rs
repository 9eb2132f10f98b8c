//! Seals on events: an HMAC under a key outside the database over an event's number and its leaf. A signed head proves what lies below
//! it; until there is one, and where heads were deleted, the seal tells whether this service wrote an event. The builder takes up no
//! event without one.
use crate::keys::{Secret, mac};
use subtle::ConstantTimeEq;

const CONTEXT: &[u8] = b"countersign/event/v1";

/// The seal of the event with this number.
pub fn seal(key: &Secret, seq: u64, leaf: &[u8]) -> [u8; 32] {
    mac(key, &[CONTEXT, &seq.to_be_bytes(), leaf])
}

/// Did this service write this event at this place?
pub fn holds(key: &Secret, seq: u64, leaf: &[u8], stored: Option<&[u8]>) -> bool {
    stored.is_some_and(|stored| bool::from(seal(key, seq, leaf).ct_eq(stored)))
}
