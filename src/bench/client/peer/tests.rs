use envoy_types::pb::envoy::config::cluster::v3::Cluster as PbCluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig};
use envoy_types::pb::envoy::config::endpoint::v3::locality_lb_endpoints::LbConfig;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, LedsClusterLocalityConfig, LocalityLbEndpoints,
};
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use envoy_types::pb::google::protobuf::Any;
use prost::Message;

use super::super::wire::PREFIX;
use super::*;

fn peer(wanted: &[&str]) -> Peer {
    let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
    Peer::new(Variant::Delta, Arc::default(), Bytes::new(), wanted)
}

fn counts(clusters: usize, assignments: usize, endpoints: usize, listeners: usize) -> Counts {
    Counts(PerType::from_fn(|t| match t {
        Cluster => clusters,
        Assignment => assignments,
        Endpoint => endpoints,
        Listener => listeners,
        _ => 0,
    }))
}

/// `name@version` each; clusters whose name begins with `eds` want a load assignment, and `vip|a` wants that of `eds-a`.
fn response(resource_type: ResourceType, resources: &[&str], removed: &[&str]) -> Vec<u8> {
    let resource = |text: &&str| {
        let (name, version) = text.split_once('@').expect("name@version");
        let load = name.strip_prefix("vip|").map(|service| format!("eds-{service}"));
        let is_eds = load.is_some() || name.starts_with("eds");
        let kind = if is_eds { DiscoveryType::Eds } else { DiscoveryType::Static };
        let cluster = PbCluster {
            name: name.to_owned(),
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind.into())),
            eds_cluster_config: load
                .map(|service_name| EdsClusterConfig { service_name, ..EdsClusterConfig::default() }),
            ..PbCluster::default()
        };
        let any = Any { type_url: resource_type.url().to_owned(), value: cluster.encode_to_vec() };
        Resource { name: name.to_owned(), version: version.to_owned(), resource: Some(any), ..Resource::default() }
    };
    DeltaDiscoveryResponse {
        resources: resources.iter().map(resource).collect(),
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
        type_url: resource_type.url().to_owned(),
        nonce: "n".to_owned(),
        ..DeltaDiscoveryResponse::default()
    }
    .encode_to_vec()
}

/// Each as `type nonce +subscribed -unsubscribed =known !error`.
fn shown(requests: &[Bytes]) -> Vec<String> {
    let show = |message: &Bytes| {
        let request = DeltaDiscoveryRequest::decode(&message[PREFIX..]).expect("a request");
        let label = ResourceType::from_url(&request.type_url).expect("a type").label();
        let mut known: Vec<_> = request.initial_resource_versions.keys().cloned().collect();
        known.sort_unstable();
        let part =
            |sign: &str, names: Vec<String>| names.iter().map(|name| format!(" {sign}{name}")).collect::<String>();
        let error = if request.error_detail.is_some() { " !" } else { "" };
        let nonce =
            if request.response_nonce.is_empty() { String::new() } else { format!(" {}", request.response_nonce) };
        let (plus, minus) = (request.resource_names_subscribe, request.resource_names_unsubscribe);
        format!("{label}{nonce}{}{}{}{error}", part("+", plus), part("-", minus), part("=", known))
    };
    requests.iter().map(show).collect()
}

fn hear(peer: &mut Peer, resource_type: ResourceType, resources: &[&str], removed: &[&str]) -> Vec<String> {
    shown(&peer.receive(&response(resource_type, resources, removed), 1).expect("a response"))
}

#[test]
fn a_client_asks_in_the_order_in_which_envoy_does() {
    let mut peer = peer(&[]);
    assert_eq!(shown(&peer.open()), ["cds"]);
    assert_eq!(hear(&mut peer, Cluster, &["eds-a@1", "eds-b@1", "static@1"], &[]), ["cds n", "eds +eds-a +eds-b"]);
    assert_eq!(hear(&mut peer, Assignment, &["eds-a@1"], &[]), ["eds n"]);
    assert_eq!(hear(&mut peer, Assignment, &["eds-b@1"], &[]), ["eds n", "lds"]);
    assert_eq!(hear(&mut peer, Listener, &["l@1"], &[]), ["lds n"]);
    let expected = counts(3, 2, 0, 2);
    assert!(!peer.is_complete(&expected));
    assert_eq!(hear(&mut peer, Listener, &["m@1"], &[]), ["lds n"]);
    assert!(peer.is_complete(&expected));
    assert!(!peer.is_complete(&counts(3, 2, 0, 3)));

    assert_eq!(hear(&mut peer, Cluster, &[], &["eds-a"]), ["cds n", "eds -eds-a"]);
    assert_eq!(peer.counts(), counts(2, 1, 0, 2));
    assert_eq!(hear(&mut peer, Cluster, &["eds-a@2"], &[]), ["cds n", "eds +eds-a"]);
    assert!(!peer.is_complete(&expected), "a cluster that came back needs its load assignment again");
}

