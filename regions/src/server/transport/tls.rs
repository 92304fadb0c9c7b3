//! TLS, with the configuration of the moment: certificates change while connections live on.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::limits::Limits;
use crate::server::slots::{Claim, Slots};

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

/// Accepts a client. Only so many are worked on at a time; one that has said nothing yet takes nobody's place, and one that
/// stops in the middle keeps none for longer than [`Limits::handshake_hold`] while others wait.
pub(super) async fn accept(
    tcp: TcpStream,
    source: &TlsSource,
    places: &Slots,
    claim: Claim,
    limits: &Limits,
) -> Result<Box<TlsStream<TcpStream>>, HandshakeError> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp);
    let started = timeout(limits.handshake_timeout, hello).await.map_err(|_| HandshakeError::TooSlow)??;
    let _place = places.enter(claim).await;
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
