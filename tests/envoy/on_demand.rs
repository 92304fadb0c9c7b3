//! A sidecar that uses few of many services: it holds what it uses and no more, what it does not use costs it nothing,
//! and whatever comes, goes and comes back in between, no request is lost.
//!
//! The ordinary run has a few hundred services. `ISTHMUS_SIDECAR_SERVICES=10000` measures a large federation; with
//! `--nocapture` the figures are printed.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{get, redirect, until};
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, netns};

const LIVE_LIMIT: Duration = Duration::from_secs(120);
const DEFAULT_SERVICES: usize = 300;
/// Services that the client calls.
const USED: usize = 20;
/// Services that are added one by one, to see what one costs.
const ADDED: usize = 10;
/// How long Envoy is watched doing nothing, to know what that costs.
const REST: Duration = Duration::from_secs(5);
/// How long something may be on its way to Envoy.
const SETTLE: Duration = Duration::from_secs(1);

#[test]
fn a_sidecar_holds_what_it_uses() {
    netns::isolated_without_clusters(async {
        let services = std::env::var("ISTHMUS_SIDECAR_SERVICES").ok().and_then(|text| text.parse().ok());
        let services: usize = services.unwrap_or(DEFAULT_SERVICES);
        let world = world(services);
        let mut plane = Isthmus::region_logging("eu", Source::Folder(world.path()), "info");
        plane.wait_ready().await;
        let spec = EnvoySpec::new("sidecar", "eu", "eu-a", plane.xds()).metadata("CLUSTER_ID", "eu-1");
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        let idle = envoy.resident_kib();
        redirect();
        let mut backends = Vec::new();
        for i in 0..USED {
            backends.push(Backend::start(SocketAddr::new(pod(i), 8080), &format!("pod-{i}")).await);
        }

        // What is used works at the first request, and nothing else is fetched.
        for i in 0..USED {
            let answer = get(vip(i), "whatever").await.expect("an answer");
            assert!(answer.ends_with(&format!("pod-{i}")), "{i}: {answer}");
        }
        assert_eq!(dynamic(&envoy).await, built_in_and(USED));
        let used = envoy.resident_kib();

        // A service more costs nothing, and its first use everything.
        let (rest, idling) = (Instant::now(), envoy.cpu());
        tokio::time::sleep(REST).await;
        let idling = (envoy.cpu() - idling).as_secs_f64() / rest.elapsed().as_secs_f64();
        let before = sent_bytes(&plane).await;
        let (began, spent) = (Instant::now(), envoy.cpu());
        for i in services..services + ADDED {
            let published = publications(&plane).await;
            replace(&member(world.path()), &format!("added-{i}.yaml"), &service(i, i % USED));
            eventually("the control plane serves the new service", SOON, async || {
                let now = publications(&plane).await;
                if now > published { Ok(()) } else { Err(now) }
            })
            .await;
        }
        // What was sent last may still be on its way.
        tokio::time::sleep(SETTLE).await;
        let bytes = (sent_bytes(&plane).await - before) / ADDED as f64;
        // Without what Envoy spends on nothing at all: it flushes its statistics every five seconds.
        let cpu = ((envoy.cpu() - spent).as_secs_f64() - idling * began.elapsed().as_secs_f64()).max(0.0);
        assert_eq!(dynamic(&envoy).await, built_in_and(USED));
        assert_eq!(bytes, 0.0, "bytes for each service added");
        eprintln!(
            "testbed: sidecar with {services} services known: {} MB idle, {} MB with {USED} used; {bytes:.0} bytes and {:.2} ms \
             of Envoy's CPU for each service added",
            idle / 1024,
            used / 1024,
            cpu * 1e3 / ADDED as f64
        );
        until(vip(services), "added", &format!("pod-{}", services % USED)).await;

        // What goes is missed at once (its VIP belongs to no service, and leads nowhere), and found again when it is back.
        let file = format!("added-{services}.yaml");
        std::fs::remove_file(member(world.path()).join(&file)).expect("remove a service");
        eventually("the service is gone", SOON, async || match get(vip(services), "added").await {
            Ok(answer) if answer.starts_with("HTTP/1.1 503") => Ok(()),
            Ok(other) | Err(other) => Err(other),
        })
        .await;
        replace(&member(world.path()), &file, &service(services, 3));
        until(vip(services), "added", "pod-3").await;

        // Traffic goes on while the control plane is down, and after it is back.
        plane.restart();
        for i in 0..USED {
            let answer = get(vip(i), "whatever").await.expect("an answer");
            assert!(answer.ends_with(&format!("pod-{i}")), "{i}: {answer}");
        }
        plane.wait_ready().await;
        let known = services + ADDED;
        replace(&member(world.path()), &format!("added-{known}.yaml"), &service(known, 5));
        until(vip(known), "added", "pod-5").await;
        let rejected = envoy.stats("").await;
        let rejected: Vec<_> =
            rejected.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
        assert!(rejected.is_empty(), "{rejected:?}\n{}", envoy.log_tail(20));

        // What is not federated passes, on a port that is.
        let local = Backend::start(SocketAddr::new(PRIVATE.into(), 80), "kube-proxy/private").await;
        let answer = get(SocketAddr::new(PRIVATE.into(), 80), "private").await.expect("an answer");
        assert!(answer.ends_with("kube-proxy/private") && !answer.contains("envoy"), "{answer}");
        assert_eq!(local.served(), 1);

        // A service that is not federated yet is passed through as well, until it is federated.
        let later = Backend::start(vip(LATER), "kube-proxy/later").await;
        let answer = get(vip(LATER), "later").await.expect("an answer");
        assert!(answer.ends_with("kube-proxy/later"), "{answer}");
        assert_eq!(later.served(), 1);
        replace(&member(world.path()), "later.yaml", &service(LATER, 7));
        until(vip(LATER), "later", "pod-7").await;
    });
}

