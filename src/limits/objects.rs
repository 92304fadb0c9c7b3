//! Bounds on single objects, files and folders.

use clusters::convert::{MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SERVICE, MAX_PORTS_PER_SLICE};
use clusters::sources::folder;

use super::{Bound, bytes, time};

pub(super) fn bounds() -> Vec<Bound> {
    objects().into_iter().chain(files()).collect()
}

fn objects() -> Vec<Bound> {
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
    ]
}

fn files() -> Vec<Bound> {
    vec![
        Bound::of(
            "a file",
            bytes(usize::try_from(folder::MAX_FILE_BYTES).unwrap_or(usize::MAX)),
            "file rejected",
            "`isthmus check`, log",
        ),
        Bound::of("reading a file", time(folder::READ_TIMEOUT), "file rejected", "`isthmus check`, `/debug/problems`"),
        Bound::of(
            "files that cannot be read to their end, at a time",
            folder::MAX_STUCK,
            "other files are not read",
            "`isthmus check`, `/debug/problems`",
        ),
        Bound::of("files of a folder", folder::MAX_FILES, "not read", "`isthmus check`, `/debug/problems`"),
        Bound::of("folders within a folder", folder::MAX_FOLDERS, "not read", "`isthmus check`, `/debug/problems`"),
        Bound::of(
            "folders around a file, below that of the hub or of its cluster",
            folder::MAX_FOLDER_DEPTH,
            "not read",
            "`isthmus check`, `/debug/problems`",
        ),
        Bound::of(
            "documents of a file that cannot be parsed",
            folder::MAX_BROKEN_DOCUMENTS,
            "the file is not used; its last good state stays",
            "`isthmus check`, `/debug/problems`",
        ),
        Bound::of(
            "kinds that are passed over, listed for a file",
            folder::MAX_PASSED_OVER_PER_FILE,
            "counted together",
            "`isthmus check -v`",
        ),
        Bound::of("clusters of a folder", folder::MAX_CLUSTERS, "not read", "`isthmus check`, `/debug/problems`"),
        Bound::of(
            "problems listed for a file",
            folder::MAX_PROBLEMS_PER_FILE,
            "counted, not listed",
            "`isthmus check`",
        ),
        Bound::of(
            "problems listed for a folder itself",
            folder::MAX_FOLDER_PROBLEMS,
            "counted, not listed",
            "`isthmus check`",
        ),
    ]
}
