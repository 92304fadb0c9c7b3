//! What the engine asks of the world after a batch. Every list holds only what differs from what was said before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::{
    Affinity, ClusterId, Families, HelmRelease, Merged, Namespace, Network, Protocol, RegionId, ServiceKey,
    ServicePort, Traffic,
};
use crate::references::HubNotice;
use crate::report::MemberReport;

#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Merged services that changed; `None`: the service is gone.
    pub services: Vec<(ServiceKey, Option<Arc<Merged>>)>,
    /// Virtual IPs of services inside one member that changed; `None`: gone.
    pub vips: Vec<(ClusterId, ServiceKey, Option<Arc<Vips>>)>,
    /// The new ranking of places, if it changed.
    pub topology: Option<Arc<Topology>>,
    /// What should now be done about mirrored objects.
    pub mirrors: Vec<(ClusterId, MirrorKey, MirrorAction)>,
    /// Members whose report changed; `None`: no longer a member.
    pub members: Vec<(ClusterId, Option<Arc<MemberReport>>)>,
    /// The members that are not known and have to be, if that set changed: until it is empty, what they contribute is
    /// missing in everything above, and must not be taken for gone.
    pub unknown: Option<Arc<BTreeSet<ClusterId>>>,
    /// What the hub's objects name that does not exist, if that changed.
    pub hub_notices: Option<Arc<Vec<HubNotice>>>,
}

impl Effects {
    pub fn is_empty(&self) -> bool {
        let Self { services, vips, topology, mirrors, members, unknown, hub_notices } = self;
        services.is_empty()
            && vips.is_empty()
            && topology.is_none()
            && mirrors.is_empty()
            && members.is_empty()
            && unknown.is_none()
            && hub_notices.is_none()
    }
}

/// How one member's own DNS and kube-proxy know a service, federated or not: this is what a transparently
/// intercepting proxy in that member sees as the original destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vips {
    /// ClusterIPs, primary family first. Empty only for a Service without any that the member keeps for itself, see
    /// [`Vips::is_kept_local`].
    pub ips: Vec<IpAddr>,
    /// Port numbers that the member's own Service exposes, sorted.
    pub ports: Vec<(u16, Protocol)>,
    /// Whether the member takes part in a merged service of this name: it is one of its sources, or the Service is our mirror
    /// of it. If not, traffic to it must pass through untouched: either nobody exports it, or others do and the member has
    /// a Service of its own (KEP-1645: `cluster.local` is the cluster's own affair).
    pub federated: bool,
    /// It is a mirror that was made for a member that is not known now. If it is not `federated`, that may be because the
    /// member was not listed yet, so that its traffic must not be said to be nobody's.
    pub awaits_source: bool,
}

impl Vips {
    /// Whether a name that is exported elsewhere means the member's own Service here. `exported`: there is a merged service
    /// of this name.
    pub fn is_kept_local(&self, exported: bool) -> bool {
        exported && !self.federated
    }
}

/// Where everything is, and what re-ranks endpoints without changing a merged service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Every region's failover list, as its `Region` says.
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
    /// Of the pod ranges it was admitted with: what its clients can dial. `None`: there are none on record.
    pub families: Option<Families>,
    /// Service ranges the member was admitted with: all of its VIPs are in here.
    pub services: Vec<IpNet>,
}

/// Names one mirrored object inside one member. Namespaces sort first, so that they are written first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MirrorKey {
    Namespace(Namespace),
    Service(ServiceKey),
}

impl fmt::Display for MirrorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => write!(f, "Namespace {name}"),
            Self::Service(key) => write!(f, "Service {key}"),
        }
    }
}

/// What a writer should bring about. A newer action for a key replaces an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorAction {
    /// Nothing (any more): it is as it should be, or it is not ours, or there is doubt.
    Leave,
    /// A Namespace of that name should exist. If it has to be made, it belongs to this Helm release.
    ApplyNamespace(Option<Arc<HelmRelease>>),
    ApplyService(Arc<MirrorService>),
    /// Give up our fields: somebody made the object theirs.
    Release,
    /// Delete exactly this object: both are preconditions.
    Delete {
        uid: Arc<str>,
        resource_version: Arc<str>,
    },
}

/// A selector-less Service as it should stand in a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorService {
    pub headless: bool,
    pub affinity: Affinity,
    /// Names are unique and, if there is more than one port, never empty (a rule of the Service API).
    pub ports: Vec<ServicePort>,
    /// Clusters that back it, sorted.
    pub sources: Vec<ClusterId>,
    /// The Helm release of the oldest export, so that a release of the same name can take the object over.
    pub helm: Option<Arc<HelmRelease>>,
}
