//! One file, read and understood: its objects in order, each with its verdict, and every problem with its line.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::contents::Contents;
use super::decode::{self, Decoded, Identity, Outcome};
use super::document::{Body, Document, ParseError, Position};
use super::entry::{Entry, file_name};
use super::locate;
use super::origin::Origin;
use super::parse::{self, Parsed};
use super::passed_over::PassedOver;
use super::path;
use super::split::Part;
use super::text::{line_number, text};
use crate::foreign::cut;
use crate::problem::{MAX_FOUND_LEN, ObjectName, Place, Problem};

/// Bytes that are read again in one file to find the lines of its problems. What is beyond gets its object's line.
pub const MAX_LOCATE_BYTES: usize = 16 * 1024 * 1024;
/// Problems kept for one file.
pub const MAX_PROBLEMS_PER_FILE: usize = 256;

/// Understands the text of a file. `shown` is how problems name it, `file` where it is inside of the folder.
pub(super) fn read(bytes: &[u8], origin: &Origin, file: &Arc<Path>, shown: &Path) -> Result<Contents, Box<Problem>> {
    let Parsed { documents, broken: lost, parts } = parse::parse(bytes).map_err(|error| broken(&error, file, shown))?;
    let text = text(bytes).map_err(|error| broken(&error, file, shown))?;
    let (locate_bytes, contents) = (MAX_LOCATE_BYTES, Contents::default());
    let part = parts.first().cloned().unwrap_or_else(|| Part::whole(text));
    let mut reader = Reader { text, part, origin, file, shown, locate_bytes, contents, left_out: None };
    let mut passed_over: BTreeMap<String, (u32, usize)> = BTreeMap::new();
    for (index, document) in documents.into_iter().enumerate() {
        reader.part = parts.get(document.part).cloned().unwrap_or_else(|| Part::whole(text));
        let line = document.at.line;
        if let Some(what) = reader.document(index, document) {
            passed_over.entry(what).or_insert((line, 0)).1 += 1;
        }
    }
    reader.contents.ended = text.ends_with(['\n', '}', ']']) || text.trim_end().ends_with(['}', ']']);
    reader.contents.last_line = reader.last_line();
    if locate::ends_open(reader.part.text(text)) {
        reader.contents.doubt = Some((reader.last_line(), "an end with a key that has no value"));
    }
    for error in &lost {
        let problem = Problem::new(&file_name(file), "", &error.found, &*error.expected).losing(PARTLY);
        reader.report(Position { line: error.line, column: 1 }, problem);
        (reader.contents.unclear, reader.contents.partly) = (true, true);
    }
    reader.contents.passed_over = PassedOver::of(passed_over, shown);
    Ok(reader.contents)
}

/// What becomes of a file with a document that cannot be parsed.
const PARTLY: &str = "the other documents are used, and what the file held before of the rest stays";

const OBJECT: &str = "a Kubernetes object with apiVersion, kind and metadata.name";

/// What is found and expected where a text is written in a way that YAML reads as something else.
fn in_quotes(written: &str, read_as: &str) -> (String, String) {
    let shown = cut(written, MAX_FOUND_LEN / 2);
    // In the words of serde: "integer `16`".
    let (kind, value) = read_as.strip_suffix('`').and_then(|read_as| read_as.split_once('`')).unwrap_or(("", read_as));
    let number = if matches!(kind, "integer " | "floating point ") { "the number " } else { "" };
    (format!("{shown}, which YAML reads as {number}{value}"), format!("a text: write \"{shown}\", in quotes"))
}

fn broken(error: &ParseError, file: &Path, shown: &Path) -> Box<Problem> {
    let expected = format!("{}; what it held before stays", error.expected);
    let place = Place { file: shown.into(), line: error.line };
    Box::new(Problem::new(&file_name(file), "", &error.found, expected).at(place))
}

struct Reader<'a> {
    text: &'a str,
    /// The piece of it that is read.
    part: Part,
    origin: &'a Origin,
    file: &'a Arc<Path>,
    shown: &'a Path,
    locate_bytes: usize,
    contents: Contents,
    /// The object that was counted last without being listed.
    left_out: Option<ObjectName>,
}

