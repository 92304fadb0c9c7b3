//! Where recipes put what they made.

use crate::resource::{Resource, ResourceType};
use crate::snapshot::{Change, Part, Was};
use crate::stats::CatalogStats;

/// Where a recipe puts what it made.
pub(super) struct Output<'a> {
    contents: &'a mut Contents,
    stats: &'a CatalogStats,
}

/// The resources of one shelf.
pub(super) struct Contents {
    pub(super) resource_type: ResourceType,
    pub(super) part: Part,
    /// What changed since the last commit.
    pub(super) pending: Vec<Change>,
}

impl Contents {
    pub(super) fn starting_at(seq: u64, resource_type: ResourceType) -> Self {
        Self { resource_type, part: Part::starting_at(seq), pending: Vec::new() }
    }
}

impl<'a> Output<'a> {
    pub(super) fn new(contents: &'a mut Contents, stats: &'a CatalogStats) -> Self {
        Self { contents, stats }
    }

    /// To be called once for each key whose resources are made.
    pub(super) fn count_key(&self) {
        self.stats.derived.inc();
    }

    pub(super) fn put(&mut self, resource: Resource) {
        let Contents { resource_type, part, pending } = &mut *self.contents;
        self.stats.encoded.inc();
        if part.get(resource.name()) == Some(&resource) {
            self.stats.unchanged.inc();
            return;
        }
        self.stats.changed.inc();
        let name = resource.name().clone();
        pending.push(match part.put(resource) {
            Some(old) => Change { name: old.name().clone(), was: Was::Version(old.version()) },
            None => {
                self.stats.resources_of(*resource_type).add(1);
                Change { name, was: Was::Nothing }
            }
        });
    }

    pub(super) fn remove(&mut self, name: &str) {
        let Contents { resource_type, part, pending } = &mut *self.contents;
        let Some(old) = part.remove(name) else { return };
        self.stats.changed.inc();
        self.stats.resources_of(*resource_type).add(-1);
        pending.push(Change { name: old.name().clone(), was: Was::There(old) });
    }
}
