//! What an API server may send, how much of a member is kept, and how long everything may take.

use std::time::Duration;

use super::connect::Allowed;

/// An answer that is neither a list nor a watch: one object, the version, health, discovery, a refusal. In bytes.
/// The largest that real API servers send are discovery documents and objects near etcd's own limit.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Values in such an answer: each may cost hundreds of bytes once it is read.
pub const MAX_ANSWER_VALUES: usize = 65_536;
/// One page of a list, in bytes. A page that is longer is asked for again with fewer objects in it.
pub const MAX_PAGE_BYTES: usize = 8 << 20;
/// One object in a list, or one event of a watch, in bytes: what API servers accept in one request.
pub const MAX_OBJECT_BYTES: usize = 3 << 20;
/// From the request to the end of an answer that is neither a list nor a watch.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// From the first byte of a watch event to its last.
pub const EVENT_TIMEOUT: Duration = Duration::from_secs(30);
/// All pages of one list.
pub const WHOLE_LIST_TIMEOUT: Duration = Duration::from_mins(10);
/// One watch. API servers are asked to end it after half of this, and it goes on from where it was.
pub const WHOLE_WATCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Pages without a single object in one list.
pub const MAX_EMPTY_PAGES: u32 = 100;
/// A continue token or a resource version, in bytes: it is sent back in a URL.
pub const MAX_TOKEN_BYTES: usize = 4 << 10;
/// Lists of one member that are read at a time: pages are held in memory.
pub const LISTS_AT_A_TIME: usize = 2;

/// Deadline of one request that is not a watch or a list: name lookup, connection, TLS and answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// Deadline of one page of a list.
pub const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// Name lookup, connection and TLS. Shorter than [`CALL_TIMEOUT`], so that it is known which of them took too long.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_500);

/// Objects of one member, of all kinds together.
pub const MAX_MEMBER_OBJECTS: usize = 150_000;
/// The same in bytes as they were sent.
pub const MAX_MEMBER_BYTES: u64 = 512 << 20;
/// Ports of Services and EndpointSlices of one member, for each object that it may have.
pub const PORTS_PER_OBJECT: usize = 4;
/// Endpoints of one member, for each object that it may have.
pub const ENDPOINTS_PER_OBJECT: usize = 10;
/// A list of more than so many times what may be kept is given up, and nothing of it is used.
pub const LIST_FACTOR: usize = 2;

/// What users may set.
#[derive(Clone, Debug)]
pub struct MemberBounds {
    /// Objects kept of one member, of all kinds together.
    pub objects: usize,
    /// The same in bytes as they were sent.
    pub bytes: u64,
    /// Where API servers of members may be besides the addresses that are always allowed.
    pub addresses: Allowed,
}

impl Default for MemberBounds {
    fn default() -> Self {
        Self { objects: MAX_MEMBER_OBJECTS, bytes: MAX_MEMBER_BYTES, addresses: Allowed::default() }
    }
}
