//! A controller that waits until it leads.

use std::sync::Arc;

use clusters::shutdown::{Shutdown, ShutdownTrigger};
use clusters::tables::HubTroubles;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin;

/// A standby controller: it is alive, it is ready to take over, and it does nothing.
pub struct Standby {
    stop: ShutdownTrigger,
    pages: JoinHandle<()>,
}

/// `leader`: see [`admin::Ports::serve_standby`]. `troubles`: why the hub's identity is not known, as long as it is not;
/// until then it is not ready to take over.
pub async fn standby(
    pages: admin::Addresses,
    leader: watch::Receiver<Option<Arc<str>>>,
    troubles: HubTroubles,
) -> anyhow::Result<Standby> {
    let ports = admin::Ports::bind(pages).await?;
    let (stop, shutdown) = Shutdown::new();
    Ok(Standby { stop, pages: tokio::spawn(ports.serve_standby(leader, troubles, shutdown)) })
}

impl Standby {
    /// Frees the ports for the controller that takes over.
    pub async fn end(self) {
        self.stop.fire();
        let _ = self.pages.await; // it served until now, and nothing more is asked of it
    }
}
