//! JSON into Kubernetes' own types, for no more memory than its length justifies. `[{},{},{}]` is three bytes an element
//! and hundreds of bytes each once it is read, so each element of a list and each entry of a map is charged by the size
//! of what it becomes, and reading ends when the charges exceed the budget.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::Fault;

/// Bytes that may be spent for each byte of the text. Dense real objects need about five.
const BYTES_PER_BYTE: usize = 10;
/// Bytes that may be spent besides: `managedFields` of small objects are many small maps.
const BYTES_PER_TEXT: usize = 512 << 10;
/// The first element of a vector takes room for so many. After that its room doubles, and for a moment the old room is
/// held as well.
const FIRST_ROOM: usize = 4;
/// The first entry of a map takes a node of eleven.
const NODE: usize = 12;
/// Nodes of large maps are half full at least.
const ENTRY: usize = 3;
/// How `serde_json` marks values of its own. A document that uses them would have a text inside of it read as well.
const PRIVATE: &str = "$serde_json::private";

/// Reads a text as `T`; `what` and `expected` are for the error.
pub fn read<T: DeserializeOwned>(text: &[u8], what: &'static str, expected: &str) -> Result<T, Fault> {
    match read_or(text) {
        Ok(found) => Ok(found),
        Err(None) => Err(Fault::Dense { what }),
        Err(Some(error)) => Err(Fault::of_json(&error, what, expected, text)),
    }
}

/// The same with the library's own error; `None`: the budget was exceeded.
pub fn read_or<T: DeserializeOwned>(text: &[u8]) -> Result<T, Option<serde_json::Error>> {
    let budget = Budget(Cell::new(Some(text.len().saturating_mul(BYTES_PER_BYTE).saturating_add(BYTES_PER_TEXT))));
    let mut json = serde_json::Deserializer::from_slice(text);
    let found = T::deserialize(Bounded { inner: &mut json, budget: &budget, key: false });
    let found = found.and_then(|found| json.end().map(|()| found));
    found.map_err(|error| budget.0.get().map(|_| error))
}

/// What is left; `None` once it was exceeded.
struct Budget(Cell<Option<usize>>);

impl Budget {
    fn charge<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(bytes)));
        self.0.get().map(|_| ()).ok_or_else(|| E::custom("the budget is exceeded"))
    }
}

/// A deserializer, a visitor, a seed or an access whose lists and maps are charged.
struct Bounded<'b, D> {
    inner: D,
    budget: &'b Budget,
    /// It reads the key of a map.
    key: bool,
}

macro_rules! forward {
    ($($method:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(Seen { inner: visitor, budget: self.budget, key: self.key, fields: false })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any, deserialize_bool, deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64,
        deserialize_i128, deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64, deserialize_u128,
        deserialize_f32, deserialize_f64, deserialize_char, deserialize_str, deserialize_string, deserialize_bytes,
        deserialize_byte_buf, deserialize_option, deserialize_unit, deserialize_seq, deserialize_map,
        deserialize_identifier
    }

    /// What is skipped costs nothing.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Seen { inner: visitor, budget: self.budget, key: self.key, fields: false };
        self.inner.deserialize_newtype_struct(name, visitor)
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Seen { inner: visitor, budget: self.budget, key: self.key, fields: false };
        self.inner.deserialize_tuple(len, visitor)
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Seen { inner: visitor, budget: self.budget, key: self.key, fields: false };
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Seen { inner: visitor, budget: self.budget, key: self.key, fields: true };
        self.inner.deserialize_struct(name, fields, visitor)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Seen { inner: visitor, budget: self.budget, key: self.key, fields: false };
        self.inner.deserialize_enum(name, variants, visitor)
    }
}

struct Seen<'b, V> {
    inner: V,
    budget: &'b Budget,
    key: bool,
    /// The entries of a struct have their place in it already.
    fields: bool,
}

impl<V> Seen<'_, V> {
    fn check<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        if self.key && text.starts_with(PRIVATE) { Err(E::custom("a reserved key")) } else { Ok(()) }
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

macro_rules! visit_text {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E: serde::de::Error>(self, text: $type) -> Result<V::Value, E> {
            self.check(&text)?;
            self.inner.$method(text)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Seen<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64, visit_i128: i128, visit_u8: u8,
        visit_u16: u16, visit_u32: u32, visit_u64: u64, visit_u128: u128, visit_f32: f32, visit_f64: f64,
        visit_char: char, visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>
    }
    visit_text! { visit_str: &str, visit_borrowed_str: &'de str, visit_string: String }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Bounded { inner, budget: self.budget, key: self.key })
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Bounded { inner, budget: self.budget, key: self.key })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Parts { inner, budget: self.budget, charged: true, count: 0, room: 0, key_bytes: 0 })
    }
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let charged = !self.fields;
        self.inner.visit_map(Parts { inner, budget: self.budget, charged, count: 0, room: 0, key_bytes: 0 })
    }
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(inner)
    }
}

/// The elements of a list, or the entries of a map.
struct Parts<'b, A> {
    inner: A,
    budget: &'b Budget,
    charged: bool,
    count: usize,
    /// Of a vector, in elements.
    room: usize,
    key_bytes: usize,
}

impl<A> Parts<'_, A> {
    fn element<E: serde::de::Error>(&mut self, bytes: usize) -> Result<(), E> {
        self.count += 1;
        if self.count <= self.room {
            return Ok(());
        }
        // What was charged so far: the room that it had, and half of it for the room before that.
        let charged = self.room + self.room / 2;
        self.room = (2 * self.room).max(FIRST_ROOM);
        self.budget.charge(bytes.saturating_mul(self.room + self.room / 2 - charged))
    }

    fn entry<E: serde::de::Error>(&mut self, bytes: usize) -> Result<(), E> {
        self.count += 1;
        let times = if self.count == 1 { NODE } else { ENTRY };
        if self.charged { self.budget.charge(bytes.saturating_mul(times)) } else { Ok(()) }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let found = self.inner.next_element_seed(Bounded { inner: seed, budget: self.budget, key: false })?;
        if found.is_some() {
            self.element(size_of::<T::Value>())?;
        }
        Ok(found)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.key_bytes = size_of::<K::Value>().max(size_of::<String>());
        self.inner.next_key_seed(Bounded { inner: seed, budget: self.budget, key: true })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let value = self.inner.next_value_seed(Bounded { inner: seed, budget: self.budget, key: false })?;
        self.entry(self.key_bytes.saturating_add(size_of::<T::Value>()))?;
        Ok(value)
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        self.inner.deserialize(Bounded { inner, budget: self.budget, key: self.key })
    }
}
