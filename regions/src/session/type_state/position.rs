//! What a client has of one type, as far as its stream knows.

use std::sync::Arc;

use crate::resource::ResourceType;
use crate::session::known::Known;
use crate::snapshot::Snapshot;

pub(super) enum Position {
    /// Nothing was sent on this stream.
    Start {
        /// What the client reports to have from an earlier stream.
        known: Known,
    },
    /// The client was brought to a commit.
    At {
        commit: u64,
        /// The last snapshot before the class changed over to other sources, if the client was not brought over yet. It is
        /// the one snapshot that a client that does not answer may pin.
        moved_from: Option<Arc<Snapshot>>,
    },
}

impl Default for Position {
    fn default() -> Self {
        Self::Start { known: Known::default() }
    }
}

impl Position {
    pub(super) fn at(commit: u64) -> Self {
        Self::At { commit, moved_from: None }
    }

    /// The commit that the client was brought to.
    pub(super) fn commit(&self) -> Option<u64> {
        match self {
            Self::Start { .. } => None,
            Self::At { commit, .. } => Some(*commit),
        }
    }

    /// What the client has from an earlier stream, if anything.
    pub(super) fn known(&self) -> Option<&Known> {
        match self {
            Self::Start { known } if !known.is_empty() => Some(known),
            Self::Start { .. } | Self::At { .. } => None,
        }
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.known().is_some_and(|known| known.contains(name))
    }

    /// See [`Known::version`].
    pub(super) fn known_version(&self, name: &str) -> Option<u64> {
        self.known()?.version(name)
    }

    /// Notes what the client reports to have. It counts only before anything was sent: later the stream knows better.
    pub(super) fn set_known(&mut self, new: Known) {
        if let Self::Start { known } = self {
            *known = new;
        }
    }

    /// The next target comes. If its resources come from elsewhere, what the client was brought to is kept until it was
    /// brought over.
    pub(super) fn change_sources(&mut self, resource_type: ResourceType, old: &Arc<Snapshot>, new: &Snapshot) {
        let (old_since, new_since) = (old.of(resource_type).since(), new.of(resource_type).since());
        if let Self::At { commit, moved_from: moved_from @ None } = self
            && old_since != new_since
            && *commit >= old_since
        {
            *moved_from = Some(old.clone());
        }
    }

    pub(super) fn moved_from(&self) -> Option<&Snapshot> {
        match self {
            Self::Start { .. } => None,
            Self::At { moved_from, .. } => moved_from.as_deref(),
        }
    }
}
