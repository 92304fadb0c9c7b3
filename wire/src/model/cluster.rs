//! Regions, and what a member's Nodes and ServiceCIDRs contain.

use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{Node, Region, RegionId, ServiceCidr, Zone};
use ipnet::IpNet;

use crate::codec::message;

message!(Region { 1 => name: RegionId, 2 => failover: Vec<RegionId> });

message!(Node {
    1 => name: Arc<str>,
    2 => pod_cidrs: Vec<IpNet>,
    3 => addresses: Vec<IpAddr>,
    4 => zone: Option<Zone>,
});

message!(ServiceCidr { 1 => name: Arc<str>, 2 => cidrs: Vec<IpNet> });
