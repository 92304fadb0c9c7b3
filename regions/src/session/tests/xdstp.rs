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
const NOBODY: &str = "nobody.shop.svc.cluster.local:80";

fn grpc_talk(variant: Variant) -> Talk {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80"])]));
    catalog.set_ready();
    Talk::of(variant, grpc(), catalog)
}

fn find<T: Message + Default>(talk: &Talk, t: ResourceType, name: &str) -> T {
    let resource = talk.view.snapshot().expect("a snapshot").find(t, name).expect("a resource");
    assert_eq!(&**resource.name(), name, "C30");
    resource.message().expect("a message of this type")
}

#[test]
fn c44_the_same_resource_under_whatever_authority_each_called_as_it_was_asked_for() {
    let mut talk = Talk::new(Variant::Delta);
    let plain: eds::ClusterLoadAssignment = find(&talk, Assignment, A);
    for asked in
        [name("", Assignment, A), name("eu", Assignment, A), format!("{}?x=y", name("other.example", Assignment, A))]
    {
        assert_eq!(talk.delta(Assignment, &[&asked], &[]), [format!("eds +{asked}")]);
        talk.ack(Assignment);
        let found: eds::ClusterLoadAssignment = find(&talk, Assignment, &asked);
        assert_eq!(found, eds::ClusterLoadAssignment { cluster_name: asked.clone(), ..plain.clone() });
        assert_eq!(talk.delta(Assignment, &[&asked], &[]), [format!("eds +{asked}")], "C21");
        talk.ack(Assignment);
    }
}

#[test]
fn c44_a_change_reaches_all_names_and_one_that_is_taken_back_none() {
    let mut talk = Talk::new(Variant::Delta);
    let (one, two) = (name("", Assignment, A), name("eu", Assignment, A));
    talk.delta(Assignment, &["a", &one, &two], &[]);
    talk.ack(Assignment);
    let said = talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    assert_eq!(said, [format!("eds +a +{one} +{two}")]);
    talk.world(&services(vec![web("shop/a", &["10.8.0.8:80"])]));
    talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    assert_eq!(talk.ack(Assignment), NOTHING);
    talk.delta(Assignment, &[], &["a", &one]);
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.1:80"])])), [format!("eds +{two}")]);
    talk.ack(Assignment);
    talk.delta(Assignment, &[], &[&two]);
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), NOTHING);
}

#[test]
fn c44_what_is_not_there_is_told_at_once_and_again_when_it_is_born() {
    let mut talk = Talk::new(Variant::Delta);
    let asked = name("eu", Assignment, C);
    assert_eq!(talk.delta(Assignment, &[&asked], &[]), [format!("eds -{asked}")], "C24");
    talk.ack(Assignment);
    assert_eq!(talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])])), [format!("eds +{asked}")]);
    talk.ack(Assignment);
    let other_type = name("eu", Cluster, C);
    assert_eq!(talk.delta(Assignment, &[&other_type], &[]), [format!("eds -{other_type}")]);
}

#[test]
fn c44_a_resumed_stream_is_told_the_difference() {
    let mut talk = Talk::new(Variant::Delta);
    let (one, two) = (name("", Assignment, A), name("eu", Assignment, A));
    let known = [(&*one, talk.version(Assignment, &one)), (&*two, "0123456789abcdef".to_owned())];
    assert_ne!(known[0].1, talk.version(Assignment, A), "other bytes, another version");
    assert_eq!(talk.delta_full(Assignment, &[&one, &two], &[], &known, "", None), [format!("eds +{two}")]);
}

