//! What one class of clients should hold, as an immutable value: readers share it, and never wait for the writer.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use crate::resource::{Resource, ResourceType, TYPES};

/// Commits that a snapshot remembers. A stream that is further behind compares everything instead.
pub const MAX_LOG_COMMITS: usize = 128;
/// Changes that a snapshot remembers, over all commits. Beyond it comparing everything is not dearer.
pub const MAX_LOG_CHANGES: usize = 65_536;

/// All resources of one class at one moment. Cloning it, or making the next one, copies no resource.
#[derive(Clone, Debug)]
pub struct Snapshot {
    seq: u64,
    types: [TypeView; TYPES],
    /// The latest commits, oldest first. Their sequence numbers are contiguous and end at `seq`.
    log: Arc<[Arc<Commit>]>,
}

/// The resources of one type.
#[derive(Clone, Debug)]
pub struct TypeView {
    resources: RedBlackTreeMapSync<Arc<str>, Resource>,
    digest: u64,
    changed_at: u64,
}

/// What one publication changed; names may since have changed again.
#[derive(Debug, Default)]
pub struct Commit {
    pub seq: u64,
    pub changes: Vec<(ResourceType, Arc<str>)>,
}

impl Snapshot {
    pub(crate) fn new(seq: u64, types: [TypeView; TYPES], log: Arc<[Arc<Commit>]>) -> Self {
        Self { seq, types, log }
    }

    /// Counts publications of this class.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub fn of(&self, resource_type: ResourceType) -> &TypeView {
        let [clusters, assignments, listeners, scopes, routes] = &self.types;
        match resource_type {
            ResourceType::Cluster => clusters,
            ResourceType::Assignment => assignments,
            ResourceType::Listener => listeners,
            ResourceType::Scope => scopes,
            ResourceType::Route => routes,
        }
    }

    /// Names of this type that may differ from what they were at `seq`, repeated if they changed repeatedly.
    /// `None`: that is too long ago to tell.
    pub fn changed_since(&self, resource_type: ResourceType, seq: u64) -> Option<impl Iterator<Item = &Arc<str>>> {
        let behind = usize::try_from(self.seq.checked_sub(seq)?).ok()?;
        let start = self.log.len().checked_sub(behind)?;
        let commits = self.log.get(start..)?;
        let changes = commits.iter().flat_map(|commit| &commit.changes);
        Some(changes.filter(move |(t, _)| *t == resource_type).map(|(_, name)| name))
    }
}

impl Default for TypeView {
    fn default() -> Self {
        Self { resources: RedBlackTreeMapSync::new_sync(), digest: 0, changed_at: 0 }
    }
}

impl TypeView {
    pub fn get(&self, name: &str) -> Option<&Resource> {
        self.resources.get(name)
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

    /// A version for the type as a whole: the sum of [`Resource::digest`] over all resources. It depends on names and
    /// versions only, so it is equal on every replica, and it costs O(1) to keep.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The last commit that changed anything of this type.
    pub fn changed_at(&self) -> u64 {
        self.changed_at
    }

    /// Puts a resource. Returns false, having done nothing, if the same bytes are there already.
    pub(crate) fn put(&mut self, resource: Resource, seq: u64) -> bool {
        match self.resources.get(resource.name()) {
            Some(old) if *old == resource => return false,
            Some(old) => self.digest = self.digest.wrapping_sub(old.digest()),
            None => {}
        }
        self.digest = self.digest.wrapping_add(resource.digest());
        self.changed_at = seq;
        self.resources.insert_mut(resource.name().clone(), resource);
        true
    }

    /// Returns false if it was not there.
    pub(crate) fn remove(&mut self, name: &str, seq: u64) -> bool {
        let Some(old) = self.resources.get(name) else { return false };
        self.digest = self.digest.wrapping_sub(old.digest());
        self.changed_at = seq;
        self.resources.remove_mut(name)
    }
}
