//! Connects, and connects again after a loss, with growing waits.

use std::time::Duration;

use federation::change::{Epoch, LinkChange};
use federation::model::ClusterId;
use tokio::time::Instant;

use super::Member;
use super::held;
use super::kinds::Seen;
use super::open::{Good, Opened, open, retry};
use crate::client::connect::ConnectError;
use crate::client::secret::Credential;
use crate::sources::feed::FeedClosed;
use crate::tables::{Clients, Notes};

/// A connection that lasted so long was a good one: the next failure starts with short waits again.
const GOOD_AFTER: Duration = Duration::from_secs(30);

impl Member {
    /// Runs until the feed closes or the sender of the credential is dropped; dropping the future ends everything at once.
    #[tracing::instrument(name = "member", level = "debug", skip_all, fields(cluster = %self.id))]
    pub async fn run(mut self) -> FeedClosed {
        let _cleared = Cleared { id: self.id.clone(), clients: self.clients.clone(), notes: self.notes.clone() };
        match self.reconnect().await {
            Ok(never) => match never {},
            Err(closed) => closed,
        }
    }

    async fn reconnect(&mut self) -> Result<std::convert::Infallible, FeedClosed> {
        let were_there = Seen::default();
        let mut retry = retry();
        let mut good: Option<Good> = None;
        let mut reported: Option<ConnectError> = None;
        loop {
            let wanted = self.credential.borrow_and_update().clone();
            if wanted == Credential::Unknown {
                self.credential.changed().await.map_err(|_| FeedClosed)?;
                continue;
            }
            let opened = tokio::select! {
                opened = open(&wanted, good.as_ref(), &self.bounds.addresses) => opened,
                changed = self.credential.changed() => {
                    changed.map_err(|_| FeedClosed)?;
                    retry.reset();
                    continue;
                }
            };
            let epoch = self.epochs.next();
            let failure = match opened {
                Ok(opened) => {
                    let since = Instant::now();
                    let lost = self.hold(opened, &wanted, epoch, &were_there, &mut good).await?;
                    if since.elapsed() >= GOOD_AFTER {
                        retry.reset();
                    }
                    reported = None;
                    lost
                }
                Err(error) => error,
            };
            // Once for each kind of failure: it is a state, not an event.
            if reported.as_ref() != Some(&failure) {
                self.report_down(epoch, &failure).await?;
                reported = Some(failure);
            }
            tokio::select! {
                () = tokio::time::sleep(retry.delay()) => {}
                changed = self.credential.changed() => {
                    changed.map_err(|_| FeedClosed)?;
                    retry.reset();
                }
            }
        }
    }

    async fn hold(
        &mut self,
        opened: Opened,
        wanted: &Credential,
        epoch: Epoch,
        were_there: &Seen,
        good: &mut Option<Good>,
    ) -> Result<ConnectError, FeedClosed> {
        *good = Some(Good { credential: opened.credential.clone(), uid: opened.link.client.uid.clone() });
        held::hold(self, opened, wanted, epoch, were_there, good).await
    }

    async fn report_down(&self, epoch: Epoch, failure: &ConnectError) -> Result<(), FeedClosed> {
        tracing::warn!(cluster = %self.id, reason = ?failure.reason, "not connected: {failure}");
        self.report_link(epoch, LinkChange::Down { reason: failure.reason, message: failure.message.clone() }).await
    }
}

/// Takes back what was published when the task ends, however it ends.
struct Cleared {
    id: ClusterId,
    clients: Clients,
    notes: Notes,
}

impl Drop for Cleared {
    fn drop(&mut self) {
        self.clients.publish(&self.id, None);
        self.notes.set(&self.id, None);
    }
}
