//! Fields that no program reads. In our own resources an unknown field is an error, as it is for `kubectl apply`; in those of
//! Kubernetes, which may be newer than we are, only what looks like a slip of the pen is worth a word.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

use crate::nearly::nearly;

/// Known names that are listed in one message.
const MAX_LISTED: usize = 12;
/// Unknown fields that are looked for in one object.
const MAX_UNKNOWN: usize = 8;

/// The fields of one kind of object.
#[derive(Debug)]
pub(super) struct Fields {
    shapes: Vec<Shape>,
    root: usize,
    metadata: usize,
}

/// What one mapping or list may hold, as indices into [`Fields::shapes`].
#[derive(Debug, Default)]
struct Shape {
    properties: BTreeMap<String, usize>,
    items: Option<usize>,
    /// The shape of all other values.
    others: Option<usize>,
}

/// A field that is not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) field: String,
    pub(super) expected: String,
    /// It is nearly the name of a field that is known and not set.
    pub(super) slip: bool,
}

impl Fields {
    pub(super) fn of<T: JsonSchema>() -> Self {
        let mut fields = Self { shapes: vec![Shape::default()], root: 0, metadata: 0 };
        fields.root = fields.compile(schemars::schema_for!(T).as_value());
        let metadata = schemars::schema_for!(k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta);
        fields.metadata = fields.compile(metadata.as_value());
        fields
    }

    fn compile(&mut self, document: &Value) -> usize {
        let mut seen = BTreeMap::new();
        self.shape(document, document, &mut seen)
    }

    /// Shape 0 is "anything".
    fn shape(&mut self, schema: &Value, document: &Value, seen: &mut BTreeMap<String, usize>) -> usize {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            if let Some(known) = seen.get(name) {
                return *known;
            }
            let Some(target) = name.strip_prefix('#').and_then(|pointer| document.pointer(pointer)) else { return 0 };
            let index = self.reserve();
            seen.insert(name.to_owned(), index);
            self.fill(index, target, document, seen);
            return index;
        }
        // `Option<T>` of a type that has a schema of its own.
        if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
            let real = options.iter().find(|option| option.get("type") != Some(&Value::from("null")));
            return real.map_or(0, |real| self.shape(real, document, seen));
        }
        let index = self.reserve();
        self.fill(index, schema, document, seen);
        index
    }

    fn reserve(&mut self) -> usize {
        self.shapes.push(Shape::default());
        self.shapes.len() - 1
    }

    fn fill(&mut self, index: usize, schema: &Value, document: &Value, seen: &mut BTreeMap<String, usize>) {
        let mut shape = Shape::default();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            shape.properties.insert(name.clone(), self.shape(property, document, seen));
        }
        shape.items = schema.get("items").map(|items| self.shape(items, document, seen));
        shape.others =
            schema.get("additionalProperties").filter(|s| s.is_object()).map(|s| self.shape(s, document, seen));
        if let Some(slot) = self.shapes.get_mut(index) {
            *slot = shape;
        }
    }

    /// Fields of the object that are in no schema, the first ones only.
    pub(super) fn unknown(&self, object: &Value) -> Vec<Unknown> {
        let mut unknown = Vec::new();
        self.walk(self.root, object, "", &mut unknown);
        if let Some(metadata) = object.get("metadata") {
            self.walk(self.metadata, metadata, "metadata", &mut unknown);
        }
        unknown
    }

    fn walk(&self, shape: usize, value: &Value, path: &str, unknown: &mut Vec<Unknown>) {
        let Some(shape) = self.shapes.get(shape) else { return };
        match value {
            Value::Array(items) => {
                let Some(of_item) = shape.items else { return };
                for (index, item) in items.iter().enumerate() {
                    self.walk(of_item, item, &format!("{path}[{index}]"), unknown);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    if unknown.len() >= MAX_UNKNOWN {
                        return;
                    }
                    if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                        continue;
                    }
                    let known = shape.properties.get(name).copied().or(shape.others);
                    match known {
                        Some(inner) => self.walk(inner, value, &super::path::join(path, name), unknown),
                        None if shape.properties.is_empty() => {}
                        None => unknown.push(shape.missed(name, super::path::join(path, name), fields)),
                    }
                }
            }
            _ => {}
        }
    }
}

impl Shape {
    fn missed(&self, name: &str, field: String, present: &serde_json::Map<String, Value>) -> Unknown {
        let near = self.properties.keys().find(|known| !present.contains_key(*known) && nearly(name, known));
        if let Some(near) = near {
            return Unknown { field, expected: format!("{near:?}, which is not set"), slip: true };
        }
        let names: Vec<_> = self.properties.keys().take(MAX_LISTED).map(String::as_str).collect();
        let more = if self.properties.len() > MAX_LISTED { ", …" } else { "" };
        Unknown { field, expected: format!("one of {}{more}", names.join(", ")), slip: false }
    }
}
