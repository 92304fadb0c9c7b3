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
pub struct TlsSource(watch::Receiver<Arc<ServerConfig>>);

impl TlsSource {
    /// The configuration has to offer HTTP/2 by ALPN (`h2`).
    pub fn new(configs: watch::Receiver<Arc<ServerConfig>>) -> Self {
        Self(configs)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("the client took too long")]
    TooSlow,
    #[error("{0}")]
    Failed(#[from] io::Error),
}

/// Accepts a client. Only so many are worked on at a time; whoever has said nothing yet takes nobody's place.
pub(super) async fn accept(
    tcp: TcpStream,
    source: &TlsSource,
    places: &Semaphore,
    limits: &Limits,
) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp);
    let started = timeout(limits.handshake_timeout, hello).await.map_err(|_| HandshakeError::TooSlow)??;
    let _place = places.acquire().await; // fails only when closed, and nobody closes it
    let config = Arc::clone(&source.0.borrow());
    let stream = timeout(limits.handshake_timeout, started.into_stream(config)).await;
    Ok(stream.map_err(|_| HandshakeError::TooSlow)??)
}

/// What the client proved to be.
pub(super) fn certificates(stream: &TlsStream<TcpStream>) -> Option<Arc<[CertificateDer<'static>]>> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates()?;
    Some(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
}
