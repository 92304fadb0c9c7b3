//! What people are told about a member: facts and verdicts, never a guess.

use std::sync::Arc;

use ipnet::IpNet;

use crate::change::{LinkFailure, MemberKind};
use crate::model::{Admission, ClusterId, ClusterUid, RegionId, ServiceKey, Time};

/// The state of one member, as its status conditions and `isthmus status` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberReport {
    pub id: ClusterId,
    pub region: RegionId,
    pub uid: Option<ClusterUid>,
    /// Kubernetes version, as `/version` gives it.
    pub version: Option<Arc<str>>,
    pub link: LinkState,
    pub admission: Verdict,
    /// The admission to put on record; survives whatever happens to the verdict.
    pub admitted: Option<Admission>,
    pub cidrs: Cidrs,
    /// The kinds that decide what it contributes were fully listed since the connection was made.
    pub listed: bool,
    /// They were fully listed at least once, on whatever connection. Before that, nothing of it is used.
    pub known: bool,
    /// It has to be known, and is not: what it contributes is missing, and must not be taken for gone.
    pub missing: bool,
    /// Kinds that cannot be read although the connection works, and why.
    pub unreadable: Vec<(MemberKind, Arc<str>)>,
    pub counts: Counts,
    /// Mirror writes still to be done in this member.
    pub mirrors_pending: usize,
    /// Addresses that this member claims although they lie in another member's ranges: not served. Bounded.
    pub trespassing: Vec<Trespass>,
    /// Services in it that bear the mark of a mirror although this hub did not write them: copies, and mirrors that were
    /// restored from another hub's backup. Left alone, and not exported. Bounded.
    pub strangers: Vec<ServiceKey>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No connection was tried yet.
    Pending,
    Up {
        since: Time,
    },
    /// Not heard. `seen` is when it last was, if ever.
    Down {
        reason: LinkFailure,
        message: Arc<str>,
        since: Time,
        seen: Option<Time>,
    },
    /// Heard, but it is another cluster than the one that was admitted; its words are not used.
    IdentityChanged {
        found: ClusterUid,
        admitted: ClusterUid,
        since: Time,
    },
}

/// May it take part?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough is known yet; the text says what is missing.
    Pending(PendingReason),
    Admitted,
    /// Still admitted with the ranges on record; what it wants now is refused.
    AdmittedWithDrift(Vec<Clash>),
    Refused(Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingReason {
    /// Never reached, so its identity is unknown.
    IdentityUnknown,
    /// No ranges are declared and none could be discovered: which kind is missing.
    CidrsUnknown { pods: bool, services: bool },
    /// Somebody else decides, and has not yet.
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

/// The ranges a member uses, and how we know.
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
    /// Mirrored Services that stand in it.
    pub mirrored: usize,
    /// Of these, the headless ones.
    pub headless_mirrors: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trespass {
    pub service: ServiceKey,
    pub ip: std::net::IpAddr,
    pub owner: ClusterId,
}
