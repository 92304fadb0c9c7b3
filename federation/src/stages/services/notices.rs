//! What the owners of members' Services should know after a merge. A Service that follows the standard has none.

use std::collections::BTreeSet;

use crate::merge::Outcome;
use crate::model::{ClusterId, ServiceKey};
use crate::report::{Notable, Notice, Subject};
use crate::selection::LeftOut;

/// All notices of one service.
pub(super) fn of_service(
    key: &ServiceKey,
    outcome: &Outcome,
    left_out: Vec<(&ClusterId, LeftOut)>,
    without_service: Vec<&ClusterId>,
) -> BTreeSet<(ClusterId, Notice)> {
    let notice = |id: &ClusterId, what| (id.clone(), Notice { subject: Subject::Service(key.clone()), what });
    let exporter = outcome.merged.as_ref().and_then(|merged| merged.sources.first());
    let too_many =
        outcome.left_out.iter().map(|(id, left_out)| notice(id, Notable::TooManyHosts { left_out: *left_out }));
    let left_out = left_out.into_iter().filter_map(|(id, LeftOut { why, unexpected })| match exporter {
        Some(exporter) => Some(notice(id, Notable::KeptLocal { why, exporter: exporter.clone() })),
        None => unexpected.then(|| notice(id, Notable::NotExported(why))),
    });
    left_out.chain(without_service.into_iter().map(|id| notice(id, Notable::NoService))).chain(too_many).collect()
}
