//! Scoped routes of the plain HTTP port.

use federation::model::ServiceKey;

use super::ShapeRecipe;
use crate::catalog::facts::Facts;
use crate::resource::{Resource, ResourceType};
use crate::translate::route;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct EgressScopes;

impl ShapeRecipe for EgressScopes {
    const TYPE: ResourceType = ResourceType::Scope;

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        route::egress_scopes(key, &facts.routed_ports(key))
    }
}
