//! A member that has a Service of an exported name and does not export it: its clients keep its own pods, whatever proxy
//! they have, and marking it or taking the mark back loses no request.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::client::{get, redirect, until};
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, netns};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
/// Between requests of a client that never rests.
const PACE: Duration = Duration::from_millis(5);
const MAX_REQUESTS: usize = 20_000;
/// Where proxies that nothing is redirected to listen.
const EGRESS_PORT: u16 = 15_080;

const OF_EU: &str = "eu-1/web";
const OF_US: &str = "us-1/web";
/// kube-proxy leads to the member's own pods, and no proxy is asked.
const KUBE_PROXY: &str = "us-1/web by kube-proxy";
const VIP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 101, 0, 7)), 80);

#[test]
fn a_service_that_is_not_exported_keeps_its_clients() {
    netns::isolated_without_clusters(async {
        let world = world();
        let mut plane = Isthmus::region_logging("us", Source::Folder(world.path()), "info");
        plane.wait_ready().await;
        redirect();
        let _eu = Backend::start(at([10, 8, 0, 1], 8080), OF_EU).await;
        let _us = Backend::start(at([10, 9, 0, 1], 8080), OF_US).await;
        let _kube_proxy = Backend::start(VIP, KUBE_PROXY).await;

        let sidecar = |variant: &str| EnvoySpec::new(variant, "us", "us-a", plane.xds()).metadata("CLUSTER_ID", "us-1");
        let sidecars = [
            sidecar("on-demand"),
            sidecar("eager").metadata("CLUSTERS", "eager"),
            sidecar("sotw").state_of_the_world(),
        ];
        for spec in sidecars {
            let name = spec.node_id.clone();
            let envoy = Envoy::start(spec).await;
            envoy.wait_live(LIVE_LIMIT).await;
            // Another service of port 80 is federated, so that the port has a listener that must not take these in.
            until(at([10, 101, 0, 8], 80), "other.shop", OF_EU).await;
            let answer = until(VIP, "web.shop", KUBE_PROXY).await;
            assert!(!answer.contains("envoy"), "{name}: it passed untouched: {answer}");

            let restless = Restless::start();
            for _ in 0..2 {
                mark(&world, true);
                until(VIP, "web.shop", OF_US).await;
                mark(&world, false);
                until(VIP, "web.shop", KUBE_PROXY).await;
            }
            let answers = restless.stop().await;
            let failed: Vec<_> = answers.iter().filter(|answer| answer.is_err()).collect();
            assert!(failed.is_empty(), "{name}: {} of {}: {:?}", failed.len(), answers.len(), &failed[..1]);
            let foreign = answers.iter().flatten().filter(|body| *body == OF_EU).count();
            assert_eq!(foreign, 0, "{name}: with pods of its own zone, eu-1 is never asked");
            let stats = envoy.stats("").await;
            let rejected: Vec<_> =
                stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
            assert!(rejected.is_empty(), "{name}: {rejected:?}\n{}", envoy.log_tail(20));
        }
    });
}

#[test]
fn who_asks_by_name_in_that_member_gets_its_own_service_too() {
    netns::isolated_without_clusters(async {
        let world = world();
        let mut plane = Isthmus::region_logging("us", Source::Folder(world.path()), "info");
        plane.wait_ready().await;
        let _eu = Backend::start(at([10, 8, 0, 1], 8080), OF_EU).await;
        let _us = Backend::start(at([10, 9, 0, 1], 8080), OF_US).await;
        let _kube_proxy = Backend::start(VIP, KUBE_PROXY).await;

        let plain = |name: &str, last: u8| {
            let listen = Ipv4Addr::new(127, 0, 46, last);
            let spec = EnvoySpec::new(name, "us", "us-a", plane.xds()).metadata("INTERCEPTION_MODE", "NONE");
            (spec.metadata("LISTEN", listen.to_string()), SocketAddr::new(listen.into(), EGRESS_PORT))
        };
        let in_us = |(spec, at): (EnvoySpec, SocketAddr)| (spec.metadata("CLUSTER_ID", "us-1"), at);
        let with = |(spec, at): (EnvoySpec, SocketAddr), key: &str, value: &str| (spec.metadata(key, value), at);
        let sotw = |(spec, at): (EnvoySpec, SocketAddr)| (spec.state_of_the_world(), at);
        let proxies = [
            in_us(plain("eager", 1)),
            in_us(with(plain("on-demand", 2), "CLUSTERS", "on-demand")),
            in_us(with(plain("vhds", 3), "ROUTES", "on-demand")),
            in_us(with(plain("leds", 4), "ENDPOINTS", "single")),
            sotw(in_us(plain("sotw", 5))),
        ];
        let (elsewhere, anywhere) = plain("anywhere", 6);
        let mut envoys = Vec::new();
        for (spec, _) in proxies.iter().cloned().chain([(elsewhere, anywhere)]) {
            let envoy = Envoy::start(spec).await;
            envoy.wait_live(LIVE_LIMIT).await;
            envoys.push(envoy);
        }
        for (mark_it, expected) in [(false, KUBE_PROXY), (true, OF_US), (false, KUBE_PROXY)] {
            mark(&world, mark_it);
            for (spec, at) in &proxies {
                for host in ["web.shop", "web.shop.svc.cluster.local", "web.shop.svc:80"] {
                    is(&spec.node_id, *at, host, expected).await;
                }
                is(&spec.node_id, *at, "other.shop", OF_EU).await;
            }
        }
        // A client that does not state its member gets the merged service.
        is("anywhere", anywhere, "web.shop", OF_EU).await;
        // What is not there, or has no VIP, leads nowhere rather than to another member's pods.
        for own in [
            "ports: [{name: http, port: 81}], clusterIP: 10.101.0.7",
            "clusterIP: None, ports: [{name: http, port: 80}]",
        ] {
            replace(&member(&world, "us-1"), "web.yaml", &objects::service("shop", "web", "app: web", own));
            for (spec, at) in &proxies {
                eventually(&format!("{}: no endpoint of web with {own}", spec.node_id), SOON, async || {
                    match get(*at, "web.shop").await {
                        Ok(answer) if answer.starts_with("HTTP/1.1 503") => Ok(()),
                        Ok(other) | Err(other) => Err(other),
                    }
                })
                .await;
            }
        }
        std::fs::remove_file(member(&world, "us-1").join("web.yaml")).expect("remove the own Service");
        for (spec, at) in &proxies {
            is(&spec.node_id, *at, "web.shop", OF_EU).await;
        }
        for envoy in &envoys {
            let stats = envoy.stats("").await;
            let rejected: Vec<_> =
                stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
            assert!(rejected.is_empty(), "{rejected:?}\n{}", envoy.log_tail(20));
        }
    });
}

