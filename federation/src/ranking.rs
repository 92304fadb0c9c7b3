//! The ranking of endpoints for one class of clients: the failover decision for one port of one service.

mod reach;
mod tiers;

pub use reach::{HostState, Offer, Reach};
pub use tiers::{assign, is_weighted};

use crate::model::{Backend, ClusterId, Families, Network, RegionId, Zone};

/// Clients that get the same resources: everything that the ranking of endpoints depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientClass {
    pub region: RegionId,
    pub zone: Option<Zone>,
    pub network: Network,
    /// The member that they run in; it decides VIPs and which cluster is their own. `None`: they are served by locality alone.
    pub cluster: Option<ClusterId>,
    /// The address families to which they can connect. `None`: not known, so both.
    pub families: Option<Families>,
}

/// Endpoints by priority: index 0 is the highest; there are no gaps and no empty tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    pub tiers: Vec<Vec<Locality<'a>>>,
    /// True when clusters carry declared weights, so that locality weights are meant to steer traffic.
    pub weighted: bool,
    /// Which of each locality's hosts the class is offered.
    pub reach: Reach,
}

/// The hosts of one (region, zone, cluster). Each occurs in one tier only, and has at least one host that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locality<'a> {
    pub region: &'a RegionId,
    /// Relative weight inside the tier, at least 1.
    pub weight: u32,
    pub reason: RankReason,
    pub backend: &'a Backend,
}

/// Why a locality is in its tier and has its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankReason {
    pub nearness: Nearness,
    /// Its member is drained, so it comes after all members that are not.
    pub drained: bool,
    pub weight: WeightReason,
}

/// Which step of the policy's tiers takes a locality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// In the client's own cluster.
    OwnCluster,
    /// In the client's own zone.
    OwnZone,
    /// In the client's own region.
    OwnRegion,
    /// In this region of the failover list of the client's region, counted from 0.
    ListedRegion(usize),
    /// In a region that no earlier step takes; this is its place among all regions by name, counted from 0.
    OtherRegion(usize),
}

/// Where a weight comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightReason {
    /// No cluster of the port declares a weight: hosts count.
    Capacity,
    /// Declared by the service's policy, see [`crate::model::RankingRule::policy`].
    Policy(u32),
    /// Declared by the member.
    Member(u32),
    /// Another cluster of the port declares a weight, and this one does not: it has this default.
    Default(u32),
}

impl RankReason {
    /// The only locality of an assignment that was not ranked.
    pub const UNRANKED: Self = Self { nearness: Nearness::OwnCluster, drained: false, weight: WeightReason::Capacity };
}

impl Locality<'_> {
    pub fn zone(&self) -> Option<&Zone> {
        self.backend.zone.as_ref()
    }

    pub fn cluster(&self) -> &ClusterId {
        &self.backend.cluster
    }
}
