//! Where a watch delivers what it observes.

use std::sync::Arc;

use federation::change::{Batch, Delta, Object};

use crate::sources::feed::{Feed, FeedClosed};

/// Where deltas go.
pub trait Sink<T: Object>: Send {
    fn take(&mut self, delta: Delta<T>) -> impl Future<Output = Result<(), FeedClosed>> + Send;

    /// The kind cannot be read now; the next complete list ends this.
    fn unreadable(&mut self, _message: Arc<str>) -> impl Future<Output = Result<(), FeedClosed>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Delivers to the engine, as the batch that `wrap` makes of a delta.
pub struct ToFeed<F> {
    pub feed: Feed,
    pub wrap: F,
}

impl<T, F> Sink<T> for ToFeed<F>
where
    T: Object + Send,
    T::Key: Send,
    F: Fn(Delta<T>) -> Batch + Send,
{
    async fn take(&mut self, delta: Delta<T>) -> Result<(), FeedClosed> {
        self.feed.send((self.wrap)(delta)).await
    }
}
