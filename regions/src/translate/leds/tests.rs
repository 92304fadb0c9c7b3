use std::collections::BTreeMap;

use federation::model::{AppProtocol, Family, RankingRule};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::testing::*;

const WEB: &str = "xdstp:///envoy.config.endpoint.v3.LbEndpoint/web.shop/80/";

fn names(difference: &Difference) -> (Vec<String>, Vec<String>) {
    let put = difference.put.iter().map(|resource| resource.name().to_string()).collect();
    (put, difference.gone.clone())
}

#[test]
fn c43_one_endpoint_that_changes_is_one_resource() {
    let old = web("shop/web", &["10.8.0.1:80", "10.8.0.2:80", "10.8.0.3:80"]);
    let new = web("shop/web", &["10.8.0.1:80", "10.8.0.2:80!", "10.8.0.4:80"]);
    let at = format!("{WEB}eu-1/eu-a/");
    let expected = (vec![format!("{at}10.8.0.2-80"), format!("{at}10.8.0.4-80")], vec![format!("{at}10.8.0.3-80")]);
    assert_eq!(names(&difference(None, Some(&old), Some(&new))), expected);
    assert_eq!(names(&difference(None, Some(&old), Some(&old))), (vec![], vec![]));
}

#[test]
fn c43_load_assignments_say_where_endpoints_are_and_stay_while_these_change() {
    let load = |hosts: &[&str]| {
        let service = web("shop/web", hosts);
        let topology = two_members().topology.expect("a topology");
        let port = service.ports.first().expect("a port");
        load_assignment(
            &service.key,
            80,
            &federation::ranking::assign(&class(None).client, &service, port, &RankingRule::default(), &topology),
        )
    };
    let one = load(&["10.8.0.1:80"]);
    assert_eq!(one, load(&["10.8.0.1:80~", "10.8.0.2:80"]));
    assert_eq!(one.load().map(|begin| &**begin), Some(WEB));
    let any = envoy_types::pb::google::protobuf::Any::decode(one.any_bytes()).expect("an Any");
    let message = pb::ClusterLoadAssignment::decode(&*any.value).expect("a load assignment");
    let Some(LbConfig::LedsClusterLocalityConfig(found)) = &message.endpoints[0].lb_config else {
        panic!("{message:?}")
    };
    assert_eq!(found.leds_collection_name, format!("{WEB}eu-1/eu-a/*"));
    assert_eq!(glob(&found.leds_collection_name), Some(&*format!("{WEB}eu-1/eu-a/")));
    assert_eq!(collection_of(&format!("{WEB}eu-1/eu-a/10.8.0.1-80")), found.leds_collection_name);
}

/// Zones that are part of one another, that look like none, or whose characters mean something in such names.
#[test]
fn zones_of_any_text_have_collections_of_their_own() {
    let zones = ["eu", "eu/a", "eu/*", "eu-a", "-", "a?b", "a#b", "a%2Fb", "a=2fb", "[::1]", "zone ä", "eu|a", "*"];
    let hosts = |in_zone: &str| {
        merged("shop/web", vec![port(80, AppProtocol::Http, vec![backend("eu-1", in_zone, &["10.8.0.1:80"])])])
    };
    let mut collections: Vec<String> = zones
        .iter()
        .map(|zone| {
            let (put, _) = names(&difference(None, None, Some(&hosts(zone))));
            let [name] = &*put else { panic!("one endpoint: {put:?}") };
            let collection = collection_of(name);
            let segment = collection.strip_prefix(&format!("{WEB}eu-1/")).and_then(|rest| rest.strip_suffix("/*"));
            let segment = segment.unwrap_or_else(|| panic!("{collection}"));
            assert!(!segment.contains(['/', '?', '#', '%', '*', '[', ']', ':', ' ']), "{zone}: {segment}");
            collection
        })
        .collect();
    collections.push(format!("{WEB}eu-1/-/*"));
    let unique: std::collections::BTreeSet<_> = collections.iter().collect();
    assert_eq!(unique.len(), collections.len(), "{collections:?}");
    assert!(collections.contains(&format!("{WEB}eu-1/eu-a/*")), "ordinary zones are kept as they are");
}

