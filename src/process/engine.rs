//! The engine's thread: takes all that is waiting, applies it as one round, and hands the effects on.
//! It is the only writer; everything else reads what it publishes, or asks it.

mod changes;
mod handle;
mod knowledge;
mod published;
mod services;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use clusters::clock::now;
use clusters::shutdown::Shutdown;
use clusters::sources::feed::Batches;
use federation::change::Batch;
use federation::model::RegionId;
use federation::{Config, Effects, Engine};
use regions::catalog::{Catalog, CatalogCommand};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

pub use federation::{Deadlines, Knowledge, Phase};
pub use handle::{ASK_DEADLINE, AskError, EngineHandle, QUESTION_CAPACITY};
pub use knowledge::{KnowledgeJson, knowledge_json, text, why_unknown};
pub use published::Published;
pub use services::{ServiceSummary, services};

use handle::Questions;

/// Batches applied as one round at most, so that a round stays short and the next one sees what came meanwhile.
const ROUND: usize = 256;
/// Regions named in one text.
const MAX_REGIONS_NAMED: usize = 8;

/// Called with every round's effects on the engine's thread, so it must be quick. It may read the engine that they come from.
pub type Follower = Box<dyn FnMut(&Engine, &Effects) + Send>;

/// What the engine's thread is given.
pub struct Wiring {
    pub config: Config,
    /// The region that is served, if this process serves proxies.
    pub region: Option<RegionId>,
    pub feed: Batches,
    /// The region's resources and the streams' requests for them, if this process serves proxies.
    pub catalog: Option<(Catalog, mpsc::Receiver<CatalogCommand>)>,
    pub followers: Vec<Follower>,
}

/// Starts the engine's thread. It ends with the shutdown signal, or when the last source is gone.
pub fn start(wiring: Wiring, shutdown: Shutdown) -> std::io::Result<EngineHandle> {
    let (sender, published) = watch::channel(Arc::new(Published::default()));
    let (engine, questions) = EngineHandle::new(published);
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || runtime.block_on(run(wiring, sender, questions, shutdown)))?;
    Ok(engine)
}

async fn run(
    wiring: Wiring,
    published: watch::Sender<Arc<Published>>,
    mut questions: Questions,
    mut shutdown: Shutdown,
) {
    let Wiring { config, region, mut feed, catalog, followers } = wiring;
    let (catalog, mut commands) = match catalog {
        Some((catalog, commands)) => (Some(catalog), commands),
        None => (None, mpsc::channel(1).1),
    };
    let engine = Engine::new(config);
    let at_start = Published { knowledge: engine.knowledge(), ..Published::default() };
    let mut state = Loop { engine, region, catalog, followers, wake_at: None, published: at_start, sender: published };
    state.publish();
    let mut waiting = Vec::with_capacity(ROUND);
    loop {
        let wake_at = state.wake_at;
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            Some(command) = commands.recv() => {
                if let Some(catalog) = &mut state.catalog {
                    catalog.handle_command(command);
                }
            }
            count = feed.recv_many(&mut waiting, ROUND) => {
                if count == 0 {
                    return; // every source is gone, so the process is ending
                }
                state.round(waiting.drain(..));
                questions.run_waiting(&state.engine);
            }
            Some(question) = questions.next() => question.run(&state.engine),
            () = tokio::time::sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {
                state.round(std::iter::empty());
            }
        }
    }
}

struct Loop {
    engine: Engine,
    region: Option<RegionId>,
    catalog: Option<Catalog>,
    followers: Vec<Follower>,
    /// When the engine must be called although no batch arrived.
    wake_at: Option<Instant>,
    published: Published,
    sender: watch::Sender<Arc<Published>>,
}

impl Loop {
    fn round(&mut self, batches: impl Iterator<Item = Batch>) {
        let (started, time) = (Instant::now(), now());
        let effects = self.engine.apply(batches, time);
        // By the clock that never steps: from the round's own time on.
        self.wake_at = effects.wake_at.map(|at| started + at.since(time));
        if !effects.is_empty() {
            if let Some(catalog) = &mut self.catalog {
                catalog.apply(&effects);
            }
            for follower in &mut self.followers {
                follower(&self.engine, &effects);
            }
        }
        if !effects.members.is_empty() {
            let members = Arc::make_mut(&mut self.published.members);
            for (id, report) in &effects.members {
                let before = match report {
                    Some(report) => members.insert(id.clone(), Arc::clone(report)),
                    None => members.remove(id),
                };
                changes::log(id, before.as_deref(), report.as_deref(), time);
            }
        }
        self.published.rounds += 1;
        self.published.last_round = started.elapsed();
        self.published.services = self.engine.merged().len();
        self.published.stats = self.engine.stats();
        self.published.knowledge = self.engine.knowledge();
        self.look_for_region();
        if effects.knowledge.is_some() {
            self.phase_changed();
        }
        self.publish();
    }

    /// A region that does not exist is served all the same: what its clients get is in the order of names.
    fn look_for_region(&mut self) {
        let regions = &self.engine.topology().regions;
        let listed = self.engine.hub_is_listed();
        let missing = self.region.as_ref().filter(|region| listed && !regions.contains_key(*region));
        let note = missing.map(|region| Arc::from(missing_region(region, regions.keys())));
        if note != self.published.region_note {
            match &note {
                Some(note) => tracing::warn!("{note}"),
                None => tracing::info!("the Region that is served exists now"),
            }
            self.published.region_note = note;
        }
    }

    /// The phase changed, or the process became ready.
    fn phase_changed(&mut self) {
        let Knowledge { phase, waited, .. } = self.published.knowledge;
        if let Some(catalog) = self.catalog.as_mut().filter(|_| self.published.knowledge.serves()) {
            catalog.set_ready();
        }
        let (members, services) = (self.published.members.len(), self.published.services);
        if phase == Phase::Complete {
            tracing::info!(members, services, "first sync complete");
        } else {
            let text = text(&self.published.knowledge, &self.published.members, &[]);
            tracing::warn!(members, services, phase = ?phase, waited, "{text}");
        }
    }

    fn publish(&self) {
        self.sender.send_replace(Arc::new(self.published.clone()));
    }
}

fn missing_region<'a>(region: &RegionId, regions: impl ExactSizeIterator<Item = &'a RegionId>) -> String {
    let known: Vec<&str> = regions.take(MAX_REGIONS_NAMED).map(RegionId::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!(
        "--region {region}: there is no Region of that name (known: {known}); its proxies are served in the order of the \
         regions' names; create the Region, or correct the flag"
    )
}
