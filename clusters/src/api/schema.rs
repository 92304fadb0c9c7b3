//! Schemas of single fields: what the API server checks before Isthmus ever sees an object.
//! Every list and string is bounded: the API server refuses a definition whose CEL rules could cost too much.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Ranges in one list.
pub const MAX_CIDRS: usize = 64;
/// Regions in one failover list.
pub const MAX_FAILOVER_REGIONS: usize = 64;
/// Patterns in one export allow-list.
pub const MAX_EXPORT_PATTERNS: usize = 256;
/// Weights in one policy: one for each cluster.
pub const MAX_CLUSTER_WEIGHTS: usize = 256;
/// Largest weight of a cluster. Locality weights derived from it must add up to less than 2^32 in Envoy.
pub const MAX_WEIGHT: u32 = 10_000;
/// Labels in one selector.
pub const MAX_MATCH_LABELS: usize = 32;
/// Problems shown in one status.
pub const MAX_STATUS_PROBLEMS: usize = 32;
/// Ranges shown in one status: a cluster without declared ranges has one or two for each Node.
const MAX_OBSERVED_CIDRS: usize = 4_096;
/// Longest text of one problem in a status, in characters.
const MAX_STATUS_TEXT: usize = 1_024;
/// Conditions on one object.
const MAX_CONDITIONS: usize = 16;

/// The longest IPv6 range in text: eight groups, a slash, three digits.
const MAX_CIDR_LEN: usize = 43;
/// RFC 1123 label.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A namespace name, or a prefix ending in one '*'.
const PATTERN: &str = r"^[a-z0-9]?[-a-z0-9]*\*?$";
const PERIOD: &str = "^(Never|([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$";

fn label() -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": LABEL})
}

fn cidr_list(max: usize) -> Schema {
    let valid = json_schema!({
        "rule": "isCIDR(self)", "message": "must be a range in CIDR notation, such as 10.8.0.0/14"
    });
    // Host bits are checked only where the text is a range at all: otherwise the rule itself fails, with a worse message.
    let masked = json_schema!({
        "rule": "!isCIDR(self) || cidr(self) == cidr(self).masked()",
        "message": "must have no host bits set: 10.8.0.0/14, not 10.8.1.0/14"
    });
    json_schema!({
        "type": "array",
        "maxItems": max,
        "items": {"type": "string", "maxLength": MAX_CIDR_LEN, "x-kubernetes-validations": [valid, masked]}
    })
}

pub(super) fn cidrs(_: &mut SchemaGenerator) -> Schema {
    let mut list = cidr_list(MAX_CIDRS);
    list.insert("minItems".into(), 1.into());
    list
}

pub(super) fn reserved_cidrs(_: &mut SchemaGenerator) -> Schema {
    cidr_list(MAX_CIDRS)
}

pub(super) fn observed_cidrs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_OBSERVED_CIDRS,
        "items": {"type": "string", "maxLength": MAX_CIDR_LEN}
    })
}

pub(super) fn failover_regions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_FAILOVER_REGIONS,
        "items": label(),
        "x-kubernetes-validations": [{
            "rule": "self.all(a, self.exists_one(b, a == b))", "message": "must name each region once"
        }]
    })
}

pub(super) fn immutable_region(_: &mut SchemaGenerator) -> Schema {
    let mut region = label();
    let rule =
        json_schema!({"rule": "self == oldSelf", "message": "cannot be changed: remove the member and join again"});
    region.insert("x-kubernetes-validations".into(), vec![rule.to_value()].into());
    region
}

pub(super) fn network(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 63})
}

pub(super) fn traffic(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["Active", "Drained"]})
}

pub(super) fn federate(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["Marked", "All", "None"]})
}

pub(super) fn cidr_source(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["Unknown", "Declared", "Discovered"]})
}

pub(super) fn weight(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": MAX_WEIGHT})
}

pub(super) fn percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 100})
}

pub(super) fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0})
}

pub(super) fn secret_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 253})
}

pub(super) fn secret_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[-._a-zA-Z0-9]+$"})
}

pub(super) fn export_patterns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_EXPORT_PATTERNS,
        "items": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": PATTERN}
    })
}

pub(super) fn match_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": MAX_MATCH_LABELS,
        "additionalProperties": {"type": "string", "maxLength": 63}
    })
}

pub(super) fn tiers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 5,
        "items": {"type": "string", "enum": ["Cluster", "Zone", "Region", "Ordered", "Any"]},
        "x-kubernetes-validations": [{
            "rule": "self.all(a, self.exists_one(b, a == b))", "message": "must name each tier once"
        }]
    })
}

pub(super) fn cluster_weights(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_CLUSTER_WEIGHTS,
        "items": {
            "type": "object",
            "required": ["name", "weight"],
            "properties": {"name": label(), "weight": weight(generator)}
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"]
    })
}

pub(super) fn period(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 32, "pattern": PERIOD})
}

pub(super) fn short_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 253})
}

pub(super) fn problems(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_STATUS_PROBLEMS,
        "items": {"type": "string", "maxLength": MAX_STATUS_TEXT}
    })
}

/// The standard conditions of Kubernetes, merged by type.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_CONDITIONS,
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string", "maxLength": 316},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
                "message": {"type": "string", "maxLength": 32768}
            }
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"]
    })
}
