//! Route tables, and the scopes that find the right one without a table that lists every service.

use envoy_types::pb::envoy::config::route::v3 as pb;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::Key;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::key::{Fragment, fragment};
use envoy_types::pb::envoy::r#type::v3::Int64Range;
use envoy_types::pb::google::protobuf::UInt64Value;
use federation::model::{AppProtocol, ServiceKey};

use super::proto::{bool_value, no_timeout};
use super::{VIP_HEADER, affinity, names};
use crate::resource::{Resource, ResourceType};

/// A request is repeated from what Envoy kept of its body, so one that is larger is not repeated. Envoy's default is 1 MiB.
/// It keeps so much of every request under way (twice, while it connects), which is the price of uploads that survive a
/// dead host; a client that sends `Expect: 100-continue` needs none of it.
const KEPT_BODY_BYTES: u64 = 32 << 20;

/// Envoy's default for what it buffers of a connection.
const CONNECTION_BUFFER_BYTES: u64 = 1 << 20;

/// One TCP-transport port of a service, as routing sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutedPort {
    pub port: u16,
    pub app: AppProtocol,
}

/// The route table of one port, for clients that fetch tables by name. `by_source`: one gRPC channel stays with one host.
pub fn table(service: &ServiceKey, port: u16, by_source: bool) -> Resource {
    let mut table = port_table(service, port);
    if by_source {
        let routes = table.virtual_hosts.iter_mut().flat_map(|host| &mut host.routes);
        for action in routes.filter_map(|route| route.action.as_mut()) {
            if let pb::route::Action::Route(action) = action {
                action.hash_policy = vec![affinity::by_channel()];
            }
        }
    }
    Resource::encode(ResourceType::Route, &table.name, &table)
}

/// The table of a listener whose requests all go to one cluster. The listener has a name, so the table needs none.
pub(super) fn cluster_table(cluster: &str) -> pb::RouteConfiguration {
    table_of(String::new(), vec![vip_host(pb::route_action::ClusterSpecifier::Cluster(cluster.to_owned()))])
}

/// The one table of an HTTP port whose clusters are fetched when they are used: each request's is named by
/// [`VIP_HEADER`], whatever its `Host`.
pub(super) fn vip_table() -> pb::RouteConfiguration {
    let cluster = pb::route_action::ClusterSpecifier::ClusterHeader(VIP_HEADER.to_owned());
    let mut host = vip_host(cluster.clone());
    host.routes.insert(0, too_large_to_keep(cluster));
    pb::RouteConfiguration {
        // Only here: elsewhere a header of this name is the application's own.
        request_headers_to_remove: vec![VIP_HEADER.to_owned()],
        ..table_of("vip".to_owned(), vec![host])
    }
}

/// The scopes of one service on the plain HTTP port. A scope is found by the first two labels of `Host`, its virtual
/// hosts by the whole of it.
///
/// `<name>.<ns>[.svc[.cluster.local]]` means the lowest port that is declared to be HTTP, or the lowest of all if none is: a client
/// that sends HTTP to this listener knows that the port takes it. `:<port>` after any of the three forms means that port.
pub fn egress_scopes(service: &ServiceKey, ports: &[RoutedPort]) -> Vec<Resource> {
    let Some(default) = default_port(ports) else { return Vec::new() };
    let short = format!("{}.{}", service.name, service.namespace);
    let middle = format!("{short}.svc");
    let long = service.dns_name();
    let any_port = ports.iter().map(|port| {
        let mut domains = vec![format!("{middle}:{}", port.port), format!("{long}:{}", port.port)];
        if port == default {
            domains.extend([short.clone(), middle.clone(), long.clone()]);
        }
        virtual_host(service, port.port, domains)
    });
    let name = names::egress_scope(None, service);
    let labels = |second: String| vec![service.name.to_string(), second];
    let mut scopes =
        vec![scope(name.clone(), labels(service.namespace.to_string()), table_of(name, any_port.collect()))];
    scopes.extend(ports.iter().map(|port| {
        let name = names::egress_scope(Some(port.port), service);
        let host = virtual_host(service, port.port, vec![format!("{short}:{}", port.port)]);
        scope(name.clone(), labels(format!("{}:{}", service.namespace, port.port)), table_of(name, vec![host]))
    }));
    scopes
}

/// The port that a host without one means.
pub(super) fn default_port(ports: &[RoutedPort]) -> Option<&RoutedPort> {
    ports.iter().find(|port| port.app != AppProtocol::Tcp).or(ports.first())
}

