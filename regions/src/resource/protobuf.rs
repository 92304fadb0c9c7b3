//! Writing length-delimited protobuf fields by hand, where most of the bytes exist already.

use bytes::BufMut;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

/// Bytes of a length-delimited field, key and length included.
pub(crate) fn field_len(tag: u32, len: usize) -> usize {
    key_len(tag) + encoded_len_varint(len as u64) + len
}

/// Writes key and length of a length-delimited field.
pub(crate) fn put_head(tag: u32, len: usize, to: &mut impl BufMut) {
    encode_key(tag, WireType::LengthDelimited, to);
    encode_varint(len as u64, to);
}

/// Writes a length-delimited field.
pub(crate) fn put_field(tag: u32, bytes: &[u8], to: &mut impl BufMut) {
    put_head(tag, bytes.len(), to);
    to.put_slice(bytes);
}
