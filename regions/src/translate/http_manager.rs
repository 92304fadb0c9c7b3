//! The HTTP connection manager: what every HTTP request through a proxy passes.

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3 as filter_mutation;
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::{OnDemand, OnDemandCds};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use hcm::http_connection_manager::RouteSpecifier;
use hcm::scoped_routes::scope_key_builder::FragmentBuilder;
use hcm::scoped_routes::scope_key_builder::fragment_builder::header_value_extractor::ExtractType;
use hcm::scoped_routes::scope_key_builder::fragment_builder::{HeaderValueExtractor, Type};
use hcm::scoped_routes::{ConfigSpecifier, ScopeKeyBuilder};

use super::proto::{ads, any, bool_value, duration, extension, no_timeout, u32_value};
use super::tcp_proxy::{ON_DEMAND_TIMEOUT, filter};
use super::{FORWARDED_PROTO_HEADER, VIP_HEADER, protocol};

/// `CONNECT` is an upgrade to Envoy. A backend that is a forward proxy gets it as the client sent it.
const CONNECT: &str = "CONNECT";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// What every manager has in common: nothing that is refused, cut or rewritten without need. Each field is a row of
/// docs/transparency.md.
pub(super) fn http_manager(name: &str, routes: RouteSpecifier) -> hcm::HttpConnectionManager {
    use hcm::http_connection_manager::{CodecType, ForwardClientCertDetails, ServerHeaderTransformation};
    // No `x-envoy-…` header is added, read or replaced on the way.
    let router = Router { suppress_envoy_headers: true, ..Router::default() };
    hcm::HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: name.to_owned(),
        route_specifier: Some(routes),
        early_header_mutation_extensions: vec![keep_forwarded_proto()],
        http_filters: vec![restore_forwarded_proto(), http("envoy.filters.http.router", any(&router))],
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        forward_client_cert_details: ForwardClientCertDetails::AlwaysForwardOnly.into(),
        generate_request_id: bool_value(false),
        // Also what makes Envoy pass on 102 and 103.
        proxy_100_continue: true,
        stream_error_on_invalid_http_message: bool_value(true),
        stream_idle_timeout: no_timeout(),
        // Closed once all is written, however long that takes. Envoy's 1 s lets a reader that pauses lose the rest of an
        // answer, and one whose answer broke off notice so much later.
        delayed_close_timeout: no_timeout(),
        max_request_headers_kb: u32_value(protocol::MAX_HEADERS_KIB),
        common_http_protocol_options: Some(protocol::common_from_clients()),
        http_protocol_options: Some(protocol::http1_from_clients()),
        http2_protocol_options: Some(protocol::http2_from_clients()),
        upgrade_configs: [protocol::WEBSOCKET, CONNECT].map(upgrade).to_vec(),
        ..hcm::HttpConnectionManager::default()
    }
}

fn upgrade(name: &str) -> hcm::http_connection_manager::UpgradeConfig {
    hcm::http_connection_manager::UpgradeConfig { upgrade_type: name.to_owned(), ..<_>::default() }
}

pub(super) fn http_filter(manager: &hcm::HttpConnectionManager) -> pb::Filter {
    filter("envoy.filters.network.http_connection_manager", any(manager))
}

/// Routes by scopes that the control plane sends one by one.
pub(super) fn scoped(name: &str, key: Vec<FragmentBuilder>) -> RouteSpecifier {
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

/// One part of a scope's key: the `index`th piece of a header cut at `separator`.
pub(super) fn header(name: &str, separator: &str, index: u32) -> FragmentBuilder {
    FragmentBuilder {
        r#type: Some(Type::HeaderValueExtractor(HeaderValueExtractor {
            name: name.to_owned(),
            element_separator: separator.to_owned(),
            extract_type: Some(ExtractType::Index(index)),
        })),
    }
}

/// Holds a request back until the cluster of its route was fetched.
pub(super) fn fetch_cluster() -> hcm::HttpFilter {
    fetch(OnDemand {
        odcds: Some(OnDemandCds { source: ads(), timeout: duration(ON_DEMAND_TIMEOUT), ..OnDemandCds::default() }),
    })
}

/// Holds a request back until its virtual host was fetched, and what else is configured here.
pub(super) fn fetch(config: OnDemand) -> hcm::HttpFilter {
    http("envoy.filters.http.on_demand", any(&config))
}

/// Writes the original destination into a header before the route is looked up. What a client sent there is replaced.
pub(super) fn note_vip(format: String) -> core::TypedExtensionConfig {
    early(vec![set(VIP_HEADER, format)])
}

/// Envoy adds `x-forwarded-proto` where there is none, and there is no setting against it. What the client sent is put
/// aside before that, and [`restore_forwarded_proto`] puts it back.
fn keep_forwarded_proto() -> core::TypedExtensionConfig {
    early(vec![remove(FORWARDED_PROTO_HEADER), set(FORWARDED_PROTO_HEADER, "%REQ(X-FORWARDED-PROTO)%".to_owned())])
}

/// A value that is empty, because the client sent none, adds no header.
fn restore_forwarded_proto() -> hcm::HttpFilter {
    let kept = format!("%REQ({FORWARDED_PROTO_HEADER})%");
    let request_mutations = vec![remove(FORWARDED_PROTO), set(FORWARDED_PROTO, kept), remove(FORWARDED_PROTO_HEADER)];
    let mutations = filter_mutation::Mutations { request_mutations, ..<_>::default() };
    let config = filter_mutation::HeaderMutation { mutations: Some(mutations), ..<_>::default() };
    http("envoy.filters.http.header_mutation", any(&config))
}

fn early(mutations: Vec<mutation::HeaderMutation>) -> core::TypedExtensionConfig {
    extension("envoy.http.early_header_mutation.header_mutation", &HeaderMutation { mutations })
}

fn set(name: &str, format: String) -> mutation::HeaderMutation {
    use core::header_value_option::HeaderAppendAction;
    let set = core::HeaderValueOption {
        header: Some(core::HeaderValue { key: name.to_owned(), value: format, ..core::HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..core::HeaderValueOption::default()
    };
    mutation::HeaderMutation { action: Some(mutation::header_mutation::Action::Append(set)) }
}

fn remove(name: &str) -> mutation::HeaderMutation {
    mutation::HeaderMutation { action: Some(mutation::header_mutation::Action::Remove(name.to_owned())) }
}

fn http(name: &str, config: envoy_types::pb::google::protobuf::Any) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(config)),
        ..hcm::HttpFilter::default()
    }
}
