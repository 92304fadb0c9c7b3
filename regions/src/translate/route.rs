//! Route tables, and the scopes that find the right one without a table that lists every service.

use envoy_types::pb::envoy::config::route::v3 as pb;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::Key;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::key::{Fragment, fragment};
use federation::model::{AppProtocol, ServiceKey};

use super::proto::{bool_value, no_timeout};
use super::{VIP_HEADER, affinity, names};
use crate::resource::{Resource, ResourceType};

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
    table_of(String::new(), vec![any_host(pb::route_action::ClusterSpecifier::Cluster(cluster.to_owned()))])
}

/// The one table of an HTTP port whose clusters are fetched when they are used: each request's is named by
/// [`VIP_HEADER`], whatever its `Host` says.
pub(super) fn vip_table() -> pb::RouteConfiguration {
    let cluster = pb::route_action::ClusterSpecifier::ClusterHeader(VIP_HEADER.to_owned());
    pb::RouteConfiguration {
        // Only here: elsewhere a header of this name is the application's own.
        request_headers_to_remove: vec![VIP_HEADER.to_owned()],
        ..table_of("vip".to_owned(), vec![any_host(cluster)])
    }
}

/// The scopes of one service on the plain HTTP port. A scope is found by the first two labels of `Host`, its virtual
/// hosts by the whole of it.
///
/// `<name>.<ns>[.svc[.cluster.local]]` means the lowest port that speaks HTTP, or the lowest of all if none says so:
/// who sends HTTP to this listener vouches for it. `:<port>` after any of the three spellings means that port.
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
    let name = names::outbound(port, service);
    let cluster = pb::route_action::ClusterSpecifier::Cluster(name.clone());
    table_of(name, vec![any_host(cluster)])
}

/// Every host, to one cluster.
fn any_host(cluster: pb::route_action::ClusterSpecifier) -> pb::VirtualHost {
    pb::VirtualHost {
        name: "any".to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![to(cluster)],
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
    let route = to(pb::route_action::ClusterSpecifier::Cluster(cluster.clone()));
    pb::VirtualHost { name: cluster, domains, routes: vec![route], ..pb::VirtualHost::default() }
}

/// Every path to one cluster.
fn to(cluster: pb::route_action::ClusterSpecifier) -> pb::Route {
    pb::Route {
        r#match: Some(pb::RouteMatch {
            path_specifier: Some(pb::route_match::PathSpecifier::Prefix("/".to_owned())),
            ..pb::RouteMatch::default()
        }),
        action: Some(pb::route::Action::Route(pb::RouteAction {
            cluster_specifier: Some(cluster),
            // How long an answer may take is the client's business; Envoy's 15 s would cut streams and slow queries.
            timeout: no_timeout(),
            ..pb::RouteAction::default()
        })),
        ..pb::Route::default()
    }
}
