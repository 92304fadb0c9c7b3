//! The state of a stream's types, for people.

use std::sync::Arc;

/// The beginning of a client's last error that is kept, in bytes.
pub const MAX_ERROR_LEN: usize = 1_024;

/// The state of one type of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeStatus {
    /// Whether the client ever asked for this type.
    pub subscribed: bool,
    pub wildcard: bool,
    /// Names it asked for one by one.
    pub names: usize,
    pub sent: u64,
    pub acks: u64,
    pub nacks: u64,
    /// The client was brought to some state, even if it had that already and nothing was sent.
    pub reached: bool,
    /// A response waits for its ACK.
    pub outstanding: bool,
    /// Something that the client should have is rejected.
    pub rejected: bool,
    /// Version of the type as last sent.
    pub version: u64,
    /// Version of the type in the last response that was accepted.
    pub acked_version: Option<u64>,
    /// The last error, cut to [`MAX_ERROR_LEN`].
    pub last_error: Option<Arc<str>>,
}
