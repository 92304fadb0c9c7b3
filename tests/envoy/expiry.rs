//! A proxy that set a time to live: it keeps what it has while the control plane is there, and lets go of it when the
//! control plane is gone for that long. It takes more than a minute, because Envoy's clock is the real one.

use std::time::Duration;

use tempfile::TempDir;

use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Envoy, EnvoySpec, eventually};

const TTL_SECONDS: u32 = 30;
/// More of them than come in that time.
const HEARTBEATS: f64 = 4.0;
/// For those, and for the end.
const LIMIT: Duration = Duration::from_secs(120);
const CLUSTER: &str = "outbound|80||web.shop.svc.cluster.local";

#[tokio::test(flavor = "multi_thread")]
async fn c42_what_no_heartbeat_confirms_expires() {
    let world = world();
    let mut plane = Isthmus::region_logging("eu", Source::Folder(world.path()), "info");
    plane.wait_ready().await;
    let spec = EnvoySpec::new("expiring", "eu", "eu-a", plane.xds()).metadata("LISTEN", "127.0.42.1");
    let envoy = Envoy::start(spec.metadata("TTL", TTL_SECONDS.to_string())).await;
    envoy.wait_live(LIMIT).await;
    let envoys = [envoy];

    let began = acks(&plane).await;
    eventually("several heartbeats", LIMIT, async || {
        for envoy in &envoys {
            has_everything(envoy).await.unwrap_or_else(|lost| panic!("{lost} is gone\n{}", envoy.log_tail(20)));
        }
        let acknowledged = acks(&plane).await - began;
        if acknowledged >= HEARTBEATS { Ok(()) } else { Err(format!("{acknowledged} so far")) }
    })
    .await;
    for envoy in &envoys {
        let stats = envoy.stats("").await;
        let bad: Vec<_> =
            stats.iter().filter(|(name, count)| name.ends_with("update_rejected") && **count > 0).collect();
        assert!(bad.is_empty(), "{bad:?}\n{}", envoy.log_tail(20));
    }

    plane.kill();
    for envoy in &envoys {
        eventually("what no heartbeat confirms is gone", LIMIT, async || match has_everything(envoy).await {
            Ok(()) => Err("all is there".to_owned()),
            Err(_) if !has_cluster(envoy).await && listeners(envoy).await == 0 => Ok(()),
            Err(lost) => Err(format!("{lost} is gone, but not the other")),
        })
        .await;
    }
    plane.restart();
    plane.wait_ready().await;
    for envoy in &envoys {
        eventually("and comes back", SOON, async || has_everything(envoy).await).await;
    }
}

async fn has_everything(envoy: &Envoy) -> Result<(), String> {
    match (envoy.hosts(CLUSTER).await.len(), listeners(envoy).await) {
        (0, _) => Err("the cluster".to_owned()),
        (_, 0) => Err("the listener".to_owned()),
        _ => Ok(()),
    }
}

async fn has_cluster(envoy: &Envoy) -> bool {
    envoy.clusters().await.contains_key(CLUSTER)
}

async fn listeners(envoy: &Envoy) -> u64 {
    let stats = envoy.stats("listener_manager.total_listeners_active").await;
    stats.values().copied().next().unwrap_or_else(|| panic!("no count of listeners"))
}

async fn acks(plane: &Isthmus) -> f64 {
    let name = "isthmus_xds_acks_total{type=\"cds\"}";
    plane.metrics().await.get(name).copied().unwrap_or_else(|| panic!("no {name}"))
}

fn world() -> TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let hub =
        [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["127.42.0.0/16"], &["10.42.0.0/16"])];
    replace(world.path(), "hub.yaml", &hub.concat());
    let slice = objects::slice("shop", "web", &["127.42.0.1".to_owned()], "eu-a");
    let web = objects::namespace("shop") + &objects::federated("shop", "web") + &slice;
    replace(&world.path().join("clusters/eu-1"), "web.yaml", &web);
    world
}
