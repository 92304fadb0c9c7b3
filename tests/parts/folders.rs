//! A folder means what a cluster means: the same objects give the same values, and what the API server refuses of our own
//! kinds, a folder refuses too.

use std::fmt::Debug;
use std::path::Path;

use clusters::api;
use clusters::convert::Convert;
use clusters::sources::folder;
use federation::change::{Batch, Delta, HubChanges, MemberChanges};
use k8s_openapi::api::{core::v1 as core, discovery::v1 as discovery, networking::v1 as networking};
use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

use crate::testbed::{Cluster, ClusterSpec};

const HUB: &str = "
apiVersion: isthmus.dev/v1alpha1
kind: Region
metadata: {name: eu}
spec: {failover: [us, ap]}
---
apiVersion: isthmus.dev/v1alpha1
kind: MemberCluster
metadata: {name: eu-1}
spec:
  region: eu
  kubeconfigSecretRef: {name: eu-1}
  readKubeconfigSecretRef: {name: eu-1-reader}
  cidrs: {pods: [10.8.0.0/14, 'fd00:8::/32'], services: [10.96.0.0/16]}
  exports: {namespaces: [shop, 'team-*']}
  weight: 10000
---
apiVersion: isthmus.dev/v1alpha1
kind: FederationPolicy
metadata: {name: default}
spec:
  selects: {namespaces: {matchLabels: {}}}
  federate: All
  mirror: {endpointSlices: false, pruneNamespaces: true}
  reservedCidrs: [192.168.0.0/16]
  failover: {tiers: [Cluster, Zone, Any], clusters: [{name: us-1, weight: 20}], minHealthyPercent: 70}
  safety: {demoteAfter: 30s, withdrawAfter: Never, maxLossPercent: 50, lossWindow: 1m30s}
";

const MEMBER: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {isthmus.dev/federate: 'true'}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  selector: {app: web}
  sessionAffinity: ClientIP
  ports:
  - {name: http, port: 80, targetPort: web, appProtocol: kubernetes.io/h2c}
  - {name: dns, port: 53, protocol: UDP}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: out, namespace: shop}
