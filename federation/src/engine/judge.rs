//! The round's judgement about membership: who is admitted now, and where that puts everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Engine;
use crate::admission::{self, Candidate, Rules};
use crate::dirty::Dirty;
use crate::effects::{Effects, Place, Topology};
use crate::members;
use crate::model::{Admission, ClusterId, Member, RegionId, Time};
use crate::report::{Cidrs, Verdict};
use crate::store::ClusterState;

impl Engine {
    pub(super) fn judge(&mut self, dirty: &mut Dirty, effects: &mut Effects, now: Time) {
        self.stats.judged += 1;
        let before = self.ledger.clone();
        let regions: BTreeSet<RegionId> = self.regions.keys().cloned().collect();
        let reserved: Vec<_> = self.policies.values().flat_map(|policy| policy.reserved.iter().copied()).collect();
        let rules = Rules { regions: &regions, reserved: &reserved, authority: self.config.authority };

        self.leave_networks();
        // Until nothing moves, so that judging the same facts again says the same. It ends: each time around, somebody is
        // entered from a record, or moves to the ranges it wants; both happen at most once to each.
        let mut verdicts = loop {
            let ledger = self.ledger.clone();
            admission::honour_records(&self.members, &rules, &mut self.ledger);
            self.disown_strangers(dirty, now);
            for (id, member) in &self.members {
                if let Some(state) = self.clusters.get(id) {
                    self.wants.insert(id.clone(), members::cidrs(member, state));
                }
            }
            let candidates = candidates(&self.members, &self.clusters, &self.wants);
            let verdicts = admission::judge_incumbents(&candidates, &rules, &mut self.ledger);
            if ledger == self.ledger {
                break verdicts;
            }
        };
        for (id, member) in &self.members {
            if let Some(state) = self.clusters.get(id) {
                self.undeclared.insert(id.clone(), members::undeclared(member, state));
            }
        }
        let candidates = candidates(&self.members, &self.clusters, &self.wants);
        let mut newcomers = admission::judge_newcomers(&candidates, &rules, &mut self.ledger, now);
        if newcomers.values().any(|verdict| *verdict == Verdict::Admitted) {
            // Who was judged earlier did not see who was admitted later, and all clashes are to be listed.
            verdicts = admission::judge_incumbents(&candidates, &rules, &mut self.ledger);
            newcomers.extend(admission::judge_newcomers(&candidates, &rules, &mut self.ledger, now));
        }
        drop(candidates);
        verdicts.extend(newcomers);
        self.verdicts = verdicts;
        self.claims = admission::claims(&self.members, &rules, &self.ledger);

        if before != self.ledger {
            // Somebody came, went or changed ranges: who contributes, and whose address is whose, has to be asked anew.
            dirty.all_services = true;
            dirty.links = true;
            let ids: BTreeSet<&ClusterId> = before.keys().chain(self.ledger.keys()).collect();
            dirty.faces.extend(ids.into_iter().filter(|id| before.get(id) != self.ledger.get(id)).cloned());
        }
        dirty.members.extend(self.members.keys().cloned());
        let topology = self.build_topology();
        if topology != *self.topology {
            self.topology = Arc::new(topology);
            effects.topology = Some(Arc::clone(&self.topology));
        }
    }

    /// An admission is for a network: whoever moves to another one is a newcomer there, lest it disturb who is there.
    fn leave_networks(&mut self) {
        let (topology, members) = (&self.topology, &self.members);
        self.ledger.retain(|id, _| {
            let (was, is) = (topology.members.get(id), members.get(id));
            was.is_none_or(|place| is.is_some_and(|member| member.network == place.network))
        });
    }

    /// The record of a member may arrive after its words: if it turns out that they were another cluster's, they go.
    fn disown_strangers(&mut self, dirty: &mut Dirty, now: Time) {
        for (id, admission) in &self.ledger {
            let Some(state) = self.clusters.get_mut(id) else { continue };
            if state.uid.as_ref().is_some_and(|uid| *uid != admission.uid) {
                let gone = state.disown(&admission.uid, now);
                dirty.vips.extend(gone.iter().map(|key| (id.clone(), key.clone())));
                dirty.services.extend(gone);
                dirty.faces.insert(id.clone());
                dirty.links = true;
            }
        }
    }

    fn build_topology(&self) -> Topology {
        let place = |(id, admission): (&ClusterId, &Admission)| {
            let member = self.members.get(id)?;
            let place = Place {
                region: member.region.clone(),
                network: member.network.clone(),
                traffic: member.traffic,
                weight: member.weight,
                families: members::families(member, self.clusters.get(id), &admission.pods),
                services: admission.services.clone(),
            };
            Some((id.clone(), place))
        };
        Topology {
            regions: self.regions.values().map(|region| (region.name.clone(), region.failover.clone())).collect(),
            members: self.ledger.iter().filter_map(place).collect(),
        }
    }
}

fn candidates<'a>(
    members: &'a BTreeMap<ClusterId, Member>,
    clusters: &'a BTreeMap<ClusterId, ClusterState>,
    wants: &'a BTreeMap<ClusterId, Cidrs>,
) -> BTreeMap<ClusterId, Candidate<'a>> {
    let candidate = |(id, member): (&ClusterId, &'a Member)| {
        let uid = clusters.get(id).and_then(|state| state.uid.as_ref());
        Some((id.clone(), Candidate { member, uid, wants: wants.get(id)? }))
    };
    members.iter().filter_map(candidate).collect()
}
