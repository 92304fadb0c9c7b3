//! What one member cluster holds, as far as it was told: plain tables with the reverse indexes that the later stages need.
//! Applying a change says which services it touches; nothing is decided here.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::identity;
use std::net::IpAddr;
use std::sync::Arc;

use crate::change::{Change, Delta, Epoch, LinkChange, MemberChanges, MemberKind, Object};
use crate::few::Few;
use crate::model::{
    ClusterUid, Digest, Export, Namespace, NamespaceObject, Node, Owner, Service, ServiceCidr, ServiceKey, ServiceKind,
    Slice, SliceKey, Time,
};
use crate::report::{LinkState, Subject};

/// One member's objects. They stay when its API cannot be reached: not hearing of something does not make it vanish.
#[derive(Debug)]
pub(crate) struct ClusterState {
    pub link: LinkState,
    pub uid: Option<ClusterUid>,
    pub version: Option<Arc<str>>,
    epoch: Epoch,
    /// Completely listed on the latest connection, and readable since.
    listed: BTreeSet<MemberKind>,
    /// Completely listed at least once, on whatever connection.
    seen: BTreeSet<MemberKind>,
    /// Listed, but never wholly.
    partly: BTreeSet<MemberKind>,
    /// Kinds that cannot be read on the latest connection, and why.
    pub unreadable: BTreeMap<MemberKind, Arc<str>>,
    pub namespaces: BTreeMap<Namespace, NamespaceObject>,
    /// Boxed, as are slices: a hash table has room for up to twice what it holds.
    pub services: HashMap<ServiceKey, Box<Service>>,
    pub service_names: BTreeMap<Namespace, BTreeSet<Arc<str>>>,
    pub slices: HashMap<SliceKey, Box<Slice>>,
    pub slices_of: HashMap<ServiceKey, Few<Arc<str>>>,
    /// Slices with endpoints that take their zone from a Node, by that Node's name. Mostly there are none.
    unzoned: HashMap<Arc<str>, Few<SliceKey>>,
    pub nodes: BTreeMap<Arc<str>, Node>,
    pub service_cidrs: BTreeMap<Arc<str>, ServiceCidr>,
    pub exports: HashMap<ServiceKey, Export>,
    /// How many of the services are mirrors.
    pub mirrored: Mirrored,
    /// Services that look like mirrors, but that we did not write.
    unwritten: BTreeSet<ServiceKey>,
    /// Addresses of the Nodes, and how many Nodes have each.
    pub node_addresses: BTreeMap<IpAddr, usize>,
    /// What looks like a mark on a Service or Namespace and is none.
    pub hints: BTreeMap<Subject, Arc<str>>,
}

/// What is known of a cluster as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    listed: bool,
    mapped: bool,
    known: bool,
    known_wholly: bool,
    ranges: [bool; 2],
    unreadable: usize,
}

/// Objects named in one member's report that look like mirrors and are not; more of them say nothing new.
pub const MAX_STRANGERS_REPORTED: usize = 16;

/// Mirrors that a member holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mirrored {
    pub all: usize,
    /// Of these, the headless ones.
    pub headless: usize,
}

impl Mirrored {
    fn count(&mut self, old: Option<&Service>, new: Option<&Service>) {
        let is_mirror = |service: &&Service| service.mark().is_some();
        let is_headless = |service: &Service| service.kind == ServiceKind::Headless;
        let (old, new) = (old.filter(is_mirror), new.filter(is_mirror));
        let one = |service: Option<&Service>| usize::from(service.is_some());
        self.all = self.all + one(new) - one(old);
        self.headless =
            self.headless + usize::from(new.is_some_and(is_headless)) - usize::from(old.is_some_and(is_headless));
    }
}

/// What a change touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Services that may merge to something else now.
    pub services: BTreeSet<ServiceKey>,
    /// Of these, the ones whose Service object itself changed: VIPs and mirrors depend on it, but not on endpoints.
    pub objects: BTreeSet<ServiceKey>,
    pub namespaces: BTreeSet<Namespace>,
    /// Addresses that became, or ceased to be, those of a Node.
    pub addresses: BTreeSet<IpAddr>,
    /// A hint came, went or changed.
    pub hints: bool,
    /// Services, and Namespaces, that belong to another Helm release than before.
    pub releases: BTreeSet<ServiceKey>,
    pub namespace_releases: BTreeSet<Namespace>,
    /// Ranges or identity: admission must be judged again.
    pub admission: bool,
    /// The link's state, or which kinds are listed.
    pub link: bool,
}

