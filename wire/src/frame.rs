//! Frames: whole or refused.
//!
//! ```text
//! bytes  0–3   magic: "ISTH"
//!        4–5   version of the format, little-endian, as all numbers here
//!        6     kind of the payload
//!        7     0
//!        8–11  length of the payload
//!       12–    payload
//!   last 8     XXH3-64 of everything before
//! ```
//! The checksum finds damage, not forgery.

mod reader;

use xxhash_rust::xxh3::xxh3_64;

use crate::codec::limits::MAX_PAYLOAD_BYTES;
use crate::codec::{EncodeError, Reason};

pub use reader::Reader;

pub const MAGIC: [u8; 4] = *b"ISTH";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u16 = 1;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 12;
/// Bytes after it.
pub const CHECKSUM_BYTES: usize = 8;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(pub u8);

impl Kind {
    pub const BATCH: Self = Self(1);
    /// The others: see [`crate::recording`].
    pub const RECORDING_START: Self = Self(2);
    pub const RECORDING_ENTRY: Self = Self(3);
    pub const RECORDING_END: Self = Self(4);
}

/// A frame that was found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: Kind,
    pub payload: &'a [u8],
    /// Offset of the payload.
    pub payload_at: u64,
}

/// Bytes that are not a whole frame of this version.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("at byte {at}: begins with {found:02x?}; expected {MAGIC:02x?}, with which every frame of Isthmus begins")]
    Magic { at: u64, found: Vec<u8> },
    #[error(
        "at byte {at}: has version {found} of the format; expected {VERSION}: read it with the version of Isthmus that wrote it"
    )]
    Version { at: u64, found: u16 },
    #[error("at byte {at}: has a reserved byte that is {found}; expected 0")]
    Reserved { at: u64, found: u8 },
    #[error("at byte {at}: says that its payload has {found} bytes; expected at most {MAX_PAYLOAD_BYTES}")]
    TooLarge { at: u64, found: u64 },
    #[error("at byte {at}: a frame that ends after {found} of {expected} bytes: it was cut")]
    Cut { at: u64, found: u64, expected: u64 },
    #[error(
        "at byte {at}: a frame of {length} bytes whose checksum is {found:016x}; expected {expected:016x}: it is damaged"
    )]
    Damaged { at: u64, length: u64, found: u64, expected: u64 },
    #[error("at byte {at}: {found} more bytes; expected the end")]
    More { at: u64, found: u64 },
    #[error("at byte {at}: cannot be read: {cause}")]
    Io { at: u64, cause: std::io::Error },
}

/// Puts a frame around a payload.
pub fn encode(kind: Kind, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let found = payload.len();
    let length = u32::try_from(found).ok().filter(|_| found <= MAX_PAYLOAD_BYTES);
    let length = length.ok_or_else(|| EncodeError::new(Reason::TooLarge { found }))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + found + CHECKSUM_BYTES);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([kind.0, 0]);
    bytes.extend(length.to_le_bytes());
    bytes.extend(payload);
    bytes.extend(xxh3_64(&bytes).to_le_bytes());
    Ok(bytes)
}

/// The one frame that the bytes consist of.
pub fn decode(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    let header = Header::parse(bytes, 0)?;
    let expected = header.frame_bytes();
    if bytes.len() > expected {
        return Err(FrameError::More { at: expected as u64, found: (bytes.len() - expected) as u64 });
    }
    header.check(bytes, 0)
}

/// The first bytes of a frame, checked.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: Kind,
    payload_bytes: usize,
}

impl Header {
    fn parse(bytes: &[u8], at: u64) -> Result<Self, FrameError> {
        let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        if !MAGIC.starts_with(magic) {
            return Err(FrameError::Magic { at, found: magic.to_vec() });
        }
        let Some([_, _, _, _, v0, v1, kind, reserved, length @ ..]) = bytes.first_chunk::<HEADER_BYTES>() else {
            let (found, expected) = (bytes.len() as u64, HEADER_BYTES as u64);
            return Err(FrameError::Cut { at, found, expected });
        };
        let version = u16::from_le_bytes([*v0, *v1]);
        if version != VERSION {
            return Err(FrameError::Version { at, found: version });
        }
        if *reserved != 0 {
            return Err(FrameError::Reserved { at, found: *reserved });
        }
        let length = u32::from_le_bytes(*length);
        match usize::try_from(length).ok().filter(|length| *length <= MAX_PAYLOAD_BYTES) {
            Some(payload_bytes) => Ok(Self { kind: Kind(*kind), payload_bytes }),
            None => Err(FrameError::TooLarge { at, found: u64::from(length) }),
        }
    }

    fn frame_bytes(self) -> usize {
        HEADER_BYTES + self.payload_bytes + CHECKSUM_BYTES
    }

    /// `bytes`: the frame from its first byte on.
    fn check(self, bytes: &[u8], at: u64) -> Result<Frame<'_>, FrameError> {
        let length = self.frame_bytes() as u64;
        let cut = || FrameError::Cut { at, found: bytes.len() as u64, expected: length };
        let (content, checksum) = bytes.split_at_checked(HEADER_BYTES + self.payload_bytes).ok_or_else(cut)?;
        let expected = u64::from_le_bytes(*checksum.first_chunk().ok_or_else(cut)?);
        let found = xxh3_64(content);
        if found != expected {
            return Err(FrameError::Damaged { at, length, found, expected });
        }
        let payload = content.get(HEADER_BYTES..).unwrap_or_default();
        Ok(Frame { kind: self.kind, payload, payload_at: at + HEADER_BYTES as u64 })
    }
}
