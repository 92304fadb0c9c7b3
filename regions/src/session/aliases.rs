//! Which names of a subscription are other names for something, see [`crate::alias`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::alias;
use crate::resource::ResourceType;

/// By origin.
#[derive(Debug, Default)]
pub(super) struct Aliases(BTreeMap<String, BTreeSet<Arc<str>>>);

impl Aliases {
    /// Notes a name, if it is an alias. Returns its origin.
    pub(super) fn add(&mut self, resource_type: ResourceType, name: &Arc<str>) -> Option<String> {
        let origin = alias::origin(resource_type, name)?;
        self.0.entry(origin.clone()).or_default().insert(name.clone());
        Some(origin)
    }

    pub(super) fn remove(&mut self, resource_type: ResourceType, name: &str) {
        let Some(origin) = alias::origin(resource_type, name) else { return };
        if let Some(names) = self.0.get_mut(&origin) {
            names.remove(name);
            if names.is_empty() {
                self.0.remove(&origin);
            }
        }
    }

    /// All aliases of a name.
    pub(super) fn of(&self, origin: &str) -> impl Iterator<Item = &Arc<str>> {
        self.0.get(origin).into_iter().flatten()
    }
}