spec: {type: ExternalName, externalName: example.org}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}, {name: dns, port: 53, protocol: UDP}]
endpoints:
- {addresses: [10.8.0.1], zone: eu-a}
- {addresses: [10.8.0.2], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [10.8.0.3], conditions: {ready: false}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {podCIDR: 10.8.0.0/24, podCIDRs: [10.8.0.0/24]}
";

/// Everything of a kind as the API server gives it, in the federation's words, sorted by key.
async fn from_cluster<K>(cluster: &Cluster) -> Vec<String>
where
    K: Convert + Clone + DeserializeOwned + Debug,
    K::Model: Debug,
{
    let list = Api::<K>::all(cluster.client()).list(&ListParams::default()).await.unwrap();
    let models = list.items.iter().map(|object| object.convert().unwrap().object);
    sorted(models.flatten().map(|model| format!("{model:#?}")))
}

fn full<T: federation::change::Object + Debug>(delta: &Delta<T>) -> Vec<String> {
    let Delta::Full { objects, rejected } = delta else { panic!("a folder begins with complete lists: {delta:?}") };
    assert!(rejected.is_empty(), "{rejected:?}");
    sorted(objects.iter().map(|object| format!("{object:#?}")))
}

fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<_> = texts.collect();
    texts.sort();
    texts
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_prints_means_the_same_as_the_cluster() {
    let cluster = Cluster::start(ClusterSpec::named("hub").without_controllers()).await;
    cluster.apply(&api::render_crds()).await;
    cluster.apply(HUB).await;
    cluster.apply(MEMBER).await;
    let folder = tempfile::tempdir().unwrap();
    let hub = cluster.kubectl(&["get", "regions,memberclusters,federationpolicies", "-o", "yaml"]).await;
    write(folder.path(), "hub.yaml", &hub);
    let kinds = "namespaces,services,endpointslices,nodes,servicecidrs";
    write(folder.path(), "clusters/eu-1/all.yaml", &cluster.kubectl(&["get", kinds, "-A", "-o", "yaml"]).await);

    let world = folder::load(folder.path()).unwrap();
    assert_eq!(world.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    let mut compared = 0;
    for batch in &world.batches {
        let (folder, server) = match batch {
            Batch::Hub(HubChanges::Regions(delta)) => (full(delta), from_cluster::<api::Region>(&cluster).await),
            Batch::Hub(HubChanges::Members(delta)) => (full(delta), from_cluster::<api::MemberCluster>(&cluster).await),
            Batch::Hub(HubChanges::Policies(delta)) => {
                (full(delta), from_cluster::<api::FederationPolicy>(&cluster).await)
            }
            Batch::Member { changes, .. } => match changes {
                MemberChanges::Link(_) | MemberChanges::Exports(_) | MemberChanges::Unreadable { .. } => continue,
                MemberChanges::Namespaces(delta) => (full(delta), from_cluster::<core::Namespace>(&cluster).await),
                MemberChanges::Services(delta) => (full(delta), from_cluster::<core::Service>(&cluster).await),
                MemberChanges::Slices(delta) => (full(delta), from_cluster::<discovery::EndpointSlice>(&cluster).await),
                MemberChanges::Nodes(delta) => (full(delta), from_cluster::<core::Node>(&cluster).await),
                MemberChanges::ServiceCidrs(delta) => {
                    (full(delta), from_cluster::<networking::ServiceCIDR>(&cluster).await)
                }
            },
        };
        assert_eq!(folder, server);
        assert!(!server.is_empty(), "nothing to compare in {batch:?}");
        compared += 1;
    }
    assert_eq!(compared, 8);
    let uid = cluster.uid().await;
    let up = world.batches.iter().find(|batch| matches!(batch, Batch::Member { changes: MemberChanges::Link(_), .. }));
    assert!(format!("{up:?}").contains(&uid), "the identity is that of the cluster: {up:?}");
}

/// One slip each, in an object that is good without it: kind, from, to.
const SLIPS: &[(&str, &str)] = &[
    ("failover: [us, ap]", "failover: [us, us]"),
    ("failover: [us, ap]", "failover: [US]"),
    ("metadata: {name: eu}", "metadata: {name: e.u}"),
    ("metadata: {name: eu-1}", "metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}"),
    ("  region: eu\n", ""),
    ("  region: eu\n", "  region: Eu\n"),
    ("pods: [10.8.0.0/14,", "pods: [10.8.1.0/14,"),
    ("pods: [10.8.0.0/14,", "pods: [10.8.0.0,"),
    ("'fd00:8::/32'", "'fd00:8::1/32'"),
    ("services: [10.96.0.0/16]", "services: []"),
    ("'team-*'", "'*-team'"),
    ("'team-*'", "'team-**'"),
    ("weight: 10000\n", "weight: 10001\n"),
    ("weight: 10000\n", "weight: 0\n"),
    ("weight: 10000\n", "weight: 10000\n  traffic: Stopped\n"),
    ("{matchLabels: {}}", "{matchLabels: {tier: gold}}"),
    ("federate: All", "federate: Some"),
    ("[192.168.0.0/16]", "[192.168.1.0/16]"),
    ("tiers: [Cluster, Zone, Any]", "tiers: []"),
    ("tiers: [Cluster, Zone, Any]", "tiers: [Zone, Zone]"),
    ("tiers: [Cluster, Zone, Any]", "tiers: [Planet]"),
    ("[{name: us-1, weight: 20}]", "[{name: us-1, weight: 20}, {name: us-1, weight: 21}]"),
    ("[{name: us-1, weight: 20}]", "[{name: us-1}]"),
    ("minHealthyPercent: 70", "minHealthyPercent: 101"),
    ("demoteAfter: 30s", "demoteAfter: 30"),
    ("withdrawAfter: Never", "withdrawAfter: never"),
    ("lossWindow: 1m30s", "lossWindow: 30s1m"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_refuses_a_folder_refuses_too() {
    let hub = Cluster::start(ClusterSpec::named("hub").without_controllers()).await;
    hub.apply(&api::render_crds()).await;
    hub.apply(HUB).await;
    for (from, to) in SLIPS {
        assert!(HUB.contains(from), "{from:?}");
        let bad = HUB.replacen(from, to, 1);
        assert!(hub.apply_or_refusal(&bad).await.is_err(), "the API server takes {to:?}");
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "hub.yaml", &bad);
        assert_eq!(folder::load(folder.path()).unwrap().problems.len(), 1, "a folder takes {to:?}");
    }
    // The region of a member cannot change; only the API server knows what it was.
    let moved = hub.apply_or_refusal(&HUB.replace("  region: eu\n", "  region: us\n")).await;
    assert!(moved.is_err_and(|error| error.contains("cannot be changed")));
}
