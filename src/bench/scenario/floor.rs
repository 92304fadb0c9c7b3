//! The same as a change, from a server that decides nothing: what the network, the kernel and the clients cost by themselves
//! on this machine.

use std::time::Duration;

use regions::resource::ResourceType;
use tokio::time::{Instant, timeout};

use super::super::client::Counts;
use super::super::crowd::Crowd;
use super::super::error::BenchError;
use super::super::link::Link;
use super::super::protocol::{Command, Counters};
use super::super::report::{Outcome, Value};
use super::change::Received;
use super::meter::Meter;
use super::testbed::Testbed;

const MOST: usize = 200;
const LOOK: Duration = Duration::from_millis(10);
/// ACKs take at most this long.
const REST: Duration = Duration::from_millis(200);

pub async fn play(testbed: &mut Testbed<'_>, before: &[Outcome]) -> Result<Outcome, BenchError> {
    // Both crowds together would need twice the files.
    testbed.leave().await;
    let bytes = change_bytes(testbed, before);
    let mut link = Link::floor(testbed.plan).await?;
    let crowd = Crowd::start(testbed.profiles.iter(), link.address, &testbed.common, Counts::default());
    connected(&mut link, &crowd, testbed.plan.timeout).await?;

    let (service, users) = (0, crowd.len());
    let received = |crowd: &Crowd| (crowd.bytes(), crowd.messages());
    let meter = Meter::start(&link.process, Counters::default(), received(&crowd))?;
    let mut delivered = Received::default();
    for version in 1..=testbed.plan.changes.min(MOST) {
        let subject = testbed.service(ResourceType::Assignment, service);
        let watched = testbed.watch(subject, users);
        let name = testbed.plan.federation.resource_name(service);
        let at_ns = link.execute(Command::Push { name, version: version as u64, bytes }).await?;
        let in_time = timeout(testbed.plan.timeout, watched.wait()).await;
        testbed.forget(subject);
        if in_time.is_err() {
            return Err(testbed.too_slow("clients that received a message from a bare server", &watched));
        }
        delivered.add(watched.lag(at_ns), users);
    }
    tokio::time::sleep(REST).await;
    let used = meter.used(&link.process, Counters::default(), received(&crowd))?;
    crowd.end().await;
    testbed.floors_cpu += link.process.cpu()?;
    link.end().await;
    let mut outcome = Outcome::new("floor");
    delivered.figures(&used, &mut outcome.figures);
    Ok(outcome)
}

/// As large as what the control plane sent, or, if the scenario "change" did not run, as its load assignments are.
fn change_bytes(testbed: &Testbed<'_>, before: &[Outcome]) -> usize {
    let change = before.iter().rev().find(|outcome| outcome.scenario == "change");
    match change.and_then(|outcome| outcome.figures.get("per_delivery_bytes")) {
        Some(Value::Bytes(bytes)) => usize::try_from(bytes).unwrap_or_default(),
        _ => 350 + 30 * testbed.plan.federation.endpoints,
    }
}

async fn connected(link: &mut Link, crowd: &Crowd, patience: Duration) -> Result<(), BenchError> {
    let deadline = Instant::now() + patience;
    loop {
        let open = usize::try_from(link.counters().await?.streams).unwrap_or_default();
        if open >= crowd.len() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let (what, expected) = ("clients connected to a bare server".to_owned(), crowd.len());
            return Err(BenchError::TooSlow { what, reached: open, expected, waited: patience, detail: String::new() });
        }
        tokio::time::sleep(LOOK).await;
    }
}
