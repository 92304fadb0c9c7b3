//! What a file says, and what of its earlier content stays all the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::entry::{Entry, file_name};
use super::excerpt::Excerpt;
use super::passed_over::PassedOver;
use crate::problem::{ObjectName, Place, Problem};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) excerpt: Excerpt,
    /// Something in it could not be distinguished from an object that was there before, so nothing may be taken as gone.
    pub(super) unclear: bool,
    /// Where and why it may not be the whole file. That matters if an object is missing that was there before.
    pub(super) doubt: Option<(u32, &'static str)>,
    /// Documents that could not be parsed: it is not known what they say.
    pub(super) partly: bool,
    /// It ends with a line break, or with a bracket that closes.
    pub(super) ended: bool,
    pub(super) last_line: u32,
    /// The line of something that is no Kubernetes object at all.
    pub(super) stray: Option<u32>,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Contents {
    /// Objects of before that stay although they are not named any more: what cannot be distinguished from one of them, and
    /// a file that may not be the whole one, take nothing away. `was_ended`: the file was [`Contents::ended`] before.
    pub(super) fn kept(&mut self, old: &[Arc<Entry>], was_ended: bool, file: &Path, root: &Path) -> Vec<Arc<Entry>> {
        let missing = self.missing(old);
        if self.unclear {
            self.ended |= was_ended;
            return missing;
        }
        let cut = was_ended && !self.ended;
        let cut = cut.then_some((self.last_line, "no line break at its end, where one was before"));
        let stray = self.stray.map(|line| (line, "something that is no Kubernetes object"));
        let Some((line, why)) = self.doubt.or(cut).or(stray) else { return Vec::new() };
        let changed = cut.is_some() && self.has_changed_last(old);
        if missing.is_empty() && !changed {
            return Vec::new();
        }
        if self.stray.is_none() {
            self.entries.pop(); // its own end may lack as well
        }
        let fewer = match missing.len() {
            0 => "a last object that is not as before".to_owned(),
            count => format!("{count} objects fewer than before"),
        };
        let expected = "a whole file; what it held before of the others stays";
        let problem = Problem::new(&file_name(file), "", format!("{why}, and {fewer}"), expected);
        self.excerpt.problems.push(problem.at(Place { file: root.join(file), line }));
        self.ended |= was_ended;
        self.missing(old)
    }

    fn missing(&self, old: &[Arc<Entry>]) -> Vec<Arc<Entry>> {
        let named: BTreeSet<&ObjectName> = self.entries.iter().map(|entry| &entry.name).collect();
        old.iter().filter(|entry| !named.contains(&entry.name)).cloned().collect()
    }

    fn has_changed_last(&self, old: &[Arc<Entry>]) -> bool {
        let Some(last) = self.entries.last() else { return false };
        old.iter().any(|entry| entry.name == last.name && entry.outcome != last.outcome)
    }
}
