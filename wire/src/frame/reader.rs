//! Reads one frame after another from a file or a connection.

use std::io::Read;

use super::{Frame, FrameError, HEADER_BYTES, Header};

/// Frames in a stream of bytes.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    /// Offset of the next frame.
    at: u64,
    /// The last frame that was read.
    bytes: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub fn new(from: R) -> Self {
        Self { from, at: 0, bytes: Vec::new() }
    }

    /// Offset of the next frame.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next frame; `None` at the end. After an error there is no use in reading on: where the next frame begins is not
    /// known. Memory grows with what is there to be read, not with what a header says.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let at = self.at;
        self.bytes.clear();
        self.fill(HEADER_BYTES)?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let header = Header::parse(&self.bytes, at)?;
        self.fill(header.frame_bytes() - HEADER_BYTES)?;
        let frame = header.check(&self.bytes, at)?;
        self.at += header.frame_bytes() as u64;
        Ok(Some(frame))
    }

    fn fill(&mut self, count: usize) -> Result<(), FrameError> {
        let mut limited = (&mut self.from).take(count as u64);
        limited.read_to_end(&mut self.bytes).map_err(|cause| FrameError::Io { at: self.at, cause })?;
        Ok(())
    }
}
