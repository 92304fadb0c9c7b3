//! The certificate that xDS is served with, from files or from a Secret, followed while the process runs. A new one that
//! cannot be used leaves the old one in place, and says so in the log, in `/debug/problems` and as a metric.

mod files;
mod keeper;
mod material;
mod secret;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use clusters::client::hub::HubClient;
use clusters::problem::ProblemBook;
use regions::server::TlsSource;

pub use files::POLL;
pub use keeper::{Keeper, Status};
pub use material::{Fields, MAX_BYTES, Material, Unusable};

/// Where the certificate is.
#[derive(Clone, Debug)]
pub enum Origin {
    /// PEM files. Without a CA, clients are not asked who they are.
    Files { cert: PathBuf, key: PathBuf, client_ca: Option<PathBuf> },
    /// A Secret of type `kubernetes.io/tls` where this process reads Secrets; `ca.crt` in it, if it is there, is the clients'
    /// CA.
    Secret(String),
}

/// A certificate that is followed.
pub struct Tls {
    /// For the listener.
    pub source: TlsSource,
    /// For the admin pages.
    pub status: Arc<Status>,
    /// Follows it forever; to be run, and dropped when the process ends.
    pub follow: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Tls {
    /// Files have to be there and right from the start; a Secret may come later, and clients are refused until then.
    pub async fn start(
        origin: Origin,
        hub: Option<(HubClient, String)>,
        problems: ProblemBook,
    ) -> Result<Self, StartError> {
        match (origin, hub) {
            (Origin::Files { cert, key, client_ca }, _) => {
                let files = files::Files { cert, key, client_ca };
                let (mut keeper, source) = Keeper::new(files.object(), problems);
                keeper.offer(files.read().await)?;
                Ok(Self { source, status: keeper.status(), follow: Box::pin(files.follow(keeper)) })
            }
            (Origin::Secret(name), Some((hub, namespace))) => {
                let (keeper, source) = Keeper::new(secret::object(&namespace, &name), problems);
                let status = keeper.status();
                Ok(Self { source, status, follow: Box::pin(secret::follow(hub, namespace, name, keeper)) })
            }
            (Origin::Secret(name), None) => Err(StartError::NoHub(name)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Unusable(#[from] Unusable),
    #[error("--tls-secret: found {0}, but there is no hub cluster to read it from; expected --tls-cert and --tls-key")]
    NoHub(String),
}
