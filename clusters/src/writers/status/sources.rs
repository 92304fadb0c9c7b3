//! What statuses are made from, besides reports, and where they go.

use crate::problem::ProblemBook;
use crate::tables::{Notes, SeenTable};
use crate::writers::queue::Queue;

/// Handles of what other tasks publish.
#[derive(Clone)]
pub struct Sources {
    /// The hub.
    pub client: kube::Client,
    pub seen: SeenTable,
    pub notes: Notes,
    pub problems: ProblemBook,
    /// Writes the statuses, and says how far mirrors are.
    pub queue: Queue,
}
