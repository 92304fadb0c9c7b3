//! Endpoints change at a steady rate. The question is whether the last minute is as quick as the first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::super::board::Watched;
use super::super::client::{Common, Order};
use super::super::crowd::{Crowd, Profiles};
use super::super::error::BenchError;
use super::super::percentiles::Percentiles;
use super::super::protocol::Command;
use super::super::report::Outcome;
use super::invariants;
use super::meter::each;
use super::testbed::{Subject, Testbed};

/// Length of what is compared at the beginning and at the end, at most.
const WINDOW: Duration = Duration::from_secs(60);

pub async fn play(testbed: &mut Testbed<'_>) -> Result<Outcome, BenchError> {
    testbed.crowd().await?;
    let stalled = stall(testbed).await?;
    let meter = testbed.meter().await?;
    let before = testbed.plane.process.memory()?;
    testbed.plane.process.forget_peak();
    let (done, took) = load(testbed).await?;
    let used = testbed.used(&meter).await?;
    let after = testbed.plane.process.memory()?;
    let clients_stalled = stalled.len() as u64;
    stalled.end().await;

    let window = WINDOW.min(testbed.plan.length / 2);
    let part = |wanted: &dyn Fn(Duration) -> bool| -> Percentiles {
        done.iter().filter(|(after, _)| wanted(*after)).map(|(_, last)| *last).collect()
    };
    let first = part(&|after| after < window);
    let last = part(&|after| after + window >= took);
    let mut outcome = Outcome::new("churn");
    let figures = &mut outcome.figures;
    figures.count("changes", "changes", done.len() as u64);
    figures.count("stalled", "clients that stopped reading", clients_stalled);
    figures.time("took", "time it took", took);
    figures.time("window", "first and last mean so much of it", window);
    figures.count("first_changes", "changes in the first", first.len() as u64);
    figures.spread("first", "change to last client, in the first", &first);
    figures.count("last_changes", "changes in the last", last.len() as u64);
    figures.spread("last", "change to last client, in the last", &last);
    figures.time("server_cpu_per_change", "server CPU per change, ACKs included", each(used.server_cpu, done.len()));
    figures.bytes("before_bytes", "resident before", before.resident);
    figures.bytes("after_bytes", "resident after", after.resident);
    figures.bytes("peak_bytes", "resident at the peak", after.peak);
    invariants::check(testbed, &mut outcome).await?;
    Ok(outcome)
}

/// Makes the changes, and waits until all clients have received them. Returns when each was made and how long its last client
/// waited, and how long the making took.
async fn load(testbed: &mut Testbed<'_>) -> Result<(Vec<(Duration, Duration)>, Duration), BenchError> {
    let length = testbed.plan.length;
    let began = Instant::now();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(testbed.plan.rate).unwrap_or(1));
    // A late change does not delay the ones after it: the rate is what was asked for, on average.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = BTreeMap::new();
    let mut done = Vec::new();
    while began.elapsed() < length {
        ticks.tick().await;
        harvest(testbed, &mut under_way, &mut done);
        // A service whose change is under way must not change again: that a client missed the first would not be noticed.
        let busy = under_way.keys().copied().collect();
        let (service, users) = testbed.draw(&busy)?;
        let endpoint = testbed.random.below(testbed.plan.federation.endpoints);
        let subject = testbed.endpoint(service, endpoint);
        let watched = testbed.watch(subject, users);
        let after = began.elapsed();
        let put_ns = testbed.plane.execute(Command::Flip { service, endpoint }).await?;
        under_way.insert(service, Change { subject, watched, put_ns, after });
    }
    let took = began.elapsed();
    let deadline = Instant::now() + testbed.plan.timeout;
    let left: Vec<Arc<Watched>> = under_way.values().map(|change| Arc::clone(&change.watched)).collect();
    for watched in left {
        if timeout_at(deadline, watched.wait()).await.is_err() {
            return Err(testbed.too_slow("clients that received a change", &watched));
        }
    }
    harvest(testbed, &mut under_way, &mut done);
    Ok((done, took))
}

/// Connects more clients, and makes them stop reading once they have everything.
async fn stall(testbed: &Testbed<'_>) -> Result<Crowd, BenchError> {
    let profiles = Profiles::stalled(testbed.plan);
    // They have a board of their own: what they receive until they stop is not counted for the others.
    let common = Arc::new(Common::default());
    let mut stalled = Crowd::start(profiles.iter(), testbed.plane.address, &common, testbed.expected);
    stalled.complete("clients that have everything, before they stop reading", testbed.plan.timeout).await?;
    for client in 0..stalled.len() {
        stalled.order(client, Order::Stall).await;
    }
    Ok(stalled)
}

struct Change {
    subject: Subject,
    watched: Arc<Watched>,
    put_ns: u64,
    /// When it was made, since the beginning.
    after: Duration,
}

/// Moves changes that all clients have received to `done`: when they were made, and how long the last client waited.
fn harvest(testbed: &Testbed<'_>, under_way: &mut BTreeMap<usize, Change>, done: &mut Vec<(Duration, Duration)>) {
    under_way.retain(|_, change| {
        let over = change.watched.is_done();
        if over {
            testbed.forget(change.subject);
            done.push((change.after, change.watched.lag(change.put_ns).1));
        }
        !over
    });
}