/// What every sidecar holds beside the clusters it uses.
fn built_in_and(used: usize) -> usize {
    2 + used
}

/// The VIP of a service that is not federated.
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 100, 255, 1);
/// The service behind it: `vip` makes the next address of its number.
const LATER: usize = 0xff_01;

async fn dynamic(envoy: &Envoy) -> usize {
    envoy.clusters().await.values().filter(|cluster| cluster.dynamic).count()
}

async fn sent_bytes(plane: &Isthmus) -> f64 {
    plane.metrics().await.get("isthmus_xds_sent_bytes_total").copied().expect("a counter of bytes")
}

async fn publications(plane: &Isthmus) -> f64 {
    plane.metrics().await.get("isthmus_xds_published_total").copied().expect("a counter of snapshots")
}

fn vip(i: usize) -> SocketAddr {
    let [a, b] = u16::try_from(i + 1).expect("few enough").to_be_bytes();
    SocketAddr::from(([10, 100, a, b], 80))
}

fn pod(i: usize) -> IpAddr {
    IpAddr::from([10, 8, 0, u8::try_from(i + 1).expect("few enough")])
}

/// Services of one member, all federated but `private`.
fn world(services: usize) -> TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let hub = [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["10.8.0.0/16"], &["10.100.0.0/16"])];
    replace(world.path(), "hub.yaml", &hub.concat());
    let mut all = objects::namespace("shop");
    for i in 0..services {
        all.push_str(&service(i, i % USED));
    }
    let spec = format!("clusterIP: {PRIVATE}, ports: [{{name: http, port: 80}}]");
    all.push_str(&objects::service("shop", "private", "app: private", &spec));
    replace(&member(world.path()), "all.yaml", &all);
    world
}

/// Service `i`, served by one pod.
fn service(i: usize, by: usize) -> String {
    let name = format!("service-{i:05}");
    let spec = format!(
        "clusterIP: {}, selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]",
        vip(i).ip()
    );
    let mut text = objects::service("shop", &name, "isthmus.dev/federate: 'true'", &spec);
    write!(text, "{}", objects::slice("shop", &name, &[pod(by).to_string()], "eu-a")).expect("a string takes all");
    text
}

fn member(world: &Path) -> PathBuf {
    world.join("clusters/eu-1")
}