fn scope(name: String, key: Vec<String>, table: pb::RouteConfiguration) -> Resource {
    let fragments = key.into_iter().map(|text| Fragment { r#type: Some(fragment::Type::StringKey(text)) }).collect();
    let message = pb::ScopedRouteConfiguration {
        name: name.clone(),
        route_configuration: Some(table),
        key: Some(Key { fragments }),
        ..pb::ScopedRouteConfiguration::default()
    };
    Resource::encode(ResourceType::Scope, &name, &message)
}

fn port_table(service: &ServiceKey, port: u16) -> pb::RouteConfiguration {
    table_of(names::outbound(port, service), vec![any_host(cluster_of(service, port))])
}

fn cluster_of(service: &ServiceKey, port: u16) -> pb::route_action::ClusterSpecifier {
    pb::route_action::ClusterSpecifier::Cluster(names::outbound(port, service))
}

/// What an intercepted connection to a VIP may ask for. An eager sidecar has ten thousand of these, so they repeat
/// nothing.
fn vip_host(cluster: pb::route_action::ClusterSpecifier) -> pb::VirtualHost {
    let mut host = any_host(cluster.clone());
    host.routes.push(to(cluster, connect()));
    host
}

/// Every host, to one cluster. gRPC clients read this as well, and refuse a route for `CONNECT`.
fn any_host(cluster: pb::route_action::ClusterSpecifier) -> pb::VirtualHost {
    pb::VirtualHost {
        name: "any".to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![to(cluster, every_path())],
        request_body_buffer_limit: kept_body(),
        ..pb::VirtualHost::default()
    }
}

pub(super) fn table_of(name: String, virtual_hosts: Vec<pb::VirtualHost>) -> pb::RouteConfiguration {
    pb::RouteConfiguration {
        name,
        virtual_hosts,
        // An inline table whose cluster is not there yet would be rejected with everything around it.
        validate_clusters: bool_value(false),
        ..pb::RouteConfiguration::default()
    }
}

pub(super) fn virtual_host(service: &ServiceKey, port: u16, domains: Vec<String>) -> pb::VirtualHost {
    let cluster = names::outbound(port, service);
    let route = to(pb::route_action::ClusterSpecifier::Cluster(cluster.clone()), every_path());
    let request_body_buffer_limit = kept_body();
    pb::VirtualHost { name: cluster, domains, routes: vec![route], request_body_buffer_limit, ..<_>::default() }
}

fn kept_body() -> Option<UInt64Value> {
    Some(UInt64Value { value: KEPT_BODY_BYTES })
}

fn every_path() -> pb::route_match::PathSpecifier {
    pb::route_match::PathSpecifier::Prefix("/".to_owned())
}

/// `CONNECT host:port` has no path, and goes to backends that are forward proxies.
fn connect() -> pb::route_match::PathSpecifier {
    pb::route_match::PathSpecifier::ConnectMatcher(pb::route_match::ConnectMatcher::default())
}

/// A request whose declared length is larger than what would be kept could not be repeated from it, so none of it is kept beyond
/// what flows anyway. One such route in a table that a proxy has once costs nothing; in each scope it would.
fn too_large_to_keep(cluster: pb::route_action::ClusterSpecifier) -> pb::Route {
    let length = pb::HeaderMatcher {
        name: "content-length".to_owned(),
        header_match_specifier: Some(pb::header_matcher::HeaderMatchSpecifier::RangeMatch(Int64Range {
            start: i64::try_from(KEPT_BODY_BYTES).unwrap_or(i64::MAX).saturating_add(1),
            end: i64::MAX,
        })),
        ..pb::HeaderMatcher::default()
    };
    let mut route = to(cluster, every_path());
    if let Some(which) = &mut route.r#match {
        which.headers.push(length);
    }
    pb::Route { request_body_buffer_limit: Some(UInt64Value { value: CONNECTION_BUFFER_BYTES }), ..route }
}

/// These requests to one cluster.
fn to(cluster: pb::route_action::ClusterSpecifier, which: pb::route_match::PathSpecifier) -> pb::Route {
    pb::Route {
        r#match: Some(pb::RouteMatch { path_specifier: Some(which), ..pb::RouteMatch::default() }),
        action: Some(pb::route::Action::Route(pb::RouteAction {
            cluster_specifier: Some(cluster),
            // The client decides how long an answer may take; Envoy's 15 s would cut streams and slow queries.
            timeout: no_timeout(),
            ..pb::RouteAction::default()
        })),
        ..pb::Route::default()
    }
}
