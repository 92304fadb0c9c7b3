//! What one member holds, as its source reported it: plain tables with the reverse indexes that the stages need. Applying a
//! batch says which services it concerns; nothing is decided here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::identity;
use std::net::IpAddr;
use std::sync::Arc;

use super::change::ClusterChange;
use super::index::{self, Mirrored};
use super::lists::Lists;
use super::slices::Slices;
use super::table::apply_table;
use crate::change::{Delta, Epoch, LinkChange, MemberChanges, MemberKind, Object};
use crate::few::Few;
use crate::model::{
    ClusterUid, Digest, Export, Namespace, NamespaceObject, Node, Owner, Service, ServiceCidr, ServiceKey, Slice,
    SliceKey, Time,
};
use crate::packed::{Objects, PackedService, PackedSlice, Pools};
use crate::report::{LinkState, Subject};

/// Objects named in one member's report that look like mirrors and are not.
pub const MAX_STRANGERS_REPORTED: usize = 16;

/// One member's objects. They stay when its API server cannot be reached: silence is not absence.
#[derive(Debug)]
pub(crate) struct ClusterState {
    pub link: LinkState,
    pub uid: Option<ClusterUid>,
    pub version: Option<Arc<str>>,
    /// The identity on record. While there is one, objects of another cluster are not accepted under this member's name.
    pub(super) admitted: Option<ClusterUid>,
    epoch: Epoch,
    pub lists: Lists,
    pub namespaces: BTreeMap<Namespace, NamespaceObject>,
    pub services: Objects<Box<PackedService>>,
    pub service_names: BTreeMap<Namespace, BTreeSet<Arc<str>>>,
    slices: Slices,
    /// Slices with endpoints that take their zone from a Node, by that Node's name. Mostly there are none.
    unzoned: HashMap<Arc<str>, Few<SliceKey>>,
    pub nodes: BTreeMap<Arc<str>, Node>,
    pub service_cidrs: BTreeMap<Arc<str>, ServiceCidr>,
    pub exports: Objects<Box<Export>>,
    /// How many of the services are mirrors.
    pub mirrored: Mirrored,
    /// Services that look like mirrors, but that Isthmus did not write.
    unwritten: BTreeSet<ServiceKey>,
    /// Addresses of the Nodes, and how many Nodes have each.
    pub node_addresses: BTreeMap<IpAddr, usize>,
    /// What looks like a mark on a Service or Namespace and is none.
    pub hints: BTreeMap<Subject, Arc<str>>,
}

impl Default for ClusterState {
    fn default() -> Self {
        Self {
            link: LinkState::Pending,
            uid: None,
            version: None,
            admitted: None,
            epoch: Epoch(0),
            lists: Lists::default(),
            namespaces: BTreeMap::new(),
            services: Objects::default(),
            service_names: BTreeMap::new(),
            slices: Slices::default(),
            unzoned: HashMap::new(),
            nodes: BTreeMap::new(),
            service_cidrs: BTreeMap::new(),
            exports: Objects::default(),
            mirrored: Mirrored::default(),
            unwritten: BTreeSet::new(),
            node_addresses: BTreeMap::new(),
            hints: BTreeMap::new(),
        }
    }
}

impl ClusterState {
    /// True when what it contributes was completely listed on the connection that is up now, and is watched.
    pub fn is_fresh(&self) -> bool {
        matches!(self.link, LinkState::Up { .. }) && self.lists.is_listed()
    }

