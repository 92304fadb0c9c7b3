//! Says rarely what happens often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One line of log in this time, however often there would be reason for one.
const INTERVAL: Duration = Duration::from_secs(10);

/// Decides whether something is said now. What is not said is counted.
#[derive(Debug, Default)]
pub(super) struct Rarely(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    unsaid: u64,
}

impl Rarely {
    /// If it should be said now: how often it was not, since the last time.
    pub(super) fn due(&self) -> Option<u64> {
        let now = Instant::now();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            said.unsaid += 1;
            return None;
        }
        said.last = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}
