//! Is the API server there? Asked on a timer, and at once when a watch breaks.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::MemberClient;
use crate::client::bounds::CALL_TIMEOUT;
use crate::client::connect::{ConnectError, describe, late};

/// Time between probes. With [`CALL_TIMEOUT`] and one repetition this bounds how long a loss goes unnoticed: 4 s until
/// asked, 4 s without an answer, 1 s, 4 s again.
const PROBE_EVERY: Duration = Duration::from_secs(4);
/// Time to the second try.
const PROBE_AGAIN: Duration = Duration::from_secs(1);
/// Failures in a row after which the connection counts as lost.
const STRIKES: u32 = 2;

/// When to probe next, and what the answers come to. No IO.
#[derive(Debug)]
pub(super) struct Schedule {
    due: Instant,
    strikes: u32,
    /// A watch broke since the last good answer.
    suspicious: bool,
}

impl Schedule {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now + PROBE_EVERY, strikes: 0, suspicious: false }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn watch_broke(&mut self, now: Instant) {
        // One early probe for each good answer: a watch that keeps breaking does not make us probe without pause.
        if !self.suspicious {
            self.suspicious = true;
            self.due = self.due.min(now);
        }
    }

    /// Takes an answer; the error that comes back ends the connection.
    pub(super) fn answer(&mut self, now: Instant, answer: Result<(), Failure>) -> Result<(), ConnectError> {
        match answer {
            Ok(()) => {
                *self = Self::new(now);
                Ok(())
            }
            Err(failure) => {
                self.strikes += 1;
                // A broken watch and a refused connection are two witnesses.
                if self.strikes >= STRIKES || (self.suspicious && failure.at_once) {
                    return Err(failure.error);
                }
                self.due = now + PROBE_AGAIN;
                Ok(())
            }
        }
    }
}

/// A probe that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ConnectError,
    /// The connection was refused or reset; silence, connecting included, is not that.
    pub(super) at_once: bool,
}

/// Asks `/livez`. A credential that was revoked is noticed too: API servers check it before anything else.
pub(super) async fn probe(client: MemberClient, server: http::Uri) -> Result<(), Failure> {
    const WHAT: &str = "check that it is alive";
    let Ok(request) = http::Request::get("/livez").body(Vec::new()) else { return Ok(()) };
    let begun = Instant::now();
    match tokio::time::timeout(CALL_TIMEOUT, client.client.request_text(request)).await {
        Ok(Ok(_)) => Ok(()),
        // Alive, but it does not let us ask.
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 403 | 404) => Ok(()),
        Ok(Err(error)) => {
            let at_once = !matches!(error, kube::Error::Api(_)) && begun.elapsed() < CALL_TIMEOUT / 2;
            Err(Failure { error: describe(&server, WHAT, &error), at_once })
        }
        Err(_) => Err(Failure { error: late(&server, WHAT), at_once: false }),
    }
}
