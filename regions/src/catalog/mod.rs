//! The only writer of what clients are served. It lives on the engine's thread: [`Effects`] go in, and each open class
//! of clients gets a new immutable [`Snapshot`], at most one for each call.
//!
//! A [recipe](recipes) says how a family of resources is made from the [facts](facts::Facts). A [shelf](shelf::Shelf) holds the
//! resources of one recipe, encoded. Which shelves a class of clients takes its resources from is in [audience].
//!
//! Work is proportional to what changed: a service's resources are encoded again once for each recipe whose bytes may
//! differ, an endpoint that changes concerns load assignments only, and bytes that are equal go nowhere.

mod audience;
mod command;
mod facts;
mod output;
mod publication;
mod recipes;
mod shelf;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use federation::Effects;

use crate::class::Class;
use crate::interest::Interest;
use crate::resource::{PerType, ResourceType};
use crate::snapshot::{About, Snapshot, TypeSnapshot};
use crate::stats::Stats;
use audience::{Membership, Sources};
use facts::Facts;
use publication::{Concerns, Publication};
use recipes::AnyRecipe;
use shelf::{Committed, Shelf};

pub use command::{COMMAND_CAPACITY, CatalogClosed, CatalogCommand, CatalogHandle, channel};
pub use publication::ClassSubscription;

/// Classes that are kept current at a time. Each may cost memory for listeners and time for every change, and every client
/// that can connect can name one. Load assignments are shared by all that differ only in locations where there is nothing.
pub const MAX_CLASSES: usize = 2_048;
/// Of these, those that were opened by streams from one address: a proxy is of one class, and few proxies share an address.
pub const MAX_CLASSES_PER_ADDRESS: usize = 16;

/// Keeps what the engine decided, and serves it to classes of clients.
pub struct Catalog {
    facts: Facts,
    /// Counts commits: rounds that changed anything for any class.
    seq: u64,
    shelves: BTreeMap<AnyRecipe, Shelf>,
    classes: BTreeMap<Class, ClassState>,
    ready: bool,
    /// Classes were moved to other shelves since unused ones were dropped last.
    moved: bool,
    /// See [`Facts::awaited_loads`].
    awaited: Arc<HashSet<String>>,
    stats: Arc<Stats>,
}

struct ClassState {
    sources: PerType<Sources>,
    /// Since when each type comes from these.
    since: PerType<u64>,
    publication: Arc<Publication>,
    /// The address whose stream opened it.
    opener: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{MAX_CLASSES} classes of clients are open already; expected proxies to share region, zone, network and cluster"
    )]
    TooManyClasses,
    #[error(
        "streams from {0} have opened {MAX_CLASSES_PER_ADDRESS} classes of clients already; expected the proxies of one address \
         to share region, zone, network, cluster and settings"
    )]
    TooManyOfAddress(IpAddr),
}

impl Catalog {
    pub fn new(stats: Arc<Stats>) -> Self {
        Self {
            facts: Facts::default(),
            seq: 0,
            shelves: BTreeMap::new(),
            classes: BTreeMap::new(),
            ready: false,
            moved: false,
            awaited: Arc::default(),
            stats,
        }
    }

    /// Applies what the engine decided and publishes to each class what changed for it.
    pub fn apply(&mut self, effects: &Effects) {
        self.reap();
        let ranked_by_cluster = self.facts.ranks_by_cluster();
        let changes = self.facts.apply(effects, &self.stats.catalog);
        let seq = self.seq + 1;
        let mut committed: BTreeMap<AnyRecipe, Committed> = BTreeMap::new();
        for (recipe, shelf) in &mut self.shelves {
            shelf.update(&changes, &self.facts, &self.stats.catalog);
            if let Some(on_shelf) = shelf.commit(seq) {
                committed.insert(recipe.clone(), on_shelf);
            }
        }
        let ranked_otherwise = changes.zones || ranked_by_cluster != self.facts.ranks_by_cluster();
        let moved = if changes.topology || changes.unknown || ranked_otherwise {
            self.move_classes(seq)
        } else {
            BTreeSet::new()
        };
        if changes.awaited || (!self.awaited.is_empty() && !changes.shapes.is_empty()) {
            self.awaited = Arc::new(self.facts.awaited_loads());
        }
        let all = changes.unknown || changes.awaited;
        if committed.is_empty() && moved.is_empty() && !all {
            return;
        }
        self.seq = seq;
        if self.ready {
            self.publish(&committed, &moved, all);
        }
    }

    /// The class's snapshots; it is built if this is its first client. A class without clients is dropped at the next
    /// [`Catalog::apply`].
    pub fn open(&mut self, class: &Class, interest: Arc<Interest>) -> Result<ClassSubscription, OpenError> {
        self.open_from(None, class, interest)
    }

    /// The same for a stream from an address.
    pub fn open_from(
        &mut self,
        opener: Option<IpAddr>,
        class: &Class,
        interest: Arc<Interest>,
    ) -> Result<ClassSubscription, OpenError> {
        if let Some(state) = self.classes.get(class) {
            return Ok(state.publication.subscribe(interest));
        }
        if let Err(full) = self.has_room(opener) {
            self.reap();
            self.has_room(opener).inspect_err(|_| self.stats.catalog.classes_refused.inc()).map_err(|_| full)?;
        }
        self.stats.catalog.classes.add(1);
        self.facts.tolerate(&class.client);
        let sources = audience::sources(class, &self.facts);
        self.stock(&sources);
        let state = ClassState { sources, since: PerType::from_fn(|_| self.seq), publication: Arc::default(), opener };
        if self.ready {
            self.publish_to(class, &state, &Concerns::none());
        }
        let subscription = state.publication.subscribe(interest);
        self.classes.insert(class.clone(), state);
        Ok(subscription)
    }

