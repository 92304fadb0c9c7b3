//! Clients that fetch clusters when they need them (Envoy's on-demand CDS): what must never be answered with "no".

use envoy_types::pb::envoy::config::cluster::v3 as pb;
use envoy_types::pb::google::protobuf::Any;
use federation::model::AppProtocol;
use prost::Message;

use super::ResourceType::{Assignment, Cluster, Listener, Route, Scope};
use super::*;

fn talk() -> Talk {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    let mut effects = services(vec![web("shop/a", &["10.8.0.1:80"]), web("shop/b", &["10.8.0.2:80"])]);
    effects.vips = vips("eu-1", "shop/a", &["10.12.0.1"], &[80], true).vips;
    catalog.apply(&effects);
    catalog.set_ready();
    let mut talk = Talk::of(Variant::Delta, on_demand(), catalog);
    assert_eq!(talk.delta(Cluster, &[], &[]), ["cds +hole +pass"], "the wildcard covers what every proxy has");
    talk.ack(Cluster);
    talk.delta(Listener, &[], &[]);
    talk.ack(Listener);
    // The first cluster that is used opens the subscription to load assignments.
    assert_eq!(talk.delta(Cluster, &["b"], &[]), ["cds +b"]);
    talk.ack(Cluster);
    assert_eq!(talk.delta(Assignment, &["b"], &[]), ["eds +b"]);
    talk.ack(Assignment);
    talk
}

/// Whether the last cluster of this name is one without hosts.
fn stands_in(talk: &Talk, name: &str) -> bool {
    let resource = talk.view.snapshot().expect("a snapshot").find(Cluster, &long(name)).expect("never nothing");
    let any = Any::decode(resource.any_bytes()).expect("an Any");
    let cluster = pb::Cluster::decode(&*any.value).expect("a Cluster");
    cluster.cluster_discovery_type == Some(pb::cluster::ClusterDiscoveryType::Type(0))
        && cluster.load_assignment.is_none()
}

#[test]
fn c45_a_cluster_that_is_asked_for_comes_with_its_load_assignment() {
    let mut talk = talk();
    assert_eq!(talk.delta(Cluster, &["a"], &[]), ["cds +a", "eds +a"], "before the client can ask for it");
    talk.ack(Cluster);
    talk.ack(Assignment);
    assert_eq!(talk.delta(Assignment, &["a"], &[]), ["eds +a"], "C21 holds all the same");
    talk.ack(Assignment);
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    assert_eq!(talk.world(&services(vec![web("shop/c", &["10.8.0.9:80"])])), NOTHING, "c was never asked for");
}

#[test]
fn c45_the_unknown_is_a_cluster_without_hosts_until_it_is_born() {
    let mut talk = talk();
    assert!(stands_in(&talk, "c"));
    assert_eq!(talk.delta(Cluster, &["c"], &[]), ["cds +c"]);
    talk.ack(Cluster);
    let said = talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(said, ["cds +c", "eds +c"]);
    assert!(!stands_in(&talk, "c"));
}

#[test]
fn c45_what_goes_is_replaced_and_never_removed() {
    let mut talk = talk();
    talk.delta(Cluster, &["a"], &[]);
    talk.ack(Cluster);
    talk.ack(Assignment);
    talk.delta(Assignment, &["a"], &[]);
    talk.ack(Assignment);
    let mut gone = service_gone("shop/a");
    gone.vips = vips_gone("eu-1", "shop/a").vips;
    let said = talk.world(&gone);
    assert_eq!(said, ["lds +virtualOutbound"], "first what refers to it: the last service on its port");
    assert_eq!(talk.ack(Listener), ["eds -a", "cds +a"]);
    assert!(stands_in(&talk, "a"));
}

#[test]
fn a_service_that_is_not_used_costs_nothing() {
    let mut talk = talk();
    let mut effects = services(vec![web("shop/z", &["10.8.0.3:80"])]);
    effects.vips = vips("eu-1", "shop/z", &["10.12.0.9"], &[80], true).vips;
    assert_eq!(talk.world(&effects), NOTHING);
    assert_eq!(talk.delta(Scope, &[], &[]), ["srds"], "not even for who asks");
}

#[test]
fn c35_a_reconnect_names_everything_it_ever_asked_for() {
    let mut talk = talk();
    let known = [("a", talk.version(Cluster, "a")), ("c", talk.version(Cluster, "c"))];
    talk.reconnect();
    let said = talk.delta_full(Cluster, &["*", "a", "c"], &[], &known, "", None);
    assert_eq!(said, ["cds +hole +pass"], "both are as they were, the stand-in too");
    talk.reconnect();
    let known = [("a", "0123456789abcdef".to_owned())];
    let said = talk.delta_full(Cluster, &["*", "a"], &[], &known, "", None);
    assert_eq!(said, ["cds +hole +pass +a"]);
    let known = [("a", talk.version(Assignment, "a"))];
    let said = talk.delta_full(Assignment, &["a"], &[], &known, "", None);
    assert_eq!(said, ["eds +a"], "known, but its cluster is new to the client");
}

#[test]
fn requests_ask_for_their_cluster_by_address() {
    let mut talk = talk();
    let (vip, load) = ("vip|10.12.0.1:80", "eds +a");
    assert_eq!(talk.delta(Cluster, &[vip], &[]), [format!("cds +{vip}"), load.to_owned()]);
    talk.ack(Cluster);
    talk.ack(Assignment);
    let unused = "vip|10.12.0.9:80";
    assert_eq!(talk.delta(Cluster, &[unused], &[]), [format!("cds +{unused}")], "nobody's yet, so it passes through");
    talk.ack(Cluster);
    let mut effects = services(vec![web("shop/z", &["10.8.0.3:80"])]);
    effects.vips = vips("eu-1", "shop/z", &["10.12.0.9"], &[80], true).vips;
    assert_eq!(talk.world(&effects), [format!("cds +{unused}"), "eds +z".to_owned()], "and is there when it is born");
}

#[test]
fn bytes_ask_for_their_cluster_by_address() {
    let mut talk = talk();
    let db = merged("shop/db", vec![port(3306, AppProtocol::Tcp, vec![backend("eu-1", "eu-a", &["10.8.0.5:3306"])])]);
    let mut effects = services(vec![db]);
    effects.vips = vips("eu-1", "shop/db", &["10.12.0.3"], &[3306], true).vips;
    talk.world(&effects);
    talk.ack(Listener);
    let load = "outbound|3306||db.shop.svc.cluster.local";
    let said = talk.delta(Cluster, &["vip|10.12.0.3:3306"], &[]);
    assert_eq!(said, ["cds +vip|10.12.0.3:3306".to_owned(), format!("eds +{load}")]);
    talk.ack(Cluster);
    talk.ack(Assignment);
    assert_eq!(talk.delta(Cluster, &["vip|10.12.0.99:3306"], &[]), ["cds +vip|10.12.0.99:3306"], "it passes through");
    assert!(!stands_in(&talk, "vip|10.12.0.99:3306"));
    assert_eq!(talk.session.status(Route).sent, 0);
}
