//! Countersign's pages and the rules that need no IO.
pub mod api;
pub mod audit;
pub mod catalog;
pub mod error;
pub mod grants;
pub mod home;
pub mod id;
pub mod islands;
pub mod nav;
pub mod notifications;
pub mod people;
pub mod policies;
pub mod reports;
pub mod requests;
pub mod rotations;
pub mod session;
pub mod time;
#[cfg(feature = "ssr")]
pub mod ui;
pub mod workloads;

/// Called once by `boot.js`, before the islands of the page are brought to life.
#[cfg(feature = "hydrate")]
#[leptos::wasm_bindgen::prelude::wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
