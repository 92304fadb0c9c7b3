//! One member, for as long as it is one: connect, say who answered, keep the watches alive, notice the loss, connect
//! again, for ever. State belongs to the member and not to its credential, so a credential is exchanged under a running
//! connection, and one that does not work changes nothing but a note.

mod exports;
mod held;
mod hints;
mod kinds;
mod probe;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use federation::change::{Batch, Epoch, LinkChange, LinkFailure, MemberChanges};
use federation::model::{ClusterId, ClusterUid};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::bounds::MemberBounds;
use crate::client::connect::{self, Allowed, ConnectError, Link};
use crate::client::retry::Retry;
use crate::client::secret::Credential;
use crate::problem::ProblemBook;
use crate::sources::feed::{Feed, FeedClosed};
use crate::tables::{Clients, Note, NoteReason, Notes, SeenMark};
use kinds::Seen;

/// Wait after the first failure to connect, and the longest wait between tries.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// A connection that lived so long was a good one: the next failure starts with short waits again.
const GOOD_AFTER: Duration = Duration::from_secs(30);

/// Gives every connection of every member a number that is higher than all before.
#[derive(Clone, Debug, Default)]
pub struct Epochs(Arc<AtomicU64>);

impl Epochs {
    pub fn next(&self) -> Epoch {
        Epoch(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// What a member's task works with.
pub struct Member {
    pub id: ClusterId,
    pub feed: Feed,
    pub problems: ProblemBook,
    pub bounds: MemberBounds,
    pub seen: SeenMark,
    pub clients: Clients,
    pub notes: Notes,
    pub epochs: Epochs,
    /// The credential as the hub holds it; changes are noticed at once.
    pub credential: watch::Receiver<Credential>,
}

/// The credential that worked last, and for whom.
struct Good {
    credential: Credential,
    uid: ClusterUid,
}

/// A connection, how it was made, and what to say about it.
struct Made {
    link: Link,
    credential: Credential,
    note: Option<Note>,
}

impl Member {
    /// Runs until the feed closes or nobody owns the credential any more; dropping the future ends everything at once.
    pub async fn run(mut self) -> FeedClosed {
        let _cleared = Cleared { id: self.id.clone(), clients: self.clients.clone(), notes: self.notes.clone() };
        let were_there = Seen::default();
        let mut retry = Retry::new(FIRST_RETRY, LAST_RETRY);
        let mut good: Option<Good> = None;
        let mut said: Option<ConnectError> = None;
        loop {
            let wanted = self.credential.borrow_and_update().clone();
            if wanted == Credential::Unknown {
                if self.credential.changed().await.is_err() {
                    return FeedClosed;
                }
                continue;
            }
            let made = tokio::select! {
                made = make(&wanted, good.as_ref(), &self.bounds.addresses) => made,
                changed = self.credential.changed() => match changed {
                    Ok(()) => { retry.reset(); continue }
                    Err(_) => return FeedClosed,
                },
            };
            let epoch = self.epochs.next();
            let failure = match made {
                Ok(made) => {
                    good = Some(Good { credential: made.credential.clone(), uid: made.link.client.uid.clone() });
                    let since = Instant::now();
                    let lost = match held::hold(&mut self, made, &wanted, epoch, &were_there, &mut good).await {
                        Ok(lost) => lost,
                        Err(closed) => return closed,
                    };
                    if since.elapsed() >= GOOD_AFTER {
                        retry.reset();
                    }
                    said = None;
                    lost
                }
                Err(error) => error,
            };
            // Once for each kind of failure: it is a state, not an event.
            if said.as_ref() != Some(&failure) {
                tracing::warn!(cluster = %self.id, reason = ?failure.reason, "not connected: {failure}");
                let down = LinkChange::Down { reason: failure.reason, message: failure.message.clone() };
                if let Err(closed) = self.say(epoch, down).await {
                    return closed;
                }
                said = Some(failure);
            }
            tokio::select! {
                () = tokio::time::sleep(retry.delay()) => {}
                changed = self.credential.changed() => match changed {
                    Ok(()) => retry.reset(),
                    Err(_) => return FeedClosed,
                },
            }
        }
    }

    async fn say(&self, epoch: Epoch, link: LinkChange) -> Result<(), FeedClosed> {
        let changes = MemberChanges::Link(link);
        self.feed.send(Batch::Member { cluster: self.id.clone(), epoch, changes }).await
    }
}

/// Connects with the credential that is wanted, or, if that one does not work, with the one that did.
async fn make(wanted: &Credential, good: Option<&Good>, allowed: &Allowed) -> Result<Made, ConnectError> {
    let other = good.filter(|good| good.credential != *wanted);
    // One that works in part must not replace one that works; where there is no other, it is better than none.
    let first = match other {
        Some(_) => connect::open_fully(wanted, allowed).await,
        None => connect::open(wanted, allowed).await,
    };
    match (first, other) {
        (Ok(link), None) => Ok(Made { link, credential: wanted.clone(), note: None }),
        (Ok(link), Some(good)) if link.client.uid == good.uid => {
            Ok(Made { link, credential: wanted.clone(), note: None })
        }
        (Ok(link), Some(good)) => {
            // The new one leads elsewhere. If the old one still works, we stay where we were admitted.
            let note = identity_note(&good.uid, &link.client.uid);
            match connect::open(&good.credential, allowed).await {
                Ok(old) => Ok(Made { link: old, credential: good.credential.clone(), note: Some(note) }),
                Err(_) => Ok(Made { link, credential: wanted.clone(), note: None }),
            }
        }
        // Taking the Secret away is a way to say "stop".
        (Err(error), Some(good)) if error.reason != LinkFailure::SecretMissing => {
            match connect::open(&good.credential, allowed).await {
                Ok(link) => Ok(Made { link, credential: good.credential.clone(), note: Some(failure_note(&error)) }),
                Err(_) => Err(error),
            }
        }
        (Err(error), _) => Err(error),
    }
}

fn failure_note(error: &ConnectError) -> Note {
    let message = format!("the new credential does not work, so the previous one stays in use: {error}");
    Note { reason: NoteReason::Failure(error.reason), message: Arc::from(message) }
}

fn identity_note(ours: &ClusterUid, found: &ClusterUid) -> Note {
    let message = format!(
        "the new credential leads to another cluster (UID {}) than the one that is a member (UID {}), so the previous one \
         stays in use; to replace the cluster, delete this MemberCluster and create it anew",
        found.0, ours.0
    );
    Note { reason: NoteReason::IdentityChanged, message: Arc::from(message) }
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
