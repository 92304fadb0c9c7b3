//! Two replicas of a control plane are replaced one after the other, as a Deployment does it, while a client calls.

use std::time::Duration;

use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, Traffic, eventually};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
const HOST: &str = "web.shop";
const PER_SECOND: u32 = 100;
const POD: &str = "127.8.39.1";
const LISTEN: &str = "127.0.39.1";

#[tokio::test(flavor = "multi_thread")]
async fn c39_no_request_fails_while_replicas_are_replaced() {
    let world = tempfile::tempdir().unwrap();
    replace(world.path(), "hub.yaml", &hub());
    replace(&world.path().join("clusters/eu-1"), "web.yaml", &web());
    let mut replicas = [(); 2].map(|()| Isthmus::region("eu", Source::Folder(world.path())));
    for replica in &mut replicas {
        replica.wait_ready().await;
    }
    let mut spec = EnvoySpec::new("rolled", "eu", "eu-a", replicas[0].xds());
    spec.xds = replicas.iter().map(Isthmus::xds).collect();
    let spec = spec.metadata("CLUSTER_ID", "eu-1").metadata("LISTEN", LISTEN).metadata("INTERCEPTION_MODE", "NONE");
    let envoy = Envoy::start(spec).await;
    envoy.wait_live(LIVE_LIMIT).await;
    let _backend = Backend::start(format!("{POD}:8080").parse().unwrap(), "pod").await;
    let traffic = Traffic::start(format!("{LISTEN}:15080").parse().unwrap(), HOST, PER_SECOND);
    eventually("traffic flows", SOON, async || {
        let answered = traffic.so_far().samples.iter().filter(|sample| sample.outcome.is_ok()).count();
        if answered > 50 { Ok(()) } else { Err(answered) }
    })
    .await;
    let warm = traffic.so_far().samples.len();
    let before = envoy.stats("cluster_manager.").await;

    for replica in &mut replicas {
        replica.roll().await;
        eventually("the proxy is connected", SOON, async || {
            let connected = envoy.stats("control_plane.connected_state").await;
            if connected.values().all(|state| *state == 1) { Ok(()) } else { Err(format!("{connected:?}")) }
        })
        .await;
    }

    let record = traffic.stop().await;
    let failed: Vec<_> = record.samples.iter().skip(warm).filter(|sample| sample.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", envoy.log_tail(20));
    let after = envoy.stats("cluster_manager.").await;
    for counter in ["cluster_manager.cluster_removed", "cluster_manager.cluster_modified"] {
        assert_eq!(before[counter], after[counter], "{counter}: a restart resends nothing and takes nothing away");
    }
}

fn hub() -> String {
    [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["127.8.0.0/16"], &["10.100.0.0/16"])].concat()
}

fn web() -> String {
    [
        objects::namespace("shop"),
        objects::federated("shop", "web"),
        objects::slice("shop", "web", &[POD.to_owned()], "eu-a"),
    ]
    .concat()
}
