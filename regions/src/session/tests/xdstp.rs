//! Names with an authority (xRFC TP1).

use envoy_types::pb::envoy::config::cluster::v3 as cds;
use envoy_types::pb::envoy::config::endpoint::v3 as eds;
use envoy_types::pb::envoy::config::listener::v3 as lds;
use envoy_types::pb::envoy::config::route::v3 as rds;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use prost::Message;

use super::ResourceType::{Assignment, Cluster, Listener, Route};
use super::*;
use crate::alias::xdstp::name;

const A: &str = "outbound|80||a.shop.svc.cluster.local";
const C: &str = "outbound|80||c.shop.svc.cluster.local";
const DIALLED: &str = "a.shop.svc.cluster.local:80";
const UNKNOWN: &str = "unknown.shop.svc.cluster.local:80";

fn grpc_talk(variant: Variant) -> TestClient {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80"])]));
    catalog.set_ready();
    TestClient::of(variant, grpc(), catalog)
}

fn find<T: Message + Default>(client: &TestClient, t: ResourceType, name: &str) -> T {
    let resource = client.view.snapshot().expect("a snapshot").find(t, name).expect("a resource");
    assert_eq!(&**resource.name(), name, "C30");
    resource.message().expect("a message of this type")
}

#[test]
fn c44_the_same_resource_under_whatever_authority_each_called_as_it_was_asked_for() {
    let mut client = TestClient::new(Variant::Delta);
    let plain: eds::ClusterLoadAssignment = find(&client, Assignment, A);
    for asked in
        [name("", Assignment, A), name("eu", Assignment, A), format!("{}?x=y", name("other.example", Assignment, A))]
    {
        assert_eq!(client.delta(Assignment, &[&asked], &[]), [format!("eds +{asked}")]);
        client.ack(Assignment);
        let found: eds::ClusterLoadAssignment = find(&client, Assignment, &asked);
        assert_eq!(found, eds::ClusterLoadAssignment { cluster_name: asked.clone(), ..plain.clone() });
        assert_eq!(client.delta(Assignment, &[&asked], &[]), [format!("eds +{asked}")], "C21");
        client.ack(Assignment);
    }
}

#[test]
fn c44_a_change_reaches_all_names_and_one_that_is_taken_back_none() {
    let mut client = TestClient::new(Variant::Delta);
    let (one, two) = (name("", Assignment, A), name("eu", Assignment, A));
    client.delta(Assignment, &["a", &one, &two], &[]);
    client.ack(Assignment);
    let sent = client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    assert_eq!(sent, [format!("eds +a +{one} +{two}")]);
    client.apply(&services(vec![web("shop/a", &["10.8.0.8:80"])]));
    client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    assert_eq!(client.ack(Assignment), NOTHING);
    client.delta(Assignment, &[], &["a", &one]);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.1:80"])])), [format!("eds +{two}")]);
    client.ack(Assignment);
    client.delta(Assignment, &[], &[&two]);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), NOTHING);
}

#[test]
fn c44_what_does_not_exist_is_answered_at_once_and_again_when_it_exists() {
    let mut client = TestClient::new(Variant::Delta);
    let asked = name("eu", Assignment, C);
    assert_eq!(client.delta(Assignment, &[&asked], &[]), [format!("eds -{asked}")], "C24");
    client.ack(Assignment);
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])])), [format!("eds +{asked}")]);
    client.ack(Assignment);
    let other_type = name("eu", Cluster, C);
    assert_eq!(client.delta(Assignment, &[&other_type], &[]), [format!("eds -{other_type}")]);
}

#[test]
fn c44_a_resumed_stream_is_sent_the_difference() {
    let mut client = TestClient::new(Variant::Delta);
    let (one, two) = (name("", Assignment, A), name("eu", Assignment, A));
    let known = [(&*one, client.version(Assignment, &one)), (&*two, "0123456789abcdef".to_owned())];
    assert_ne!(known[0].1, client.version(Assignment, A), "other bytes, another version");
    assert_eq!(client.delta_full(Assignment, &[&one, &two], &[], &known, "", None), [format!("eds +{two}")]);
}

