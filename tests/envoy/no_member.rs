//! Sidecars of a cluster that is no admitted member: their pods' connections pass through, nothing federated reaches them,
//! and they move over when the cluster becomes a member, and back when it is one no more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::client::{get, redirect, until};
use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects, run};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, netns};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
/// Between two calls of the steady client.
const PAUSE: Duration = Duration::from_millis(20);
/// A while in which the calls of the steady client have to go on working.
const STEADY: Duration = Duration::from_secs(2);
/// `shop/web` as the cluster's own DNS knows it. The backend there takes the place of its kube-proxy.
const VIP: &str = "10.109.0.1:80";
const POD: &str = "10.9.0.1";

fn hub(with: bool) -> String {
    let member = objects::member_cluster("eu-9", "eu", &["10.9.0.0/16"], &["10.109.0.0/16"]);
    objects::region("eu", &[])
        + &objects::member_cluster("eu-1", "eu", &["10.8.0.0/16"], &["10.108.0.0/16"])
        + if with { &member } else { "" }
}

fn web() -> String {
    let spec = "clusterIP: 10.109.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]";
    objects::namespace("shop")
        + &objects::service("shop", "web", "isthmus.dev/federate: 'true'", spec)
        + &objects::slice("shop", "web", &[POD.to_owned()], "eu-a")
}

#[test]
fn pods_of_a_cluster_that_is_no_member_keep_their_connections() {
    netns::isolated_without_clusters(async {
        let world = tempfile::tempdir().expect("a folder");
        replace(world.path(), "hub.yaml", &hub(false));
        replace(&world.path().join("clusters/eu-1"), "ns.yaml", &objects::namespace("shop"));
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        let vip: SocketAddr = VIP.parse().expect("an address");
        let _own = Backend::start(vip, "kube-proxy").await;
        let _pod = Backend::start(format!("{POD}:8080").parse().expect("an address"), "pod").await;
        let spec = EnvoySpec::new("stranger", "eu", "eu-a", plane.xds()).metadata("CLUSTER_ID", "eu-9");
        let envoy = Envoy::start(spec.metadata("CLUSTERS", "eager")).await;
        envoy.wait_live(LIVE_LIMIT).await;
        redirect();
        until(vip, "web.shop", "kube-proxy").await;
        let text = run(&["proxy", "--admin", &format!("http://{}", plane.admin())]).await;
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.contains("eu-9 (no member)"), "{text}");
        assert!(text.contains("stranger belongs to no admitted member") && text.contains("\"eu-9\""), "{text}");
        assert!(plane.log().contains("belongs to no admitted member"));
        let clusters = envoy.clusters().await;
        let dynamic: Vec<_> = clusters.iter().filter(|(_, found)| found.dynamic).map(|(name, _)| name).collect();
        assert_eq!(dynamic, ["BlackHoleCluster", "PassthroughCluster"], "and nothing federated");

        // It becomes a member: not one call is lost on the way in.
        let steady = Steady::start(vip);
        replace(&world.path().join("clusters/eu-9"), "web.yaml", &web());
        replace(world.path(), "hub.yaml", &hub(true));
        until(vip, "web.shop", "pod").await;
        tokio::time::sleep(STEADY).await;
        steady.stop().await;
        let text = run(&["proxy", "--admin", &format!("http://{}", plane.admin())]).await;
        assert!(!String::from_utf8_lossy(&text.stdout).contains("no admitted member"));

        // And is one no more.
        replace(world.path(), "hub.yaml", &hub(false));
        until(vip, "web.shop", "kube-proxy").await;
        eventually("nothing federated is left", SOON, async || {
            let clusters = envoy.clusters().await;
            let left: Vec<_> = clusters.into_iter().filter(|(_, found)| found.dynamic).map(|(name, _)| name).collect();
            if left == ["BlackHoleCluster", "PassthroughCluster"] { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    });
}

/// A client that calls all the time.
struct Steady {
    end: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Steady {
    fn start(to: SocketAddr) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ends = end.clone();
        let task = tokio::spawn(async move {
            let mut failed = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                match get(to, "web.shop").await {
                    Ok(answer) if answer.starts_with("HTTP/1.1 200") => {}
                    Ok(other) | Err(other) => failed.push(other),
                }
                tokio::time::sleep(PAUSE).await;
            }
            failed
        });
        Self { end, task }
    }

    async fn stop(self) {
        self.end.store(true, Ordering::Relaxed);
        let failed = self.task.await.expect("its calls");
        assert_eq!(failed, [""; 0], "calls that were lost");
    }
}
