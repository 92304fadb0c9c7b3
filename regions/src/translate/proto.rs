//! Short spellings for what every resource needs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::google::protobuf as wkt;
use ipnet::IpNet;
use prost::{Message, Name};

pub(super) fn any<T: Message + Name>(message: &T) -> wkt::Any {
    wkt::Any { type_url: T::type_url(), value: message.encode_to_vec() }
}

pub(super) fn u32_value(value: u32) -> Option<wkt::UInt32Value> {
    Some(wkt::UInt32Value { value })
}

pub(super) fn bool_value(value: bool) -> Option<wkt::BoolValue> {
    Some(wkt::BoolValue { value })
}

pub(super) fn duration(duration: Duration) -> Option<wkt::Duration> {
    Some(wkt::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    })
}

/// "Never": what Envoy reads a zero timeout as.
pub(super) fn no_timeout() -> Option<wkt::Duration> {
    Some(wkt::Duration::default())
}

pub(super) fn address(at: SocketAddr) -> core::Address {
    let socket = core::SocketAddress {
        address: at.ip().to_string(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(u32::from(at.port()))),
        ..core::SocketAddress::default()
    };
    core::Address { address: Some(core::address::Address::SocketAddress(socket)) }
}

pub(super) fn cidr(net: &IpNet) -> core::CidrRange {
    let prefix: IpAddr = net.network();
    core::CidrRange { address_prefix: prefix.to_string(), prefix_len: u32_value(u32::from(net.prefix_len())) }
}

/// "From the stream that delivered this."
pub(super) fn ads() -> Option<core::ConfigSource> {
    Some(ads_source())
}

/// The same, and go on without it after this time (Envoy's default is 15 s).
pub(super) fn ads_within(limit: Duration) -> Option<core::ConfigSource> {
    Some(core::ConfigSource { initial_fetch_timeout: duration(limit), ..ads_source() })
}

fn ads_source() -> core::ConfigSource {
    core::ConfigSource {
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(
            core::AggregatedConfigSource::default(),
        )),
        ..core::ConfigSource::default()
    }
}

pub(super) fn extension<T: Message + Name>(name: &str, config: &T) -> core::TypedExtensionConfig {
    core::TypedExtensionConfig { name: name.to_owned(), typed_config: Some(any(config)) }
}
