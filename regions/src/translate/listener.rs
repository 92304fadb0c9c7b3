//! Listeners. They know ports, prefixes and VIPs, never endpoints, so that churn among pods leaves them alone; an HTTP
//! service more on a port that is in use already changes scopes only.
//!
//! An intercepted connection reaches `virtualOutbound`, which hands it to the listener of its original destination:
//! the exact one (`<vip>_<port>`), else that of the port (`0.0.0.0_<port>`), else it passes through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3::OriginalDst;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use hcm::scoped_routes::scope_key_builder::FragmentBuilder;
use hcm::scoped_routes::scope_key_builder::fragment_builder::header_value_extractor::ExtractType;
use hcm::scoped_routes::scope_key_builder::fragment_builder::{HeaderValueExtractor, Type};
use hcm::scoped_routes::{ConfigSpecifier, ScopeKeyBuilder};
use ipnet::IpNet;

use super::proto::{address, ads, any, bool_value, cidr, extension, no_timeout, u32_value};
use super::{EGRESS_PORT, INTERCEPT_PORT, VIP_HEADER, names};
use crate::resource::{Resource, ResourceType};

/// Hosts that a TCP connection may try in turn before it is given up: the failover of what cannot be retried later.
const TCP_CONNECT_ATTEMPTS: u32 = 4;

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
pub fn http_port(port: u16, v6: bool, prefixes: &[IpNet]) -> Resource {
    let any_ip = if v6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    let mut listener = not_bound(names::port_listener(port, v6), SocketAddr::new(any_ip, port));
    let federated = pb::FilterChainMatch {
        prefix_ranges: prefixes.iter().filter(|net| is_v6(net) == v6).map(cidr).collect(),
        ..pb::FilterChainMatch::default()
    };
    let mut manager = http_manager("vip", vec![header(VIP_HEADER, "", 0)]);
    manager.early_header_mutation_extensions = vec![note_vip()];
    listener.filter_chains = vec![chain("http", Some(federated), http_filter(&manager))];
    listener.default_filter_chain = Some(passthrough());
    encode(listener)
}

/// `<vip>_<port>`: bytes to one VIP and port that go to a cluster as they are.
pub fn tcp_vip(vip: SocketAddr, cluster: &str) -> Resource {
    let mut listener = not_bound(names::vip_listener(vip), vip);
    listener.filter_chains = vec![chain("tcp", None, tcp_proxy(cluster))];
    encode(listener)
}

/// `egress`: plain HTTP for clients that are not intercepted; `Host` says where to.
pub fn egress(listen: IpAddr) -> Resource {
    let mut listener = named(names::EGRESS.to_owned(), SocketAddr::new(listen, EGRESS_PORT));
    let mut manager = http_manager("egress", vec![header(":authority", ".", 0), header(":authority", ".", 1)]);
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
    pb::FilterChain {
        name: name.to_owned(),
        filter_chain_match: matches,
        filters: vec![filter],
        ..pb::FilterChain::default()
    }
}

fn passthrough() -> pb::FilterChain {
    chain("passthrough", None, tcp_proxy(names::PASSTHROUGH))
}

fn tcp_proxy(cluster: &str) -> pb::Filter {
    let proxy = tcp::TcpProxy {
        stat_prefix: cluster.to_owned(),
        cluster_specifier: Some(tcp::tcp_proxy::ClusterSpecifier::Cluster(cluster.to_owned())),
        // Idle connections are the two ends' business; the dead ones are found by TCP keepalive.
        idle_timeout: no_timeout(),
        max_connect_attempts: u32_value(if cluster == names::PASSTHROUGH { 1 } else { TCP_CONNECT_ATTEMPTS }),
        ..tcp::TcpProxy::default()
    };
    filter("envoy.filters.network.tcp_proxy", any(&proxy))
}

fn http_filter(manager: &hcm::HttpConnectionManager) -> pb::Filter {
    filter("envoy.filters.network.http_connection_manager", any(manager))
}

fn filter(name: &str, config: envoy_types::pb::google::protobuf::Any) -> pb::Filter {
    pb::Filter { name: name.to_owned(), config_type: Some(pb::filter::ConfigType::TypedConfig(config)) }
}

fn http_manager(name: &str, key: Vec<FragmentBuilder>) -> hcm::HttpConnectionManager {
    use hcm::http_connection_manager::{CodecType, RouteSpecifier, ServerHeaderTransformation, UpgradeConfig};
    let scopes = hcm::ScopedRoutes {
        name: name.to_owned(),
        scope_key_builder: Some(ScopeKeyBuilder { fragments: key }),
        rds_config_source: ads(),
        config_specifier: Some(ConfigSpecifier::ScopedRds(hcm::ScopedRds {
            scoped_rds_config_source: ads(),
            ..hcm::ScopedRds::default()
        })),
    };
    hcm::HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: name.to_owned(),
        route_specifier: Some(RouteSpecifier::ScopedRoutes(scopes)),
        http_filters: vec![hcm::HttpFilter {
            name: "envoy.filters.http.router".to_owned(),
            config_type: Some(hcm::http_filter::ConfigType::TypedConfig(any(&Router::default()))),
            ..hcm::HttpFilter::default()
        }],
        // The application's own `Server` header, and streams that may be silent for as long as they like.
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        stream_idle_timeout: no_timeout(),
        upgrade_configs: vec![UpgradeConfig { upgrade_type: "websocket".to_owned(), ..UpgradeConfig::default() }],
        ..hcm::HttpConnectionManager::default()
    }
}

/// One part of a scope's key: the `index`th piece of a header cut at `separator`.
fn header(name: &str, separator: &str, index: u32) -> FragmentBuilder {
    FragmentBuilder {
        r#type: Some(Type::HeaderValueExtractor(HeaderValueExtractor {
            name: name.to_owned(),
            element_separator: separator.to_owned(),
            extract_type: Some(ExtractType::Index(index)),
        })),
    }
}

/// Writes the original destination into a header before the scope is looked up. What a client sent there is replaced.
fn note_vip() -> core::TypedExtensionConfig {
    use core::header_value_option::HeaderAppendAction;
    let set = core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: VIP_HEADER.to_owned(),
            value: "%DOWNSTREAM_LOCAL_ADDRESS%".to_owned(),
            ..core::HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..core::HeaderValueOption::default()
    };
    let mutation = mutation::HeaderMutation { action: Some(mutation::header_mutation::Action::Append(set)) };
    extension("envoy.http.early_header_mutation.header_mutation", &HeaderMutation { mutations: vec![mutation] })
}
