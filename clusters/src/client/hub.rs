//! The hub's API server: a client of it, and what messages call it.

use std::sync::Arc;
use std::time::Duration;

use kube::client::AuthError;

use crate::client::answers::find;
use crate::client::cause::{self, Cause, Side};
use crate::client::connect;

/// A client of the hub that explains its own failures. Cheap to clone.
#[derive(Clone)]
pub struct HubClient {
    client: kube::Client,
    server: Arc<str>,
    /// The command of the kubeconfig's exec entry; empty if there is none.
    plugin: Arc<str>,
}

impl std::fmt::Debug for HubClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubClient").field("server", &self.server).finish_non_exhaustive()
    }
}

impl HubClient {
    /// The address is the operator's own, and may be anywhere; so may the credential, plugins included.
    pub fn new(config: kube::Config) -> Result<Self, Cause> {
        let server = Arc::from(config.cluster_url.to_string().trim_end_matches('/'));
        let exec = config.auth_info.exec.as_ref();
        let plugin: Arc<str> = Arc::from(exec.and_then(|exec| exec.command.as_deref()).unwrap_or_default());
        match connect::client(config) {
            Ok(client) => Ok(Self { client, server, plugin }),
            Err(error) => Err(plugin_failed(&plugin, &error).unwrap_or_else(|| unfit(&error))),
        }
    }

    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    pub fn server(&self) -> &str {
        &self.server
    }

    /// The hub, the cause, and what to do. `what` completes "could not …".
    pub fn describe(&self, what: &str, error: &kube::Error) -> String {
        match plugin_failed(&self.plugin, error) {
            Some(cause) => format!("the hub {}: {cause}", self.server),
            None => format!("the hub {}", cause::sentence(Side::Hub, &self.server, what, error)),
        }
    }

    /// The same when nothing came within a limit.
    pub fn late(&self, what: &str, limit: Duration) -> String {
        format!("the hub {}", cause::late(&self.server, what, limit))
    }

    /// The API server does not know a kind of ours.
    pub fn without_kind(&self, kind: &str) -> String {
        format!(
            "the hub {}: it does not know {kind} (404): the definitions are not installed; apply what `isthmus manifests crds` \
             prints in the hub",
            self.server
        )
    }
}

fn plugin_failed(plugin: &str, error: &kube::Error) -> Option<Cause> {
    find::<AuthError>(error).map(|failed| cause::plugin(plugin, failed))
}

/// No connection was tried: certificates and keys do not fit together. The library's own text is not used: it may
/// describe key material.
fn unfit(error: &kube::Error) -> Cause {
    match find::<rustls::Error>(error) {
        Some(_) => cause::of(Side::Hub, error),
        None => Cause {
            found: "its certificates and key do not fit together, or are of a kind TLS does not know".into(),
            remedy: "check certificate-authority-data, client-certificate-data and client-key-data".into(),
        },
    }
}
