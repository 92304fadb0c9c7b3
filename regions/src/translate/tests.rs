//! The contents of resources, read back from their bytes.

use envoy_types::pb::envoy::config::cluster::v3 as c;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::core::v3::HealthStatus;
use envoy_types::pb::envoy::config::endpoint::v3 as e;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::listener::v3 as l;
use envoy_types::pb::envoy::config::route::v3 as r;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as h;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::google::protobuf::Any;
use federation::Topology;
use federation::model::AppProtocol::{self, Http, Http2, Tcp};
use federation::model::{ClusterWeight, Failover, Families, Family, Merged, RankingRule};
use federation::ranking::{ClientClass, assign};
use prost::Message;

use super::cluster::Balancing;
use super::route::RoutedPort;
use super::*;
use crate::resource::Resource;
use crate::testing::*;

fn read<T: Message + Default>(resource: &Resource) -> T {
    let any = Any::decode(resource.any_bytes()).expect("an Any");
    T::decode(&*any.value).expect("the message that its type URL names")
}

fn load(service: &Merged) -> e::ClusterLoadAssignment {
    let topology: Topology = (*two_members().topology.expect("a topology")).clone();
    let port = service.ports.first().expect("a port");
    let client = class(Some("eu-1")).client;
    read(&endpoint::load_assignment("x", &assign(&client, service, port, &RankingRule::default(), &topology)))
}

/// `priority region/zone/cluster weight: address=HEALTH …`
fn lines(load: &e::ClusterLoadAssignment) -> Vec<String> {
    let line = |group: &e::LocalityLbEndpoints| {
        let place = group.locality.clone().unwrap_or_default();
        let hosts = group.lb_endpoints.iter().map(|host| {
            let health = HealthStatus::try_from(host.health_status).expect("a status");
            let at = format!("{:?}", host.host_identifier);
            let ip = at.split('"').find(|part| part.starts_with("10.")).unwrap_or("?");
            format!(" {ip}={}", health.as_str_name())
        });
        let weight = group.load_balancing_weight.map_or(0, |weight| weight.value);
        let hosts: String = hosts.collect();
        format!("{} {}/{}/{} {weight}:{hosts}", group.priority, place.region, place.zone, place.sub_zone)
    };
    load.endpoints.iter().map(line).collect()
}

#[test]
fn load_assignments_rank_localities_and_say_how_each_host_is() {
    let backends = vec![
        backend("eu-1", "eu-a", &["10.8.0.1:80", "10.8.0.2:80!", "10.8.0.3:80~"]),
        backend("eu-1", "eu-b", &["10.8.1.1:80"]),
        backend("us-1", "us-a", &["10.9.0.1:80"]),
    ];
    let service = merged("shop/web", vec![port(80, Http, backends)]);
    assert_eq!(
        lines(&load(&service)),
        [
            "0 eu/eu-a/eu-1 3: 10.8.0.1=HEALTHY 10.8.0.2=UNHEALTHY 10.8.0.3=DRAINING",
            "1 eu/eu-b/eu-1 2: 10.8.1.1=HEALTHY",
            "2 us/us-a/us-1 2: 10.9.0.1=HEALTHY",
        ]
    );
}

#[test]
fn a_host_that_starts_to_drain_moves_a_locality_weight() {
    // Even the only host of a locality: 2 → 1, never 1 → 1.
    let weight = |host: &str, far: &str| {
        let backends = vec![backend("eu-1", "eu-a", &[host]), backend("us-1", "us-a", &[far])];
        lines(&load(&merged("shop/web", vec![port(80, Http, backends)])))
    };
    let ready = "1 us/us-a/us-1 2: 10.9.0.1=HEALTHY";
    assert_eq!(weight("10.8.0.1:80!", "10.9.0.1:80"), ["0 eu/eu-a/eu-1 2: 10.8.0.1=UNHEALTHY", ready]);
    assert_eq!(weight("10.8.0.1:80~", "10.9.0.1:80"), ["0 eu/eu-a/eu-1 1: 10.8.0.1=DRAINING", ready]);
    // As a last resort it counts as capacity again, and one that ended does not.
    let lost = "1 us/us-a/us-1 2: 10.9.0.1=UNHEALTHY";
    assert_eq!(weight("10.8.0.1:80~", "10.9.0.1:80!"), ["0 eu/eu-a/eu-1 2: 10.8.0.1=HEALTHY", lost]);
    assert_eq!(weight("10.8.0.1:80#", "10.9.0.1:80!"), ["0 eu/eu-a/eu-1 1: 10.8.0.1=DRAINING", lost]);
    let ended = "1 us/us-a/us-1 1: 10.9.0.1=DRAINING";
    assert_eq!(weight("10.8.0.1:80#", "10.9.0.1:80#"), ["0 eu/eu-a/eu-1 1: 10.8.0.1=DRAINING", ended]);
}

