//! Scoped routes of the plain HTTP port.

use federation::model::ServiceKey;

use super::KeyedRecipe;
use crate::catalog::facts::{Changes, Facts};
use crate::resource::{Resource, ResourceType};
use crate::translate::route;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct EgressScopes;

impl KeyedRecipe for EgressScopes {
    const TYPE: ResourceType = ResourceType::Scope;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.services.keys().collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes.iter().collect()
    }

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        route::egress_scopes(key, &facts.routed_ports(key))
    }
}
