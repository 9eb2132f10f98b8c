//! Places at which the tests stop the process dead, as a power cut would. In any other build there is nothing here:
//! the tests' dependency on `fail` with its feature is what fills [`at`].

/// Aborts the process here if a test asked for it by this name.
pub fn at(_point: &'static str) {
    fail::fail_point!(_point, |_| std::process::abort());
}
