//! Where the contributors of one service differ (KEP-1645: the oldest export wins). Nothing is allocated where they agree.

use std::sync::Arc;

use super::contribution::Contribution;
use crate::explain::{Conflict, ConflictAbout};
use crate::model::{AppProtocol, ClusterId, ServiceKind, ServicePort};

/// A port that a younger export has, and the older one's port of the same number or name.
pub(super) fn of_ports(
    (winner, won): (&ClusterId, &ServicePort),
    (loser, lost): (&ClusterId, &ServicePort),
) -> Option<Conflict> {
    if winner == loser {
        return None; // the Service API keeps names and numbers of one Service unique
    }
    let conflict = |about| Some(Conflict { winner: winner.clone(), loser: loser.clone(), about });
    let (won_number, lost_number) = ((won.port, won.protocol), (lost.port, lost.protocol));
    if won_number != lost_number {
        let name = Arc::clone(&lost.name);
        return conflict(ConflictAbout::PortName { name, won: won_number, lost: lost_number });
    }
    if won.app_protocol == lost.app_protocol && won.name == lost.name {
        return None;
    }
    let (won, lost) = (AppProtocol::of(won), AppProtocol::of(lost));
    if won == lost { None } else { conflict(ConflictAbout::AppProtocol { port: won_number, won, lost }) }
}

/// Kind, affinity and families, each contributor compared with the oldest.
pub(super) fn of_shapes(parts: &[Contribution<'_>], conflicts: &mut Vec<Conflict>) {
    let Some((oldest, others)) = parts.split_first() else { return };
    let won = oldest.service;
    for part in others {
        let lost = part.service;
        let mut push = |about| {
            conflicts.push(Conflict { winner: oldest.cluster.clone(), loser: part.cluster.clone(), about });
        };
        let headless = won.kind == ServiceKind::Headless;
        if headless != (lost.kind == ServiceKind::Headless) {
            push(ConflictAbout::Headless { won: headless });
        }
        if won.affinity != lost.affinity {
            push(ConflictAbout::Affinity { won: won.affinity, lost: lost.affinity });
        }
        if let (Some(won), Some(lost)) = (won.families, lost.families)
            && !lost.meets(won)
        {
            push(ConflictAbout::Families { won, lost });
        }
    }
}
