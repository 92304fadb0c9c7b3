//! Bounds on single objects, files and folders.

use super::{Bound, bytes};
use crate::convert::{MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SERVICE, MAX_PORTS_PER_SLICE};
use crate::files::MAX_FILE_BYTES;

pub(super) fn bounds() -> Vec<Bound> {
    vec![
        Bound::of(
            "hosts of a service: ports times endpoints, over all clusters",
            federation::MAX_HOSTS,
            "left out; the oldest export's first ports come first",
            "the member's notices (`isthmus status`, `status.notes`)",
        ),
        Bound::of(
            "ports of a Service",
            MAX_PORTS_PER_SERVICE,
            "object rejected",
            "`isthmus status`, `/debug/problems`",
        ),
        Bound::of(
            "ports of an EndpointSlice",
            MAX_PORTS_PER_SLICE,
            "object rejected",
            "`isthmus status`, `/debug/problems`",
        ),
        Bound::of(
            "endpoints of an EndpointSlice",
            MAX_ENDPOINTS_PER_SLICE,
            "object rejected",
            "`isthmus status`, `/debug/problems`",
        ),
        Bound::of(
            "a file",
            bytes(usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX)),
            "file rejected",
            "`isthmus check`, log",
        ),
    ]
}
