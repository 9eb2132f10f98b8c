//! Stories that drive the real operations with a fixed clock, on SQLite always and on PostgreSQL when
//! `COUNTERSIGN_TEST_POSTGRES` names one (`cargo xtask test` starts it).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cast;
mod controls;
mod crash;
mod provider;
mod steps;
mod support;

mod access_api;
mod api;
mod cases;
mod crowd;
mod delegation;
mod expiry;
mod explain;
mod factors;
mod faults;
mod grants;
mod hostile;
mod http;
mod jobs;
mod ledger;
mod levels;
mod matrix;
mod metrics;
mod middle;
mod nesting;
mod owner;
mod parity;
mod people;
mod periods;
mod policies;
mod process;
mod promises;
mod providers;
mod replicas;
mod reports;
mod requests;
mod rotations;
mod schedules;
mod sealed;
mod search;
mod second;
mod signals;
mod state;
mod streams;
mod tidy;
mod trail_api;
mod vault;
mod webhooks;
mod workloads;
