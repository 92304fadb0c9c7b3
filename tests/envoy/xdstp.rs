//! A proxy whose own configuration refers to services by names with an authority (xRFC TP1): load assignment, route table
//! and cluster are what the plain names lead to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::call;
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, netns};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
const MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/// Of the listeners in the bootstrap.
const PORTS: [u16; 3] = [20_001, 20_002, 20_003];

#[test]
fn c44_what_names_with_an_authority_lead_to() {
    netns::isolated_without_clusters(async {
        let world = tempfile::tempdir().expect("a folder");
        let hub =
            [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["10.8.0.0/16"], &["10.100.0.0/16"])];
        replace(world.path(), "hub.yaml", &hub.concat());
        replace(&cluster(&world), "web.yaml", &web(1));
        let mut plane = Isthmus::region_logging("eu", Source::Folder(world.path()), "info");
        plane.wait_ready().await;
        let _backends = [
            Backend::start(SocketAddr::new(pod(1).into(), 8080), "first").await,
            Backend::start(SocketAddr::new(pod(2).into(), 8080), "second").await,
        ];
        let envoys = [start(&plane, true).await, start(&plane, false).await];
        for (round, identity) in ["first", "second"].into_iter().enumerate() {
            replace(&cluster(&world), "web.yaml", &web(u8::try_from(round + 1).expect("few")));
            for (envoy, ports, listen) in &envoys {
                for port in *ports {
                    let at = SocketAddr::new((*listen).into(), *port);
                    eventually(&format!("{identity} answers at {at}"), SOON, async || is(at, identity).await).await;
                }
                nothing_went_wrong(envoy).await;
            }
        }
    });
}

/// Delta with clusters on demand, or state of the world with all clusters.
async fn start(plane: &Isthmus, delta: bool) -> (Envoy, &'static [u16], Ipv4Addr) {
    let listen = Ipv4Addr::new(127, 0, 44, if delta { 1 } else { 2 });
    // Asking for a single cluster is a matter of delta.
    let ports = if delta { &PORTS[..] } else { &PORTS[..2] };
    let mut spec = EnvoySpec::new(if delta { "delta" } else { "sotw" }, "eu", "eu-a", plane.xds())
        .metadata("LISTEN", listen.to_string())
        .metadata("CLUSTERS", if delta { "on-demand" } else { "eager" });
    if !delta {
        spec = spec.state_of_the_world();
    }
    let ads = json!({"ads": {}, "resource_api_version": "V3"});
    let assignment = xdstp("envoy.config.endpoint.v3.ClusterLoadAssignment");
    let mine = json!([{
        "name": "mine", "type": "EDS", "connect_timeout": "1s",
        "eds_cluster_config": {"service_name": assignment, "eds_config": ads},
    }]);
    let table =
        json!({"rds": {"route_config_name": xdstp("envoy.config.route.v3.RouteConfiguration"), "config_source": ads}});
    let managers = [to("mine"), table, to(&xdstp("envoy.config.cluster.v3.Cluster"))];
    let listeners: Vec<Value> =
        managers.into_iter().zip(ports).map(|(manager, port)| listener(listen, *port, manager, delta)).collect();
    spec.static_clusters = Some(mine.to_string());
    spec.static_listeners = Some(Value::from(listeners).to_string());
    let envoy = Envoy::start(spec).await;
    envoy.wait_live(LIVE_LIMIT).await;
    (envoy, ports, listen)
}

fn xdstp(resource_type: &str) -> String {
    format!("xdstp://eu/{resource_type}/outbound|80||web.shop.svc.cluster.local")
}

fn to(cluster: &str) -> Value {
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": cluster}});
    json!({"route_config": {"validate_clusters": false, "virtual_hosts": [{"name": "any", "domains": ["*"], "routes": [route]}]}})
}

fn listener(listen: Ipv4Addr, port: u16, mut manager: Value, on_demand: bool) -> Value {
    let filter = |name: &str, kind: &str, config: Value| {
        let mut config = config;
        config["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.http.{kind}"));
        json!({"name": format!("envoy.filters.http.{name}"), "typed_config": config})
    };
    let odcds = json!({"odcds": {"source": {"ads": {}, "resource_api_version": "V3"}, "timeout": "3s"}});
    let mut filters = vec![filter("router", "router.v3.Router", json!({}))];
    if on_demand {
        filters.insert(0, filter("on_demand", "on_demand.v3.OnDemand", odcds));
    }
    manager["@type"] = json!(format!("type.googleapis.com/{MANAGER}"));
    manager["stat_prefix"] = json!(port.to_string());
    manager["http_filters"] = json!(filters);
    json!({
        "name": port.to_string(),
        "address": {"socket_address": {"address": listen.to_string(), "port_value": port}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    })
}

async fn is(at: SocketAddr, identity: &str) -> Result<(), String> {
    let answer = call(at, "GET / HTTP/1.1\r\nhost: any\r\nconnection: close\r\n\r\n").await?;
    if answer.ends_with(&format!("\r\n\r\n{identity}")) { Ok(()) } else { Err(answer) }
}

async fn nothing_went_wrong(envoy: &Envoy) {
    let stats = envoy.stats("").await;
    let bad = |name: &str| name.ends_with("update_rejected") || name.ends_with("init_fetch_timeout");
    let bad: Vec<_> = stats.iter().filter(|(name, count)| bad(name) && **count > 0).collect();
    assert!(bad.is_empty(), "{bad:?}\n{}", envoy.log_tail(20));
}

fn pod(i: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 8, 0, i)
}

fn web(by: u8) -> String {
    let slice = objects::slice("shop", "web", &[pod(by).to_string()], "eu-a");
    objects::namespace("shop") + &objects::federated("shop", "web") + &slice
}

fn cluster(world: &TempDir) -> PathBuf {
    world.path().join("clusters/eu-1")
}
