use std::collections::BTreeMap;

use federation::model::AppProtocol;
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
    assert_eq!(names(&difference(Some(&old), Some(&new))), expected);
    assert_eq!(names(&difference(Some(&old), Some(&old))), (vec![], vec![]));
}

#[test]
fn c43_load_assignments_say_where_endpoints_are_and_stay_while_these_change() {
    let load = |hosts: &[&str]| {
        let service = web("shop/web", hosts);
        let topology = two_members().topology.expect("a topology");
        let port = service.ports.first().expect("a port");
        load_assignment(&service.key, 80, &federation::view::assign(&class(None).client, &service, port, &topology))
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
            let (put, _) = names(&difference(None, Some(&hosts(zone))));
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
    assert!(collections.contains(&format!("{WEB}eu-1/eu-a/*")), "ordinary zones are spelled as they are");
}

fn hosts() -> impl Strategy<Value = BTreeMap<u8, bool>> {
    prop::collection::btree_map(0..20u8, any::<bool>(), 0..20)
}

fn service(zones: &[BTreeMap<u8, bool>; 2]) -> Merged {
    let backends = zones.iter().enumerate().filter(|(_, hosts)| !hosts.is_empty()).map(|(i, hosts)| {
        let hosts: Vec<String> = hosts
            .iter()
            .map(|(octet, ready)| format!("10.8.{i}.{octet}:80{}", if *ready { "" } else { "!" }))
            .collect();
        backend("eu-1", ["eu-a", "eu-b"][i], &hosts.iter().map(|host| &**host).collect::<Vec<_>>())
    });
    merged("shop/web", vec![port(80, AppProtocol::Http, backends.collect())])
}

proptest! {
    #[test]
    fn differences_add_up_to_the_whole(steps in prop::collection::vec([hosts(), hosts()], 1..10)) {
        let mut held: BTreeMap<String, Resource> = BTreeMap::new();
        let mut old: Option<Merged> = None;
        for step in &steps {
            let new = service(step);
            let Difference { put, gone } = difference(old.as_ref(), Some(&new));
            for name in gone {
                prop_assert!(held.remove(&name).is_some(), "{} was not there", name);
            }
            for resource in put {
                let before = held.insert(resource.name().to_string(), resource.clone());
                prop_assert_ne!(before, Some(resource), "encoded in vain");
            }
            let whole: Vec<_> = difference(None, Some(&new)).put;
            prop_assert_eq!(held.len(), whole.len());
            prop_assert!(whole.iter().all(|resource| held.get(&**resource.name()) == Some(resource)));
            old = Some(new);
        }
        prop_assert_eq!(difference(old.as_ref(), None).gone.len(), held.len());
    }
}
