//! From the text of one file to the objects in it, each with the line it starts on.
//!
//! A file is understood as a whole or not at all: half a file must never look like a smaller world.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Documents in one file.
pub const MAX_DOCUMENTS: usize = 100_000;
/// Nodes (mappings, lists, values) in one file: a file of the largest size has about one for each 16 bytes.
pub const MAX_NODES: usize = 4 * 1024 * 1024;
/// Levels of nesting. Kubernetes objects need about fifteen.
pub const MAX_DEPTH: usize = 64;
/// Aliases (`*name`) in one file, and what all of them together may expand to, in nodes.
pub const MAX_ALIASES: usize = 1_000;
pub const MAX_ALIAS_NODES: usize = 100_000;

/// One object as it was written.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) at: Position,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Object(Map<String, Value>),
    /// What stands there instead of a mapping, as in "a list".
    NotAMapping(&'static str),
}

/// Where an object starts; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A file that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: found {found}; expected {expected}")]
pub(super) struct ParseError {
    pub(super) line: u32,
    pub(super) found: String,
    pub(super) expected: String,
}

/// All objects of a file, in order; those inside lists in place of the lists. Empty documents are passed over.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Document>, ParseError> {
    let text = text(bytes)?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 2 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: MAX_DOCUMENTS,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_recorded_anchor_events: MAX_ALIAS_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIAS_NODES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    let documents: Vec<Spanned<Raw>> =
        serde_saphyr::from_str_multiple_with_options(text, options).map_err(|error| yaml_error(&error))?;
    Ok(documents.into_iter().flat_map(flatten).collect())
}

/// UTF-8, with or without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ParseError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        ParseError { line: line_number(line), found: "bytes that are not UTF-8".into(), expected: "UTF-8 text".into() }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

fn yaml_error(error: &serde_saphyr::Error) -> ParseError {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    let line = error.location().map_or(1, |location| u32::try_from(location.line()).unwrap_or(u32::MAX)).max(1);
    // The line is said by us; the parser says it again in its own words.
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.split(" at line ").next().unwrap_or(text);
    let (found, expected) = if let Error::DuplicateMappingKey { key, .. } = error {
        (format!("the key {:?} again", key.as_deref().unwrap_or("?")), "each key of a mapping once".to_owned())
    } else if text.contains("budget") || text.contains("limit") {
        let expected = format!(
            "at most {MAX_NODES} values, {MAX_DOCUMENTS} documents, {MAX_DEPTH} levels, and {MAX_ALIASES} aliases \
             that stand for at most {MAX_ALIAS_NODES} values"
        );
        ("more than one file may hold".to_owned(), expected)
    } else {
        (text.to_owned(), "valid YAML or JSON".to_owned())
    };
    ParseError { line, found, expected }
}

fn flatten(document: Spanned<Raw>) -> Vec<Document> {
    let at = position(&document);
    match document.value {
        Raw::Empty => Vec::new(),
        Raw::NotAMapping(what) => vec![Document { at, body: Body::NotAMapping(what) }],
        Raw::Mapping { fields, items: None } => vec![Document { at, body: Body::Object(fields) }],
        Raw::Mapping { fields, items: Some(items) } => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
            // `ServiceList`, as the API itself writes it: its items name neither kind nor version.
            let item_kind = text("kind").strip_suffix("List").unwrap_or_default().to_owned();
            let version = text("apiVersion").to_owned();
            items.into_iter().map(|item| list_item(item, &item_kind, &version)).collect()
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
    Document { at, body }
}

fn position<T>(node: &Spanned<T>) -> Position {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(node.referenced.line()), column: number(node.referenced.column()) }
}

/// The root of a document; `items` are kept apart, because each of them has a place of its own.
enum Raw {
    Empty,
    NotAMapping(&'static str),
    Mapping { fields: Map<String, Value>, items: Option<Vec<Spanned<Value>>> },
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
        while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(Raw::NotAMapping("a list"))
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
enum Items {
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
