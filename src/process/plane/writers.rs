//! What a controller writes, and where.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clusters::api::FOLDER_HUB;
use clusters::conditions::progress::MirrorProgress;
use clusters::problem::ProblemBook;
use clusters::shutdown::Shutdown;
use clusters::sources::registry::Tables;
use clusters::writers::queue::Queue;
use clusters::writers::{mirror, status};
use federation::model::{ClusterId, Digest};
use federation::{Effects, Engine};
use tokio::sync::watch;

use crate::process::engine::Follower;

/// Where mirrored objects and statuses are written.
pub enum Writers {
    /// `uid`: of the hub's `kube-system` namespace.
    Cluster {
        hub: kube::Client,
        uid: Arc<str>,
    },
    Folder(PathBuf),
}

impl Writers {
    /// The identity that mirrors carry.
    pub(super) fn hub(&self) -> Digest {
        match self {
            Self::Cluster { uid, .. } => Digest::of(uid),
            Self::Folder(_) => Digest::of(FOLDER_HUB),
        }
    }
}

/// The progress of the writers, for pages.
type Mirroring = watch::Receiver<BTreeMap<ClusterId, MirrorProgress>>;

/// Starts the writers that apply the engine's actions. They end with the shutdown signal.
pub(super) fn start(
    writers: Writers,
    tables: &Tables,
    problems: &ProblemBook,
    shutdown: &Shutdown,
) -> (Vec<Follower>, Option<Mirroring>) {
    match writers {
        Writers::Folder(folder) => {
            let mut writer = mirror::folder::Folder::new(folder);
            let follower: Follower = Box::new(move |engine: &Engine, effects: &Effects| {
                for error in writer.follow(effects, |id, key| engine.mirror_is_wanted(id, key)) {
                    tracing::warn!(%error, "--mirror-out");
                }
            });
            (vec![follower], None)
        }
        Writers::Cluster { hub, uid } => {
            let (queue, status) = (Queue::new(uid), status::Writer::new());
            let progress = queue.progress();
            let sources = status::Sources {
                client: hub.clone(),
                hub: tables.observed.clone(),
                seen: tables.seen.clone(),
                notes: tables.notes.clone(),
                problems: problems.clone(),
                queue: queue.clone(),
            };
            let (clients, take_overs) = (tables.clients.clone(), tables.take_overs.clone());
            let (writing, comparing, mut ending) = (queue.clone(), status.clone(), shutdown.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = ending.wait() => {}
                    () = writing.run(&hub, &clients, &take_overs) => {}
                    () = comparing.run(sources) => {}
                }
            });
            let follower: Follower = Box::new(move |_: &Engine, effects: &Effects| {
                for (id, report) in &effects.members {
                    match report {
                        Some(report) => queue.plan_for(id, report.listed && report.admitted.is_some()),
                        None => queue.forget(id),
                    }
                }
                queue.submit(effects.mirrors.clone());
                status.submit(effects.members.clone());
                status.submit_hub(effects.hub_notices.as_ref());
            });
            (vec![follower], Some(progress))
        }
    }
}