#[test]
fn c44_an_envoys_cluster_keeps_its_plain_load_assignment_and_is_followed_by_it() {
    let mut client = TestClient::with(Variant::Delta, None, services(vec![web("shop/a", &["10.8.0.1:80"])]));
    let asked = name("eu", Cluster, A);
    assert_eq!(client.delta(Cluster, &[&asked], &[]), [format!("cds +{asked}")]);
    client.ack(Cluster);
    let cluster: cds::Cluster = find(&client, Cluster, &asked);
    assert_eq!(cluster.name, asked);
    assert_eq!(cluster.eds_cluster_config.expect("an EDS cluster").service_name, A);
    client.delta(Assignment, &["a"], &[]);
    client.ack(Assignment);
    assert_eq!(client.delta(Cluster, &[&asked], &[]), [format!("cds +{asked}"), "eds +a".to_owned()], "C34");
    client.ack(Cluster);
    client.ack(Assignment);
    assert_eq!(client.apply(&service_gone("shop/a")), ["eds -a".to_owned(), format!("cds -{asked}")]);
}

#[test]
fn c44_an_on_demand_cluster_with_an_authority_is_never_nothing() {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.set_ready();
    let mut client = TestClient::of(Variant::Delta, on_demand(), catalog);
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    let asked = name("eu", Cluster, C);
    assert_eq!(client.delta(Cluster, &[&asked], &[]), [format!("cds +{asked}")]);
    client.ack(Cluster);
    assert!(find::<cds::Cluster>(&client, Cluster, &asked).eds_cluster_config.is_none(), "a placeholder");
    let sent = client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(sent, [format!("cds +{asked}")]);
    assert!(find::<cds::Cluster>(&client, Cluster, &asked).eds_cluster_config.is_some());
}

#[test]
fn c44_a_grpc_client_finds_its_way_within_the_authority() {
    for variant in [Variant::Sotw, Variant::Delta] {
        let mut client = grpc_talk(variant);
        let [listener, table, cluster, load] = [(Listener, DIALLED), (Route, A), (Cluster, A), (Assignment, A)]
            .map(|(t, plain)| name("mesh.example", t, plain));
        let ask = |client: &mut TestClient, t: ResourceType, name: &str| match variant {
            Variant::Sotw => {
                let sent = client.sotw(t, &[name]);
                assert_eq!(client.sotw(t, &[name]), NOTHING, "the ACK");
                sent
            }
            Variant::Delta => {
                let sent = client.delta(t, &[name], &[]);
                assert_eq!(client.ack(t), NOTHING);
                sent
            }
        };
        for (t, name) in [(Listener, &listener), (Route, &table), (Cluster, &cluster), (Assignment, &load)] {
            assert_eq!(ask(&mut client, t, name), [format!("{} +{name}", t.label())]);
        }
        let api: lds::Listener = find(&client, Listener, &listener);
        let manager = api.api_listener.and_then(|api| api.api_listener).expect("an API listener");
        let manager = hcm::HttpConnectionManager::decode(&*manager.value).expect("a manager");
        assert!(format!("{:?}", manager.route_specifier).contains(&table), "{manager:?}");
        let routes: rds::RouteConfiguration = find(&client, Route, &table);
        assert!(format!("{:?}", routes.virtual_hosts).contains(&format!("Cluster({cluster:?})")), "{routes:?}");
        let found: cds::Cluster = find(&client, Cluster, &cluster);
        assert_eq!(found.eds_cluster_config.expect("an EDS cluster").service_name, load);
        assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), [format!("eds +{load}")]);
    }
}

#[test]
fn c44_a_listener_that_is_not_there_leads_nowhere_under_its_name() {
    let mut client = grpc_talk(Variant::Sotw);
    let asked = name("mesh.example", Listener, UNKNOWN);
    assert_eq!(client.sotw(Listener, &[&asked]), [format!("lds +{asked}")]);
    let before = client.version(Listener, &asked);
    client.sotw(Listener, &[&asked]);
    assert_eq!(client.apply(&services(vec![web("shop/unknown", &["10.8.0.3:80"])])), [format!("lds +{asked}")]);
    assert_ne!(client.version(Listener, &asked), before);
    client.sotw(Listener, &[&asked]);
    assert_eq!(client.apply(&service_gone("shop/unknown")), [format!("lds +{asked}")]);
    assert_eq!(client.version(Listener, &asked), before);
}
