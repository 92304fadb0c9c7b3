//! Protobuf's wire format, written and read without an intermediate copy of the message.
//!
//! [`prost`] supplies keys and varints. Its derived messages are not used: they decode a list of empty messages into a
//! vector of whole structs, which takes up to 200 times the memory of the bytes, and their errors do not say where. Here
//! each field goes straight into the model value, each allocation counts against a budget that the length of the payload
//! sets, and an error names the byte, the field, what was found and what was expected.
//!
//! As in proto3, a field that has its default value is not written, and one that is absent has its default value.
//! Fields with unknown tags are skipped. How a type is encoded is written once, in a table: see [`message!`] and
//! [`enumeration!`].

mod budget;
mod error;
mod field;
pub mod limits;
mod reader;
mod scalar;
mod table;
mod writer;

pub use budget::Budget;
pub use error::{DecodeError, EncodeError, Reason};
pub use field::{Field, Key, Value, check};
pub use reader::Reader;
pub use writer::Writer;

pub(crate) use field::{GROWING, complete, push};
pub(crate) use scalar::{put_text, take_text};
pub(crate) use table::{enumeration, message};

use limits::{BASE_MEMORY, MAX_EXPANSION};

/// Encodes one message without a length.
pub fn to_bytes<T: Value>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::default();
    value.put_body(&mut writer)?;
    Ok(writer.into_bytes())
}

/// Decodes one message, which is all of the bytes. `at`: their offset in whatever they were read from, for errors.
pub fn from_bytes<T: Value>(bytes: &[u8], at: u64) -> Result<T, DecodeError> {
    let budget = Budget::new(bytes.len().saturating_mul(MAX_EXPANSION).saturating_add(BASE_MEMORY));
    let mut reader = Reader::new(bytes, at, &budget);
    T::take_body(&mut reader)
}
