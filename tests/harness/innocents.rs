//! Clients that do nothing wrong, beside an attack: how long they wait. The figures are printed, and are those of
//! docs/security.md; what is asserted is that each of them is served at all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use prost::Message as _;

use super::ads::{ASSIGNMENT, AdsClient, CLUSTER};

/// Streams that are opened, and changes that are followed, at the ordinary scale.
const INNOCENTS: usize = 20;
const WEB: &str = "outbound|80||web.shop.svc.cluster.local";
/// Most responses that are read until a change is among them.
const MAX_RESPONSES: usize = 1_000;

/// How many times as many attackers and innocents: `ISTHMUS_ATTACK_SCALE=10` is what docs/security.md shows.
pub fn attack_scale() -> usize {
    std::env::var("ISTHMUS_ATTACK_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Opens streams one after another, then makes changes to `shop/web` one after another, and prints how long each took.
/// `change` is given the number of endpoints that the service should have; it differs from one call to the next.
pub async fn innocents(xds: SocketAddr, beside: &str, mut change: impl FnMut(usize)) {
    let count = INNOCENTS * attack_scale();
    let mut fresh = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        AdsClient::open(xds).await.take("innocent", CLUSTER, &[], None).await;
        fresh.push(begun.elapsed());
    }
    let mut follower = AdsClient::open(xds).await;
    follower.take("innocent", ASSIGNMENT, &[WEB], None).await;
    let mut changed = Vec::new();
    for i in 0..count {
        let endpoints = 3 + i % 200;
        let begun = Instant::now();
        change(endpoints);
        follow(&mut follower, endpoints).await;
        changed.push(begun.elapsed());
    }
    eprintln!("beside {beside}: of {count} fresh streams {}, of {count} changes {}", spread(fresh), spread(changed));
}

/// Reads until the load assignment has so many endpoints.
async fn follow(client: &mut AdsClient, endpoints: usize) {
    for _ in 0..MAX_RESPONSES {
        let response = client.next(None).await;
        let found = response.resources.iter().filter_map(|resource| {
            let body = &resource.resource.as_ref()?.value;
            Some(ClusterLoadAssignment::decode(&body[..]).expect("a load assignment"))
        });
        let hosts = |load: ClusterLoadAssignment| load.endpoints.iter().map(|group| group.lb_endpoints.len()).sum();
        if found.map(hosts).any(|hosts: usize| hosts == endpoints) {
            return;
        }
    }
    panic!("{MAX_RESPONSES} responses and no load assignment with {endpoints} endpoints");
}

fn spread(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let (half, most, last) = (took[took.len() / 2], took[took.len() * 99 / 100], took[took.len() - 1]);
    format!("half took {half:.1?}, 99 % {most:.1?} and all {last:.1?} at most")
}