#[test]
fn c44_an_envoys_cluster_keeps_its_plain_load_assignment_and_is_followed_by_it() {
    let mut talk = Talk::with(Variant::Delta, None, services(vec![web("shop/a", &["10.8.0.1:80"])]));
    let asked = name("eu", Cluster, A);
    assert_eq!(talk.delta(Cluster, &[&asked], &[]), [format!("cds +{asked}")]);
    talk.ack(Cluster);
    let cluster: cds::Cluster = find(&talk, Cluster, &asked);
    assert_eq!(cluster.name, asked);
    assert_eq!(cluster.eds_cluster_config.expect("an EDS cluster").service_name, A);
    talk.delta(Assignment, &["a"], &[]);
    talk.ack(Assignment);
    assert_eq!(talk.delta(Cluster, &[&asked], &[]), [format!("cds +{asked}"), "eds +a".to_owned()], "C34");
    talk.ack(Cluster);
    talk.ack(Assignment);
    assert_eq!(talk.world(&service_gone("shop/a")), ["eds -a".to_owned(), format!("cds -{asked}")]);
}

#[test]
fn c44_an_on_demand_cluster_with_an_authority_is_never_nothing() {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.set_ready();
    let mut talk = Talk::of(Variant::Delta, on_demand(), catalog);
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    let asked = name("eu", Cluster, C);
    assert_eq!(talk.delta(Cluster, &[&asked], &[]), [format!("cds +{asked}")]);
    talk.ack(Cluster);
    assert!(find::<cds::Cluster>(&talk, Cluster, &asked).eds_cluster_config.is_none(), "a stand-in");
    let said = talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(said, [format!("cds +{asked}")]);
    assert!(find::<cds::Cluster>(&talk, Cluster, &asked).eds_cluster_config.is_some());
}

#[test]
fn c44_a_grpc_client_finds_its_way_within_the_authority() {
    for variant in [Variant::Sotw, Variant::Delta] {
        let mut talk = grpc_talk(variant);
        let [listener, table, cluster, load] = [(Listener, DIALLED), (Route, A), (Cluster, A), (Assignment, A)]
            .map(|(t, plain)| name("mesh.example", t, plain));
        let ask = |talk: &mut Talk, t: ResourceType, name: &str| match variant {
            Variant::Sotw => {
                let said = talk.sotw(t, &[name]);
                assert_eq!(talk.sotw(t, &[name]), NOTHING, "the ACK");
                said
            }
            Variant::Delta => {
                let said = talk.delta(t, &[name], &[]);
                assert_eq!(talk.ack(t), NOTHING);
                said
            }
        };
        for (t, name) in [(Listener, &listener), (Route, &table), (Cluster, &cluster), (Assignment, &load)] {
            assert_eq!(ask(&mut talk, t, name), [format!("{} +{name}", t.label())]);
        }
        let api: lds::Listener = find(&talk, Listener, &listener);
        let manager = api.api_listener.and_then(|api| api.api_listener).expect("an API listener");
        let manager = hcm::HttpConnectionManager::decode(&*manager.value).expect("a manager");
        assert!(format!("{:?}", manager.route_specifier).contains(&table), "{manager:?}");
        let routes: rds::RouteConfiguration = find(&talk, Route, &table);
        assert!(format!("{:?}", routes.virtual_hosts).contains(&format!("Cluster({cluster:?})")), "{routes:?}");
        let found: cds::Cluster = find(&talk, Cluster, &cluster);
        assert_eq!(found.eds_cluster_config.expect("an EDS cluster").service_name, load);
        assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), [format!("eds +{load}")]);
    }
}

#[test]
fn c44_a_listener_that_is_not_there_leads_nowhere_under_its_name() {
    let mut talk = grpc_talk(Variant::Sotw);
    let asked = name("mesh.example", Listener, NOBODY);
    assert_eq!(talk.sotw(Listener, &[&asked]), [format!("lds +{asked}")]);
    let before = talk.version(Listener, &asked);
    talk.sotw(Listener, &[&asked]);
    assert_eq!(talk.world(&services(vec![web("shop/nobody", &["10.8.0.3:80"])])), [format!("lds +{asked}")]);
    assert_ne!(talk.version(Listener, &asked), before);
    talk.sotw(Listener, &[&asked]);
    assert_eq!(talk.world(&service_gone("shop/nobody")), [format!("lds +{asked}")]);
    assert_eq!(talk.version(Listener, &asked), before);
}
