//! What is federated, and how its clients fail over.

use std::sync::Arc;

use ipnet::IpNet;

use super::{ClusterId, Labels, Selector, Time};

/// One `FederationPolicy`. The one called `default` is the federation's; it selects everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: Arc<str>,
    pub created: Time,
    pub namespaces: Selector,
    pub services: Selector,
    pub federate: Federate,
    /// Ranges that no member may use: node, VPC and on-premises networks. Those of all policies count.
    pub reserved: Vec<IpNet>,
    /// Addresses of the selected services that are in none of their member's ranges are not served.
    pub strict_cidrs: bool,
    pub failover: Failover,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Federate {
    /// Only what is marked: a `ServiceExport`, or `isthmus.dev/federate=true` on the Service or its Namespace.
    #[default]
    Marked,
    All,
    None,
}

/// Which endpoints serve a client, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    pub tiers: Vec<Tier>,
    /// Weights across clusters inside a tier. Empty: by ready endpoints.
    pub clusters: Vec<ClusterWeight>,
}

/// What the policy of a service says about the ranking of its endpoints. It is kept beside the merged service, so that a
/// change of it merges nothing again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankingRule {
    /// The policy's name; `default` for the built-in one.
    pub policy: Arc<str>,
    pub failover: Failover,
}

impl Default for RankingRule {
    fn default() -> Self {
        Policy::built_in().ranking_rule()
    }
}

impl RankingRule {
    /// The weight that the policy declares for a cluster.
    pub fn weight(&self, cluster: &ClusterId) -> Option<u32> {
        self.failover.clusters.iter().find(|declared| declared.cluster == *cluster).map(|declared| declared.weight)
    }
}

/// One step from near to far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The client's own cluster.
    Cluster,
    /// The client's own zone (of its own region).
    Zone,
    /// The client's own region.
    Region,
    /// The client region's failover list: one tier for each region, in order.
    Ordered,
    /// All that is left: one tier for each region, by name.
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterWeight {
    pub cluster: ClusterId,
    pub weight: u32,
}

impl Default for Failover {
    fn default() -> Self {
        Self { tiers: vec![Tier::Zone, Tier::Region, Tier::Ordered, Tier::Any], clusters: Vec::new() }
    }
}

impl Policy {
    /// What holds where no policy selects a service.
    pub fn built_in() -> Self {
        Self {
            name: Arc::from("default"),
            created: Time::default(),
            namespaces: Selector::default(),
            services: Selector::default(),
            federate: Federate::default(),
            reserved: Vec::new(),
            strict_cidrs: false,
            failover: Failover::default(),
        }
    }

    pub fn ranking_rule(&self) -> RankingRule {
        RankingRule { policy: Arc::clone(&self.name), failover: self.failover.clone() }
    }

    pub fn selects(&self, namespace: &Labels, service: &Labels) -> bool {
        self.namespaces.matches(namespace) && self.services.matches(service)
    }
}