/// No endpoint is ready: those that terminate serve, but only for clients that reach no ready one.
#[test]
fn a_backend_of_draining_hosts_is_two_collections() {
    let old = web("shop/web", &["10.8.0.1:80", "10.8.0.2:80~"]);
    let new = web("shop/web", &["10.8.0.1:80~", "10.8.0.2:80~", "10.8.0.3:80#"]);
    let (at, last) = (format!("{WEB}eu-1/eu-a/"), format!("{WEB}-eu-1/eu-a/"));
    let there = |begin: &str, hosts: &[u8]| hosts.iter().map(|n| format!("{begin}10.8.0.{n}-80")).collect::<Vec<_>>();
    let begun = names(&difference(None, Some(&old), Some(&new)));
    assert_eq!(begun, ([there(&at, &[1, 3]), there(&last, &[1, 2, 3])].concat(), vec![]));
    let ended = names(&difference(None, Some(&new), Some(&old)));
    assert_eq!(ended, (there(&at, &[1]), [there(&at, &[3]), there(&last, &[1, 2, 3])].concat()));

    let statuses = |begin: &str| -> Vec<i32> {
        let whole = difference(None, None, Some(&new)).put;
        let ours = whole.iter().filter(|resource| resource.name().starts_with(begin));
        ours.map(|resource| {
            let any = envoy_types::pb::google::protobuf::Any::decode(resource.any_bytes()).expect("an Any");
            pb::LbEndpoint::decode(&*any.value).expect("an endpoint").health_status
        })
        .collect()
    };
    let (healthy, draining) = (1, 3);
    assert_eq!(statuses(&at), [draining; 3]);
    assert_eq!(statuses(&last), [healthy, healthy, draining]);
}

#[test]
fn a_load_assignment_names_the_collection_that_its_clients_need() {
    let collections = |far: &str| -> Vec<String> {
        let near = backend("eu-1", "eu-a", &["10.8.0.1:80~"]);
        let lost = backend("eu-1", "eu-b", &["10.8.1.1:80!"]);
        let service =
            merged("shop/web", vec![port(80, AppProtocol::Http, vec![near, lost, backend("us-1", "us-a", &[far])])]);
        let topology = two_members().topology.expect("a topology");
        let assignment = federation::ranking::assign(
            &class(None).client,
            &service,
            &service.ports[0],
            &RankingRule::default(),
            &topology,
        );
        let load = load_assignment(&service.key, 80, &assignment);
        let any = envoy_types::pb::google::protobuf::Any::decode(load.any_bytes()).expect("an Any");
        let message = pb::ClusterLoadAssignment::decode(&*any.value).expect("a load assignment");
        let name = |group: &pb::LocalityLbEndpoints| match &group.lb_config {
            Some(LbConfig::LedsClusterLocalityConfig(config)) => config.leds_collection_name.clone(),
            other => panic!("{other:?}"),
        };
        message.endpoints.iter().map(name).collect()
    };
    let with = |near: &str, far: &str| [format!("{WEB}{near}eu-1/eu-a/*"), format!("{WEB}eu-1/eu-b/*"), far.to_owned()];
    assert_eq!(collections("10.9.0.1:80"), with("", &format!("{WEB}us-1/us-a/*")), "another endpoint is ready");
    assert_eq!(collections("10.9.0.1:80~"), with("-", &format!("{WEB}-us-1/us-a/*")));
    assert_eq!(collections("10.9.0.1:80!"), with("-", &format!("{WEB}us-1/us-a/*")), "one collection is enough");
}

