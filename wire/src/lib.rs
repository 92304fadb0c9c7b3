//! A stable encoding of [`Batch`]: everything that a source reports about the hub or about a member.
//!
//! Bytes that this crate writes can be read by later versions of it, on another machine or years later. It is for
//! recordings ([`recording`]), for state that is kept on disk, and for what control planes send each other.
//!
//! * [`frame`]: what is around a payload: a magic number, the version of the format, the kind, the length, a checksum.
//! * [`codec`]: the payload, in protobuf's wire format; what is read is bounded in memory.
//! * `model`: how each type of the federation's model is encoded.
//!
//! **How the format may change.** A new field gets a new tag, and the value that it has where it is absent is what it meant
//! before; older versions skip it. A tag, an enum's number or a frame's kind is never used again for something else. A
//! change that an older version must not skip gets a new [`frame::VERSION`], which older versions refuse.

pub mod codec;
mod error;
pub mod frame;
mod model;
pub mod recording;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use federation::change::Batch;

use codec::EncodeError;
use frame::Kind;

pub use error::Error;

/// One frame.
pub fn encode(batch: &Batch) -> Result<Vec<u8>, EncodeError> {
    frame::encode(Kind::BATCH, &codec::to_bytes(batch)?)
}

/// The batch of one frame, which must be all of the bytes.
pub fn decode(bytes: &[u8]) -> Result<Batch, Error> {
    let frame = frame::decode(bytes)?;
    match frame.kind {
        Kind::BATCH => Ok(codec::from_bytes(frame.payload, frame.payload_at)?),
        Kind(found) => Err(Error::Kind { at: 0, found, expected: "1 (a batch)" }),
    }
}

#[cfg(test)]
mod tests;
