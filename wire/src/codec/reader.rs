//! Reads fields one after another.

use prost::encoding::{WireType, decode_varint};

use super::budget::Budget;
use super::error::{DecodeError, Reason};

/// A message that is being read: the bytes of it that are left, and where they are.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: u64,
    budget: &'a Budget,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], at: u64, budget: &'a Budget) -> Self {
        Self { bytes, at, budget }
    }

    /// Offset of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Passes over the rest.
    pub fn end(&mut self) {
        self.advance(self.bytes.len());
    }

    pub fn error(&self, reason: Reason) -> DecodeError {
        DecodeError::new(self.at, reason)
    }

    /// Counts memory that is about to be allocated.
    pub fn allocate(&self, bytes: usize) -> Result<(), DecodeError> {
        self.budget.take(bytes).map_err(|allowed| self.error(Reason::TooMuchMemory { allowed }))
    }

    /// Counts memory as free again.
    pub fn free(&self, bytes: usize) {
        self.budget.give_back(bytes);
    }

    /// Tag and wire type of the next field; `None` at the end of the message.
    pub fn key(&mut self) -> Result<Option<(u32, WireType)>, DecodeError> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = self.clone();
        let key = u32::try_from(self.varint()?).map_err(|_| start.error(Reason::NotAVarint))?;
        let wire_type = WireType::try_from(u64::from(key & 7)).map_err(|_| start.error(Reason::NotAVarint))?;
        match key >> 3 {
            0 => Err(start.error(Reason::NotAVarint)),
            tag => Ok(Some((tag, wire_type))),
        }
    }

    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut rest = self.bytes;
        let value = decode_varint(&mut rest).map_err(|_| self.error(Reason::NotAVarint))?;
        self.advance(self.bytes.len() - rest.len());
        Ok(value)
    }

    /// The bytes of a length-delimited field, as a message of its own.
    pub fn sized(&mut self) -> Result<Reader<'a>, DecodeError> {
        let start = self.clone();
        let length = self.varint()?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.split(length).ok_or_else(|| {
            let (found, expected) = (self.bytes.len() as u64, length as u64);
            start.error(Reason::Cut { found, expected })
        })
    }

    /// The number of a field of 64 bits; 0 if it is absent.
    pub fn eight_bytes(&mut self) -> Result<u64, DecodeError> {
        if self.is_empty() {
            return Ok(0);
        }
        let found = self.bytes.len() as u64;
        let part = self.split(8).map(|part| part.bytes.try_into());
        match part {
            Some(Ok(bytes)) => Ok(u64::from_le_bytes(bytes)),
            _ => Err(self.error(Reason::Cut { found, expected: 8 })),
        }
    }

    /// Passes over a field that this version does not know.
    pub fn skip(&mut self, wire_type: WireType) -> Result<(), DecodeError> {
        let fixed = match wire_type {
            WireType::Varint => return self.varint().map(drop),
            WireType::LengthDelimited => return self.sized().map(drop),
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            // Groups are deprecated, nest without a bound, and this format never had one.
            WireType::StartGroup | WireType::EndGroup => {
                return Err(
                    self.error(Reason::WireType { found: "group", expected: "a varint, 32 bits, 64 bits or a length" })
                );
            }
        };
        let found = self.bytes.len() as u64;
        self.split(fixed).map(drop).ok_or_else(|| self.error(Reason::Cut { found, expected: fixed as u64 }))
    }

    fn split(&mut self, length: usize) -> Option<Reader<'a>> {
        let (bytes, _) = self.bytes.split_at_checked(length)?;
        let part = Reader { bytes, at: self.at, budget: self.budget };
        self.advance(length);
        Some(part)
    }

    fn advance(&mut self, count: usize) {
        self.bytes = self.bytes.get(count..).unwrap_or_default();
        self.at += count as u64;
    }
}
