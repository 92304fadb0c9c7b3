//! Clients of a region beside those that fill its log, its book of problems, or the port of its pages.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::world::{serve_with, world};
use crate::harness::ads::{ASSIGNMENT, AdsClient};
use crate::harness::{Isthmus, Source, attack_scale, innocents, objects};
use crate::testbed::{eventually, http};

/// Growth of the attacked process's memory, in KiB.
const GROWTH_KIB: u64 = 64 << 10;
const PAGE_LIMIT: Duration = Duration::from_secs(20);
/// 64 MiB of YAML in a debug build, at ten times the size.
const PARSED: Duration = Duration::from_secs(120);
const SILENT: usize = 200;
const REJECTED: usize = 400;
const LONG: usize = 16 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_served_beside_texts_and_requests_that_mean_harm() {
    let plain = world();
    let mut region = Isthmus::region("eu", Source::Folder(plain.path()));
    region.wait_ready().await;
    let change = |pods: usize| serve_with(plain.path(), "eu-1", pods);
    innocents(region.xds(), "nothing", change).await;
    let before = region.resident_kib();

    let (xds, admin) = (region.xds(), region.admin());
    let mut attackers = JoinSet::new();
    for number in 0..attack_scale() {
        attackers.spawn(async move {
            let mut loud = AdsClient::open_from(xds, [127, 0, 0, 2]).await;
            for name in 0.. {
                // Each name brings one answer to reject.
                let error = format!("{name} \u{1b}[2J\n{}", "x".repeat(4_000));
                loud.take(&format!("loud-{number}"), ASSIGNMENT, &[&format!("none-{}", name % 1_000)], Some(&error))
                    .await;
                loud.forget(ASSIGNMENT, &format!("none-{}", name % 1_000)).await;
            }
        });
    }
    innocents(xds, "clients that reject without pause, with long texts", change).await;
    attackers.shutdown().await;

    let mut silent = Vec::new();
    for round in 0..SILENT * attack_scale() {
        let mut connection = TcpStream::connect(admin).await.expect("connect");
        if round % 2 == 1 {
            // Half of a request is no request.
            let _ = connection.write_all(b"GET /debug/members HTTP/1.1\r\nhost: localhost\r\n").await;
        }
        silent.push(connection);
    }
    innocents(xds, "silent connections to the pages", change).await;
    drop(silent);

    // Each alike for longer than what is kept of it.
    let long = "n".repeat(LONG);
    for file in 0..attack_scale() {
        let broken = (0..REJECTED).map(|i| objects::federated("shop", &format!("{long}-{file}-{i}")));
        let path = plain.path().join(format!("clusters/eu-1/long-{file}.yaml"));
        std::fs::write(path, broken.collect::<String>()).expect("write");
    }
    let rejected = (REJECTED * attack_scale()) as f64;
    eventually("the rejected objects are read", PARSED, async || {
        let metrics = region.metrics().await;
        let found = metrics.get("isthmus_rejected_objects{origin=\"eu-1\"}").copied();
        if found == Some(rejected) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    innocents(xds, "rejected objects with long names", change).await;
    for _ in 0..8 * attack_scale() {
        attackers.spawn(async move {
            loop {
                let _ = http::get(admin, "localhost", "/debug/problems", PAGE_LIMIT).await;
            }
        });
    }
    innocents(xds, "the same, and pages that are asked for without pause", change).await;
    attackers.shutdown().await;
    let grown = region.resident_kib().saturating_sub(before);
    eprintln!("texts and pages: {grown} KiB more");
    assert!(grown <= GROWTH_KIB * attack_scale() as u64, "{grown} KiB more");
}
