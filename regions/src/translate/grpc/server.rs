//! What a gRPC server that takes its configuration over xDS asks for before it serves (gRFC A36).

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::config::route::v3 as route;

use super::listener::manager_with;
use crate::resource::{Resource, ResourceType};
use crate::translate::names;
use crate::translate::proto::{address, any};

/// The listener of a server that asks for it by `requested`, see [`names::listening_address`]; `None` if the name is
/// not that of a server. It accepts every call, in plaintext, and depends on the address alone, so it never changes for
/// a server.
pub fn server_listener(requested: &str) -> Option<Resource> {
    let at: SocketAddr = names::listening_address(requested)?;
    let manager = any(&manager_with(every_call()));
    let chain = pb::FilterChain {
        name: "default".to_owned(),
        filters: vec![pb::Filter {
            name: "envoy.filters.network.http_connection_manager".to_owned(),
            config_type: Some(pb::filter::ConfigType::TypedConfig(manager)),
        }],
        ..pb::FilterChain::default()
    };
    let message = pb::Listener {
        name: requested.to_owned(),
        // A server that finds another address than its own here refuses to serve.
        address: Some(address(at)),
        default_filter_chain: Some(chain),
        ..pb::Listener::default()
    };
    Some(Resource::encode(ResourceType::Listener, requested, &message))
}

/// Non-forwarding: on a server any other action fails the call.
fn every_call() -> route::RouteConfiguration {
    let handle = route::Route {
        r#match: Some(route::RouteMatch {
            path_specifier: Some(route::route_match::PathSpecifier::Prefix(String::new())),
            ..route::RouteMatch::default()
        }),
        action: Some(route::route::Action::NonForwardingAction(route::NonForwardingAction::default())),
        ..route::Route::default()
    };
    let host = route::VirtualHost {
        name: "all".to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![handle],
        ..route::VirtualHost::default()
    };
    route::RouteConfiguration {
        name: "inbound".to_owned(),
        virtual_hosts: vec![host],
        ..route::RouteConfiguration::default()
    }
}
