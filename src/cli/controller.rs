//! `isthmus controller`: the hub.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use federation::Authority;

use super::members::MemberArgs;
use super::plane::PlaneArgs;
use super::source::SourceArgs;
use super::{BadUsage, exit};
use crate::clusters::HubTroubles;
use crate::hub::HubClient;
use crate::lease::Candidate;
use crate::plane::{self, Origin, Plane, Writers};
use crate::runtime::Deadlines;
use crate::shutdown::Shutdown;

/// Between two questions to a hub that did not say who it is.
const ASK_AGAIN: Duration = Duration::from_secs(2);

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
    members: MemberArgs,
    #[command(flatten)]
    plane: PlaneArgs,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { source, mirror_out, lease, members, plane } = args;
    let pages = plane.pages()?;
    let origin = Origin::from_args(&source, members.bounds()).await?;
    let hub = match &origin {
        Origin::Hub { hub, namespace, .. } => Some((hub.clone(), namespace.clone())),
        Origin::Folder(_) => None,
    };
    let mut plane = Plane {
        origin,
        own_namespace: source.own_namespace()?,
        authority: Authority::Own,
        pages: pages.clone(),
        // It serves nobody. What depends on a member that is not known is held back member by member, so that waiting
        // longer would protect nothing.
        deadlines: Deadlines { sync: plane.sync_deadline(), member: plane.sync_deadline() },
        serve: None,
        writers: None,
    };
    let mut shutdown = Shutdown::on_signals()?;
    let Some((hub, namespace)) = hub else {
        let nowhere = "--world without --mirror-out DIR: there is nowhere to write what would be mirrored";
        plane.writers = Some(Writers::Folder(mirror_out.ok_or_else(|| BadUsage(nowhere.to_owned()))?));
        plane::run(plane, shutdown).await?;
        return Ok(exit::FINE);
    };

    // A standby answers its probes, but starts nothing else: two controllers must never write at the same time.
    let troubles = HubTroubles::default();
    let standby = plane::standby(pages, troubles.clone()).await?;
    let Some(uid) = hub_uid(&hub, &troubles, &mut shutdown).await else { return Ok(exit::FINE) };
    plane.writers = Some(Writers::Cluster { hub: hub.client(), uid });
    let candidate = Candidate::new(hub, &namespace, &lease, identity());
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

/// Who the hub is, which its mirrors say. Asked until it answers; `None` if the process should end first.
async fn hub_uid(hub: &HubClient, troubles: &HubTroubles, shutdown: &mut Shutdown) -> Option<Arc<str>> {
    const IDENTITY: &str = "identity";
    let mut said = String::new();
    loop {
        match crate::hub::uid(hub).await {
            Ok(uid) => {
                troubles.set(IDENTITY, None);
                return Some(uid);
            }
            Err(error) => {
                let text = format!("{error:#}");
                if text != said {
                    tracing::warn!("the hub's identity is not known, so nothing is written yet: {text}");
                    troubles.set(IDENTITY, Some(text.clone()));
                    said = text;
                }
            }
        }
        tokio::select! {
            () = shutdown.wait() => return None,
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
    }
}

/// Who we are in the Lease: the pod's name, and something that a restarted container does not share.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let host = host.map(|host| host.trim().to_owned()).unwrap_or_else(|_| "isthmus".to_owned());
    format!("{host}_{}_{}", std::process::id(), crate::clusters::now().unix_ms)
}
