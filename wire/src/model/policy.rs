//! Policies.

use std::sync::Arc;

use federation::model::{ClusterId, ClusterWeight, Failover, Federate, Policy, Selector, Tier, Time};
use ipnet::IpNet;

use crate::codec::{enumeration, message};

message!(Policy {
    1 => name: Arc<str>,
    2 => created: Time,
    3 => namespaces: Selector,
    4 => services: Selector,
    5 => federate: Federate,
    6 => reserved: Vec<IpNet>,
    7 => strict_cidrs: bool,
    8 => failover: Failover,
});

enumeration!(Federate { 0 => Marked, 1 => All, 2 => None });

message!(Failover { 1 => tiers: Vec<Tier>, 2 => clusters: Vec<ClusterWeight> });

enumeration!(Tier { 0 => Cluster, 1 => Zone, 2 => Region, 3 => Ordered, 4 => Any });

message!(ClusterWeight { 1 => cluster: ClusterId, 2 => weight: u32 });
