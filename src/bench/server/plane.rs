//! A region's control plane, the very one that `isthmus region` runs: only its batches come from a synthetic federation, and
//! change by command.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use clusters::shutdown::Shutdown;
use federation::change::Batch;
use federation::invariants;
use federation::model::{NameError, Namespace, RegionId};
use federation::{Authority, Engine};
use regions::resource::ResourceType;
use regions::server::Limits;
use regions::stats::{Counter, Stats, TypeStats};

use super::super::args::Plan;
use super::super::bounds::FRESH_CLIENTS;
use super::super::protocol::{Answer, Checked, Command, Counters, now_ns};
use super::super::synthetic::{NotReady, SyntheticFederation};
use super::{Commands, print};
use crate::admin::{self, CHECK_DEADLINE};
use crate::process::engine::{Deadlines, EngineHandle};
use crate::process::plane::{self, Input, Plane, Running, Serve, Served};

/// The synthetic federation is complete at once, so no deadline should be reached.
const SYNC_DEADLINE: Duration = Duration::from_secs(600);
const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Serves until standard input is closed.
pub async fn run(plan: &Plan) -> anyhow::Result<()> {
    // Twice, because clients that reconnect may be counted before their old connections are closed.
    let max_connections = 2 * (plan.clients + plan.stalled) + FRESH_CLIENTS;
    let source = Source { federation: plan.federation.clone(), not_ready: NotReady::new() };
    let plane = Plane {
        input: Input::Batches(Box::new(|running| Box::pin(source.answer_all(running)))),
        own_namespace: Namespace::new("isthmus-system")?,
        authority: Authority::Own,
        pages: admin::Addresses { admin: ANY_PORT.into(), probes: None, hosts: admin::Hosts::default() },
        deadlines: Deadlines { serve: SYNC_DEADLINE, ready: SYNC_DEADLINE },
        serve: Some(Serve {
            region: RegionId::new(&SyntheticFederation::region_name(0))?,
            xds: SocketAddr::from(ANY_PORT),
            on_demand: true,
            tls: None,
            limits: Limits { max_connections, ..Limits::default() },
        }),
        writers: None,
    };
    let (_trigger, shutdown) = Shutdown::new();
    plane::run(plane, shutdown).await
}

struct Source {
    federation: SyntheticFederation,
    not_ready: NotReady,
}

impl Source {
    /// Answers one command after another, until standard input is closed.
    async fn answer_all(mut self, running: Running) -> anyhow::Result<()> {
        let Served { xds, stats } = running.served.as_ref().context("a control plane serves")?;
        let mut commands = Commands::read()?;
        print(&Answer::Listening { address: *xds });
        while let Some(command) = commands.next().await {
            let answer = match command {
                Command::Count => Ok(Answer::Counters(counters(stats, &running.engine))),
                Command::Check => check(&running.engine).await,
                command => self.feed(command, &running).await,
            };
            print(&answer.unwrap_or_else(|error| Answer::Failed { reason: format!("{error:#}") }));
        }
        Ok(())
    }

    /// Sends the command's batches to the feed.
    async fn feed(&mut self, command: Command, running: &Running) -> anyhow::Result<Answer> {
        let begins = command == Command::Begin;
        let batches = self.batches(command)?;
        let at_ns = now_ns();
        for batch in batches {
            running.feed.send(batch).await?;
        }
        if begins {
            let mut published = running.engine.published.clone();
            published.wait_for(|published| published.knowledge.serves()).await?;
        }
        Ok(Answer::Done { at_ns })
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
            Command::Count | Command::Check | Command::Push { .. } => Ok(Vec::new()),
        }
    }
}

/// What `/debug/invariants` shows.
async fn check(engine: &EngineHandle) -> anyhow::Result<Answer> {
    let checks = engine.ask_within(CHECK_DEADLINE, |engine: &Engine| invariants::check(engine)).await?;
    let compared = checks.iter().map(|check| check.compared).sum();
    let violations = checks.iter().map(|check| check.violations).sum();
    let examples = checks.into_iter().flat_map(|check| {
        let name = check.name;
        check.examples.into_iter().map(move |example| format!("{name}: {example}"))
    });
    Ok(Answer::Checked(Checked { compared, violations, examples: examples.collect() }))
}

fn counters(stats: &Stats, engine: &EngineHandle) -> Counters {
    let Stats { catalog, streams, .. } = stats;
    let sum = |pick: fn(&TypeStats) -> &Counter| {
        ResourceType::ALL.iter().map(|resource_type| pick(streams.of(*resource_type)).get()).sum()
    };
    let published = engine.published.borrow();
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
