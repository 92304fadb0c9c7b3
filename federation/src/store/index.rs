//! Reverse indexes and counts over one member's tables, kept up to date with each changed object.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::few::Few;
use crate::model::{Namespace, Node, ServiceKind, SliceKey};
use crate::packed::{PackedService, PackedSlice};
use crate::report::Subject;

/// Mirrors that a member holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mirrored {
    pub all: usize,
    /// Of these, the headless ones.
    pub headless: usize,
}

impl Mirrored {
    pub(super) fn count(&mut self, old: Option<&PackedService>, new: Option<&PackedService>) {
        let is_mirror = |service: &&PackedService| service.mark().is_some();
        let is_headless = |service: &PackedService| service.kind == ServiceKind::Headless;
        let (old, new) = (old.filter(is_mirror), new.filter(is_mirror));
        let one = |service: Option<&PackedService>| usize::from(service.is_some());
        self.all = self.all + one(new) - one(old);
        self.headless =
            self.headless + usize::from(new.is_some_and(is_headless)) - usize::from(old.is_some_and(is_headless));
    }
}

/// Replaces the addresses of one Node. Returns those that became, or ceased to be, an address of any Node.
pub(super) fn replace_addresses(
    held: &mut BTreeMap<IpAddr, usize>,
    old: Option<&Node>,
    new: Option<&Node>,
) -> BTreeSet<IpAddr> {
    let set = |node: Option<&Node>| node.into_iter().flat_map(|node| &node.addresses).copied().collect::<BTreeSet<_>>();
    let (old, new) = (set(old), set(new));
    let mut changed = BTreeSet::new();
    for ip in new.difference(&old) {
        let nodes = held.entry(*ip).or_default();
        *nodes += 1;
        if *nodes == 1 {
            changed.insert(*ip);
        }
    }
    for ip in old.difference(&new) {
        let Some(nodes) = held.get_mut(ip) else { continue };
        *nodes -= 1;
        if *nodes == 0 {
            held.remove(ip);
            changed.insert(*ip);
        }
    }
    changed
}

/// True if it changed.
pub(super) fn replace_hint(
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

/// Keeps the index from Nodes to the slices that take zones from them.
pub(super) fn reindex_nodes(
    unzoned: &mut HashMap<Arc<str>, Few<SliceKey>>,
    key: &SliceKey,
    old: Option<&PackedSlice>,
    new: Option<&PackedSlice>,
) {
    let nodes = |slice: Option<&PackedSlice>| -> BTreeSet<Arc<str>> {
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

pub(super) fn replace_name(
    map: &mut BTreeMap<Namespace, BTreeSet<Arc<str>>>,
    key: Namespace,
    name: &Arc<str>,
    present: bool,
) {
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
