//! The ports of a region's control plane, and its certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use clusters::client::hub::HubClient;
use clusters::problem::ProblemBook;
use clusters::shutdown::Shutdown;
use regions::server::{self, Listening};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::serve::Serve;
use crate::outcome::BadUsage;
use crate::process::tls::{self, Tls};

/// Where xDS is served.
pub(super) struct Ports {
    /// The plaintext port.
    pub xds: SocketAddr,
    pub listeners: Vec<Listening>,
    /// Bound, but of no use without a certificate.
    tls: Option<(TcpListener, tls::Origin)>,
}

impl Ports {
    pub fn bind(serve: &Serve) -> anyhow::Result<Self> {
        let plain = server::listen(serve.xds).context("choose another address with --xds")?;
        let tls = serve.tls.as_ref().map(|(at, origin)| {
            let listener = server::listen(*at).context("choose another address with --xds-tls")?;
            anyhow::Ok((listener, origin.clone()))
        });
        let xds = plain.local_addr()?;
        Ok(Self { xds, listeners: vec![Listening { listener: plain, tls: None }], tls: tls.transpose()? })
    }

    /// Finds the certificate, and follows it until the shutdown signal. `hub`: and the namespace of the certificate's Secret.
    pub async fn secure(
        &mut self,
        hub: Option<(HubClient, String)>,
        problems: &ProblemBook,
        shutdown: &Shutdown,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<Option<Arc<tls::Status>>> {
        let Some((listener, origin)) = self.tls.take() else { return Ok(None) };
        let started = Tls::start(origin, hub, problems.clone()).await;
        let Tls { source, status, follow } = started.map_err(|error| BadUsage(error.to_string()))?;
        self.listeners.push(Listening { listener, tls: Some(source) });
        let mut ending = shutdown.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = ending.wait() => {}
                () = follow => {}
            }
            Ok(())
        });
        Ok(Some(status))
    }
}
