//! The engine's thread: takes all that is waiting, applies it as one round, and hands the effects on.
//! It is the only writer; everybody else reads what it publishes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation::change::Batch;
use federation::model::{ClusterId, ServiceKey};
use federation::report::MemberReport;
use federation::{Config, Effects, Engine, Stats};
use regions::catalog::{Catalog, CatalogCommand};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clusters::now;
use crate::shutdown::Shutdown;

/// Batches applied as one round at most, so that a round stays short and the next one sees what came meanwhile.
const ROUND: usize = 256;
/// Questions that may wait for the engine's thread.
const QUERY_CAPACITY: usize = 16;

/// What everybody may read: one immutable picture a round.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub sync: SyncState,
    /// Shared between rounds: most rounds change no report.
    pub members: Arc<BTreeMap<ClusterId, Arc<MemberReport>>>,
    pub services: usize,
    pub stats: Stats,
    pub rounds: u64,
    /// Time the last round took, from taking its batches to having published its effects.
    pub last_round: Duration,
}

/// Whether it is known what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncState {
    /// Nothing is served yet.
    #[default]
    Waiting,
    /// Every member was listed, or could not be reached.
    Synced,
    /// Some member had neither answered nor failed when the deadline passed.
    DeadlinePassed,
}

/// A line of `isthmus status`: one merged service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSummary {
    pub key: ServiceKey,
    pub sources: Vec<ClusterId>,
    pub ports: Vec<String>,
    pub ready: usize,
    pub endpoints: usize,
}

/// Asked of the engine's thread; the answer may cost O(services), so nobody asks often.
#[derive(Debug)]
pub enum Query {
    Services(oneshot::Sender<Vec<ServiceSummary>>),
}

/// Hears every round's effects on the engine's thread, so it must be quick.
pub type Follower = Box<dyn FnMut(&Effects) + Send>;

/// What the engine's thread is given.
pub struct Wiring {
    pub config: Config,
    pub feed: mpsc::Receiver<Batch>,
    /// The region's resources and the streams' requests for them, if this process serves proxies.
    pub catalog: Option<(Catalog, mpsc::Receiver<CatalogCommand>)>,
    pub followers: Vec<Follower>,
    /// How long the first sync may take before what is known is served.
    pub sync_deadline: Duration,
}

/// The readers' side of a running engine.
#[derive(Clone, Debug)]
pub struct World {
    pub picture: watch::Receiver<Arc<Picture>>,
    queries: mpsc::Sender<Query>,
}

impl World {
    /// All merged services, sorted; empty when the engine has ended.
    pub async fn services(&self) -> Vec<ServiceSummary> {
        let (answer, receive) = oneshot::channel();
        if self.queries.send(Query::Services(answer)).await.is_err() {
            return Vec::new();
        }
        receive.await.unwrap_or_default()
    }
}

/// Starts the engine's thread. It ends with the shutdown signal, or when the last source is gone and nothing asks any more.
pub fn start(wiring: Wiring, shutdown: Shutdown) -> std::io::Result<World> {
    let (picture_sender, picture) = watch::channel(Arc::new(Picture::default()));
    let (queries, query_receiver) = mpsc::channel(QUERY_CAPACITY);
    let handle = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || handle.block_on(run(wiring, picture_sender, query_receiver, shutdown)))?;
    Ok(World { picture, queries })
}

async fn run(
    wiring: Wiring,
    picture: watch::Sender<Arc<Picture>>,
    mut queries: mpsc::Receiver<Query>,
    mut shutdown: Shutdown,
) {
    let Wiring { config, mut feed, catalog, followers, sync_deadline } = wiring;
    let (catalog, mut commands) = match catalog {
        Some((catalog, commands)) => (Some(catalog), commands),
        None => (None, mpsc::channel(1).1),
    };
    let deadline = tokio::time::sleep(sync_deadline);
    tokio::pin!(deadline);
    let mut state =
        Loop { engine: Engine::new(config), catalog, followers, picture: Picture::default(), sender: picture };
    let mut waiting = Vec::with_capacity(ROUND);
    loop {
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
            }
            Some(Query::Services(answer)) = queries.recv() => {
                let _ = answer.send(state.services()); // whoever asked may have gone
            }
            () = &mut deadline, if state.picture.sync == SyncState::Waiting => state.serve(SyncState::DeadlinePassed),
        }
    }
}

struct Loop {
    engine: Engine,
    catalog: Option<Catalog>,
    followers: Vec<Follower>,
    picture: Picture,
    sender: watch::Sender<Arc<Picture>>,
}

impl Loop {
    fn round(&mut self, batches: impl Iterator<Item = Batch>) {
        let started = std::time::Instant::now();
        let effects = self.engine.apply(batches, now());
        if !effects.is_empty() {
            if let Some(catalog) = &mut self.catalog {
                catalog.apply(&effects);
            }
            for follower in &mut self.followers {
                follower(&effects);
            }
        }
        if !effects.members.is_empty() {
            let members = Arc::make_mut(&mut self.picture.members);
            for (id, report) in &effects.members {
                match report {
                    Some(report) => members.insert(id.clone(), Arc::clone(report)),
                    None => members.remove(id),
                };
            }
        }
        self.picture.rounds += 1;
        self.picture.last_round = started.elapsed();
        self.picture.services = self.engine.merged().len();
        self.picture.stats = self.engine.stats();
        if self.picture.sync == SyncState::Waiting && self.engine.synced() {
            self.serve(SyncState::Synced);
        } else {
            self.publish();
        }
    }

    /// From now on clients are answered.
    fn serve(&mut self, state: SyncState) {
        self.picture.sync = state;
        if let Some(catalog) = &mut self.catalog {
            catalog.set_ready();
        }
        match state {
            SyncState::DeadlinePassed => {
                tracing::warn!("the deadline for the first sync passed; serving what is known");
            }
            SyncState::Waiting | SyncState::Synced => {
                let (members, services) = (self.picture.members.len(), self.picture.services);
                tracing::info!(members, services, "first sync complete");
            }
        }
        self.publish();
    }

    fn publish(&self) {
        self.sender.send_replace(Arc::new(self.picture.clone()));
    }

    fn services(&self) -> Vec<ServiceSummary> {
        let mut all: Vec<ServiceSummary> = self.engine.merged().values().map(|merged| summary(merged)).collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }
}

/// One merged service in a line.
pub fn summary(merged: &federation::model::Merged) -> ServiceSummary {
    let hosts = || merged.ports.iter().flat_map(|port| &port.backends).flat_map(|backend| &backend.hosts);
    let port = |port: &federation::model::MergedPort| {
        let name = if port.name.is_empty() { String::new() } else { format!("{}:", port.name) };
        format!("{name}{}/{}/{}", port.port, port.protocol.as_str(), port.app.as_str())
    };
    ServiceSummary {
        key: merged.key.clone(),
        sources: merged.sources.clone(),
        ports: merged.ports.iter().map(port).collect(),
        ready: hosts().filter(|host| host.health == federation::model::Health::Ready).count(),
        endpoints: hosts().count(),
    }
}
