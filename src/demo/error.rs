//! Why the demo could not be shown. (That a failover did not hold is a result, not an error.)

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use programs::envoy::ObtainError;
use programs::process::{Process, ProcessError};

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// `--keep` names a folder that holds something already.
    #[error("--keep {}: the folder is not empty; expected a new or an empty folder", path.display())]
    KeepNotEmpty { path: PathBuf },
    #[error(transparent)]
    Envoy(#[from] ObtainError),
    /// A loopback address that a part of the demo needs cannot be had.
    #[error(
        "cannot listen on {address} for {what}: {source}. The demo gives every pod and every proxy a loopback address of \
         its own, which needs Linux (all of 127.0.0.0/8 is loopback there), and nothing else listening on that port"
    )]
    Address { what: String, address: SocketAddr, source: io::Error },
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{name} was not ready within {} s: {reason}; its last words: {words}", waited.as_secs())]
    NotReady { name: String, waited: Duration, reason: String, words: String },
    /// Ctrl-C, or a request to end.
    #[error("interrupted")]
    Interrupted,
}

impl DemoError {
    /// `process` was not ready after so long, for this reason.
    pub fn not_ready(process: &Process, waited: Duration, reason: String) -> Self {
        Self::NotReady { name: process.name().to_owned(), waited, reason, words: process.last_words() }
    }

    /// 2: the demo cannot run here as asked; something has to be changed or installed. 1: it ran, and went wrong.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::KeepNotEmpty { .. }
            | Self::Envoy(_)
            | Self::Address { .. }
            | Self::Io { .. }
            | Self::Process(ProcessError::Log { .. } | ProcessError::Start { .. }) => 2,
            Self::Process(ProcessError::Ended { .. }) | Self::NotReady { .. } | Self::Interrupted => 1,
        }
    }
}
