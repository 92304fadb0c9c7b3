//! From one object of a file to a value of the model.

use std::sync::{Arc, OnceLock};

use federation::change::Object;
use k8s_openapi::api::{core::v1 as core, discovery::v1 as discovery, networking::v1 as networking};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::objects::{Key, Kind, Model};
use super::path;
use crate::api;
use crate::convert::{Accepted, Convert, REJECTED};
use crate::foreign::cut;
use crate::nearly::nearly;
use crate::problem::{MAX_FOUND_LEN, ObjectName, Problem};

/// A kind of object that is understood.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    group: &'static str,
    /// The first one is what the object is read as; all have the same fields.
    versions: &'static [&'static str],
    namespaced: bool,
    read: fn(&Self, &ObjectName, Value) -> Decoded,
    fields: OnceLock<Fields>,
}

/// What became of an object. Its problems have no place yet.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) outcome: Outcome,
    /// The key, also of a rejected object, so that its last good state can be kept.
    pub(super) key: Option<Key>,
    pub(super) problems: Vec<Problem>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Taken(Arc<Model>),
    /// A good object that is none of our business.
    NotForUs,
    Rejected,
}

/// What an object says it is.
pub(super) enum Identity<'a> {
    Known(&'static Known, ObjectName),
    /// A kind that is not understood; its spelling is nearly that of one that is.
    Slip(&'a str, &'static str),
    /// A kind that is not understood.
    Foreign(String),
    /// It is not known: this field is missing or is no text.
    Unclear(&'static str),
    /// It does not say that it is a Kubernetes object.
    NoObject,
    /// What an API server answered instead of an object.
    Answer(&'a str),
}

macro_rules! known {
    ($kind:ident, $name:literal, $group:expr, $versions:expr, $namespaced:literal, $type:ty) => {
        Known {
            kind: Kind::$kind,
            name: $name,
            group: $group,
            versions: $versions,
            namespaced: $namespaced,
            read: |known, name, value| read::<$type>(known, name, value, Model::$kind, Key::$kind),
            fields: OnceLock::new(),
        }
    };
}

static KNOWN: [Known; 9] = [
    known!(Region, "Region", api::GROUP, &[api::VERSION], false, api::Region),
    known!(Policy, "FederationPolicy", api::GROUP, &[api::VERSION], false, api::FederationPolicy),
    known!(Member, "MemberCluster", api::GROUP, &[api::VERSION], false, api::MemberCluster),
    known!(Namespace, "Namespace", "", &["v1"], false, core::Namespace),
    known!(Service, "Service", "", &["v1"], true, core::Service),
    known!(Slice, "EndpointSlice", "discovery.k8s.io", &["v1"], true, discovery::EndpointSlice),
    known!(Node, "Node", "", &["v1"], false, core::Node),
    known!(ServiceCidr, "ServiceCIDR", "networking.k8s.io", &["v1", "v1beta1"], false, networking::ServiceCIDR),
    known!(Export, "ServiceExport", api::MCS_GROUP, &api::MCS_VERSIONS, true, api::ServiceExport),
];

/// Who is it?
pub(super) fn identify(object: &Map<String, Value>) -> Identity<'_> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if !claims(object) {
        return Identity::NoObject;
    }
    let Some(kind) = text("kind") else { return Identity::Unclear("kind") };
    let Some(version) = text("apiVersion") else { return Identity::Unclear("apiVersion") };
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let metadata = |key: &str| object.get("metadata").and_then(|meta| meta.get(key)).filter(|value| !value.is_null());
    match KNOWN.iter().find(|known| known.name == kind && known.group == group) {
        Some(known) => {
            let Some(name) = metadata("name").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
                return Identity::Unclear("metadata.name");
            };
            let namespace = match metadata("namespace").filter(|_| known.namespaced) {
                Some(Value::String(namespace)) => Some(namespace.as_str()),
                Some(_) => return Identity::Unclear("metadata.namespace"),
                None => None,
            };
            Identity::Known(known, ObjectName::new(kind, namespace, name))
        }
        None if (version, kind) == ("v1", "Status") => Identity::Answer(text("message").unwrap_or("nothing more")),
        None => match KNOWN.iter().find(|known| known.group == group && nearly(kind, known.name)) {
            Some(near) => Identity::Slip(kind, near.name),
            None => Identity::Foreign(cut(&format!("{version} {kind}"), MAX_FOUND_LEN).into_owned()),
        },
    }
}

