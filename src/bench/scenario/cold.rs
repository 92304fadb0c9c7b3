//! All clients connect at once, and hold nothing.

use std::time::Duration;

use super::super::error::BenchError;
use super::super::protocol::now_ns;
use super::super::report::Outcome;
use super::meter::each_of;
use super::testbed::Testbed;

pub async fn play(testbed: &mut Testbed<'_>) -> Result<Outcome, BenchError> {
    testbed.leave().await;
    let meter = testbed.meter().await?;
    let before = testbed.plane.process.memory()?;
    testbed.plane.process.forget_peak();

    let began_ns = now_ns();
    let at = testbed.connect().await?;
    let clients = at.len();
    let used = testbed.used(&meter).await?;
    let after = testbed.plane.process.memory()?;
    let rest = testbed.plane.process.memory_at_rest().await?;

    let times = at.into_iter().map(|at_ns| Duration::from_nanos(at_ns.saturating_sub(began_ns))).collect();
    let mut outcome = Outcome::new("cold");
    let figures = &mut outcome.figures;
    figures.count("clients", "clients", clients as u64);
    figures.count("resources_per_client", "resources of a client", testbed.expected.total() as u64);
    figures.spread("complete", "connected to complete", &times);
    figures.time("server_cpu", "server CPU", used.server_cpu);
    figures.time("client_cpu", "CPU of all clients", used.client_cpu);
    figures.bytes("received_bytes", "received by all", used.bytes);
    figures.bytes("server_sent_bytes", "the same as the server counted it", used.sent_bytes);
    figures.bytes("per_client_received_bytes", "received by each", each_of(used.bytes, clients));
    figures.bytes("before_bytes", "resident before", before.resident);
    figures.bytes("after_bytes", "resident right after", after.resident);
    figures.bytes("peak_bytes", "resident at the peak", after.peak);
    figures.bytes("rest_bytes", "resident at rest", rest.resident);
    let grown = rest.resident.saturating_sub(before.resident);
    figures.bytes("per_client_bytes", "grown for each client, at rest", each_of(grown, clients));
    Ok(outcome)
}
