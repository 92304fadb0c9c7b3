//! What a client has from an earlier stream while members that have to be known are not: it may be of those members, so it
//! is neither removed nor replaced by a placeholder for what does not exist.
//!
//! * **Incremental**: what `initial_resource_versions` names and the snapshot lacks is left alone, as is a load assignment
//!   where all known hosts cannot answer, or where mirrors show that a member that is not known
//!   backs the service: that one until the part of the known members changes. Once all members are known, the rest is
//!   removed, replaced or sent.
//! * **State of the world**: a response to a wildcard removes what it lacks, so a client that reports to have something
//!   is sent none of those types before all members are known. Of clients that follow names (gRPC), only those are held
//!   back that have something that is not in the snapshot.
//!
//! What happens to known members after the stream began reaches all clients as always, removals included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::resource::Resource;

/// What is undecided for one type of one client.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// With the version that the client has; `None`: it did not report it, or it is none that Isthmus makes.
    pub(super) names: BTreeMap<Arc<str>, Option<u64>>,
    pub(super) hold: Hold,
    /// To be removed, once nothing refers to it any more.
    pub(super) leaving: BTreeSet<Arc<str>>,
}

/// State of the world: what may not be sent before all members are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    Nothing,
    /// The client follows everything, and has something that it did not name.
    Everything,
    /// Something that the client named and has is not there, and a response without it would remove it.
    Named,
}

impl Doubt {
    /// A response was sent, so what the client has from an earlier stream is no reason to hold everything back any more.
    pub(super) fn note_sent(&mut self) {
        if self.hold == Hold::Everything {
            self.hold = Hold::Nothing;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The version that the client is left with.
    pub(super) fn version(&self, name: &str) -> Option<u64> {
        *self.names.get(name)?
    }

    pub(super) fn versions(&self) -> Vec<(Arc<str>, Option<u64>)> {
        self.names.iter().map(|(name, version)| (name.clone(), *version)).collect()
    }

    /// Whether something is to be removed as soon as nothing refers to it any more.
    pub(super) fn leaves(&self) -> bool {
        !self.leaving.is_empty()
    }

    pub(super) fn take_leaving(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.leaving)
    }

    /// What can be confirmed to a client with a time to live: it is to keep it.
    pub(super) fn heartbeats(&self) -> impl Iterator<Item = Resource> {
        self.names.iter().filter_map(|(name, version)| Some(Resource::heartbeat_of(name, (*version)?)))
    }
}
