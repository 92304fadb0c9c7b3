//! Port 15014: liveness, readiness, metrics and what there is to look into. Read-only, and without secrets.

mod metrics;
mod pages;
mod proxies;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use federation::model::ClusterId;
use regions::server::{Loads, Streams};
use regions::stats::Stats;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clusters::{HubTroubles, SeenTable};
use crate::mirror::MirrorProgress;
use crate::problem::ProblemBook;
use crate::runtime::World;
use crate::shutdown::Shutdown;

/// What the pages read.
#[derive(Clone)]
pub struct Sources {
    pub world: World,
    pub problems: ProblemBook,
    pub seen: SeenTable,
    /// What went wrong last with the hub's lists.
    pub hub: HubTroubles,
    /// Set where mirrors are written.
    pub mirrors: Option<watch::Receiver<BTreeMap<ClusterId, MirrorProgress>>>,
    /// Set where proxies are served.
    pub proxies: Option<Proxies>,
}

/// Proxy streams, and what was done for them.
#[derive(Clone)]
pub struct Proxies {
    pub streams: Streams,
    pub loads: Loads,
    pub stats: Arc<Stats>,
    /// Set where TLS is served.
    pub certificate: Option<Arc<crate::tls::Status>>,
}

/// Binds the admin port, so that a port in use is known before anything else starts.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let hint = "is another isthmus running? choose another one with --admin";
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for the admin pages ({hint})"))
}

/// Serves until the shutdown signal.
pub async fn serve(listener: TcpListener, sources: Sources, mut shutdown: Shutdown) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/livez", get(pages::livez))
        .route("/readyz", get(pages::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/debug/knowledge", get(pages::knowledge))
        .route("/debug/members", get(pages::members))
        .route("/debug/services", get(pages::services))
        .route("/debug/problems", get(pages::problems))
        .route("/debug/streams", get(pages::streams))
        .route("/debug/proxies", get(proxies::list))
        .route("/debug/proxies/{node}", get(proxies::detail))
        .route("/debug/proxies/{node}/dump", get(proxies::dump))
        .with_state(sources);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
        .context("the admin pages ended")
}

/// The pages of a controller that waits for its turn.
pub async fn serve_standby(listener: TcpListener, mut shutdown: Shutdown) -> anyhow::Result<()> {
    let router = Router::new().route("/livez", get(pages::livez)).route("/readyz", get(async || "ok, standing by\n"));
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
        .context("the admin pages ended")
}
