//! Clusters for Envoy.

use std::net::{IpAddr, SocketAddr};

use federation::model::{ClusterId, ServiceKey};

use super::{Constant, KeyedRecipe, Maker, Recipe};
use crate::catalog::facts::{Changes, Facts, Shape};
use crate::resource::{Resource, ResourceType};
use crate::translate::cluster;

/// The clusters that every Envoy has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct BuiltInClusters;

impl Recipe for BuiltInClusters {
    const TYPE: ResourceType = ResourceType::Cluster;

    fn start(&self) -> Box<dyn Maker> {
        Box::new(Constant(cluster::built_in().into()))
    }
}

/// [`BuiltInClusters`], and those of all services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct Clusters;

impl KeyedRecipe for Clusters {
    const TYPE: ResourceType = ResourceType::Cluster;
    type Key = ServiceKey;

    fn constants(&self) -> Vec<Resource> {
        cluster::built_in().into()
    }

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.services.keys().collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes.iter().collect()
    }

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let of = |shape: Shape| cluster::federated(key, shape.port.port, shape.port.app, shape.balancing);
        facts.shapes(key).into_iter().map(of).collect()
    }
}

/// Clusters of one member's VIPs, for clients that ask for them by address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct VipClusters {
    pub(in crate::catalog) member: ClusterId,
}

impl KeyedRecipe for VipClusters {
    const TYPE: ResourceType = ResourceType::Cluster;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.known_in(&self.member).collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes_and_vips_of(&self.member)
    }

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let vips = facts.federated_vips(&self.member, key);
        let of = |shape: Shape, vip: &IpAddr| {
            cluster::vip(SocketAddr::new(*vip, shape.port.port), key, shape.port.app, shape.balancing)
        };
        facts.shapes(key).into_iter().flat_map(|shape| vips.iter().map(move |vip| of(shape, vip))).collect()
    }
}
