//! The result of a round. Every list holds only what differs from what was published before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::desired::Action;
use crate::knowledge::Knowledge;
use crate::model::{ClusterId, Families, Merged, Network, Protocol, RankingRule, RegionId, ServiceKey, Time, Traffic};
use crate::references::HubNotice;
use crate::report::MemberReport;

#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Merged services that changed; `None`: the service is gone.
    pub services: Vec<(ServiceKey, Option<Arc<Merged>>)>,
    /// What policies say about the ranking of services, where that changed; `None`: the service is gone.
    pub rankings: Vec<(ServiceKey, Option<Arc<RankingRule>>)>,
    /// Virtual IPs of services inside one member that changed; `None`: gone.
    pub vips: Vec<(ClusterId, ServiceKey, Option<Arc<Vips>>)>,
    /// The new topology, if it changed.
    pub topology: Option<Arc<Topology>>,
    /// Actions for mirrored objects that changed, sorted by member and key.
    pub mirrors: Vec<(ClusterId, Action)>,
    /// Members whose report changed; `None`: no longer a member.
    pub members: Vec<(ClusterId, Option<Arc<MemberReport>>)>,
    /// The members that are not known and have to be, if that set changed: until it is empty, what they contribute is
    /// missing in everything above, and must not be taken for gone.
    pub unknown: Option<Arc<BTreeSet<ClusterId>>>,
    /// What is known, if the phase changed or the process became ready: see [`crate::Phase`].
    pub knowledge: Option<Knowledge>,
    /// What the hub's objects name that does not exist, if that changed.
    pub hub_notices: Option<Arc<Vec<HubNotice>>>,
    /// When [`crate::Engine::apply`] must be called again although no batch arrived. It replaces that of an earlier round;
    /// `None`: there is no need.
    pub wake_at: Option<Time>,
}

impl Effects {
    /// Nothing changed. (When to wake up is no change.)
    pub fn is_empty(&self) -> bool {
        let Self { services, rankings, vips, topology, mirrors, members, unknown, knowledge, hub_notices, wake_at: _ } =
            self;
        services.is_empty()
            && rankings.is_empty()
            && vips.is_empty()
            && topology.is_none()
            && mirrors.is_empty()
            && members.is_empty()
            && unknown.is_none()
            && knowledge.is_none()
            && hub_notices.is_none()
    }
}

/// How one member's own DNS and kube-proxy know a service, federated or not: the original destinations that a transparently
/// intercepting proxy in that member gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vips {
    /// ClusterIPs, primary family first. Empty only for a Service without any that the member keeps for itself, see
    /// [`Vips::is_kept_local`].
    pub ips: Vec<IpAddr>,
    /// Port numbers that the member's own Service exposes, sorted.
    pub ports: Vec<(u16, Protocol)>,
    /// Whether the member takes part in a merged service of this name: it is one of its sources, or the Service is its
    /// mirror. If not, proxies must pass traffic to it through unchanged: either no member exports it, or others do and the member
    /// has a Service of its own (by KEP-1645, names in `cluster.local` belong to the cluster itself).
    pub federated: bool,
    /// It is a mirror that was made for a member that is not known now. If it is not `federated`, that may be because the
    /// member was not listed yet, so proxies must not be served as if the service were not federated.
    pub awaits_source: bool,
}

impl Vips {
    /// Whether a name that other members export means the member's own Service in this member. `exported`: there is a merged service
    /// of this name.
    pub fn is_kept_local(&self, exported: bool) -> bool {
        exported && !self.federated
    }
}

/// The places of all members, and everything else of regions and members that changes rankings without changing a merged service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Every region's failover list, as in its `Region`.
    pub regions: BTreeMap<RegionId, Vec<RegionId>>,
    /// Every admitted member.
    pub members: BTreeMap<ClusterId, Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub region: RegionId,
    pub network: Network,
    pub traffic: Traffic,
    pub weight: Option<u32>,
    /// The families of the pod ranges with which it was admitted: to these its clients can connect. `None`: no ranges are on
    /// record.
    pub families: Option<Families>,
    /// Service ranges the member was admitted with: all of its VIPs are in here.
    pub services: Vec<IpNet>,
}
