//! A node as it was received, reduced to what a [`super::Client`] is made from. Envoy's names five hundred extensions in each
//! first request, and nothing bounds what an unknown client's may hold.

use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::config::core::v3::{BuildVersion, Locality, Node};
use envoy_types::pb::envoy::r#type::v3::SemanticVersion;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value};

use super::cut;
use crate::wire::{Malformed, fields};

/// Metadata that means something here.
const KEYS: [&str; 10] = [
    "CLUSTERS",
    "CLUSTER_ID",
    "ENDPOINTS",
    "GENERATOR",
    "INTERCEPTION_MODE",
    "LISTEN",
    "NAMESPACE",
    "NETWORK",
    "ROUTES",
    "TTL",
];

/// Longest version text that is kept, in bytes.
const MAX_VERSION_LEN: usize = 32;

/// Reads `id`, `locality`, the user agent with its version and the metadata in [`KEYS`] of a `core.v3.Node`.
pub(crate) fn read_node(message: &[u8]) -> Result<Node, Malformed> {
    let mut node = Node::default();
    for field in fields(message) {
        match field? {
            (1, value) => node.id = value.text()?.to_owned(),
            (3, value) => metadata(value.bytes()?, &mut node)?,
            (4, value) => node.locality = Some(locality(value.bytes()?)?),
            (6, value) => node.user_agent_name = value.text()?.to_owned(),
            (7, value) => {
                let text = cut(value.text()?, MAX_VERSION_LEN);
                node.user_agent_version_type = Some(UserAgentVersionType::UserAgentVersion(text));
            }
            (8, value) => {
                let version = version(value.bytes()?)?;
                let build = BuildVersion { version: Some(version), metadata: None };
                node.user_agent_version_type = Some(UserAgentVersionType::UserAgentBuildVersion(build));
            }
            _ => {}
        }
    }
    Ok(node)
}

/// The first field of a `core.v3.BuildVersion`: a `SemanticVersion` of three numbers.
fn version(message: &[u8]) -> Result<SemanticVersion, Malformed> {
    let mut version = SemanticVersion::default();
    for field in fields(message) {
        let (1, numbers) = field? else { continue };
        for field in fields(numbers.bytes()?) {
            match field? {
                (1, value) => version.major_number = value.number()?,
                (2, value) => version.minor_number = value.number()?,
                (3, value) => version.patch = value.number()?,
                _ => {}
            }
        }
    }
    Ok(version)
}

fn locality(message: &[u8]) -> Result<Locality, Malformed> {
    let mut locality = Locality::default();
    for field in fields(message) {
        match field? {
            (1, value) => locality.region = value.text()?.to_owned(),
            (2, value) => locality.zone = value.text()?.to_owned(),
            _ => {}
        }
    }
    Ok(locality)
}

/// A `google.protobuf.Struct`: a map, that is pairs of a key (1) and a value (2).
fn metadata(message: &[u8], node: &mut Node) -> Result<(), Malformed> {
    let metadata = node.metadata.get_or_insert_with(Struct::default);
    for field in fields(message) {
        let (1, entry) = field? else { continue };
        let (mut key, mut value) = ("", None);
        for field in fields(entry.bytes()?) {
            match field? {
                (1, found) => key = found.text()?,
                (2, found) => value = Some(found.bytes()?),
                _ => {}
            }
        }
        if KEYS.contains(&key) {
            let kind = value.map(kind).transpose()?.flatten();
            metadata.fields.insert(key.to_owned(), Value { kind });
        }
    }
    Ok(())
}

/// A `google.protobuf.Value`; of a value that is no scalar, only its kind.
fn kind(message: &[u8]) -> Result<Option<Kind>, Malformed> {
    let mut kind = None;
    for field in fields(message) {
        kind = match field? {
            (1, _) => Some(Kind::NullValue(0)),
            (2, _) => Some(Kind::NumberValue(0.0)),
            (3, text) => Some(Kind::StringValue(text.text()?.to_owned())),
            (4, _) => Some(Kind::BoolValue(false)),
            (5, _) => Some(Kind::StructValue(Struct::default())),
            (6, _) => Some(Kind::ListValue(ListValue::default())),
            _ => kind,
        };
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::class::Client;
    use crate::testing::defaults;

    fn text(text: &str) -> Value {
        Value { kind: Some(Kind::StringValue(text.to_owned())) }
    }

    #[test]
    fn what_a_client_is_made_from_survives_and_nothing_else() {
        let mut whole = Node {
            id: "web-1".to_owned(),
            cluster: "not used".to_owned(),
            user_agent_name: "envoy".to_owned(),
            locality: Some(Locality { region: "eu".to_owned(), zone: "eu-a".to_owned(), sub_zone: "x".to_owned() }),
            ..Node::default()
        };
        let metadata = whole.metadata.get_or_insert_with(Struct::default);
        for key in KEYS.into_iter().chain(["OTHER", "LABELS"]) {
            metadata.fields.insert(key.to_owned(), text(key));
        }
        let read = read_node(&whole.encode_to_vec()).expect("a node");
        assert_eq!((&*read.id, &*read.user_agent_name, &*read.cluster), ("web-1", "envoy", ""));
        let found = read.metadata.expect("metadata").fields;
        assert_eq!(found.len(), KEYS.len());
        assert!(KEYS.iter().all(|key| found.get(*key) == Some(&text(key))));
    }

    #[test]
    fn a_reduced_node_makes_the_same_client_or_the_same_error() {
        let values = [
            text("eu-1"),
            text("REDIRECT"),
            text("on-demand"),
            text("60"),
            text("127.0.0.1"),
            text("grpc"),
            text(""),
            Value { kind: None },
            Value { kind: Some(Kind::NullValue(0)) },
            Value { kind: Some(Kind::NumberValue(7.0)) },
            Value { kind: Some(Kind::BoolValue(true)) },
            Value { kind: Some(Kind::StructValue(Struct::default())) },
            Value { kind: Some(Kind::ListValue(ListValue { values: vec![text("x")] })) },
        ];
        for key in KEYS {
            for value in &values {
                let fields = [(key.to_owned(), value.clone())].into();
                let whole = Node { id: "p".to_owned(), metadata: Some(Struct { fields }), ..Node::default() };
                let read = read_node(&whole.encode_to_vec()).expect("a node");
                let client = |node| Client::from_node(node, &defaults(), true);
                assert_eq!(client(&read), client(&whole), "{key}: {value:?}");
            }
        }
    }
}
