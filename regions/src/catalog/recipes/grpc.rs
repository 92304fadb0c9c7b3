//! Clusters and listeners for gRPC clients without a proxy.

use federation::model::ServiceKey;

use super::KeyedRecipe;
use crate::catalog::facts::{Changes, Facts, Shape};
use crate::resource::{Resource, ResourceType};
use crate::translate::grpc;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct GrpcClusters;

impl KeyedRecipe for GrpcClusters {
    const TYPE: ResourceType = ResourceType::Cluster;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.services.keys().collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes.iter().collect()
    }

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let of = |shape: Shape| grpc::cluster(key, shape.port.port, shape.balancing.by_source);
        facts.shapes(key).into_iter().map(of).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct GrpcListeners;

impl KeyedRecipe for GrpcListeners {
    const TYPE: ResourceType = ResourceType::Listener;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.services.keys().collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes.iter().collect()
    }

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        facts.shapes(key).into_iter().map(|shape| grpc::listener(key, shape.port.port)).collect()
    }
}
