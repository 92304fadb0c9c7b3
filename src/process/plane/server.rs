//! The xDS server of a region's control plane, as a part of a process.

use std::sync::Arc;

use clusters::shutdown::{Shutdown, ShutdownTrigger};
use federation::model::RegionId;
use regions::catalog::{self, Catalog, CatalogCommand, CatalogHandle};
use regions::class::Defaults;
use regions::server::{self, Listening, Loads, Shared, StartLimits, Streams};
use regions::stats::Stats;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::input::Served;
use super::ports::Ports;
use super::serve::Serve;
use crate::admin;
use crate::process::tls;

/// The engine's side of the catalog.
type CatalogWiring = (Catalog, mpsc::Receiver<CatalogCommand>);

/// A server that does not serve yet.
pub(super) struct Server {
    serve: Serve,
    ports: Ports,
    catalog: CatalogHandle,
    stats: Arc<Stats>,
    streams: Streams,
    loads: Loads,
    certificate: Option<Arc<tls::Status>>,
}

impl Server {
    pub fn new(serve: Serve, ports: Ports, certificate: Option<Arc<tls::Status>>) -> (Self, CatalogWiring) {
        let stats = Arc::new(Stats::default());
        let (catalog, commands) = catalog::channel();
        let wiring = (Catalog::new(Arc::clone(&stats)), commands);
        let (streams, loads) = (Streams::default(), Loads::default());
        (Self { serve, ports, catalog, stats, streams, loads, certificate }, wiring)
    }

    pub fn region(&self) -> RegionId {
        self.serve.region.clone()
    }

    /// For a source of batches that is part of the program.
    pub fn served(&self) -> Served {
        Served { xds: self.ports.xds, stats: Arc::clone(&self.stats) }
    }

    /// For pages and metrics.
    pub fn proxies(&self) -> admin::Proxies {
        admin::Proxies {
            streams: self.streams.clone(),
            loads: self.loads.clone(),
            stats: Arc::clone(&self.stats),
            certificate: self.certificate.clone(),
        }
    }

    /// Serves until the shutdown signal, and fires `served` when the last stream has ended.
    pub fn start(
        self,
        mut shutdown: Shutdown,
        served: ShutdownTrigger,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let Self { serve, ports, catalog, stats, streams, loads, .. } = self;
        for Listening { listener, tls } in &ports.listeners {
            tracing::info!(region = %serve.region, address = %listener.local_addr()?, tls = tls.is_some(), "serving xDS");
        }
        let identifier = Arc::from(format!("isthmus/{}", serve.region));
        let Serve { region, on_demand, limits, .. } = serve;
        let defaults = Arc::new(Defaults { region, on_demand });
        let start_limits = StartLimits::counted(&stats);
        let shared = Shared { catalog, defaults, identifier, stats, streams, loads, start_limits };
        tasks.spawn(async move {
            server::serve(ports.listeners, shared, limits, async move { shutdown.wait().await }).await;
            served.fire();
            Ok(())
        });
        Ok(())
    }
}
