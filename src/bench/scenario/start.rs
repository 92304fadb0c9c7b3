//! A server starts, receives the federation, and serves a first client, which also shows what a complete client holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regions::resource::ResourceType;

use super::super::args::{Plan, Subscribe};
use super::super::client::{Common, Counts};
use super::super::crowd::{Crowd, Profiles};
use super::super::error::BenchError;
use super::super::link::Link;
use super::super::process::Memory;
use super::super::protocol::{Command, now_ns};
use super::super::report::Outcome;
use super::meter::each_of;

/// A first client that receives nothing for so long has everything.
const QUIET: Duration = Duration::from_millis(500);

pub struct Started {
    listening: Duration,
    synced: Duration,
    first_complete: Duration,
    cpu: Duration,
    empty: Memory,
    full: Memory,
    idle: Memory,
    pub counts: Counts,
}

pub async fn start(plan: &Plan, profiles: &Profiles, common: &Arc<Common>) -> Result<(Link, Started), BenchError> {
    let began = Instant::now();
    let mut plane = Link::plane(plan).await?;
    let listening = began.elapsed();
    let empty = plane.process.memory()?;
    let fed = Instant::now();
    plane.execute(Command::Begin).await?;
    let synced = fed.elapsed();
    let (full, cpu) = (plane.process.memory()?, plane.process.cpu()?);
    let idle = plane.process.memory_at_rest().await?;

    let asked_ns = now_ns();
    let first = profiles.iter().take(1);
    let mut crowd = Crowd::start(first, plane.address, common, Counts::default());
    crowd.complete("a first client with everything it should have", plan.timeout).await?;
    crowd.silence(QUIET, plan.timeout).await?;
    let first_complete = Duration::from_nanos(crowd.progress.last_ns().saturating_sub(asked_ns));
    let shown = crowd.show(0).await.ok_or_else(|| BenchError::Server("the first client gave up".to_owned()))?;
    let counts = Counts(shown.held.each_ref().map(super::super::client::Held::len));
    crowd.end().await;
    Ok((plane, Started { listening, synced, first_complete, cpu, empty, full, idle, counts }))
}

impl Started {
    pub fn outcome(&self, plan: &Plan) -> Outcome {
        let mut outcome = Outcome::new("start");
        let figures = &mut outcome.figures;
        figures.time("listening", "process started to listening", self.listening);
        figures.time("synced", "federation sent to engine synced", self.synced);
        figures.time("first_complete", "first client connected to complete", self.first_complete);
        figures.time("server_cpu", "server CPU until synced", self.cpu);
        figures.bytes("empty_bytes", "resident, empty", self.empty.resident);
        figures.bytes("full_bytes", "resident right after", self.full.resident);
        figures.bytes("idle_bytes", "resident at rest, federation known, no client", self.idle.resident);
        let grown = self.idle.resident.saturating_sub(self.empty.resident);
        let endpoints = plan.federation.services * plan.federation.endpoints;
        figures.bytes("per_endpoint_bytes", "the same for each endpoint", each_of(grown, endpoints));
        for resource_type in ResourceType::ALL {
            let label = resource_type.label();
            let (key, shown) = (format!("client_{label}"), format!("{label} resources of a client"));
            figures.count(&key, &shown, self.counts.of(resource_type) as u64);
        }
        let expected = match plan.subscribe {
            Subscribe::All => plan.federation.services,
            Subscribe::OnDemand(count) => count,
        };
        let found = self.counts.of(ResourceType::Assignment);
        if found != expected {
            let text = format!("the first client has {found} load assignments; expected {expected}");
            outcome.problems.push(text);
        }
        outcome
    }
}
