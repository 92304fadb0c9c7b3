//! One file, read and understood: its objects in order, each with its verdict, and every problem with its line.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use federation::model::ClusterId;

use super::decode::{self, Decoded, Identity, Known, Outcome};
use super::excerpt::Excerpt;
use super::locate;
use super::objects::Key;
use super::parse::{self, Body, Document, ParseError, Position};
use super::path;
use crate::problem::{ObjectName, Place, Problem};

/// Bytes that are read again in one file to find the lines of its problems. What is beyond gets its object's line.
pub const MAX_LOCATE_BYTES: usize = 16 * 1024 * 1024;
/// Problems kept for one file.
pub const MAX_PROBLEMS_PER_FILE: usize = 256;

/// Whose objects a file holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Hub,
    Member(ClusterId),
}

/// One object of a file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Inside of the folder.
    pub(super) file: Arc<Path>,
    pub(super) line: u32,
    /// Counts the objects of the file.
    pub(super) index: usize,
    pub(super) known: &'static Known,
    pub(super) name: ObjectName,
    pub(super) outcome: Outcome,
    pub(super) key: Option<Key>,
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) excerpt: Excerpt,
    /// Something in it could not be told apart from an object that was there before, so nothing may be taken as gone.
    pub(super) unclear: bool,
}

/// Understands the text of a file. `shown` is how problems name it, `file` where it is inside of the folder.
pub(super) fn read(bytes: &[u8], origin: &Origin, file: &Arc<Path>, shown: &Path) -> Result<Contents, Box<Problem>> {
    let documents = parse::parse(bytes).map_err(|error| broken(&error, file, shown))?;
    let text = parse::text(bytes).map_err(|error| broken(&error, file, shown))?;
    let (locate_bytes, contents) = (MAX_LOCATE_BYTES, Contents::default());
    let mut reader = Reader { text, origin, file, shown, locate_bytes, contents, left_out: None };
    let mut foreign: BTreeMap<String, (Position, usize)> = BTreeMap::new();
    for (index, document) in documents.into_iter().enumerate() {
        if let Some((kind, at)) = reader.document(index, document) {
            foreign.entry(kind).or_insert((at, 0)).1 += 1;
        }
    }
    reader.foreign(foreign);
    Ok(reader.contents)
}

/// The name that problems of a whole file carry.
pub(super) fn file_name(file: &Path) -> ObjectName {
    ObjectName::new("File", None, &file.display().to_string())
}

fn broken(error: &ParseError, file: &Path, shown: &Path) -> Box<Problem> {
    let expected = format!("{}; what it said before stays", error.expected);
    let place = Place { file: shown.into(), line: error.line };
    Box::new(Problem::new(&file_name(file), "", &error.found, expected).at(place))
}

struct Reader<'a> {
    text: &'a str,
    origin: &'a Origin,
    file: &'a Arc<Path>,
    shown: &'a Path,
    locate_bytes: usize,
    contents: Contents,
    /// The object that was counted last without being listed.
    left_out: Option<ObjectName>,
}

impl Reader<'_> {
    /// Takes one object; if its kind is none of ours, says which, and where.
    fn document(&mut self, index: usize, document: Document) -> Option<(String, Position)> {
        let at = document.at;
        let expected = "a Kubernetes object with apiVersion, kind and metadata.name";
        let object = match document.body {
            Body::Object(object) => object,
            Body::NotAMapping(what) => {
                self.report(at, Problem::new(&file_name(self.file), "", what, expected));
                self.contents.unclear = true;
                return None;
            }
        };
        let (known, name) = match decode::identify(&object) {
            Identity::Known(known, name) => (known, name),
            Identity::Foreign(kind) => return Some((kind, at)),
            Identity::Slip(kind, near) => {
                let problem = Problem::new(&file_name(self.file), "kind", format!("{kind:?}"), format!("{near:?}"));
                self.report(at, problem);
                self.contents.unclear = true;
                return None;
            }
            Identity::Unclear(field) => {
                self.report(at, Problem::new(&file_name(self.file), field, "nothing", expected));
                self.contents.unclear = true;
                return None;
            }
        };
        if known.kind.of_hub() != (*self.origin == Origin::Hub) {
            let (found, expected) = match self.origin {
                Origin::Hub => ("it at the top of the folder".to_owned(), "it in clusters/<cluster id>/"),
                Origin::Member(id) => (format!("it in clusters/{id}/"), "it at the top of the folder"),
            };
            self.report(at, Problem::new(&name, "", found, expected));
            return None;
        }
        let Decoded { outcome, key, problems } = known.decode(&name, object);
        for problem in problems {
            self.report(at, problem);
        }
        let entry = Entry { file: self.file.clone(), line: at.line, index, known, name, outcome, key };
        self.contents.entries.push(Arc::new(entry));
        None
    }

    /// Kinds that are not understood are told once for each file: dumps are full of them.
    fn foreign(&mut self, kinds: BTreeMap<String, (Position, usize)>) {
        let expected = format!("one of {}", decode::understood(*self.origin == Origin::Hub));
        for (kind, (at, count)) in kinds {
            let found = if count == 1 { kind } else { format!("{kind} ({count} objects)") };
            self.report(at, Problem::new(&file_name(self.file), "kind", found, &*expected));
        }
    }

    fn report(&mut self, object: Position, problem: Problem) {
        if self.contents.excerpt.problems.len() >= MAX_PROBLEMS_PER_FILE {
            self.leave_out(problem);
            return;
        }
        let steps = path::steps(&problem.field);
        let line = if steps.is_empty() || self.text.len() > self.locate_bytes {
            object.line
        } else {
            self.locate_bytes -= self.text.len();
            locate::line_of(self.text, object, &steps)
        };
        self.contents.excerpt.problems.push(problem.at(Place { file: self.shown.into(), line }));
    }

    /// Problems of one object follow each other, so that objects can be counted by their names alone.
    fn leave_out(&mut self, problem: Problem) {
        match self.contents.excerpt.problems.last_mut() {
            Some(last) if last.object == problem.object => last.more += 1 + problem.more,
            _ if self.left_out.as_ref() == Some(&problem.object) => {}
            _ => {
                self.contents.excerpt.unlisted += 1;
                self.left_out = Some(problem.object);
            }
        }
    }
}
