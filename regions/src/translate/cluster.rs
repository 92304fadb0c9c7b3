//! Clusters: how a proxy talks to the backends of one port. They depend on the port, never on its backends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as pb;
use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use envoy_types::pb::envoy::config::cluster::v3::cluster::common_lb_config::LocalityConfigSpecifier;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig, LbPolicy,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig,
};
use envoy_types::pb::envoy::r#type::v3::Percent;
use envoy_types::pb::google::protobuf::Any;
use federation::model::{AppProtocol, ServiceKey};

use super::proto::{ads_within, any, duration, u32_value};
use super::{affinity, connection, names, protocol};
use crate::resource::{Resource, ResourceType};

/// Between pods of one flat network a connection takes one round trip, 0.3 s around the world. The kernel repeats a
/// lost SYN only after 1 s, and by then another host is likelier to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// What passes through may go anywhere, so the kernel decides: by default it gives up after 127 s.
const KERNEL_CONNECT_TIMEOUT: Duration = Duration::from_secs(130);
/// Envoy's own defaults (1,024 connections, pending and running requests; 3 retries) break busy services without a
/// message, and a limit is for the service's owner to set. Retries are safe without one here, because these repeat only
/// what no backend has begun to work on, see [`super::retry`].
const NO_LIMIT: u32 = u32::MAX;
/// A cluster whose load assignment does not come holds up all clusters behind it. It is sent right after the cluster, so
/// this is for a control plane that ended between the two.
const LOAD_TIMEOUT: Duration = Duration::from_secs(1);
/// The extension that HTTP options of a cluster go under.
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// How one of a port's hosts is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balancing {
    /// The load assignment's locality weights are meant to steer traffic.
    pub weighted: bool,
    /// One client address stays with one host (`sessionAffinity: ClientIP`).
    pub by_source: bool,
}

/// The cluster of one TCP-transport port.
pub fn federated(service: &ServiceKey, port: u16, app: AppProtocol, balancing: Balancing) -> Resource {
    let name = names::outbound(port, service);
    encode(pb::Cluster { name: name.clone(), ..eds(String::new(), app, balancing) }).followed_by(&name)
}

/// A cluster that is asked for by where a connection or request was going. Its load assignment and the name it is
/// counted under are those of the service.
pub fn vip(at: SocketAddr, service: &ServiceKey, app: AppProtocol, balancing: Balancing) -> Resource {
    let load = names::outbound(at.port(), service);
    let cluster =
        pb::Cluster { name: names::vip_cluster(at), alt_stat_name: load.clone(), ..eds(load.clone(), app, balancing) };
    encode(cluster).followed_by(&load)
}

/// What an on-demand client is sent for a cluster that does not exist (yet). Traffic to a VIP that no federated service has
/// goes to its original destination; anything else fails at once, in a cluster without hosts.
pub fn placeholder(name: &str) -> Resource {
    let cluster = match names::parse_vip_cluster(name) {
        Some(_) => pb::Cluster {
            name: name.to_owned(),
            typed_extension_protocol_options: http_options(HttpProtocolOptions {
                upstream_protocol_options: Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(as_downstream())),
                ..common_options()
            }),
            ..passthrough()
        },
        None => pb::Cluster { name: name.to_owned(), ..black_hole() },
    };
    encode(cluster)
}

fn encode(cluster: pb::Cluster) -> Resource {
    Resource::encode(ResourceType::Cluster, &cluster.name, &cluster)
}

