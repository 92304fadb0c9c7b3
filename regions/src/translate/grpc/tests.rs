//! The contents of resources, read back from their bytes.

use envoy_types::pb::envoy::config::cluster::v3 as c;
use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::endpoint::v3 as e;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::listener::v3 as l;
use envoy_types::pb::envoy::config::route::v3 as r;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::google::protobuf::Any;
use federation::model::AppProtocol::Http;
use federation::model::{Backend, Families, Family, RankingRule};
use federation::ranking::{Assignment, ClientClass, Locality, RankReason, Reach, assign};
use hcm::http_connection_manager::RouteSpecifier;
use prost::Message;

use super::*;
use crate::resource::Resource;
use crate::testing::{backend, class, dual, key, merged, port, two_members};
use crate::translate::route;

const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

pub(super) fn read<T: Message + Default>(resource: &Resource) -> T {
    let any = Any::decode(resource.any_bytes()).expect("an Any");
    T::decode(&*any.value).expect("the message that its type URL names")
}

fn manager_in(any: Option<Any>) -> hcm::HttpConnectionManager {
    let any = any.expect("a typed configuration");
    assert!(any.type_url.ends_with("v3.HttpConnectionManager"), "{}", any.type_url);
    hcm::HttpConnectionManager::decode(&*any.value).expect("a connection manager")
}

/// The only filter, and so the last: the router.
fn ends_with_the_router(manager: &hcm::HttpConnectionManager) {
    let types: Vec<_> = manager.http_filters.iter().filter_map(|filter| filter.config_type.clone()).collect();
    let [hcm::http_filter::ConfigType::TypedConfig(router)] = &types[..] else { panic!("{types:?}") };
    assert_eq!(router.type_url, ROUTER);
}

#[test]
fn c49_a_listener_is_named_as_requested_and_fetches_its_routes() {
    let resource = listener(&key("shop/web"), 9000);
    let message: l::Listener = read(&resource);
    assert_eq!(&**resource.name(), "web.shop.svc.cluster.local:9000");
    assert_eq!(message.name, "web.shop.svc.cluster.local:9000");
    assert_eq!(message.address, None, "that would make it a server's");
    let manager = manager_in(message.api_listener.expect("an api_listener").api_listener);
    ends_with_the_router(&manager);
    let Some(RouteSpecifier::Rds(rds)) = manager.route_specifier else { panic!("{manager:?}") };
    let source = rds.config_source.and_then(|source| source.config_source_specifier);
    assert!(matches!(source, Some(ConfigSourceSpecifier::Ads(_))), "{source:?}");
    assert_eq!(rds.route_config_name, "outbound|9000||web.shop.svc.cluster.local");
}

#[test]
fn c50_the_table_that_a_listener_names_is_envoys() {
    let table: r::RouteConfiguration = read(&route::table(&key("shop/web"), 9000, false));
    assert_eq!(table.name, "outbound|9000||web.shop.svc.cluster.local");
    let [host] = &table.virtual_hosts[..] else { panic!("{table:?}") };
    assert_eq!(host.domains, ["*"], "gRPC matches the authority, which has the port in it");
    let [route] = &host.routes[..] else { panic!("{host:?}") };
    let Some(r::route::Action::Route(action)) = &route.action else { panic!("{route:?}") };
    let expected = r::route_action::ClusterSpecifier::Cluster("outbound|9000||web.shop.svc.cluster.local".to_owned());
    assert_eq!(action.cluster_specifier.as_ref(), Some(&expected));
    assert_eq!(action.retry_policy, None, "Envoy's is in its clusters; gRPC has its own in the service config");
}

