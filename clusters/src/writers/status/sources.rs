//! What statuses are made from, besides reports.

use std::collections::BTreeMap;

use federation::model::ClusterId;
use tokio::sync::watch;

use crate::conditions::progress::MirrorProgress;
use crate::problem::ProblemBook;
use crate::tables::{Notes, SeenTable};

/// Handles of what other tasks publish.
#[derive(Clone)]
pub struct Sources {
    /// The hub.
    pub client: kube::Client,
    pub seen: SeenTable,
    pub notes: Notes,
    pub problems: ProblemBook,
    pub mirrors: watch::Receiver<BTreeMap<ClusterId, MirrorProgress>>,
}
