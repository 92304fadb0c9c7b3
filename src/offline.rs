//! A world judged without running it: the engine, fed once with all there is.

use std::path::{Path, PathBuf};

use anyhow::Context;
use federation::change::Batch;
use federation::model::Namespace;
use federation::{Authority, Config, Engine};

use crate::clusters::now;
use crate::files;
use crate::hub::HubObjects;
use crate::problem::Problem;

/// What came of it.
pub struct Offline {
    pub engine: Engine,
    /// Objects and files that are not used, in the order in which they were found.
    pub problems: Vec<Problem>,
}

/// Reads a folder, plus the objects of some more files as if they lay in it.
pub fn folder(folder: &Path, add: &[PathBuf]) -> anyhow::Result<Offline> {
    let world =
        files::load_with(folder, add).with_context(|| format!("cannot read the world in {}", folder.display()))?;
    judge(world.batches, world.problems)
}

/// Reads the hub's objects, plus those of some files as if they had been applied.
pub async fn hub(client: &kube::Client, add: &[PathBuf]) -> anyhow::Result<Offline> {
    let mut objects = HubObjects::read(client).await?;
    let mut problems = files::add_to(&mut objects, add)?;
    let (batches, broken) = objects.batches();
    problems.extend(broken);
    judge(batches, problems)
}

fn judge(batches: Vec<Batch>, problems: Vec<Problem>) -> anyhow::Result<Offline> {
    let own_namespace = Namespace::new(crate::api::SYSTEM_NAMESPACE)?;
    let mut engine = Engine::new(Config { authority: Authority::Own, own_namespace });
    engine.apply(batches, now());
    Ok(Offline { engine, problems })
}
