//! Which credential a connection is opened with: the wanted one, or the one that worked last.

use std::sync::Arc;
use std::time::Duration;

use federation::change::LinkFailure;
use federation::model::ClusterUid;

use crate::client::connect::{self, Allowed, ConnectError, Link};
use crate::client::retry::Retry;
use crate::client::secret::Credential;
use crate::tables::{Note, NoteReason};

/// Wait after the first failure to connect, and the longest wait between tries.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// The credential that worked last, and for whom.
pub(super) struct Good {
    pub(super) credential: Credential,
    pub(super) uid: ClusterUid,
}

/// A connection, the credential it was opened with, and the note for the member's status.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) credential: Credential,
    pub(super) note: Option<Note>,
}

pub(super) fn retry() -> Retry {
    Retry::new(FIRST_RETRY, LAST_RETRY)
}

/// Connects with the wanted credential, or, if that one does not work, with the one that worked last.
pub(super) async fn open(wanted: &Credential, good: Option<&Good>, allowed: &Allowed) -> Result<Opened, ConnectError> {
    let other = good.filter(|good| good.credential != *wanted);
    // One that works in part must not replace one that works; where there is no other, it is better than none.
    let first = match other {
        Some(_) => connect::open_fully(wanted, allowed).await,
        None => connect::open(wanted, allowed).await,
    };
    match (first, other) {
        (Ok(link), None) => Ok(Opened { link, credential: wanted.clone(), note: None }),
        (Ok(link), Some(good)) if link.client.uid == good.uid => {
            Ok(Opened { link, credential: wanted.clone(), note: None })
        }
        (Ok(link), Some(good)) => {
            // The new one leads to another cluster. If the old one still works, the connection stays with the admitted one.
            let note = identity_note(&good.uid, &link.client.uid);
            match connect::open(&good.credential, allowed).await {
                Ok(old) => Ok(Opened { link: old, credential: good.credential.clone(), note: Some(note) }),
                Err(_) => Ok(Opened { link, credential: wanted.clone(), note: None }),
            }
        }
        // Users delete the Secret to stop the connection, so its last content is not used any more.
        (Err(error), Some(good)) if error.reason != LinkFailure::SecretMissing => {
            match connect::open(&good.credential, allowed).await {
                Ok(link) => Ok(Opened { link, credential: good.credential.clone(), note: Some(failure_note(&error)) }),
                Err(_) => Err(error),
            }
        }
        (Err(error), _) => Err(error),
    }
}

pub(super) fn failure_note(error: &ConnectError) -> Note {
    let message = format!("the new credential does not work, so the previous one stays in use: {error}");
    Note { reason: NoteReason::Failure(error.reason), message: Arc::from(message) }
}

pub(super) fn identity_note(ours: &ClusterUid, found: &ClusterUid) -> Note {
    let message = format!(
        "the new credential leads to another cluster (UID {}) than the one that is a member (UID {}), so the previous one \
         stays in use; to replace the cluster, delete this MemberCluster and create it again",
        found.0, ours.0
    );
    Note { reason: NoteReason::IdentityChanged, message: Arc::from(message) }
}
