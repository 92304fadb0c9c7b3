//! Field paths as text (`spec.ports[0].port`, `metadata.labels["a.b/c"]`) and as steps.

use serde_path_to_error::{Path, Segment};

use super::locate::Step;
use crate::convert::MAX_LABEL_KEY_LEN;
use crate::foreign::cut_name;

/// The path of a field inside of what is at `path`. A field's name is cut: nothing that we know is so long.
pub(super) fn join(path: &str, field: &str) -> String {
    let field = &*cut_name(field, MAX_LABEL_KEY_LEN);
    let plain = field.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    match (plain, path.is_empty()) {
        (true, true) => field.to_owned(),
        (true, false) => format!("{path}.{field}"),
        (false, _) => format!("{path}[{field:?}]"),
    }
}

/// A path of serde, in our spelling.
pub(super) fn of_serde(path: &Path) -> String {
    path.iter().fold(String::new(), |text, segment| match segment {
        Segment::Seq { index } => format!("{text}[{index}]"),
        Segment::Map { key } => join(&text, key),
        Segment::Enum { variant } => join(&text, variant),
        Segment::Unknown => text,
    })
}

/// The steps of a path in our spelling. What cannot be read ends it: then a field further out is meant.
pub(super) fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let next = if let Some(quoted) = rest.strip_prefix("[\"") {
            quoted.split_once("\"]").map(|(field, tail)| (Step::Field(field.to_owned()), tail))
        } else if let Some(index) = rest.strip_prefix('[') {
            let (index, tail) = index.split_once(']').unwrap_or((index, ""));
            index.parse().ok().map(|index| (Step::Index(index), tail))
        } else {
            let field = rest.strip_prefix('.').unwrap_or(rest);
            let end = field.find(['.', '[']).unwrap_or(field.len());
            let (field, tail) = field.split_at(end);
            (!field.is_empty()).then(|| (Step::Field(field.to_owned()), tail))
        };
        let Some((step, tail)) = next else { break };
        steps.push(step);
        rest = tail;
    }
    steps
}
