//! The facts about one member, gathered in one place for its status, its page, the log and the commands: all of them show the
//! same of it.

use federation::report::MemberReport;

use super::known::Known;
use super::text;
use crate::conditions::progress::MirrorProgress;
use crate::problem::OriginProblems;

/// Everything that the conditions of one member, and its status, are made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub report: &'a MemberReport,
    pub known: Known<'a>,
    /// What is wrong with the `MemberCluster` itself. Each says what is lost by it: see [`REJECTED`](crate::convert::REJECTED).
    pub spec_problems: Vec<String>,
    /// Objects in the member that are not used, or used in part.
    pub rejected: usize,
    /// Of these, those that are counted only.
    pub unlisted: usize,
    /// Some mirrored object has differed from what it should be for longer than a write takes.
    pub late: bool,
}

impl<'a> Facts<'a> {
    pub fn new(report: &'a MemberReport, known: Known<'a>) -> Self {
        let page = known.page(&report.id);
        Self {
            report,
            known,
            spec_problems: known.spec_problems(report.id.as_str()),
            rejected: page.map_or(0, OriginProblems::total),
            unlisted: page.map_or(0, OriginProblems::unlisted),
            late: known.mirrors.is_some_and(MirrorProgress::is_late),
        }
    }

    /// Everything of this member by which something is lost, one to a line.
    pub fn lines(&self) -> Vec<String> {
        let page = self.known.page(&self.report.id).into_iter();
        let listed = page.flat_map(OriginProblems::problems).map(ToString::to_string);
        let refused = text::refused_addresses(self.report);
        let conflicts = self.report.family_conflicts.iter().map(text::family_conflict);
        self.spec_problems.iter().cloned().chain(listed).chain(refused).chain(conflicts).collect()
    }

    /// How many objects with problems are not among [`Facts::lines`]; `None`: all are.
    pub fn rest(&self) -> Option<String> {
        self.known.page(&self.report.id).and_then(OriginProblems::rest)
    }
}
