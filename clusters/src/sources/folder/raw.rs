//! One document of a file: an object, a list of objects, or something else. Lists are taken apart.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::document::{Body, Document, ParseError, Position};

/// The objects of one document. An error: it is a list that is cut off.
pub(super) fn objects(document: Spanned<Raw>) -> Result<Vec<Document>, ParseError> {
    let at = position(&document);
    let alone = |body| vec![Document { at, body, of_list: false, part: 0 }];
    Ok(match document.value {
        Raw::Empty => Vec::new(),
        Raw::NotAMapping(what) => alone(Body::NotAMapping(what)),
        Raw::Patch => alone(Body::Patch),
        Raw::Mapping { fields, items: None } => alone(Body::Object(fields)),
        Raw::Mapping { fields, items: Some(items) } => match List::of(&fields) {
            List::Items { kind, version } => items.into_iter().map(|item| list_item(item, &kind, &version)).collect(),
            List::Cut(found) => {
                let expected =
                    "a kind that ends with \"List\", which kubectl writes after the items: the file is cut off";
                return Err(ParseError { line: at.line, found, expected: expected.into(), of_one: true });
            }
            List::Other => alone(Body::Object(fields)),
        },
    })
}

/// What a mapping with `items` is.
enum List {
    /// What its items are, where they do not say so: `ServiceList`, as the API itself writes it.
    Items {
        kind: String,
        version: String,
    },
    Cut(String),
    /// An object of some kind that has such a field.
    Other,
}

impl List {
    /// kubectl writes fields by name, so that `kind` follows `items`: a list without it, or with a part of it, was not
    /// written to its end.
    fn of(fields: &Map<String, Value>) -> Self {
        let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = text("kind");
        if let Some(item_kind) = kind.strip_suffix("List") {
            return Self::Items { kind: item_kind.to_owned(), version: text("apiVersion").to_owned() };
        }
        match fields.get("kind") {
            None | Some(Value::Null) => Self::Cut("a list of objects without a kind".into()),
            Some(_) if ["L", "Li", "Lis"].iter().any(|start| kind.ends_with(start)) => {
                Self::Cut(format!("a list of objects of kind {kind:?}"))
            }
            Some(_) => Self::Other,
        }
    }
}

fn list_item(item: Spanned<Value>, kind: &str, version: &str) -> Document {
    let at = position(&item);
    let body = match item.value {
        Value::Object(mut fields) => {
            if !kind.is_empty() && !fields.contains_key("kind") {
                fields.insert("kind".into(), kind.into());
                fields.entry("apiVersion").or_insert_with(|| version.into());
            }
            Body::Object(fields)
        }
        Value::Array(_) => Body::NotAMapping("a list"),
        Value::Null => Body::NotAMapping("nothing"),
        _ => Body::NotAMapping("a plain value"),
    };
    Document { at, body, of_list: true, part: 0 }
}

fn position<T>(node: &Spanned<T>) -> Position {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(node.referenced.line()), column: number(node.referenced.column()) }
}

/// The root of a document; `items` are kept apart, because each of them has a place of its own.
pub(super) enum Raw {
    Empty,
    NotAMapping(&'static str),
    /// Changes for a tool that puts them into other files (RFC 6902).
    Patch,
    Mapping {
        fields: Map<String, Value>,
        items: Option<Vec<Spanned<Value>>>,
    },
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut fields = Map::new();
        let mut items = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                match map.next_value()? {
                    Items::List(list) => items = Some(list),
                    Items::Other(value) => _ = fields.insert(key, value),
                }
            } else {
                fields.insert(key, map.next_value()?);
            }
        }
        Ok(Raw::Mapping { fields, items })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let (mut items, mut changes) = (0, 0);
        while let Some(item) = list.next_element::<Value>()? {
            items += 1;
            changes += usize::from(item.get("op").is_some() && item.get("path").is_some());
        }
        Ok(if items > 0 && items == changes { Raw::Patch } else { Raw::NotAMapping("a list") })
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Empty)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Empty)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::NotAMapping("a plain value"))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::NotAMapping("a plain value"))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::NotAMapping("a plain value"))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::NotAMapping("a plain value"))
    }
    fn visit_str<E>(self, _: &str) -> Result<Raw, E> {
        Ok(Raw::NotAMapping("a plain value"))
    }
}

/// A list, or something else that happens to be called `items`.
pub(super) enum Items {
    List(Vec<Spanned<Value>>),
    Other(Value),
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;

        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of Kubernetes objects")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Items::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Items, A::Error> {
                let value = Value::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Items::Other(value))
            }
            fn visit_unit<E>(self) -> Result<Items, E> {
                Ok(Items::List(Vec::new()))
            }
            fn visit_none<E>(self) -> Result<Items, E> {
                Ok(Items::List(Vec::new()))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Items, E> {
                Ok(Items::Other(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Items, E> {
                Ok(Items::Other(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Items, E> {
                Ok(Items::Other(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Items, E> {
                Ok(Items::Other(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Items, E> {
                Ok(Items::Other(value.into()))
            }
        }
        deserializer.deserialize_any(ItemsVisitor)
    }
}