    /// Names of the services that it has or exports.
    pub fn service_keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys().chain(self.exports.keys())
    }

    /// The slices of a service, in the order of their names.
    pub fn slices_of(&self, service: &ServiceKey) -> impl Iterator<Item = &PackedSlice> {
        self.slices.of_service(service)
    }

    /// Services that bear the mark of a mirror and are not this hub's: the first ones, by name.
    pub fn strangers(&self, hub: Option<Digest>) -> Vec<ServiceKey> {
        let is_ours =
            |service: &PackedService| service.mark().is_some_and(|mark| hub.is_none_or(|hub| hub == mark.hub));
        let strange = |key: &&ServiceKey| self.services.get(*key).is_some_and(|service| !is_ours(service));
        self.unwritten.iter().filter(strange).take(MAX_STRANGERS_REPORTED).cloned().collect()
    }

    /// Applies one batch.
    pub(super) fn apply(
        &mut self,
        epoch: Epoch,
        changes: MemberChanges,
        now: Time,
        pools: &mut Pools,
    ) -> ClusterChange {
        let mut change = ClusterChange::default();
        if epoch < self.epoch {
            return change; // an older connection whose source did not notice yet that it was replaced
        }
        if let MemberChanges::Link(link) = changes {
            self.apply_link(epoch, link, now, &mut change);
            return change;
        }
        if epoch != self.epoch || !matches!(self.link, LinkState::Up { .. }) {
            return change;
        }
        let before = self.lists.summary();
        self.apply_objects(changes, pools, &mut change);
        let after = self.lists.summary();
        change.link |= after != before; // what waited for a list may go on
        change.admission |= after.ranges != before.ranges;
        if after.known && !before.known {
            change.services.extend(self.service_keys().cloned()); // they contribute from now on
        }
        change
    }

    /// What was reported came from another cluster than the one on record. Returns the services that it had or exported.
    pub(super) fn disown(&mut self, admitted: &ClusterUid, now: Time) -> BTreeSet<ServiceKey> {
        self.lists.disown();
        self.version = None;
        if let (Some(found), LinkState::Up { .. }) = (self.uid.take(), &self.link) {
            self.link = LinkState::IdentityChanged { found, admitted: admitted.clone(), since: now };
        }
        self.clear_objects()
    }

    fn apply_link(&mut self, epoch: Epoch, link: LinkChange, now: Time, change: &mut ClusterChange) {
        self.epoch = epoch;
        change.link = true;
        change.admission = true;
        match link {
            LinkChange::Up { uid, version } => {
                self.lists.restart();
                self.link = match &self.admitted {
                    Some(admitted) if *admitted != uid => {
                        LinkState::IdentityChanged { found: uid, admitted: admitted.clone(), since: now }
                    }
                    _ => {
                        if self.uid.as_ref().is_some_and(|known| *known != uid) {
                            change.objects = self.clear_objects(); // they were another cluster's
                            change.services.extend(change.objects.iter().cloned());
                        }
                        self.uid = Some(uid);
                        self.version = Some(version);
                        LinkState::Up { since: now }
                    }
                };
            }
            LinkChange::Down { reason, message } => {
                let (since, seen) = match &self.link {
                    LinkState::Up { .. } => (now, Some(now)),
                    LinkState::Down { since, seen, .. } => (*since, *seen),
                    LinkState::Pending | LinkState::IdentityChanged { .. } => (now, None),
                };
                self.link = LinkState::Down { reason, message, since, seen };
            }
        }
    }

    /// Drops all objects. Returns the services that it had or exported.
    fn clear_objects(&mut self) -> BTreeSet<ServiceKey> {
        let services = self.service_keys().cloned().collect();
        self.services.clear();
        self.exports.clear();
        self.lists.forget_seen();
        self.namespaces.clear();
        self.service_names.clear();
        self.slices.clear();
        self.unzoned.clear();
        self.nodes.clear();
        self.service_cidrs.clear();
        self.mirrored = Mirrored::default();
        self.unwritten.clear();
        self.node_addresses.clear();
        self.hints.clear();
        services
    }

    fn apply_objects(&mut self, changes: MemberChanges, pools: &mut Pools, change: &mut ClusterChange) {
        match changes {
            MemberChanges::Link(_) => {}
            MemberChanges::Unreadable { kind, message, partly } => {
                change.link |= self.lists.fail(kind, message, partly);
            }
            MemberChanges::Namespaces(delta) => self.apply_namespaces(delta, pools, change),
            MemberChanges::Services(delta) => self.apply_services(delta, pools, change),
            MemberChanges::Slices(delta) => self.apply_slices(delta, pools, change),
            MemberChanges::Exports(delta) => {
                self.note_list(MemberKind::Exports, &delta);
                let keep = |export: Export| Export { key: pools.service_key(export.key), ..export };
                apply_table(delta, &mut self.exports, keep, |key, _, _| {
                    change.services.insert(key.clone());
                });
            }
            MemberChanges::Nodes(delta) => self.apply_nodes(delta, change),
            MemberChanges::ServiceCidrs(delta) => {
                self.note_list(MemberKind::ServiceCidrs, &delta);
                apply_table(delta, &mut self.service_cidrs, identity, |_, old, new| {
                    change.admission |= old.map(|object| &object.cidrs) != new.map(|object| &object.cidrs);
                });
            }
        }
    }

    fn note_list<T: Object>(&mut self, kind: MemberKind, delta: &Delta<T>) {
        if delta.is_full() {
            self.lists.complete(kind);
        }
    }

    fn apply_namespaces(&mut self, delta: Delta<NamespaceObject>, pools: &mut Pools, change: &mut ClusterChange) {
        self.note_list(MemberKind::Namespaces, &delta);
        let (names, hints) = (&self.service_names, &mut self.hints);
        let keep = |object: NamespaceObject| NamespaceObject { name: pools.namespace(object.name), ..object };
        apply_table(delta, &mut self.namespaces, keep, |namespace, old, new| {
            change.namespaces.insert(namespace.clone());
            let hint = |object: Option<&NamespaceObject>| object.and_then(|object| object.hint.clone());
            change.hints |= index::replace_hint(hints, Subject::Namespace(namespace.clone()), hint(old), hint(new));
            if old.and_then(|n| n.helm.as_ref()) != new.and_then(|n| n.helm.as_ref()) {
                change.namespace_releases.insert(namespace.clone());
            }
            if old.map(|n| &n.labels) != new.map(|n| &n.labels) {
                let services = names.get(namespace).into_iter().flatten();
                let key = |name: &Arc<str>| ServiceKey { namespace: namespace.clone(), name: Arc::clone(name) };
                change.services.extend(services.map(key));
            }
        });
    }

    fn apply_services(&mut self, delta: Delta<Service>, pools: &mut Pools, change: &mut ClusterChange) {
        self.note_list(MemberKind::Services, &delta);
        let (names, mirrored, unwritten) = (&mut self.service_names, &mut self.mirrored, &mut self.unwritten);
        let hints = &mut self.hints;
        let hint = |service: Option<&PackedService>| service.and_then(|service| service.hint().cloned());
        let keep = |service| PackedService::pack(service, pools);
        apply_table(delta, &mut self.services, keep, |key, old, new| {
            change.services.insert(key.clone());
            change.objects.insert(key.clone());
            if old.and_then(|s| s.helm.as_ref()) != new.and_then(|s| s.helm.as_ref()) {
                change.releases.insert(key.clone());
            }
            mirrored.count(old, new);
            match new.map(|service| &service.owner) {
                Some(Owner::Restored(_) | Owner::Lookalike) => unwritten.insert(key.clone()),
                _ => unwritten.remove(key),
            };
            change.hints |= index::replace_hint(hints, Subject::Service(key.clone()), hint(old), hint(new));
            index::replace_name(names, key.namespace.clone(), &key.name, new.is_some());
        });
    }

    fn apply_slices(&mut self, delta: Delta<Slice>, pools: &mut Pools, change: &mut ClusterChange) {
        self.note_list(MemberKind::Slices, &delta);
        let unzoned = &mut self.unzoned;
        let keep = |slice| PackedSlice::pack(slice, pools);
        apply_table(delta, &mut self.slices, keep, |key, old, new| {
            index::reindex_nodes(unzoned, key, old, new);
            change.services.extend(old.into_iter().chain(new).map(|slice| slice.service.clone()));
        });
    }

    fn apply_nodes(&mut self, delta: Delta<Node>, change: &mut ClusterChange) {
        self.note_list(MemberKind::Nodes, &delta);
        let (unzoned, slices, addresses) = (&self.unzoned, &self.slices, &mut self.node_addresses);
        apply_table(delta, &mut self.nodes, identity, |name, old, new| {
            change.addresses.extend(index::replace_addresses(addresses, old, new));
            let ranges = |node: Option<&Node>| node.map(|node| node.pod_cidrs.clone()).unwrap_or_default();
            change.admission |= ranges(old) != ranges(new);
            let zone = |node: Option<&Node>| node.and_then(|node| node.zone.clone());
            if zone(old) != zone(new) {
                let concerned = unzoned.get(name).into_iter().flat_map(Few::iter).filter_map(|key| slices.get(key));
                change.services.extend(concerned.map(|slice| slice.service.clone()));
            }
        });
    }
}
