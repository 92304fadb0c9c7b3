//! Everything at once for long: endpoints change, services come and go, clients come back and reject. At the end every
//! client has to hold, resource by resource, what a client holds that connects only then.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::super::client::Order;
use super::super::error::BenchError;
use super::super::protocol::Command;
use super::super::report::Outcome;
use super::meter::each;
use super::{Stage, compare};

// Of so many ticks, one does this as well.
const COME_OR_GO: u64 = 20;
const RECONNECT: u64 = 7;
const REJECT: u64 = 13;
/// Services that were added and are still there.
const MOST_ADDED: usize = 16;
/// Clients that hear nothing for so long have heard all.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Done {
    changes: u64,
    added: u64,
    removed: u64,
    reconnected: u64,
    told_to_reject: u64,
}

pub async fn play(stage: &mut Stage<'_>) -> Result<Outcome, BenchError> {
    stage.crowd().await?;
    let meter = stage.meter().await?;
    stage.plane.process.forget_peak();
    let mut samples = vec![stage.plane.process.memory()?.resident];
    let (mut done, mut present, mut rejecting) = (Done::default(), VecDeque::new(), BTreeSet::new());
    let began = Instant::now();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(stage.plan.rate).unwrap_or(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tick = 0;
    while began.elapsed() < stage.plan.length {
        ticks.tick().await;
        tick += 1;
        let (service, _) = stage.draw(&BTreeSet::new())?;
        let endpoint = stage.random.below(stage.plan.world.endpoints);
        stage.plane.tell(Command::Flip { service, endpoint }).await?;
        done.changes += 1;
        if tick % COME_OR_GO == 0 {
            come_or_go(stage, &mut present, &mut done).await?;
        }
        if tick % RECONNECT == 0 {
            let client = stage.random.below(stage.plan.clients);
            stage.connected()?.order(client, Order::Reconnect).await;
            done.reconnected += 1;
        }
        if tick % REJECT == 0 {
            let client = stage.random.below(stage.plan.clients);
            stage.connected()?.order(client, Order::Reject).await;
            rejecting.insert(client);
            done.told_to_reject += 1;
        }
        if samples.len() as u64 <= began.elapsed().as_secs() {
            samples.push(stage.plane.process.memory()?.resident);
        }
    }
    let used = stage.used(&meter).await?;
    let memory = stage.plane.process.memory()?;
    // What was rejected is not sent again on the same stream: that is the protocol. Those clients come back.
    for client in rejecting {
        stage.connected()?.order(client, Order::Reconnect).await;
    }
    let patience = stage.plan.timeout;
    stage.connected()?.silence(QUIET, patience).await?;
    let compared = compare::with_fresh_clients(stage).await?;

    let mut outcome = Outcome::new("soak");
    let figures = &mut outcome.figures;
    figures.count("changes", "endpoint changes", done.changes);
    figures.count("added", "services added", done.added);
    figures.count("removed", "services removed", done.removed);
    figures.count("reconnected", "clients that came back", done.reconnected);
    figures.count("told_to_reject", "clients told to reject", done.told_to_reject);
    figures.count("rejected", "responses rejected", used.nacks);
    figures.time(
        "server_cpu_per_change",
        "server CPU per change, all included",
        each(used.server_cpu, tick_count(tick)),
    );
    figures.bytes("first_bytes", "resident at the beginning", samples.first().copied().unwrap_or_default());
    // After a tenth of the time everything has been in use once.
    figures.bytes("warm_bytes", "resident after a tenth", samples.get(samples.len() / 10).copied().unwrap_or_default());
    figures.bytes("last_bytes", "resident at the end", memory.resident);
    figures.bytes("peak_bytes", "resident at the peak", memory.peak);
    figures.count("compared", "clients compared with fresh ones", compared.clients);
    figures.count("resources_compared", "resources compared", compared.resources);
    figures.count("differences", "resources that differ", compared.differences);
    outcome.problems = compared.problems;
    Ok(outcome)
}

fn tick_count(tick: u64) -> usize {
    usize::try_from(tick).unwrap_or(usize::MAX)
}

async fn come_or_go(stage: &mut Stage<'_>, present: &mut VecDeque<usize>, done: &mut Done) -> Result<(), BenchError> {
    let spare = if present.len() < MOST_ADDED { stage.newcomer().ok() } else { None };
    if let Some(service) = spare {
        stage.plane.tell(Command::Add { service }).await?;
        present.push_back(service);
        done.added += 1;
    } else if let Some(service) = present.pop_front() {
        stage.plane.tell(Command::Remove { service }).await?;
        done.removed += 1;
        stage.give_back(service);
    }
    Ok(())
}
