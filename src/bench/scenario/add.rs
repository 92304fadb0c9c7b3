//! One service is added until each client has its endpoints, and removed again. With clusters on demand no client receives a
//! service before using it, and that cost is what is measured.

use regions::resource::ResourceType;

use super::super::args::Subscribe;
use super::super::error::BenchError;
use super::super::percentiles::Percentiles;
use super::super::protocol::Command;
use super::super::report::{Outcome, Value};
use super::meter::{each, each_of};
use super::testbed::Testbed;

const ROUNDS: usize = 5;

pub async fn play(testbed: &mut Testbed<'_>) -> Result<Outcome, BenchError> {
    testbed.crowd().await?;
    let clients = testbed.plan.clients;
    let is_received = testbed.plan.subscribe == Subscribe::All;
    let (mut last, mut gone, mut cpu, mut bytes, mut messages) = (Vec::new(), Vec::new(), Vec::new(), 0, 0);
    for _ in 0..ROUNDS {
        let service = testbed.newcomer()?;
        let (add, remove) = (Command::Add { service }, Command::Remove { service });
        let meter = testbed.meter().await?;
        if is_received {
            last.push(testbed.change(add, testbed.endpoint(service, 0), clients).await?.1);
        } else {
            testbed.plane.execute(add).await?;
        }
        let used = testbed.used(&meter).await?;
        cpu.push(used.server_cpu);
        bytes += used.bytes;
        messages += used.messages;
        if is_received {
            let cluster = testbed.service(ResourceType::Cluster, service);
            gone.push(testbed.change(remove, cluster, clients).await?.1);
        } else {
            testbed.plane.execute(remove).await?;
        }
        testbed.give_back(service);
    }
    let mut outcome = Outcome::new("add");
    let figures = &mut outcome.figures;
    figures.count("rounds", "services added, one after another", ROUNDS as u64);
    if is_received {
        figures.spread("last", "added to last client that has it", &last.into_iter().collect::<Percentiles>());
        figures.spread("removed", "removed to last client that dropped it", &gone.into_iter().collect::<Percentiles>());
    }
    figures.time("server_cpu_per_add", "server CPU per addition, ACKs included", each(cpu.iter().sum(), ROUNDS));
    figures.bytes("per_client_bytes", "received by each client per addition", each_of(bytes, ROUNDS * clients));
    let each = Value::Number(messages as f64 / (ROUNDS * clients) as f64);
    figures.add("per_client_messages", "messages to each client per addition", each);
    Ok(outcome)
}
