//! The facts about one member, gathered in one place for its status, its page and the commands: who shows a member shows
//! the same of it everywhere.

use federation::model::{ClusterId, Time};
use federation::report::MemberReport;

use super::text;
use crate::conditions::Facts;
use crate::conditions::hub_problems::HubProblems;
use crate::conditions::progress::MirrorProgress;
use crate::problem::{OriginProblems, ProblemOrigin, Problems};
use crate::tables::Note;

/// The kind whose objects members are declared by.
pub const MEMBER_KIND: &str = "MemberCluster";

/// What is known of a member besides its report.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub problems: &'a Problems,
    /// A credential that does not work although the connection does.
    pub note: Option<&'a Note>,
    /// How its mirroring goes, where mirrors are written.
    pub mirrors: Option<&'a MirrorProgress>,
    /// When its API last answered.
    pub seen: Option<Time>,
    /// `Synced` is true now. Only the writer of mirrors can tell slow from stuck; for all others a plan is no failure.
    pub was_synced: bool,
    pub now: Time,
}

impl<'a> Known<'a> {
    /// Of a process that writes no mirrors.
    pub fn new(problems: &'a Problems, now: Time) -> Self {
        Self { problems, note: None, mirrors: None, seen: None, was_synced: true, now }
    }

    /// What is wrong with the `MemberCluster` itself.
    pub fn spec_problems(&self, id: &str) -> Vec<String> {
        HubProblems(self.problems).of(MEMBER_KIND, id)
    }

    fn page(&self, id: &ClusterId) -> Option<&'a OriginProblems> {
        self.problems.get(&ProblemOrigin::from(id)).map(AsRef::as_ref)
    }

    /// `spec_problems`: see [`Known::spec_problems`].
    pub fn facts<'b>(&self, report: &'b MemberReport, spec_problems: &'b [String]) -> Facts<'b>
    where
        'a: 'b,
    {
        let page = self.page(&report.id);
        Facts {
            report,
            note: self.note,
            mirrors: self.mirrors,
            seen: self.seen,
            spec_problems,
            rejected: page.map_or(0, OriginProblems::total),
            unlisted: page.map_or(0, OriginProblems::unlisted),
            was_synced: self.was_synced,
            late: self.mirrors.is_some_and(MirrorProgress::is_late),
            now: self.now,
        }
    }

    /// Everything of this member by which something is lost, one to a line.
    pub fn lines(&self, facts: &Facts<'_>) -> Vec<String> {
        let listed =
            self.page(&facts.report.id).into_iter().flat_map(OriginProblems::problems).map(ToString::to_string);
        let refused = text::refused_addresses(facts.report);
        let conflicts = facts.report.family_conflicts.iter().map(text::family_conflict);
        facts.spec_problems.iter().cloned().chain(listed).chain(refused).chain(conflicts).collect()
    }

    /// How many objects with problems are not among [`Known::lines`]; `None`: all are.
    pub fn rest(&self, id: &ClusterId) -> Option<String> {
        self.page(id).and_then(OriginProblems::rest)
    }

    /// `MemberCluster`s that were never usable, so that there is no report about them.
    pub fn unusable(&self, has_report: impl Fn(&str) -> bool) -> Vec<String> {
        let hub = self.problems.get(&ProblemOrigin::Hub).into_iter().flat_map(|page| page.listed().keys());
        let members = hub.filter(|object| object.kind == MEMBER_KIND && !object.name.is_empty());
        members.map(|object| object.name.clone()).filter(|name| !has_report(name)).collect()
    }
}
