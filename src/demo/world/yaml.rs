//! The world as the YAML files that `isthmus region --world` reads: hub objects on top, each cluster's own objects in
//! `clusters/<id>/`. Written the way `kubectl get -o yaml` would print them, so that a kept folder is a worked example.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{Cluster, DemoFederation, NAMESPACE, Pod, Region};

/// Path inside the folder → text.
pub type Files = BTreeMap<String, String>;

/// The port number of every Service.
pub const SERVICE_PORT: u16 = 80;
/// ClusterIPs are counted from here, inside the cluster's service range.
const FIRST_SERVICE_HOST: u32 = 10;

/// All files of a world. `pod_port` is the number the backends listen on.
pub fn files(world: &DemoFederation, pod_port: u16) -> Files {
    let mut files = Files::new();
    files.insert("regions.yaml".to_owned(), documents(&world.regions.iter().map(region).collect::<Vec<_>>()));
    for cluster in &world.clusters {
        files.insert(format!("member-{}.yaml", cluster.id), documents(&[member(cluster)]));
        files.insert(format!("clusters/{}/cluster.yaml", cluster.id), documents(&own_objects(cluster)));
        files.insert(format!("clusters/{}/endpoints.yaml", cluster.id), documents(&slices(cluster, pod_port)));
    }
    files
}

fn documents(values: &[Value]) -> String {
    let texts: Vec<String> = values
        .iter()
        // Every JSON text is YAML too, so there is always something right to write.
        .map(|value| serde_saphyr::to_string(value).unwrap_or_else(|_| format!("{value}\n")))
        .collect();
    texts.join("---\n")
}

fn region(region: &Region) -> Value {
    json!({
        "apiVersion": "isthmus.dev/v1alpha1",
        "kind": "Region",
        "metadata": {"name": region.name},
        "spec": {"failover": region.failover},
    })
}

fn member(cluster: &Cluster) -> Value {
    json!({
        "apiVersion": "isthmus.dev/v1alpha1",
        "kind": "MemberCluster",
        "metadata": {"name": cluster.id, "creationTimestamp": cluster.created, "uid": uid(cluster, "member")},
        "spec": {
            "region": cluster.region,
            "cidrs": {"pods": [cluster.pod_cidr], "services": [cluster.service_cidr]},
        },
    })
}

fn own_objects(cluster: &Cluster) -> Vec<Value> {
    let mut objects = vec![
        // The UID of kube-system is a cluster's identity (KEP-2149).
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "kube-system", "uid": uid(cluster, "kube-system"), "creationTimestamp": cluster.created},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "uid": uid(cluster, NAMESPACE),
                "creationTimestamp": cluster.created,
                "labels": {"isthmus.dev/federate": "true"},
            },
        }),
    ];
    objects.extend(services(cluster).into_iter().zip(0..).map(|(name, index)| service(cluster, name, index)));
    objects
}

fn service(cluster: &Cluster, name: &str, index: u32) -> Value {
    let ip = service_ip(cluster.service_cidr, index);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid(cluster, name),
            "creationTimestamp": cluster.created,
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": ip,
            "clusterIPs": [ip],
            "selector": {"app": name},
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}],
        },
    })
}

fn slices(cluster: &Cluster, pod_port: u16) -> Vec<Value> {
    services(cluster).into_iter().map(|name| slice(cluster, name, pod_port)).collect()
}

fn slice(cluster: &Cluster, service: &str, pod_port: u16) -> Value {
    let endpoints: Vec<Value> = cluster.pods.iter().filter(|pod| pod.service == service).map(endpoint).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-1"),
            "namespace": NAMESPACE,
            "uid": uid(cluster, &format!("{service}-1")),
            "creationTimestamp": cluster.created,
            "labels": {
                "kubernetes.io/service-name": service,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": pod_port, "protocol": "TCP", "appProtocol": "http"}],
        "endpoints": endpoints,
    })
}

fn endpoint(pod: &Pod) -> Value {
    json!({
        "addresses": [pod.ip],
        "conditions": {"ready": pod.ready, "serving": pod.ready, "terminating": false},
        "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": pod.name},
        "zone": pod.zone,
    })
}

/// Names of a cluster's services, each once, in order.
fn services(cluster: &Cluster) -> Vec<&'static str> {
    let mut names: Vec<&str> = cluster.pods.iter().map(|pod| pod.service).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn service_ip(cidr: &str, index: u32) -> Ipv4Addr {
    let base: ipnet::Ipv4Net = cidr.parse().unwrap_or_default();
    Ipv4Addr::from(u32::from(base.network()) + FIRST_SERVICE_HOST + index)
}

/// Readable and unique, which is all a UID has to be.
fn uid(cluster: &Cluster, what: &str) -> String {
    format!("{}-{what}", cluster.id)
}
