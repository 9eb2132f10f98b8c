//! What happens in Countersign: operations, SQL, HTTP, jobs, command line.
pub mod audit;
pub mod clock;
pub mod config;
pub mod db;
pub mod instance;
pub mod keys;
