//! Regions, member clusters, and the address ranges that a member's objects show.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{ClusterId, Network, RegionId, Time, Zone};

/// A region, and which regions serve its clients when their own cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub name: RegionId,
    /// Regions to try after one's own, in order. Regions not named follow, by name.
    pub failover: Vec<RegionId>,
}

/// A cluster that is to be a member, as in its `MemberCluster`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: ClusterId,
    pub region: RegionId,
    pub network: Network,
    /// Declared pod ranges; `None` means "discover them from Nodes".
    pub pods: Option<Vec<IpNet>>,
    /// Declared service ranges; `None` means "discover them from ServiceCIDR objects".
    pub services: Option<Vec<IpNet>>,
    /// Namespaces it may export from; `None` means every one that policy federates.
    pub exports: Option<Vec<NamespacePattern>>,
    pub traffic: Traffic,
    /// Relative weight inside a tier; `None` means "by ready endpoints".
    pub weight: Option<u32>,
    pub created: Time,
    /// `metadata.generation`; 0 where there is none.
    pub generation: i64,
    /// The admission that its status has on record, if any. It survives restarts of the controller that decides.
    pub recorded: Option<Admission>,
}

/// Whether clients are sent to a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traffic {
    #[default]
    Active,
    /// Stays a member, but no client is sent to it while other members can serve.
    Drained,
}

/// The UID of a cluster's `kube-system` namespace: the cluster's identity (KEP-2149).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterUid(pub Arc<str>);

/// An admission that was granted: to whom, when, and for which ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub at: Time,
    pub uid: ClusterUid,
    pub pods: Vec<IpNet>,
    pub services: Vec<IpNet>,
}

/// A namespace name, or a prefix followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePattern {
    stem: Arc<str>,
    prefix: bool,
}

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is {found:?}; expected a namespace name, or a prefix ending in one '*'")]
pub struct PatternError {
    pub found: String,
}

impl NamespacePattern {
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let (stem, prefix) = text.strip_suffix('*').map_or((text, false), |stem| (stem, true));
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (stem.is_empty() && !prefix) || stem.len() > super::MAX_LABEL_LEN || !stem.bytes().all(legal) {
            return Err(PatternError { found: text.to_owned() });
        }
        Ok(Self { stem: Arc::from(stem), prefix })
    }

    pub fn matches(&self, namespace: &str) -> bool {
        if self.prefix { namespace.starts_with(&*self.stem) } else { namespace == &*self.stem }
    }
}

impl std::fmt::Display for NamespacePattern {
    /// The text from which it was made.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.stem)?;
        if self.prefix { f.write_str("*") } else { Ok(()) }
    }
}

/// What is read of a Node: the addresses of its pods, and its zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: Arc<str>,
    pub pod_cidrs: Vec<IpNet>,
    /// The Node's own addresses (`status.addresses`), sorted: pods on the host network have them.
    pub addresses: Vec<IpAddr>,
    /// Label `topology.kubernetes.io/zone`.
    pub zone: Option<Zone>,
}

/// One `ServiceCIDR` object of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCidr {
    pub name: Arc<str>,
    pub cidrs: Vec<IpNet>,
}
