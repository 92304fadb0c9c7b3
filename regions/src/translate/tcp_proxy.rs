//! The TCP proxy: bytes from one connection to another, as they are.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3 as state;
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3 as set_state;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;

use super::proto::{ads, any, duration, no_timeout, u32_value};
use super::{affinity, names};

/// Hosts that a TCP connection may try in turn before it fails: the failover of what cannot be retried later.
const TCP_CONNECT_ATTEMPTS: u32 = 4;

/// How long a request or connection waits for a cluster that it is the first to need. Usually it takes 2–3 ms.
pub(super) const ON_DEMAND_TIMEOUT: Duration = Duration::from_secs(3);
const TCP_PROXY: &str = "envoy.filters.network.tcp_proxy";
/// What connections to VIPs are counted under.
const VIP: &str = "vip";

pub(super) fn tcp_proxy(cluster: &str) -> pb::Filter {
    filter(TCP_PROXY, any(&tcp_config(cluster)))
}

/// Which cluster it is, [`choose_vip_cluster`] has decided.
pub(super) fn on_demand_tcp_proxy() -> pb::Filter {
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
        // Client and server decide how long to keep idle connections; dead ones are found by TCP keepalive.
        idle_timeout: no_timeout(),
        hash_policy: vec![affinity::by_client_address_of_connection()],
        max_connect_attempts: u32_value(if cluster == names::PASSTHROUGH { 1 } else { TCP_CONNECT_ATTEMPTS }),
        ..tcp::TcpProxy::default()
    }
}

/// Sets the cluster of the TCP proxy behind it, which is named after the connection's original destination.
pub(super) fn choose_vip_cluster() -> pb::Filter {
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

pub(super) fn filter(name: &str, config: envoy_types::pb::google::protobuf::Any) -> pb::Filter {
    pb::Filter { name: name.to_owned(), config_type: Some(pb::filter::ConfigType::TypedConfig(config)) }
}
