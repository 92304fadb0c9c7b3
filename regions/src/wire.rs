//! Protobuf messages field by field, without decoding what is not used: a decoded message takes up to fifty times its bytes
//! (an empty field of two bytes becomes a struct), so what an unknown client sends is not decoded as a whole.

use std::str;

/// Why bytes are no protobuf message, or not the one that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(crate) &'static str);

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Number(u64),
    /// A string, bytes, or a message.
    Bytes(&'a [u8]),
    /// Four or eight bytes.
    Fixed,
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Fixed => Err(Malformed("a number where bytes are expected")),
        }
    }

    /// A `uint32`, cut as protobuf cuts it.
    pub(crate) fn number(self) -> Result<u32, Malformed> {
        match self {
            Self::Number(number) => Ok(u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX)),
            Self::Bytes(_) | Self::Fixed => Err(Malformed("bytes where a number is expected")),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        str::from_utf8(self.bytes()?).map_err(|_| Malformed("a string that is not UTF-8"))
    }
}

/// The fields of a message in the order in which they were written. Ends after the first error.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let tag = u32::try_from(self.number()?).map_err(|_| Malformed("a field number that is too large"))?;
        let value = match (tag >> 3, tag & 7) {
            (0, _) => return Err(Malformed("a field with number 0")),
            (_, 0) => Value::Number(self.number()?),
            (_, 1) => self.take(8).map(|_| Value::Fixed)?,
            (_, 2) => {
                let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                Value::Bytes(self.take(len)?)
            }
            (_, 5) => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed("a field of a wire type that is not used")),
        };
        Ok((tag >> 3, value))
    }

    /// A variable-length integer: at most ten bytes, seven bits in each.
    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.take(1)? else { return Err(CUT_SHORT) };
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed("a number of more than ten bytes"))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(taken)
    }
}

const CUT_SHORT: Malformed = Malformed("it ends in the middle of a field");

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::{Locality, Node};
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[test]
    fn every_wire_type_is_read_or_skipped() {
        let bytes = [8, 150, 1, 17, 1, 2, 3, 4, 5, 6, 7, 8, 26, 2, b'h', b'i', 37, 1, 2, 3, 4];
        let read: Result<Vec<_>, _> = fields(&bytes).collect();
        let expected = [(1, Value::Number(150)), (2, Value::Fixed), (3, Value::Bytes(b"hi")), (4, Value::Fixed)];
        assert_eq!(read, Ok(expected.to_vec()));
    }

    #[test]
    fn a_malformed_message_is_refused() {
        let cases: [&[u8]; 7] = [
            &[8],                                                   // no value
            &[26, 200, 1, 0],                                       // shorter than its length field
            &[26, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],  // a length that does not fit
            &[0, 1],                                                // field 0
            &[11, 12],                                              // a group
            &[8, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128], // a number without end
            &[14],                                                  // wire type 6
        ];
        for bytes in cases {
            let mut read = fields(bytes);
            assert!(read.any(|field| field.is_err()), "{bytes:?}");
            assert_eq!(read.next(), None, "it ends there");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_reads_what_prost_writes(id in ".{0,20}", region in ".{0,20}", zone in ".{0,20}") {
            let locality = Locality { region: region.clone(), zone: zone.clone(), sub_zone: String::new() };
            let node = Node { id: id.clone(), locality: Some(locality), ..Node::default() }.encode_to_vec();
            let text = |message: &[u8], number| {
                let found = fields(message).filter_map(Result::ok).find(|(found, _)| *found == number);
                found.map(|(_, value)| value.text().expect("text").to_owned()).unwrap_or_default()
            };
            prop_assert_eq!(text(&node, 1), id);
            let locality = fields(&node).filter_map(Result::ok).find(|(number, _)| *number == 4);
            let locality = locality.and_then(|(_, value)| value.bytes().ok()).unwrap_or_default();
            prop_assert_eq!((text(locality, 1), text(locality, 2)), (region, zone));
        }

        #[test]
        fn no_bytes_make_it_read_beyond_them(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let read: usize = fields(&bytes).filter_map(Result::ok).map(|(_, value)| value.bytes().map_or(1, <[u8]>::len)).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}
