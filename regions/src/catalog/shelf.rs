//! The resources of one recipe, kept current. Classes of clients that must be sent the same bytes take them from the same
//! shelf, so each resource is encoded once, however many classes there are.

use std::sync::Arc;

use super::facts::{Changes, Facts};
use super::recipes::{AnyRecipe, Maker};
use crate::interest::Topic;
use crate::resource::{Resource, ResourceType};
use crate::snapshot::{Change, Part, Was};
use crate::stats::CatalogStats;
use crate::translate::leds;

pub(super) struct Shelf {
    maker: Box<dyn Maker>,
    contents: Contents,
}

struct Contents {
    resource_type: ResourceType,
    part: Part,
    /// What changed since the last commit.
    pending: Vec<Change>,
}

/// Where a recipe puts what it made.
pub(super) struct Output<'a> {
    contents: &'a mut Contents,
    stats: &'a CatalogStats,
}

impl Shelf {
    /// Fills a shelf with everything that the facts imply at commit `seq`.
    pub(super) fn new(recipe: &AnyRecipe, facts: &Facts, seq: u64, stats: &CatalogStats) -> Self {
        let (resource_type, part) = (recipe.resource_type(), Part::starting_at(seq));
        let mut contents = Contents { resource_type, part, pending: Vec::new() };
        let mut maker = recipe.start();
        maker.fill(facts, &mut Output { contents: &mut contents, stats });
        // All of this is the state that the log begins with.
        contents.pending = Vec::new();
        Self { maker, contents }
    }

    pub(super) fn part(&self) -> &Part {
        &self.contents.part
    }

    /// Makes again what the changes touch.
    pub(super) fn update(&mut self, changes: &Changes, facts: &Facts, stats: &CatalogStats) {
        self.maker.update(changes, facts, &mut Output { contents: &mut self.contents, stats });
    }

    /// Makes what changed part of commit `seq`, and returns which streams it concerns. `None`: nothing changed.
    pub(super) fn commit(&mut self, seq: u64) -> Option<Committed> {
        let Contents { resource_type, part, pending } = &mut self.contents;
        if pending.is_empty() {
            return None;
        }
        let changes = std::mem::take(pending);
        let names = changes.iter().map(|change| change.name.clone()).collect();
        let all = part.commit(seq, changes);
        Some(Committed { resource_type: *resource_type, names, all })
    }

    /// Takes its share out of the gauges.
    pub(super) fn forget(&self, stats: &CatalogStats) {
        let held = i64::try_from(self.contents.part.len()).unwrap_or(0);
        stats.resources_of(self.contents.resource_type).add(-held);
    }
}

impl Output<'_> {
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

/// What a commit changed on one shelf.
#[derive(Debug)]
pub(super) struct Committed {
    resource_type: ResourceType,
    names: Vec<Arc<str>>,
    /// Every stream has to look, because the log is about to forget.
    pub(super) all: bool,
}

impl Committed {
    /// The names, for streams that take them under a wildcard (`star`) or only by name.
    pub(super) fn topics(&self, star: bool) -> impl Iterator<Item = Topic> {
        self.names.iter().map(move |name| match self.resource_type {
            ResourceType::Endpoint => Topic::new(self.resource_type, &leds::collection_of(name), star),
            _ => Topic::new(self.resource_type, name, star),
        })
    }
}
