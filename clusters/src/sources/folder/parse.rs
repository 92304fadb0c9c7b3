//! From the text of one file to the objects in it, each with the line it starts on.
//!
//! What cannot be parsed is not known, which is not the same as not there: a file that says nothing at all is an error, and
//! a document that cannot be parsed is named beside those that can.

use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::document::{Document, ParseError};
use super::raw::{self, Raw};
use super::split::{self, Part};
use super::text::text;

/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Documents in one file.
pub const MAX_DOCUMENTS: usize = 100_000;
/// Nodes (mappings, lists, values) in one file: a file of the largest size has about one for each 16 bytes.
pub const MAX_NODES: usize = 4 * 1024 * 1024;
/// Levels of nesting. Kubernetes objects need about fifteen.
pub const MAX_DEPTH: usize = 64;
/// Aliases (`*name`) in one file, and what all of them together may expand to, in nodes.
pub const MAX_ALIASES: usize = 1_000;
pub const MAX_ALIAS_NODES: usize = 100_000;

/// Documents of one file that cannot be parsed and are passed over. With more of them the file as a whole is not used.
pub const MAX_BROKEN_DOCUMENTS: usize = 16;

/// What the text of a file holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// All objects, in order; those inside lists in place of the lists. Empty documents are passed over.
    pub(super) documents: Vec<Document>,
    /// Documents that cannot be parsed.
    pub(super) broken: Vec<ParseError>,
    /// The pieces of the text that were parsed by themselves.
    pub(super) parts: Vec<Part>,
}

/// An error means that nothing of the file can be used.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let text = text(bytes)?;
    if text.trim().is_empty() {
        // What a failed `kubectl get > file` leaves behind.
        let found = "an empty file".to_owned();
        let expected = "objects; to take them away, delete the file or leave a comment in it".to_owned();
        return Err(ParseError { line: 1, found, expected, of_one: false });
    }
    let whole = Part::whole(text);
    match documents(text, &whole) {
        Ok(documents) => Ok(Parsed { documents, broken: Vec::new(), parts: vec![whole] }),
        Err(error) if error.of_one => in_parts(text, error),
        Err(error) => Err(error),
    }
}

/// Parses what can be parsed of a text that cannot be as a whole: the documents between those that are broken, and what
/// several files have become that were written into one.
fn in_parts(text: &str, error: ParseError) -> Result<Parsed, ParseError> {
    let parts = split::parts(text);
    let mut parsed = Parsed::default();
    let mut from = 0;
    while let Some(first) = parts.get(from) {
        let rest = parts.get(from..).unwrap_or_default();
        let count = rest.iter().skip(1).position(|part| part.alone).map_or(rest.len(), |others| others + 1);
        let together = rest.get(..count).unwrap_or_default();
        let run = first.until(together.last().unwrap_or(first));
        let Err(error) = parsed.take(text, run) else {
            from += count;
            continue;
        };
        let (culprit, error) = culprit(text, together, error)?;
        if let Some(last) = culprit.checked_sub(1).and_then(|before| together.get(before)) {
            parsed.take(text, first.until(last))?;
        }
        parsed.broken.push(error);
        from += culprit + 1;
        if parsed.broken.len() > MAX_BROKEN_DOCUMENTS {
            let expected = format!("at most {MAX_BROKEN_DOCUMENTS}");
            let found = format!("more than {MAX_BROKEN_DOCUMENTS} documents that cannot be parsed");
            return Err(ParseError { line: 1, found, expected, of_one: false });
        }
    }
    if parsed.documents.is_empty() { Err(error) } else { Ok(parsed) }
}

/// Which of these documents is the one that cannot be parsed, and why. The error of all may point behind it: what is open at its
/// end is noticed in the next one.
fn culprit(text: &str, parts: &[Part], error: ParseError) -> Result<(usize, ParseError), ParseError> {
    if !error.of_one {
        return Err(error);
    }
    let at = parts.partition_point(|part| part.lines < error.line).saturating_sub(1);
    for index in [Some(at), at.checked_sub(1)].into_iter().flatten() {
        if let Some(Err(error)) = parts.get(index).map(|part| documents(text, part)) {
            return if error.of_one { Ok((index, error)) } else { Err(error) };
        }
    }
    Err(ParseError { of_one: false, ..error })
}

impl Parsed {
    fn take(&mut self, text: &str, part: Part) -> Result<(), ParseError> {
        let mut documents = documents(text, &part)?;
        documents.iter_mut().for_each(|document| document.part = self.parts.len());
        self.documents.extend(documents);
        self.parts.push(part);
        Ok(())
    }
}

/// All objects of a part of the text.
fn documents(text: &str, part: &Part) -> Result<Vec<Document>, ParseError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 2 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: MAX_DOCUMENTS,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_recorded_anchor_events: MAX_ALIAS_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIAS_NODES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    let below = |error: ParseError| ParseError { line: error.line.saturating_add(part.lines), ..error };
    let roots: Vec<Spanned<Raw>> = serde_saphyr::from_str_multiple_with_options(part.text(text), options)
        .map_err(|error| below(yaml_error(&error)))?;
    let mut documents = Vec::new();
    for root in roots {
        documents.extend(raw::objects(root).map_err(below)?);
    }
    for document in &mut documents {
        document.at.line = document.at.line.saturating_add(part.lines);
    }
    Ok(documents)
}

fn yaml_error(error: &serde_saphyr::Error) -> ParseError {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    let line = error.location().map_or(1, |location| u32::try_from(location.line()).unwrap_or(u32::MAX)).max(1);
    // The line is in our text already; the parser repeats it in its own words.
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.split(" at line ").next().unwrap_or(text);
    let (found, expected) = if let Error::DuplicateMappingKey { key, .. } = error {
        (format!("the key {:?} again", key.as_deref().unwrap_or("?")), "each key of a mapping once".to_owned())
    } else if text.contains("budget") || text.contains("limit") {
        let expected = format!(
            "at most {MAX_NODES} values, {MAX_DOCUMENTS} documents, {MAX_DEPTH} levels, and {MAX_ALIASES} aliases \
             that expand to at most {MAX_ALIAS_NODES} values"
        );
        return ParseError { line, found: "more than one file may hold".to_owned(), expected, of_one: false };
    } else {
        (text.to_owned(), "valid YAML or JSON".to_owned())
    };
    ParseError { line, found, expected, of_one: true }
}
