//! What is wrong with somebody's input: which object, which field, what was found, what would be right, what is lost by it.
//! A problem never carries a secret: code that reads Secrets must not put their content in `found`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use federation::model::ClusterId;
use serde::Serialize;
use tokio::sync::watch;

/// Longest quotation of a found value, in bytes.
pub const MAX_FOUND_LEN: usize = 120;
/// Problems kept for one object. The first ones explain it; the rest repeat.
pub const MAX_PROBLEMS_PER_OBJECT: usize = 8;
/// Objects with problems kept for one origin. What is beyond is counted, not kept.
pub const MAX_OBJECTS_PER_ORIGIN: usize = 256;

/// One thing wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    pub object: ObjectName,
    /// Path of the field, as in `spec.ports[0].port`; empty if the object as a whole is meant.
    pub field: String,
    pub found: String,
    pub expected: String,
    /// What of the object is not used because of this; empty if that is said otherwise.
    pub lost: String,
    /// Where it was read, for objects that came from files.
    pub place: Option<Place>,
}

/// An object as people name it: `Service shop/web`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectName {
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
}

impl Problem {
    pub fn new(
        object: &ObjectName,
        field: impl Into<String>,
        found: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            object: object.clone(),
            field: field.into(),
            found: shorten(&found.to_string()),
            expected: expected.into(),
            lost: String::new(),
            place: None,
        }
    }

    pub fn losing(self, lost: impl Into<String>) -> Self {
        Self { lost: lost.into(), ..self }
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

fn shorten(text: &str) -> String {
    if text.len() <= MAX_FOUND_LEN {
        return text.to_owned();
    }
    let end = (0..=MAX_FOUND_LEN).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len())
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None if self.name.is_empty() => f.write_str(&self.kind),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}: ", place.file.display(), place.line)?;
        }
        write!(f, "{}", self.object)?;
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": found {}; expected {}", self.found, self.expected)?;
        if self.lost.is_empty() { Ok(()) } else { write!(f, "; {}", self.lost) }
    }
}

/// Whose objects are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ProblemOrigin {
    Hub,
    Member(ClusterIdText),
}

/// A cluster id as text, so that origins can be serialised.
pub type ClusterIdText = String;

impl From<&ClusterId> for ProblemOrigin {
    fn from(id: &ClusterId) -> Self {
        Self::Member(id.to_string())
    }
}

/// All problems that stand now. Sources write, whoever reports reads a snapshot.
#[derive(Clone, Debug)]
pub struct ProblemBook {
    sender: Arc<watch::Sender<Problems>>,
}

/// By origin and object; an object without problems is not there.
pub type Problems = BTreeMap<ProblemOrigin, BTreeMap<ObjectName, Vec<Problem>>>;

impl Default for ProblemBook {
    fn default() -> Self {
        Self { sender: Arc::new(watch::Sender::new(Problems::new())) }
    }
}

impl ProblemBook {
    /// Replaces what is known of one object; no problems means it is fine (or gone).
    pub fn set(&self, origin: &ProblemOrigin, object: &ObjectName, mut problems: Vec<Problem>) {
        problems.truncate(MAX_PROBLEMS_PER_OBJECT);
        self.sender.send_if_modified(|book| {
            let objects = book.entry(origin.clone()).or_default();
            let changed = if problems.is_empty() {
                objects.remove(object).is_some()
            } else if objects.get(object) == Some(&problems)
                || (objects.len() >= MAX_OBJECTS_PER_ORIGIN && !objects.contains_key(object))
            {
                false
            } else {
                objects.insert(object.clone(), problems);
                true
            };
            if objects.is_empty() {
                book.remove(origin);
            }
            changed
        });
    }

    /// Replaces all that is known of one origin's objects of the given kinds.
    pub fn replace(&self, origin: &ProblemOrigin, kinds: &[&str], problems: Vec<Problem>) {
        let mut fresh: BTreeMap<ObjectName, Vec<Problem>> = BTreeMap::new();
        for problem in problems {
            let full = fresh.len() >= MAX_OBJECTS_PER_ORIGIN && !fresh.contains_key(&problem.object);
            if !full {
                let list = fresh.entry(problem.object.clone()).or_default();
                if list.len() < MAX_PROBLEMS_PER_OBJECT {
                    list.push(problem);
                }
            }
        }
        self.sender.send_if_modified(|book| {
            let objects = book.entry(origin.clone()).or_default();
            let before = objects.clone();
            objects.retain(|object, _| !kinds.contains(&object.kind.as_str()));
            objects.extend(fresh);
            let changed = *objects != before;
            if objects.is_empty() {
                book.remove(origin);
            }
            changed
        });
    }

    /// Forgets an origin: it is no member any more.
    pub fn forget(&self, origin: &ProblemOrigin) {
        self.sender.send_if_modified(|book| book.remove(origin).is_some());
    }

    pub fn subscribe(&self) -> watch::Receiver<Problems> {
        self.sender.subscribe()
    }

    pub fn snapshot(&self) -> Problems {
        self.sender.borrow().clone()
    }
}
