//! Listeners. They know ports, prefixes and VIPs, never endpoints, so that churn among pods leaves them alone; a service
//! more on a port that is in use already changes scopes at most, and nothing where clusters are fetched on demand.
//!
//! An intercepted connection reaches `virtualOutbound`, which hands it to the listener of its original destination:
//! the exact one (`<vip>_<port>`), else that of the port (`0.0.0.0_<port>`), else it passes through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::OnDemand;
use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3::OriginalDst;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use hcm::http_connection_manager::RouteSpecifier;
use ipnet::IpNet;

use super::http_manager::{fetch, fetch_cluster, header, http_filter, http_manager, note_vip, scoped};
use super::proto::{address, ads, any, bool_value, cidr, u32_value};
use super::tcp_proxy::{choose_vip_cluster, on_demand_tcp_proxy, tcp_proxy};
use super::{EGRESS_PORT, INTERCEPT_PORT, VIP_HEADER, names, route};
use crate::resource::{Resource, ResourceType};

/// What connections to VIPs are counted under.
const VIP: &str = "vip";

/// `virtualOutbound`: where interception sends everything.
pub fn virtual_outbound(listen: IpAddr, prefixes: &[IpNet]) -> Resource {
    let mut listener = named(names::VIRTUAL_OUTBOUND.to_owned(), SocketAddr::new(listen, INTERCEPT_PORT));
    if listen == IpAddr::V4(Ipv4Addr::UNSPECIFIED) && prefixes.iter().any(is_v6) {
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), INTERCEPT_PORT);
        listener.additional_addresses =
            vec![pb::AdditionalAddress { address: Some(address(v6)), ..pb::AdditionalAddress::default() }];
    }
    listener.use_original_dst = bool_value(true);
    listener.listener_filters = vec![pb::ListenerFilter {
        name: "envoy.filters.listener.original_dst".to_owned(),
        config_type: Some(pb::listener_filter::ConfigType::TypedConfig(any(&OriginalDst::default()))),
        ..pb::ListenerFilter::default()
    }];
    // Who dials the interception port itself has no other destination: passing that through would loop for ever.
    let loop_guard = pb::FilterChainMatch {
        destination_port: u32_value(u32::from(INTERCEPT_PORT)),
        ..pb::FilterChainMatch::default()
    };
    listener.filter_chains = vec![chain("loop", Some(loop_guard), tcp_proxy(names::BLACK_HOLE))];
    listener.default_filter_chain = Some(passthrough());
    encode(listener)
}

/// `0.0.0.0_<port>` or `[::]_<port>`: HTTP to any VIP of the member on this port. What goes elsewhere passes untouched.
/// Which cluster it is, a scope says or, on demand, the VIP itself.
pub fn http_port(port: u16, v6: bool, prefixes: &[IpNet], on_demand: bool) -> Resource {
    let (routes, noted) = if on_demand {
        (RouteSpecifier::RouteConfig(route::vip_table()), names::vip_cluster_format())
    } else {
        (scoped(VIP, vec![header(VIP_HEADER, "", 0)]), names::ORIGINAL_DESTINATION.to_owned())
    };
    let mut manager = http_manager(VIP, routes);
    manager.early_header_mutation_extensions.push(note_vip(noted));
    if on_demand {
        manager.http_filters.insert(0, fetch_cluster());
    }
    any_vip(port, v6, prefixes, "http", vec![http_filter(&manager)])
}

/// The same port for bytes: the cluster is asked for by the VIP and port that a connection was going to, so that no
/// listener depends on how many services there are.
pub fn tcp_port(port: u16, v6: bool, prefixes: &[IpNet]) -> Resource {
    any_vip(port, v6, prefixes, "tcp", vec![choose_vip_cluster(), on_demand_tcp_proxy()])
}

fn any_vip(port: u16, v6: bool, prefixes: &[IpNet], name: &str, filters: Vec<pb::Filter>) -> Resource {
    let any_ip = if v6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    let mut listener = not_bound(names::port_listener(port, v6), SocketAddr::new(any_ip, port));
    let federated = pb::FilterChainMatch {
        prefix_ranges: prefixes.iter().filter(|net| is_v6(net) == v6).map(cidr).collect(),
        ..pb::FilterChainMatch::default()
    };
    listener.filter_chains = vec![pb::FilterChain { filters, ..chain_of(name, Some(federated)) }];
    listener.default_filter_chain = Some(passthrough());
    encode(listener)
}

/// `<vip>_<port>`: bytes to one VIP and port that go to a cluster as they are.
pub fn tcp_vip(vip: SocketAddr, cluster: &str) -> Resource {
    let mut listener = not_bound(names::vip_listener(vip), vip);
    listener.filter_chains = vec![chain("tcp", None, tcp_proxy(cluster))];
    encode(listener)
}

/// `<vip>_<port>` for an on-demand client, on a port whose shared listener speaks HTTP.
pub fn tcp_vip_on_demand(vip: SocketAddr) -> Resource {
    let mut listener = not_bound(names::vip_listener(vip), vip);
    let filters = vec![choose_vip_cluster(), on_demand_tcp_proxy()];
    listener.filter_chains = vec![pb::FilterChain { filters, ..chain_of("tcp", None) }];
    encode(listener)
}

/// `egress`: plain HTTP for clients that are not intercepted; `Host` says where to.
/// Where to is found by scope or, with `vhds`, asked for when it is needed.
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

fn named(name: String, at: SocketAddr) -> pb::Listener {
    pb::Listener {
        name,
        address: Some(address(at)),
        traffic_direction: core::TrafficDirection::Outbound.into(),
        ..pb::Listener::default()
    }
}

fn not_bound(name: String, at: SocketAddr) -> pb::Listener {
    pb::Listener { bind_to_port: bool_value(false), ..named(name, at) }
}

fn encode(listener: pb::Listener) -> Resource {
    Resource::encode(ResourceType::Listener, &listener.name, &listener)
}

fn is_v6(net: &IpNet) -> bool {
    matches!(net, IpNet::V6(_))
}

fn chain(name: &str, matches: Option<pb::FilterChainMatch>, filter: pb::Filter) -> pb::FilterChain {
    pb::FilterChain { filters: vec![filter], ..chain_of(name, matches) }
}

fn chain_of(name: &str, matches: Option<pb::FilterChainMatch>) -> pb::FilterChain {
    pb::FilterChain { name: name.to_owned(), filter_chain_match: matches, ..pb::FilterChain::default() }
}

fn passthrough() -> pb::FilterChain {
    chain("passthrough", None, tcp_proxy(names::PASSTHROUGH))
}
