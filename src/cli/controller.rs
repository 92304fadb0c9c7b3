//! `isthmus controller`: the hub.

use std::path::PathBuf;
use std::process::ExitCode;

use federation::Authority;

use super::region::PlaneArgs;
use super::source::SourceArgs;
use super::{BadUsage, exit};
use crate::lease::Candidate;
use crate::plane::{self, Origin, Plane, Writers};
use crate::runtime::Deadlines;
use crate::shutdown::Shutdown;

/// Admits members, mirrors Namespaces and Services into them, and writes their status. Several replicas may run; one leads.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// With --world: write the objects that would be applied into this folder, one file each.
    #[arg(long, value_name = "DIR", requires = "world")]
    mirror_out: Option<PathBuf>,
    /// The name of the Lease by which controllers agree on who leads.
    #[arg(long, value_name = "NAME", default_value = "isthmus-controller")]
    lease: String,
    #[command(flatten)]
    plane: PlaneArgs,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { source, mirror_out, lease, plane } = args;
    let origin = Origin::from_args(&source).await?;
    let writers = match (&origin, mirror_out) {
        (Origin::Hub { client, .. }, _) => Writers::Cluster { hub: client.clone() },
        (Origin::Folder(_), Some(folder)) => Writers::Folder(folder),
        (Origin::Folder(_), None) => {
            return Err(BadUsage(
                "--world without --mirror-out DIR: there is nowhere to write what would be mirrored".to_owned(),
            )
            .into());
        }
    };
    let candidate = match &origin {
        Origin::Hub { client, namespace } => Some(Candidate::new(client.clone(), namespace, &lease, identity())),
        Origin::Folder(_) => None,
    };
    let plane = Plane {
        origin,
        own_namespace: source.own_namespace()?,
        authority: Authority::Own,
        admin: plane.admin,
        // It serves nobody. What depends on a member that is not known is held back member by member, so that waiting
        // longer would protect nothing.
        deadlines: Deadlines { sync: plane.sync_deadline(), member: plane.sync_deadline() },
        serve: None,
        writers: Some(writers),
    };
    let mut shutdown = Shutdown::on_signals()?;
    let Some(candidate) = candidate else {
        plane::run(plane, shutdown).await?;
        return Ok(exit::FINE);
    };

    // A standby answers its probes, but starts nothing else: two controllers must never write at the same time.
    let standby = plane::standby(plane.admin).await?;
    let Some(mut held) = candidate.acquire(&mut shutdown).await else { return Ok(exit::FINE) };
    standby.end().await;

    let (stop, work_shutdown) = Shutdown::new();
    let work = tokio::spawn(plane::run(plane, work_shutdown));
    let ours = held.keep(&mut shutdown, &stop).await;
    stop.fire();
    work.await??;
    if !ours {
        return Err(super::ProblemFound("the lease was lost; all work has stopped".to_owned()).into());
    }
    held.release().await?;
    Ok(exit::FINE)
}

/// Who we are in the Lease: the pod's name, and something that a restarted container does not share.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let host = host.map(|host| host.trim().to_owned()).unwrap_or_else(|_| "isthmus".to_owned());
    format!("{host}_{}_{}", std::process::id(), crate::clusters::now().unix_ms)
}
