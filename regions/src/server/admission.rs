//! How many streams may be brought up at a time. When a replica dies, all its proxies come to another one at once, each
//! with a first request of a hundred kilobytes and a wish for everything: they are read and answered a few at a time, and
//! the others wait unread.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams that are brought up at a time.
pub const CONCURRENT: usize = 64;
/// Who has not taken its first answers by then is no reason for others to wait any longer.
pub const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Admission(Arc<Semaphore>);

impl Default for Admission {
    fn default() -> Self {
        Self::of(CONCURRENT)
    }
}

impl Admission {
    /// With so many places.
    pub fn of(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Waits for a place; the first to come is the first to get one. Dropping it makes room for the next.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().acquire_owned().await.ok()
    }
}
