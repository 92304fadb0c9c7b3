//! The connection as its requests see it.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use super::handle::Handle;
use crate::server::slots::Claim;

/// The connection of a request, in its extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// The client's verified certificates, leaf first; `None` without TLS, or where no client certificate is requested.
    pub certificates: Option<Arc<[CertificateDer<'static>]>>,
    /// Becomes true when streams should end gracefully: the connection has reached its age, or the process ends.
    pub draining: watch::Receiver<bool>,
    /// The connection it is.
    pub connection: Arc<Handle>,
}

impl Peer {
    /// Its identity where connections compete for places.
    pub(in crate::server) fn claim(&self) -> Claim {
        Claim { address: self.address.ip().to_canonical(), connection: self.connection.id() }
    }

    /// One that never drains.
    #[cfg(test)]
    pub(in crate::server) fn alone(address: SocketAddr) -> Self {
        let (_, draining) = watch::channel(false);
        Self { address, certificates: None, draining, connection: Arc::default() }
    }
}
