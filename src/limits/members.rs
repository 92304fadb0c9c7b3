//! Bounds on what API servers send, and on how long they may take.

use super::{Bound, time};
use crate::clusters::connect::{CALL_TIMEOUT, LIST_TIMEOUT};

pub(super) fn bounds() -> Vec<Bound> {
    vec![
        Bound::of(
            "one call to an API server",
            time(CALL_TIMEOUT),
            "counts as not answered; tried again",
            "condition `Connected`",
        ),
        Bound::of(
            "one list of a kind",
            time(LIST_TIMEOUT),
            "counts as not answered; tried again",
            "condition `Synced`",
        ),
    ]
}