    fn has_room(&self, opener: Option<IpAddr>) -> Result<(), OpenError> {
        if self.classes.len() >= MAX_CLASSES {
            return Err(OpenError::TooManyClasses);
        }
        let Some(address) = opener else { return Ok(()) };
        match self.classes.values().filter(|state| state.opener == opener).count() {
            count if count >= MAX_CLASSES_PER_ADDRESS => Err(OpenError::TooManyOfAddress(address)),
            _ => Ok(()),
        }
    }

    /// From now on snapshots are served: every source was completely listed, or the time to wait for them is over. Until
    /// then streams are accepted and wait, because in a snapshot of half the sources, services would seem to be gone.
    pub fn set_ready(&mut self) {
        self.ready = true;
        for (class, state) in &self.classes {
            self.publish_to(class, state, &Concerns::All);
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Does what a stream asked for.
    pub fn handle_command(&mut self, command: CatalogCommand) {
        match command {
            // The stream may have ended meanwhile; then the answer is dropped.
            CatalogCommand::Open { class, opener, interest, reply } => {
                drop(reply.send(self.open_from(Some(opener), &class, interest)));
            }
        }
    }

    /// `all`: which members are known changed, and with it which resources are absent for certain.
    fn publish(&self, committed: &BTreeMap<AnyRecipe, Committed>, moved: &BTreeSet<Class>, all: bool) {
        for (class, state) in &self.classes {
            let mut changed = all || moved.contains(class);
            let mut concerns = if changed { Concerns::All } else { Concerns::none() };
            for sources in state.sources.values() {
                for recipe in sources.all() {
                    let Some(changes) = committed.get(recipe) else { continue };
                    changed = true;
                    if changes.all {
                        concerns = Concerns::All;
                    }
                    concerns.add(changes.topics(sources.star.as_ref() == Some(recipe)));
                }
            }
            if changed {
                self.publish_to(class, state, &concerns);
            }
        }
    }

    fn publish_to(&self, class: &Class, state: &ClassState, concerns: &Concerns) {
        let part = |recipe: &AnyRecipe| self.shelves.get(recipe).map(|shelf| shelf.part().clone()).unwrap_or_default();
        let of_type = |t: ResourceType| {
            let sources = &state.sources[t];
            let one = |recipe: &Option<AnyRecipe>| recipe.as_ref().map(part).unwrap_or_default();
            let named = sources.named.iter().map(part).collect();
            TypeSnapshot::new(one(&sources.over), one(&sources.star), named, state.since[t])
        };
        let about = About {
            computed: audience::computed(class),
            incomplete: !self.facts.unknown.is_empty(),
            awaited: self.awaited.clone(),
            outside: Membership::of(class, &self.facts) == Membership::Outside,
        };
        let snapshot = Snapshot::new(self.seq, about, PerType::from_fn(of_type));
        state.publication.publish(Arc::new(snapshot), concerns);
        self.stats.catalog.published.inc();
    }

    /// Makes the shelves that do not exist yet.
    fn stock(&mut self, sources: &PerType<Sources>) {
        for recipe in sources.values().flat_map(Sources::all) {
            if !self.shelves.contains_key(recipe) {
                let shelf = Shelf::new(recipe, &self.facts, self.seq, &self.stats.catalog);
                self.shelves.insert(recipe.clone(), shelf);
            }
        }
    }

    /// Moves classes to other shelves, if their recipes changed: a member joined another network, services began to be
    /// ranked by the client's own cluster, or a zone got its first endpoints. Returns the classes that were moved.
    fn move_classes(&mut self, seq: u64) -> BTreeSet<Class> {
        let new = self.classes.iter().map(|(class, state)| (class, audience::sources(class, &self.facts), state));
        let moved: Vec<_> = new
            .filter(|(_, sources, state)| *sources != state.sources)
            .map(|(class, sources, _)| (class.clone(), sources))
            .collect();
        self.moved |= !moved.is_empty();
        for (class, sources) in &moved {
            self.stock(sources);
            let Some(state) = self.classes.get_mut(class) else { continue };
            for (t, new) in sources.iter() {
                if state.sources[t] != *new {
                    state.sources[t].clone_from(new);
                    state.since[t] = seq;
                }
            }
        }
        moved.into_iter().map(|(class, _)| class).collect()
    }

    /// Drops the classes without streams, and the shelves that no class takes from.
    fn reap(&mut self) {
        let stats = &self.stats.catalog;
        let before = self.classes.len();
        self.classes.retain(|_, state| state.publication.is_used());
        stats.classes.add(-i64::try_from(before - self.classes.len()).unwrap_or(0));
        if before == self.classes.len() && !std::mem::take(&mut self.moved) {
            return;
        }
        self.facts.retain_tolerated(self.classes.keys().map(|class| &class.client));
        let sources = self.classes.values().flat_map(|state| state.sources.values());
        let used: BTreeSet<&AnyRecipe> = sources.flat_map(Sources::all).collect();
        self.shelves.retain(|recipe, shelf| {
            let keep = used.contains(recipe);
            if !keep {
                shelf.forget(stats);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests;