/// `load`: the name of its load assignment, empty if it is that of the cluster.
fn eds(load: String, app: AppProtocol, balancing: Balancing) -> pb::Cluster {
    let Balancing { weighted, by_source } = balancing;
    pb::Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig {
            eds_config: ads_within(LOAD_TIMEOUT),
            // Two clusters that share a load assignment would wait for each other; here only VIPs of one service share
            // one, and every cluster that is sent is followed by its load assignment.
            service_name: load,
        }),
        connect_timeout: duration(CONNECT_TIMEOUT),
        // Not LEAST_REQUEST: a backend that refuses at once always has the fewest requests and would attract the most.
        lb_policy: if by_source { LbPolicy::Maglev } else { LbPolicy::RoundRobin }.into(),
        common_lb_config: Some(CommonLbConfig {
            // Kubernetes decides readiness, and the control plane sends it. Envoy's panic mode would send to hosts that are known
            // not to be ready, instead of to the next region.
            healthy_panic_threshold: Some(Percent { value: 0.0 }),
            // Without declared weights hosts are equal, whatever their locality, so that each gets the same share.
            locality_config_specifier: weighted
                .then(|| LocalityConfigSpecifier::LocalityWeightedLbConfig(<_>::default())),
            ..CommonLbConfig::default()
        }),
        circuit_breakers: no_limits(),
        typed_extension_protocol_options: protocol_options(app, by_source),
        upstream_connection_options: connection::keepalive(),
        upstream_bind_config: connection::patience(app),
        ..pb::Cluster::default()
    }
}

/// The clusters that every client has: one that connects to the original destination, and one without hosts.
pub fn built_in() -> [Resource; 2] {
    [passthrough(), black_hole()].map(encode)
}

fn passthrough() -> pb::Cluster {
    pb::Cluster {
        name: names::PASSTHROUGH.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::OriginalDst.into())),
        connect_timeout: duration(KERNEL_CONNECT_TIMEOUT),
        lb_policy: LbPolicy::ClusterProvided.into(),
        circuit_breakers: no_limits(),
        upstream_connection_options: connection::keepalive(),
        ..pb::Cluster::default()
    }
}

fn black_hole() -> pb::Cluster {
    pb::Cluster {
        name: names::BLACK_HOLE.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        connect_timeout: duration(CONNECT_TIMEOUT),
        ..pb::Cluster::default()
    }
}

fn no_limits() -> Option<pb::CircuitBreakers> {
    let thresholds = Thresholds {
        max_connections: u32_value(NO_LIMIT),
        max_pending_requests: u32_value(NO_LIMIT),
        max_requests: u32_value(NO_LIMIT),
        max_retries: u32_value(NO_LIMIT),
        ..Thresholds::default()
    };
    Some(pb::CircuitBreakers { thresholds: vec![thresholds], ..pb::CircuitBreakers::default() })
}

/// The protocol of a service's hosts. A client of an `http` port may send HTTP/2 without negotiation ("prior knowledge",
/// as gRPC does), and its backend would have understood; a port that is declared to be HTTP/2 gets nothing else.
fn protocol_options(app: AppProtocol, by_source: bool) -> HashMap<String, Any> {
    let upstream = match app {
        AppProtocol::Http => UpstreamProtocolOptions::UseDownstreamProtocolConfig(as_downstream()),
        AppProtocol::Http2 => UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(protocol::http2())),
        }),
        AppProtocol::Tcp => return HashMap::new(),
    };
    http_options(HttpProtocolOptions {
        upstream_protocol_options: Some(upstream),
        // Here and not in routes (Envoy 1.37 and newer): a proxy holds one cluster of a service, and several routes to it.
        retry_policy: Some(super::retry::policy()),
        // Bytes have theirs in the TCP proxy.
        hash_policy: by_source.then(affinity::by_client_address).into_iter().collect(),
        ..common_options()
    })
}

fn as_downstream() -> UseDownstreamHttpConfig {
    UseDownstreamHttpConfig {
        http_protocol_options: Some(protocol::http1()),
        http2_protocol_options: Some(protocol::http2()),
        ..UseDownstreamHttpConfig::default()
    }
}

fn common_options() -> HttpProtocolOptions {
    HttpProtocolOptions { common_http_protocol_options: Some(protocol::common()), ..HttpProtocolOptions::default() }
}

/// One entry, so that the map encodes deterministically.
fn http_options(options: HttpProtocolOptions) -> HashMap<String, Any> {
    HashMap::from([(HTTP_OPTIONS.to_owned(), any(&options))])
}
