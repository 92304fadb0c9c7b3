//! The transport under xDS: our own accept loop over hyper's HTTP/2, because proxies stay connected for hours. Each
//! connection is one task, has an age, may be told to end in good order, and takes the TLS configuration of the moment.

mod accept;
mod connection;
mod connections;
mod guard;
mod handle;
mod limits;
mod one_task;
mod ping_acks;
mod rarely;
mod tls;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::Service;

use self::accept::Acceptor;
use self::connection::Common;
use self::connections::Connections;
use self::rarely::Rarely;
use super::slots::Claim;
use crate::stats::Stats;

pub use handle::Handle;
pub use limits::Limits;
pub use tls::TlsSource;

/// What a request's extensions say about its connection.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// What the client proved to be, leaf first; `None` without TLS, or where no proof is asked for.
    pub certificates: Option<Arc<[CertificateDer<'static>]>>,
    /// Becomes true when streams should end in good order: the connection is old enough, or the process ends.
    pub draining: watch::Receiver<bool>,
    /// The connection it is.
    pub connection: Arc<Handle>,
}

impl Peer {
    /// As whom it competes for places.
    pub(super) fn claim(&self) -> Claim {
        Claim { address: self.address.ip().to_canonical(), connection: self.connection.id() }
    }

    /// One that never drains.
    #[cfg(test)]
    pub(super) fn alone(address: SocketAddr) -> Self {
        let (_, draining) = watch::channel(false);
        Self { address, certificates: None, draining, connection: Arc::default() }
    }
}

/// One address to serve on.
#[derive(Debug)]
pub struct Listening {
    pub listener: TcpListener,
    /// Plaintext without.
    pub tls: Option<TlsSource>,
}

/// What a service must be to be served. Whatever is such a service is one of these.
pub trait Served:
    Service<http::Request<Incoming>, Response = http::Response<Self::Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> Served for S
where
    S: Service<http::Request<Incoming>, Response = http::Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
}

/// Serves until `shutdown` completes, and then for [`Limits::drain`] at most, whatever clients do.
pub async fn serve<S: Served>(
    listeners: Vec<Listening>,
    service: S,
    limits: Limits,
    stats: Arc<Stats>,
    shutdown: impl Future<Output = ()>,
) {
    let mut acceptor = Acceptor::new(listeners);
    let mut connections = Connections::default();
    let refusals = Rarely::default();
    let common = Arc::new(Common::new(service, limits, stats));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = connections.reap(), if !connections.is_empty() => continue,
            accepted = acceptor.accept() => accepted,
        };
        let stats = &common.stats.connections;
        let (peer, limit) = (accepted.peer, common.limits.max_connections);
        if connections.len() >= limit {
            let Some(displaced) = connections.displace(peer.ip().to_canonical()) else {
                stats.refused.inc();
                if let Some(unsaid) = refusals.due() {
                    tracing::warn!(%peer, limit, unsaid, "connection refused: too many are open");
                }
                continue;
            };
            stats.displaced.inc();
            if let Some(unsaid) = refusals.due() {
                let (address, connections) = displaced;
                tracing::warn!(
                    %address, connections, limit, unsaid,
                    "connection ended: too many are open, and this address has the most of them"
                );
            }
        }
        stats.accepted.inc();
        let handle = Arc::new(Handle::default());
        let run = |end| connection::run(accepted, handle.clone(), Arc::clone(&common), end);
        connections.spawn(peer.ip().to_canonical(), handle.clone(), run);
    }
    // New connections go to whoever still listens.
    drop(acceptor);
    connections.drain(common.limits.drain).await;
}

#[cfg(test)]
mod tests;
