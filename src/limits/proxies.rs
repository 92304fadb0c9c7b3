//! Bounds on connections, streams and what clients send.

use regions::catalog::{MAX_CLASSES, MAX_CLASSES_PER_ADDRESS};
use regions::class::MAX_NODE_ID_LEN;
use regions::server::{
    CONCURRENT, FIRST_REQUEST, FIRST_REQUEST_WHOLE, HOLD, LONG_HOLD, LONG_REQUEST_LEN, LONG_REQUESTS, Limits,
    MAX_CLUSTERS_READ, MAX_LOADS, MAX_LOCALITIES, MAX_LOCALITIES_READ, MAX_OUTDATED, MAX_PARTIAL_BYTES,
    MAX_PARTIAL_BYTES_PER_CONNECTION, MAX_REFUSALS, MAX_REFUSALS_OF_ADDRESS, MAX_REPORT_LEN, MAX_REQUEST_LEN, PATIENCE,
    TRIES_WITHIN,
};
use regions::session::{MAX_ERROR_LEN, MAX_HOSTS, MAX_NAME_BYTES, MAX_NAME_LEN, MAX_NAMES};

use super::{Bound, bytes, time};

const IN_TURN: &str = "wait in turn, by address and connection";
const GOES_ON: &str = "goes on, and no longer keeps others waiting";
const PASSED_ON: &str = "metric `isthmus_xds_places_passed_on_total`";
const EXHAUSTED: &str = "stream ended with `RESOURCE_EXHAUSTED`";
const TOO_LATE: &str = "stream ended with `DEADLINE_EXCEEDED`";
const AT_CLIENT: &str = "the client's log";
/// Where a client that is refused shows.
const REFUSED: &str = "log, `isthmus proxy`, metric `isthmus_xds_streams_refused_total`";

pub(super) fn bounds() -> Vec<Bound> {
    [connections(), places(), requests(), classes(), refusals(), reports()].into_iter().flatten().collect()
}

fn connections() -> Vec<Bound> {
    let limits = Limits::default();
    vec![
        Bound::of(
            "connections",
            limits.max_connections,
            "the address with the most of them loses one, first those on which no client sent its identity; if the newcomer's \
             address has as many, the newcomer is closed",
            "log, metrics `isthmus_xds_connections_displaced_total` and `isthmus_xds_connections_refused_total`",
        )
        .flag("--max-connections"),
        Bound::of(
            "age of a connection, give or take a fifth",
            time(limits.max_connection_age),
            "ended in good order; the proxy connects again",
            "metric `isthmus_xds_connections_aged_total`",
        )
        .flag("--max-connection-age"),
        Bound::of(
            "streams of a connection",
            limits.max_streams_per_connection,
            "HTTP/2 refuses the stream (`MAX_CONCURRENT_STREAMS`)",
            AT_CLIENT,
        ),
        Bound::of("TLS handshakes at a time", limits.max_handshakes, IN_TURN, PASSED_ON),
        Bound::of("a handshake that others wait for", time(limits.handshake_hold), GOES_ON, PASSED_ON),
        Bound::of(
            "a TLS handshake, and again the first bytes of HTTP/2",
            time(limits.handshake_timeout),
            "connection closed",
            "log, metric `isthmus_xds_handshakes_failed_total`",
        ),
        Bound::of(
            "a client that does not read or answer pings",
            time(limits.keepalive_interval + limits.keepalive_timeout),
            "connection closed",
            "log, metric `isthmus_xds_connections_silent_total`",
        ),
    ]
}

