//! The present state of one shelf of the catalog.

use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use super::log::{Change, Log};
use crate::resource::Resource;

/// Resources of one type for one audience, with the log of their changes. Cloning copies no resource.
#[derive(Clone, Debug, Default)]
pub struct Part {
    resources: RedBlackTreeMapSync<Arc<str>, Resource>,
    digest: u64,
    changed_at: u64,
    log: Log,
}

impl Part {
    /// An empty part that begins at commit `seq`.
    pub(crate) fn starting_at(seq: u64) -> Self {
        Self { changed_at: seq, log: Log::starting_at(seq), ..Self::default() }
    }

    pub fn get(&self, name: &str) -> Option<&Resource> {
        self.resources.get(name)
    }

    /// All resources whose names begin so, in order of names.
    pub fn under<'a>(&'a self, begin: &'a str) -> impl Iterator<Item = &'a Resource> {
        let from = self.resources.range::<str, _>((Bound::Included(begin), Bound::Unbounded));
        from.map(|(_, resource)| resource).take_while(move |resource| resource.name().starts_with(begin))
    }

    /// In order of names.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    pub fn len(&self) -> usize {
        self.resources.size()
    }

    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// The sum of [`Resource::digest`] over all resources.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The last commit that changed anything.
    pub fn changed_at(&self) -> u64 {
        self.changed_at
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Changes after `seq`, newest first, as far as the log remembers.
    pub fn changes_since(&self, seq: u64) -> impl Iterator<Item = &Change> {
        let changed = (self.changed_at > seq).then(|| self.log.since(seq));
        changed.into_iter().flatten()
    }

    /// Records what [`Part::put`] and [`Part::remove`] did as commit `seq`. Returns what [`Log::push`] does.
    pub(crate) fn commit(&mut self, seq: u64, changes: Vec<Change>) -> bool {
        self.changed_at = seq;
        self.log.push(seq, changes, self.resources.size())
    }

    /// Puts a resource and returns the one that was there. To be called only if that has other bytes.
    pub(crate) fn put(&mut self, mut resource: Resource) -> Option<Resource> {
        let old = self.resources.get(resource.name()).cloned();
        if let Some(old) = &old {
            resource = resource.sharing(old.name());
        }
        self.digest = self.digest.wrapping_add(resource.digest());
        self.digest = self.digest.wrapping_sub(old.as_ref().map_or(0, Resource::digest));
        self.resources.insert_mut(resource.name().clone(), resource);
        old
    }

    /// Takes a resource away and returns it.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Resource> {
        let old = self.resources.get(name).cloned()?;
        self.digest = self.digest.wrapping_sub(old.digest());
        self.resources.remove_mut(name);
        Some(old)
    }
}
