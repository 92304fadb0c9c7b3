//! What pages and metrics read.

use std::collections::BTreeMap;
use std::sync::Arc;

use clusters::conditions::progress::MirrorProgress;
use clusters::problem::ProblemBook;
use clusters::tables::{HubTroubles, Notes, SeenTable};
use federation::model::ClusterId;
use regions::server::{Loads, Streams};
use regions::stats::Stats;
use tokio::sync::watch;

use super::connections::ConnectionCounts;
use crate::process::engine::EngineHandle;
use crate::process::tls;

/// Everything that the pages read.
#[derive(Clone)]
pub struct Sources {
    pub engine: EngineHandle,
    pub problems: ProblemBook,
    pub seen: SeenTable,
    /// Credentials that do not work although the connection does.
    pub notes: Notes,
    /// What went wrong last with the hub's lists.
    pub hub: HubTroubles,
    /// Set where mirrors are written.
    pub mirrors: Option<watch::Receiver<BTreeMap<ClusterId, MirrorProgress>>>,
    /// Set where proxies are served.
    pub proxies: Option<Proxies>,
    /// Connections to the pages, by outcome.
    pub connections: ConnectionCounts,
}

/// Proxy streams, and what was done for them.
#[derive(Clone)]
pub struct Proxies {
    pub streams: Streams,
    pub loads: Loads,
    pub stats: Arc<Stats>,
    /// Set where TLS is served.
    pub certificate: Option<Arc<tls::Status>>,
}
