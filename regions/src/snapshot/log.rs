//! What changed, and when: the way from what a client has to what it should have.

use std::sync::Arc;

use rpds::ListSync;

use crate::resource::Resource;

/// Changes that a log surely remembers, 32 bytes each. A client that is further behind must say what it has.
pub const MAX_LOG_CHANGES: usize = if cfg!(test) { 2_048 } else { 32_768 };

const NEARLY_FULL: usize = MAX_LOG_CHANGES + MAX_LOG_CHANGES / 2;

/// The latest changes of one [`super::Part`]. Cloning costs one reference count.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Newest first.
    commits: ListSync<Arc<Commit>>,
    changes: usize,
    /// All changes after this commit are known.
    from: u64,
}

#[derive(Debug)]
struct Commit {
    seq: u64,
    changes: Vec<Change>,
}

/// A resource that changed. What it is now, the part itself knows.
#[derive(Clone, Debug)]
pub struct Change {
    pub name: Arc<str>,
    pub was: Was,
}

/// What stood under the name before the change.
#[derive(Clone, Debug)]
pub enum Was {
    Nothing,
    /// Another version, see [`Resource::version`].
    Version(u64),
    /// This; and it is gone. Kept whole, because it may have to be said once more before it can be taken away.
    There(Resource),
}

impl Was {
    pub fn version(&self) -> Option<u64> {
        match self {
            Self::Nothing => None,
            Self::Version(version) => Some(*version),
            Self::There(resource) => Some(resource.version()),
        }
    }
}

impl Log {
    /// A log that begins with the state at `seq`.
    pub(crate) fn starting_at(seq: u64) -> Self {
        Self { from: seq, ..Self::default() }
    }

    /// All changes after this commit are known.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Changes after `seq`, newest first.
    pub fn since(&self, seq: u64) -> impl Iterator<Item = &Change> {
        let commits = self.commits.iter().take_while(move |commit| commit.seq > seq);
        commits.flat_map(|commit| commit.changes.iter().rev())
    }

    /// Records a commit. Forgets the oldest ones once there are twice as many changes as are to be remembered, and returns
    /// true some time before that: time for everybody who reads it to catch up.
    pub(crate) fn push(&mut self, seq: u64, changes: Vec<Change>) -> bool {
        // Before, not after: whoever reads the log this commit makes finds all of the commit in it.
        if self.changes >= 2 * MAX_LOG_CHANGES {
            self.forget();
        }
        let before = self.changes;
        self.changes += changes.len();
        self.commits.push_front_mut(Arc::new(Commit { seq, changes }));
        before < NEARLY_FULL && self.changes >= NEARLY_FULL
    }

    fn forget(&mut self) {
        let mut kept = Vec::new();
        let mut changes = 0;
        for commit in &self.commits {
            if changes + commit.changes.len() > MAX_LOG_CHANGES {
                self.from = commit.seq;
                break;
            }
            changes += commit.changes.len();
            kept.push(commit.clone());
        }
        self.changes = changes;
        self.commits = ListSync::new_sync();
        for commit in kept.into_iter().rev() {
            self.commits.push_front_mut(commit);
        }
    }
}
