//! Who claimed which address range, and what overlaps with what. A prefix trie: one look-up costs O(prefix length),
//! however many ranges there are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::model::{Admission, ClusterId};
use crate::report::{Clash, RangeUse};

/// Claimed ranges of one network. Several owners of one range can stand side by side: a clash is to be shown, not hidden.
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

    /// Whose this address is, if `by` offers it. Nobody trespasses in a range of his own, even while records contradict
    /// each other: a follower may hear of a range's new holder before it hears that the old one left.
    pub fn whose(&self, ip: IpAddr, by: &ClusterId) -> Whose<'_> {
        let (mut whose, mut own_service) = (Whose::Nobodys, false);
        // From the widest range to the narrowest.
        for (range, owners) in self.trie.cover(&IpNet::from(ip)) {
            let mut owners = owners.iter().filter_map(|(owner, usage)| Some((owner.as_ref()?, *usage))).peekable();
            whose = owners.peek().map_or(whose, |(owner, _)| Whose::Anothers(owner));
            for (_, usage) in owners.filter(|(owner, _)| *owner == by) {
                match usage {
                    RangeUse::Services => own_service = true,
                    RangeUse::Pods | RangeUse::Reserved => return Whose::Own(range),
                }
            }
        }
        if own_service { Whose::OwnService } else { whose }
    }
}

/// Whose an address is.
#[derive(Debug)]
pub(crate) enum Whose<'a> {
    /// It lies in this pod range of the asker's own.
    Own(IpNet),
    /// It lies in a service range of the asker's own: a virtual IP, not a pod.
    OwnService,
    /// It lies in no range but reserved ones.
    Nobodys,
    /// It lies in ranges of others only: the holder of the narrowest one.
    Anothers(&'a ClusterId),
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
