//! Bounded waiting: polls until something is true, and says what was last seen
//! when it never becomes so.

use std::fmt::Display;
use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(50);

/// Polls until `poll` gives `Ok`; panics with `what` and the last error once
/// `limit` has passed. A poll that hangs counts as one that failed.
pub async fn eventually<T, E: Display>(what: &str, limit: Duration, mut poll: impl AsyncFnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + limit;
    let mut last = String::from("nothing: the first look took too long");
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, poll()).await {
            Ok(Ok(value)) => return value,
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => {}
        }
        assert!(Instant::now() + POLL_EVERY < end, "{what}: not within {limit:?}; last seen: {last}");
        tokio::time::sleep(POLL_EVERY).await;
    }
}
