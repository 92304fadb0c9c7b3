//! The door between sources and the engine: one bounded channel. A source waits when the engine is behind;
//! the engine takes all that is waiting at once.

use federation::change::Batch;
use tokio::sync::mpsc;

/// Batches that may wait. Each is one watch event or one whole list, so this also bounds how far a source runs ahead.
pub const FEED_CAPACITY: usize = 1_024;

/// The sending side; every source holds a clone.
#[derive(Clone, Debug)]
pub struct Feed {
    sender: mpsc::Sender<Batch>,
}

/// The engine has ended: the process is shutting down, and a source should end too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct FeedClosed;

impl Feed {
    pub fn new() -> (Self, mpsc::Receiver<Batch>) {
        let (sender, receiver) = mpsc::channel(FEED_CAPACITY);
        (Self { sender }, receiver)
    }

    pub async fn send(&self, batch: Batch) -> Result<(), FeedClosed> {
        self.sender.send(batch).await.map_err(|_| FeedClosed)
    }

    /// For sources that run on a thread of their own.
    pub fn blocking_send(&self, batch: Batch) -> Result<(), FeedClosed> {
        self.sender.blocking_send(batch).map_err(|_| FeedClosed)
    }
}
