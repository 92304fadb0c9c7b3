//! A region's control plane as [`crate::process::plane`] assembles it: feed, engine, catalog, xDS. Only the source differs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clusters::shutdown::Shutdown;
use clusters::sources::feed::Feed;
use federation::change::Batch;
use federation::model::{NameError, Namespace, RegionId};
use federation::{Authority, Awaits, Config};
use regions::catalog::{self, Catalog};
use regions::class::Defaults;
use regions::resource::ResourceType;
use regions::server::{self, Limits, Listening, Loads, Shared, StartLimits, Streams};
use regions::stats::{Counter, Stats, TypeStats};
use tokio::sync::Mutex;

use super::super::bounds::MAX_CLIENTS;
use super::super::protocol::{Answer, Command, Counters, now_ns};
use super::super::synthetic::{NotReady, SyntheticFederation};
use super::{answer_all, print};
use crate::process::engine::{self, Deadlines, Wiring};

/// The synthetic federation is complete at once, so no deadline should be reached.
const SYNC_DEADLINE: Duration = Duration::from_secs(600);

/// Serves until standard input is closed.
pub async fn run(federation: &SyntheticFederation) -> anyhow::Result<()> {
    let listener = server::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let (feed, batches) = Feed::new();
    let stats = Arc::new(Stats::default());
    let (handle, commands) = catalog::channel();
    let own_namespace = Namespace::new("isthmus-system")?;
    let (awaits, deadlines) = (Awaits::NotRefused, Deadlines { serve: SYNC_DEADLINE, ready: SYNC_DEADLINE });
    let config = Config { authority: Authority::Own, own_namespace, awaits, deadlines, hub: None };
    let wiring = Wiring {
        region: None,
        config,
        feed: batches,
        catalog: Some((Catalog::new(Arc::clone(&stats)), commands)),
        followers: Vec::new(),
    };
    let (_trigger, shutdown) = Shutdown::new();
    let running = engine::start(wiring, shutdown)?;
    let region = RegionId::new(&SyntheticFederation::region_name(0))?;
    let shared = Shared {
        catalog: handle,
        defaults: Arc::new(Defaults { region, on_demand: true }),
        identifier: Arc::from("isthmus/bench"),
        stats: Arc::clone(&stats),
        streams: Streams::default(),
        loads: Loads::default(),
        start_limits: StartLimits::default(),
    };
    // Twice, because clients that reconnect may be counted before their old connections are closed.
    let limits = Limits { max_connections: 2 * MAX_CLIENTS, ..Limits::default() };
    let listeners = vec![Listening { listener, tls: None }];
    tokio::spawn(server::serve(listeners, shared, limits, std::future::pending()));

    let source = Mutex::new(Source { federation: federation.clone(), feed, not_ready: NotReady::new() });
    print(&Answer::Listening { address });
    answer_all(async |command| match command {
        Command::Count => Answer::Counters(counters(&stats, &running)),
        command => {
            let begins = command == Command::Begin;
            let fed = source.lock().await.execute(command).await;
            if begins && fed.is_ok() {
                let mut published = running.published.clone();
                // The sender lives as long as the engine's thread, which lasts as long as this.
                let _ = published.wait_for(|published| published.knowledge.serves()).await;
            }
            match fed {
                Ok(at_ns) => Answer::Done { at_ns },
                Err(reason) => Answer::Failed { reason },
            }
        }
    })
    .await?;
    Ok(())
}

struct Source {
    federation: SyntheticFederation,
    feed: Feed,
    not_ready: NotReady,
}

impl Source {
    /// Sends the command's batches to the feed. Returns when that began, as [`now_ns`].
    async fn execute(&mut self, command: Command) -> Result<u64, String> {
        let batches = self.batches(command).map_err(|error| error.to_string())?;
        let at_ns = now_ns();
        for batch in batches {
            self.feed.send(batch).await.map_err(|closed| closed.to_string())?;
        }
        Ok(at_ns)
    }

    fn batches(&mut self, command: Command) -> Result<Vec<Batch>, NameError> {
        match command {
            Command::Begin => {
                let mut batches = self.federation.hub()?;
                for cluster in 0..self.federation.clusters {
                    batches.extend(self.federation.listing(cluster, &self.not_ready)?);
                }
                Ok(batches)
            }
            Command::Flip { service, endpoint } => {
                if !self.not_ready.remove(&(service, endpoint)) {
                    self.not_ready.insert((service, endpoint));
                }
                self.federation.flipped(service, endpoint, &self.not_ready)
            }
            Command::Add { service } => self.federation.added(service),
            Command::Remove { service } => self.federation.removed(service),
            Command::Count | Command::Push { .. } => Ok(Vec::new()),
        }
    }
}

fn counters(stats: &Stats, running: &engine::EngineHandle) -> Counters {
    let Stats { catalog, streams, .. } = stats;
    let sum = |pick: fn(&TypeStats) -> &Counter| {
        ResourceType::ALL.iter().map(|resource_type| pick(streams.of(*resource_type)).get()).sum()
    };
    let published = running.published.borrow();
    Counters {
        streams: streams.open_delta.get() + streams.open_sotw.get(),
        resources: ResourceType::ALL.iter().map(|resource_type| catalog.resources_of(*resource_type).get()).sum(),
        accepted: streams.accepted.get(),
        refused: streams.refused.get(),
        requests: sum(|stats| &stats.requests),
        responses: sum(|stats| &stats.responses),
        acks: sum(|stats| &stats.acks),
        nacks: sum(|stats| &stats.nacks),
        resources_sent: sum(|stats| &stats.resources_sent),
        removals_sent: sum(|stats| &stats.removals_sent),
        sent_bytes: streams.sent_bytes.get(),
        merged: published.stats.merged,
        last_round_ns: u64::try_from(published.last_round.as_nanos()).unwrap_or(u64::MAX),
        encoded: catalog.encoded.get(),
    }
}
