//! Kinds that cannot be read, and when a connection is of no use without them.

use std::collections::BTreeSet;

use federation::change::MemberKind;
use federation::model::ClusterId;

use crate::client::connect::ConnectError;

/// Kinds that cannot be read on this connection. The others are followed all the same.
#[derive(Default)]
pub(super) struct Unreadable(BTreeSet<MemberKind>);

impl Unreadable {
    /// True if nothing is left that is worth a connection.
    pub(super) fn begin(&mut self, id: &ClusterId, kind: MemberKind, error: &ConnectError) -> bool {
        if self.0.insert(kind) {
            tracing::warn!(cluster = %id, kind = kind.plural(), "cannot be read; what is known of it stays: {error}");
        }
        MemberKind::DECIDING.iter().all(|kind| self.0.contains(kind) || *kind == MemberKind::Exports)
    }

    pub(super) fn end(&mut self, kind: MemberKind) {
        self.0.remove(&kind);
    }
}
