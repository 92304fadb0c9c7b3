//! Sessions over gRPC: sockets, tasks, limits. What is sent is decided in [`crate::session`].

mod ads;
mod body;
mod budget;
mod codec;
mod csds;
mod lrs;
mod method;
mod open;
mod requests;
mod slots;
mod start_limits;
mod stream;
mod streams;
mod transport;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};

use crate::catalog::CatalogHandle;
use crate::class::Defaults;
use crate::stats::Stats;

pub use crate::refusal_kind::RefusalKind;
pub use ads::AdsService;
pub use budget::{MAX_PARTIAL_BYTES, MAX_PARTIAL_BYTES_PER_CONNECTION};
pub use lrs::{
    ClusterLoad, LoadReport, Loads, LocalityLoad, MAX_CLUSTERS_READ, MAX_LOADS, MAX_LOCALITIES, MAX_LOCALITIES_READ,
    MAX_REPORT_LEN,
};
pub use requests::{LONG_REQUEST_LEN, MAX_REQUEST_LEN};
pub use start_limits::{
    CONCURRENT, FIRST_REQUEST, FIRST_REQUEST_WHOLE, HOLD, LONG_HOLD, LONG_REQUESTS, PATIENCE, StartLimits,
};
pub use streams::{
    Complaint, Complaints, MAX_OUTDATED, MAX_REFUSALS, MAX_REFUSALS_OF_ADDRESS, RefusedClient, StreamInfo, Streams,
    TRIES_WITHIN, Unanswered,
};
pub use transport::{Limits, Listening, Peer, TlsSource};

/// Connections that the kernel queues while the process is busy: a restart brings all proxies back at once, and a thousand of
/// them overflow the usual 1,024.
const LISTEN_BACKLOG: u32 = 4_096;

/// What every stream needs. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    pub catalog: CatalogHandle,
    /// Used where a node sets nothing else.
    pub defaults: Arc<Defaults>,
    /// Shown to clients as `control_plane.identifier`.
    pub identifier: Arc<str>,
    pub stats: Arc<Stats>,
    pub streams: Streams,
    pub loads: Loads,
    pub start_limits: StartLimits,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {at} for xDS")]
    Listen { at: SocketAddr, source: std::io::Error },
}

/// Listens with a backlog that survives the return of all proxies at once.
pub fn listen(at: SocketAddr) -> Result<TcpListener, ServeError> {
    let bind = || {
        let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        socket.listen(LISTEN_BACKLOG)
    };
    bind().map_err(|source| ServeError::Listen { at, source })
}

/// Serves until `shutdown` completes. Then streams are ended with UNAVAILABLE, so that clients go to another replica at
/// once, and connections close; that takes no longer than [`Limits::drain`].
pub async fn serve(listeners: Vec<Listening>, shared: Shared, limits: Limits, shutdown: impl Future<Output = ()>) {
    let stats = Arc::clone(&shared.stats);
    transport::serve(listeners, AdsService::new(shared), limits, stats, shutdown).await;
}

#[cfg(test)]
mod tests;
