//! Port 15014: liveness, readiness, metrics and debug pages. Read-only, and without secrets, but without authentication as
//! well: that port is for loopback, and another one serves what others may read.

mod connections;
mod host;
mod invariants;
pub mod json;
mod metrics;
mod page;
mod pages;
mod proxies;
mod server;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, middleware};
use clusters::foreign::visible;
use clusters::shutdown::Shutdown;
use clusters::tables::HubTroubles;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use connections::{ANSWER_TIMEOUT, ConnectionCounts, HEADER_TIMEOUT, IDLE_TIMEOUT, MAX_CONNECTIONS};
pub use host::Hosts;
pub use invariants::CHECK_DEADLINE;
#[cfg(test)]
pub(crate) use metrics::every_metric;
pub use page::MAX_PAGES;
pub use sources::{Proxies, Sources};

/// Where pages are served, and to whom.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// All pages.
    pub admin: SocketAddr,
    /// Liveness, readiness and metrics only.
    pub probes: Option<SocketAddr>,
    pub hosts: Hosts,
}

/// Ports that pages are served on.
#[derive(Debug)]
pub struct Ports {
    admin: TcpListener,
    probes: Option<TcpListener>,
    hosts: Hosts,
}

impl Ports {
    /// Binds the ports, so that a port in use is known before anything else starts.
    pub async fn bind(addresses: Addresses) -> anyhow::Result<Self> {
        let Addresses { admin, probes, hosts } = addresses;
        let admin = listen(admin, "the admin pages", "--admin").await?;
        let probes = match probes {
            Some(address) => Some(listen(address, "probes and metrics", "--probes").await?),
            None => None,
        };
        Ok(Self { admin, probes, hosts })
    }

    /// Serves until the shutdown signal.
    pub async fn serve(self, sources: Sources, shutdown: Shutdown) -> anyhow::Result<()> {
        let stats = sources.connections.clone();
        let turns = page::Turns::new().context("cannot start the thread that makes pages")?;
        let probes = Router::new()
            .route("/livez", get(pages::livez))
            .route("/readyz", get(pages::readyz))
            .route("/metrics", get(metrics::metrics));
        let all = Router::new()
            .route("/debug/knowledge", get(pages::knowledge))
            .route("/debug/members", get(pages::members))
            .route("/debug/services", get(pages::services))
            .route("/debug/problems", get(pages::problems))
            .route("/debug/invariants", get(invariants::invariants))
            .route("/debug/streams", get(pages::streams))
            .route("/debug/proxies", get(proxies::list))
            .route("/debug/proxies/{node}", get(proxies::detail))
            .route("/debug/proxies/{node}/dump", get(proxies::dump))
            .layer(middleware::from_fn_with_state(turns, page::take_turn))
            .merge(probes.clone())
            .with_state(sources.clone());
        self.run(all, probes.with_state(sources), stats, shutdown).await;
        Ok(())
    }

    /// Serves the pages of a controller that waits for its turn. `leader`: what is known of the one that leads.
    pub async fn serve_standby(
        self,
        leader: watch::Receiver<Option<Arc<str>>>,
        troubles: HubTroubles,
        shutdown: Shutdown,
    ) {
        let text = move || match &*leader.borrow() {
            Some(leader) => format!("standing by: {} leads; ask that one\n", visible(leader)),
            None => "standing by: which controller leads is not known yet\n".to_owned(),
        };
        let elsewhere = async move || (StatusCode::SERVICE_UNAVAILABLE, text());
        let router = Router::new()
            .route("/livez", get(pages::livez))
            .route("/readyz", get(pages::standby_readyz))
            .route("/metrics", get(async || ""))
            .fallback(elsewhere)
            .with_state(troubles);
        self.run(router.clone(), router, ConnectionCounts::default(), shutdown).await;
    }

    async fn run(self, all: Router, probes: Router, stats: ConnectionCounts, shutdown: Shutdown) {
        let Self { admin, probes: listener, hosts } = self;
        let checked = |router: Router| router.layer(middleware::from_fn_with_state(hosts.clone(), host::check));
        let admin = server::serve(admin, checked(all), stats.clone(), shutdown.clone());
        match listener {
            Some(listener) => _ = tokio::join!(admin, server::serve(listener, checked(probes), stats, shutdown)),
            None => admin.await,
        }
    }
}

async fn listen(address: SocketAddr, what: &str, flag: &str) -> anyhow::Result<TcpListener> {
    let hint = format!("is another isthmus running? choose another one with {flag}");
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for {what} ({hint})"))
}