impl Default for ClusterState {
    fn default() -> Self {
        Self {
            link: LinkState::Pending,
            uid: None,
            version: None,
            epoch: Epoch(0),
            listed: BTreeSet::new(),
            seen: BTreeSet::new(),
            partly: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            services: HashMap::new(),
            service_names: BTreeMap::new(),
            slices: HashMap::new(),
            slices_of: HashMap::new(),
            unzoned: HashMap::new(),
            nodes: BTreeMap::new(),
            service_cidrs: BTreeMap::new(),
            exports: HashMap::new(),
            mirrored: Mirrored::default(),
            unwritten: BTreeSet::new(),
            node_addresses: BTreeMap::new(),
            hints: BTreeMap::new(),
        }
    }
}

impl ClusterState {
    /// True when what it contributes was completely listed on the connection that is up now, and is followed.
    pub fn fresh(&self) -> bool {
        matches!(self.link, LinkState::Up { .. }) && self.is_listed()
    }

    /// True when what it contributes was completely listed on the latest connection, up or not.
    pub fn is_listed(&self) -> bool {
        MemberKind::DECIDING.iter().all(|kind| self.listed.contains(kind))
    }

    /// True when it is known which Namespaces and Services stand in it: without that, nothing can be written there.
    pub fn is_mapped(&self) -> bool {
        [MemberKind::Namespaces, MemberKind::Services].iter().all(|kind| self.listed.contains(kind))
    }

    /// True when what it contributes was completely listed at least once. Before that it contributes nothing: Services
    /// without their slices would look like Services without endpoints.
    pub fn is_known(&self) -> bool {
        MemberKind::DECIDING.iter().all(|kind| self.seen.contains(kind))
    }

    /// True when nothing of what it contributes is missing for all that is known.
    pub fn is_known_wholly(&self) -> bool {
        self.is_known() && !self.partly.iter().any(|kind| kind.is_deciding())
    }

    /// True when all objects of a kind were listed at least once.
    pub fn has_seen(&self, kind: MemberKind) -> bool {
        self.seen.contains(&kind)
    }

    /// Applies one batch. `admitted` is the identity on record: what another cluster says under this name is not heard.
    pub fn apply(&mut self, epoch: Epoch, changes: MemberChanges, admitted: Option<&ClusterUid>, now: Time) -> Touched {
        let mut touched = Touched::default();
        if epoch < self.epoch {
            return touched; // an older connection that has not noticed yet that it was replaced
        }
        if let MemberChanges::Link(change) = changes {
            self.apply_link(epoch, change, admitted, now, &mut touched);
            return touched;
        }
        if epoch != self.epoch || !matches!(self.link, LinkState::Up { .. }) {
            return touched;
        }
        let before = self.standing();
        match changes {
            MemberChanges::Link(_) => {}
            MemberChanges::Unreadable { kind, message, partly } => {
                self.listed.remove(&kind);
                if partly {
                    self.partly.insert(kind);
                }
                touched.link |= self.unreadable.insert(kind, message.clone()).is_none_or(|before| before != message);
            }
            MemberChanges::Namespaces(delta) => self.apply_namespaces(delta, &mut touched),
            MemberChanges::Services(delta) => self.apply_services(delta, &mut touched),
            MemberChanges::Slices(delta) => self.apply_slices(delta, &mut touched),
            MemberChanges::Exports(delta) => self.apply_exports(delta, &mut touched),
            MemberChanges::Nodes(delta) => self.apply_nodes(delta, &mut touched),
            MemberChanges::ServiceCidrs(delta) => {
                self.mark_listed(MemberKind::ServiceCidrs, &delta);
                let (table, admission) = (&mut self.service_cidrs, &mut touched.admission);
                apply_table(delta, table, |_, old, new| {
                    *admission |= old.map(|c| &c.cidrs) != new.map(|c| &c.cidrs);
                });
            }
        }
        let now = self.standing();
        touched.link |= now != before; // what waited for a list may go on
        touched.admission |= now.ranges != before.ranges;
        if now.known && !before.known {
            // They contribute from now on.
            touched.services.extend(self.services.keys().chain(self.exports.keys()).cloned());
        }
        touched
    }

