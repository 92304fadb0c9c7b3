//! Route tables, and the scopes that find the right one without a table that lists every service.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as pb;
use envoy_types::pb::envoy::config::route::v3::retry_policy::{
    RetryBackOff, RetryHostPredicate, RetryPriority, retry_host_predicate, retry_priority,
};
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::Key;
use envoy_types::pb::envoy::config::route::v3::scoped_route_configuration::key::{Fragment, fragment};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use federation::model::{AppProtocol, ServiceKey};

use super::proto::{any, bool_value, duration, no_timeout, u32_value};
use super::{VIP_HEADER, names};
use crate::resource::{Resource, ResourceType};

/// Only requests that no backend has begun to work on, so repeating them is safe for every method.
const RETRY_ON: &str = "connect-failure,refused-stream,reset-before-request";
const RETRIES: u32 = 3;
/// How often a retry may draw another host while it draws one that just failed.
const HOST_DRAWS: i64 = 5;
/// After this many failed attempts a retry counts the priorities it tried as empty: two dead hosts of the own zone are
/// enough to look further, without waiting for Kubernetes to notice that the zone is gone.
const PRIORITY_UPDATE: i32 = 2;
const BACK_OFF_BASE: Duration = Duration::from_millis(10);

/// One TCP-transport port of a service, as routing sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutedPort {
    pub port: u16,
    pub app: AppProtocol,
}

/// The route table of one port, for clients that fetch tables by name.
pub fn table(service: &ServiceKey, port: u16) -> Resource {
    let table = port_table(service, port);
    Resource::encode(ResourceType::Route, &table.name, &table)
}

/// The scope of one VIP and port: everything that went there, whatever its `Host` says. `index` is the VIP's place
/// among those of the service.
pub fn vip_scope(service: &ServiceKey, port: u16, index: usize, vip: IpAddr) -> Resource {
    // As `%DOWNSTREAM_LOCAL_ADDRESS%` spells it: `10.0.0.7:80`, `[fd00::7]:80`.
    let key = SocketAddr::new(vip, port).to_string();
    scope(names::vip_scope(port, service, index, vip), vec![key], port_table(service, port))
}

/// The scopes of one service on the plain HTTP port. A scope is found by the first two labels of `Host`, its virtual
/// hosts by the whole of it.
///
/// `<name>.<ns>[.svc[.cluster.local]]` means the lowest port that speaks HTTP, or the lowest of all if none says so:
/// who sends HTTP to this listener vouches for it. `:<port>` after any of the three spellings means that port.
pub fn egress_scopes(service: &ServiceKey, ports: &[RoutedPort]) -> Vec<Resource> {
    let http = ports.iter().find(|port| port.app != AppProtocol::Tcp);
    let Some(default) = http.or(ports.first()) else { return Vec::new() };
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
    table_of(names::outbound(port, service), vec![virtual_host(service, port, vec!["*".to_owned()])])
}

fn table_of(name: String, virtual_hosts: Vec<pb::VirtualHost>) -> pb::RouteConfiguration {
    pb::RouteConfiguration {
        name,
        virtual_hosts,
        request_headers_to_remove: vec![VIP_HEADER.to_owned()],
        // An inline table whose cluster is not there yet would be rejected with everything around it.
        validate_clusters: bool_value(false),
        ..pb::RouteConfiguration::default()
    }
}

fn virtual_host(service: &ServiceKey, port: u16, domains: Vec<String>) -> pb::VirtualHost {
    let cluster = names::outbound(port, service);
    let route = pb::Route {
        r#match: Some(pb::RouteMatch {
            path_specifier: Some(pb::route_match::PathSpecifier::Prefix("/".to_owned())),
            ..pb::RouteMatch::default()
        }),
        action: Some(pb::route::Action::Route(pb::RouteAction {
            cluster_specifier: Some(pb::route_action::ClusterSpecifier::Cluster(cluster.clone())),
            // How long an answer may take is the client's business; Envoy's 15 s would cut streams and slow queries.
            timeout: no_timeout(),
            retry_policy: Some(retry_policy()),
            ..pb::RouteAction::default()
        })),
        ..pb::Route::default()
    };
    pb::VirtualHost { name: cluster, domains, routes: vec![route], ..pb::VirtualHost::default() }
}

fn retry_policy() -> pb::RetryPolicy {
    let other_hosts = RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_host_predicate::ConfigType::TypedConfig(any(&PreviousHostsPredicate::default()))),
    };
    let other_priorities = RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_priority::ConfigType::TypedConfig(any(&PreviousPrioritiesConfig {
            update_frequency: PRIORITY_UPDATE,
        }))),
    };
    pb::RetryPolicy {
        retry_on: RETRY_ON.to_owned(),
        num_retries: u32_value(RETRIES),
        retry_host_predicate: vec![other_hosts],
        host_selection_retry_max_attempts: HOST_DRAWS,
        retry_priority: Some(other_priorities),
        retry_back_off: Some(RetryBackOff { base_interval: duration(BACK_OFF_BASE), ..RetryBackOff::default() }),
        ..pb::RetryPolicy::default()
    }
}
