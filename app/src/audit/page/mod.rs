//! The trail, searched; one event of it, beside the list and on a page of its own.
mod event;
mod evidence;
mod filter;
mod trail;

pub use event::{Change, EventView, Fact, event};
pub use evidence::{AnchorLine, Compared, CopyLine, Integrity, LISTED, Since, WitnessLine, check, integrity};
pub use filter::{Search, View};
pub use trail::{Trail, trail};

use super::query::Key;
use crate::{nav::address, time::Moment, ui};
use chrono::{DateTime, FixedOffset};
use leptos::prelude::*;

/// One event in a line.
pub struct Line {
    pub seq: u64,
    pub at: Moment,
    /// The same on the reader's clock.
    pub shown: DateTime<FixedOffset>,
    pub words: String,
    pub actor: String,
    pub about: String,
    pub outcome: &'static str,
}

pub fn outcome_badge(outcome: &'static str) -> AnyView {
    let kind = match outcome {
        "allowed" => "good",
        "refused" => "danger",
        _ => "attention",
    };
    ui::badge(kind, outcome)
}

/// The trail with a query, as an address.
pub fn at(query: &str, zone: &str) -> String {
    address("/audit", &[("q", query), ("zone", if zone == "UTC" { "" } else { zone })])
}

/// The trail narrowed to one value, for links on other pages.
pub fn only(key: Key, value: &str) -> String {
    at(&super::query::Query::default().with(false, key, value).to_string(), "UTC")
}