    fn standing(&self) -> Standing {
        Standing {
            listed: self.is_listed(),
            mapped: self.is_mapped(),
            known: self.is_known(),
            known_wholly: self.is_known_wholly(),
            ranges: [MemberKind::Nodes, MemberKind::ServiceCidrs].map(|kind| self.has_seen(kind)),
            unreadable: self.unreadable.len(),
        }
    }

    fn apply_link(
        &mut self,
        epoch: Epoch,
        change: LinkChange,
        admitted: Option<&ClusterUid>,
        now: Time,
        touched: &mut Touched,
    ) {
        self.epoch = epoch;
        touched.link = true;
        touched.admission = true;
        match change {
            LinkChange::Up { uid, version } => {
                self.listed.clear();
                self.unreadable.clear();
                self.link = match admitted {
                    Some(admitted) if *admitted != uid => {
                        LinkState::IdentityChanged { found: uid, admitted: admitted.clone(), since: now }
                    }
                    _ => {
                        if self.uid.as_ref().is_some_and(|known| *known != uid) {
                            touched.objects = self.clear_objects(); // they were another cluster's
                            touched.services.extend(touched.objects.iter().cloned());
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

    /// What was heard came from another cluster than the one on record. Returns the services it spoke of.
    pub fn disown(&mut self, admitted: &ClusterUid, now: Time) -> BTreeSet<ServiceKey> {
        self.listed.clear();
        self.version = None;
        if let (Some(found), LinkState::Up { .. }) = (self.uid.take(), &self.link) {
            self.link = LinkState::IdentityChanged { found, admitted: admitted.clone(), since: now };
        }
        self.clear_objects()
    }

    /// Everything is gone. Returns the services that were spoken of.
    fn clear_objects(&mut self) -> BTreeSet<ServiceKey> {
        let services = std::mem::take(&mut self.services).into_keys();
        let services = services.chain(std::mem::take(&mut self.exports).into_keys()).collect();
        self.seen.clear();
        self.partly.clear();
        self.namespaces.clear();
        self.service_names.clear();
        self.slices.clear();
        self.slices_of.clear();
        self.unzoned.clear();
        self.nodes.clear();
        self.service_cidrs.clear();
        self.mirrored = Mirrored::default();
        self.unwritten.clear();
        self.node_addresses.clear();
        self.hints.clear();
        services
    }

    fn mark_listed<T: Object>(&mut self, kind: MemberKind, delta: &Delta<T>) {
        if delta.is_full() {
            self.listed.insert(kind);
            self.seen.insert(kind);
            self.partly.remove(&kind);
            self.unreadable.remove(&kind);
        }
    }

    fn apply_namespaces(&mut self, delta: Delta<NamespaceObject>, touched: &mut Touched) {
        self.mark_listed(MemberKind::Namespaces, &delta);
        let (names, hints) = (&self.service_names, &mut self.hints);
        apply_table(delta, &mut self.namespaces, |namespace, old, new| {
            touched.namespaces.insert(namespace.clone());
            let hint = |object: Option<&NamespaceObject>| object.and_then(|object| object.hint.clone());
            touched.hints |= replace_hint(hints, Subject::Namespace(namespace.clone()), hint(old), hint(new));
            if old.and_then(|n| n.helm.as_ref()) != new.and_then(|n| n.helm.as_ref()) {
                touched.namespace_releases.insert(namespace.clone());
            }
            if old.map(|n| &n.labels) != new.map(|n| &n.labels) {
                let services = names.get(namespace).into_iter().flatten();
                touched
                    .services
                    .extend(services.map(|name| ServiceKey { namespace: namespace.clone(), name: name.clone() }));
            }
        });
    }

    fn apply_services(&mut self, delta: Delta<Service>, touched: &mut Touched) {
        self.mark_listed(MemberKind::Services, &delta);
        let (names, mirrored, unwritten) = (&mut self.service_names, &mut self.mirrored, &mut self.unwritten);
        let hints = &mut self.hints;
        let hint = |service: Option<&Service>| service.and_then(|service| service.hint.clone());
        apply_table(delta, &mut self.services, |key, old, new| {
            touched.services.insert(key.clone());
            touched.objects.insert(key.clone());
            if old.and_then(|s| s.helm.as_ref()) != new.and_then(|s| s.helm.as_ref()) {
                touched.releases.insert(key.clone());
            }
            mirrored.count(old, new);
            match new.map(|service| &service.owner) {
                Some(Owner::Restored(_) | Owner::Lookalike) => unwritten.insert(key.clone()),
                _ => unwritten.remove(key),
            };
            touched.hints |= replace_hint(hints, Subject::Service(key.clone()), hint(old), hint(new));
            index(names, key.namespace.clone(), &key.name, new.is_some());
        });
    }

    fn apply_slices(&mut self, delta: Delta<Slice>, touched: &mut Touched) {
        self.mark_listed(MemberKind::Slices, &delta);
        let (slices_of, unzoned) = (&mut self.slices_of, &mut self.unzoned);
        apply_table(delta, &mut self.slices, |key, old, new| {
            reindex_nodes(unzoned, key, old, new);
            if let Some(old) = old {
                touched.services.insert(old.service.clone());
                if let Some(slices) = slices_of.get_mut(&old.service) {
                    slices.remove(&key.name);
                    if slices.is_empty() {
                        slices_of.remove(&old.service);
                    }
                }
            }
            if let Some(new) = new {
                touched.services.insert(new.service.clone());
                slices_of.entry(new.service.clone()).or_default().insert(key.name.clone());
            }
        });
    }

    fn apply_nodes(&mut self, delta: Delta<Node>, touched: &mut Touched) {
        self.mark_listed(MemberKind::Nodes, &delta);
        let (unzoned, slices, addresses) = (&self.unzoned, &self.slices, &mut self.node_addresses);
        apply_table(delta, &mut self.nodes, |name, old, new| {
            touched.addresses.extend(replace_addresses(addresses, old, new));
            let ranges = |node: Option<&Node>| node.map(|node| node.pod_cidrs.clone()).unwrap_or_default();
            touched.admission |= ranges(old) != ranges(new);
            let zone = |node: Option<&Node>| node.and_then(|node| node.zone.clone());
            if zone(old) != zone(new) {
                let concerned = unzoned.get(name).into_iter().flat_map(Few::iter).filter_map(|key| slices.get(key));
                touched.services.extend(concerned.map(|slice| slice.service.clone()));
            }
        });
    }

    fn apply_exports(&mut self, delta: Delta<Export>, touched: &mut Touched) {
        self.mark_listed(MemberKind::Exports, &delta);
        apply_table(delta, &mut self.exports, |key, _, _| {
            touched.services.insert(key.clone());
        });
    }

    /// Services that bear the mark of a mirror and are not this hub's: the first ones, by name.
    pub fn strangers(&self, hub: Option<Digest>) -> Vec<ServiceKey> {
        let is_ours = |service: &Service| service.mark().is_some_and(|mark| hub.is_none_or(|hub| hub == mark.hub));
        let strange = |key: &&ServiceKey| self.services.get(*key).is_some_and(|service| !is_ours(service));
        self.unwritten.iter().filter(strange).take(MAX_STRANGERS_REPORTED).cloned().collect()
    }

    /// The slices of a service, in the order of their names.
    pub fn slices_of<'a>(&'a self, service: &'a ServiceKey) -> impl Iterator<Item = &'a Slice> {
        self.slices_of.get(service).into_iter().flat_map(Few::iter).filter_map(|name| {
            // A slice lives in its service's namespace; the API allows nothing else.
            self.slices.get(&SliceKey { namespace: service.namespace.clone(), name: name.clone() }).map(Box::as_ref)
        })
    }
}

/// One Node's addresses become others; returns those of which it changed whether any Node has them.
fn replace_addresses(held: &mut BTreeMap<IpAddr, usize>, old: Option<&Node>, new: Option<&Node>) -> BTreeSet<IpAddr> {
    let set = |node: Option<&Node>| node.into_iter().flat_map(|node| &node.addresses).copied().collect::<BTreeSet<_>>();
    let (old, new) = (set(old), set(new));
    let mut turned = BTreeSet::new();
    for ip in new.difference(&old) {
        let nodes = held.entry(*ip).or_default();
        *nodes += 1;
        if *nodes == 1 {
            turned.insert(*ip);
        }
    }
    for ip in old.difference(&new) {
        let Some(nodes) = held.get_mut(ip) else { continue };
        *nodes -= 1;
        if *nodes == 0 {
            held.remove(ip);
            turned.insert(*ip);
        }
    }
    turned
}

/// True if it changed.
fn replace_hint(
    hints: &mut BTreeMap<Subject, Arc<str>>,
    subject: Subject,
    old: Option<Arc<str>>,
    new: Option<Arc<str>>,
) -> bool {
    let changed = old != new;
    match new {
        Some(hint) if changed => _ = hints.insert(subject, hint),
        None if changed => _ = hints.remove(&subject),
        Some(_) | None => {}
    }
    changed
}

/// A map that can be a table: hashed where it is large, sorted where order is needed.
pub(crate) trait Table<K, V> {
    fn replace(&mut self, key: K, value: V) -> Option<V>;
    fn take(&mut self, key: &K) -> Option<V>;
    fn keys_vec(&self) -> Vec<K>;
    fn peek(&self, key: &K) -> Option<&V>;
}

macro_rules! table {
    ($map:ident, $held:ty, $into:expr, $out:expr, $($bound:path),+) => {
        impl<K: Clone $(+ $bound)+, V> Table<K, V> for $map<K, $held> {
            fn replace(&mut self, key: K, value: V) -> Option<V> {
                self.insert(key, $into(value)).map($out)
            }
            fn take(&mut self, key: &K) -> Option<V> {
                self.remove(key).map($out)
            }
            fn keys_vec(&self) -> Vec<K> {
                self.keys().cloned().collect()
            }
            fn peek(&self, key: &K) -> Option<&V> {
                self.get(key).map(Borrow::borrow)
            }
        }
    };
}
table!(BTreeMap, V, identity, identity, Ord);
table!(HashMap, V, identity, identity, Eq, std::hash::Hash);
table!(HashMap, Box<V>, Box::new, |boxed| *boxed, Eq, std::hash::Hash);

/// Applies a delta and calls `changed(key, old, new)` for every step in which an object really differs. What goes and
/// comes back within one delta shows up twice.
pub(crate) fn apply_table<T: Object + PartialEq, M: Table<T::Key, T>>(
    delta: Delta<T>,
    table: &mut M,
    mut changed: impl FnMut(&T::Key, Option<&T>, Option<&T>),
) {
    match delta {
        Delta::Partial(changes) => {
            for change in changes {
                match change {
                    Change::Put(object) => put(table, object, &mut changed),
                    Change::Delete(key) => {
                        if let Some(old) = table.take(&key) {
                            changed(&key, Some(&old), None);
                        }
                    }
                }
            }
        }
        Delta::Full { objects, rejected } => {
            let mut keep: BTreeSet<T::Key> = rejected.into_iter().collect();
            for object in objects {
                keep.insert(object.key().clone());
                put(table, object, &mut changed);
            }
            for key in table.keys_vec() {
                if !keep.contains(&key)
                    && let Some(old) = table.take(&key)
                {
                    changed(&key, Some(&old), None);
                }
            }
        }
    }
}

fn put<T: Object + PartialEq, M: Table<T::Key, T>>(
    table: &mut M,
    object: T,
    changed: &mut impl FnMut(&T::Key, Option<&T>, Option<&T>),
) {
    let key = object.key().clone();
    if table.peek(&key) == Some(&object) {
        return;
    }
    let old = table.replace(key.clone(), object);
    changed(&key, old.as_ref(), table.peek(&key));
}

/// Keeps track of which slices take zones from which Nodes.
fn reindex_nodes(
    unzoned: &mut HashMap<Arc<str>, Few<SliceKey>>,
    key: &SliceKey,
    old: Option<&Slice>,
    new: Option<&Slice>,
) {
    let nodes = |slice: Option<&Slice>| -> BTreeSet<Arc<str>> {
        slice.into_iter().flat_map(|slice| &slice.nodes).map(|(_, node)| Arc::clone(node)).collect()
    };
    let (old, new) = (nodes(old), nodes(new));
    for node in old.difference(&new) {
        if let Some(slices) = unzoned.get_mut(node) {
            slices.remove(key);
            if slices.is_empty() {
                unzoned.remove(node);
            }
        }
    }
    for node in new.difference(&old) {
        unzoned.entry(Arc::clone(node)).or_default().insert(key.clone());
    }
}

fn index(map: &mut BTreeMap<Namespace, BTreeSet<Arc<str>>>, key: Namespace, name: &Arc<str>, present: bool) {
    let mut names = map.remove(&key).unwrap_or_default();
    if present {
        names.insert(name.clone());
    } else {
        names.remove(name);
    }
    if !names.is_empty() {
        map.insert(key, names);
    }
}
