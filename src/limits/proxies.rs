//! Bounds on connections, streams and what clients send.

use regions::catalog::MAX_CLASSES;
use regions::server::Limits;
use regions::session::{MAX_HOSTS, MAX_NAME_LEN, MAX_NAMES};

use super::{Bound, bytes, time};

pub(super) fn bounds() -> Vec<Bound> {
    let limits = Limits::default();
    vec![
        Bound::of(
            "connections",
            limits.max_connections,
            "closed at once",
            "metric `isthmus_xds_connections_refused_total`",
        )
        .flag("--max-connections"),
        Bound::of(
            "streams of a connection",
            limits.max_streams_per_connection,
            "HTTP/2 refuses the stream (`MAX_CONCURRENT_STREAMS`)",
            "the client's log",
        ),
        Bound::of("TLS handshakes at a time", limits.max_handshakes, "wait", "–"),
        Bound::of(
            "a TLS handshake, and again the first bytes of HTTP/2",
            time(limits.handshake_timeout),
            "connection closed",
            "log",
        ),
        Bound::of("classes of clients", MAX_CLASSES, "stream ended with `RESOURCE_EXHAUSTED`", "log"),
        Bound::of("names of one type on a stream", MAX_NAMES, "stream ended with `INVALID_ARGUMENT`", "log"),
        Bound::of("virtual hosts on a stream", MAX_HOSTS, "those that do not exist are forgotten", "–"),
        Bound::of("a resource name", bytes(MAX_NAME_LEN), "stream ended with `INVALID_ARGUMENT`", "log"),
    ]
}
