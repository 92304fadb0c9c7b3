//! How far a connection came before it failed.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tower::BoxError;

/// What is done before a request can be sent, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Resolving the server's name.
    Lookup,
    /// Opening the TCP connection.
    Dial,
    /// The TLS handshake.
    Handshake,
}

/// A connection that was not made.
#[derive(Debug)]
pub struct ConnectFailure {
    /// The step under way when it failed.
    pub step: Step,
    /// It took longer than this; `None`: it failed by itself.
    pub late: Option<Duration>,
    pub source: Option<BoxError>,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection ({:?})", self.step)
    }
}

impl StdError for ConnectFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
