//! Where frames end in what is written.

use std::io::IoSlice;

/// Length of a frame's header, in bytes: RFC 9113 §4.1.
const HEADER: u8 = 9;
/// Of those, the payload's length.
const LENGTH: u8 = 3;

/// Follows the frames of a connection from its first byte on.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// Bytes of the current frame's header that were written; 0 in its payload.
    header: u8,
    /// The payload's length, as far as its bytes were written.
    length: u32,
    /// Bytes of the current frame's payload that were not written yet.
    left: usize,
}

impl Boundary {
    /// Whether the last frame was written to its end.
    pub(super) fn is_here(&self) -> bool {
        self.header == 0 && self.left == 0
    }

    /// The first so many bytes of these pieces were written.
    pub(super) fn advance(&mut self, pieces: &[IoSlice<'_>], mut written: usize) {
        for piece in pieces {
            let taken = written.min(piece.len());
            self.pass(piece.get(..taken).unwrap_or_default());
            written -= taken;
        }
    }

    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if self.header < LENGTH {
                self.length = self.length << 8 | u32::from(*byte);
            }
            self.header += 1;
            if self.header == HEADER {
                self.left = usize::try_from(std::mem::take(&mut self.length)).unwrap_or(usize::MAX);
                self.header = 0;
            }
            bytes = rest;
        }
    }
}
