//! One line in the log for each change of a member's admission. Links, leadership, certificates and phases are logged where they
//! change.

use clusters::conditions::known::Known;
use clusters::conditions::{self, ADMITTED, Facts};
use clusters::problem::Problems;
use federation::model::{ClusterId, Time};
use federation::report::{MemberReport, Verdict};

/// Logs that a member's verdict changed, with the status, reason and text of its condition `Admitted`, or that it was removed.
pub(super) fn log(id: &ClusterId, before: Option<&MemberReport>, after: Option<&MemberReport>, now: Time) {
    let Some(report) = after else {
        if before.is_some() {
            tracing::info!(cluster = %id, "no longer a member");
        }
        return;
    };
    let is_first = before.is_none() && matches!(report.admission, Verdict::Pending(_));
    if is_first || before.is_some_and(|before| before.admission == report.admission) {
        return;
    }
    let problems = Problems::default();
    let facts = Facts::new(report, Known::new(&problems, now));
    for condition in conditions::member(&facts).iter().filter(|condition| condition.kind == ADMITTED) {
        let (status, reason, message) = (condition.status.as_str(), condition.reason, &condition.message);
        tracing::info!(cluster = %id, region = %report.region, admitted = status, reason, "admission changed: {message}");
    }
}