/// The addresses of an endpoint, in order.
pub(super) fn addresses(endpoint: &e::LbEndpoint) -> String {
    let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else { panic!("{endpoint:?}") };
    let more = endpoint.additional_addresses.iter().map(|also| &also.address);
    let ip = |address: &Option<core::Address>| match address.as_ref().and_then(|address| address.address.as_ref()) {
        Some(core::address::Address::SocketAddress(at)) => at.address.clone(),
        other => panic!("{other:?}"),
    };
    std::iter::once(&endpoint.address).chain(more).map(ip).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_host_of_two_families_has_both_addresses_where_the_client_has() {
    let near = dual("eu-1", "eu-a", &["10.8.0.1:80+fd00::1", "10.8.0.2:80"]);
    let far = backend("us-1", "us-a", &["[fd00::9]:80"]);
    let service = merged("shop/web", vec![port(80, Http, vec![near, far])]);
    let topology: Topology = (*two_members().topology.expect("a topology")).clone();
    let sent_to = |families: Option<Families>| -> Vec<String> {
        let client = ClientClass { families, ..class(Some("eu-1")).client };
        let assignment = assign(&client, &service, &service.ports[0], &RankingRule::default(), &topology);
        let load: e::ClusterLoadAssignment = read(&endpoint::load_assignment("x", &assignment));
        let line = |group: &e::LocalityLbEndpoints| {
            let hosts: Vec<String> = group.lb_endpoints.iter().map(addresses).collect();
            let weight = group.load_balancing_weight.map_or(0, |weight| weight.value);
            format!("{} {weight}: {}", group.priority, hosts.join(", "))
        };
        load.endpoints.iter().map(line).collect()
    };
    let (v4, v6) = (Family::V4, Family::V6);
    let both = ["0 3: 10.8.0.1 fd00::1, 10.8.0.2", "1 2: fd00::9"];
    assert_eq!(sent_to(None), both);
    assert_eq!(sent_to(Some(Families::Both(v4))), both);
    assert_eq!(sent_to(Some(Families::Both(v6))), ["0 3: fd00::1 10.8.0.1, 10.8.0.2", "1 2: fd00::9"]);
    assert_eq!(sent_to(Some(Families::Only(v4))), ["0 3: 10.8.0.1, 10.8.0.2"], "no client dials the other region");
    assert_eq!(sent_to(Some(Families::Only(v6))), ["0 2: fd00::1", "1 2: fd00::9"]);
}

#[test]
fn declared_weights_are_passed_on() {
    let backends =
        vec![backend("eu-1", "eu-a", &["10.8.0.1:80"]), backend("us-1", "us-a", &["10.9.0.1:80", "10.9.0.2:80"])];
    let service = merged("shop/web", vec![port(80, Http, backends)]);
    let clusters = vec![ClusterWeight { cluster: cluster_id("us-1"), weight: 7 }];
    let rule = RankingRule { failover: Failover { clusters, ..Failover::default() }, ..RankingRule::default() };
    let topology: Topology = (*two_members().topology.expect("a topology")).clone();
    let client = class(None).client;
    let assignment = assign(&client, &service, service.ports.first().expect("a port"), &rule, &topology);
    assert!(assignment.weighted);
    let expected: Vec<_> = assignment.tiers.iter().flatten().map(|locality| locality.weight).collect();
    let load: e::ClusterLoadAssignment = read(&endpoint::load_assignment("x", &assignment));
    let found: Vec<_> = load.endpoints.iter().filter_map(|l| l.load_balancing_weight).map(|w| w.value).collect();
    assert_eq!(found, expected);
}

#[test]
fn c36_no_endpoints_is_an_empty_load_assignment() {
    let load = load(&web("shop/web", &[]));
    assert_eq!(load.cluster_name, "x");
    assert!(load.endpoints.iter().all(|group| group.lb_endpoints.is_empty()));
    let policy = load.policy.expect("a policy");
    assert_eq!(policy.overprovisioning_factor.map(|factor| factor.value), Some(140));
}

fn cluster_of(app: AppProtocol, weighted: bool) -> c::Cluster {
    let balancing = Balancing { weighted, by_source: false };
    read(&cluster::federated(&key("shop/web"), 80, app, balancing))
}

#[test]
fn clusters_say_how_to_reach_backends() {
    let cluster = cluster_of(Http, false);
    assert_eq!(cluster.name, "outbound|80||web.shop.svc.cluster.local");
    assert_eq!(cluster.cluster_discovery_type, Some(c::cluster::ClusterDiscoveryType::Type(3)), "EDS");
    assert_eq!(cluster.eds_cluster_config.map(|eds| eds.service_name), Some(String::new()));
    let common = cluster.common_lb_config.expect("a common configuration");
    assert_eq!(common.healthy_panic_threshold.map(|percent| percent.value), Some(0.0));
    assert_eq!(common.locality_config_specifier, None);
    assert!(cluster_of(Http, true).common_lb_config.is_some_and(|lb| lb.locality_config_specifier.is_some()));
    let limits = cluster.circuit_breakers.expect("limits").thresholds;
    assert!(limits.iter().all(|limit| limit.max_retries.is_some_and(|max| max.value > 1_000_000)));
}

#[test]
fn the_protocol_is_explicit_where_it_is_known() {
    let options = |app| cluster_of(app, false).typed_extension_protocol_options;
    assert!(options(Tcp).is_empty());
    let (http, http2) = (options(Http), options(Http2));
    assert_eq!((http.len(), http2.len()), (1, 1), "more than one would not encode deterministically");
    assert_ne!(http, http2);
    let made = || cluster::federated(&key("a/b"), 1, Http, Balancing { weighted: true, by_source: true });
    assert_eq!(made(), made());
}

#[test]
fn session_affinity_is_a_hash_of_the_clients_address_and_absent_where_no_service_asks_for_it() {
    let balancing = |by_source| Balancing { weighted: false, by_source };
    let policies = |app, by_source| {
        let cluster: c::Cluster = read(&cluster::federated(&key("shop/web"), 80, app, balancing(by_source)));
        let options = cluster.typed_extension_protocol_options.into_values();
        let options: Vec<HttpProtocolOptions> =
            options.map(|any| Message::decode(&*any.value).expect("options")).collect();
        (cluster.lb_policy, options.into_iter().flat_map(|options| options.hash_policy).count())
    };
    let round_robin = c::cluster::LbPolicy::RoundRobin.into();
    let (maglev, ring_hash): (i32, i32) = (c::cluster::LbPolicy::Maglev.into(), c::cluster::LbPolicy::RingHash.into());
    for app in [Http, Http2] {
        assert_eq!(policies(app, false), (round_robin, 0));
        assert_eq!(policies(app, true), (maglev, 1));
    }
    assert_eq!(policies(Tcp, true), (maglev, 0), "connections have theirs in the TCP proxy");
    let (plain, sticky) = (grpc::cluster(&key("shop/web"), 80, false), grpc::cluster(&key("shop/web"), 80, true));
    assert_eq!(read::<c::Cluster>(&plain).lb_policy, round_robin);
    assert_eq!(read::<c::Cluster>(&sticky).lb_policy, ring_hash);
    let policies = |by_source| {
        let table: r::RouteConfiguration = read(&route::table(&key("shop/web"), 80, by_source));
        let actions = table.virtual_hosts.into_iter().flat_map(|host| host.routes).filter_map(|route| route.action);
        let hashes = actions.map(|action| match action {
            r::route::Action::Route(action) => action.hash_policy.len(),
            _ => panic!("a route to a cluster"),
        });
        hashes.sum::<usize>()
    };
    assert_eq!((policies(false), policies(true)), (0, 1));
}

/// Every domain of all scopes of these ports, with its scope's key and its cluster's port.
fn egress(ports: &[(u16, AppProtocol)]) -> Vec<String> {
    let ports: Vec<_> = ports.iter().map(|(port, app)| RoutedPort { port: *port, app: *app }).collect();
    let mut out = Vec::new();
    for scope in route::egress_scopes(&key("shop/web"), &ports) {
        let scope: r::ScopedRouteConfiguration = read(&scope);
        let fragments = scope.key.expect("a key").fragments.into_iter().filter_map(|fragment| fragment.r#type);
        let labels: Vec<_> =
            fragments.map(|r::scoped_route_configuration::key::fragment::Type::StringKey(text)| text).collect();
        for host in scope.route_configuration.expect("an inline table").virtual_hosts {
            let port = port_of(&host);
            out.extend(host.domains.iter().map(|domain| format!("({}) {domain} → {port}", labels.join(", "))));
        }
    }
    out
}

/// The port of the cluster that a virtual host leads to.
fn port_of(host: &r::VirtualHost) -> String {
    let action = host.routes.first().and_then(|route| route.action.clone());
    let Some(r::route::Action::Route(action)) = action else { return String::new() };
    let Some(r::route_action::ClusterSpecifier::Cluster(name)) = action.cluster_specifier else { return String::new() };
    name.split('|').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn every_form_of_a_host_finds_its_port() {
    assert_eq!(
        egress(&[(70, Tcp), (80, Http)]),
        [
            "(web, shop) web.shop.svc:70 → 70",
            "(web, shop) web.shop.svc.cluster.local:70 → 70",
            "(web, shop) web.shop.svc:80 → 80",
            "(web, shop) web.shop.svc.cluster.local:80 → 80",
            "(web, shop) web.shop → 80",
            "(web, shop) web.shop.svc → 80",
            "(web, shop) web.shop.svc.cluster.local → 80",
            "(web, shop:70) web.shop:70 → 70",
            "(web, shop:80) web.shop:80 → 80",
        ]
    );
    assert!(egress(&[(70, Tcp), (71, Tcp)]).contains(&"(web, shop) web.shop → 70".to_owned()), "no HTTP: the lowest");
    assert_eq!(egress(&[]), [""; 0]);
}

#[test]
fn what_is_asked_for_by_address_is_the_service() {
    let at = "10.12.0.7:80".parse().expect("an address");
    let vip: c::Cluster =
        read(&cluster::vip(at, &key("shop/web"), Http2, Balancing { weighted: true, by_source: false }));
    let named = cluster_of(Http2, true);
    assert_eq!(vip.name, "vip|10.12.0.7:80");
    assert_eq!(vip.alt_stat_name, named.name, "counted under the name that people know");
    assert_eq!(vip.eds_cluster_config.as_ref().map(|eds| &eds.service_name), Some(&named.name));
    let (name, stats, eds) = (named.name.clone(), String::new(), named.eds_cluster_config.clone());
    assert_eq!(c::Cluster { name, alt_stat_name: stats, eds_cluster_config: eds, ..vip }, named);
}

/// A sidecar holds thousands of clusters, and an eager one thousands of listeners of single VIPs.
#[test]
fn what_there_is_much_of_stays_small() {
    let balancing = Balancing { weighted: false, by_source: false };
    let size = |app| cluster::federated(&key("shop/web"), 80, app, balancing).any_bytes().len();
    let vip = "10.12.0.7:80".parse().expect("an address");
    let http = listener::http_vip(vip, "outbound|80||web.shop.svc.cluster.local").any_bytes().len();
    eprintln!(
        "cluster of HTTP {}, HTTP/2 {}, TCP {}; listener of HTTP {http} bytes",
        size(Http),
        size(Http2),
        size(Tcp)
    );
    assert!(size(Http) <= 900 && size(Http2) <= 750 && size(Tcp) <= 250, "a cluster");
    assert!(http <= 2500, "a listener");
}

/// What every HTTP connection manager has.
#[test]
fn managers_change_nothing_by_themselves() {
    use h::http_connection_manager::RouteSpecifier;
    let chain = listener::on_demand_http();
    let filter = chain.filters.into_iter().next().and_then(|filter| filter.config_type);
    let Some(l::filter::ConfigType::TypedConfig(config)) = filter else { panic!("a filter with a configuration") };
    let manager = h::HttpConnectionManager::decode(&*config.value).expect("a manager");
    let filters: Vec<&str> = manager.http_filters.iter().map(|filter| &*filter.name).collect();
    let expected = ["envoy.filters.http.on_demand", "envoy.filters.http.header_mutation", "envoy.filters.http.router"];
    assert_eq!(filters, expected);
    let Some(RouteSpecifier::RouteConfig(table)) = manager.route_specifier else { panic!("a table of its own") };
    let routes = table.virtual_hosts.into_iter().flat_map(|host| host.routes).count();
    assert_eq!(routes, 3, "one for paths, one for bodies that are too large to keep, one for CONNECT");
    let http2 = manager.http2_protocol_options.expect("HTTP/2");
    assert_eq!(http2.connection_keepalive, None, "a PING too many ends quiet gRPC calls");
}

/// gRPC clients refuse a table with a route for `CONNECT`.
#[test]
fn tables_that_grpc_reads_have_no_route_for_connect() {
    let table: r::RouteConfiguration = read(&route::table(&key("shop/web"), 80, false));
    let routes: Vec<_> = table.virtual_hosts.into_iter().flat_map(|host| host.routes).collect();
    let [r::Route { r#match: Some(which), .. }] = &*routes else { panic!("one route") };
    assert!(matches!(which.path_specifier, Some(r::route_match::PathSpecifier::Prefix(_))));
}
