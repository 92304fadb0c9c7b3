//! Walks an untrusted document by field name, and says where it is without saying what it holds: paths are made of
//! field names that we asked for and of positions.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::error::{KubeconfigError, invalid};
use crate::nearly::nearly;

/// One mapping of the document, and its path.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, name: &str) -> Result<Self, KubeconfigError> {
        let map = value.as_object().ok_or_else(|| invalid(name, "a mapping"))?;
        Ok(Self { map, path: String::new() })
    }

    /// Path of a field of this mapping; of the mapping itself if `field` is empty.
    pub(super) fn path(&self, field: &str) -> String {
        match (self.path.is_empty(), field.is_empty()) {
            (true, _) => field.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{field}", self.path),
        }
    }

    /// `null` and the empty string count as absent, as they do for kubectl.
    fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>, KubeconfigError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| invalid(self.path(field), "text; numbers and the like need quotes"))
    }

    pub(super) fn flag(&self, field: &str) -> Result<bool, KubeconfigError> {
        let Some(value) = self.get(field) else { return Ok(false) };
        value.as_bool().ok_or_else(|| invalid(self.path(field), "true or false"))
    }

    pub(super) fn object(&self, field: &str) -> Result<Self, KubeconfigError> {
        let map = self.get(field).and_then(Value::as_object);
        let map = map.ok_or_else(|| invalid(self.path(field), "a mapping"))?;
        Ok(Self { map, path: self.path(field) })
    }

    /// The same; an absent one is empty.
    pub(super) fn object_or_empty(&self, field: &str) -> Result<Self, KubeconfigError> {
        static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        match self.get(field) {
            Some(_) => self.object(field),
            None => Ok(Self { map: &NOTHING, path: self.path(field) }),
        }
    }

    /// The entries of a list of mappings; an absent list is empty.
    pub(super) fn list(&self, field: &str) -> Result<Vec<Self>, KubeconfigError> {
        let Some(value) = self.get(field) else { return Ok(Vec::new()) };
        let entries = value.as_array().ok_or_else(|| invalid(self.path(field), "a list"))?;
        let entry = |(index, value): (usize, &'a Value)| {
            let path = format!("{}[{index}]", self.path(field));
            let map = value.as_object().ok_or_else(|| invalid(path.clone(), "a mapping"))?;
            Ok(Self { map, path })
        };
        entries.iter().enumerate().map(entry).collect()
    }

    /// Refuses the fields in `refused`, by name and with their reason, and what is nearly spelt like one that is known. Others
    /// are passed over, as kubectl does: no program reads them. They stay unnamed, because a field's name is content too.
    pub(super) fn allow(&self, known: &[&str], refused: &[(&str, &'static str)]) -> Result<(), KubeconfigError> {
        // In the order of our list, not of the document, so that the answer is the same for the same mistake.
        for (field, why) in refused {
            if self.map.get(*field).is_some_and(|value| !is_unset(field, value)) {
                return Err(KubeconfigError::Refused { field: self.path(field), why });
            }
        }
        let names: Vec<&str> = known.iter().copied().chain(refused.iter().map(|(field, _)| *field)).collect();
        let slip = |field: &str| {
            let near = |name: &&str| field.eq_ignore_ascii_case(name) || (name.len() > 4 && nearly(field, name));
            if names.contains(&field) { None } else { names.iter().copied().find(near) }
        };
        if let Some(near) = self.map.keys().find_map(|field| slip(field)) {
            let field = format!("{} (a field in it that is spelt nearly like {near:?})", self.path(""));
            return Err(KubeconfigError::Refused { field, why: SLIP });
        }
        Ok(())
    }
}

const SLIP: &str = "Isthmus guesses nothing about credentials; correct the field's name, or remove the field";

/// What kubectl takes for a field that is not there. A mapping without anything in it is a command all the same.
fn is_unset(field: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty() && !matches!(field, "exec" | "auth-provider"),
        _ => false,
    }
}

/// The entry with this name; more than one is an error, because tools disagree which of them wins.
pub(super) fn named<'a>(entries: &[Fields<'a>], name: &str) -> Result<Option<Fields<'a>>, KubeconfigError> {
    let mut found: Option<&Fields<'a>> = None;
    for entry in entries {
        if entry.text("name")? == Some(name) {
            if found.is_some() {
                return Err(invalid(entry.path("name"), "a name that no other entry of the list has"));
            }
            found = Some(entry);
        }
    }
    Ok(found.cloned())
}