async fn is(proxy: &str, at: SocketAddr, host: &str, identity: &str) {
    eventually(&format!("{proxy}: {host} is {identity}"), SOON, async || match get(at, host).await {
        Ok(answer) if answer.ends_with(&format!("\r\n\r\n{identity}")) => Ok(()),
        Ok(other) | Err(other) => Err(other),
    })
    .await;
}

/// An intercepted client that asks for the VIP again and again; each answer's body, or what went wrong.
struct Restless {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Result<String, String>>>,
}

impl Restless {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut answers = Vec::new();
            while !stopped.load(Ordering::Relaxed) && answers.len() < MAX_REQUESTS {
                answers.push(match get(VIP, "web.shop").await {
                    Ok(answer) if answer.starts_with("HTTP/1.1 200") => {
                        Ok(answer.rsplit_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
                    }
                    Ok(other) | Err(other) => Err(other),
                });
                tokio::time::sleep(PACE).await;
            }
            answers
        });
        Self { stop, task }
    }

    async fn stop(self) -> Vec<Result<String, String>> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the client's task")
    }
}

/// `web` and `other` in eu-1, both exported; in us-1 a Service `web` of its own, and `other` as eu-1 has it.
fn world() -> TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let hub = [
        objects::region("eu", &["us"]),
        objects::region("us", &["eu"]),
        objects::member_cluster("eu-1", "eu", &["10.8.0.0/16"], &["10.100.0.0/16"]),
        objects::member_cluster("us-1", "us", &["10.9.0.0/16"], &["10.101.0.0/16"]),
    ];
    replace(world.path(), "hub.yaml", &hub.concat());
    let of_eu = |name: &str, ip: &str| {
        let slice = objects::slice("shop", name, &["10.8.0.1".to_owned()], "eu-a");
        objects::service("shop", name, "isthmus.dev/federate: 'true'", &spec(ip)) + &slice
    };
    let eu = objects::namespace("shop") + &of_eu("web", "10.100.0.7") + &of_eu("other", "10.100.0.8");
    replace(&member(&world, "eu-1"), "all.yaml", &eu);
    let other = objects::service("shop", "other", "isthmus.dev/federate: 'true'", &spec("10.101.0.8"));
    replace(&member(&world, "us-1"), "all.yaml", &(objects::namespace("shop") + &other));
    mark(&world, false);
    world
}

/// us-1's own `web`, exported or not.
fn mark(world: &TempDir, exported: bool) {
    let labels = if exported { "isthmus.dev/federate: 'true'" } else { "app: web" };
    let slice = objects::slice("shop", "web", &["10.9.0.1".to_owned()], "us-a");
    let all = objects::service("shop", "web", labels, &spec(&VIP.ip().to_string())) + &slice;
    replace(&member(world, "us-1"), "web.yaml", &all);
}

fn spec(ip: &str) -> String {
    format!("clusterIP: {ip}, selector: {{app: web}}, ports: [{{name: http, port: 80, targetPort: 8080}}]")
}

fn member(world: &TempDir, id: &str) -> PathBuf {
    world.path().join("clusters").join(id)
}

fn at(ip: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::from((ip, port))
}
