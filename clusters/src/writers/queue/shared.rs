//! What the handles of the queue and its run share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation::model::ClusterId;
use tokio::sync::{Notify, watch};

use super::list::List;
use crate::conditions::progress::{Hold, MirrorProgress};

#[derive(Debug)]
pub(super) struct Shared {
    /// Who we are: UID of the hub's `kube-system` namespace.
    pub(super) hub: Arc<str>,
    /// Held for moments only, never across IO. It is bounded by the objects that exist.
    list: Mutex<List>,
    pub(super) wake: Notify,
    /// A write to the hub ended.
    pub(super) hub_written: Notify,
    pub(super) progress: watch::Sender<BTreeMap<ClusterId, MirrorProgress>>,
    /// Members that the engine plans mirrors for; no other cluster is claimed.
    pub(super) planned: watch::Sender<BTreeSet<ClusterId>>,
    /// Of planned members that are connected.
    pub(super) holds: watch::Sender<BTreeMap<ClusterId, Hold>>,
}

impl Shared {
    pub(super) fn new(hub: Arc<str>) -> Self {
        Self {
            hub,
            list: Mutex::default(),
            wake: Notify::new(),
            hub_written: Notify::new(),
            progress: watch::Sender::new(BTreeMap::new()),
            planned: watch::Sender::new(BTreeSet::new()),
            holds: watch::Sender::new(BTreeMap::new()),
        }
    }

    pub(super) fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far each member is, and which hub writes there.
    pub(super) fn publish(&self, held: &BTreeMap<ClusterId, Hold>) {
        let mut progress = self.list().progress();
        for (cluster, hold) in held {
            progress.entry(cluster.clone()).or_default().hold.clone_from(hold);
        }
        self.progress.send_if_modified(|known| {
            let changed = *known != progress;
            if changed {
                *known = progress;
            }
            changed
        });
    }
}
