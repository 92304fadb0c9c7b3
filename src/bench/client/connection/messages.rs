//! gRPC messages, cut out of the data of a stream.

use bytes::{Buf as _, Bytes, BytesMut};

use super::super::wire::PREFIX;
use super::broken::Broken;

/// Room that is kept between messages.
const KEPT: usize = 16 << 10;

/// Data that was received and is not a whole message yet.
#[derive(Debug, Default)]
pub struct Messages {
    partial: BytesMut,
}

impl Messages {
    pub fn push(&mut self, data: &[u8]) {
        self.partial.extend_from_slice(data);
    }

    /// A whole message, if there is one.
    pub fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let Some(length) = self.length()? else { return Ok(None) };
        let missing = (PREFIX + length).saturating_sub(self.partial.len());
        if missing > 0 {
            self.partial.reserve(missing);
            return Ok(None);
        }
        self.partial.advance(PREFIX);
        let message = self.partial.split_to(length).freeze();
        if self.partial.is_empty() && length > KEPT {
            self.partial = BytesMut::new(); // a large one is not kept for the small ones that follow
        }
        Ok(Some(message))
    }

    /// How long the first message is, in bytes, once its prefix is there.
    pub fn length(&self) -> Result<Option<usize>, Broken> {
        let Some([compressed, length @ ..]) = self.partial.first_chunk::<PREFIX>() else { return Ok(None) };
        if *compressed != 0 {
            return Err(Broken::Compressed);
        }
        Ok(Some(usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX)))
    }
}

#[cfg(test)]
mod tests;
