//! Address ranges as bits, compared each with each.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Oracle;
use crate::model::{ClusterId, Member};
use crate::report::{Clash, RangeUse};

/// An address as (family, bits, leading bits of a shorter family are on the left).
fn bits(ip: IpAddr) -> (bool, u128) {
    match ip {
        IpAddr::V4(v4) => (true, u128::from(u32::from(v4)) << 96),
        IpAddr::V6(v6) => (false, u128::from(v6)),
    }
}

/// Two ranges overlap if they agree in all the bits that the shorter prefix fixes.
pub(super) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    let ((family_a, bits_a), (family_b, bits_b)) = (bits(a.addr()), bits(b.addr()));
    let shorter = u32::from(a.prefix_len().min(b.prefix_len()));
    family_a == family_b && (bits_a ^ bits_b).leading_zeros() >= shorter
}

pub(super) fn holds(range: &IpNet, ip: IpAddr) -> bool {
    overlap(range, &IpNet::from(ip))
}

fn uses<'a>(pods: &'a [IpNet], services: &'a [IpNet]) -> impl Iterator<Item = (RangeUse, IpNet)> + 'a {
    let pods = pods.iter().map(|range| (RangeUse::Pods, range.trunc()));
    pods.chain(services.iter().map(|range| (RangeUse::Services, range.trunc())))
}

impl Oracle {
    /// Everything in the way of this member having these ranges.
    pub(super) fn clashes(&self, member: &Member, pods: &[IpNet], services: &[IpNet]) -> Vec<Clash> {
        let reserved = self.policies.iter().flat_map(|policy| &policy.reserved);
        let mut theirs: Vec<(Option<ClusterId>, RangeUse, IpNet)> =
            reserved.map(|range| (None, RangeUse::Reserved, range.trunc())).collect();
        for other in self.members.iter().filter(|other| other.id != member.id && other.network == member.network) {
            if let Some((admission, _)) = self.ledger.get(&other.id) {
                let claimed = uses(&admission.pods, &admission.services);
                theirs.extend(claimed.map(|(usage, range)| (Some(other.id.clone()), usage, range)));
            }
        }
        let mut found = BTreeSet::new();
        for (my_use, mine) in uses(pods, services) {
            for (with, their_use, range) in &theirs {
                if overlap(&mine, range) {
                    let (theirs, their_use, with) = (*range, *their_use, with.clone());
                    found.insert(Clash { mine, my_use, theirs, their_use, with });
                }
            }
            let own = services.iter().filter(|range| my_use == RangeUse::Pods && overlap(&mine, range));
            for range in own {
                let (theirs, their_use) = (range.trunc(), RangeUse::Services);
                found.insert(Clash { mine, my_use, theirs, their_use, with: None });
            }
        }
        found.into_iter().collect()
    }

    /// Where an address lies, as seen by a member that offers it.
    pub(super) fn whereabouts(&self, member: &Member, ip: IpAddr) -> Whereabouts {
        let mut holders = Vec::new();
        let mut own = BTreeSet::new();
        for other in self.members.iter().filter(|other| other.network == member.network) {
            let Some((admission, _)) = self.ledger.get(&other.id) else { continue };
            for (usage, range) in uses(&admission.pods, &admission.services).filter(|(_, range)| holds(range, ip)) {
                if other.id == member.id {
                    own.insert(usage);
                }
                holders.push((u8::MAX - range.prefix_len(), other.id.clone())); // the narrowest first, then by name
            }
        }
        match holders.into_iter().min() {
            _ if own.contains(&RangeUse::Pods) => Whereabouts::OwnPods,
            _ if own.contains(&RangeUse::Services) => Whereabouts::OwnServices,
            Some((_, owner)) => Whereabouts::Of(owner),
            None if ip.is_loopback() => Whereabouts::Loopback,
            None => Whereabouts::NoRange,
        }
    }
}

/// Where an address lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    OwnPods,
    OwnServices,
    Of(ClusterId),
    Loopback,
    NoRange,
}
