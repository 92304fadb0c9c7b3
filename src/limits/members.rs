//! Bounds on what API servers send, and on how long they may take.

use clusters::client::bounds::{
    ANSWER_TIMEOUT, CALL_TIMEOUT, CONNECT_TIMEOUT, ENDPOINTS_PER_OBJECT, EVENT_TIMEOUT, LIST_FACTOR, LIST_TIMEOUT,
    LISTS_AT_A_TIME, MAX_ANSWER_BYTES, MAX_ANSWER_VALUES, MAX_EMPTY_PAGES, MAX_MEMBER_BYTES, MAX_MEMBER_OBJECTS,
    MAX_OBJECT_BYTES, MAX_PAGE_BYTES, MAX_TOKEN_BYTES, PORTS_PER_OBJECT, WHOLE_LIST_TIMEOUT, WHOLE_WATCH_TIMEOUT,
};
use clusters::sources::feed::{FEED_CAPACITY, WAITING_PER_MEMBER};
use clusters::sources::watch::MAX_EVENTS_PER_BATCH;

use super::{Bound, bytes, time};

const KEPT: &str = "rejected and counted; what was there first stays";
const UNREADABLE: &str = "condition `Synced`, reason `KindUnreadable`";
const PROBLEMS: &str = "`isthmus status`, `/debug/problems`";

pub(super) fn bounds() -> Vec<Bound> {
    [calls(), answers(), contents()].into_iter().flatten().collect()
}

/// Times of calls to API servers.
fn calls() -> Vec<Bound> {
    vec![
        Bound::of(
            "a connection to an API server: name lookup, TCP and TLS together",
            time(CONNECT_TIMEOUT),
            "counts as not answered, with the step that took too long; tried again",
            "condition `Connected`",
        ),
        Bound::of(
            "one call to an API server",
            time(CALL_TIMEOUT),
            "counts as not answered; tried again",
            "condition `Connected`",
        ),
        Bound::of(
            "one page of a list of a kind",
            time(LIST_TIMEOUT),
            "counts as not answered; tried again",
            "condition `Synced`",
        ),
        Bound::of(
            "a whole list of a kind",
            time(WHOLE_LIST_TIMEOUT),
            "not used; the last good state stays",
            UNREADABLE,
        ),
        Bound::of(
            "any other answer, from the request to its last byte",
            time(ANSWER_TIMEOUT),
            "connection closed; tried again",
            "condition `Connected`",
        ),
    ]
}

/// Answers of API servers.
fn answers() -> Vec<Bound> {
    vec![
        Bound::of("a whole watch", time(WHOLE_WATCH_TIMEOUT), "opened again from where it was", "–"),
        Bound::of("pages without an object in a list", MAX_EMPTY_PAGES, "list not used", UNREADABLE),
        Bound::of("a watch event, from its first byte to its last", time(EVENT_TIMEOUT), "listed again", UNREADABLE),
        Bound::of(
            "an answer that is neither a list nor a watch",
            bytes(MAX_ANSWER_BYTES),
            "connection closed; tried again",
            "condition `Connected`",
        ),
        Bound::of(
            "values in such an answer",
            MAX_ANSWER_VALUES,
            "connection closed; tried again",
            "condition `Connected`",
        ),
        Bound::of(
            "a page of a list",
            bytes(MAX_PAGE_BYTES),
            "asked for with fewer objects; with two objects: not used",
            UNREADABLE,
        ),
        Bound::of("an object in a list", bytes(MAX_OBJECT_BYTES), "object rejected", PROBLEMS),
        Bound::of("a watch event", bytes(MAX_OBJECT_BYTES), "listed again", UNREADABLE),
        Bound::of("a continue token, a resourceVersion", bytes(MAX_TOKEN_BYTES), "list not used", UNREADABLE),
    ]
}

/// What is kept of a member, and what waits.
fn contents() -> Vec<Bound> {
    vec![
        Bound::of("lists of one member at a time", LISTS_AT_A_TIME, "wait", "–"),
        Bound::of("objects of a member, of all kinds together", MAX_MEMBER_OBJECTS, KEPT, PROBLEMS)
            .flag("--max-member-objects"),
        Bound::of(
            "the same in bytes, as they are sent",
            bytes(usize::try_from(MAX_MEMBER_BYTES).unwrap_or(usize::MAX)),
            KEPT,
            PROBLEMS,
        )
        .flag("--max-member-bytes"),
        Bound::of("ports of a member", format!("{PORTS_PER_OBJECT} times its objects"), KEPT, PROBLEMS)
            .flag("--max-member-objects"),
        Bound::of("endpoints of a member", format!("{ENDPOINTS_PER_OBJECT} times its objects"), KEPT, PROBLEMS)
            .flag("--max-member-objects"),
        Bound::of(
            "a list in total, in each of these",
            format!("{LIST_FACTOR} times what is kept"),
            "not used; the last good state stays",
            UNREADABLE,
        ),
        Bound::of("changes in one batch", MAX_EVENTS_PER_BATCH, "the next batch", "–"),
        Bound::of("batches of one member that wait for the engine", WAITING_PER_MEMBER, "its watches wait", "–"),
        Bound::of("batches that wait for the engine", FEED_CAPACITY, "sources wait", "–"),
    ]
}
