//! One endpoint changes, again and again; each time all clients that use the service have to hear of it before the next.

use std::collections::BTreeSet;

use super::super::error::BenchError;
use super::super::percentiles::Percentiles;
use super::super::protocol::Command;
use super::super::report::{Figures, Outcome, Value};
use super::Stage;
use super::meter::{Used, each, each_of};

pub async fn play(stage: &mut Stage<'_>) -> Result<Outcome, BenchError> {
    stage.crowd().await?;
    let meter = stage.meter().await?;
    let changes = stage.plan.changes;
    let mut heard = Heard::default();
    for _ in 0..changes {
        let (service, users) = stage.draw(&BTreeSet::new())?;
        let endpoint = stage.random.below(stage.plan.world.endpoints);
        let subject = stage.endpoint(service, endpoint);
        let lag = stage.change(Command::Flip { service, endpoint }, subject, users).await?;
        heard.add(lag, users);
    }
    let used = stage.used(&meter).await?;
    let mut outcome = Outcome::new("change");
    heard.figures(&used, &mut outcome.figures);
    outcome.figures.add(
        "encoded_per_change",
        "resources encoded per change",
        Value::Number(used.encoded as f64 / changes as f64),
    );
    Ok(outcome)
}

/// Changes that everybody concerned heard of.
#[derive(Default)]
pub struct Heard {
    first: Vec<std::time::Duration>,
    last: Vec<std::time::Duration>,
    deliveries: usize,
}

impl Heard {
    pub fn add(&mut self, (first, last): (std::time::Duration, std::time::Duration), users: usize) {
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
