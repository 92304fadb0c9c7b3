//! `isthmus region`: one region's control plane.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clusters::client::secret::Access;
use clusters::shutdown::Shutdown;
use federation::Authority;
use federation::model::{Namespace, RegionId};

use regions::server::Limits;

use super::members::MemberArgs;
use super::plane::PlaneArgs;
use super::source::SourceArgs;
use super::tls::TlsArgs;
use crate::outcome::{self, BadUsage};
use crate::process::engine::Deadlines;
use crate::process::plane::{self, Plane, Serve};

/// Serves merged xDS to the Envoys and gRPC clients of one region. Stateless: run as many replicas as you like.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The region to serve: the name of a Region.
    #[arg(long)]
    region: String,
    #[command(flatten)]
    source: SourceArgs,
    /// Where this process reads Secrets: kubeconfigs of members (spec.readKubeconfigSecretRef, else
    /// spec.kubeconfigSecretRef) and the certificate of --tls-secret. A namespace that holds none of the controller's
    /// credentials keeps them away from regions. [default: that of --namespace]
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "world")]
    secrets_namespace: Option<String>,
    /// Where to serve xDS in plaintext. Other than on loopback this needs --allow-plaintext.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15010")]
    xds: SocketAddr,
    /// Serve plaintext xDS on an address that others can reach: for networks that are closed or encrypted by other means.
    #[arg(long)]
    allow_plaintext: bool,
    /// What sidecars that use incremental xDS get: the clusters they use, when they use them, or all clusters. A node
    /// that says CLUSTERS in its metadata decides for itself.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    clusters: Clusters,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    connections: ConnectionArgs,
    #[command(flatten)]
    members: MemberArgs,
    #[command(flatten)]
    plane: PlaneArgs,
    /// How long this process counts as not ready while a member on record was never listed since it started. A rolling
    /// restart waits so long, because what is served lacks that member. Counted as --sync-deadline is.
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    member_deadline: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Clusters {
    #[default]
    OnDemand,
    Eager,
}

/// How long proxies stay, and how many.
#[derive(Clone, Copy, Debug, clap::Args)]
struct ConnectionArgs {
    /// Beyond this many connections, the address with the most of them loses one for each newcomer from another one.
    #[arg(long, value_name = "NUMBER", default_value = "20000", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// End connections in good order at this age, give or take a fifth: proxies come back to whichever replica there is.
    #[arg(long, value_name = "SECONDS", default_value = "1800", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    max_connection_age: u64,
}

impl ConnectionArgs {
    fn limits(self) -> Limits {
        Limits {
            max_connections: self.max_connections as usize,
            max_connection_age: Duration::from_secs(self.max_connection_age),
            ..Limits::default()
        }
    }
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        region,
        source,
        secrets_namespace,
        xds,
        allow_plaintext,
        clusters,
        tls,
        connections,
        members,
        plane,
        member_deadline,
    } = args;
    let secrets = secrets_namespace.as_deref().unwrap_or(&source.namespace);
    let own_namespace = source.own_namespace()?;
    Namespace::new(secrets).map_err(|error| BadUsage(format!("--secrets-namespace: {error}")))?;
    let region = RegionId::new(&region).map_err(|error| BadUsage(format!("--region: {error}")))?;
    if !xds.ip().is_loopback() && !allow_plaintext {
        let text = format!(
            "--xds: {xds} can be reached by others, and this port has no encryption; \
             use --xds-tls, or pass --allow-plaintext if that is meant"
        );
        return Err(BadUsage(text).into());
    }
    // With a folder, no other process decides; with a hub, the controller does, so that all replicas agree.
    let authority = if source.world.is_some() { Authority::Own } else { Authority::Recorded };
    let shutdown = Shutdown::on_signals()?;
    let plane = Plane {
        input: source.origin(members.bounds(), Access::Read, secrets).await?.into(),
        own_namespace,
        authority,
        pages: plane.pages()?,
        deadlines: Deadlines { serve: plane.sync_deadline(), ready: Duration::from_secs(member_deadline) },
        serve: Some(Serve {
            region,
            xds,
            tls: tls.served()?,
            on_demand: clusters == Clusters::OnDemand,
            limits: connections.limits(),
        }),
        writers: None,
    };
    plane::run(plane, shutdown).await?;
    Ok(outcome::OK)
}
