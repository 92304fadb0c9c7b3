//! The HTTP connection manager: what every HTTP request through a proxy passes.

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::{OnDemand, OnDemandCds};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use hcm::http_connection_manager::RouteSpecifier;
use hcm::scoped_routes::scope_key_builder::FragmentBuilder;
use hcm::scoped_routes::scope_key_builder::fragment_builder::header_value_extractor::ExtractType;
use hcm::scoped_routes::scope_key_builder::fragment_builder::{HeaderValueExtractor, Type};
use hcm::scoped_routes::{ConfigSpecifier, ScopeKeyBuilder};

use super::VIP_HEADER;
use super::proto::{ads, any, duration, extension, no_timeout};
use super::tcp_proxy::{ON_DEMAND_TIMEOUT, filter};

pub(super) fn http_manager(name: &str, routes: RouteSpecifier) -> hcm::HttpConnectionManager {
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

pub(super) fn http_filter(manager: &hcm::HttpConnectionManager) -> pb::Filter {
    filter("envoy.filters.network.http_connection_manager", any(manager))
}

/// Routes by scopes that the control plane tells one by one.
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

/// Holds a request back until its virtual host was fetched, and what else is said here.
pub(super) fn fetch(config: OnDemand) -> hcm::HttpFilter {
    http("envoy.filters.http.on_demand", any(&config))
}

/// Writes the original destination into a header before the route is looked up. What a client sent there is replaced.
pub(super) fn note_vip(format: String) -> core::TypedExtensionConfig {
    use core::header_value_option::HeaderAppendAction;
    let set = core::HeaderValueOption {
        header: Some(core::HeaderValue { key: VIP_HEADER.to_owned(), value: format, ..core::HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..core::HeaderValueOption::default()
    };
    let mutation = mutation::HeaderMutation { action: Some(mutation::header_mutation::Action::Append(set)) };
    extension("envoy.http.early_header_mutation.header_mutation", &HeaderMutation { mutations: vec![mutation] })
}

fn http(name: &str, config: envoy_types::pb::google::protobuf::Any) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(config)),
        ..hcm::HttpFilter::default()
    }
}
