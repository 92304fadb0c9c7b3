//! How long a connection to a backend is kept that answers nothing.
//!
//! HTTP/2 PINGs would find a vanished peer too, but gRPC servers close the connection, with the calls on it, when a
//! client sends more than two within five minutes on streams that are quiet (`too_many_pings`; gRFC A8 and the keepalive
//! guide). The kernel's keepalive needs no answer of the application, and works for HTTP/1 and TCP as well.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as cluster;
use envoy_types::pb::envoy::config::core::v3 as pb;
use federation::model::AppProtocol;

use super::proto::u32_value;

/// A connection without traffic is probed after so long, and then at this interval.
const PROBE_AFTER_S: u32 = 30;
const PROBE_INTERVAL_S: u32 = 10;
/// Where there is no [`patience`], so many probes without an answer are enough.
const PROBES: u32 = 3;
/// `IPPROTO_TCP` and `TCP_USER_TIMEOUT` of Linux.
const TCP_LEVEL: i64 = 6;
const USER_TIMEOUT: i64 = 18;

/// Probes, for connections that carry nothing.
pub(super) fn keepalive() -> Option<cluster::UpstreamConnectionOptions> {
    Some(cluster::UpstreamConnectionOptions {
        tcp_keepalive: Some(pb::TcpKeepalive {
            keepalive_probes: u32_value(PROBES),
            keepalive_time: u32_value(PROBE_AFTER_S),
            keepalive_interval: u32_value(PROBE_INTERVAL_S),
        }),
        ..cluster::UpstreamConnectionOptions::default()
    })
}

/// A TCP user timeout, for connections that carry something: without it the kernel repeats what is not acknowledged for a
/// quarter of an hour. It also ends the connection of a peer that lives and reads nothing for so long, so it is long where
/// that may happen: an upload to a handler that waits, a statement that waits for a lock. HTTP/2 is read all the time.
///
/// No address is bound by this, only the option set.
pub(super) fn patience(app: AppProtocol) -> Option<pb::BindConfig> {
    let timeout = match app {
        AppProtocol::Http2 => Duration::from_secs(30),
        AppProtocol::Http => Duration::from_secs(60),
        AppProtocol::Tcp => Duration::from_secs(120),
    };
    let option = pb::SocketOption {
        level: TCP_LEVEL,
        name: USER_TIMEOUT,
        value: Some(pb::socket_option::Value::IntValue(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX))),
        ..pb::SocketOption::default()
    };
    Some(pb::BindConfig { socket_options: vec![option], ..pb::BindConfig::default() })
}
