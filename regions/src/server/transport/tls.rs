//! TLS, with the configuration of the moment: certificates change while connections live on.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::limits::Limits;

/// What new connections are offered: always the newest configuration.
#[derive(Clone, Debug)]
pub struct TlsSource(watch::Receiver<Option<Arc<ServerConfig>>>);

impl TlsSource {
    /// Configurations have to offer HTTP/2 by ALPN (`h2`). As long as there is none, clients are turned away.
    pub fn new(configs: watch::Receiver<Option<Arc<ServerConfig>>>) -> Self {
        Self(configs)
    }

    /// What the next connection is offered.
    pub fn newest(&self) -> Option<Arc<ServerConfig>> {
        self.0.borrow().clone()
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("the client took too long")]
    TooSlow,
    #[error("there is no certificate yet")]
    NoCertificate,
    #[error("{0}")]
    Failed(#[from] io::Error),
}

/// Accepts a client. Only so many are worked on at a time; whoever has said nothing yet takes nobody's place.
pub(super) async fn accept(
    tcp: TcpStream,
    source: &TlsSource,
    places: &Semaphore,
    limits: &Limits,
) -> Result<Box<TlsStream<TcpStream>>, HandshakeError> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp);
    let started = timeout(limits.handshake_timeout, hello).await.map_err(|_| HandshakeError::TooSlow)??;
    let _place = places.acquire().await; // fails only when closed, and nobody closes it
    let config = source.newest().ok_or(HandshakeError::NoCertificate)?;
    let stream = timeout(limits.handshake_timeout, started.into_stream(config)).await;
    Ok(Box::new(stream.map_err(|_| HandshakeError::TooSlow)??))
}

/// What the client proved to be.
pub(super) fn certificates(stream: &TlsStream<TcpStream>) -> Option<Arc<[CertificateDer<'static>]>> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates()?;
    Some(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
}