#[test]
fn c51_a_cluster_asks_for_no_more_than_the_minimum() {
    let cluster: c::Cluster = read(&cluster(&key("shop/web"), 9000, false));
    assert_eq!(cluster.name, "outbound|9000||web.shop.svc.cluster.local");
    assert_eq!(cluster.cluster_discovery_type, Some(c::cluster::ClusterDiscoveryType::Type(3)), "EDS");
    assert_eq!(cluster.lb_policy(), c::cluster::LbPolicy::RoundRobin);
    let eds = cluster.eds_cluster_config.expect("where the endpoints are");
    assert_eq!(eds.service_name, "", "the cluster's own name");
    let source = eds.eds_config.and_then(|source| source.config_source_specifier);
    assert!(matches!(source, Some(ConfigSourceSpecifier::Ads(_))), "{source:?}");
    let limits = cluster.circuit_breakers.expect("limits").thresholds;
    assert!(limits.iter().all(|limit| limit.max_requests.is_some_and(|max| max.value == u32::MAX)), "{limits:?}");
}

/// Zone, cluster, weight, hosts.
type Spot<'a> = (&'a str, &'a str, u32, &'a [&'a str]);

/// `priority zone/cluster weight: address …`
fn lines_as(reach: Reach, weighted: bool, tiers: &[&[Spot<'_>]]) -> Vec<String> {
    let region = federation::model::RegionId::new("eu").expect("a region");
    let row = |(zone, cluster, weight, hosts): &Spot<'_>| (*weight, backend(cluster, zone, hosts));
    let owned: Vec<Vec<(u32, Backend)>> = tiers.iter().map(|tier| tier.iter().map(row).collect()).collect();
    let locality = |(weight, backend)| Locality { region: &region, weight, reason: RankReason::UNRANKED, backend };
    let tiers = owned.iter().map(|tier| tier.iter().map(|(w, b)| locality((*w, b))).collect()).collect();
    let load: e::ClusterLoadAssignment = read(&load_assignment("x", &Assignment { tiers, weighted, reach }));
    assert_eq!(load.cluster_name, "x");
    load.endpoints.iter().map(line).collect()
}

pub(super) fn reach(last_resort: bool) -> Reach {
    Reach::default().as_last_resort(last_resort)
}

fn lines(weighted: bool, tiers: &[&[Spot<'_>]]) -> Vec<String> {
    lines_as(reach(false), weighted, tiers)
}

fn line(group: &e::LocalityLbEndpoints) -> String {
    let place = group.locality.clone().unwrap_or_default();
    let weight = group.load_balancing_weight.map_or(0, |weight| weight.value);
    let hosts: Vec<String> = group.lb_endpoints.iter().map(address_of).collect();
    format!("{} {}/{} {weight}: {}", group.priority, place.zone, place.sub_zone, hosts.join(" "))
}

pub(super) fn address_of(host: &e::LbEndpoint) -> String {
    let Some(HostIdentifier::Endpoint(endpoint)) = &host.host_identifier else { panic!("{host:?}") };
    let Some(Address::SocketAddress(at)) = endpoint.address.clone().and_then(|a| a.address) else { panic!("{host:?}") };
    let Some(PortSpecifier::PortValue(port)) = at.port_specifier else { panic!("{at:?}") };
    format!("{}:{port}", at.address)
}

#[test]
fn c52_only_ready_hosts_are_sent_and_each_has_the_same_share() {
    let near: &[&str] = &["10.8.0.1:80", "10.8.0.2:80!", "10.8.0.3:80~", "10.8.0.4:80"];
    assert_eq!(
        lines(false, &[&[("a", "eu-1", 9, near), ("b", "eu-1", 9, &["10.8.1.1:80"])]]),
        ["0 a/eu-1 2: 10.8.0.1:80 10.8.0.4:80", "0 b/eu-1 1: 10.8.1.1:80"]
    );
}

#[test]
fn c52_a_tier_without_ready_hosts_leaves_no_gap() {
    let tiers: &[&[Spot<'_>]] = &[
        &[("a", "eu-1", 1, &["10.8.0.1:80!", "10.8.0.2:80~"])],
        &[("b", "eu-1", 1, &["10.8.1.1:80"]), ("c", "eu-1", 1, &["10.8.2.1:80!"])],
        &[],
        &[("d", "us-1", 1, &["10.9.0.1:80"])],
    ];
    assert_eq!(lines(false, tiers), ["0 b/eu-1 1: 10.8.1.1:80", "1 d/us-1 1: 10.9.0.1:80"]);
    assert_eq!(lines(false, &tiers[..1]), [""; 0], "no endpoint is ready: calls fail at once");
}

#[test]
fn hosts_that_terminate_are_sent_as_a_last_resort_only() {
    let tiers: &[&[Spot<'_>]] = &[
        &[("a", "eu-1", 1, &["10.8.0.1:80!", "10.8.0.2:80#"])],
        &[("b", "eu-1", 1, &["10.8.1.1:80~", "10.8.1.2:80!"]), ("c", "eu-1", 1, &["10.8.2.1:80~", "10.8.2.2:80~"])],
        &[("d", "us-1", 1, &["10.9.0.1:80~", "10.9.0.2:80#"])],
    ];
    assert_eq!(lines(false, tiers), [""; 0]);
    let last_resort = reach(true);
    let expected = ["0 b/eu-1 1: 10.8.1.1:80", "0 c/eu-1 2: 10.8.2.1:80 10.8.2.2:80", "1 d/us-1 1: 10.9.0.1:80"];
    assert_eq!(lines_as(last_resort, false, tiers), expected);
    // Of two hosts one is lost: 70 % of its share.
    assert_eq!(lines_as(last_resort, true, &[&[("b", "eu-1", 100, tiers[1][0].3)]]), ["0 b/eu-1 70: 10.8.1.1:80"]);
}

/// Not every gRPC library knows more than one address of a host (gRFC A61), so it is sent one that it can dial.
#[test]
fn a_host_of_two_families_has_the_clients_first_address() {
    let hosts = dual("eu-1", "a", &["10.8.0.1:80+fd00::1", "10.8.0.2:80", "[fd00::9]:80"]);
    let service = merged("shop/web", vec![port(80, Http, vec![hosts])]);
    let topology = two_members().topology.expect("a topology");
    let sent_to = |families: Option<Families>| {
        let client = ClientClass { families, ..class(None).client };
        let assignment = assign(&client, &service, &service.ports[0], &RankingRule::default(), &topology);
        let load: e::ClusterLoadAssignment = read(&load_assignment("x", &assignment));
        load.endpoints.iter().map(line).collect::<Vec<_>>()
    };
    let (v4, v6) = (Family::V4, Family::V6);
    assert_eq!(sent_to(Some(Families::Only(v4))), ["0 a/eu-1 2: 10.8.0.1:80 10.8.0.2:80"]);
    assert_eq!(sent_to(Some(Families::Only(v6))), ["0 a/eu-1 2: fd00::1:80 fd00::9:80"]);
    assert_eq!(sent_to(Some(Families::Both(v6))), ["0 a/eu-1 3: fd00::1:80 10.8.0.2:80 fd00::9:80"]);
    assert_eq!(sent_to(None), ["0 a/eu-1 3: 10.8.0.1:80 10.8.0.2:80 fd00::9:80"]);
}

#[test]
fn c52_an_address_that_two_members_offer_is_sent_once() {
    let tiers: &[&[Spot<'_>]] = &[
        &[("a", "eu-1", 1, &["10.250.0.1:5432!", "10.8.0.1:80"])],
        &[("a", "eu-2", 1, &["10.250.0.1:5432"]), ("b", "eu-1", 1, &["10.250.0.1:5432", "10.8.0.2:80"])],
        &[("d", "us-1", 1, &["10.250.0.1:5432"])],
    ];
    let expected = ["0 a/eu-1 1: 10.8.0.1:80", "1 a/eu-2 1: 10.250.0.1:5432", "1 b/eu-1 1: 10.8.0.2:80"];
    assert_eq!(lines(false, tiers), expected, "by the nearest that is ready");
}

#[test]
fn declared_weights_shrink_with_the_loss_of_hosts_as_in_envoy() {
    let weight = |hosts: &[&str]| lines(true, &[&[("a", "eu-1", 1_000, hosts)]]);
    let (one, two, three, four) = ("10.8.0.1:80", "10.8.0.2:80", "10.8.0.3:80", "10.8.0.4:80");
    assert_eq!(weight(&[one, two, three, "10.8.0.4:80!"]), [format!("0 a/eu-1 1000: {one} {two} {three}")]);
    assert_eq!(weight(&[one, two, "10.8.0.3:80!", "10.8.0.4:80!"]), [format!("0 a/eu-1 700: {one} {two}")]);
    // Who drains is no loss.
    assert_eq!(weight(&["10.8.0.1:80~", "10.8.0.2:80~", "10.8.0.3:80~", four]), [format!("0 a/eu-1 1000: {four}")]);
}

#[test]
fn weights_that_would_overflow_keep_their_proportion() {
    let found = lines(
        true,
        &[&[
            ("a", "eu-1", u32::MAX, &["10.8.0.1:80"]),
            ("b", "eu-1", u32::MAX / 3, &["10.8.0.2:80"]),
            ("c", "eu-1", 1, &["10.8.0.3:80"]),
        ]],
    );
    assert_eq!(
        found,
        ["0 a/eu-1 3221225468: 10.8.0.1:80", "0 b/eu-1 1073741822: 10.8.0.2:80", "0 c/eu-1 1: 10.8.0.3:80"]
    );
}

#[test]
fn c53_a_servers_listener_has_its_address_and_lets_calls_in() {
    for at in ["127.0.0.1:50051", "[fd00::7]:50051", "0.0.0.0:80"] {
        let name = format!("grpc/server?xds.resource.listening_address={at}");
        let resource = server_listener(&name).expect("a server's listener");
        let message: l::Listener = read(&resource);
        assert_eq!((&**resource.name(), &*message.name), (&*name, &*name));
        let expected: std::net::SocketAddr = at.parse().expect("an address");
        assert_eq!(message.address, Some(crate::translate::proto::address(expected)));
        assert_eq!(message.api_listener, None, "that would make it a client's");
        let mut filters = message.default_filter_chain.expect("a chain for every caller").filters;
        assert_eq!(filters.len(), 1);
        let Some(l::filter::ConfigType::TypedConfig(any)) = filters.remove(0).config_type else { panic!("no config") };
        let manager = manager_in(Some(any));
        ends_with_the_router(&manager);
        let Some(RouteSpecifier::RouteConfig(table)) = manager.route_specifier else { panic!("{manager:?}") };
        let [host] = &table.virtual_hosts[..] else { panic!("{table:?}") };
        assert_eq!(host.domains, ["*"]);
        let actions: Vec<_> = host.routes.iter().map(|route| route.action.clone()).collect();
        assert_eq!(actions, [Some(r::route::Action::NonForwardingAction(r::NonForwardingAction::default()))]);
    }
}

#[test]
fn no_other_name_is_a_servers() {
    for name in [
        "web.shop.svc.cluster.local:80",
        "grpc/server?xds.resource.listening_address=",
        "grpc/server?xds.resource.listening_address=localhost:80",
        "grpc/server?xds.resource.listening_address=127.0.0.1",
        "0.0.0.0_80",
        "",
    ] {
        assert_eq!(server_listener(name), None, "{name:?}");
    }
}

#[test]
fn a_service_that_is_not_there_has_a_listener_that_leads_nowhere() {
    let name = "unknown.shop.svc.cluster.local:80";
    let resource = placeholder(name).expect("a listener");
    let message: l::Listener = read(&resource);
    assert_eq!((&**resource.name(), &*message.name), (name, name));
    let manager = manager_in(message.api_listener.expect("an api_listener").api_listener);
    ends_with_the_router(&manager);
    let Some(RouteSpecifier::RouteConfig(table)) = manager.route_specifier else { panic!("{manager:?}") };
    assert_eq!(table.virtual_hosts, []);
    assert_eq!(placeholder("grpc/server?xds.resource.listening_address=nowhere"), None);
}
