//! HTTP/1 and HTTP/2 towards clients and towards backends: whatever client and backend could send to each
//! other without a proxy. Each field, with what Envoy's default would do to it, is a row of docs/transparency.md.

use envoy_types::pb::envoy::config::core::v3 as pb;
use envoy_types::pb::envoy::config::core::v3::http1_protocol_options::{HeaderKeyFormat, header_key_format};
use envoy_types::pb::envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher, string_matcher::MatchPattern};

use super::proto::{extension, no_timeout, u32_value};

/// The largest header section that Envoy accepts, in KiB. Backends have limits of their own, and those count.
pub(super) const MAX_HEADERS_KIB: u32 = 8192;
/// A bound for one request's memory, a hundred times Envoy's default; no known server allows more by default.
const MAX_HEADERS: u32 = 10_000;
/// One HTTP/2 header field, in KiB as encoded. The largest that Envoy accepts.
const MAX_FIELD_KIB: u32 = 256;
/// The most concurrent streams that HTTP/2 can express. A gRPC channel waits without an error once it has as many as the
/// proxy allows; backends announce limits of their own.
const MAX_STREAMS: u32 = (1 << 31) - 1;
/// Frames that wait for a slow reader. Envoy's 10,000 are 600 kB of small gRPC messages, after which it would close the
/// connection; their bytes stay limited by flow control and the buffer limit of 1 MiB.
const MAX_WAITING_FRAMES: u32 = 1_000_000;
/// PING, SETTINGS and RST_STREAM frames that wait for a slow reader: 17 MB at the most, from the pod's own client.
const MAX_WAITING_CONTROL_FRAMES: u32 = 1_000_000;
/// Envoy's defences against clients that send useless frames. The client is the pod itself, and harms no other.
const NO_LIMIT: u32 = u32::MAX;
/// The only upgrade that Envoy can pass on and that applications use by name.
pub(super) const WEBSOCKET: &str = "websocket";
/// What a backend is called that an HTTP/1.0 client did not name; Envoy forwards such requests as HTTP/1.1.
const UNNAMED_HOST: &str = "localhost";

/// HTTP/1 from clients.
pub(super) fn http1_from_clients() -> pb::Http1ProtocolOptions {
    pb::Http1ProtocolOptions {
        accept_http_10: true,
        default_host_for_http_10: UNNAMED_HOST.to_owned(),
        allow_custom_methods: true,
        // RFC 9110 §7.8: a server may ignore an upgrade. Envoy would refuse the whole request instead.
        ignore_http_11_upgrade: vec![all_but(WEBSOCKET)],
        ..http1()
    }
}

/// HTTP/1 to backends, and what both directions share.
pub(super) fn http1() -> pb::Http1ProtocolOptions {
    let preserve_case = PreserveCaseFormatterConfig { forward_reason_phrase: true, ..<_>::default() };
    let format = header_key_format::HeaderFormat::StatefulFormatter(extension("preserve_case", &preserve_case));
    pb::Http1ProtocolOptions {
        header_key_format: Some(HeaderKeyFormat { header_format: Some(format) }),
        enable_trailers: true,
        // Envoy frames each message again, so the next hop sees one length only (RFC 9112 §6.3).
        allow_chunked_length: true,
        ..pb::Http1ProtocolOptions::default()
    }
}

/// HTTP/2 from clients.
pub(super) fn http2_from_clients() -> pb::Http2ProtocolOptions {
    pb::Http2ProtocolOptions {
        max_outbound_control_frames: u32_value(MAX_WAITING_CONTROL_FRAMES),
        max_inbound_priority_frames_per_stream: u32_value(NO_LIMIT),
        // A client that cancels many calls at once; the counters are those of nghttp2.
        stream_reset_burst: u64_value(NO_LIMIT),
        stream_reset_rate: u64_value(NO_LIMIT),
        ..http2()
    }
}

/// HTTP/2 to backends, and what both directions share.
pub(super) fn http2() -> pb::Http2ProtocolOptions {
    pb::Http2ProtocolOptions {
        max_concurrent_streams: u32_value(MAX_STREAMS),
        max_outbound_frames: u32_value(MAX_WAITING_FRAMES),
        max_consecutive_inbound_frames_with_empty_payload: u32_value(NO_LIMIT),
        max_inbound_window_update_frames_per_data_frame_sent: u32_value(NO_LIMIT),
        max_header_field_size_kb: u32_value(MAX_FIELD_KIB),
        ..pb::Http2ProtocolOptions::default()
    }
}

/// For connections from clients. They are connections of the same pod, so none is left behind by a vanished peer.
pub(super) fn common_from_clients() -> pb::HttpProtocolOptions {
    pb::HttpProtocolOptions {
        idle_timeout: no_timeout(),
        max_headers_count: u32_value(MAX_HEADERS),
        ..pb::HttpProtocolOptions::default()
    }
}

/// For connections to backends.
pub(super) fn common() -> pb::HttpProtocolOptions {
    pb::HttpProtocolOptions {
        max_headers_count: u32_value(MAX_HEADERS),
        max_response_headers_kb: u32_value(MAX_HEADERS_KIB),
        ..pb::HttpProtocolOptions::default()
    }
}

/// Matches every value but this word, in whatever case. RE2 has no negation, so it is written out: a value differs from
/// the word at its first letter, at its second, …, or goes on after its last.
fn all_but(word: &str) -> StringMatcher {
    let differs = word.char_indices().map(|(at, letter)| {
        let (same, _) = word.split_at(at);
        if at == 0 { format!("[^{letter}].*") } else { format!("{same}([^{letter}].*)?") }
    });
    let alternatives: Vec<String> = differs.chain([format!("{word}.+")]).collect();
    let regex = RegexMatcher { regex: format!("(?i)({})", alternatives.join("|")), ..RegexMatcher::default() };
    StringMatcher { match_pattern: Some(MatchPattern::SafeRegex(regex)), ..StringMatcher::default() }
}

fn u64_value(value: u32) -> Option<envoy_types::pb::google::protobuf::UInt64Value> {
    Some(envoy_types::pb::google::protobuf::UInt64Value { value: value.into() })
}
