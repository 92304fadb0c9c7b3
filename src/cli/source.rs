//! Where the world comes from: a hub cluster, or a folder.

use std::path::PathBuf;

use anyhow::Context;

use super::BadUsage;

/// Flags of every command that needs a world.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceArgs {
    /// Take the world from this folder instead of a hub cluster.
    #[arg(long, value_name = "DIR", conflicts_with = "hub_kubeconfig")]
    pub world: Option<PathBuf>,
    /// Reach the hub cluster with this kubeconfig file. Left out: in-cluster, else $KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub hub_kubeconfig: Option<PathBuf>,
    /// Isthmus's own namespace in the hub, where kubeconfig Secrets are.
    #[arg(long, value_name = "NAMESPACE", default_value = crate::api::SYSTEM_NAMESPACE)]
    pub namespace: String,
}

impl SourceArgs {
    /// The folder, checked, if one was given.
    pub fn folder(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = &self.world else { return Ok(None) };
        if !folder.is_dir() {
            let text =
                format!("--world: {} is not a folder; expected one as described in docs/world.md", folder.display());
            return Err(BadUsage(text).into());
        }
        Ok(Some(folder.clone()))
    }

    /// A client for the hub. Whoever starts us chose this kubeconfig, so it is trusted and may run plugins, unlike those
    /// that come from Secrets.
    pub async fn hub(&self) -> anyhow::Result<kube::Client> {
        let config = match &self.hub_kubeconfig {
            Some(file) => {
                let kubeconfig = kube::config::Kubeconfig::read_from(file)
                    .map_err(|_| BadUsage(format!("--hub-kubeconfig: {} cannot be read as a kubeconfig", file.display())))?;
                let options = kube::config::KubeConfigOptions::default();
                #[expect(clippy::disallowed_methods, reason = "chosen by whoever starts us, so its plugins may run")]
                let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
                config
                    .map_err(|error| BadUsage(format!("--hub-kubeconfig: {}: {error}", file.display())))?
            }
            None => kube::Config::infer().await.map_err(|_| {
                BadUsage("no hub cluster: not running in a cluster and no kubeconfig found; pass --hub-kubeconfig FILE or --world DIR".to_owned())
            })?,
        };
        crate::clusters::connect::client(config).context("cannot make a client for the hub cluster")
    }

    pub fn own_namespace(&self) -> anyhow::Result<federation::model::Namespace> {
        federation::model::Namespace::new(&self.namespace)
            .map_err(|error| BadUsage(format!("--namespace: {error}")).into())
    }
}
