//! What a client writes down about each request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::world::Spot;

/// One request and what came of it. Times count from the start of the show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which client; an index into the list of seats.
    pub client: usize,
    pub started: Duration,
    pub ended: Duration,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Served(Arc<Spot>),
    Failed(Failure),
}

/// How a request failed, in the client's eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// The proxy had sent it to a backend, and that connection ended before the answer.
    BackendGone,
    /// The proxy dialled a backend that no longer listens.
    BackendRefused,
    /// The proxy knew no backend that it might use.
    NoBackend,
    /// The proxy knew no such service.
    NoService,
    /// Any other answer than 200, or one that no backend of ours gives.
    OtherAnswer,
    TimedOut,
    /// The connection to the client's own proxy failed.
    Proxy,
}

/// What a backend says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub service: String,
    pub region: String,
    pub cluster: String,
    pub zone: String,
    pub pod: String,
}

impl Failure {
    /// True if a pod that has just been killed can be the cause.
    pub fn of_backend(self) -> bool {
        matches!(self, Self::BackendGone | Self::BackendRefused)
    }

    /// Reads Envoy's own words in the body of an answer that it made itself.
    pub fn of(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        if text.contains("no healthy upstream") {
            Self::NoBackend
        } else if text.contains("connection termination")
            || text.contains("before headers. reset reason: connection reset")
        {
            Self::BackendGone
        } else if text.contains("connection failure") {
            Self::BackendRefused
        } else if status == 404 {
            Self::NoService
        } else {
            Self::OtherAnswer
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackendGone => "the backend went away in the middle",
            Self::BackendRefused => "the backend did not listen any more",
            Self::NoBackend => "the proxy had no healthy backend",
            Self::NoService => "the proxy did not know the service",
            Self::OtherAnswer => "an unexpected answer",
            Self::TimedOut => "no answer in time",
            Self::Proxy => "the connection to the proxy failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoys_words_are_understood() {
        let gone = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination";
        let refused =
            b"upstream connect error or disconnect/reset before headers. retried and the latest reset reason: \
                        remote connection failure, transport failure reason: delayed connect error: Connection refused";
        assert_eq!(Failure::of(503, gone), Failure::BackendGone);
        assert_eq!(Failure::of(503, refused), Failure::BackendRefused);
        assert_eq!(Failure::of(503, b"no healthy upstream"), Failure::NoBackend);
        assert_eq!(Failure::of(404, b""), Failure::NoService);
        assert_eq!(Failure::of(500, b"oh"), Failure::OtherAnswer);
    }
}
