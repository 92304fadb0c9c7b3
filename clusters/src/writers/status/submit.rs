//! What both kinds of statuses do with one object in a pass.

use super::events::Events;
use super::row::{self, Row, Step};
use crate::writers::queue::{Key, Queue, Status, Submission, Write};

/// Sends Events about what the hub accepted since the last pass.
pub(super) fn report_transition<S: row::Status>(
    kind: &str,
    row: &mut Row<S>,
    key: &Key,
    queue: &Queue,
    events: &Events,
) {
    if queue.is_accepted(key)
        && let Some(transition) = row.accepted()
    {
        events.transition(kind, row.identity(), &transition);
    }
}

/// What to submit for a step. `desired`: the write of a status.
pub(super) fn submission<S>(step: Step<S>, key: Key, desired: impl FnOnce(S) -> Status) -> Option<Submission> {
    match step {
        Step::Keep => None,
        Step::TakeBack => Some(Submission::TakeBack(key)),
        Step::Write(status) => Some(Submission::Write(Write::InHub(desired(status)))),
    }
}