#[test]
fn clusters_on_demand_are_asked_for_once_there_are_listeners() {
    let mut peer = peer(&["vip|a"]);
    peer.open();
    assert_eq!(hear(&mut peer, Cluster, &["static@1"], &[]), ["cds n", "lds"]);
    assert_eq!(hear(&mut peer, Listener, &["l@1"], &[]), ["lds n", "cds +vip|a"]);
    assert_eq!(hear(&mut peer, Cluster, &["vip|a@1"], &[]), ["cds n", "eds +eds-a"]);
    assert_eq!(hear(&mut peer, Assignment, &["eds-a@1"], &[]), ["eds n"]);
    assert!(peer.is_complete(&counts(2, 1, 0, 1)));
    let back = ["cds +* +vip|a =static =vip|a", "eds +eds-a =eds-a", "lds =l"];
    assert_eq!(shown(&peer.open()), back);
    assert!(!peer.is_complete(&Counts::default()), "not before it was answered");
    assert_eq!(hear(&mut peer, Cluster, &["static@1"], &[]), ["cds n"], "it has asked for all the rest already");
    // No service has it any more: a cluster without a load assignment replaces it.
    assert_eq!(replacement_of(&mut peer, "vip|a"), ["cds n", "eds -eds-a"]);
    assert_eq!(peer.counts(), counts(2, 0, 0, 1));
}

/// A static cluster of this name comes.
fn replacement_of(peer: &mut Peer, name: &str) -> Vec<String> {
    let any = Any { type_url: Cluster.url().to_owned(), value: Vec::new() };
    let resource =
        Resource { name: name.to_owned(), version: "2".to_owned(), resource: Some(any), ..Resource::default() };
    let response = DeltaDiscoveryResponse {
        resources: vec![resource],
        type_url: Cluster.url().to_owned(),
        nonce: "n".to_owned(),
        ..DeltaDiscoveryResponse::default()
    };
    shown(&peer.receive(&response.encode_to_vec(), 1).expect("a response"))
}

#[test]
fn endpoints_one_by_one_are_followed_where_load_assignments_say_they_are() {
    let mut peer = peer(&[]);
    peer.open();
    hear(&mut peer, Cluster, &["eds-a@1", "eds-b@1"], &[]);
    let assigned = |peer: &mut Peer, name: &str, version: &str, collections: &[&str]| {
        shown(&peer.receive(&assignment(name, version, collections), 1).expect("a response"))
    };
    assert_eq!(assigned(&mut peer, "eds-a", "1", &["a/z1/*", "a/z2/*"]), ["eds n", "leds +a/z1/* +a/z2/*"]);
    hear(&mut peer, Assignment, &["eds-b@1"], &[]);
    assert_eq!(hear(&mut peer, Endpoint, &["a/z1/x@1", "a/z2/y@1"], &[]), ["leds n"]);
    assert_eq!(peer.counts(), counts(2, 2, 2, 0));
    assert_eq!(assigned(&mut peer, "eds-a", "2", &["a/z1/*", "a/z3/*"]), ["eds n", "leds +a/z3/* -a/z2/*"]);
    assert_eq!(peer.counts(), counts(2, 2, 1, 0), "what it left is forgotten");
    assert_eq!(shown(&peer.open())[2], "leds +a/z1/* +a/z3/* =a/z1/x");
    hear(&mut peer, Cluster, &[], &["eds-a"]);
    assert_eq!(peer.counts(), counts(1, 1, 0, 0), "a cluster takes its endpoints with it");
}

/// A load assignment that says where its endpoints are.
fn assignment(name: &str, version: &str, collections: &[&str]) -> Vec<u8> {
    let locality = |collection: &&str| LocalityLbEndpoints {
        lb_config: Some(LbConfig::LedsClusterLocalityConfig(LedsClusterLocalityConfig {
            leds_collection_name: (*collection).to_owned(),
            ..LedsClusterLocalityConfig::default()
        })),
        ..LocalityLbEndpoints::default()
    };
    let message = ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: collections.iter().map(locality).collect(),
        ..ClusterLoadAssignment::default()
    };
    let any = Any { type_url: Assignment.url().to_owned(), value: message.encode_to_vec() };
    let resource =
        Resource { name: name.to_owned(), version: version.to_owned(), resource: Some(any), ..Resource::default() };
    DeltaDiscoveryResponse {
        resources: vec![resource],
        type_url: Assignment.url().to_owned(),
        nonce: "n".to_owned(),
        ..DeltaDiscoveryResponse::default()
    }
    .encode_to_vec()
}

#[test]
fn what_is_rejected_is_not_held_until_the_client_comes_back() {
    let mut peer = peer(&[]);
    peer.open();
    hear(&mut peer, Cluster, &["eds-a@1"], &[]);
    hear(&mut peer, Assignment, &["eds-a@1"], &[]);
    peer.reject_next();
    assert_eq!(hear(&mut peer, Assignment, &["eds-a@2"], &[]), ["eds n !"]);
    assert!(peer.is_behind());
    assert_eq!(peer.held()[Assignment].iter().map(|(_, version)| version).collect::<Vec<_>>(), [1]);
    peer.open();
    assert_eq!(hear(&mut peer, Assignment, &["eds-a@2"], &[]), ["eds n"]);
    assert!(!peer.is_behind());
}
