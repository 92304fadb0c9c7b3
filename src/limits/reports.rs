//! Bounds on what is listed and logged.

use super::Bound;
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
    ]
}
