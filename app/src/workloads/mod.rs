//! Machine identities: pipelines and services, owned by a team, each in one environment.
//!
//! ```text
//! workload: made ─▶ disabled      client secret: issued ─▶ revoked | expired      token: issued ─▶ ended (≤ 15 min in production)
//! ```
//!
//! Invariants: a workload never approves and is never a person; secrets and tokens are stored as hashes; a token is worth
//! what its workload and its client secret are worth at the moment of use.
#[cfg(feature = "ssr")]
pub mod page;
