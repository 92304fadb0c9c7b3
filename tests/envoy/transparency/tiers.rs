//! Several tiers are dead and still listed as healthy: every one is tried, and an answer comes from the first that lives.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stage::{HOME, HOST, HTTP, Stage, Tier, Way, vanish};
use crate::testbed::{Backend, netns};

const fn tier(member: &'static str, region: &'static str, zone: &'static str, net: (u8, u8)) -> Tier {
    Tier { member, region, zone, net, pods: 2 }
}

/// Nearest first: own zone, own region, and the others by their names.
const TIERS: [Tier; 8] = [
    Tier { pods: 2, ..HOME },
    tier("eu-1", "eu", "eu-b", (8, 1)),
    tier("af-1", "r1", "af", (9, 0)),
    tier("ap-1", "r2", "ap", (10, 0)),
    tier("au-1", "r3", "au", (11, 0)),
    tier("me-1", "r4", "me", (12, 0)),
    tier("sa-1", "r5", "sa", (13, 0)),
    tier("us-1", "r6", "us", (14, 0)),
];
const REQUESTS: usize = 20;
/// Of one answer, whatever is dead.
const LIMIT: Duration = Duration::from_secs(40);

#[test]
fn every_tier_that_refuses_is_passed() {
    netns::isolated_without_clusters(async {
        // A place that listens lives, so the farthest comes first.
        let (slowest, stage) = farthest_first("refusing", &[8, 6, 5, 4, 3, 2, 1]).await;
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
        stage.nothing_was_rejected().await;
    });
}

#[test]
fn every_tier_that_is_silent_is_passed() {
    netns::isolated_without_clusters(async {
        for dead in &TIERS[..5] {
            vanish(&format!("10.{}.{}.0/24", dead.net.0, dead.net.1));
        }
        let (slowest, _stage) = farthest_first("silent", &[6]).await;
        assert!(slowest < Duration::from_secs(20), "{slowest:?}");
    });
}

async fn farthest_first(what: &str, lives: &[usize]) -> (Duration, Stage) {
    let stage = Stage::start("on-demand", &TIERS).await;
    let mut slowest = Duration::ZERO;
    let mut backends = Vec::new();
    for number in lives {
        let tier = TIERS[number - 1];
        for address in tier.addresses(HTTP.1) {
            backends.push(Backend::start(address, tier.zone).await);
        }
        for way in [Way::Sidecar, Way::Egress] {
            let calls = (0..REQUESTS).map(|_| get(&stage, way));
            let answers = futures::future::join_all(calls).await;
            let took = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
            for (answer, took) in &answers {
                assert!(
                    answer.ends_with(&format!("\r\n\r\n{}", tier.zone)),
                    "{way:?} tier {number}, {took:?}: {answer}"
                );
            }
            eprintln!(
                "testbed: first {} of {} tiers {what}, {way:?}: answered within {took:.2?}",
                number - 1,
                TIERS.len()
            );
            slowest = slowest.max(took);
        }
    }
    (slowest, stage)
}

async fn get(stage: &Stage, way: Way) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = stage.dial(way, HTTP).await;
    let exchange = async {
        stream.write_all(format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    let answer: std::io::Result<String> = tokio::time::timeout(LIMIT, exchange).await.expect("an answer in time");
    (answer.unwrap_or_else(|error| error.to_string()), begun.elapsed())
}
