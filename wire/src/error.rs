//! Why bytes cannot be read.

use crate::codec::DecodeError;
use crate::frame::FrameError;

/// Bytes that are not one whole frame with a batch in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Payload(#[from] DecodeError),
    /// A frame of another kind than expected.
    #[error("at byte {at}: a frame of kind {found}; expected {expected}")]
    Kind { at: u64, found: u8, expected: &'static str },
}
