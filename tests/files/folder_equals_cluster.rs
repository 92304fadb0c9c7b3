//! What `kubectl get -o yaml` prints of a federation, put into a folder, is served byte for byte like the federation
//! itself.

use std::path::Path;

use super::ads::{self, ASSIGNMENT, CLUSTER, LISTENER, Resources, SCOPE};
use crate::harness::files::replace;
use crate::harness::{Federation, Isthmus, SOON, Source, objects};
use crate::testbed::eventually;

const IDS: [&str; 3] = ["eu-1", "us-1", "ap-1"];
const HUB_KINDS: &str = "regions.isthmus.dev,memberclusters.isthmus.dev,federationpolicies.isthmus.dev";
const MEMBER_KINDS: &str = "namespaces,services,endpointslices.discovery.k8s.io,nodes,servicecidrs.networking.k8s.io";
const POLICY: &str = "---\napiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {name: default}\n\
                      spec: {federate: Marked, reservedCidrs: [192.168.0.0/16]}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_a_federation_serves_the_same_bytes() {
    let federation = Federation::start(&IDS).await;
    federation.add_regions().await;
    federation.hub.apply(POLICY).await;
    for id in IDS {
        federation.join(id).await;
    }
    let controller = federation.controller().await;
    federation.all_ready().await;
    objects_of_all_kinds(&federation).await;

    let mut cluster = federation.region("eu").await;
    // All mirrors must exist, or the dump would be of a federation that still changes.
    for id in IDS {
        for name in ["web", "api", "db"] {
            federation.member(id).until_service("shop", name, "is there", |_| true).await;
        }
    }
    cluster.has_service("shop/web", &["ap-1", "eu-1", "us-1"], 6).await;
    cluster.has_service("shop/db", &["us-1"], 2).await;

    let world = tempfile::tempdir().unwrap();
    dump(&federation, world.path()).await;
    let mut folder = Isthmus::region("eu", Source::Folder(world.path()));
    folder.wait_ready().await;
    let nodes = [
        ads::node("eu", "eu-a", Some("eu-1")),
        ads::node("eu", "eu-b", None),
        ads::node("us", "us-a", Some("us-1")),
        ads::node("ap", "", Some("ap-1")),
    ];
    for node in &nodes {
        let (from_cluster, count) = equal(&cluster, &folder, node).await;
        eprintln!("testbed: folder equals cluster: {}: {count} resources", node.id);
        // The one without a member is no sidecar: its routes are found by scopes, not by listeners.
        let routes = if node.id == "eu-eu-b" { SCOPE } else { LISTENER };
        for kind in [CLUSTER, ASSIGNMENT, LISTENER, routes] {
            assert!(from_cluster.keys().any(|(found, _)| *found == kind), "{}: no {kind}", node.id);
        }
    }

    // And it stays so when both change.
    federation.member("us-1").serve("shop", "web", 5).await;
    federation.member("eu-1").withdraw("shop", "api").await;
    cluster.has_service("shop/web", &["ap-1", "eu-1", "us-1"], 9).await;
    federation.member("us-1").until_gone("shop", "api").await;
    dump(&federation, world.path()).await;
    folder.has_service("shop/web", &["ap-1", "eu-1", "us-1"], 9).await;
    for node in &nodes {
        equal(&cluster, &folder, node).await;
    }
    cluster.must_run();
    folder.must_run();
    drop(controller);
}

/// Waits until both serve the same; what they serve.
async fn equal(
    cluster: &Isthmus,
    folder: &Isthmus,
    node: &envoy_types::pb::envoy::config::core::v3::Node,
) -> (Resources, usize) {
    eventually(&format!("{}: folder and cluster serve the same", node.id), SOON, async || {
        let (left, right) = futures::join!(ads::everything(cluster.xds(), node), ads::everything(folder.xds(), node));
        let names = left.keys().chain(right.keys());
        let differing: Vec<_> = names.filter(|name| left.get(*name) != right.get(*name)).collect();
        if differing.is_empty() { Ok((left.clone(), left.len())) } else { Err(format!("{differing:?}")) }
    })
    .await
}

async fn objects_of_all_kinds(federation: &Federation) {
    for id in IDS {
        let member = federation.member(id);
        member.serve("shop", "web", 2).await;
        member
            .cluster
            .apply(&objects::node(&format!("node-{id}"), &format!("{}-a", member.region), "10.50.0.0/24"))
            .await;
    }
    federation.member("eu-1").serve("shop", "api", 1).await;
    federation.member("us-1").serve("shop", "db", 2).await;
    // A port that is not HTTP, and one with a name and number that Kubernetes chose.
    let mark = "isthmus.dev/federate: 'true'";
    let ports = "ports: [{name: tcp, port: 5432}, {name: grpc, port: 9000, appProtocol: grpc}]";
    federation.member("ap-1").cluster.apply(&objects::service("shop", "mixed", mark, ports)).await;
    federation.member("eu-1").until_service("shop", "mixed", "is there", |_| true).await;
    federation.member("us-1").until_service("shop", "mixed", "is there", |_| true).await;
}

/// Everything a user would dump, each cluster in one file that appears whole.
async fn dump(federation: &Federation, world: &Path) {
    replace(world, "hub.yaml", &federation.hub.kubectl(&["get", HUB_KINDS, "-o", "yaml"]).await);
    for id in IDS {
        let folder = world.join("clusters").join(id);
        let all = federation.member(id).cluster.kubectl(&["get", "-A", MEMBER_KINDS, "-o", "yaml"]).await;
        replace(&folder, "all.yaml", &all);
    }
}
