//! A resource under another name: decoded, renamed, encoded again.

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::route::v3::{RouteConfiguration, VirtualHost, route, route_action};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::xdstp;
use crate::resource::{Resource, ResourceType};
use crate::translate::vhds;

/// How a resource with an authority names those that it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// By their names without one: Envoy has one control plane, and follows its clusters by their plain names.
    Plain,
    /// By names of the same authority: gRPC asks the server of each name's authority, and plain names of the default one
    /// (gRFC A47).
    SameAuthority,
}

/// The origin as the resource that was asked for. `None`: the name is not of this type.
pub fn rename(resource_type: ResourceType, origin: &Resource, name: &str, references: References) -> Option<Resource> {
    if origin.is_nothing() {
        return Some(Resource::nothing(name));
    }
    if resource_type == ResourceType::VirtualHost {
        let host = vhds::renamed(origin.message::<VirtualHost>()?, name)?;
        return Some(Resource::encode(resource_type, name, &host));
    }
    let asked = xdstp::parse(resource_type, name)?;
    let refer = |to: ResourceType, plain: &str| match references {
        References::Plain => plain.to_owned(),
        References::SameAuthority => xdstp::name(asked.authority, to, plain),
    };
    let mut load = origin.load().map(ToString::to_string);
    let renamed = match resource_type {
        ResourceType::Cluster => {
            let mut cluster: Cluster = origin.message()?;
            name.clone_into(&mut cluster.name);
            if let Some(eds) = &mut cluster.eds_cluster_config {
                // Never empty: that would mean the cluster's own name, which is of another type.
                let plain = if eds.service_name.is_empty() { origin.name() } else { &*eds.service_name };
                let service_name = refer(ResourceType::Assignment, plain);
                load = load.map(|_| service_name.clone());
                eds.service_name = service_name;
            }
            Resource::encode(resource_type, name, &cluster)
        }
        ResourceType::Assignment => {
            let message = ClusterLoadAssignment { cluster_name: name.to_owned(), ..origin.message()? };
            Resource::encode(resource_type, name, &message)
        }
        ResourceType::Listener => {
            let mut listener = Listener { name: name.to_owned(), ..origin.message()? };
            let api = listener.api_listener.as_mut().and_then(|listener| listener.api_listener.as_mut());
            if let Some(manager) = api {
                refer_to_table(manager, refer)?;
            }
            Resource::encode(resource_type, name, &listener)
        }
        ResourceType::Route => {
            let mut table = RouteConfiguration { name: name.to_owned(), ..origin.message()? };
            refer_to_clusters(&mut table, refer);
            Resource::encode(resource_type, name, &table)
        }
        _ => return None,
    };
    let renamed = renamed.usable(origin.is_usable());
    Some(match load {
        Some(load) => renamed.followed_by(&load),
        None => renamed,
    })
}

fn refer_to_table(manager: &mut Any, refer: impl Fn(ResourceType, &str) -> String) -> Option<()> {
    let mut decoded = hcm::HttpConnectionManager::decode(&*manager.value).ok()?;
    if let Some(hcm::http_connection_manager::RouteSpecifier::Rds(rds)) = &mut decoded.route_specifier {
        rds.route_config_name = refer(ResourceType::Route, &rds.route_config_name);
    }
    *manager = Any { type_url: hcm::HttpConnectionManager::type_url(), value: decoded.encode_to_vec() };
    Some(())
}

fn refer_to_clusters(table: &mut RouteConfiguration, refer: impl Fn(ResourceType, &str) -> String) {
    for route in table.virtual_hosts.iter_mut().flat_map(|host| &mut host.routes) {
        let Some(route::Action::Route(action)) = &mut route.action else { continue };
        if let Some(route_action::ClusterSpecifier::Cluster(name)) = &mut action.cluster_specifier {
            *name = refer(ResourceType::Cluster, name);
        }
    }
}
