//! Which member holds which address range, and which ranges overlap. A prefix trie: one look-up costs O(prefix length),
//! however many ranges there are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::model::{Admission, ClusterId};
use crate::report::{Clash, RangeUse};

/// Claimed ranges of one network. One range can have several holders: a clash is shown, not hidden.
#[derive(Default)]
pub(crate) struct Claims {
    trie: JointPrefixMap<IpNet, BTreeSet<(Option<ClusterId>, RangeUse)>>,
}

impl Claims {
    pub fn add(&mut self, owner: Option<&ClusterId>, usage: RangeUse, range: IpNet) {
        let owners = self.trie.entry(range.trunc()).or_default();
        owners.insert((owner.cloned(), usage));
    }

    pub fn add_admission(&mut self, owner: &ClusterId, admission: &Admission) {
        for (usage, range) in ranges(&admission.pods, &admission.services) {
            self.add(Some(owner), usage, range);
        }
    }

    pub fn remove_admission(&mut self, owner: &ClusterId, admission: &Admission) {
        for (usage, range) in ranges(&admission.pods, &admission.services) {
            let range = range.trunc();
            if let Some(owners) = self.trie.get_mut(&range) {
                owners.remove(&(Some(owner.clone()), usage));
                if owners.is_empty() {
                    self.trie.remove(&range);
                }
            }
        }
    }

    /// Everything that overlaps, in both directions of containment, plus overlaps among the given ranges themselves.
    /// Sorted, each once.
    pub fn clashes(&self, pods: &[IpNet], services: &[IpNet]) -> Vec<Clash> {
        let mut found = BTreeSet::new();
        for (my_use, range) in ranges(pods, services) {
            let mine = range.trunc();
            let around = self.trie.cover(&mine);
            let inside = self.trie.children(&mine).filter(|(theirs, _)| *theirs != mine);
            for (theirs, owners) in around.chain(inside) {
                found.extend(owners.iter().map(|(with, their_use)| Clash {
                    mine,
                    my_use,
                    theirs,
                    their_use: *their_use,
                    with: with.clone(),
                }));
            }
        }
        found.extend(own_clashes(pods, services));
        found.into_iter().collect()
    }

    /// Which member holds this address, if `by` offers it. An address in one of the member's own pod ranges is its own, even while
    /// records contradict each other: a process that follows records may learn of a range's new holder before it learns that the
    /// old one left.
    pub fn holder(&self, ip: IpAddr, by: &ClusterId) -> Holder<'_> {
        let (mut holder, mut own_service) = (Holder::None, false);
        // From the widest range to the narrowest.
        for (range, owners) in self.trie.cover(&IpNet::from(ip)) {
            let mut owners = owners.iter().filter_map(|(owner, usage)| Some((owner.as_ref()?, *usage))).peekable();
            holder = owners.peek().map_or(holder, |(owner, _)| Holder::Other(owner));
            for (_, usage) in owners.filter(|(owner, _)| *owner == by) {
                match usage {
                    RangeUse::Services => own_service = true,
                    RangeUse::Pods | RangeUse::Reserved => return Holder::OwnPods(range),
                }
            }
        }
        if own_service { Holder::OwnServices } else { holder }
    }
}

/// Which member holds an address.
#[derive(Debug)]
pub(crate) enum Holder<'a> {
    /// The member that offers it: it is in this pod range.
    OwnPods(IpNet),
    /// The member that offers it, in a service range: a virtual IP, not a pod.
    OwnServices,
    /// No member: it is in no range but reserved ones.
    None,
    /// Only other members: the holder of the narrowest range.
    Other(&'a ClusterId),
}

/// A cluster's pod ranges must not overlap its own service ranges. (A range listed twice within one use is harmless.)
fn own_clashes<'a>(pods: &'a [IpNet], services: &'a [IpNet]) -> impl Iterator<Item = Clash> + 'a {
    pods.iter().flat_map(move |mine| {
        services.iter().filter(move |theirs| mine.contains(*theirs) || theirs.contains(mine)).map(move |theirs| Clash {
            mine: mine.trunc(),
            my_use: RangeUse::Pods,
            theirs: theirs.trunc(),
            their_use: RangeUse::Services,
            with: None,
        })
    })
}

fn ranges<'a>(pods: &'a [IpNet], services: &'a [IpNet]) -> impl Iterator<Item = (RangeUse, IpNet)> + 'a {
    let pods = pods.iter().map(|range| (RangeUse::Pods, *range));
    pods.chain(services.iter().map(|range| (RangeUse::Services, *range)))
}
