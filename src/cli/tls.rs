//! Flags for serving xDS over TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::outcome::BadUsage;
use crate::process::tls::Origin;

/// Where TLS is served unless --xds-tls says otherwise.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 15012);

#[derive(Clone, Debug, clap::Args)]
pub struct TlsArgs {
    /// Serve xDS over TLS with this certificate: a PEM file, the server's own certificate first. Followed while running.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "TLS")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key: a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    tls_key: Option<PathBuf>,
    /// Let in only clients that have a certificate of one of these CAs: a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    tls_client_ca: Option<PathBuf>,
    /// Take all three from a Secret of type kubernetes.io/tls, in the namespace of --secrets-namespace; its ca.crt is the
    /// clients' CA.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tls_cert", "world"], help_heading = "TLS")]
    tls_secret: Option<String>,
    /// Where to serve xDS over TLS. [default: 0.0.0.0:15012 if there is a certificate]
    #[arg(long, value_name = "ADDRESS", help_heading = "TLS")]
    xds_tls: Option<SocketAddr>,
}

impl TlsArgs {
    /// Where to serve, and the certificate, if there is to be TLS.
    pub fn served(self) -> Result<Option<(SocketAddr, Origin)>, BadUsage> {
        let Self { tls_cert, tls_key, tls_client_ca, tls_secret, xds_tls } = self;
        let origin = match (tls_secret, tls_cert, tls_key) {
            (Some(name), _, _) => Origin::Secret(name),
            (None, Some(cert), Some(key)) => Origin::Files { cert, key, client_ca: tls_client_ca },
            (None, ..) => {
                let Some(at) = xds_tls else { return Ok(None) };
                let text = format!(
                    "--xds-tls: found {at} without a certificate; expected --tls-cert and --tls-key, or --tls-secret"
                );
                return Err(BadUsage(text));
            }
        };
        Ok(Some((xds_tls.unwrap_or(DEFAULT_ADDRESS), origin)))
    }
}
