//! Bounds on what is listed and logged.

use super::{Bound, bytes};
use crate::convert::MAX_SHOWN_NAME;
use crate::problem::{MAX_OBJECTS_PER_ORIGIN, MAX_PROBLEMS_PER_OBJECT};

pub(super) fn bounds() -> Vec<Bound> {
    vec![
        Bound::of(
            "objects with problems remembered for a member",
            MAX_OBJECTS_PER_ORIGIN,
            "counted, not listed",
            "`isthmus status`, `/debug/problems`",
        ),
        Bound::of("problems of one object", MAX_PROBLEMS_PER_OBJECT, "left out", "`isthmus status`, `/debug/problems`"),
        Bound::of("an object's name in a problem", bytes(MAX_SHOWN_NAME), "cut", "`isthmus status`, `/debug/problems`"),
    ]
}
