//! An address to serve on.

use tokio::net::TcpListener;

use super::tls::TlsSource;

/// One address to serve on.
#[derive(Debug)]
pub struct Listening {
    pub listener: TcpListener,
    /// `None`: plaintext.
    pub tls: Option<TlsSource>,
}
