//! Places at which the tests stop the process dead, as a power cut would. In any other build there is nothing here:
//! the tests' dependency on `fail` with its feature is what fills them.

/// Aborts the process here if a test asked for it by this name.
pub fn at(_point: &'static str) {
    fail::fail_point!(_point, |_| std::process::abort());
}

/// The same before or after a row's new state is recorded, by the names of the row, the state and the side.
pub fn beside(_row: &str, _state: &str, _side: &str) {
    fail::fail_point!(&format!("{_row}.{_state}.{_side}"), |_| std::process::abort());
}
