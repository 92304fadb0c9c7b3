//! Bounds on what is listed, logged and shown.

use clusters::api::MAX_STATUS_PROBLEMS;
use clusters::client::connect::MAX_MESSAGE_LEN;
use clusters::convert::MAX_NAME_LEN;
use clusters::problem::{
    MAX_BYTES, MAX_BYTES_PER_ORIGIN, MAX_COUNTED, MAX_EXPECTED_LEN, MAX_FIELD_LEN, MAX_FOUND_LEN,
    MAX_OBJECTS_PER_ORIGIN, MAX_PROBLEMS_PER_OBJECT,
};

use super::{Bound, bytes, time};
use crate::admin::{ANSWER_TIMEOUT, CHECK_DEADLINE, HEADER_TIMEOUT, IDLE_TIMEOUT, MAX_CONNECTIONS, MAX_PAGES};
use crate::process::engine::{ASK_DEADLINE, QUESTION_CAPACITY};
use crate::process::telemetry;

/// Where problems are listed.
const LISTED: &str = "`isthmus status`, `/debug/problems`";
const COUNTED: &str = "counted, not listed; the listing says how many";

pub(super) fn bounds() -> Vec<Bound> {
    let mut all = problems();
    all.extend(log());
    all.extend(pages());
    all
}

fn problems() -> Vec<Bound> {
    vec![
        Bound::of("objects with problems listed for a member, or for the hub", MAX_OBJECTS_PER_ORIGIN, COUNTED, LISTED),
        Bound::of("their problems, for a member, or for the hub", bytes(MAX_BYTES_PER_ORIGIN), COUNTED, LISTED),
        Bound::of("problems of all members and the hub together", bytes(MAX_BYTES), COUNTED, LISTED),
        Bound::of(
            "objects with problems of a member that are counted",
            MAX_COUNTED,
            "the count stays",
            "metric `isthmus_rejected_objects`",
        ),
        Bound::of("problems of one object", MAX_PROBLEMS_PER_OBJECT, "counted, not listed", LISTED),
        Bound::of("problems in one status", MAX_STATUS_PROBLEMS, COUNTED, "`status.problems`"),
        Bound::of(
            "why a member is not connected",
            bytes(MAX_MESSAGE_LEN),
            "cut, with its length",
            "condition `Connected`",
        ),
        Bound::of("a name in a problem", bytes(MAX_NAME_LEN), "cut, with its length and hash", LISTED),
        Bound::of("the path of a field in a problem", bytes(MAX_FIELD_LEN), "cut, with its length", LISTED),
        Bound::of("a value that was found, in a problem", bytes(MAX_FOUND_LEN), "cut, with its length", LISTED),
        Bound::of(
            "what was expected or is lost, in a problem",
            bytes(MAX_EXPECTED_LEN),
            "cut, with its length",
            LISTED,
        ),
    ]
}

fn log() -> Vec<Bound> {
    let beyond = "left out; the next one says how many";
    let seen = "log, metric `isthmus_log_lines_suppressed_total`";
    vec![
        Bound::of(
            "lines of one kind about one peer, at once",
            format!("{}, then one in {}", telemetry::BURST, time(telemetry::EVERY)),
            beyond,
            seen,
        ),
        Bound::of(
            "lines of one kind, at once",
            format!("{}, then one in {}", telemetry::TOTAL_BURST, time(telemetry::TOTAL_EVERY)),
            beyond,
            seen,
        ),
        Bound::of(
            "peers and kinds of lines that are counted separately",
            telemetry::MAX_KEYS,
            "counted together",
            seen,
        ),
        Bound::of("a value in a line for people", bytes(telemetry::MAX_VALUE_LEN), "cut, with its length", "log"),
    ]
}

fn pages() -> Vec<Bound> {
    let closed = "connection closed";
    vec![
        Bound::of(
            "connections to a port of pages",
            MAX_CONNECTIONS,
            "the one that has waited for longest without a request is closed; if all have one, the newcomer is",
            "metrics `isthmus_admin_connections_made_room_total`, `isthmus_admin_connections_refused_total`",
        ),
        Bound::of("the head of a request for a page", time(HEADER_TIMEOUT), closed, "–"),
        Bound::of("a connection to the pages without a request", time(IDLE_TIMEOUT), closed, "–"),
        Bound::of("the answer to a request for a page, until it is read", time(ANSWER_TIMEOUT), closed, "–"),
        Bound::of("pages under `/debug` that are made or read at a time", MAX_PAGES, "wait, then 503", "the answer"),
        Bound::of("questions that wait for the engine's thread", QUESTION_CAPACITY, "wait, then 503", "the answer"),
        Bound::of("a question to the engine, until it is answered", time(ASK_DEADLINE), "503", "the answer"),
        Bound::of(
            "a check of the invariants, one at a time",
            time(CHECK_DEADLINE),
            "503; a second one: 429",
            "the answer",
        ),
    ]
}
