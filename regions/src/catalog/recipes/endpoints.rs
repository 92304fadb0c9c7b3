//! Endpoints one by one, for clients with some address families.

use std::collections::HashMap;
use std::sync::Arc;

use federation::model::{Families, Merged, ServiceKey};

use super::{Maker, Recipe};
use crate::catalog::facts::{Changes, Facts};
use crate::catalog::output::Output;
use crate::resource::ResourceType;
use crate::translate::leds;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct Endpoints {
    pub(in crate::catalog) families: Option<Families>,
}

impl Recipe for Endpoints {
    const TYPE: ResourceType = ResourceType::Endpoint;

    fn start(&self) -> Box<dyn Maker> {
        Box::new(Differences { families: self.families, made_from: HashMap::new() })
    }
}

/// Makes only those endpoints that changed: a service may have a hundred thousand of them.
struct Differences {
    families: Option<Families>,
    made_from: HashMap<ServiceKey, Arc<Merged>>,
}

impl Maker for Differences {
    fn fill(&mut self, facts: &Facts, output: &mut Output<'_>) {
        facts.services.keys().for_each(|key| self.renew(key, facts, output));
    }

    fn update(&mut self, changes: &Changes, facts: &Facts, output: &mut Output<'_>) {
        changes.services.iter().for_each(|key| self.renew(key, facts, output));
    }
}

impl Differences {
    fn renew(&mut self, key: &ServiceKey, facts: &Facts, output: &mut Output<'_>) {
        output.count_key();
        let new = facts.services.get(key).cloned();
        let old = match &new {
            Some(new) => self.made_from.insert(key.clone(), new.clone()),
            None => self.made_from.remove(key),
        };
        let leds::Difference { put, gone } = leds::difference(self.families, old.as_deref(), new.as_deref());
        put.into_iter().for_each(|endpoint| output.put(endpoint));
        gone.iter().for_each(|name| output.remove(name));
    }
}
