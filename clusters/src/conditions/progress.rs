//! How far the mirroring of one member is, and which hub writes there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// A write and its watch event take milliseconds, on a busy API server some seconds.
const LATE_AFTER: Duration = Duration::from_secs(5);

/// How far a member's mirroring is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorProgress {
    /// Objects that are not yet as they should be, as far as the member's watch shows.
    pub pending: usize,
    /// Of these, how many were written as they should be, so that only the watch is awaited.
    pub accepted: usize,
    /// Since when the oldest of them differs.
    pub since: Option<Instant>,
    /// Why one of them could not be written; `None` if all writes went well.
    pub last_error: Option<Arc<str>>,
    /// Which hub writes there. Nothing is written before it is known to be this one.
    pub hold: Hold,
}

impl MirrorProgress {
    /// Something has differed for longer than a write and the event that shows it take.
    pub fn is_late(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= LATE_AFTER)
    }
}

/// Who writes mirrors into a member, as far as this hub knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    #[default]
    Unknown,
    Ours,
    Another(Claim),
    /// The Lease could not be read or written.
    Failed(Arc<str>),
}

/// A hub's claim to a member. Its text is what a person writes to replace exactly this one: a claim is never made twice,
/// so that two hubs whose annotations name each other do not take turns forever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub hub: Arc<str>,
    /// How often the member had changed hands.
    pub number: i32,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.hub, self.number)
    }
}
