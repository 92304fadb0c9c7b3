//! Virtual hosts one by one (VHDS): a proxy that calls few of many services holds routes of those few and no others.
//!
//! A virtual host is asked for as `egress/<Host>`, in whatever form. What is kept is one for the full name of each service
//! and one for each of its ports; every other form is another name for one of these, see [`crate::alias`].

use envoy_types::pb::envoy::config::route::v3 as pb;
use federation::model::ServiceKey;

use super::names;
use super::proto::ads;
use super::route::{RoutedPort, default_port, table_of, virtual_host};
use crate::resource::{Resource, ResourceType};

/// The last part of a service's full name.
const DOMAIN: [&str; 3] = ["svc", "cluster", "local"];

/// The table of the plain HTTP port. It names no service.
pub fn table() -> Resource {
    let vhds = pb::Vhds { config_source: ads() };
    let table = pb::RouteConfiguration { vhds: Some(vhds), ..table_of(names::EGRESS.to_owned(), Vec::new()) };
    Resource::encode(ResourceType::Route, &table.name, &table)
}

/// What a client is sent that has not asked for any host yet. Envoy opens its port once it was sent any resource, and an
/// empty response does not count: it would wait for 15 s.
pub fn no_hosts() -> Resource {
    Resource::nothing(&format!("{}/", names::EGRESS))
}

/// The virtual hosts of one service under its full name: one without a port, and one for each port.
pub fn hosts(service: &ServiceKey, ports: &[RoutedPort]) -> Vec<Resource> {
    let host = |port: u16, domain: String| {
        let name = format!("{}/{domain}", names::EGRESS);
        let host = pb::VirtualHost { name: name.clone(), ..virtual_host(service, port, vec![domain]) };
        Resource::encode(ResourceType::VirtualHost, &name, &host)
    };
    let long = service.dns_name();
    let default = default_port(ports).map(|default| host(default.port, long.clone()));
    default.into_iter().chain(ports.iter().map(|port| host(port.port, format!("{long}:{}", port.port)))).collect()
}

/// The full name of a virtual host that is asked for by a shorter one: `egress/web.shop.svc.cluster.local:80` for
/// `egress/web.shop:80`. `None`: there can be no other name for it.
pub fn full_name(asked: &str) -> Option<String> {
    let host = host_of(asked)?;
    let (labels, port) = host.split_once(':').map_or((host, ""), |(labels, _)| (labels, host.split_at(labels.len()).1));
    let labels: Vec<&str> = labels.split('.').collect();
    let [name, namespace, rest @ ..] = &*labels else { return None };
    let shorter = rest.is_empty() || *rest == ["svc"];
    shorter.then(|| format!("{}/{name}.{namespace}.{}{port}", names::EGRESS, DOMAIN.join(".")))
}

/// The virtual host under the name by which it was asked for, which holds the host.
pub fn renamed(host: pb::VirtualHost, asked: &str) -> Option<pb::VirtualHost> {
    let domains = vec![host_of(asked)?.to_owned()];
    Some(pb::VirtualHost { name: asked.to_owned(), domains, ..host })
}

fn host_of(asked: &str) -> Option<&str> {
    asked.strip_prefix(names::EGRESS)?.strip_prefix('/')
}

#[cfg(test)]
mod tests;
