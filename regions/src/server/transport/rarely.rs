//! Limits how often a line is logged.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// At most one line is logged in this time.
const INTERVAL: Duration = Duration::from_secs(10);

/// Decides whether a line is logged now, and counts those that are not.
#[derive(Debug, Default)]
pub(super) struct Rarely(Mutex<Logged>);

#[derive(Debug, Default)]
struct Logged {
    last: Option<Instant>,
    omitted: u64,
}

impl Rarely {
    /// If the line should be logged now: how many were not logged since the last one.
    pub(super) fn due(&self) -> Option<u64> {
        let now = Instant::now();
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            logged.omitted += 1;
            return None;
        }
        logged.last = Some(now);
        Some(std::mem::take(&mut logged.omitted))
    }
}
