//! What changed, and when: from this follows what a client lacks.

use std::sync::Arc;

use rpds::ListSync;

use crate::resource::Resource;

/// Changes that a log surely remembers, about 120 bytes each; where there are more resources than this, as many as there
/// are, because one decision may change them all. A client that is further behind must report what it has.
pub const MIN_LOG_CHANGES: usize = if cfg!(test) { 1_024 } else { 16_384 };
/// Bytes of what is gone that a log surely remembers.
pub const MIN_LOG_BYTES: usize = if cfg!(test) { 64 << 10 } else { 8 << 20 };

/// The latest changes of one [`super::Part`]. Cloning costs one reference count.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Newest first.
    commits: ListSync<Commit>,
    size: Size,
    /// What it held when every reader was warned that it is about to forget.
    warned: Option<Size>,
    /// All changes after this commit are known.
    from: u64,
}

#[derive(Clone, Debug)]
struct Commit {
    seq: u64,
    changes: Changes,
}

/// Mostly one: an endpoint that changed.
#[derive(Clone, Debug)]
enum Changes {
    One(Change),
    Many(Arc<[Change]>),
}

impl Changes {
    fn as_slice(&self) -> &[Change] {
        match self {
            Self::One(change) => std::slice::from_ref(change),
            Self::Many(changes) => changes,
        }
    }
}

/// What a log holds, or may hold.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    changes: usize,
    /// Of what is gone.
    bytes: usize,
}

impl Size {
    fn of(changes: &[Change]) -> Self {
        let bytes = |change: &Change| match &change.was {
            Was::There(resource) => resource.delta_bytes().len(),
            Was::Nothing | Was::Version(_) => 0,
        };
        Self { changes: changes.len(), bytes: changes.iter().map(bytes).sum() }
    }

    fn with(self, other: Self) -> Self {
        Self { changes: self.changes + other.changes, bytes: self.bytes + other.bytes }
    }

    fn without(self, other: Self) -> Self {
        Self { changes: self.changes.saturating_sub(other.changes), bytes: self.bytes.saturating_sub(other.bytes) }
    }

    /// Whether it is more than so many halves of the other in any respect.
    fn exceeds(self, halves: usize, other: Self) -> bool {
        2 * self.changes > halves * other.changes || 2 * self.bytes > halves * other.bytes
    }
}

/// A resource that changed. Its present state is in the part.
#[derive(Clone, Debug)]
pub struct Change {
    pub name: Arc<str>,
    pub was: Was,
}

/// What was under the name before the change.
#[derive(Clone, Debug)]
pub enum Was {
    Nothing,
    /// Another version, see [`Resource::version`].
    Version(u64),
    /// This; and it is gone. Kept whole, because it may have to be sent once more before it can be removed.
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
        commits.flat_map(|commit| commit.changes.as_slice().iter().rev())
    }

    /// Records a commit to a part of so many resources. Returns true once there is half as much again as is to be
    /// remembered: then every reader has to catch up. Another half later the oldest commits are forgotten.
    pub(crate) fn push(&mut self, seq: u64, changes: Vec<Change>, resources: usize) -> bool {
        let keep = Size { changes: MIN_LOG_CHANGES.max(resources), bytes: MIN_LOG_BYTES };
        // Before, not after: a reader of the log that this commit makes finds all of the commit in it.
        if self.warned.is_some_and(|warned| self.size.without(warned).exceeds(1, keep)) {
            self.forget(keep);
        }
        self.size = self.size.with(Size::of(&changes));
        let changes = match <[Change; 1]>::try_from(changes) {
            Ok([change]) => Changes::One(change),
            Err(changes) => Changes::Many(changes.into()),
        };
        self.commits.push_front_mut(Commit { seq, changes });
        let warn = self.warned.is_none() && self.size.exceeds(3, keep);
        if warn {
            self.warned = Some(self.size);
        }
        warn
    }

    fn forget(&mut self, keep: Size) {
        let mut kept = Vec::new();
        let mut size = Size::default();
        for commit in &self.commits {
            let with = size.with(Size::of(commit.changes.as_slice()));
            if with.exceeds(2, keep) {
                self.from = commit.seq;
                break;
            }
            size = with;
            kept.push(commit.clone());
        }
        (self.size, self.warned) = (size, None);
        self.commits = ListSync::new_sync();
        for commit in kept.into_iter().rev() {
            self.commits.push_front_mut(commit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceType;

    fn gone(bytes: usize) -> Change {
        let message = envoy_types::pb::google::protobuf::BytesValue { value: vec![7; bytes] };
        let resource = Resource::encode(ResourceType::Cluster, "gone", &message);
        Change { name: resource.name().clone(), was: Was::There(resource) }
    }

    fn changed() -> Change {
        Change { name: Arc::from("changed"), was: Was::Version(1) }
    }

    /// Commits until every reader is warned, and then until it forgets: how many each time.
    fn commits_until(log: &mut Log, mut seq: u64, resources: usize, change: impl Fn() -> Change) -> (usize, usize) {
        let (mut warned, mut forgot) = (0, 0);
        for round in 1.. {
            seq += 1;
            let before = log.from();
            if log.push(seq, vec![change()], resources) {
                warned = round;
            }
            if log.from() > before {
                forgot = round;
                break;
            }
        }
        (warned, forgot)
    }

    #[test]
    fn it_forgets_the_oldest_only_some_time_after_it_warned() {
        let mut log = Log::default();
        let (warned, forgot) = commits_until(&mut log, 0, 10, changed);
        assert_eq!(warned, MIN_LOG_CHANGES + MIN_LOG_CHANGES / 2 + 1);
        assert!((2 * MIN_LOG_CHANGES..2 * MIN_LOG_CHANGES + 5).contains(&forgot), "{forgot}");
        assert!(log.since(0).count() >= MIN_LOG_CHANGES);
        assert_eq!(log.since(log.from()).count(), log.since(0).count());
    }

    #[test]
    fn it_remembers_as_many_changes_as_there_are_resources() {
        let (warned, forgot) = commits_until(&mut Log::default(), 0, 3 * MIN_LOG_CHANGES, changed);
        assert!(warned > 4 * MIN_LOG_CHANGES && forgot > 5 * MIN_LOG_CHANGES, "{warned} {forgot}");
    }

    #[test]
    fn what_is_gone_counts_by_its_bytes() {
        const EACH: usize = MIN_LOG_BYTES / 32;
        let mut log = Log::default();
        let (warned, forgot) = commits_until(&mut log, 0, 10, || gone(EACH));
        assert!((40..=48).contains(&warned) && (56..=66).contains(&forgot), "{warned} {forgot}");
        assert!((28..=34).contains(&log.since(0).count()));
    }

    #[test]
    fn where_there_is_suddenly_less_every_reader_is_warned_before_it_forgets() {
        let mut log = Log::default();
        let many = 8 * MIN_LOG_CHANGES;
        for seq in 1..=u64::try_from(many).expect("few") {
            assert!(!log.push(seq, vec![changed()], many));
        }
        let (warned, forgot) = commits_until(&mut log, u64::try_from(many).expect("few"), 10, changed);
        assert_eq!(warned, 1);
        assert!(forgot > MIN_LOG_CHANGES / 2);
    }
}
