//! Whose objects a file holds.

use federation::model::ClusterId;

/// Whose objects a file holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Hub,
    Member(ClusterId),
}
