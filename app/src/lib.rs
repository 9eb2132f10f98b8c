//! Countersign's pages and the rules that need no IO.
pub mod api;
pub mod audit;
pub mod catalog;
pub mod controls;
pub mod error;
pub mod explain;
pub mod grants;
pub mod home;
pub mod id;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod islands;
pub mod jobs;
pub mod levels;
pub mod metrics;
pub mod nav;
pub mod notifications;
pub mod people;
pub mod policies;
pub mod prose;
pub mod reports;
pub mod requests;
pub mod rotations;
pub mod session;
pub mod signals;
pub mod time;
#[cfg(feature = "ssr")]
pub mod ui;
pub mod workloads;

/// Checks an evidence bundle in a browser; the verdict as JSON. An empty key means the one inside.
#[cfg(feature = "check")]
#[leptos::wasm_bindgen::prelude::wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
pub fn check_evidence(bundle: &[u8], key: &str) -> String {
    let given = key.trim();
    let parsed = audit::checkpoint::VerifierKey::parse(given);
    if parsed.is_none() && !given.is_empty() {
        return serde_json::json!({ "holds": false, "lines": ["WRONG: This is not a verifier key."] }).to_string();
    }
    let told = audit::evidence::verify(bundle, parsed.as_ref()).told();
    serde_json::json!({ "holds": told.holds, "lines": told.lines() }).to_string()
}

/// Called once by `boot.js`, before the islands of the page are brought to life.
#[cfg(feature = "hydrate")]
#[leptos::wasm_bindgen::prelude::wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