fn places() -> Vec<Bound> {
    vec![
        Bound::of("streams that are brought up at a time", CONCURRENT, IN_TURN, PASSED_ON),
        Bound::of("a stream that has not taken its first answers, while others wait", time(HOLD), GOES_ON, PASSED_ON),
        Bound::of("the same while no stream waits", time(PATIENCE), "its place is free", "–"),
        Bound::of("a stream on which nothing is sent", time(FIRST_REQUEST), TOO_LATE, REFUSED),
        Bound::of("the first request of a stream, its turn included", time(FIRST_REQUEST_WHOLE), TOO_LATE, REFUSED),
        Bound::of(
            format!("requests of more than {} that are read at a time", bytes(LONG_REQUEST_LEN)),
            LONG_REQUESTS,
            IN_TURN,
            PASSED_ON,
        ),
        Bound::of("such a request that has not arrived, while others wait", time(LONG_HOLD), GOES_ON, PASSED_ON),
    ]
}

fn requests() -> Vec<Bound> {
    vec![
        Bound::of("a request", bytes(MAX_REQUEST_LEN), "stream ended with `OUT_OF_RANGE`", REFUSED),
        Bound::of(
            "requests that have not arrived whole, on a connection",
            bytes(MAX_PARTIAL_BYTES_PER_CONNECTION),
            EXHAUSTED,
            REFUSED,
        ),
        Bound::of(
            "requests that have not arrived whole, in the process",
            bytes(MAX_PARTIAL_BYTES),
            "the fullest connection of the address that holds the most is ended",
            "log, metric `isthmus_xds_connections_cut_off_total`",
        ),
        Bound::of("names of one type on a stream", MAX_NAMES, EXHAUSTED, REFUSED),
        Bound::of("names on a stream that are not those of resources", bytes(MAX_NAME_BYTES), EXHAUSTED, REFUSED),
        Bound::of("a resource name", bytes(MAX_NAME_LEN), EXHAUSTED, REFUSED),
        Bound::of(
            "virtual hosts on a stream",
            MAX_HOSTS,
            "those that do not exist are forgotten, and asked for again by the next HTTP request",
            "–",
        ),
        Bound::of("`node.id`", bytes(MAX_NODE_ID_LEN), "stream ended with `INVALID_ARGUMENT`", REFUSED),
        Bound::of("the text of a rejection", bytes(MAX_ERROR_LEN), "cut", "`isthmus proxy`, log"),
    ]
}

fn classes() -> Vec<Bound> {
    const REFUSED: &str = "log, metric `isthmus_xds_classes_refused_total`";
    vec![
        Bound::of("classes of clients (places, profiles, listening addresses)", MAX_CLASSES, EXHAUSTED, REFUSED),
        Bound::of("of these, opened by clients of one address", MAX_CLASSES_PER_ADDRESS, EXHAUSTED, REFUSED),
    ]
}

fn refusals() -> Vec<Bound> {
    vec![
        Bound::of(
            "clients that are refused and listed",
            MAX_REFUSALS,
            "the one that tried longest ago is listed no more",
            "metric `isthmus_xds_streams_refused_total`",
        ),
        Bound::of(
            "of these, clients of one address",
            MAX_REFUSALS_OF_ADDRESS,
            "the one of that address that tried longest ago is listed no more",
            "metric `isthmus_xds_streams_refused_total`",
        ),
        Bound::of("since the last try of a client that is listed", time(TRIES_WITHIN), "it is listed no more", "–"),
        Bound::of(
            "versions and addresses of old Envoys that the log names",
            MAX_OUTDATED,
            "the log names no more of them",
            "`isthmus proxy`, metric `isthmus_xds_outdated_streams`",
        ),
    ]
}

fn reports() -> Vec<Bound> {
    vec![
        Bound::of("a load report", bytes(MAX_REPORT_LEN), "stream ended with `OUT_OF_RANGE`", AT_CLIENT),
        Bound::of("clusters read of a load report", MAX_CLUSTERS_READ, "skipped", "–"),
        Bound::of("localities read of a load report", MAX_LOCALITIES_READ, "skipped", "–"),
        Bound::of("clusters whose load is kept for a stream", MAX_LOADS, "counted in the totals", "–"),
        Bound::of("localities kept of one cluster", MAX_LOCALITIES, "skipped", "–"),
    ]
}
