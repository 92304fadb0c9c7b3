//! A new credential under a running connection.

use tokio::time::{Instant, sleep_until};

use super::open::retry;
use super::pending::Pending;
use crate::client::connect::{self, Allowed, ConnectError, Link};
use crate::client::retry::Retry;
use crate::client::secret::Credential;

/// Replaces the credential in use by the wanted one.
pub(super) struct Exchange {
    used: Credential,
    allowed: Allowed,
    wanted: Option<Credential>,
    opening: Pending<Result<Link, ConnectError>>,
    retry: Retry,
    due: Instant,
}

impl Exchange {
    pub(super) fn new(used: Credential, allowed: Allowed) -> Self {
        Self { used, allowed, wanted: None, opening: Pending::none(), retry: retry(), due: Instant::now() }
    }

    pub(super) fn want(&mut self, wanted: Credential) {
        let new = wanted != self.used && wanted != Credential::Unknown;
        self.wanted = new.then_some(wanted);
        self.opening.stop();
        self.retry.reset();
        self.due = Instant::now();
    }

    pub(super) fn is_settled(&self) -> bool {
        self.wanted.is_none()
    }

    pub(super) fn settle(&mut self, used: Credential) {
        self.used = used;
        self.wanted = None;
    }

    pub(super) fn later(&mut self) {
        self.due = Instant::now() + self.retry.delay();
    }

    /// Opens the wanted credential when it is due; never ready while there is none. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> (Result<Link, ConnectError>, Credential) {
        let Some(wanted) = self.wanted.clone() else { return std::future::pending().await };
        if self.opening.is_none() {
            sleep_until(self.due).await;
            let (credential, allowed) = (wanted.clone(), self.allowed.clone());
            self.opening.start(async move { connect::open_fully(&credential, &allowed).await });
        }
        (self.opening.result().await, wanted)
    }
}
