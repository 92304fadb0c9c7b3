//! How many streams may be brought up at a time. When a replica dies, all its proxies come to another one at once, each
//! with a first request of a hundred kilobytes and a wish for everything: they are read and answered a few at a time, and
//! the others wait unread.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams that are brought up at a time.
pub const CONCURRENT: usize = 64;
/// Who has not taken its first answers by then is no reason for others to wait any longer.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Long requests that are read at a time, over all streams: a proxy that comes back says all it has in each type's first
/// request, in hundreds of kilobytes, and read side by side those of a thousand would all be in memory at once.
pub const LONG_REQUESTS: usize = 32;
/// Who waits for longer than this is read all the same: those before it are slow, or no friends.
const LONG_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Admission {
    streams: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Default for Admission {
    fn default() -> Self {
        Self::of(CONCURRENT)
    }
}

impl Admission {
    /// With so many places for streams.
    pub fn of(places: usize) -> Self {
        Self { streams: Arc::new(Semaphore::new(places)), long: Arc::new(Semaphore::new(LONG_REQUESTS)) }
    }

    /// Waits for a place; the first to come is the first to get one. Dropping it makes room for the next.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.streams.clone().acquire_owned().await.ok()
    }

    /// The same for a long request; `None` if that takes too long.
    pub(super) fn enter_long(&self) -> impl Future<Output = Option<OwnedSemaphorePermit>> + Send + use<> {
        let place = self.long.clone().acquire_owned();
        async move { tokio::time::timeout(LONG_PATIENCE, place).await.ok()?.ok() }
    }
}
