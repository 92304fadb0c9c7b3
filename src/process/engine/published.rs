//! The published state of a running engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation::model::ClusterId;
use federation::report::MemberReport;
use federation::{Knowledge, Stats};

/// What the rest of the process may read: one immutable value for each round.
#[derive(Clone, Debug, Default)]
pub struct Published {
    pub knowledge: Knowledge,
    /// Set if the region that is served does not exist.
    pub region_note: Option<Arc<str>>,
    /// Shared between rounds: most rounds change no report.
    pub members: Arc<BTreeMap<ClusterId, Arc<MemberReport>>>,
    pub services: usize,
    pub stats: Stats,
    pub rounds: u64,
    /// Time the last round took, from taking its batches to having published its effects.
    pub last_round: Duration,
}
