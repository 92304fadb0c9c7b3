//! Changes of one kind of objects: a complete list, or some changes in order.

use federation::change::{Change, Delta, Object};
use prost::encoding::WireType;

use crate::codec::limits::MAX_OBJECTS;
use crate::codec::{DecodeError, EncodeError, Key, Reader, Reason, Value, Writer, check, complete, push};

const FULL: u32 = 1;
const PARTIAL: u32 = 2;
const OBJECTS: u32 = 1;
const REJECTED: u32 = 2;
const CHANGES: u32 = 1;
const PUT: u32 = 1;
const DELETE: u32 = 2;

impl<T> Value for Delta<T>
where
    T: Object + Value,
    T::Key: Value,
{
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.key(if self.is_full() { FULL } else { PARTIAL }, WireType::LengthDelimited);
        to.sized(|to| match self {
            Self::Full { objects, rejected } => {
                put_list(objects, OBJECTS, to).map_err(|error| error.within("objects"))?;
                put_list(rejected, REJECTED, to).map_err(|error| error.within("rejected"))
            }
            Self::Partial(changes) => put_list(changes, CHANGES, to).map_err(|error| error.within("changes")),
        })
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let mut found = None;
        while let Some((tag, wire_type)) = from.key()? {
            if !matches!(tag, FULL | PARTIAL) {
                from.skip(wire_type)?;
                continue;
            }
            check(wire_type, WireType::LengthDelimited, from)?;
            let mut body = from.sized()?;
            found = Some(if tag == FULL { take_full(&mut body)? } else { take_partial(&mut body)? });
        }
        found.ok_or_else(|| start.error(Reason::NoneOf("a complete list (1), changes (2)")))
    }
}

fn take_full<T>(from: &mut Reader<'_>) -> Result<Delta<T>, DecodeError>
where
    T: Object + Value,
    T::Key: Value,
{
    let (mut objects, mut rejected) = (Vec::new(), Vec::new());
    while let Some((tag, wire_type)) = from.key()? {
        let start = from.clone();
        match tag {
            OBJECTS => take_item(&mut objects, wire_type, from)
                .map_err(|error| error.within("objects").of_object(|| named::<T>(start)))?,
            REJECTED => {
                take_item(&mut rejected, wire_type, from).map_err(|error| error.within("rejected"))?;
            }
            _ => from.skip(wire_type)?,
        }
    }
    Ok(Delta::Full { objects: complete(objects, from), rejected: complete(rejected, from) })
}

fn take_partial<T>(from: &mut Reader<'_>) -> Result<Delta<T>, DecodeError>
where
    T: Object + Value,
    T::Key: Value,
{
    let mut changes = Vec::new();
    while let Some((tag, wire_type)) = from.key()? {
        match tag {
            CHANGES => take_item(&mut changes, wire_type, from).map_err(|error| error.within("changes"))?,
            _ => from.skip(wire_type)?,
        }
    }
    Ok(Delta::Partial(complete(changes, from)))
}

impl<T> Value for Change<T>
where
    T: Object + Value,
    T::Key: Value,
{
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Put(object) => object.put_always(PUT, to),
            Self::Delete(key) => key.put_always(DELETE, to),
        }
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let mut found = None;
        while let Some((tag, wire_type)) = from.key()? {
            let object = from.clone();
            match tag {
                PUT => {
                    let put = T::take_one(wire_type, from);
                    let put = put.map_err(|error| error.within("put").of_object(|| named::<T>(object)))?;
                    found = Some(Self::Put(put));
                }
                DELETE => {
                    let key = T::Key::take_one(wire_type, from).map_err(|error| error.within("delete"))?;
                    found = Some(Self::Delete(key));
                }
                _ => from.skip(wire_type)?,
            }
        }
        found.ok_or_else(|| start.error(Reason::NoneOf("put (1), delete (2)")))
    }
}

fn put_list<T: Value>(list: &[T], tag: u32, to: &mut Writer) -> Result<(), EncodeError> {
    if list.len() > MAX_OBJECTS {
        return Err(EncodeError::new(Reason::TooManyObjects));
    }
    let mut items = list.iter().enumerate();
    items.try_for_each(|(n, item)| item.put_always(tag, to).map_err(|error| error.within(format!("[{n}]"))))
}

fn take_item<T: Value>(list: &mut Vec<T>, wire_type: WireType, from: &mut Reader<'_>) -> Result<(), DecodeError> {
    if list.len() >= MAX_OBJECTS {
        return Err(from.error(Reason::TooManyObjects));
    }
    push(list, wire_type, from)
}

/// Kind and key of an object that cannot be decoded, if its key can.
fn named<T>(mut from: Reader<'_>) -> Option<String>
where
    T: Object,
    T::Key: Value,
{
    let mut body = from.sized().ok()?;
    let kind = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
    while let Some((tag, wire_type)) = body.key().ok()? {
        if tag == Key::TAG {
            return T::Key::take_one(wire_type, &mut body).ok().map(|key| format!("{kind} {key:?}"));
        }
        body.skip(wire_type).ok()?;
    }
    None
}
