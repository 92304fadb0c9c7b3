//! What statuses are made from, besides reports, and where they go.

use crate::problem::ProblemBook;
use crate::tables::observed::HubTable;
use crate::tables::{Notes, SeenTable};
use crate::writers::queue::Queue;

/// Handles of what other tasks publish.
#[derive(Clone)]
pub struct Sources {
    /// The hub, for Events.
    pub client: kube::Client,
    /// The objects whose statuses these are.
    pub hub: HubTable,
    pub seen: SeenTable,
    pub notes: Notes,
    pub problems: ProblemBook,
    /// Writes the statuses, and says how far mirrors are.
    pub queue: Queue,
}
