//! What a gRPC client dials.

use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use federation::model::ServiceKey;
use hcm::http_connection_manager::RouteSpecifier;

use crate::resource::{Resource, ResourceType};
use crate::translate::names;
use crate::translate::proto::{ads, any};

/// The listener of one port, named as clients dial it. It never changes while the port exists.
pub fn listener(service: &ServiceKey, port: u16) -> Resource {
    let name = names::dialled(port, service);
    let routes = hcm::Rds { route_config_name: names::outbound(port, service), config_source: ads() };
    let message = pb::Listener {
        name: name.clone(),
        api_listener: Some(pb::ApiListener { api_listener: Some(any(&manager(RouteSpecifier::Rds(routes)))) }),
        ..pb::Listener::default()
    };
    Resource::encode(ResourceType::Listener, &name, &message)
}

/// The listener of a service that does not exist. It routes nowhere, so calls fail at once; without an answer a client that
/// uses state-of-the-world xDS would hold them back for 15 s. `None` for a server's name: that has no use for it.
pub fn placeholder(requested: &str) -> Option<Resource> {
    if requested.starts_with(names::SERVER_LISTENER) {
        return None;
    }
    let nowhere = RouteConfiguration { name: "not federated".to_owned(), ..RouteConfiguration::default() };
    let message = pb::Listener {
        name: requested.to_owned(),
        api_listener: Some(pb::ApiListener { api_listener: Some(any(&manager_with(nowhere))) }),
        ..pb::Listener::default()
    };
    Some(Resource::encode(ResourceType::Listener, requested, &message))
}

/// A connection manager with inline routes.
pub(super) fn manager_with(routes: RouteConfiguration) -> hcm::HttpConnectionManager {
    manager(RouteSpecifier::RouteConfig(routes))
}

/// gRPC requires the router last, and no filter that it does not know (gRFC A39).
fn manager(routes: RouteSpecifier) -> hcm::HttpConnectionManager {
    hcm::HttpConnectionManager {
        stat_prefix: "grpc".to_owned(),
        route_specifier: Some(routes),
        http_filters: vec![hcm::HttpFilter {
            name: "envoy.filters.http.router".to_owned(),
            config_type: Some(hcm::http_filter::ConfigType::TypedConfig(any(&Router::default()))),
            ..hcm::HttpFilter::default()
        }],
        ..hcm::HttpConnectionManager::default()
    }
}
