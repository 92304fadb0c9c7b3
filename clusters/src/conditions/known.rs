//! What a process knows of a member besides its report.

use federation::model::{ClusterId, Time};

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

    /// What is wrong with objects in the member.
    pub(super) fn page(&self, id: &ClusterId) -> Option<&'a OriginProblems> {
        self.problems.get(&ProblemOrigin::from(id)).map(AsRef::as_ref)
    }

    /// `MemberCluster`s that were never usable, so that there is no report about them.
    pub fn unusable(&self, has_report: impl Fn(&str) -> bool) -> Vec<String> {
        let hub = self.problems.get(&ProblemOrigin::Hub).into_iter().flat_map(|page| page.listed().keys());
        let members = hub.filter(|object| object.kind == MEMBER_KIND && !object.name.is_empty());
        members.map(|object| object.name.clone()).filter(|name| !has_report(name)).collect()
    }
}