/// Under the same names, for clients with other families.
#[test]
fn endpoints_have_the_addresses_that_a_client_can_dial() {
    let hosts = ["10.8.0.1:80+fd00::1", "10.8.0.2:80", "10.8.0.3:80+fd00::0", "[fd00::9]:80"];
    let service = merged("shop/web", vec![port(80, AppProtocol::Http, vec![dual("eu-1", "eu-a", &hosts)])]);
    let sent_to = |families: Option<Families>| -> Vec<String> {
        let whole = difference(families, None, Some(&service)).put;
        let text = |resource: &Resource| {
            let any = envoy_types::pb::google::protobuf::Any::decode(resource.any_bytes()).expect("an Any");
            let endpoint = pb::LbEndpoint::decode(&*any.value).expect("an endpoint");
            let name = resource.name().strip_prefix(&format!("{WEB}eu-1/eu-a/")).expect("the collection").to_owned();
            name + " " + &crate::translate::tests::addresses(&endpoint)
        };
        whole.iter().map(text).collect()
    };
    let (v4, v6) = (Family::V4, Family::V6);
    let only_v4 = ["10.8.0.1-80 10.8.0.1", "10.8.0.2-80 10.8.0.2", "10.8.0.3-80 10.8.0.3"];
    assert_eq!(sent_to(Some(Families::Only(v4))), only_v4);
    let only_v6 = ["fd00::-80 fd00::", "fd00::1-80 fd00::1", "fd00::9-80 fd00::9"];
    assert_eq!(sent_to(Some(Families::Only(v6))), only_v6);
    let v4_first =
        ["10.8.0.1-80 10.8.0.1 fd00::1", "10.8.0.2-80 10.8.0.2", "10.8.0.3-80 10.8.0.3 fd00::", "fd00::9-80 fd00::9"];
    assert_eq!(sent_to(Some(Families::Both(v4))), v4_first);
    assert_eq!(sent_to(None), v4_first);
    let v6_first =
        ["10.8.0.2-80 10.8.0.2", "fd00::-80 fd00:: 10.8.0.3", "fd00::1-80 fd00::1 10.8.0.1", "fd00::9-80 fd00::9"];
    assert_eq!(sent_to(Some(Families::Both(v6))), v6_first);
}

fn families() -> impl Strategy<Value = Option<Families>> {
    let (v4, v6) = (Family::V4, Family::V6);
    let all = [Families::Only(v4), Families::Only(v6), Families::Both(v4), Families::Both(v6)];
    prop::option::of(prop::sample::select(all.to_vec()))
}

fn hosts() -> impl Strategy<Value = BTreeMap<u8, usize>> {
    prop_oneof![
        prop::collection::btree_map(0..20u8, 0..4usize, 0..20),
        prop::collection::btree_map(0..20u8, 1..4usize, 0..20),
    ]
}

/// Every third host has a second address, and every fifth has only that.
fn service(zones: &[BTreeMap<u8, usize>; 2]) -> Merged {
    let backends = zones.iter().enumerate().filter(|(_, hosts)| !hosts.is_empty()).map(|(i, hosts)| {
        let text = |(octet, health): (&u8, &usize)| {
            let mark = ["", "~", "!", "#"][*health];
            match octet {
                octet if octet % 5 == 0 => format!("[fd00::{i}:{octet}]:80{mark}"),
                octet if octet % 3 == 0 => format!("10.8.{i}.{octet}:80{mark}+fd00::{i}:{:x}", 99 - octet),
                octet => format!("10.8.{i}.{octet}:80{mark}"),
            }
        };
        let (v6, v4): (Vec<_>, Vec<_>) = hosts.iter().partition(|(octet, _)| *octet % 5 == 0);
        let hosts: Vec<String> = v4.into_iter().chain(v6).map(text).collect();
        dual("eu-1", ["eu-a", "eu-b"][i], &hosts.iter().map(|host| &**host).collect::<Vec<_>>())
    });
    merged("shop/web", vec![port(80, AppProtocol::Http, backends.collect())])
}

proptest! {
    #[test]
    fn differences_add_up_to_the_whole(families in families(), steps in prop::collection::vec([hosts(), hosts()], 1..10)) {
        let mut held: BTreeMap<String, Resource> = BTreeMap::new();
        let mut old: Option<Merged> = None;
        for step in &steps {
            let new = service(step);
            let Difference { put, gone } = difference(families, old.as_ref(), Some(&new));
            for name in gone {
                prop_assert!(held.remove(&name).is_some(), "{} was not there", name);
            }
            for resource in put {
                let before = held.insert(resource.name().to_string(), resource.clone());
                prop_assert_ne!(before, Some(resource), "encoded without need");
            }
            let whole: Vec<_> = difference(families, None, Some(&new)).put;
            prop_assert_eq!(held.len(), whole.len());
            prop_assert!(whole.iter().all(|resource| held.get(&**resource.name()) == Some(resource)));
            old = Some(new);
        }
        prop_assert_eq!(difference(families, old.as_ref(), None).gone.len(), held.len());
    }
}