/// Whether a mapping is meant to be a Kubernetes object. Values of a Helm chart, a kustomization or a chart's description are not; a
/// text such as `error: …` that a command wrote instead of objects must not be taken for one of these.
fn claims(object: &Map<String, Value>) -> bool {
    let kind = object.get("kind");
    if object.contains_key("apiVersion") && kind.is_some() {
        return true;
    }
    let shaped = ["metadata", "spec", "items"].iter().any(|field| object.contains_key(*field));
    let near = |kind: &str| KNOWN.iter().any(|known| nearly(kind, known.name));
    let ours = || kind.is_some_and(|kind| kind.as_str().is_none_or(near));
    let prose = |key: &String| key.contains(char::is_whitespace) || key.eq_ignore_ascii_case("error");
    shaped || ours() || object.keys().any(prose)
}

impl Known {
    pub(super) fn decode(&self, name: &ObjectName, mut object: Map<String, Value>) -> Decoded {
        let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let version = version.rsplit('/').next().unwrap_or_default();
        let spell = |version: &str| match self.group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        };
        if !self.versions.contains(&version) {
            let expected: Vec<_> = self.versions.iter().map(|version| spell(version)).collect();
            let problem = Problem::new(name, "apiVersion", format!("{:?}", spell(version)), expected.join(" or "))
                .losing(REJECTED);
            return Decoded { outcome: Outcome::Rejected, key: None, problems: vec![problem] };
        }
        object.insert("apiVersion".into(), spell(self.versions.first().unwrap_or(&version)).into());
        let mut value = Value::Object(object);
        strip_nulls(&mut value);
        (self.read)(self, name, value)
    }
}

/// Kubernetes takes `field: null` for "not set".
pub(super) fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

fn read<T: Convert + DeserializeOwned + JsonSchema>(
    known: &Known,
    name: &ObjectName,
    value: Value,
    wrap: fn(T::Model) -> Model,
    wrap_key: fn(<T::Model as Object>::Key) -> Key,
) -> Decoded {
    let unknown = known.fields.get_or_init(Fields::of::<T>).unknown(&value);
    let ours = known.group == api::GROUP;
    let mut problems: Vec<Problem> = unknown
        .into_iter()
        .filter(|unknown| ours || unknown.slip)
        .map(|unknown| {
            let lost = if ours { REJECTED } else { "the field is passed over" };
            Problem::new(name, unknown.field, "a field that is not known", unknown.expected).losing(lost)
        })
        .collect();
    let strict = ours && !problems.is_empty();

    let meta = ObjectMeta { name: Some(name.name.clone()), namespace: name.namespace.clone(), ..ObjectMeta::default() };
    let key = T::key_of(&meta).map(wrap_key);
    let outcome = match serde_path_to_error::deserialize::<_, T>(value) {
        Ok(object) => match object.convert() {
            Ok(Accepted { object, problems: lost }) => {
                problems.extend(lost);
                match object {
                    _ if strict => Outcome::Rejected,
                    Some(model) => Outcome::Taken(Arc::new(wrap(model))),
                    None => Outcome::NotForUs,
                }
            }
            Err(more) => {
                problems.extend(more);
                Outcome::Rejected
            }
        },
        Err(error) => {
            let problem = shape_problem(name, &path::of_serde(error.path()), &error.inner().to_string());
            problems.push(problem.losing(REJECTED));
            Outcome::Rejected
        }
    };
    Decoded { outcome, key, problems }
}

/// What is expected where YAML may have read a text as something else.
pub(super) const TEXT: &str = "a text (in quotes, if it looks like something else)";

/// What serde says about a value of the wrong shape, in the words of all other problems.
fn shape_problem(name: &ObjectName, field: &str, message: &str) -> Problem {
    if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return Problem::new(name, path::join(field, missing), "nothing", "a value");
    }
    let (found, expected) = message.split_once(", expected ").unwrap_or((message, "another value"));
    let known_starts = ["invalid type: ", "invalid value: ", "unknown variant "];
    let found = known_starts.iter().find_map(|start| found.strip_prefix(start)).unwrap_or(found);
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" => "a whole number in range",
        "f32" | "f64" => "a number",
        "a string" | "string or map" => TEXT,
        "a sequence" => "a list",
        "a map" => "a mapping of fields",
        other if other.starts_with("struct ") || is_type_name(other) => "a mapping of fields",
        other => other,
    };
    Problem::new(name, field, found, expected)
}

/// As in "ServiceSpec": the name of a type says nothing to the author of a file.
fn is_type_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_uppercase()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
