//! Where a process gets its batches: from a source of its own, or from the program that it is part of.

use std::net::SocketAddr;
use std::sync::Arc;

use clusters::client::hub::HubClient;
use clusters::problem::ProblemBook;
use clusters::shutdown::Shutdown;
use clusters::sources::feed::Feed;
use clusters::sources::registry::Tables;
use federation::Awaits;
use futures::future::BoxFuture;
use regions::stats::Stats;
use tokio::task::JoinSet;

use super::origin::{Origin, start_source};
use crate::process::engine::EngineHandle;

/// Where a process gets its batches.
pub enum Input {
    /// From Kubernetes objects.
    Origin(Origin),
    /// From the program itself: the benchmark.
    Batches(BatchSource),
}

/// Called once the process runs. Its future sends batches; when it ends, so does the process.
pub type BatchSource = Box<dyn FnOnce(Running) -> BoxFuture<'static, anyhow::Result<()>> + Send>;

/// A running process, for the source of its batches.
pub struct Running {
    pub feed: Feed,
    pub engine: EngineHandle,
    /// Set for a region's control plane.
    pub served: Option<Served>,
}

/// What a region's control plane serves and counts.
pub struct Served {
    /// In plaintext; with the port that was chosen, if it was to be any.
    pub xds: SocketAddr,
    pub stats: Arc<Stats>,
}

impl Input {
    /// Starts what sends batches until the shutdown signal.
    pub(super) fn start(
        self,
        running: Running,
        problems: ProblemBook,
        tables: Tables,
        mut shutdown: Shutdown,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let source = match self {
            Self::Origin(origin) => return start_source(origin, running.feed, problems, tables, shutdown, tasks),
            Self::Batches(source) => source(running),
        };
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.wait() => Ok(()),
                ended = source => ended,
            }
        });
        Ok(())
    }

    /// The hub, and the namespace of the Secrets that this process reads.
    pub(super) fn secrets(&self) -> Option<(HubClient, String)> {
        match self {
            Self::Origin(origin) => origin.secrets(),
            Self::Batches(_) => None,
        }
    }

    /// Batches of the program itself keep no record of who was admitted, just as a folder.
    pub(super) fn awaits(&self) -> Awaits {
        match self {
            Self::Origin(origin) => origin.awaits(),
            Self::Batches(_) => Awaits::NotRefused,
        }
    }
}

impl From<Origin> for Input {
    fn from(origin: Origin) -> Self {
        Self::Origin(origin)
    }
}
