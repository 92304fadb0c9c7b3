//! One endpoint changes, again and again; each time all clients that use the service have to receive it before the next.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::error::BenchError;
use super::super::percentiles::Percentiles;
use super::super::protocol::Command;
use super::super::report::{Figures, Outcome, Value};
use super::meter::{Used, each, each_of};
use super::testbed::Testbed;

pub async fn play(testbed: &mut Testbed<'_>) -> Result<Outcome, BenchError> {
    testbed.crowd().await?;
    let meter = testbed.meter().await?;
    let changes = testbed.plan.changes;
    let (mut received, mut rounds) = (Received::default(), Vec::new());
    for _ in 0..changes {
        tokio::time::sleep(testbed.plan.every).await;
        let (service, users) = testbed.draw(&BTreeSet::new())?;
        let endpoint = testbed.random.below(testbed.plan.federation.endpoints);
        let subject = testbed.endpoint(service, endpoint);
        let lag = testbed.change(Command::Flip { service, endpoint }, subject, users).await?;
        received.add(lag, users);
        rounds.push(Duration::from_nanos(testbed.plane.counters().await?.last_round_ns));
    }
    let used = testbed.used(&meter).await?;
    let mut outcome = Outcome::new("change");
    received.figures(&used, &mut outcome.figures);
    let rounds: Percentiles = rounds.into_iter().collect();
    outcome.figures.spread("round", "the engine's round, streams woken included", &rounds);
    outcome.figures.add(
        "encoded_per_change",
        "resources encoded per change",
        Value::Number(used.encoded as f64 / changes as f64),
    );
    Ok(outcome)
}

/// Changes that all clients concerned received.
#[derive(Default)]
pub struct Received {
    first: Vec<Duration>,
    last: Vec<Duration>,
    deliveries: usize,
}

impl Received {
    pub fn add(&mut self, (first, last): (Duration, Duration), users: usize) {
        self.first.push(first);
        self.last.push(last);
        self.deliveries += users;
    }

    pub fn figures(self, used: &Used, figures: &mut Figures) {
        let changes = self.last.len();
        figures.count("changes", "changes", changes as u64);
        figures.add(
            "clients_per_change",
            "clients concerned by each",
            Value::Number(self.deliveries as f64 / changes.max(1) as f64),
        );
        figures.spread("first", "change to first client", &self.first.into_iter().collect::<Percentiles>());
        figures.spread("last", "change to last client", &self.last.into_iter().collect::<Percentiles>());
        figures.time("server_cpu_per_change", "server CPU per change, ACKs included", each(used.server_cpu, changes));
        figures.time("server_cpu_per_delivery", "the same for each client", each(used.server_cpu, self.deliveries));
        figures.time("client_cpu_per_delivery", "CPU of that client", each(used.client_cpu, self.deliveries));
        figures.bytes("per_delivery_bytes", "received by it", each_of(used.bytes, self.deliveries));
        figures.add(
            "messages_per_delivery",
            "messages to it",
            Value::Number(used.messages as f64 / self.deliveries.max(1) as f64),
        );
    }
}
