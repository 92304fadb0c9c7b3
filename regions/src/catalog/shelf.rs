//! The resources of one recipe, kept current. Classes of clients that must be sent the same bytes take them from the same
//! shelf, so each resource is encoded once, however many classes there are.

use std::sync::Arc;

use super::facts::{Changes, Facts};
use super::output::{Contents, Output};
use super::recipes::{AnyRecipe, Maker};
use crate::interest::Topic;
use crate::resource::ResourceType;
use crate::snapshot::Part;
use crate::stats::CatalogStats;
use crate::translate::leds;

pub(super) struct Shelf {
    maker: Box<dyn Maker>,
    contents: Contents,
}

impl Shelf {
    /// Fills a shelf with everything that the facts imply at commit `seq`.
    pub(super) fn new(recipe: &AnyRecipe, facts: &Facts, seq: u64, stats: &CatalogStats) -> Self {
        let mut contents = Contents::starting_at(seq, recipe.resource_type());
        let mut maker = recipe.start();
        maker.fill(facts, &mut Output::new(&mut contents, stats));
        // All of this is the state that the log begins with.
        contents.pending = Vec::new();
        Self { maker, contents }
    }

    pub(super) fn part(&self) -> &Part {
        &self.contents.part
    }

    /// Makes again what the changes touch.
    pub(super) fn update(&mut self, changes: &Changes, facts: &Facts, stats: &CatalogStats) {
        self.maker.update(changes, facts, &mut Output::new(&mut self.contents, stats));
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
