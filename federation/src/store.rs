//! The first stage after the hub: what the sources reported of each member's objects. Nothing is decided here.

mod change;
mod cluster;
mod index;
mod lists;
mod slices;
mod table;

pub(crate) use change::StoreChange;
pub(crate) use cluster::ClusterState;
pub(crate) use index::Mirrored;
pub(crate) use table::apply_table;

use std::collections::{BTreeMap, BTreeSet};

use crate::admission::Authority;
use crate::change::{Epoch, MemberChanges};
use crate::model::{ClusterId, ClusterUid, ServiceKey, Time};
use crate::packed::Pools;

/// The objects of all members.
pub(crate) struct Store {
    authority: Authority,
    clusters: BTreeMap<ClusterId, ClusterState>,
    pools: Pools,
}

/// What the store is given, in the order in which it happened.
pub(crate) enum StoreInput {
    /// The hub has a new or changed member, with this identity on record.
    Member { cluster: ClusterId, recorded: Option<ClusterUid> },
    /// The hub removed a member. One of the same name that comes back, even in the same round, is a new member.
    Removed(ClusterId),
    /// A source's batch. Of a cluster that is no member, it is dropped.
    Batch { cluster: ClusterId, epoch: Epoch, changes: MemberChanges },
}

impl Store {
    pub fn new(authority: Authority) -> Self {
        Self { authority, clusters: BTreeMap::new(), pools: Pools::default() }
    }

    pub fn update(&mut self, inputs: Vec<StoreInput>, now: Time) -> StoreChange {
        let mut change = StoreChange::default();
        for input in inputs {
            match input {
                StoreInput::Member { cluster, recorded } => {
                    let state = self.clusters.entry(cluster).or_default();
                    if self.authority == Authority::Recorded {
                        // At once: the round in which it is judged must not matter.
                        state.admitted = recorded;
                    }
                }
                StoreInput::Removed(cluster) => {
                    if let Some(state) = self.clusters.remove(&cluster) {
                        change.drop_objects(&cluster, state.service_keys().cloned().collect());
                    }
                }
                StoreInput::Batch { cluster, epoch, changes } => {
                    if let Some(state) = self.clusters.get_mut(&cluster) {
                        let of_cluster = state.apply(epoch, changes, now, &mut self.pools);
                        change.add(&cluster, of_cluster);
                    }
                }
            }
        }
        change
    }

    /// Membership was judged: from now on, only the cluster with the identity on record is accepted under a member's name.
    /// The record may arrive after the objects: those that came from another cluster are dropped.
    pub fn settle_identities<'a>(
        &mut self,
        admitted: impl Fn(&ClusterId) -> Option<&'a ClusterUid>,
        now: Time,
        change: &mut StoreChange,
    ) {
        for (id, state) in &mut self.clusters {
            state.admitted = admitted(id).cloned();
            let Some(admitted) = state.admitted.clone() else { continue };
            if state.uid.as_ref().is_some_and(|uid| *uid != admitted) {
                change.drop_objects(id, state.disown(&admitted, now));
                change.links.insert(id.clone());
            }
        }
    }

    pub fn get(&self, id: &ClusterId) -> Option<&ClusterState> {
        self.clusters.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&ClusterId, &ClusterState)> {
        self.clusters.iter()
    }

    pub fn ids(&self) -> impl Iterator<Item = &ClusterId> {
        self.clusters.keys()
    }

    /// Every service that any member has or exports.
    pub fn service_keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.clusters.values().flat_map(ClusterState::service_keys)
    }

    /// Every member, as changed: for the first round in which decisions are made.
    pub fn all_changed(&self, change: &mut StoreChange) {
        change.links = self.clusters.keys().cloned().collect::<BTreeSet<_>>();
        change.admission = true;
    }
}
