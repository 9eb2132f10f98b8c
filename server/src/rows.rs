//! Turns at rows. Of this replica's transactions one at a time holds a row or waits for it at the server; the others wait here. A
//! replica that is paused then leaves one of them behind at the row, not a chain of which the server ends one after the other.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

/// Ids that are remembered before those that nobody waits for any more are dropped.
const MOST: usize = 1024;

#[derive(Default)]
pub struct Rows(Mutex<HashMap<String, Weak<Queue<()>>>>);

/// A turn at a row, until it is dropped.
pub type Turn = OwnedMutexGuard<()>;

impl Rows {
    /// Waits for the turn at the row with this id, in the order of asking.
    pub async fn turn(&self, id: &str) -> Turn {
        let queue = self.queue(id);
        queue.lock_owned().await
    }

    fn queue(&self, id: &str) -> Arc<Queue<()>> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = rows.get(id).and_then(Weak::upgrade) {
            return queue;
        }
        if rows.len() >= MOST {
            rows.retain(|_, queue| queue.strong_count() > 0);
        }
        let queue = Arc::new(Queue::new(()));
        rows.insert(id.to_owned(), Arc::downgrade(&queue));
        queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_has_a_row() {
        let rows = Arc::new(Rows::default());
        let first = rows.turn("sec_one").await;
        let _other = rows.turn("sec_two").await;
        let waiting = tokio::spawn({
            let rows = rows.clone();
            async move { rows.turn("sec_one").await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        drop(first);
        drop(waiting.await.unwrap());
        for n in 0..2 * MOST {
            drop(rows.turn(&n.to_string()).await);
        }
        assert!(rows.0.lock().unwrap().len() <= MOST);
    }
}
