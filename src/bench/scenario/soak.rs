//! Everything at once for a long time: endpoints change, services are added and removed, clients reconnect and reject. At the
//! end every client has to hold, resource by resource, what a fresh client holds, and the control plane's invariants have to hold.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::super::client::Order;
use super::super::error::BenchError;
use super::super::process::Memory;
use super::super::protocol::Command;
use super::super::report::{Figures, Outcome};
use super::meter::{Used, each};
use super::testbed::Testbed;
use super::{compare, invariants};

// One of so many ticks does this as well.
const ADD_OR_REMOVE: u64 = 20;
const RECONNECT: u64 = 7;
const REJECT: u64 = 13;
/// Services that were added and not removed yet, at most.
const MOST_ADDED: usize = 16;
/// Clients that receive nothing for so long have received everything.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Done {
    changes: u64,
    added: u64,
    removed: u64,
    reconnected: u64,
    asked_to_reject: u64,
    /// Resident memory of the server in bytes, about once a second.
    resident: Vec<u64>,
}

pub async fn play(testbed: &mut Testbed<'_>) -> Result<Outcome, BenchError> {
    testbed.crowd().await?;
    let meter = testbed.meter().await?;
    testbed.plane.process.forget_peak();
    let mut done = Done::default();
    let rejecting = load(testbed, &mut done).await?;
    let used = testbed.used(&meter).await?;
    let memory = testbed.plane.process.memory()?;
    // By the protocol, what was rejected is not sent again on the same stream. Those clients reconnect.
    for client in rejecting {
        testbed.connected()?.order(client, Order::Reconnect).await;
    }
    let patience = testbed.plan.timeout;
    testbed.connected()?.silence(QUIET, patience).await?;
    let compared = compare::with_fresh_clients(testbed).await?;

    let mut outcome = Outcome::new("soak");
    done.figures(&used, memory, &mut outcome.figures);
    let figures = &mut outcome.figures;
    figures.count("compared", "clients compared with fresh ones", compared.clients);
    figures.count("resources_compared", "resources compared", compared.resources);
    figures.count("differences", "resources that differ", compared.differences);
    outcome.problems = compared.problems;
    invariants::check(testbed, &mut outcome).await?;
    Ok(outcome)
}

/// Makes all the changes. Returns the clients that were asked to reject.
async fn load(testbed: &mut Testbed<'_>, done: &mut Done) -> Result<BTreeSet<usize>, BenchError> {
    let (mut present, mut rejecting) = (VecDeque::new(), BTreeSet::new());
    done.resident.push(testbed.plane.process.memory()?.resident);
    let began = Instant::now();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(testbed.plan.rate).unwrap_or(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while began.elapsed() < testbed.plan.length {
        ticks.tick().await;
        let (service, _) = testbed.draw(&BTreeSet::new())?;
        let endpoint = testbed.random.below(testbed.plan.federation.endpoints);
        testbed.plane.execute(Command::Flip { service, endpoint }).await?;
        done.changes += 1;
        if done.changes.is_multiple_of(ADD_OR_REMOVE) {
            add_or_remove(testbed, &mut present, done).await?;
        }
        if done.changes.is_multiple_of(RECONNECT) {
            let client = testbed.random.below(testbed.plan.clients);
            testbed.connected()?.order(client, Order::Reconnect).await;
            done.reconnected += 1;
        }
        if done.changes.is_multiple_of(REJECT) {
            let client = testbed.random.below(testbed.plan.clients);
            testbed.connected()?.order(client, Order::Reject).await;
            rejecting.insert(client);
            done.asked_to_reject += 1;
        }
        if done.resident.len() as u64 <= began.elapsed().as_secs() {
            done.resident.push(testbed.plane.process.memory()?.resident);
        }
    }
    Ok(rejecting)
}

impl Done {
    fn figures(&self, used: &Used, at_the_end: Memory, figures: &mut Figures) {
        figures.count("changes", "endpoint changes", self.changes);
        figures.count("added", "services added", self.added);
        figures.count("removed", "services removed", self.removed);
        figures.count("reconnected", "clients that reconnected", self.reconnected);
        figures.count("told_to_reject", "clients asked to reject", self.asked_to_reject);
        figures.count("rejected", "responses rejected", used.nacks);
        let changes = usize::try_from(self.changes).unwrap_or(usize::MAX);
        let cpu = each(used.server_cpu, changes);
        figures.time("server_cpu_per_change", "server CPU per change, all included", cpu);
        let resident = |sample: usize| self.resident.get(sample).copied().unwrap_or_default();
        figures.bytes("first_bytes", "resident at the beginning", resident(0));
        // After a tenth of the time everything has been in use once.
        figures.bytes("warm_bytes", "resident after a tenth", resident(self.resident.len() / 10));
        figures.bytes("last_bytes", "resident at the end", at_the_end.resident);
        figures.bytes("peak_bytes", "resident at the peak", at_the_end.peak);
    }
}

async fn add_or_remove(
    testbed: &mut Testbed<'_>,
    present: &mut VecDeque<usize>,
    done: &mut Done,
) -> Result<(), BenchError> {
    let spare = if present.len() < MOST_ADDED { testbed.newcomer().ok() } else { None };
    if let Some(service) = spare {
        testbed.plane.execute(Command::Add { service }).await?;
        present.push_back(service);
        done.added += 1;
    } else if let Some(service) = present.pop_front() {
        testbed.plane.execute(Command::Remove { service }).await?;
        done.removed += 1;
        testbed.give_back(service);
    }
    Ok(())
}
