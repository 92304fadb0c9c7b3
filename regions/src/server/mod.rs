//! Sessions over gRPC: sockets, tasks, limits. What is said is decided in [`crate::session`].

mod ads;
mod codec;
mod stream;
mod streams;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use federation::model::RegionId;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use crate::catalog::CatalogHandle;
use crate::stats::Stats;

pub use ads::AdsService;
pub use codec::MAX_REQUEST_LEN;
pub use streams::{StreamInfo, Streams};

/// Connections the kernel holds for us while we are busy: a restart brings all proxies back at once, and a thousand of
/// them overflow the usual 1,024.
const LISTEN_BACKLOG: u32 = 4_096;
/// A client that vanished without a word is noticed after this and [`KEEPALIVE_TIMEOUT`].
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams on one connection. A proxy needs one, or one per type.
const MAX_STREAMS_PER_CONNECTION: u32 = 128;

/// What every stream needs to know. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    pub catalog: CatalogHandle,
    /// The region this control plane serves; nodes that name none are taken to be in it.
    pub region: RegionId,
    /// Shown to clients as `control_plane.identifier`.
    pub identifier: Arc<str>,
    pub stats: Arc<Stats>,
    pub streams: Streams,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {at} for xDS")]
    Listen { at: SocketAddr, source: std::io::Error },
    #[error("the xDS server failed")]
    Serve(#[from] tonic::transport::Error),
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
/// once, and connections close.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (stop, stopping) = watch::channel(false);
    let shutdown = async move {
        shutdown.await;
        // Open streams hold the connections open: they have to end first.
        stop.send_replace(true);
    };
    let incoming = TcpListenerStream::new(listener);
    Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        .add_service(AdsService::new(shared, stopping))
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
