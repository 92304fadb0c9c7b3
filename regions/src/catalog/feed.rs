//! From the writer to the streams of one class: the newest snapshot, and a tap on the shoulder for those it concerns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::interest::{Interest, Topic};
use crate::snapshot::Snapshot;

/// Topics that are tested one by one. With more of them at once almost everybody is concerned.
const MAX_TOPICS: usize = 256;

/// What the writer holds of a class, and its streams share.
#[derive(Debug, Default)]
pub(super) struct Feed {
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    readers: Mutex<Vec<Arc<Interest>>>,
}

/// A class's snapshots, as long as this is held. There is none until the catalog is ready.
#[derive(Debug)]
pub struct ClassSubscription {
    feed: Arc<Feed>,
    interest: Arc<Interest>,
}

/// Whom a publication concerns.
#[derive(Debug)]
pub(super) enum Concerns {
    Everybody,
    Only(Vec<Topic>),
}

impl Concerns {
    pub(super) fn nobody() -> Self {
        Self::Only(Vec::new())
    }

    pub(super) fn add(&mut self, topics: impl IntoIterator<Item = Topic>) {
        if let Self::Only(known) = self {
            known.extend(topics.into_iter().take(MAX_TOPICS + 1));
            if known.len() > MAX_TOPICS {
                *self = Self::Everybody;
            }
        }
    }
}

impl Feed {
    /// Hands out a subscription whose stream wants what `interest` says.
    pub(super) fn subscribe(self: &Arc<Self>, interest: Arc<Interest>) -> ClassSubscription {
        readers(self).push(interest.clone());
        ClassSubscription { feed: self.clone(), interest }
    }

    pub(super) fn is_used(&self) -> bool {
        !readers(self).is_empty()
    }

    pub(super) fn publish(&self, snapshot: Arc<Snapshot>, concerns: &Concerns) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        // After it was published: a stream that came to want something meanwhile has read the new snapshot, or is seen
        // to want it here.
        for reader in readers(self).iter() {
            let concerned = match concerns {
                Concerns::Everybody => true,
                Concerns::Only(topics) => topics.iter().any(|topic| reader.wants(*topic)),
            };
            if concerned {
                reader.wake();
            }
        }
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClassSubscription {
    /// The newest snapshot.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.feed.snapshot()
    }
}

impl Drop for ClassSubscription {
    fn drop(&mut self) {
        let mut readers = readers(&self.feed);
        if let Some(at) = readers.iter().position(|reader| Arc::ptr_eq(reader, &self.interest)) {
            readers.swap_remove(at);
        }
    }
}

/// A list of pointers: one left by a panicking thread is as good as any.
fn readers(feed: &Feed) -> MutexGuard<'_, Vec<Arc<Interest>>> {
    feed.readers.lock().unwrap_or_else(PoisonError::into_inner)
}
