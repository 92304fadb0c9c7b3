//! What was last reported of one member. Lists and linear searches, nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::{Change, Delta, Epoch, LinkChange, MemberChanges, MemberKind, Object};
use crate::model::{ClusterUid, Export, Labels, Namespace, NamespaceObject, Node, Service, ServiceCidr, Slice, Time};
use crate::report::LinkState;

/// When these were listed of a member, everything that it contributes is known.
const WITH_ALL_OF: [MemberKind; 4] =
    [MemberKind::Exports, MemberKind::Namespaces, MemberKind::Services, MemberKind::Slices];

#[derive(Clone, Debug)]
pub(super) struct Reported {
    pub epoch: Epoch,
    pub link: LinkState,
    pub uid: Option<ClusterUid>,
    pub version: Option<Arc<str>>,
    /// Kinds that were listed on this connection, and can be read.
    pub listed: BTreeSet<MemberKind>,
    /// Kinds that were ever listed by this cluster.
    pub ever_listed: BTreeSet<MemberKind>,
    /// Of these, the kinds of which it never reported all.
    pub partly: BTreeSet<MemberKind>,
    pub unreadable: BTreeMap<MemberKind, Arc<str>>,
    pub objects: Objects,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Objects {
    pub namespaces: Vec<NamespaceObject>,
    pub services: Vec<Service>,
    pub slices: Vec<Slice>,
    pub nodes: Vec<Node>,
    pub service_cidrs: Vec<ServiceCidr>,
    pub exports: Vec<Export>,
}

impl Default for Reported {
    fn default() -> Self {
        Self {
            epoch: Epoch(0),
            link: LinkState::Pending,
            uid: None,
            version: None,
            listed: BTreeSet::new(),
            ever_listed: BTreeSet::new(),
            partly: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            objects: Objects::default(),
        }
    }
}

impl Reported {
    pub fn is_up(&self) -> bool {
        matches!(self.link, LinkState::Up { .. })
    }

    /// The labels of a Namespace; none if it is not known.
    pub fn labels_of(&self, namespace: &Namespace) -> Labels {
        let object = self.objects.namespaces.iter().find(|object| object.name == *namespace);
        object.map(|object| object.labels.clone()).unwrap_or_default()
    }

    pub fn is_listed(&self) -> bool {
        WITH_ALL_OF.iter().filter(|kind| self.listed.contains(kind)).count() == 4
    }

    pub fn is_known(&self) -> bool {
        WITH_ALL_OF.iter().filter(|kind| self.ever_listed.contains(kind)).count() == 4
    }

    pub fn is_known_wholly(&self) -> bool {
        self.is_known() && !WITH_ALL_OF.iter().any(|kind| self.partly.contains(kind))
    }

    pub fn apply(&mut self, epoch: Epoch, changes: &MemberChanges, admitted: Option<&ClusterUid>, now: Time) {
        if epoch < self.epoch {
            return;
        }
        if let MemberChanges::Link(link) = changes {
            self.epoch = epoch;
            self.apply_link(link, admitted, now);
        } else if epoch == self.epoch && self.is_up() {
            self.apply_objects(changes);
        }
    }

    fn apply_link(&mut self, link: &LinkChange, admitted: Option<&ClusterUid>, now: Time) {
        match link {
            LinkChange::Up { uid, version } => {
                self.listed.clear();
                self.unreadable.clear();
                if let Some(admitted) = admitted
                    && admitted != uid
                {
                    let (found, admitted) = (uid.clone(), admitted.clone());
                    self.link = LinkState::IdentityChanged { found, admitted, since: now };
                    return;
                }
                if self.uid.as_ref().is_some_and(|known| known != uid) {
                    self.objects = Objects::default(); // they were another cluster's
                    self.ever_listed.clear();
                    self.partly.clear();
                }
                self.uid = Some(uid.clone());
                self.version = Some(version.clone());
                self.link = LinkState::Up { since: now };
            }
            LinkChange::Down { reason, message } => {
                let (since, seen) = match self.link {
                    LinkState::Up { .. } => (now, Some(now)),
                    LinkState::Down { since, seen, .. } => (since, seen),
                    LinkState::Pending | LinkState::IdentityChanged { .. } => (now, None),
                };
                self.link = LinkState::Down { reason: *reason, message: message.clone(), since, seen };
            }
        }
    }

    fn apply_objects(&mut self, changes: &MemberChanges) {
        let Objects { namespaces, services, slices, nodes, service_cidrs, exports } = &mut self.objects;
        let (kind, is_full) = match changes {
            MemberChanges::Link(_) => return,
            MemberChanges::Unreadable { kind, message, partly } => {
                if *partly {
                    self.partly.insert(*kind);
                }
                self.listed.retain(|listed| listed != kind);
                self.unreadable.insert(*kind, message.clone());
                return;
            }
            MemberChanges::Namespaces(delta) => (MemberKind::Namespaces, apply_delta(namespaces, delta)),
            MemberChanges::Services(delta) => (MemberKind::Services, apply_delta(services, delta)),
            MemberChanges::Slices(delta) => (MemberKind::Slices, apply_delta(slices, delta)),
            MemberChanges::Nodes(delta) => (MemberKind::Nodes, apply_delta(nodes, delta)),
            MemberChanges::ServiceCidrs(delta) => (MemberKind::ServiceCidrs, apply_delta(service_cidrs, delta)),
            MemberChanges::Exports(delta) => (MemberKind::Exports, apply_delta(exports, delta)),
        };
        if is_full {
            self.listed.insert(kind);
            self.ever_listed.insert(kind);
            self.partly.remove(&kind);
            self.unreadable.remove(&kind);
        }
    }

    /// Its objects were those of another cluster than the one on record: they never counted.
    pub fn disown(&mut self, admitted: &ClusterUid, now: Time) {
        let Some(found) = self.uid.take() else { return };
        self.objects = Objects::default();
        self.listed.clear();
        self.ever_listed.clear();
        self.partly.clear();
        self.version = None;
        if self.is_up() {
            self.link = LinkState::IdentityChanged { found, admitted: admitted.clone(), since: now };
        }
    }
}

/// Applies a delta to a list; true if it was a complete one.
pub(super) fn apply_delta<T: Object + Clone>(held: &mut Vec<T>, delta: &Delta<T>) -> bool {
    let put = |held: &mut Vec<T>, object: &T| {
        held.retain(|known| known.key() != object.key());
        held.push(object.clone());
    };
    match delta {
        Delta::Full { objects, rejected } => {
            held.retain(|known| rejected.contains(known.key()));
            for object in objects {
                put(held, object);
            }
            true
        }
        Delta::Partial(changes) => {
            for change in changes {
                match change {
                    Change::Put(object) => put(held, object),
                    Change::Delete(key) => held.retain(|known| known.key() != key),
                }
            }
            false
        }
    }
}
