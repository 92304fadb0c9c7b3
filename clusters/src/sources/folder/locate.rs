//! The line of a field, and how its value is written, found again in the text. Objects carry no lines for their fields: problems are rare, and a
//! second look at one file is cheap.

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

use super::document::Position;

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Index(usize),
}

/// The line of the field at `path` in the object that starts at `object`; if the field is not there, the line of what
/// is nearest around it. Both count from 1.
#[cfg(test)]
pub(super) fn line_of(text: &str, object: Position, path: &[Step]) -> u32 {
    find(text, object, path).0
}

/// The same, and the value as it is written, if it is no mapping and no list.
pub(super) fn find(text: &str, object: Position, path: &[Step]) -> (u32, Option<String>) {
    if path.is_empty() {
        return (object.line, None);
    }
    let mut nearest = object.line;
    let mut frames: Vec<Frame> = Vec::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(Ok((event, span))) = parser.next_event() {
        let opened = match event {
            Event::MappingStart(..) => Some(Inside::Mapping { key_next: true, wanted: false }),
            Event::SequenceStart(..) => Some(Inside::List { next: 0 }),
            Event::Scalar(..) | Event::Alias(..) => None,
            Event::MappingEnd | Event::SequenceEnd => {
                if frames.pop().is_some() && frames.is_empty() {
                    break;
                }
                continue;
            }
            _ => continue,
        };
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        let on_path = match frames.last_mut() {
            Some(frame) => {
                let text = if let Event::Scalar(text, ..) = &event { Some(&**text) } else { None };
                let (found, on_path) = frame.enter(text, path);
                if found {
                    nearest = line;
                    if on_path.unwrap_or(frame.on_path.unwrap_or(0) + 1) == path.len() {
                        // The item itself, or the key before the value.
                        let written = if on_path.is_some() {
                            text.map(str::to_owned)
                        } else if let Some(Ok((Event::Scalar(value, ..), _))) = parser.next_event() {
                            Some(value.into_owned())
                        } else {
                            None
                        };
                        return (line, written);
                    }
                }
                on_path
            }
            None => {
                let column = u32::try_from(span.start.col()).unwrap_or(u32::MAX).saturating_add(1);
                // A list starts where its first item does.
                let mapping = matches!(opened, Some(Inside::Mapping { .. }));
                if !mapping || object != (Position { line, column }) {
                    continue;
                }
                Some(0)
            }
        };
        frames.extend(opened.map(|inside| Frame { on_path, inside }));
    }
    (nearest, None)
}

/// Whether the text ends with a key or a dash that nothing follows, as one that was cut off may.
pub(super) fn ends_open(text: &str) -> bool {
    let has_content = |line: &&str| !line.trim_start().is_empty() && !line.trim_start().starts_with('#');
    let last = text.lines().rev().find(has_content).unwrap_or_default();
    let last = last.split(" #").next().unwrap_or_default().trim_end();
    if !last.ends_with(':') && last.trim_start() != "-" && !last.ends_with(" -") {
        return false;
    }
    // It may be a part of a longer text.
    let (mut parser, mut open) = (Parser::new_from_str(text), false);
    while let Some(Ok((event, _))) = parser.next_event() {
        if let Event::Scalar(text, style, ..) = event {
            open = style == ScalarStyle::Plain && (text.is_empty() || text == "~");
        }
    }
    open
}

/// A mapping or list that we are in.
struct Frame {
    /// How many steps of the path lead here; `None` if none does.
    on_path: Option<usize>,
    inside: Inside,
}

enum Inside {
    Mapping {
        key_next: bool,
        /// The last key was the next step of the path.
        wanted: bool,
    },
    List {
        next: usize,
    },
}

impl Frame {
    /// A node comes. Is it the next step of the path, and how many steps lead to what is inside of it?
    fn enter(&mut self, text: Option<&str>, path: &[Step]) -> (bool, Option<usize>) {
        let step = self.on_path.and_then(|steps| path.get(steps));
        let inner = self.on_path.map(|steps| steps + 1);
        match &mut self.inside {
            Inside::Mapping { key_next: key_next @ true, wanted } => {
                *key_next = false;
                *wanted = matches!((step, text), (Some(Step::Field(field)), Some(text)) if field == text);
                (*wanted, None)
            }
            Inside::Mapping { key_next, wanted } => {
                *key_next = true;
                (false, std::mem::take(wanted).then_some(inner).flatten())
            }
            Inside::List { next } => {
                let index = *next;
                *next += 1;
                let found = matches!(step, Some(Step::Index(wanted)) if *wanted == index);
                (found, found.then_some(inner).flatten())
            }
        }
    }
}
