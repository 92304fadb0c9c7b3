//! Writes fields one after another.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::error::EncodeError;

/// A message that is being written.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn key(&mut self, tag: u32, wire_type: WireType) {
        encode_key(tag, wire_type, &mut self.bytes);
    }

    pub fn varint(&mut self, value: u64) {
        encode_varint(value, &mut self.bytes);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes what `body` writes, preceded by its length.
    pub fn sized(&mut self, body: impl FnOnce(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let start = self.bytes.len();
        body(self)?;
        let mut length = Vec::with_capacity(10);
        encode_varint((self.bytes.len() - start) as u64, &mut length);
        self.bytes.splice(start..start, length);
        Ok(())
    }

    /// Bytes written so far.
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// What was written after this position.
    pub fn since(&self, position: usize) -> &[u8] {
        self.bytes.get(position..).unwrap_or_default()
    }

    /// Takes back what was written after this length.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }
}
