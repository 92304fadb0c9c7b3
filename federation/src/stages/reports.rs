//! The last stage: the facts about each member, as they leave the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hub::Hub;
use super::mirrors::{Changes, Earlier, Mirrors, MirrorsChange};
use crate::model::{ClusterId, Digest};
use crate::report::MemberReport;

pub(crate) struct Reports {
    /// The identity that this hub's mirrors carry.
    hub_id: Option<Digest>,
    /// As published.
    reports: BTreeMap<ClusterId, Arc<MemberReport>>,
    /// Reports built again since the start.
    built: u64,
}

/// The reports that one round changed, sorted. `None`: no longer a member.
pub(crate) type ReportsChange = Vec<(ClusterId, Option<Arc<MemberReport>>)>;

impl Reports {
    pub fn new(hub_id: Option<Digest>) -> Self {
        Self { hub_id, reports: BTreeMap::new(), built: 0 }
    }

    /// The same stage before its first round.
    pub fn empty(&self) -> Self {
        Self::new(self.hub_id)
    }

    /// It depends on what the mirrors depend on, and on them.
    pub fn update(
        &mut self,
        changes: Changes<'_>,
        of_mirrors: &MirrorsChange,
        earlier: Earlier<'_>,
        mirrors: &Mirrors,
    ) -> ReportsChange {
        let mut change = ReportsChange::new();
        for id in touched(changes, of_mirrors, earlier.hub) {
            if !earlier.hub.members().contains_key(&id) {
                if self.reports.remove(&id).is_some() {
                    change.push((id, None));
                }
                continue;
            }
            self.built += 1;
            let Some(report) = self.report(&id, earlier, mirrors) else { continue };
            if self.reports.get(&id).map(Arc::as_ref) != Some(&report) {
                let report = Arc::new(report);
                self.reports.insert(id.clone(), Arc::clone(&report));
                change.push((id, Some(report)));
            }
        }
        change
    }

    pub fn reports(&self) -> &BTreeMap<ClusterId, Arc<MemberReport>> {
        &self.reports
    }

    pub fn built(&self) -> u64 {
        self.built
    }

    fn report(&self, id: &ClusterId, earlier: Earlier<'_>, mirrors: &Mirrors) -> Option<MemberReport> {
        let Earlier { hub, store, membership, knowledge, services } = earlier;
        let (member, state, tally) = (hub.members().get(id)?, store.get(id)?, services.tally());
        Some(MemberReport {
            id: id.clone(),
            region: member.region.clone(),
            network: member.network.clone(),
            traffic: member.traffic,
            weight: member.weight,
            generation: member.generation,
            uid: state.uid.clone(),
            version: state.version.clone(),
            link: state.link.clone(),
            admission: membership.verdict(id),
            admitted: membership.admission(id).cloned(),
            cidrs: membership.cidrs(id),
            region_missing: !hub.regions().contains_key(&member.region),
            undeclared: membership.undeclared(id),
            listed: state.lists.is_listed(),
            known: state.lists.is_known(),
            missing: knowledge.unknown().contains(id),
            unreadable: state.lists.unreadable().map(|(kind, why)| (kind, Arc::clone(why))).collect(),
            counts: tally.counts(id, state.mirrored),
            strangers: state.strangers(self.hub_id),
            mirrors_pending: mirrors.pending(id),
            refused: tally.refused.of(id),
            outside: tally.outside.of(id),
            notices: tally.notices(id, &state.hints),
            family_conflicts: tally.family_conflicts.of(id).first,
        })
    }
}

/// Members whose report may have changed.
fn touched(changes: Changes<'_>, of_mirrors: &MirrorsChange, hub: &Hub) -> BTreeSet<ClusterId> {
    let Changes { hub: of_hub, store, membership, knowledge, services } = changes;
    let mut touched = of_hub.members.clone();
    touched.extend(store.contents.union(&store.links).cloned());
    if membership.judged {
        touched.extend(hub.members().keys().cloned());
    }
    touched.extend(knowledge.members.union(&services.members).cloned());
    touched.extend(of_mirrors.actions.iter().map(|(id, ..)| id.clone()));
    touched
}
