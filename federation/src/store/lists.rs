//! Which kinds of objects of one member were completely listed, and which cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::MemberKind;

/// The state of one member's lists.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Completely listed on the latest connection, and readable since.
    listed: BTreeSet<MemberKind>,
    /// Completely listed at least once, on any connection.
    seen: BTreeSet<MemberKind>,
    /// Listed, but the source never had the complete list.
    partly: BTreeSet<MemberKind>,
    /// Kinds that cannot be read on the latest connection, and why.
    unreadable: BTreeMap<MemberKind, Arc<str>>,
}

/// What other stages depend on. Two equal values: nothing has to be decided again because of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    listed: bool,
    names_listed: bool,
    pub known: bool,
    known_wholly: bool,
    pub ranges: [bool; 2],
    unreadable: usize,
}

impl Lists {
    /// True when all kinds that decide what the member contributes were completely listed on the latest connection, up
    /// or not.
    pub fn is_listed(&self) -> bool {
        MemberKind::DECIDING.iter().all(|kind| self.listed.contains(kind))
    }

    /// True when the names of its Namespaces and Services are known. Before that, nothing can be written to the member.
    pub fn names_are_listed(&self) -> bool {
        [MemberKind::Namespaces, MemberKind::Services].iter().all(|kind| self.listed.contains(kind))
    }

    /// True when what it contributes was completely listed at least once. Before that it contributes nothing: Services
    /// without their slices would look like Services without endpoints.
    pub fn is_known(&self) -> bool {
        MemberKind::DECIDING.iter().all(|kind| self.seen.contains(kind))
    }

    /// True when it is known, and the source had the complete list of each deciding kind.
    pub fn is_known_wholly(&self) -> bool {
        self.is_known() && !self.partly.iter().any(|kind| kind.is_deciding())
    }

    /// True when all objects of a kind were listed at least once.
    pub fn has_seen(&self, kind: MemberKind) -> bool {
        self.seen.contains(&kind)
    }

    pub fn unreadable(&self) -> impl Iterator<Item = (MemberKind, &Arc<str>)> {
        self.unreadable.iter().map(|(kind, why)| (*kind, why))
    }

    pub(super) fn complete(&mut self, kind: MemberKind) {
        self.listed.insert(kind);
        self.seen.insert(kind);
        self.partly.remove(&kind);
        self.unreadable.remove(&kind);
    }

    /// True if the message is new.
    pub(super) fn fail(&mut self, kind: MemberKind, message: Arc<str>, partly: bool) -> bool {
        self.listed.remove(&kind);
        if partly {
            self.partly.insert(kind);
        }
        self.unreadable.insert(kind, Arc::clone(&message)).is_none_or(|before| before != message)
    }

    /// A new connection: everything is listed again.
    pub(super) fn restart(&mut self) {
        self.listed.clear();
        self.unreadable.clear();
    }

    /// What was listed came from another cluster. Kinds that cannot be read stay so until the next connection.
    pub(super) fn disown(&mut self) {
        self.listed.clear();
        self.forget_seen();
    }

    pub(super) fn forget_seen(&mut self) {
        self.seen.clear();
        self.partly.clear();
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            listed: self.is_listed(),
            names_listed: self.names_are_listed(),
            known: self.is_known(),
            known_wholly: self.is_known_wholly(),
            ranges: [MemberKind::Nodes, MemberKind::ServiceCidrs].map(|kind| self.has_seen(kind)),
            unreadable: self.unreadable.len(),
        }
    }
}
