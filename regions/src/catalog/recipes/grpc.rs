//! Clusters and listeners for gRPC clients without a proxy.

use federation::model::ServiceKey;

use super::ShapeRecipe;
use crate::catalog::facts::{Facts, Shape};
use crate::resource::{Resource, ResourceType};
use crate::translate::grpc;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct GrpcClusters;

impl ShapeRecipe for GrpcClusters {
    const TYPE: ResourceType = ResourceType::Cluster;

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let of = |shape: Shape| grpc::cluster(key, shape.port.port, shape.balancing.by_source);
        facts.shapes(key).into_iter().map(of).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct GrpcListeners;

impl ShapeRecipe for GrpcListeners {
    const TYPE: ResourceType = ResourceType::Listener;

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        facts.shapes(key).into_iter().map(|shape| grpc::listener(key, shape.port.port)).collect()
    }
}
