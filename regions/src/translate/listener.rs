//! Listeners of single VIPs and of the plain port, and the parts that all listeners are made of. They know ports and VIPs,
//! never endpoints, so that churn among pods leaves them alone. The listener behind interception is [`super::outbound`].

use std::net::{IpAddr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::OnDemand;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use hcm::http_connection_manager::RouteSpecifier;

use super::chain::Chain;
use super::http_manager::{fetch, fetch_cluster, header, http_filter, http_manager, note_vip, scoped};
use super::proto::{address, ads, bool_value};
use super::tcp_proxy::{choose_vip_cluster, on_demand_tcp_proxy, tcp_proxy};
use super::{EGRESS_PORT, names, route};
use crate::resource::{Resource, ResourceType};

/// What connections to VIPs are counted under.
const VIP: &str = "vip";

/// `<vip>_<port>`: HTTP to one VIP and port, to a cluster, whatever its `Host`.
pub fn http_vip(vip: SocketAddr, cluster: &str) -> Resource {
    let manager = http_manager(VIP, RouteSpecifier::RouteConfig(route::cluster_table(cluster)));
    exact(vip, chain("http", None, http_filter(&manager)))
}

/// `<vip>_<port>`: bytes to one VIP and port that go to a cluster as they are.
pub fn tcp_vip(vip: SocketAddr, cluster: &str) -> Resource {
    exact(vip, chain("tcp", None, tcp_proxy(cluster)))
}

fn exact(vip: SocketAddr, chain: pb::FilterChain) -> Resource {
    let name = names::vip_listener(vip);
    encode(pb::Listener {
        bind_to_port: bool_value(false),
        filter_chains: vec![chain],
        // Counters of their own for ten thousand listeners would take 8 KB each.
        stat_prefix: VIP.to_owned(),
        ..named(name, vip)
    })
}

/// HTTP to any VIP: the cluster is asked for by the VIP and port that the connection was going to, so that the chain does
/// not depend on which services there are.
pub(super) fn on_demand_http() -> pb::FilterChain {
    let mut manager = http_manager(VIP, RouteSpecifier::RouteConfig(route::vip_table()));
    manager.early_header_mutation_extensions.push(note_vip(names::vip_cluster_format()));
    manager.http_filters.insert(0, fetch_cluster());
    chain(Chain::Http.name(), None, http_filter(&manager))
}

/// The same for bytes.
pub(super) fn on_demand_tcp() -> pb::FilterChain {
    let filters = vec![choose_vip_cluster(), on_demand_tcp_proxy()];
    pb::FilterChain { filters, ..chain_of(Chain::Tcp.name(), None) }
}

/// `egress`: plain HTTP for clients that are not intercepted, routed by `Host`. The route is found by scope or, with
/// `vhds`, fetched when it is needed.
pub fn egress(listen: IpAddr, on_demand: bool, vhds: bool) -> Resource {
    let mut listener = named(names::EGRESS.to_owned(), SocketAddr::new(listen, EGRESS_PORT));
    let routes = if vhds {
        RouteSpecifier::Rds(hcm::Rds { route_config_name: names::EGRESS.to_owned(), config_source: ads() })
    } else {
        scoped(names::EGRESS, vec![header(":authority", ".", 0), header(":authority", ".", 1)])
    };
    let mut manager = http_manager(names::EGRESS, routes);
    if on_demand {
        manager.http_filters.insert(0, fetch_cluster());
    } else if vhds {
        manager.http_filters.insert(0, fetch(OnDemand::default()));
    }
    manager.strip_trailing_host_dot = true;
    listener.filter_chains = vec![chain("http", None, http_filter(&manager))];
    encode(listener)
}

pub(super) fn named(name: String, at: SocketAddr) -> pb::Listener {
    pb::Listener {
        name,
        address: Some(address(at)),
        traffic_direction: core::TrafficDirection::Outbound.into(),
        ..pb::Listener::default()
    }
}

pub(super) fn encode(listener: pb::Listener) -> Resource {
    Resource::encode(ResourceType::Listener, &listener.name, &listener)
}

pub(super) fn chain(name: &str, matches: Option<pb::FilterChainMatch>, filter: pb::Filter) -> pb::FilterChain {
    pb::FilterChain { filters: vec![filter], ..chain_of(name, matches) }
}

fn chain_of(name: &str, matches: Option<pb::FilterChainMatch>) -> pb::FilterChain {
    pb::FilterChain { name: name.to_owned(), filter_chain_match: matches, ..pb::FilterChain::default() }
}

pub(super) fn passthrough() -> pb::FilterChain {
    chain(Chain::Passthrough.name(), None, tcp_proxy(names::PASSTHROUGH))
}
