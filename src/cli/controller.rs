//! `isthmus controller`: the hub.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clusters::client::hub::HubClient;
use clusters::client::secret::Access;
use clusters::lease::Candidate;
use clusters::shutdown::Shutdown;
use clusters::tables::HubTroubles;
use federation::Authority;

use super::members::MemberArgs;
use super::plane::PlaneArgs;
use super::source::SourceArgs;
use crate::outcome::{self, BadUsage};
use crate::process::engine::Deadlines;
use crate::process::plane::{self, Plane, Writers};

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
    let origin = source.origin(members.bounds(), Access::Write, &source.namespace).await?;
    let hub = origin.secrets();
    let mut plane = Plane {
        input: origin.into(),
        own_namespace: source.own_namespace()?,
        authority: Authority::Own,
        pages: pages.clone(),
        // It serves no proxy. What depends on a member that is not known is held back member by member, so that waiting
        // longer would protect nothing.
        deadlines: Deadlines { serve: plane.sync_deadline(), ready: plane.sync_deadline() },
        serve: None,
        writers: None,
    };
    let mut shutdown = Shutdown::on_signals()?;
    let Some((hub, namespace)) = hub else {
        let nowhere = "--world without --mirror-out DIR: there is nowhere to write what would be mirrored";
        let out = mirror_out.ok_or_else(|| BadUsage(nowhere.to_owned()))?;
        outside(&out, source.world.as_deref())?;
        plane.writers = Some(Writers::Folder(out));
        plane::run(plane, shutdown).await?;
        return Ok(outcome::OK);
    };

    // A standby answers its probes, but starts nothing else: two controllers must never write at the same time.
    let candidate = Candidate::new(hub.clone(), &namespace, &lease, identity());
    let troubles = HubTroubles::default();
    let standby = plane::standby(pages, candidate.leader(), troubles.clone()).await?;
    let Some(uid) = hub_uid(&hub, &troubles, &mut shutdown).await else { return Ok(outcome::OK) };
    plane.writers = Some(Writers::Cluster { hub: hub.client(), uid });
    let Some(mut held) = candidate.acquire(&mut shutdown).await else { return Ok(outcome::OK) };
    standby.end().await;

    let (stop, work_shutdown) = Shutdown::new();
    let work = tokio::spawn(plane::run(plane, work_shutdown));
    let ours = held.keep(&mut shutdown, &stop).await;
    stop.fire();
    work.await??;
    if !ours {
        return Err(crate::outcome::ProblemFound("the lease was lost; all work has stopped".to_owned()).into());
    }
    held.release().await?;
    Ok(outcome::OK)
}

/// What is written would be read as if a user had put it there.
fn outside(out: &Path, world: Option<&Path>) -> anyhow::Result<()> {
    // The part of it that is there already.
    let real = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        path.ancestors().find_map(|part| Some(part.canonicalize().ok()?.join(path.strip_prefix(part).ok()?)))
    };
    let Some((at, world)) = real(out).zip(world.and_then(real)) else { return Ok(()) };
    if at.starts_with(&world) {
        let text = format!("--mirror-out: {} lies in the folder of --world; expected one outside of it", out.display());
        return Err(BadUsage(text).into());
    }
    Ok(())
}

/// Who the hub is, which its mirrors say. Asked until it answers; `None` if the process should end first.
async fn hub_uid(hub: &HubClient, troubles: &HubTroubles, shutdown: &mut Shutdown) -> Option<Arc<str>> {
    const IDENTITY: &str = "identity";
    let mut logged = String::new();
    loop {
        match clusters::sources::hub::uid(hub).await {
            Ok(uid) => {
                troubles.set(IDENTITY, None);
                return Some(uid);
            }
            Err(error) => {
                let text = format!("{error:#}");
                if text != logged {
                    tracing::warn!("the hub's identity is not known, so nothing is written yet: {text}");
                    troubles.set(IDENTITY, Some(text.clone()));
                    logged = text;
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
    format!("{host}_{}_{}", std::process::id(), clusters::clock::now().unix_ms)
}
