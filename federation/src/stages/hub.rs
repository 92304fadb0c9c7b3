//! The first stage: the hub's objects. Regions, members and policies, whether their lists are complete, and which names in
//! them refer to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::identity;
use std::sync::Arc;

use crate::change::{Batch, HubChanges, HubKind};
use crate::model::{ClusterId, Member, Namespace, Policy, Region, RegionId};
use crate::references::{self, HubNotice};
use crate::selection::Policies;
use crate::store::{StoreInput, apply_table};

/// The hub's objects, as last reported.
pub(crate) struct Hub {
    own_namespace: Namespace,
    regions: BTreeMap<RegionId, Region>,
    members: BTreeMap<ClusterId, Member>,
    policies: BTreeMap<Arc<str>, Policy>,
    ordered_policies: Policies,
    listed: BTreeSet<HubKind>,
    notices: Arc<Vec<HubNotice>>,
}

/// What one round changed in the hub's objects.
#[derive(Debug, Default)]
pub(crate) struct HubChange {
    /// At least one batch came from the hub.
    pub any: bool,
    /// The lists are complete for the first time: everything that was stored until now is decided in this round.
    pub completed: bool,
    /// Which services are selected, or what one looks like, may differ: a policy, or a member's exports or network.
    pub selection: bool,
    /// Names of policies that changed in what they say about ranking, and in nothing else.
    pub rankings: BTreeSet<Arc<str>>,
    /// Members that are new, changed or removed.
    pub members: BTreeSet<ClusterId>,
    /// Members that were removed, even if one of the same name came back.
    pub removed: BTreeSet<ClusterId>,
    /// All notices, if they changed.
    pub notices: Option<Arc<Vec<HubNotice>>>,
}

impl Hub {
    pub fn new(own_namespace: Namespace) -> Self {
        Self {
            ordered_policies: Policies::new(&BTreeMap::new(), own_namespace.clone()),
            own_namespace,
            regions: BTreeMap::new(),
            members: BTreeMap::new(),
            policies: BTreeMap::new(),
            listed: BTreeSet::new(),
            notices: Arc::default(),
        }
    }

    /// Takes the hub's own batches out of a round. The rest is what the store is given, in the same order.
    pub fn update(&mut self, batches: impl IntoIterator<Item = Batch>) -> (HubChange, Vec<StoreInput>) {
        let batches = batches.into_iter();
        let (mut change, mut inputs) = (HubChange::default(), Vec::with_capacity(batches.size_hint().0));
        let was_listed = self.is_listed();
        for batch in batches {
            match batch {
                Batch::Hub(changes) => {
                    change.any = true;
                    self.apply(changes, &mut change, &mut inputs);
                }
                Batch::Member { cluster, epoch, changes } => {
                    inputs.push(StoreInput::Batch { cluster, epoch, changes });
                }
            }
        }
        change.completed = !was_listed && self.is_listed();
        change.selection |= change.completed;
        if self.is_listed() && change.any {
            change.notices = self.refresh_notices();
        }
        (change, inputs)
    }

    /// Lists that were not completed yet.
    pub fn missing(&self) -> Vec<HubKind> {
        HubKind::ALL.into_iter().filter(|kind| !self.listed.contains(kind)).collect()
    }

    pub fn is_listed(&self) -> bool {
        self.listed.len() == HubKind::ALL.len()
    }

    pub fn regions(&self) -> &BTreeMap<RegionId, Region> {
        &self.regions
    }

    pub fn members(&self) -> &BTreeMap<ClusterId, Member> {
        &self.members
    }

    pub fn policies(&self) -> &BTreeMap<Arc<str>, Policy> {
        &self.policies
    }

    /// In the order in which they are applied.
    pub fn ordered_policies(&self) -> &Policies {
        &self.ordered_policies
    }

    pub fn notices(&self) -> &Arc<Vec<HubNotice>> {
        &self.notices
    }

    fn apply(&mut self, changes: HubChanges, change: &mut HubChange, inputs: &mut Vec<StoreInput>) {
        match changes {
            HubChanges::Regions(delta) => {
                self.note_list(HubKind::Regions, delta.is_full());
                apply_table(delta, &mut self.regions, identity, |_, _, _| {});
            }
            HubChanges::Policies(delta) => {
                self.note_list(HubKind::Policies, delta.is_full());
                let mut changed = false;
                apply_table(delta, &mut self.policies, identity, |name, old, new| {
                    changed = true;
                    if only_ranks_differently(old, new) {
                        change.rankings.insert(Arc::clone(name));
                    } else {
                        change.selection = true;
                    }
                });
                if changed {
                    self.ordered_policies = Policies::new(&self.policies, self.own_namespace.clone());
                }
            }
            HubChanges::Members(delta) => {
                self.note_list(HubKind::Members, delta.is_full());
                apply_table(delta, &mut self.members, identity, |id, old, new| {
                    change.selection |= merges_differently(old, new);
                    change.members.insert(id.clone());
                    inputs.push(match new {
                        Some(member) => {
                            let recorded = member.recorded.as_ref().map(|admission| admission.uid.clone());
                            StoreInput::Member { cluster: id.clone(), recorded }
                        }
                        None => {
                            change.removed.insert(id.clone());
                            StoreInput::Removed(id.clone())
                        }
                    });
                });
            }
        }
    }

    fn note_list(&mut self, kind: HubKind, is_full: bool) {
        if is_full {
            self.listed.insert(kind);
        }
    }

    fn refresh_notices(&mut self) -> Option<Arc<Vec<HubNotice>>> {
        let fresh = references::notices(&self.regions, &self.members, &self.policies);
        (fresh != *self.notices).then(|| {
            self.notices = Arc::new(fresh);
            Arc::clone(&self.notices)
        })
    }
}

/// Which services a policy selects, and which of their addresses are served, did not change.
fn only_ranks_differently(old: Option<&Policy>, new: Option<&Policy>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return false };
    Policy { failover: new.failover.clone(), ..old.clone() } == *new
}

/// What a service looks like depends on a member's export list and network. Its region, drain and weight only change the
/// ranking of endpoints, and the admission on record comes back from the hub after each decision of this engine.
fn merges_differently(old: Option<&Member>, new: Option<&Member>) -> bool {
    let merges =
        |member: Option<&Member>| member.map(|Member { exports, network, .. }| (exports.clone(), network.clone()));
    merges(old) != merges(new)
}
