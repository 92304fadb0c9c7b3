//! Clients that fetch clusters when they need them (Envoy's on-demand CDS): what must never be answered with "no".

use envoy_types::pb::envoy::config::cluster::v3 as pb;
use envoy_types::pb::google::protobuf::Any;
use federation::model::AppProtocol;
use prost::Message;

use super::ResourceType::{Assignment, Cluster, Listener, Route, Scope};
use super::*;

fn client() -> TestClient {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    let mut effects = services(vec![web("shop/a", &["10.8.0.1:80"]), web("shop/b", &["10.8.0.2:80"])]);
    effects.vips = vips("eu-1", "shop/a", &["10.12.0.1"], &[80], true).vips;
    catalog.apply(&effects);
    catalog.set_ready();
    let mut client = TestClient::of(Variant::Delta, on_demand(), catalog);
    assert_eq!(client.delta(Cluster, &[], &[]), ["cds +hole +pass"], "the wildcard covers what every proxy has");
    client.ack(Cluster);
    client.delta(Listener, &[], &[]);
    client.ack(Listener);
    // The first cluster that is used opens the subscription to load assignments.
    assert_eq!(client.delta(Cluster, &["b"], &[]), ["cds +b"]);
    client.ack(Cluster);
    assert_eq!(client.delta(Assignment, &["b"], &[]), ["eds +b"]);
    client.ack(Assignment);
    client
}

/// Whether the last cluster of this name is one without hosts.
fn is_placeholder(client: &TestClient, name: &str) -> bool {
    let resource = client.view.snapshot().expect("a snapshot").find(Cluster, &long(name)).expect("never nothing");
    let any = Any::decode(resource.any_bytes()).expect("an Any");
    let cluster = pb::Cluster::decode(&*any.value).expect("a Cluster");
    cluster.cluster_discovery_type == Some(pb::cluster::ClusterDiscoveryType::Type(0))
        && cluster.load_assignment.is_none()
}

#[test]
fn c45_a_cluster_that_is_asked_for_comes_with_its_load_assignment() {
    let mut client = client();
    assert_eq!(client.delta(Cluster, &["a"], &[]), ["cds +a", "eds +a"], "before the client can ask for it");
    client.ack(Cluster);
    client.ack(Assignment);
    assert_eq!(client.delta(Assignment, &["a"], &[]), ["eds +a"], "C21 holds all the same");
    client.ack(Assignment);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.9:80"])])), NOTHING, "c was never asked for");
}

#[test]
fn c45_an_unknown_name_is_a_cluster_without_hosts_until_it_exists() {
    let mut client = client();
    assert!(is_placeholder(&client, "c"));
    assert_eq!(client.delta(Cluster, &["c"], &[]), ["cds +c"]);
    client.ack(Cluster);
    let sent = client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(sent, ["cds +c", "eds +c"]);
    assert!(!is_placeholder(&client, "c"));
}

#[test]
fn c45_what_is_gone_is_replaced_and_never_removed() {
    let mut client = client();
    client.delta(Cluster, &["a"], &[]);
    client.ack(Cluster);
    client.ack(Assignment);
    client.delta(Assignment, &["a"], &[]);
    client.ack(Assignment);
    let mut gone = service_gone("shop/a");
    gone.vips = vips_gone("eu-1", "shop/a").vips;
    let sent = client.apply(&gone);
    assert_eq!(sent, ["lds +virtualOutbound"], "first what refers to it: the last service on its port");
    assert_eq!(client.ack(Listener), ["eds -a", "cds +a"]);
    assert!(is_placeholder(&client, "a"));
}

#[test]
fn a_service_that_is_not_used_costs_nothing() {
    let mut client = client();
    let mut effects = services(vec![web("shop/z", &["10.8.0.3:80"])]);
    effects.vips = vips("eu-1", "shop/z", &["10.12.0.9"], &[80], true).vips;
    assert_eq!(client.apply(&effects), NOTHING);
    assert_eq!(client.delta(Scope, &[], &[]), ["srds"], "not even for who asks");
}

#[test]
fn c35_a_reconnect_names_everything_it_ever_asked_for() {
    let mut client = client();
    let known = [("a", client.version(Cluster, "a")), ("c", client.version(Cluster, "c"))];
    client.reconnect();
    let sent = client.delta_full(Cluster, &["*", "a", "c"], &[], &known, "", None);
    assert_eq!(sent, ["cds +hole +pass"], "both are as they were, the placeholder too");
    client.reconnect();
    let known = [("a", "0123456789abcdef".to_owned())];
    let sent = client.delta_full(Cluster, &["*", "a"], &[], &known, "", None);
    assert_eq!(sent, ["cds +hole +pass +a"]);
    let known = [("a", client.version(Assignment, "a"))];
    let sent = client.delta_full(Assignment, &["a"], &[], &known, "", None);
    assert_eq!(sent, ["eds +a"], "known, but its cluster is new to the client");
}

#[test]
fn requests_ask_for_their_cluster_by_address() {
    let mut client = client();
    let (vip, load) = ("vip|10.12.0.1:80", "eds +a");
    assert_eq!(client.delta(Cluster, &[vip], &[]), [format!("cds +{vip}"), load.to_owned()]);
    client.ack(Cluster);
    client.ack(Assignment);
    let unused = "vip|10.12.0.9:80";
    assert_eq!(
        client.delta(Cluster, &[unused], &[]),
        [format!("cds +{unused}")],
        "no service has it yet, so it passes through"
    );
    client.ack(Cluster);
    let mut effects = services(vec![web("shop/z", &["10.8.0.3:80"])]);
    effects.vips = vips("eu-1", "shop/z", &["10.12.0.9"], &[80], true).vips;
    assert_eq!(
        client.apply(&effects),
        [format!("cds +{unused}"), "eds +z".to_owned()],
        "and exists when the service does"
    );
}

#[test]
fn bytes_ask_for_their_cluster_by_address() {
    let mut client = client();
    let db = merged("shop/db", vec![port(3306, AppProtocol::Tcp, vec![backend("eu-1", "eu-a", &["10.8.0.5:3306"])])]);
    let mut effects = services(vec![db]);
    effects.vips = vips("eu-1", "shop/db", &["10.12.0.3"], &[3306], true).vips;
    client.apply(&effects);
    client.ack(Listener);
    let load = "outbound|3306||db.shop.svc.cluster.local";
    let sent = client.delta(Cluster, &["vip|10.12.0.3:3306"], &[]);
    assert_eq!(sent, ["cds +vip|10.12.0.3:3306".to_owned(), format!("eds +{load}")]);
    client.ack(Cluster);
    client.ack(Assignment);
    assert_eq!(client.delta(Cluster, &["vip|10.12.0.99:3306"], &[]), ["cds +vip|10.12.0.99:3306"], "it passes through");
    assert!(!is_placeholder(&client, "vip|10.12.0.99:3306"));
    assert_eq!(client.session.status(Route).sent, 0);
}
