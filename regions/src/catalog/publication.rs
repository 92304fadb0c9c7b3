//! From the catalog to the streams of one class: the newest snapshot, and a wake-up for those streams that it concerns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::interest::{Interest, Topic};
use crate::snapshot::Snapshot;

/// Topics that are tested one by one. With more of them at once almost every stream is concerned.
const MAX_TOPICS: usize = 256;

/// What the catalog publishes for a class, and its streams share.
#[derive(Debug, Default)]
pub(super) struct Publication {
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    readers: Mutex<Vec<Arc<Interest>>>,
}

/// A class's snapshots, as long as this is held. There is none until the catalog is ready.
#[derive(Debug)]
pub struct ClassSubscription {
    publication: Arc<Publication>,
    interest: Arc<Interest>,
}

/// Which streams a new snapshot concerns.
#[derive(Debug)]
pub(super) enum Concerns {
    All,
    Only(Vec<Topic>),
}

impl Concerns {
    pub(super) fn none() -> Self {
        Self::Only(Vec::new())
    }

    pub(super) fn add(&mut self, topics: impl IntoIterator<Item = Topic>) {
        if let Self::Only(known) = self {
            known.extend(topics.into_iter().take(MAX_TOPICS + 1));
            if known.len() > MAX_TOPICS {
                *self = Self::All;
            }
        }
    }
}

impl Publication {
    /// Adds a stream that wants what `interest` says.
    pub(super) fn subscribe(self: &Arc<Self>, interest: Arc<Interest>) -> ClassSubscription {
        readers(self).push(interest.clone());
        ClassSubscription { publication: self.clone(), interest }
    }

    pub(super) fn is_used(&self) -> bool {
        !readers(self).is_empty()
    }

    pub(super) fn publish(&self, snapshot: Arc<Snapshot>, concerns: &Concerns) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        // After it was published: a stream that subscribed to something meanwhile has read the new snapshot, or its new
        // interest is seen here.
        for reader in readers(self).iter() {
            let concerned = match concerns {
                Concerns::All => true,
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
        self.publication.snapshot()
    }
}

impl Drop for ClassSubscription {
    fn drop(&mut self) {
        let mut readers = readers(&self.publication);
        if let Some(at) = readers.iter().position(|reader| Arc::ptr_eq(reader, &self.interest)) {
            readers.swap_remove(at);
        }
    }
}

/// A list of pointers, which a panic cannot leave half changed.
fn readers(publication: &Publication) -> MutexGuard<'_, Vec<Arc<Interest>>> {
    publication.readers.lock().unwrap_or_else(PoisonError::into_inner)
}
