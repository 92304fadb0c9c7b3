//! All clients lose their connections at once and reconnect, naming what they have. Nothing changed meanwhile, so nothing has
//! to be sent again.

use std::time::Duration;

use regions::session::Variant;

use super::super::error::BenchError;
use super::super::protocol::now_ns;
use super::super::report::Outcome;
use super::meter::each_of;
use super::testbed::Testbed;

pub async fn play(testbed: &mut Testbed<'_>) -> Result<Outcome, BenchError> {
    testbed.crowd().await?;
    let meter = testbed.meter().await?;
    testbed.plane.process.forget_peak();
    let patience = testbed.plan.timeout;
    let crowd = testbed.connected()?;
    let began_ns = now_ns();
    crowd.reconnect().await;
    let at = crowd.complete("clients that are served again", patience).await?;
    let clients = crowd.len();
    let used = testbed.used(&meter).await?;
    let memory = testbed.plane.process.memory()?;

    let times = at.into_iter().map(|at_ns| Duration::from_nanos(at_ns.saturating_sub(began_ns))).collect();
    let mut outcome = Outcome::new("resume");
    let figures = &mut outcome.figures;
    figures.count("clients", "clients", clients as u64);
    figures.spread("served", "dropped to served again", &times);
    figures.time("server_cpu", "server CPU", used.server_cpu);
    figures.time("client_cpu", "CPU of all clients", used.client_cpu);
    figures.count("resources_sent_again", "resources sent again", used.resources_sent);
    figures.bytes("per_client_received_bytes", "received by each", each_of(used.bytes, clients));
    figures.bytes("after_bytes", "resident after", memory.resident);
    figures.bytes("peak_bytes", "resident at the peak", memory.peak);
    // In state of the world a client cannot say what it has.
    if testbed.plan.variant == Variant::Delta && used.resources_sent > 0 {
        let text = format!("{} resources were sent to clients that had them; expected none", used.resources_sent);
        outcome.problems.push(text);
    }
    Ok(outcome)
}
