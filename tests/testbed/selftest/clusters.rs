//! Clusters: start, tools, rights, failure.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::{Api, Client};

use crate::testbed::{Cluster, ClusterSpec, client_of, config_of, eventually, rule};

const LIMIT: Duration = Duration::from_secs(30);
/// Several times what a quiet machine of two cores needs.
const FOUR_CLUSTERS_LIMIT: Duration = Duration::from_secs(60);

const CONFIG_MAP: &str = "
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept}
data: {answer: '42'}
";

async fn service_cidrs(cluster: &Cluster) -> Vec<String> {
    let api = Api::<ServiceCIDR>::all(cluster.client());
    eventually("ServiceCIDR kubernetes is ready", LIMIT, async || {
        let object = api.get("kubernetes").await.map_err(|error| error.to_string())?;
        let conditions = object.status.and_then(|status| status.conditions).unwrap_or_default();
        if !conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
            return Err(format!("{conditions:?}"));
        }
        object.spec.map(|spec| spec.cidrs.unwrap_or_default()).ok_or("no spec".to_owned())
    })
    .await
}

#[tokio::test]
async fn a_cluster_is_a_real_one() {
    let cluster = Cluster::start(ClusterSpec::named("one")).await;
    eprintln!("testbed: one cluster ready in {:.1?}", cluster.ready_in());

    assert!(cluster.kubectl(&["version", "-o", "yaml"]).await.contains("gitVersion: v1.37.1"));
    assert_eq!(service_cidrs(&cluster).await, ["10.96.0.0/16"]);
    assert_eq!(cluster.uid().await.len(), 36, "a UUID");

    // The API server validates, and its refusal comes back whole.
    let refusal = cluster.apply_or_refusal("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {}}").await;
    assert!(refusal.as_ref().is_err_and(|error| error.contains("spec.ports: Required value")), "{refusal:?}");
    let refusal = cluster.try_kubectl(&["get", "configmap", "absent"]).await;
    assert!(refusal.as_ref().is_err_and(|error| error.contains("\"absent\" not found")), "{refusal:?}");
}

#[tokio::test]
async fn slices_are_made_from_pods() {
    let cluster = Cluster::start(ClusterSpec::named("slices")).await;
    cluster
        .apply(
            "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Node, metadata: {name: node-a, labels: {topology.kubernetes.io/zone: zone-a}}}
- {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, labels: {app: web}}
spec: {nodeName: node-a, terminationGracePeriodSeconds: 0, containers: [{name: main, image: none}]}
",
        )
        .await;
    cluster
        .apply_status(
            "
apiVersion: v1
kind: Pod
metadata: {name: web-1}
status: {phase: Running, podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}], conditions: [{type: Ready, status: 'True'}]}
",
        )
        .await;
    let query = ["get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o"];
    let path = "jsonpath={range .items[*].endpoints[*]}{.addresses[0]} {.zone} {.conditions.ready}{end}";
    eventually("the slice has the pod", LIMIT, async || {
        match cluster.kubectl(&[&query[..], &[path]].concat()).await.as_str() {
            "10.1.0.1 zone-a true" => Ok(()),
            other => Err(other.to_owned()),
        }
    })
    .await;
}

#[tokio::test]
async fn an_api_server_that_dies_keeps_its_data() {
    let mut cluster = Cluster::start(ClusterSpec::named("dies").without_controllers()).await;
    cluster.apply(CONFIG_MAP).await;
    let (uid, url, client) = (cluster.uid().await, cluster.server_url(), cluster.client());
    let maps = Api::<ConfigMap>::default_namespaced(client);

    cluster.kill_apiserver();
    maps.get("kept").await.expect_err("nothing listens");
    let begun = Instant::now();
    cluster.restart_apiserver().await;
    eprintln!("testbed: API server ready again in {:.1?}", begun.elapsed());
    let kept = maps.get("kept").await.expect("the old client works, on the old port");
    assert_eq!(kept.data.unwrap_or_default()["answer"], "42");
    assert_eq!((cluster.uid().await, cluster.server_url()), (uid, url));

    cluster.freeze_apiserver();
    let frozen = tokio::time::timeout(Duration::from_secs(1), maps.get("kept")).await;
    assert!(frozen.is_err(), "no answer, and no error either: {frozen:?}");
    cluster.thaw_apiserver();
    maps.get("kept").await.expect("an answer again");
}

#[tokio::test]
async fn an_account_may_do_what_it_was_given() {
    let cluster = Cluster::start(ClusterSpec::named("rights").without_controllers()).await;
    let kubeconfig = cluster.service_account_kubeconfig(vec![rule(&[""], &["pods"], &["list"])]).await;
    assert!(!kubeconfig.contains(&cluster.admin_token()));
    let client = client_of(&kubeconfig).await;

    let pods = Api::<Pod>::all(client.clone()).list(&Default::default()).await.expect("allowed");
    assert!(pods.items.is_empty());
    let refusal = Api::<ConfigMap>::all(client).list(&Default::default()).await.expect_err("not allowed");
    assert!(matches!(&refusal, kube::Error::Api(status) if status.code == 403), "{refusal}");
}

#[tokio::test]
async fn service_ranges_of_both_families() {
    let dual = ClusterSpec::named("dual").without_controllers().service_cidrs(&["10.97.0.0/16", "fd00:97::/112"]);
    let six = ClusterSpec::named("six").without_controllers().service_cidrs(&["fd00:98::/112"]);
    let [dual, six] = Cluster::start_all([dual, six]).await;
    assert_eq!(service_cidrs(&dual).await, ["10.97.0.0/16", "fd00:97::/112"]);
    assert_eq!(service_cidrs(&six).await, ["fd00:98::/112"]);

    let service = "{apiVersion: v1, kind: Service, metadata: {name: web}, \
                   spec: {ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}}";
    for (cluster, families) in [(&dual, "[\"IPv4\",\"IPv6\"]"), (&six, "[\"IPv6\"]")] {
        cluster.apply(service).await;
        let found = cluster.kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.ipFamilies}"]).await;
        assert_eq!(found, families, "{}", cluster.name());
    }
}

#[tokio::test]
async fn four_clusters_at_once_are_four_worlds() {
    let begun = Instant::now();
    let clusters = Cluster::start_all(["a", "b", "c", "d"].map(ClusterSpec::named)).await;
    let all = begun.elapsed();
    let each: Vec<String> = clusters.iter().map(|cluster| format!("{:.1?}", cluster.ready_in())).collect();
    eprintln!("testbed: four clusters ready in {all:.1?} (each: {})", each.join(", "));
    assert!(all < FOUR_CLUSTERS_LIMIT, "{all:.1?}");

    let uids = futures::future::join_all(clusters.iter().map(Cluster::uid)).await;
    let distinct: std::collections::BTreeSet<_> = uids.iter().collect();
    assert_eq!(distinct.len(), clusters.len(), "{uids:?}");

    // One cluster's credentials and CA are worth nothing in another.
    let own = config_of(&clusters[0].kubeconfig()).await;
    let mut foreign = own.clone();
    foreign.cluster_url = config_of(&clusters[1].kubeconfig()).await.cluster_url;
    assert!(Client::try_from(own).expect("a client").apiserver_version().await.is_ok());
    assert!(Client::try_from(foreign).expect("a client").apiserver_version().await.is_err());
}
