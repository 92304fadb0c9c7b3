//! Which clusters' folders are there. One that has just appeared is being filled, most likely: taken at once, it would
//! look like a cluster that has lost nearly everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use federation::model::ClusterId;

use super::origin::Origin;
use super::scan::{Seen, Stamp};
use super::timing::{GRACE, MAX_SETTLE};

#[derive(Debug, Default)]
pub(super) struct Folders {
    /// As listed last; the error says why one cannot be listed.
    listed: BTreeMap<ClusterId, Result<(), String>>,
    present: BTreeSet<ClusterId>,
    settling: BTreeMap<ClusterId, Settling>,
}

#[derive(Debug)]
struct Settling {
    since: Instant,
    changed: Instant,
    files: Vec<(PathBuf, Result<Stamp, String>)>,
}

impl Folders {
    /// Takes a new listing; returns the clusters whose folders came to rest with it.
    pub(super) fn update(
        &mut self,
        listed: BTreeMap<ClusterId, Result<(), String>>,
        files: &BTreeMap<PathBuf, Seen>,
        started: bool,
        now: Instant,
    ) -> BTreeSet<ClusterId> {
        self.present.retain(|id| listed.contains_key(id));
        self.settling.retain(|id, _| listed.contains_key(id));
        self.listed = listed;
        let mut settled = BTreeSet::new();
        for id in self.listed.keys().filter(|id| !self.present.contains(*id)) {
            let origin = Origin::Member(id.clone());
            let files: Vec<_> = files
                .iter()
                .filter(|(_, seen)| started && seen.origin == origin)
                .map(|(file, seen)| (file.clone(), seen.stamp.clone()))
                .collect();
            let state = self.settling.entry(id.clone()).or_insert_with(|| Settling {
                since: now,
                changed: now,
                files: files.clone(),
            });
            if state.files != files {
                state.changed = now;
                state.files = files;
            }
            let at_rest = now.saturating_duration_since(state.changed) >= GRACE
                || now.saturating_duration_since(state.since) >= MAX_SETTLE;
            if at_rest || !started {
                settled.insert(id.clone());
            }
        }
        self.settling.retain(|id, _| !settled.contains(id));
        self.present.extend(settled.iter().cloned());
        settled
    }

    /// Whether any folder has yet to come to rest.
    pub(super) fn settling(&self) -> bool {
        !self.settling.is_empty()
    }

    /// Since when the folder that will be next is at rest.
    pub(super) fn next(&self) -> Option<Instant> {
        self.settling.values().map(|state| state.changed).min()
    }

    /// Whether the folder is there and can be listed.
    pub(super) fn listed(&self, id: &ClusterId) -> bool {
        matches!(self.listed.get(id), Some(Ok(())))
    }

    /// Folders at rest.
    pub(super) fn present(&self) -> BTreeMap<ClusterId, Result<(), String>> {
        let present = self.listed.iter().filter(|(id, _)| self.present.contains(*id));
        present.map(|(id, result)| (id.clone(), result.clone())).collect()
    }
}
