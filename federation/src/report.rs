//! What is reported about a member: facts and verdicts, never a guess.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::change::{LinkFailure, MemberKind};
use crate::model::{
    Admission, ClusterId, ClusterUid, Families, Namespace, Network, RegionId, ServiceKey, Time, Traffic,
};

/// The state of one member, as its status conditions and `isthmus status` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberReport {
    pub id: ClusterId,
    pub region: RegionId,
    pub network: Network,
    pub traffic: Traffic,
    /// `None`: its ready endpoints count.
    pub weight: Option<u32>,
    /// `metadata.generation` of the `MemberCluster` from which this was decided; 0 where there is none.
    pub generation: i64,
    pub uid: Option<ClusterUid>,
    /// Kubernetes version, as `/version` gives it.
    pub version: Option<Arc<str>>,
    pub link: LinkState,
    pub admission: Verdict,
    /// The admission to put on record; it holds whatever the verdict is.
    pub admitted: Option<Admission>,
    pub cidrs: Cidrs,
    /// Its Region does not exist. A newcomer is refused for that; a member that is admitted stays.
    pub region_missing: bool,
    /// Ranges that its Nodes and ServiceCIDR objects show, and that are in none of those it declares.
    pub undeclared: Listed<UndeclaredRange>,
    /// The kinds that decide what it contributes were fully listed since the connection was made.
    pub listed: bool,
    /// They were fully listed at least once, on any connection. Before that, none of its objects are used.
    pub known: bool,
    /// It has to be known, and is not: what it contributes is missing, and must not be treated as gone.
    pub missing: bool,
    /// Kinds that cannot be read although the connection works, and why.
    pub unreadable: Vec<(MemberKind, Arc<str>)>,
    pub counts: Counts,
    /// Mirror writes still to be done in this member.
    pub mirrors_pending: usize,
    /// Endpoint addresses that this member offers and that are not served.
    pub refused: Listed<RefusedAddress>,
    /// Endpoint addresses that this member offers, that are in no member's range, and that are served.
    pub outside: Listed<OutsideAddress>,
    /// What the owners of its Services should know.
    pub notices: Listed<Notice>,
    /// Services whose address families have nothing in common with the oldest export's (`IPFamilyConflict`). Bounded.
    pub family_conflicts: Vec<FamilyConflict>,
    /// Services in it that bear the mark of a mirror although this hub did not write them: copies, and mirrors that were
    /// restored from another hub's backup. They are left as they are, and not exported. Bounded.
    pub strangers: Vec<ServiceKey>,
}

/// How many items of a [`Listed`] are named; more are only counted.
pub const MAX_LISTED: usize = 16;

/// The first of many, in order, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub total: usize,
    /// At most [`MAX_LISTED`].
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { total: 0, first: Vec::new() }
    }
}

impl<T> Listed<T> {
    /// The first of these, which are in order; `total` is their number.
    pub fn new(total: usize, items: impl IntoIterator<Item = T>) -> Self {
        Self { total, first: items.into_iter().take(MAX_LISTED).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No connection was tried yet.
    Pending,
    Up {
        since: Time,
    },
    /// Not connected. `seen` is when it last was, if ever.
    Down {
        reason: LinkFailure,
        message: Arc<str>,
        since: Time,
        seen: Option<Time>,
    },
    /// Connected, but to another cluster than the one that was admitted; its objects are not used.
    IdentityChanged {
        found: ClusterUid,
        admitted: ClusterUid,
        since: Time,
    },
}

/// Whether a member is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough is known yet; the reason is what is missing.
    Pending(PendingReason),
    Admitted,
    /// Still admitted with the ranges on record; the ranges that it uses now are refused.
    AdmittedWithDrift(Vec<Clash>),
    Refused(Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingReason {
    /// Never reached, so its identity is unknown.
    IdentityUnknown,
    /// No ranges are declared and none could be discovered: which kind is missing.
    CidrsUnknown { pods: bool, services: bool },
    /// The hub's controller decides, and has not yet.
    AwaitingDecision,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// All clashes, sorted.
    CidrOverlap(Vec<Clash>),
    /// The same cluster is a member already, under this name.
    DuplicateCluster { of: ClusterId },
    /// It names a region that does not exist.
    UnknownRegion,
}

/// Two ranges that overlap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clash {
    pub mine: IpNet,
    pub my_use: RangeUse,
    pub theirs: IpNet,
    pub their_use: RangeUse,
    /// `None` for reserved ranges, and for a clash between the cluster's own ranges.
    pub with: Option<ClusterId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RangeUse {
    Pods,
    Services,
    Reserved,
}

impl RangeUse {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pods => "pod",
            Self::Services => "service",
            Self::Reserved => "reserved",
        }
    }
}

/// The ranges that a member uses, and where they are from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cidrs {
    pub pods: Vec<IpNet>,
    pub pods_source: CidrSource,
    pub services: Vec<IpNet>,
    pub services_source: CidrSource,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CidrSource {
    #[default]
    Unknown,
    Declared,
    Discovered,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Federated services this member contributes to.
    pub services: usize,
    /// Endpoints it contributes: (address, port) pairs of federated services.
    pub endpoints: usize,
    /// Mirrored Services in it.
    pub mirrored: usize,
    /// Of these, the headless ones.
    pub headless_mirrors: usize,
}

/// A range that a member's own objects show outside of the ranges that are declared for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UndeclaredRange {
    /// [`RangeUse::Pods`] or [`RangeUse::Services`].
    pub used_for: RangeUse,
    pub range: IpNet,
}

