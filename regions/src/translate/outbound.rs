//! `virtualOutbound`: the listener that interception sends every connection of a pod to.
//!
//! **Nothing that one service does may end connections of another.** Envoy closes the connections of a listener that is
//! removed or replaced, and of a filter chain that is removed or changed; it keeps those of chains that stay equal while
//! only `filter_chains` and `filter_chain_matcher` of their listener change (an update in place, seen on Envoy 1.36,
//! 1.38 and 1.40). Therefore:
//! * a sidecar that fetches clusters on demand has this one listener, its four chains are constant, and what the
//!   federation changes is the matcher that maps destinations to chains;
//! * an eager or state-of-the-world sidecar has a constant `virtualOutbound`, and a listener of its own for each virtual
//!   IP and port (see [`super::listener`]), which is named after the address and so changes with nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3::OriginalDst;
use ipnet::IpNet;
use prost::Message as _;

use super::chain::Chain;
use super::matcher::{Matcher, OnMatch, in_ranges, local_to_port};
use super::proto::{any, bool_value, u32_value};
use super::tcp_proxy::tcp_proxy;
use super::{INTERCEPT_PORT, listener, names};
use crate::resource::{Resource, ResourceType, put_field};

/// Field number of `envoy.config.listener.v3.Listener.filter_chain_matcher`.
const FILTER_CHAIN_MATCHER: u32 = 32;

/// How connections to one port number are handled whose destination is in the member's service ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPlan {
    pub usually: Chain,
    pub exceptions: BTreeMap<IpAddr, Chain>,
}

/// The member's service ranges, and what happens to connections to the ports that federated services use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub ranges: Vec<IpNet>,
    pub ports: BTreeMap<u16, PortPlan>,
}

/// The addresses that interception may send connections to, for a proxy that listens on `listen`. IPv6 has a listener of
/// its own, because another address of the same listener would be a change that closes its connections, and because a
/// host without IPv6 would refuse the whole listener.
pub fn addresses(listen: IpAddr) -> Vec<(&'static str, SocketAddr)> {
    let mut all = vec![(names::VIRTUAL_OUTBOUND, SocketAddr::new(listen, INTERCEPT_PORT))];
    if listen == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), INTERCEPT_PORT);
        all.push((names::VIRTUAL_OUTBOUND_V6, v6));
    }
    all
}

/// For a sidecar with a listener for each VIP. What has none passes through.
pub fn eager(name: &str, at: SocketAddr) -> Resource {
    let mut outbound = intercepting(name, at);
    outbound.use_original_dst = bool_value(true);
    let itself = pb::FilterChainMatch {
        destination_port: u32_value(u32::from(INTERCEPT_PORT)),
        source_type: pb::filter_chain_match::ConnectionSourceType::SameIpOrLoopback.into(),
        ..pb::FilterChainMatch::default()
    };
    outbound.filter_chains = vec![pb::FilterChain { filter_chain_match: Some(itself), ..loop_guard() }];
    outbound.default_filter_chain = Some(listener::passthrough());
    listener::encode(outbound)
}

/// For a sidecar that fetches clusters on demand.
pub fn on_demand(name: &str, at: SocketAddr, plan: &Plan) -> Resource {
    let mut outbound = intercepting(name, at);
    outbound.filter_chains =
        vec![loop_guard(), listener::on_demand_http(), listener::on_demand_tcp(), listener::passthrough()];
    let mut bytes = outbound.encode_to_vec();
    put_field(FILTER_CHAIN_MATCHER, &matcher(at, plan).encode_to_vec(), &mut bytes);
    Resource::encoded(ResourceType::Listener, name, &bytes)
}

fn intercepting(name: &str, at: SocketAddr) -> pb::Listener {
    let original_dst = pb::ListenerFilter {
        name: "envoy.filters.listener.original_dst".to_owned(),
        config_type: Some(pb::listener_filter::ConfigType::TypedConfig(any(&OriginalDst::default()))),
        ..pb::ListenerFilter::default()
    };
    pb::Listener { listener_filters: vec![original_dst], ..listener::named(name.to_owned(), at) }
}

/// A connection that was not redirected but made to the interception port itself has no other destination: passing it
/// through would loop without end. It is recognised by its source, because a Service may well have the same port number.
fn loop_guard() -> pb::FilterChain {
    listener::chain(LOOP, None, tcp_proxy(names::BLACK_HOLE))
}

const LOOP: &str = "loop";

fn matcher(at: SocketAddr, plan: &Plan) -> Matcher {
    let family = |ip: &IpAddr| ip.is_ipv6() == at.is_ipv6();
    let ranges: Vec<IpNet> = plan.ranges.iter().copied().filter(|net| family(&net.addr())).collect();
    let mut cases = vec![(local_to_port(INTERCEPT_PORT), OnMatch::chain(LOOP))];
    if !ranges.is_empty() && !plan.ports.is_empty() {
        let ports = plan.ports.iter().map(|(port, plan)| (port.to_string(), on_port(plan, family))).collect();
        cases.push((in_ranges(ranges), OnMatch::by_port(ports, taken(Chain::Passthrough))));
    }
    Matcher::first_of(cases, taken(Chain::Passthrough))
}

fn on_port(plan: &PortPlan, family: impl Fn(&IpAddr) -> bool) -> OnMatch {
    let chains: BTreeSet<Chain> = plan.exceptions.values().copied().collect();
    let cases = chains.into_iter().filter_map(|chain| {
        let exceptions = plan.exceptions.iter().filter(|(ip, to)| **to == chain && family(ip));
        let hosts: Vec<IpNet> = exceptions.map(|(ip, _)| IpNet::from(*ip)).collect();
        (!hosts.is_empty()).then(|| (in_ranges(hosts), taken(chain)))
    });
    OnMatch::first_of(cases.collect(), taken(plan.usually))
}

/// The case in which this chain takes the connection.
fn taken(chain: Chain) -> OnMatch {
    OnMatch::chain(chain.name())
}

#[cfg(test)]
mod tests;
