//! Writes a recording that never exceeds its size.

use std::io::{self, Write};

use federation::change::Batch;
use federation::model::Time;

use super::{End, EndReason, Entry, Start};
use crate::codec::{self, EncodeError, Value};
use crate::frame::{self, CHECKSUM_BYTES, HEADER_BYTES, Kind};

/// Bytes that are kept free for the [`End`]: its three fields have at most ten bytes and a key each.
const END_BYTES: u64 = (HEADER_BYTES + CHECKSUM_BYTES + 3 * 11) as u64;

/// A recording that is being written.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    max_bytes: u64,
    bytes: u64,
    entries: u64,
    ended: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot be written: {0}")]
    Io(#[from] io::Error),
    #[error("cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
}

impl<W: Write> Writer<W> {
    /// `max_bytes`: of the whole recording.
    pub fn new(to: W, max_bytes: u64, start: &Start) -> Result<Self, WriteError> {
        let mut writer = Self { to, max_bytes, bytes: 0, entries: 0, ended: false };
        let frame = encode(Kind::RECORDING_START, start)?;
        writer.put(&frame)?;
        Ok(writer)
    }

    /// Appends the batches of one round. `Some`: it ended because of the entry that would have been next, and takes no more.
    pub fn round(&mut self, at: Time, batches: &[Batch]) -> Result<Option<EndReason>, WriteError> {
        for (index, batch) in batches.iter().enumerate() {
            if self.ended {
                return Ok(None);
            }
            let entry = Entry::to_bytes(at, index == 0, batch);
            let Ok(frame) = entry.and_then(|entry| frame::encode(Kind::RECORDING_ENTRY, &entry)) else {
                return self.end(at, EndReason::NotEncodable).map(Some);
            };
            if self.bytes + frame.len() as u64 + END_BYTES > self.max_bytes {
                return self.end(at, EndReason::Full).map(Some);
            }
            self.put(&frame)?;
            self.entries += 1;
        }
        self.to.flush()?;
        Ok(None)
    }

    /// Completes the recording, if it has not ended.
    pub fn end(&mut self, at: Time, reason: EndReason) -> Result<EndReason, WriteError> {
        if !self.ended {
            self.ended = true;
            let frame = encode(Kind::RECORDING_END, &End { at, reason, entries: self.entries })?;
            self.put(&frame)?;
            self.to.flush()?;
        }
        Ok(reason)
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn put(&mut self, frame: &[u8]) -> Result<(), WriteError> {
        self.to.write_all(frame)?;
        self.bytes += frame.len() as u64;
        Ok(())
    }
}

fn encode<T: Value>(kind: Kind, value: &T) -> Result<Vec<u8>, EncodeError> {
    frame::encode(kind, &codec::to_bytes(value)?)
}
