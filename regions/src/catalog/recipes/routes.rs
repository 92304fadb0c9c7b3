//! Route tables.

use federation::model::ServiceKey;

use super::{Constant, Maker, Recipe, ShapeRecipe};
use crate::catalog::facts::{Facts, Shape};
use crate::resource::{Resource, ResourceType};
use crate::translate::{route, vhds};

/// A table for each port of each service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct Routes;

impl ShapeRecipe for Routes {
    const TYPE: ResourceType = ResourceType::Route;

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let of = |shape: Shape| route::table(key, shape.port.port, shape.balancing.by_source);
        facts.shapes(key).into_iter().map(of).collect()
    }
}

/// The table of the plain port, whose virtual hosts are fetched one by one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct EgressTable;

impl Recipe for EgressTable {
    const TYPE: ResourceType = ResourceType::Route;

    fn start(&self) -> Box<dyn Maker> {
        Box::new(Constant(vec![vhds::table()]))
    }
}
