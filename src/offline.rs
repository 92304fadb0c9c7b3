//! A world judged without running it: the engine, fed once with all there is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use federation::change::{Batch, Epoch, LinkChange, MemberChanges};
use federation::model::{ClusterId, ClusterUid, Namespace};
use federation::{Authority, Awaits, Config, Engine};

use crate::clusters::now;
use crate::files;
use crate::hub::{HubClient, HubObjects};
use crate::problem::Problem;

/// What came of it.
pub struct Offline {
    pub engine: Engine,
    /// Objects and files that are not used, in the order in which they were found.
    pub problems: Vec<Problem>,
    /// Objects with problems that are not among these.
    pub unlisted: usize,
}

/// Reads a folder, plus the objects of some more files as if they lay in it.
pub fn folder(folder: &Path, add: &[PathBuf]) -> anyhow::Result<Offline> {
    let world =
        files::load_with(folder, add).with_context(|| format!("cannot read the world in {}", folder.display()))?;
    Ok(Offline { engine: judge(world.batches)?, problems: world.problems, unlisted: world.unlisted })
}

/// Reads the hub's objects, plus those of some files as if they had been applied.
pub async fn hub(client: &HubClient, add: &[PathBuf]) -> anyhow::Result<Offline> {
    let mut objects = HubObjects::read(client).await?;
    let (mut problems, unlisted) = files::add_to(&mut objects, add)?;
    let (batches, broken) = objects.batches();
    problems.extend(broken);
    Ok(Offline { engine: judge(batches)?, problems, unlisted })
}

impl Offline {
    /// Takes members that were never reached for clusters of their own, so that what they declare is judged: a check
    /// before onboarding has nothing else to go by.
    pub fn assume_reached(mut self) -> Self {
        let unknown: Vec<ClusterId> = self
            .engine
            .reports()
            .values()
            .filter(|report| report.uid.is_none())
            .map(|report| report.id.clone())
            .collect();
        let up = |cluster: ClusterId| {
            let uid = ClusterUid(Arc::from(format!("unknown:{cluster}")));
            let changes = MemberChanges::Link(LinkChange::Up { uid, version: Arc::from("") });
            Batch::Member { cluster, epoch: ASSUMED, changes }
        };
        self.engine.apply(unknown.into_iter().map(up), now());
        self
    }
}

/// Later than any connection that was really tried.
const ASSUMED: Epoch = Epoch(u64::MAX);

fn judge(batches: Vec<Batch>) -> anyhow::Result<Engine> {
    let own_namespace = Namespace::new(crate::api::SYSTEM_NAMESPACE)?;
    let awaits = Awaits::NotRefused;
    let mut engine = Engine::new(Config { authority: Authority::Own, own_namespace, awaits, hub: None });
    engine.apply(batches, now());
    Ok(engine)
}
