//! `isthmus debug record`: the sources of a region's control plane, and a file where the engine would be.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clusters::client::secret::Access;
use clusters::clock::now;
use clusters::problem::ProblemBook;
use clusters::shutdown::Shutdown;
use clusters::sources::feed::{Batches, Feed};
use clusters::sources::registry::Tables;
use federation::Authority;
use federation::change::Batch;
use federation::model::Namespace;
use tokio::task::JoinSet;
use wire::recording::{self, EndReason, Start};

use super::recorder::Recorder;
use crate::cli::members::MemberArgs;
use crate::cli::source::SourceArgs;
use crate::outcome::{self, BadUsage, ProblemFound};
use crate::process::plane::{self, Origin};
use crate::terminal;

/// Room for a complete list of a million endpoints, which has about 30 MB, and for hours of changes after it.
const MAX_BYTES: u64 = 256 << 20;
/// Less than this has no room for the list of a small federation.
const LEAST_BYTES: u64 = 64 << 10;
/// Batches written as one round at most, as the engine applies them.
const ROUND: usize = 256;

/// Records what sources report: all that a region's control plane with the same flags would know, in order and with times.
///
/// What is in the file: names, namespaces, labels, UIDs, addresses, ports, zones and address ranges of regions, members,
/// policies, Services, EndpointSlices, Nodes, ServiceCIDRs and ServiceExports, and messages about connections that fail.
/// There are no Secrets, no credentials, no annotations but the names of Helm releases, and nothing of Pods but their
/// addresses and digests of their names. The file can be read by its owner only (mode 0600).
///
/// It ends on SIGTERM, after --for, or when --max-bytes are reached, and is complete then.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write. The file must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// End after this time. Left out: on SIGTERM or Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<Duration>,
    /// End before the file is larger than this.
    #[arg(long, value_name = "BYTES", default_value_t = MAX_BYTES, value_parser = clap::value_parser!(u64).range(LEAST_BYTES..))]
    max_bytes: u64,
    #[command(flatten)]
    source: SourceArgs,
    /// Where kubeconfigs of members are read: as of isthmus region. [default: that of --namespace]
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "world")]
    secrets_namespace: Option<String>,
    #[command(flatten)]
    members: MemberArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { out, length, max_bytes, source, secrets_namespace, members } = args;
    let secrets = secrets_namespace.as_deref().unwrap_or(&source.namespace);
    Namespace::new(secrets).map_err(|error| BadUsage(format!("--secrets-namespace: {error}")))?;
    let own_namespace = source.own_namespace()?;
    let shutdown = Shutdown::on_signals()?;
    let origin = source.origin(members.bounds(), Access::Read, secrets).await?;
    let start = start(&origin, own_namespace);
    let mut recorder = Recorder::create(&out, max_bytes, &start)?;

    let (feed, batches) = Feed::new();
    let mut tasks = JoinSet::new();
    let sources = (ProblemBook::default(), Tables::default());
    plane::start_source(origin, feed, sources.0, sources.1, shutdown.clone(), &mut tasks)?;
    let reason = tokio::select! {
        ended = follow(batches, &mut recorder) => ended?,
        () = stop(shutdown, length) => EndReason::Stopped,
    };
    recorder.end(now(), reason)?;

    let (entries, bytes) = (recorder.entries(), recorder.bytes());
    terminal::say(format_args!("recorded {entries} batches, {bytes} bytes, into {}", out.display()));
    match reason {
        EndReason::Stopped => Ok(outcome::OK),
        EndReason::Full => Err(ProblemFound(format!(
            "the recording ended early: the next batch would have exceeded {max_bytes} bytes; use a larger --max-bytes"
        ))
        .into()),
        EndReason::NotEncodable => Err(ProblemFound(
            "the recording ended early: the next batch exceeds a limit of the format; please report this".to_owned(),
        )
        .into()),
    }
}

fn start(origin: &Origin, own_namespace: Namespace) -> Start {
    // As of a region's control plane, which does not decide about admission if a controller does.
    let (from, authority) = match origin {
        Origin::Folder(_) => (recording::Origin::Folder, Authority::Own),
        Origin::Hub { .. } => (recording::Origin::Hub, Authority::Recorded),
    };
    Start {
        at: now(),
        version: Arc::from(env!("CARGO_PKG_VERSION")),
        origin: from,
        authority,
        awaits: origin.awaits(),
        own_namespace,
        hub: None,
        region: None,
    }
}

/// Records what comes until the recording ends, or all sources have ended.
async fn follow(mut batches: Batches, recorder: &mut Recorder) -> anyhow::Result<EndReason> {
    let mut round: Vec<Batch> = Vec::with_capacity(ROUND);
    while batches.recv_many(&mut round, ROUND).await > 0 {
        if let Some(reason) = recorder.round(now(), &round)? {
            return Ok(reason);
        }
        round.clear();
    }
    Ok(EndReason::Stopped)
}

async fn stop(mut shutdown: Shutdown, length: Option<Duration>) {
    tokio::select! {
        () = shutdown.wait() => {}
        () = tokio::time::sleep(length.unwrap_or_default()), if length.is_some() => {}
    }
}

/// Reads a duration as people write it: `30s`, `5m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration such as 30s, 5m or 1h 30m".to_owned();
    let signed: jiff::SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(signed).ok().filter(|length| !length.is_zero()).ok_or_else(expected)
}
