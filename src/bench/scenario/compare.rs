//! Whether clients with a long history hold what fresh ones hold.

use std::time::Duration;

use regions::resource::ResourceType;

use super::super::args::Subscribe;
use super::super::bounds::FRESH_CLIENTS;
use super::super::client::{Counts, Holding};
use super::super::crowd::Crowd;
use super::super::error::BenchError;
use super::super::names::Names;
use super::testbed::Testbed;

const QUIET: Duration = Duration::from_secs(1);
/// Differences that are listed one by one.
const LISTED: usize = 20;

#[derive(Default)]
pub struct Compared {
    pub clients: u64,
    pub resources: u64,
    pub differences: u64,
    pub problems: Vec<String>,
}

/// Compares every client with a fresh one of the same class and subscription.
pub async fn with_fresh_clients(testbed: &Testbed<'_>) -> Result<Compared, BenchError> {
    let mut compared = Compared::default();
    let clients = testbed.plan.clients;
    // Clients that subscribe to everything hold the same as all others of their class.
    let groups: Vec<Vec<usize>> = match testbed.plan.subscribe {
        Subscribe::All => {
            let classes = testbed.plan.classes;
            (0..classes.min(clients)).map(|class| (class..clients).step_by(classes).collect()).collect()
        }
        Subscribe::OnDemand(_) => (0..clients).map(|client| vec![client]).collect(),
    };
    for chunk in groups.chunks(FRESH_CLIENTS) {
        let firsts = chunk.iter().filter_map(|group| testbed.profiles.get(*group.first()?));
        let mut fresh = Crowd::start(firsts, testbed.plane.address, &testbed.common, Counts::default());
        fresh.complete("fresh clients to compare with", testbed.plan.timeout).await?;
        fresh.silence(QUIET, testbed.plan.timeout).await?;
        for (i, group) in chunk.iter().enumerate() {
            let Some(right) = fresh.show(i).await else {
                compared.problems.push("a fresh client gave up".to_owned());
                continue;
            };
            for client in group {
                let shown = match &testbed.crowd {
                    Some(crowd) => crowd.show(*client).await,
                    None => None,
                };
                match shown {
                    Some(shown) => compare(&testbed.common.names, *client, &shown, &right, &mut compared),
                    None => compared.problems.push(format!("client {client} gave up")),
                }
            }
        }
        fresh.end().await;
    }
    Ok(compared)
}

fn compare(names: &Names, client: usize, shown: &Holding, right: &Holding, compared: &mut Compared) {
    compared.clients += 1;
    if shown.behind {
        compared.problems.push(format!("client {client} rejected something and did not reconnect"));
    }
    for resource_type in ResourceType::ALL {
        let (has, should) = (&shown.held[resource_type], &right.held[resource_type]);
        compared.resources += should.len() as u64;
        let differ = has.differences(should);
        compared.differences += differ.len() as u64;
        for (id, name) in differ.iter().zip(names.names(differ.iter().copied())) {
            if compared.problems.len() < LISTED {
                let version =
                    |version: Option<u64>| version.map_or_else(|| "nothing".to_owned(), |v| format!("{v:016x}"));
                let (has, should) = (version(has.get(*id)), version(should.get(*id)));
                let label = resource_type.label();
                compared.problems.push(format!("client {client}, {label} {name}: has {has}, a fresh one has {should}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_found_and_listed() {
        let names = Names::default();
        let ids = names.ids(["a", "b", "c"].into_iter());
        let holding = |pairs: &[(usize, u64)], behind| {
            let mut holding = Holding { held: Default::default(), behind };
            for (name, version) in pairs {
                holding.held[ResourceType::Assignment].put(ids[*name], *version);
            }
            holding
        };
        let right = holding(&[(0, 1), (1, 2)], false);
        let mut same = Compared::default();
        compare(&names, 7, &right.clone(), &right, &mut same);
        assert_eq!((same.clients, same.resources, same.differences, same.problems.len()), (1, 2, 0, 0));

        let mut other = Compared::default();
        compare(&names, 7, &holding(&[(0, 9), (2, 3)], true), &right, &mut other);
        assert_eq!((other.differences, other.problems.len()), (3, 4));
        assert_eq!(other.problems[1], "client 7, eds a: has 0000000000000009, a fresh one has 0000000000000001");
        assert!(
            other.problems.iter().any(|text| text.ends_with("eds b: has nothing, a fresh one has 0000000000000002"))
        );
        assert!(
            other.problems.iter().any(|text| text.contains("eds c: has 0000000000000003, a fresh one has nothing"))
        );
    }
}
