//! Listeners of single VIPs and of the plain port, and the parts that all listeners are made of. They know ports and VIPs,
//! never endpoints, so that churn among pods leaves them alone. The listener behind interception is [`super::outbound`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3 as state;
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::{OnDemand, OnDemandCds};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3 as set_state;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use hcm::http_connection_manager::RouteSpecifier;
use hcm::scoped_routes::scope_key_builder::FragmentBuilder;
use hcm::scoped_routes::scope_key_builder::fragment_builder::header_value_extractor::ExtractType;
use hcm::scoped_routes::scope_key_builder::fragment_builder::{HeaderValueExtractor, Type};
use hcm::scoped_routes::{ConfigSpecifier, ScopeKeyBuilder};

use super::outbound::Chain;
use super::proto::{address, ads, any, bool_value, duration, extension, no_timeout, u32_value};
use super::{EGRESS_PORT, VIP_HEADER, affinity, names, route};
use crate::resource::{Resource, ResourceType};

/// Hosts that a TCP connection may try in turn before it is given up: the failover of what cannot be retried later.
const TCP_CONNECT_ATTEMPTS: u32 = 4;

/// How long a request or connection waits for a cluster it is the first to need. Usually it takes 2–3 ms.
const ON_DEMAND_TIMEOUT: Duration = Duration::from_secs(3);
const TCP_PROXY: &str = "envoy.filters.network.tcp_proxy";
/// What connections to VIPs are counted under.
const VIP: &str = "vip";

/// `<vip>_<port>`: HTTP to one VIP and port, to a cluster, whatever `Host` says.
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
    manager.early_header_mutation_extensions = vec![note_vip(names::vip_cluster_format())];
    manager.http_filters.insert(0, fetch_cluster());
    chain(Chain::Http.name(), None, http_filter(&manager))
}

/// The same for bytes.
pub(super) fn on_demand_tcp() -> pb::FilterChain {
    let filters = vec![choose_vip_cluster(), on_demand_tcp_proxy()];
    pb::FilterChain { filters, ..chain_of(Chain::Tcp.name(), None) }
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

pub(super) fn tcp_proxy(cluster: &str) -> pb::Filter {
    filter(TCP_PROXY, any(&tcp_config(cluster)))
}

/// Which cluster it is, [`choose_vip_cluster`] has decided.
fn on_demand_tcp_proxy() -> pb::Filter {
    let proxy = tcp::TcpProxy {
        stat_prefix: VIP.to_owned(),
        on_demand: Some(tcp::tcp_proxy::OnDemand {
            odcds_config: ads(),
            timeout: duration(ON_DEMAND_TIMEOUT),
            ..tcp::tcp_proxy::OnDemand::default()
        }),
        max_connect_attempts: u32_value(TCP_CONNECT_ATTEMPTS),
        ..tcp_config(names::BLACK_HOLE)
    };
    filter(TCP_PROXY, any(&proxy))
}

fn tcp_config(cluster: &str) -> tcp::TcpProxy {
    tcp::TcpProxy {
        stat_prefix: cluster.to_owned(),
        cluster_specifier: Some(tcp::tcp_proxy::ClusterSpecifier::Cluster(cluster.to_owned())),
        // Idle connections are the two ends' business; the dead ones are found by TCP keepalive.
        idle_timeout: no_timeout(),
        hash_policy: vec![affinity::by_client_address_of_connection()],
        max_connect_attempts: u32_value(if cluster == names::PASSTHROUGH { 1 } else { TCP_CONNECT_ATTEMPTS }),
        ..tcp::TcpProxy::default()
    }
}

/// Tells the TCP proxy behind it a cluster that is named after where the connection was going.
fn choose_vip_cluster() -> pb::Filter {
    use core::substitution_format_string::Format;
    let value = core::SubstitutionFormatString {
        format: Some(Format::TextFormatSource(core::DataSource {
            specifier: Some(core::data_source::Specifier::InlineString(names::vip_cluster_format())),
            ..core::DataSource::default()
        })),
        ..core::SubstitutionFormatString::default()
    };
    let value = state::FilterStateValue {
        key: Some(state::filter_state_value::Key::ObjectKey("envoy.tcp_proxy.cluster".to_owned())),
        value: Some(state::filter_state_value::Value::FormatString(value)),
        ..state::FilterStateValue::default()
    };
    let config = set_state::Config { on_new_connection: vec![value], ..set_state::Config::default() };
    filter("envoy.filters.network.set_filter_state", any(&config))
}

fn http_filter(manager: &hcm::HttpConnectionManager) -> pb::Filter {
    filter("envoy.filters.network.http_connection_manager", any(manager))
}

fn filter(name: &str, config: envoy_types::pb::google::protobuf::Any) -> pb::Filter {
    pb::Filter { name: name.to_owned(), config_type: Some(pb::filter::ConfigType::TypedConfig(config)) }
}

fn http_manager(name: &str, routes: RouteSpecifier) -> hcm::HttpConnectionManager {
    use hcm::http_connection_manager::{CodecType, ServerHeaderTransformation, UpgradeConfig};
    hcm::HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: name.to_owned(),
        route_specifier: Some(routes),
        http_filters: vec![http("envoy.filters.http.router", any(&Router::default()))],
        // The application's own `Server` header, and streams that may be silent for as long as they like.
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        stream_idle_timeout: no_timeout(),
        upgrade_configs: vec![UpgradeConfig { upgrade_type: "websocket".to_owned(), ..UpgradeConfig::default() }],
        ..hcm::HttpConnectionManager::default()
    }
}

/// Routes by scopes that the control plane tells one by one.
fn scoped(name: &str, key: Vec<FragmentBuilder>) -> RouteSpecifier {
    RouteSpecifier::ScopedRoutes(hcm::ScopedRoutes {
        name: name.to_owned(),
        scope_key_builder: Some(ScopeKeyBuilder { fragments: key }),
        rds_config_source: ads(),
        config_specifier: Some(ConfigSpecifier::ScopedRds(hcm::ScopedRds {
            scoped_rds_config_source: ads(),
            ..hcm::ScopedRds::default()
        })),
    })
}

/// Holds a request back until the cluster of its route was fetched.
fn fetch_cluster() -> hcm::HttpFilter {
    fetch(OnDemand {
        odcds: Some(OnDemandCds { source: ads(), timeout: duration(ON_DEMAND_TIMEOUT), ..OnDemandCds::default() }),
    })
}

/// Holds a request back until its virtual host was fetched, and what else is said here.
fn fetch(config: OnDemand) -> hcm::HttpFilter {
    http("envoy.filters.http.on_demand", any(&config))
}

fn http(name: &str, config: envoy_types::pb::google::protobuf::Any) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(config)),
        ..hcm::HttpFilter::default()
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

/// Writes the original destination into a header before the route is looked up. What a client sent there is replaced.
fn note_vip(format: String) -> core::TypedExtensionConfig {
    use core::header_value_option::HeaderAppendAction;
    let set = core::HeaderValueOption {
        header: Some(core::HeaderValue { key: VIP_HEADER.to_owned(), value: format, ..core::HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..core::HeaderValueOption::default()
    };
    let mutation = mutation::HeaderMutation { action: Some(mutation::header_mutation::Action::Append(set)) };
    extension("envoy.http.early_header_mutation.header_mutation", &HeaderMutation { mutations: vec![mutation] })
}
