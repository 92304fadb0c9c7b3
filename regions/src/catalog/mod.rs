//! The only writer of what clients are served. It lives on the engine's thread: [`Effects`] go in, and each open class
//! of clients gets a new immutable [`Snapshot`] through a watch channel, at most one for each call.
//!
//! Work is proportional to what changed: a service is derived again only if it, its VIPs or the topology changed, only
//! its load assignments are encoded unless its ports or VIPs changed too, and bytes that are equal go nowhere.

mod class_state;
mod command;
mod listeners;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use federation::Effects;
use tokio::sync::watch;

use crate::class::Class;
use crate::snapshot::Snapshot;
use crate::stats::Stats;
use class_state::ClassState;
use world::World;

pub use command::{COMMAND_CAPACITY, CatalogClosed, CatalogCommand, CatalogHandle, channel};

/// Classes that are kept current at a time. Each costs memory for all resources and time for every change, and anyone
/// who can connect can name one.
pub const MAX_CLASSES: usize = 512;

/// Keeps what the federation decided, and serves it to classes of clients.
pub struct Catalog {
    world: World,
    classes: BTreeMap<Class, ClassState>,
    ready: bool,
    stats: Arc<Stats>,
}

/// A class's snapshots, as long as this or a clone of it is held. `None` until the catalog is ready.
#[derive(Clone, Debug)]
pub struct ClassSubscription {
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{MAX_CLASSES} classes of clients are open already; expected proxies to share region, zone, network and cluster"
    )]
    TooManyClasses,
}

impl Catalog {
    pub fn new(stats: Arc<Stats>) -> Self {
        Self { world: World::default(), classes: BTreeMap::new(), ready: false, stats }
    }

    /// Takes in what the engine decided and publishes to each class what changed for it.
    pub fn apply(&mut self, effects: &Effects) {
        self.reap();
        let dirty = self.world.apply(effects, &self.stats.catalog);
        let mut everything = None;
        for state in self.classes.values_mut() {
            if dirty.topology {
                let all = everything.get_or_insert_with(|| self.world.all_keys());
                state.update(all, true, &self.world, &self.stats.catalog);
            } else {
                let local = state.member().and_then(|member| dirty.local.get(member));
                if dirty.services.is_empty() && local.is_none() {
                    continue;
                }
                let keys: BTreeSet<_> = dirty.services.iter().chain(local.into_iter().flatten()).cloned().collect();
                state.update(&keys, false, &self.world, &self.stats.catalog);
            }
            if self.ready {
                state.publish(&self.stats.catalog);
            }
        }
    }

    /// The class's snapshots; it is built if this is its first client. A class without clients is dropped at the next
    /// [`Catalog::apply`].
    pub fn open(&mut self, class: &Class) -> Result<ClassSubscription, OpenError> {
        if !self.classes.contains_key(class) && self.classes.len() >= MAX_CLASSES {
            self.reap();
            if self.classes.len() >= MAX_CLASSES {
                self.stats.catalog.classes_refused.inc();
                return Err(OpenError::TooManyClasses);
            }
        }
        let state = self.classes.entry(class.clone()).or_insert_with(|| {
            self.stats.catalog.classes.add(1);
            let mut state = ClassState::new(class.clone(), &self.stats.catalog);
            state.update(&self.world.all_keys(), true, &self.world, &self.stats.catalog);
            state
        });
        if self.ready {
            state.publish(&self.stats.catalog);
        }
        Ok(ClassSubscription { snapshots: state.subscribe() })
    }

    /// From now on snapshots are served: every source was fully heard, or the time to wait for them is over. Until
    /// then streams are accepted and wait, because a half-heard world would look like one in which services are gone.
    pub fn set_ready(&mut self) {
        self.ready = true;
        for state in self.classes.values_mut() {
            state.publish(&self.stats.catalog);
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Does what a stream asked for.
    pub fn handle_command(&mut self, command: CatalogCommand) {
        match command {
            // The stream may have ended meanwhile; then nobody is there to be told.
            CatalogCommand::Open { class, reply } => drop(reply.send(self.open(&class))),
        }
    }

    /// Drops the classes nobody listens to.
    fn reap(&mut self) {
        let stats = &self.stats.catalog;
        self.classes.retain(|_, state| {
            let used = state.is_used();
            if !used {
                state.forget(stats);
                stats.classes.add(-1);
            }
            used
        });
    }
}

#[cfg(test)]
mod tests;
