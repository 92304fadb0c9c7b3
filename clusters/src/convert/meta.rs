//! What every object has: a name, a time of birth, labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation::model::{Labels, ServiceKey, Time};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{self as k8s, ObjectMeta};

use super::check::Check;
pub(super) use super::name::name;
use crate::problem::MAX_NAME_LEN;

/// Longest UID or resourceVersion, in bytes. Kubernetes writes 36 and about 10.
pub const MAX_UID_LEN: usize = 128;
/// Labels on one object. Kubernetes knows no limit, and an object with more is not used at all: any of them may be what a
/// policy selects by.
pub const MAX_LABELS_PER_OBJECT: usize = 1_024;
/// Longest label key, in bytes: a DNS prefix of 253, a slash, a name of 63.
pub const MAX_LABEL_KEY_LEN: usize = 317;
/// Longest label value, in bytes.
pub const MAX_LABEL_VALUE_LEN: usize = 63;

/// Milliseconds are kept: the API server gives whole seconds, our own records more.
pub fn time(time: Option<&k8s::Time>) -> Time {
    time.map_or_else(Time::default, |time| Time::from_unix_ms(time.0.as_millisecond()))
}

pub(super) fn created(meta: &ObjectMeta) -> Time {
    time(meta.creation_timestamp.as_ref())
}

/// The name of an object whose kind allows any RFC 1123 subdomain.
pub(super) fn subdomain(meta: &ObjectMeta) -> Option<Arc<str>> {
    let name = name(meta);
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let alphanumeric = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let good = name.len() <= MAX_NAME_LEN
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && name.bytes().all(legal);
    good.then(|| Arc::from(name))
}

pub(super) fn checked_subdomain(check: &mut Check, meta: &ObjectMeta) -> Option<Arc<str>> {
    let name = subdomain(meta);
    if name.is_none() {
        let found = self::name(meta);
        match found.len() {
            0 => check.report("metadata.name", "nothing", "a name"),
            len if len > MAX_NAME_LEN => {
                check.report("metadata.name", format!("{len} bytes"), format!("at most {MAX_NAME_LEN} bytes"));
            }
            _ => check.report(
                "metadata.name",
                format!("{found:?}"),
                "lower-case letters, digits, '-' and '.', starting and ending with a letter or digit",
            ),
        }
    }
    name
}

/// `namespace/name` where both are labels.
pub(super) fn service_key(meta: &ObjectMeta) -> Option<ServiceKey> {
    ServiceKey::new(meta.namespace.as_deref()?, name(meta)).ok()
}

pub(super) fn checked_service_key(check: &mut Check, meta: &ObjectMeta) -> Option<ServiceKey> {
    let namespace = check.name("metadata.namespace", meta.namespace.as_deref().unwrap_or_default(), |text| {
        federation::model::Namespace::new(text)
    });
    // The namespace is judged above; any good one serves to judge the name alone.
    let name = check.name("metadata.name", name(meta), |text| ServiceKey::new("any", text));
    Some(ServiceKey { namespace: namespace?, name: name?.name })
}

pub(super) fn labels(check: &mut Check, meta: &ObjectMeta) -> Labels {
    let empty = BTreeMap::new();
    let labels = meta.labels.as_ref().unwrap_or(&empty);
    if labels.len() > MAX_LABELS_PER_OBJECT {
        return pairs(check, "metadata.labels", labels, MAX_LABELS_PER_OBJECT);
    }
    // No selector can ask for a key or value that is too long: they have the same bounds.
    check.losing("the label is passed over", |check| pairs(check, "metadata.labels", labels, MAX_LABELS_PER_OBJECT))
}

/// Labels, within their bounds.
pub(super) fn pairs(check: &mut Check, field: &str, labels: &BTreeMap<String, String>, max: usize) -> Labels {
    // Any of them may be what a policy selects by, so none is left out.
    if !check.at_most(field, labels.len(), max, "labels") {
        return Labels::default();
    }
    labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .filter(|pair| pair_fits(check, field, *pair))
        .collect()
}

fn pair_fits(check: &mut Check, field: &str, (key, value): (&str, &str)) -> bool {
    if key.is_empty() || key.len() > MAX_LABEL_KEY_LEN {
        let expected = format!("1 to {MAX_LABEL_KEY_LEN} bytes");
        check.report(field, format!("a key of {} bytes", key.len()), expected);
        return false;
    }
    if value.len() > MAX_LABEL_VALUE_LEN {
        let expected = format!("at most {MAX_LABEL_VALUE_LEN} bytes");
        check.report(format!("{field}[{key:?}]"), format!("{} bytes", value.len()), expected);
        return false;
    }
    true
}

/// UID and resourceVersion. Objects in files have none.
pub(super) fn identity(check: &mut Check, meta: &ObjectMeta) -> (Arc<str>, Arc<str>) {
    let mut text = |field: &str, value: &Option<String>| {
        let value = value.as_deref().unwrap_or_default();
        if value.len() > MAX_UID_LEN {
            check.report(field, format!("{} bytes", value.len()), format!("at most {MAX_UID_LEN} bytes"));
        }
        Arc::from(value)
    };
    (text("metadata.uid", &meta.uid), text("metadata.resourceVersion", &meta.resource_version))
}
