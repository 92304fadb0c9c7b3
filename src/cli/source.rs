//! Where the world comes from: a hub cluster, or a folder.

use std::path::PathBuf;

use anyhow::anyhow;
use clusters::client::{Access, HubClient, MemberBounds, config};

use crate::outcome::BadUsage;
use crate::process::plane::Origin;

/// Flags of every command that needs a world.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceArgs {
    /// Take the world from this folder instead of a hub cluster.
    #[arg(long, value_name = "DIR", conflicts_with = "hub_kubeconfig")]
    pub world: Option<PathBuf>,
    /// Reach the hub cluster with this kubeconfig file. Left out: $KUBECONFIG or ~/.kube/config, else in-cluster.
    #[arg(long, value_name = "FILE")]
    pub hub_kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig to use. Left out: its current-context.
    #[arg(long, value_name = "NAME", conflicts_with = "world")]
    pub context: Option<String>,
    /// Isthmus's own namespace in the hub, where kubeconfig Secrets are.
    #[arg(long, value_name = "NAMESPACE", default_value = clusters::api::SYSTEM_NAMESPACE)]
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

    /// A client for the hub.
    pub async fn hub(&self) -> anyhow::Result<HubClient> {
        let config = match &self.hub_kubeconfig {
            Some(file) => {
                let config = config::from_file(file, self.context.as_deref()).await;
                config.map_err(|why| BadUsage(format!("--hub-kubeconfig: {why}")))
            }
            None => config::infer(self.context.as_deref()).await.map_err(BadUsage),
        };
        let config = config?;
        let server = config.cluster_url.to_string();
        HubClient::new(config).map_err(|cause| anyhow!("cannot make a client for the hub {server}: {cause}"))
    }

    /// Where a running process takes its batches from. `secrets`: the namespace of the hub in which its Secrets are.
    pub async fn origin(&self, members: MemberBounds, access: Access, secrets: &str) -> anyhow::Result<Origin> {
        match self.folder()? {
            Some(folder) => Ok(Origin::Folder(folder)),
            None => Ok(Origin::Hub { hub: self.hub().await?, secrets: secrets.to_owned(), access, members }),
        }
    }

    pub fn own_namespace(&self) -> anyhow::Result<federation::model::Namespace> {
        federation::model::Namespace::new(&self.namespace)
            .map_err(|error| BadUsage(format!("--namespace: {error}")).into())
    }
}
