//! How values of a type become fields of a message.

use std::sync::Arc;

use prost::encoding::{WireType, key_len};

use super::error::{DecodeError, EncodeError, Reason};
use super::limits::MAX_ITEMS;
use super::{Reader, Writer};

/// A single value: a number, a text, a message.
pub trait Value: Sized {
    const WIRE_TYPE: WireType;

    /// Writes the value without key and length.
    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError>;

    /// Reads the value. If it has a length, the reader holds all of it and nothing else; of an empty reader this is the
    /// value of a field that is absent.
    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Writes it as one field, even if it has the default value.
    fn put_always(&self, tag: u32, to: &mut Writer) -> Result<(), EncodeError> {
        to.key(tag, Self::WIRE_TYPE);
        match Self::WIRE_TYPE {
            WireType::LengthDelimited => to.sized(|to| self.put_body(to)),
            _ => self.put_body(to),
        }
    }

    /// Reads what [`Value::put_always`] wrote after the key.
    fn take_one(wire_type: WireType, from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        check(wire_type, Self::WIRE_TYPE, from)?;
        match wire_type {
            WireType::LengthDelimited => Self::take_body(&mut from.sized()?),
            _ if from.is_empty() => Err(from.error(Reason::Cut { found: 0, expected: 1 })),
            _ => Self::take_body(from),
        }
    }
}

/// What a field of a struct may be: a [`Value`], or none, or many of them.
pub trait Field: Sized {
    /// What was read so far.
    type Slot: Default;

    fn put(&self, tag: u32, to: &mut Writer) -> Result<(), EncodeError>;

    /// Reads one occurrence of the field.
    fn take(slot: &mut Self::Slot, wire_type: WireType, from: &mut Reader<'_>) -> Result<(), DecodeError>;

    /// The value after all of the message was read. `end`: an empty reader, at the end of the message.
    fn finish(slot: Self::Slot, end: &Reader<'_>) -> Result<Self, DecodeError>;
}

/// Tag of the key of every object, so that errors can name it.
pub struct Key;

impl Key {
    pub const TAG: u32 = 1;
}

/// Refuses a field of another wire type.
pub fn check(found: WireType, expected: WireType, from: &Reader<'_>) -> Result<(), DecodeError> {
    if found == expected {
        return Ok(());
    }
    Err(from.error(Reason::WireType { found: name(found), expected: name(expected) }))
}

fn name(wire_type: WireType) -> &'static str {
    match wire_type {
        WireType::Varint => "varint",
        WireType::SixtyFourBit => "64 bits",
        WireType::LengthDelimited => "length-delimited",
        WireType::StartGroup | WireType::EndGroup => "group",
        WireType::ThirtyTwoBit => "32 bits",
    }
}

impl<T: Value> Field for T {
    type Slot = Option<T>;

    fn put(&self, tag: u32, to: &mut Writer) -> Result<(), EncodeError> {
        let before = to.position();
        self.put_always(tag, to)?;
        // A key and one byte that is zero: the number 0, or the length of nothing.
        if to.since(before).len() == key_len(tag) + 1 && to.since(before).last() == Some(&0) {
            to.truncate(before);
        }
        Ok(())
    }

    fn take(slot: &mut Self::Slot, wire_type: WireType, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        *slot = Some(T::take_one(wire_type, from)?);
        Ok(())
    }

    fn finish(slot: Self::Slot, end: &Reader<'_>) -> Result<Self, DecodeError> {
        match slot {
            Some(value) => Ok(value),
            None => T::take_body(&mut end.clone()),
        }
    }
}

impl<T: Value> Field for Option<T> {
    type Slot = Option<T>;

    fn put(&self, tag: u32, to: &mut Writer) -> Result<(), EncodeError> {
        self.as_ref().map_or(Ok(()), |value| value.put_always(tag, to))
    }

    fn take(slot: &mut Self::Slot, wire_type: WireType, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        *slot = Some(T::take_one(wire_type, from)?);
        Ok(())
    }

    fn finish(slot: Self::Slot, _: &Reader<'_>) -> Result<Self, DecodeError> {
        Ok(slot)
    }
}

impl<T: Value> Field for Vec<T> {
    type Slot = Vec<T>;

    fn put(&self, tag: u32, to: &mut Writer) -> Result<(), EncodeError> {
        if self.len() > MAX_ITEMS {
            return Err(EncodeError::new(Reason::TooManyItems));
        }
        let mut items = self.iter().enumerate();
        items.try_for_each(|(n, item)| item.put_always(tag, to).map_err(|error| error.within(format!("[{n}]"))))
    }

    fn take(slot: &mut Self::Slot, wire_type: WireType, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        if slot.len() >= MAX_ITEMS {
            return Err(from.error(Reason::TooManyItems));
        }
        push(slot, wire_type, from)
    }

    fn finish(slot: Self::Slot, end: &Reader<'_>) -> Result<Self, DecodeError> {
        Ok(complete(slot, end))
    }
}

/// A list that may be left out, which differs from a list of nothing: a message with the list as its field 1.
impl<T: Value> Field for Option<Vec<T>> {
    type Slot = Option<Vec<T>>;

    fn put(&self, tag: u32, to: &mut Writer) -> Result<(), EncodeError> {
        let Some(list) = self else { return Ok(()) };
        to.key(tag, WireType::LengthDelimited);
        to.sized(|to| list.put(1, to))
    }

    fn take(slot: &mut Self::Slot, wire_type: WireType, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        check(wire_type, WireType::LengthDelimited, from)?;
        let mut body = from.sized()?;
        let mut list = Vec::new();
        while let Some((tag, wire_type)) = body.key()? {
            match tag {
                1 => Vec::take(&mut list, wire_type, &mut body)?,
                _ => body.skip(wire_type)?,
            }
        }
        *slot = Some(complete(list, &body));
        Ok(())
    }

    fn finish(slot: Self::Slot, _: &Reader<'_>) -> Result<Self, DecodeError> {
        Ok(slot)
    }
}

/// Memory of an item in a vector that grows, in items: just after it was doubled, the old one is still there.
pub(crate) const GROWING: usize = 3;

/// Reads one more item of a list.
pub(crate) fn push<T: Value>(list: &mut Vec<T>, wire_type: WireType, from: &mut Reader<'_>) -> Result<(), DecodeError> {
    from.allocate(GROWING * size_of::<T>())?;
    let item = T::take_one(wire_type, from).map_err(|error| error.within(format!("[{}]", list.len())))?;
    list.push(item);
    Ok(())
}

/// A list that has all of its items: what [`push`] took for more of them is free again.
pub(crate) fn complete<T>(mut list: Vec<T>, end: &Reader<'_>) -> Vec<T> {
    list.shrink_to_fit();
    end.free(list.len() * (GROWING - 1) * size_of::<T>());
    list
}

macro_rules! pointer {
    ($pointer:ident) => {
        impl<T: Value> Value for $pointer<T> {
            const WIRE_TYPE: WireType = T::WIRE_TYPE;

            fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
                T::put_body(self, to)
            }

            fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                from.allocate(size_of::<T>() + 2 * size_of::<usize>())?;
                T::take_body(from).map($pointer::new)
            }
        }
    };
}

pointer!(Box);
pointer!(Arc);
