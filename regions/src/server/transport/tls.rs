//! TLS with the newest configuration: certificates change while connections stay open.

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

/// The TLS configuration of new connections: always the newest.
#[derive(Clone, Debug)]
pub struct TlsSource(watch::Receiver<Option<Arc<ServerConfig>>>);

impl TlsSource {
    /// Configurations have to offer HTTP/2 by ALPN (`h2`). While there is none, connections are refused.
    pub fn new(configs: watch::Receiver<Option<Arc<ServerConfig>>>) -> Self {
        Self(configs)
    }

    /// The configuration of the next connection.
    pub fn newest(&self) -> Option<Arc<ServerConfig>> {
        self.0.borrow().clone()
    }
}

/// Why a TLS handshake failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("the client took too long")]
    TooSlow,
    #[error("there is no certificate yet")]
    NoCertificate,
    #[error("{0}")]
    Failed(#[from] io::Error),
}

/// Accepts a client. Only so many handshakes run at a time; a client that has sent nothing yet takes no place, and one that
/// stops in the middle keeps its place no longer than [`Limits::handshake_hold`] while others wait.
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

/// The client's verified certificates.
pub(super) fn certificates(stream: &TlsStream<TcpStream>) -> Option<Arc<[CertificateDer<'static>]>> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates()?;
    Some(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
}
