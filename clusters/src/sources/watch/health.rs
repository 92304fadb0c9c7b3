//! How long a watch has been failing, and what kind of trouble that is.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::answers::Fault;
use crate::client::retry::Retry;

/// A watch that has failed for so long is no watch: the connection is not what it claims to be.
const STUCK_AFTER: Duration = Duration::from_secs(30);
/// Failures further apart than this have nothing to do with each other.
const FORGIVEN_AFTER: Duration = Duration::from_secs(45);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// What is wrong with a watch. The watch is retried in any case; the listener decides about the connection.
#[derive(Debug)]
pub enum Trouble {
    /// It broke, or could not be opened. Often the first sign of a dead API server.
    Broken(kube::Error),
    /// 401 or 403: asking again changes nothing.
    Refused(kube::Error),
    /// What it sent cannot be read, or is too much.
    Unusable(kube::Error),
    /// It has failed for longer than [`STUCK_AFTER`].
    Stuck(kube::Error),
}

/// How long a watch has been failing.
pub(super) struct Health {
    pub(super) failures: u32,
    first: Option<Instant>,
    last: Option<Instant>,
    pub(super) absent: u32,
    pub(super) retry: Retry,
}

impl Health {
    pub(super) fn new() -> Self {
        let retry = Retry::new(FIRST_RETRY, LAST_RETRY);
        Self { failures: 0, first: None, last: None, absent: 0, retry }
    }

    pub(super) fn good(&mut self) {
        if self.failures > 0 || self.absent > 0 {
            // The delays stay long: a server that answers and fails by turns is not asked without pause.
            (self.failures, self.first, self.absent) = (0, None, 0);
        }
    }

    /// One more failure.
    pub(super) fn trouble(&mut self, error: kube::Error) -> Trouble {
        let at = Instant::now();
        // A watch that runs again without events does not call `good`.
        if self.last.is_some_and(|last| at.duration_since(last) > FORGIVEN_AFTER) {
            *self = Self::new();
        }
        self.failures += 1;
        self.last = Some(at);
        let first = *self.first.get_or_insert(at);
        match &error {
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => Trouble::Refused(error),
            _ if Fault::of(&error).is_some() => Trouble::Unusable(error),
            _ if at.duration_since(first) >= STUCK_AFTER => Trouble::Stuck(error),
            _ => Trouble::Broken(error),
        }
    }
}
