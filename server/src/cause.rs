//! Why the work at hand failed, in words for the people who run the service: an error says only what its user can act on.
//!
//! Code that fails says why where it is known ([`note`]); the caller that runs the work reads it afterwards ([`noted`]). Words name
//! tables, columns and ids, never a value.
use std::cell::RefCell;

tokio::task_local! {
    static CAUSE: RefCell<Option<String>>;
}

/// Says why something fails here. Without anybody who asks, it is forgotten.
pub fn note(words: impl FnOnce() -> String) {
    let _ = CAUSE.try_with(|cause| *cause.borrow_mut() = Some(words()));
}

/// Runs a piece of work; with its result the last cause that it noted.
pub async fn noted<T>(work: impl Future<Output = T>) -> (T, Option<String>) {
    CAUSE.scope(RefCell::default(), async { (work.await, CAUSE.with(RefCell::take)) }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_cause_of_a_work_is_its_own() {
        note(|| "nobody asks".into());
        let inner = noted(async { note(|| "another's".into()) });
        let (_, cause) = noted(async {
            note(|| "first".into());
            note(|| "last".into());
            inner.await
        })
        .await;
        assert_eq!(cause.as_deref(), Some("last"));
        assert_eq!(noted(async {}).await.1, None);
    }
}
