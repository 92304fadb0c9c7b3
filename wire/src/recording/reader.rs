//! Reads a recording.

use std::io::Read;

use super::{End, Entry, Start};
use crate::codec;
use crate::error::Error;
use crate::frame::{self, Kind};

/// A recording that is being read.
#[derive(Debug)]
pub struct Reader<R> {
    frames: frame::Reader<R>,
    entries: u64,
    end: Option<End>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Frame(#[from] Error),
    #[error("is empty; expected a recording")]
    Empty,
    #[error("at byte {at}: the end, after {entries} batches; expected the frame that ends a recording: it was cut")]
    NoEnd { at: u64, entries: u64 },
    #[error("at byte {at}: the recording says that it has {expected} batches, but {found} were found")]
    Entries { at: u64, found: u64, expected: u64 },
    #[error("at byte {at}: a frame after the one that ends the recording; expected nothing")]
    AfterEnd { at: u64 },
}

impl<R: Read> Reader<R> {
    /// Reads the beginning.
    pub fn new(from: R) -> Result<(Self, Start), ReadError> {
        let mut frames = frame::Reader::new(from);
        let frame = frames.next_frame().map_err(Error::from)?.ok_or(ReadError::Empty)?;
        let Kind::RECORDING_START = frame.kind else {
            let expected = "2 (the start of a recording)";
            return Err(Error::Kind { at: 0, found: frame.kind.0, expected }.into());
        };
        let start = codec::from_bytes(frame.payload, frame.payload_at).map_err(Error::from)?;
        Ok((Self { frames, entries: 0, end: None }, start))
    }

    /// The next batch; `None` after the last one, when the recording was found complete.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        let at = self.frames.at();
        let Some(frame) = self.frames.next_frame().map_err(Error::from)? else {
            return match &self.end {
                Some(_) => Ok(None),
                None => Err(ReadError::NoEnd { at, entries: self.entries }),
            };
        };
        if self.end.is_some() {
            return Err(ReadError::AfterEnd { at });
        }
        match frame.kind {
            Kind::RECORDING_ENTRY => {
                let entry = codec::from_bytes(frame.payload, frame.payload_at).map_err(Error::from)?;
                self.entries += 1;
                Ok(Some(entry))
            }
            Kind::RECORDING_END => {
                let end: End = codec::from_bytes(frame.payload, frame.payload_at).map_err(Error::from)?;
                if end.entries != self.entries {
                    return Err(ReadError::Entries { at, found: self.entries, expected: end.entries });
                }
                self.end = Some(end);
                self.next_entry()
            }
            Kind(found) => {
                let expected = "3 (a batch of a recording) or 4 (its end)";
                Err(Error::Kind { at, found, expected }.into())
            }
        }
    }

    /// How it ended, once that was read.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Batches that were read.
    pub fn entries(&self) -> u64 {
        self.entries
    }
}