/// An endpoint address that is not served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedAddress {
    pub why: AddressRefusal,
    pub service: ServiceKey,
    pub ip: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressRefusal {
    /// It is in a range of this member.
    InRangeOf(ClusterId),
    /// It is in no member's range, and this member of the same network offers it too. Which of the two clusters a client would
    /// reach depends on the client, so neither is served.
    AlsoOfferedBy(ClusterId),
    /// It is in the member's own service range: a virtual IP, and not a pod's address.
    VirtualIp,
    /// A loopback address outside of the member's ranges: every client would connect to itself.
    Loopback,
    /// It is in no member's range, and the policy of its service is strict.
    OutsideRanges,
}

/// An endpoint address that is in no member's range and is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutsideAddress {
    pub service: ServiceKey,
    pub ip: IpAddr,
}

/// Something that the owner of a Service or Namespace should know. Nothing is wrong with the object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    pub subject: Subject,
    pub what: Notable,
}

/// What a [`Notice`] is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Namespace(Namespace),
    Service(ServiceKey),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notable {
    /// This member has a Service of this name and does not export it, another one does: by
    /// KEP-1645 the name then means the member's own Service, and its clients keep its own pods.
    KeptLocal { why: NotExported, exporter: ClusterId },
    /// It is marked for export, and it is not exported.
    NotExported(NotExported),
    /// A `ServiceExport` whose Service does not exist.
    NoService,
    /// Something on it looks like a mark and is none.
    Misspelt(Arc<str>),
    /// The service has more hosts (ports times endpoints, over all clusters) than are served; so many of this member's are
    /// left out. See [`crate::MAX_HOSTS`].
    TooManyHosts { left_out: usize },
}

/// Why a Service is not exported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotExported {
    /// Kubernetes' own namespaces, `default/kubernetes`, and Isthmus's own namespace.
    System,
    /// A multi-cluster product made it out of another cluster's Service.
    Derived {
        by: &'static str,
    },
    /// It has no endpoints of its own (KEP-1645).
    ExternalName,
    /// It has `internalTrafficPolicy: Local`. No client in another cluster runs on a Node of its endpoints, and proxies cannot
    /// distinguish Nodes, so the member's own kube-proxy handles it.
    NodeLocal,
    /// Its Namespace is not in the member's `spec.exports.namespaces`.
    NotInExports,
    /// The policy that selects it federates nothing.
    PolicyExcludes {
        policy: Arc<str>,
    },
    /// `isthmus.dev/federate: "false"`, on itself or on its Namespace.
    MarkedFalse {
        on_namespace: bool,
    },
    NotMarked,
}

/// Two members offer one service with no address family in common: clients with one family can connect to one of them only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FamilyConflict {
    pub service: ServiceKey,
    pub mine: Families,
    pub theirs: Families,
    /// The member with the oldest export.
    pub with: ClusterId,
}
