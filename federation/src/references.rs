//! Names in the hub's objects that refer to nothing, and objects without an effect: nothing is refused for them, so they are
//! reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ClusterId, Member, Policy, Region, RegionId};

/// Something that the owner of the hub's objects should know. Nothing is refused for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HubNotice {
    /// A Region's failover list names a Region that does not exist: it is ignored.
    UnknownRegion { region: RegionId, named: RegionId },
    /// A policy's failover names a member that does not exist: its weight has no effect.
    UnknownCluster { policy: Arc<str>, named: ClusterId },
    /// A policy selects exactly what another one selects, which takes precedence: only its reserved ranges have an effect.
    Shadowed { policy: Arc<str>, by: Arc<str> },
}

/// Everything of that kind, sorted.
pub(crate) fn notices(
    regions: &BTreeMap<RegionId, Region>,
    members: &BTreeMap<ClusterId, Member>,
    policies: &BTreeMap<Arc<str>, Policy>,
) -> Vec<HubNotice> {
    let unknown_regions = regions.values().flat_map(|region| {
        let unknown = region.failover.iter().filter(|named| !regions.contains_key(*named));
        unknown.map(|named| HubNotice::UnknownRegion { region: region.name.clone(), named: named.clone() })
    });
    let unknown_clusters = policies.values().flat_map(|policy| {
        let named = policy.failover.clusters.iter().map(|weight| &weight.cluster);
        let unknown = named.filter(|named| !members.contains_key(*named));
        unknown.map(|named| HubNotice::UnknownCluster { policy: policy.name.clone(), named: named.clone() })
    });
    let shadowed = policies.values().filter_map(|policy| {
        let goes_first = |other: &&Policy| {
            let selects_the_same = other.namespaces == policy.namespaces && other.services == policy.services;
            selects_the_same && (other.created, &other.name) < (policy.created, &policy.name)
        };
        let by = policies.values().filter(goes_first).min_by_key(|other| (other.created, &other.name))?;
        Some(HubNotice::Shadowed { policy: policy.name.clone(), by: by.name.clone() })
    });
    let mut all: Vec<HubNotice> = unknown_regions.chain(unknown_clusters).chain(shadowed).collect();
    all.sort();
    all.dedup();
    all
}
