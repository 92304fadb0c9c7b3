//! The protocol between the bench and the server's process: one JSON document a line, one answer to each command.

use serde::{Deserialize, Serialize};

/// From the bench to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Send the whole federation to the engine. Answered once it is known and may be served.
    Begin,
    /// One endpoint of a service becomes unready, or ready again.
    Flip { service: usize, endpoint: usize },
    /// Add a service that was not in the federation.
    Add { service: usize },
    /// Remove it again.
    Remove { service: usize },
    /// Report the counters.
    Count,
    /// Compare the engine's state with one that is computed from scratch.
    Check,
    /// The bare server only: send every client one message of about so many bytes, as a new version of this load assignment.
    Push { name: String, version: u64, bytes: usize },
}

/// From the server to the bench.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The first line: where clients may connect.
    Listening {
        address: std::net::SocketAddr,
    },
    /// Done; for a change, the wall-clock time at which it was sent to the feed.
    Done {
        at_ns: u64,
    },
    Counters(Counters),
    Checked(Checked),
    Failed {
        reason: String,
    },
}

/// What the server counted. All but `streams`, `resources` and `last_round_ns` only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub streams: i64,
    /// Resources held, by type, over all classes.
    pub resources: i64,
    pub accepted: u64,
    pub refused: u64,
    pub requests: u64,
    pub responses: u64,
    pub acks: u64,
    pub nacks: u64,
    pub resources_sent: u64,
    pub removals_sent: u64,
    pub sent_bytes: u64,
    pub merged: u64,
    /// How long the engine's thread took for its latest round, until all streams concerned were woken.
    pub last_round_ns: u64,
    pub encoded: u64,
}

/// What a check of the engine's invariants found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// 0: nothing was checked.
    pub compared: usize,
    pub violations: usize,
    /// The first violations.
    pub examples: Vec<String>,
}

/// Wall-clock time that two processes of one machine can compare, in nanoseconds.
pub fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