impl Reader<'_> {
    /// Takes one object; if it is none of our business, says what it is.
    fn document(&mut self, index: usize, document: Document) -> Option<String> {
        let at = document.at;
        self.contents.doubt = None; // only the last one can be cut off
        let object = match document.body {
            Body::Object(object) => object,
            Body::NotAMapping(what) => return self.unclear(at, "", what, OBJECT),
            Body::Patch => return self.no_object(at, "a list of changes to other files"),
        };
        let (known, name) = match decode::identify(&object) {
            Identity::Known(known, name) => (known, name),
            Identity::Foreign(kind) => return Some(kind),
            Identity::NoObject if document.of_list => return self.unclear(at, "kind", "nothing", OBJECT),
            Identity::NoObject => return self.no_object(at, "no Kubernetes object"),
            Identity::Slip(kind, near) => return self.unclear(at, "kind", &format!("{kind:?}"), &format!("{near:?}")),
            Identity::Answer(message) => {
                let found = format!("the answer of an API server: {message:?}");
                return self.unclear(at, "", &found, "objects; what the file held before stays");
            }
            Identity::Unclear(field) => {
                let value = path::steps(field).iter().try_fold(&Value::Null, |value, step| match step {
                    locate::Step::Field(name) if value.is_null() => object.get(name),
                    locate::Step::Field(name) => value.get(name),
                    locate::Step::Index(_) => None,
                });
                let (found, expected) = self.no_text(at, field, value);
                return self.unclear(at, field, &found, &expected);
            }
        };
        if known.kind.of_hub() != (*self.origin == Origin::Hub) {
            let (found, expected) = match self.origin {
                Origin::Hub => ("it among the hub's files".to_owned(), "it in clusters/<cluster id>/"),
                Origin::Member(id) => {
                    (format!("it in clusters/{id}/"), "it among the hub's files, outside of clusters/")
                }
            };
            self.report(at, Problem::new(&name, "", found, expected));
            return None;
        }
        let Decoded { outcome, key, problems } = known.decode(&name, object);
        for problem in problems {
            self.report(at, problem);
        }
        if outcome == Outcome::Rejected {
            self.contents.doubt = Some((at.line, "a last object that cannot be used"));
        }
        let entry = Entry { file: self.file.clone(), line: at.line, index, known, name, outcome, key };
        self.contents.entries.push(Arc::new(entry));
        None
    }

    /// It is not known which object it is.
    fn unclear(&mut self, at: Position, field: &str, found: &str, expected: &str) -> Option<String> {
        self.report(at, Problem::new(&file_name(self.file), field, found, expected));
        self.contents.unclear = true;
        None
    }

    fn no_object(&mut self, at: Position, what: &str) -> Option<String> {
        self.contents.stray.get_or_insert(at.line);
        Some(what.to_owned())
    }

    /// What is found where a text should be, and what to do about it.
    fn no_text(&mut self, at: Position, field: &str, value: Option<&Value>) -> (String, String) {
        let read_as = match value {
            None => return ("nothing".into(), OBJECT.into()),
            Some(Value::Object(_)) => return ("a mapping".into(), "a text".into()),
            Some(Value::Array(_)) => return ("a list".into(), "a text".into()),
            Some(Value::String(text)) if text.is_empty() => return ("nothing".into(), OBJECT.into()),
            Some(Value::String(_)) => return ("another text".into(), OBJECT.into()),
            Some(Value::Null) => "nothing".to_owned(),
            Some(Value::Bool(value)) => format!("`{value}`"),
            Some(Value::Number(number)) => format!("integer `{number}`"),
        };
        match self.find(at, field).1.filter(|written| !written.is_empty()) {
            Some(written) => in_quotes(&written, &read_as),
            None => (read_as, OBJECT.into()),
        }
    }

    fn last_line(&self) -> u32 {
        line_number(self.text.lines().count())
    }

    /// The line of a field, and its value as it is written.
    fn find(&mut self, object: Position, field: &str) -> (u32, Option<String>) {
        let steps = path::steps(field);
        let text = self.part.text(self.text);
        if steps.is_empty() || text.len() > self.locate_bytes {
            return (object.line, None);
        }
        self.locate_bytes -= text.len();
        let within = Position { line: object.line.saturating_sub(self.part.lines), ..object };
        let (line, written) = locate::find(text, within, &steps);
        (line.saturating_add(self.part.lines), written)
    }

    fn report(&mut self, object: Position, problem: Problem) {
        if self.contents.excerpt.problems.len() >= MAX_PROBLEMS_PER_FILE {
            self.leave_out(problem);
            return;
        }
        let (line, written) = self.find(object, &problem.field);
        let mut problem = problem;
        if let Some(written) = written.filter(|_| problem.expected == decode::TEXT) {
            (problem.found, problem.expected) = in_quotes(&written, &problem.found);
        }
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
