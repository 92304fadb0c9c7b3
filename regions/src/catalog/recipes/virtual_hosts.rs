//! Virtual hosts of the plain HTTP port, for clients that fetch them one by one.

use federation::model::ServiceKey;

use super::{Constant, Maker, Recipe, ShapeRecipe};
use crate::catalog::facts::Facts;
use crate::resource::{Resource, ResourceType};
use crate::translate::vhds;

/// What such a client is sent before it asks for any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct NoHosts;

impl Recipe for NoHosts {
    const TYPE: ResourceType = ResourceType::VirtualHost;

    fn start(&self) -> Box<dyn Maker> {
        Box::new(Constant(vec![vhds::no_hosts()]))
    }
}

/// Virtual hosts of all services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct EgressHosts;

impl ShapeRecipe for EgressHosts {
    const TYPE: ResourceType = ResourceType::VirtualHost;

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        vhds::hosts(key, &facts.routed_ports(key))
    }
}
