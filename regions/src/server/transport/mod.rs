//! The transport under xDS: our own accept loop over hyper's HTTP/2, because proxies stay connected for hours. Each
//! connection is one task, has a maximum age, can be ended gracefully, and takes the newest TLS configuration.

mod accept;
mod connection;
mod connections;
mod guard;
mod handle;
mod limits;
mod listening;
mod one_task;
mod peer;
mod ping_acks;
mod rarely;
mod served;
mod tls;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use self::accept::Acceptor;
use self::connection::Common;
use self::connections::Connections;
use self::rarely::Rarely;
use crate::stats::Stats;

pub use handle::Handle;
pub use limits::Limits;
pub use listening::Listening;
pub use peer::Peer;
pub use served::Served;
pub use tls::TlsSource;

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
                if let Some(omitted) = refusals.due() {
                    tracing::warn!(%peer, limit, omitted, "connection refused: too many are open");
                }
                continue;
            };
            stats.displaced.inc();
            if let Some(omitted) = refusals.due() {
                let (address, connections) = displaced;
                tracing::warn!(
                    %address, connections, limit, omitted,
                    "connection ended: too many are open, and this address has the most of them"
                );
            }
        }
        stats.accepted.inc();
        let handle = Arc::new(Handle::default());
        let run = |end| connection::run(accepted, handle.clone(), Arc::clone(&common), end);
        connections.spawn(peer.ip().to_canonical(), handle.clone(), run);
    }
    // From now on new connections go to the replicas that still listen.
    drop(acceptor);
    connections.drain(common.limits.drain).await;
}

#[cfg(test)]
mod tests;
