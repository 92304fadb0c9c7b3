//! A proxy on the plain port that is sent no service before a client calls it: it finds each under every spelling of
//! its name, says "no" to what is not there, and notices what comes and goes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tempfile::TempDir;

use super::client::{call, get};
use super::plain;
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, eventually, netns};

/// Services that no client calls.
const UNUSED: usize = 200;

#[test]
fn c45_virtual_hosts_are_fetched_when_they_are_used() {
    netns::isolated_without_clusters(async {
        let world = world();
        let mut plane = Isthmus::region_logging("eu", Source::Folder(world.path()), "info");
        plane.wait_ready().await;
        let web = Backend::start(SocketAddr::new(pod(1).into(), 8080), "web").await;
        let _late = Backend::start(SocketAddr::new(pod(2).into(), 8080), "late").await;
        // Every cluster, and clusters on demand.
        let envoys = [start(&plane, "eager", 1).await, start(&plane, "on-demand", 2).await];
        for (envoy, at) in &envoys {
            assert_eq!(virtual_hosts(envoy).await, 0);
            for host in ["web.shop", "web.shop.svc", "web.shop.svc.cluster.local", "WEB.shop", "web.shop.:80"] {
                answers(*at, host, "web").await;
            }
            for host in ["web.shop:80", "web.shop.svc:80", "web.shop.svc.cluster.local:80"] {
                let body =
                    format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody");
                let answer = call(*at, &body).await.expect("an answer");
                assert!(answer.ends_with("\r\n\r\nweb"), "{host}, with a body: {answer}");
            }
            for host in ["web", "web.shop:81", "absent.shop", "example.com", "10.8.0.1:8080"] {
                let answer = get(*at, host).await.expect("an answer");
                assert!(answer.starts_with("HTTP/1.1 404"), "{host}: {answer}");
            }
            assert_eq!(virtual_hosts(envoy).await, 6, "those that were used and are there");
        }

        // What is asked for in vain is there as soon as it is born, and gone as soon as it is gone.
        for round in 0..2 {
            for (_, at) in &envoys {
                let answer = get(*at, "late.shop").await.expect("an answer");
                assert!(answer.starts_with("HTTP/1.1 404"), "round {round}: {answer}");
            }
            replace(&cluster(&world), "late.yaml", &service("late", 2));
            for (_, at) in &envoys {
                eventually("the service is born", SOON, async || is(*at, "late.shop", "late").await).await;
            }
            std::fs::remove_file(cluster(&world).join("late.yaml")).expect("remove a service");
            for (_, at) in &envoys {
                let gone = async || match get(*at, "late.shop").await {
                    Ok(answer) if answer.starts_with("HTTP/1.1 404") => Ok(()),
                    Ok(other) | Err(other) => Err(other),
                };
                eventually("the service is gone", SOON, gone).await;
            }
        }

        // A service that no client calls costs nothing but its cluster, on demand not even that.
        let before = responses(&plane).await;
        replace(&cluster(&world), "unused-more.yaml", &service("unused-more", 1));
        plane.has_service("shop/unused-more", &["eu-1"], 1).await;
        for (_, at) in &envoys {
            answers(*at, "web.shop", "web").await;
        }
        assert_eq!(responses(&plane).await, before);

        // Traffic goes on while the control plane is down; and it is found again.
        plane.restart();
        for (_, at) in &envoys {
            answers(*at, "web.shop", "web").await;
        }
        plane.wait_ready().await;
        replace(&cluster(&world), "late.yaml", &service("late", 2));
        for (envoy, at) in &envoys {
            eventually("a service that is new after that", SOON, async || is(*at, "late.shop.svc", "late").await).await;
            eventually("and one that was missed before", SOON, async || is(*at, "late.shop", "late").await).await;
            let bad = envoy.stats("").await;
            let bad: Vec<_> = bad
                .iter()
                .filter(|(name, count)| {
                    (name.ends_with("update_rejected") || name.ends_with("init_fetch_timeout")) && **count > 0
                })
                .collect();
            assert!(bad.is_empty(), "{bad:?}\n{}", envoy.log_tail(20));
        }
        assert!(web.served() > 0);
    });
}

async fn start(plane: &Isthmus, clusters: &str, last: u8) -> (Envoy, SocketAddr) {
    plain::start(plane, clusters, Ipv4Addr::new(127, 0, 45, last), ("ROUTES", "on-demand")).await
}

async fn is(at: SocketAddr, host: &str, identity: &str) -> Result<(), String> {
    let answer = get(at, host).await?;
    if answer.ends_with(&format!("\r\n\r\n{identity}")) { Ok(()) } else { Err(answer) }
}

/// At the first request.
async fn answers(at: SocketAddr, host: &str, identity: &str) {
    is(at, host, identity).await.unwrap_or_else(|error| panic!("{host}: {error}"));
}

async fn virtual_hosts(envoy: &Envoy) -> usize {
    let dump = envoy.config_dump().await;
    let sections = dump["configs"].as_array().into_iter().flatten();
    let tables = sections.filter_map(|section| section["dynamic_route_configs"].as_array()).flatten();
    let hosts = tables.filter_map(|table| table["route_config"]["virtual_hosts"].as_array());
    hosts.map(Vec::len).sum()
}

/// Responses about virtual hosts.
async fn responses(plane: &Isthmus) -> f64 {
    let name = "isthmus_xds_responses_total{type=\"vhds\"}";
    plane.metrics().await.get(name).copied().unwrap_or_else(|| panic!("no {name}"))
}

fn pod(i: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 8, 0, i)
}

fn world() -> TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let hub = [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["10.8.0.0/16"], &["10.100.0.0/16"])];
    replace(world.path(), "hub.yaml", &hub.concat());
    let mut all = objects::namespace("shop") + &service("web", 1);
    (0..UNUSED).for_each(|i| all.push_str(&service(&format!("unused-{i}"), 1)));
    replace(&cluster(&world), "all.yaml", &all);
    world
}

fn service(name: &str, by: u8) -> String {
    objects::federated("shop", name) + &objects::slice("shop", name, &[pod(by).to_string()], "eu-a")
}

fn cluster(world: &TempDir) -> PathBuf {
    world.path().join("clusters/eu-1")
}
