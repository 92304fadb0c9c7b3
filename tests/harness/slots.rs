//! How many clusters may run at once: memory and processors are few, and waiting is cheaper than starving.

use tokio::sync::{Semaphore, SemaphorePermit};

/// About 0.4 GiB each, and half a core while they start.
const CLUSTERS: usize = 10;

static SLOTS: Semaphore = Semaphore::const_new(CLUSTERS);

/// The right to run this many clusters, until it is dropped. Taken as a whole: two tests that each hold half of what they
/// need would wait forever.
pub async fn of_clusters(count: usize) -> SemaphorePermit<'static> {
    let count = u32::try_from(count.min(CLUSTERS)).expect("a small number");
    SLOTS.acquire_many(count).await.expect("it is never closed")
}
