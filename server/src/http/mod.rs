//! HTTP: one table of routes, layers around it, and handlers that turn operations into pages or JSON.
//!
//! ```text
//! request ─▶ correlate (id, headers, errors) ─▶ same origin? ─▶ body, bounded ─▶ browser session ─▶ second factor? ─▶ handler ─▶ operation ─▶ page | 303 | JSON
//! ```
mod account;
pub(crate) mod api;
mod assets;
mod audit;
mod bodies;
mod catalog;
pub mod connections;
mod controls;
mod door;
mod drift;
mod error;
mod explain;
mod factors;
mod grants;
mod home;
mod integrity;
mod jobs;
mod layers;
mod levels;
mod log;
mod metrics;
mod people;
mod policies;
mod proof;
mod provider_sign_in;
mod providers;
mod reports;
mod requests;
mod rotations;
pub mod routes;
mod secrets;
mod session;
mod signals;
mod teams;
mod visitor;
mod workloads;

pub use assets::{asset_length, asset_names};
pub use error::Problem;

use crate::{config::Network, console::Console};
use app::session::Assets;
use axum::{Router, extract::DefaultBodyLimit, middleware};
use std::{ops::Deref, sync::Arc};

/// The longest body that any form or call may send, in bytes: three times the longest payload, for its encoding.
const LONGEST_BODY: usize = 1024 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

pub struct Inner {
    pub console: Console,
    pub base_url: String,
    pub trusted_proxy: Option<Network>,
    /// Reached over loopback or TLS alone: the first administrator's code may be typed in.
    pub is_private: bool,
    pub assets: Arc<Assets>,
    /// What browsers know this installation as where they keep passkeys; none where its address is a number.
    pub passkeys: Option<webauthn_rs::Webauthn>,
    pub arriving: bodies::Arriving,
    /// Trail readings that were recorded lately.
    pub readings: audit::Readings,
}

impl Deref for Site {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Site {
    pub fn new(console: Console, base_url: &str, trusted_proxy: Option<Network>, is_private: bool) -> Self {
        Self(Arc::new(Inner {
            console,
            base_url: base_url.into(),
            trusted_proxy,
            is_private,
            assets: Arc::new(asset_names()),
            passkeys: crate::people::factors::relying_party(base_url),
            arriving: bodies::Arriving::default(),
            readings: audit::Readings::default(),
        }))
    }
}

/// Everything that this server answers.
pub fn router(site: Site) -> Router {
    let mut router = Router::new();
    for route in routes::table() {
        router = router.route(route.path, route.handler);
    }
    router
        .fallback(error::unmatched)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(middleware::from_fn_with_state(site.clone(), proof::ask))
        .layer(session::layer(site.console.clone()))
        .layer(middleware::from_fn_with_state(site.clone(), bodies::read))
        .layer(middleware::from_fn_with_state(site.clone(), layers::same_origin))
        // How long a body may be is said by its route, and was seen to before a handler asks for it.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(site.clone(), layers::correlate))
        .with_state(site)
}
