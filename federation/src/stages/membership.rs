//! Which members are admitted, and with which ranges. Judged again in every round in which a range, an identity or the hub's
//! objects changed, and only then. The rules are in [`crate::admission`].

mod ranges;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hub::{Hub, HubChange};
use crate::admission::{self, Authority, Candidate, Ledger, Rules};
use crate::cidr::Claims;
use crate::effects::{Place, Topology};
use crate::life_cycle::{Admitted, Decision, Joining, LifeCycle};
use crate::model::{Admission, ClusterId, ClusterUid, Member, Network, RegionId, Time};
use crate::report::{Cidrs, Listed, UndeclaredRange, Verdict};
use crate::store::{ClusterState, Store, StoreChange};

pub(crate) struct Membership {
    authority: Authority,
    states: BTreeMap<ClusterId, LifeCycle>,
    /// The ranges that each member uses.
    uses: BTreeMap<ClusterId, Cidrs>,
    /// Where members' own objects contradict what is declared.
    undeclared: BTreeMap<ClusterId, Listed<UndeclaredRange>>,
    /// Ranges on record, by network.
    claims: BTreeMap<Network, Claims>,
    topology: Arc<Topology>,
    /// Rounds in which membership was judged.
    judged: u64,
}

/// What one round changed in membership.
#[derive(Debug, Default)]
pub(crate) struct MembershipChange {
    /// Every member was judged.
    pub judged: bool,
    /// Members that were admitted, are no longer admitted, or have other ranges or another identity on record.
    pub admissions: BTreeSet<ClusterId>,
    /// The new topology, if it changed.
    pub topology: Option<Arc<Topology>>,
}

impl Membership {
    pub fn new(authority: Authority) -> Self {
        Self {
            authority,
            states: BTreeMap::new(),
            uses: BTreeMap::new(),
            undeclared: BTreeMap::new(),
            claims: BTreeMap::new(),
            topology: Arc::default(),
            judged: 0,
        }
    }

    pub fn update(
        &mut self,
        hub_change: &HubChange,
        store_change: &StoreChange,
        hub: &Hub,
        store: &Store,
        now: Time,
    ) -> MembershipChange {
        if !hub_change.any && !store_change.admission {
            return MembershipChange::default();
        }
        self.judged += 1;
        let mut admissions = self.forget(&hub_change.removed);
        let mut ledger = self.ledger();
        self.leave_networks(hub, &mut ledger);
        let decisions = self.judge(hub, store, ledger, now);
        for (id, decision) in decisions {
            let transition = self.states.entry(id.clone()).or_default().advance(decision);
            if transition.changes_admissions() {
                admissions.insert(id);
            }
        }
        let topology = self.topology_of(hub, store);
        let topology = (topology != *self.topology).then(|| {
            self.topology = Arc::new(topology);
            Arc::clone(&self.topology)
        });
        MembershipChange { judged: true, admissions, topology }
    }

    /// Admitted members, by id.
    pub fn admitted(&self) -> impl Iterator<Item = &ClusterId> {
        self.states.iter().filter(|(_, state)| state.admission().is_some()).map(|(id, _)| id)
    }

    pub fn is_admitted(&self, id: &ClusterId) -> bool {
        self.admission(id).is_some()
    }

    /// The admission on record.
    pub fn admission(&self, id: &ClusterId) -> Option<&Admission> {
        self.states.get(id)?.admission()
    }

    /// Where a member is in its life cycle; `None`: it is not, or no longer, a member.
    #[cfg(test)]
    pub fn state(&self, id: &ClusterId) -> Option<&LifeCycle> {
        self.states.get(id)
    }

    /// The identity on record.
    pub fn identity(&self, id: &ClusterId) -> Option<&ClusterUid> {
        self.admission(id).map(|admission| &admission.uid)
    }

    pub fn is_refused(&self, id: &ClusterId) -> bool {
        matches!(self.states.get(id), Some(LifeCycle::Joining(Joining::Refused(_))))
    }

    pub fn verdict(&self, id: &ClusterId) -> Verdict {
        self.states.get(id).map_or_else(|| LifeCycle::default().verdict(), LifeCycle::verdict)
    }

    pub fn cidrs(&self, id: &ClusterId) -> Cidrs {
        self.uses.get(id).cloned().unwrap_or_default()
    }

    pub fn undeclared(&self, id: &ClusterId) -> Listed<UndeclaredRange> {
        self.undeclared.get(id).cloned().unwrap_or_default()
    }

    /// The ranges on record of all members of a network.
    pub fn claims(&self, network: &Network) -> Option<&Claims> {
        self.claims.get(network)
    }

    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    pub fn judged(&self) -> u64 {
        self.judged
    }

    /// Forgets removed members. Returns those that were admitted.
    fn forget(&mut self, removed: &BTreeSet<ClusterId>) -> BTreeSet<ClusterId> {
        let was_admitted = |id: &&ClusterId| self.states.remove(*id).is_some_and(|state| state.admission().is_some());
        removed.iter().filter(was_admitted).cloned().collect()
    }

    /// All admissions that hold.
    fn ledger(&self) -> Ledger {
        let admission = |(id, state): (&ClusterId, &LifeCycle)| Some((id.clone(), state.admission()?.clone()));
        self.states.iter().filter_map(admission).collect()
    }

    /// An admission is for a network: a member that moves to another one is a newcomer there, so that it cannot disturb the
    /// members of that network.
    fn leave_networks(&self, hub: &Hub, ledger: &mut Ledger) {
        ledger.retain(|id, _| {
            let (was, is) = (self.topology.members.get(id), hub.members().get(id));
            was.is_none_or(|place| is.is_some_and(|member| member.network == place.network))
        });
    }

    /// Judges all members, given the admissions that hold.
    fn judge(&mut self, hub: &Hub, store: &Store, mut ledger: Ledger, now: Time) -> Vec<(ClusterId, Decision)> {
        let members = hub.members();
        let regions: BTreeSet<RegionId> = hub.regions().keys().cloned().collect();
        let reserved: Vec<_> = hub.policies().values().flat_map(|policy| policy.reserved.iter().copied()).collect();
        let rules = Rules { regions: &regions, reserved: &reserved, authority: self.authority };
        // Until nothing changes, so that judging the same facts again has the same result. It ends: in each iteration a member
        // is entered from a record, or moves to the ranges that it uses; both happen at most once to each member.
        let mut drifts = loop {
            let before = ledger.clone();
            admission::honour_records(members, &rules, &mut ledger);
            let cidrs = |(id, member): (&ClusterId, &Member)| {
                (id.clone(), ranges::cidrs(member, accepted(id, store, ledger.get(id))))
            };
            self.uses = members.iter().map(cidrs).collect();
            let candidates = candidates(members, store, &self.uses, &ledger);
            let drifts = admission::judge_incumbents(&candidates, &rules, &mut ledger);
            if before == ledger {
                break drifts;
            }
        };
        let undeclared = |(id, member): (&ClusterId, &Member)| {
            Some((id.clone(), ranges::undeclared(member, accepted(id, store, ledger.get(id))?)))
        };
        self.undeclared = members.iter().filter_map(undeclared).collect();
        let candidates = candidates(members, store, &self.uses, &ledger);
        let incumbents = ledger.len();
        let mut joining = admission::judge_newcomers(&candidates, &rules, &mut ledger, now);
        if ledger.len() > incumbents {
            // Members judged earlier were not compared with those admitted later, and all clashes are to be listed.
            drifts = admission::judge_incumbents(&candidates, &rules, &mut ledger);
            joining.extend(admission::judge_newcomers(&candidates, &rules, &mut ledger, now));
        }
        self.claims = admission::claims(members, &rules, &ledger);
        let decision = |(id, member): (&ClusterId, &Member)| {
            let decision = match ledger.remove(id) {
                Some(admission) => {
                    let drift = drifts.remove(id).unwrap_or_default();
                    Decision::Admitted(Admitted { admission, drift }, member.traffic)
                }
                None => Decision::NotAdmitted(joining.remove(id)?),
            };
            Some((id.clone(), decision))
        };
        members.iter().filter_map(decision).collect()
    }

    fn topology_of(&self, hub: &Hub, store: &Store) -> Topology {
        let place = |(id, state): (&ClusterId, &LifeCycle)| {
            let (member, admission) = (hub.members().get(id)?, state.admission()?);
            let place = Place {
                region: member.region.clone(),
                network: member.network.clone(),
                traffic: member.traffic,
                weight: member.weight,
                families: ranges::families(member, accepted(id, store, Some(admission)), &admission.pods),
                services: admission.services.clone(),
            };
            Some((id.clone(), place))
        };
        let regions = hub.regions().values().map(|region| (region.name.clone(), region.failover.clone()));
        Topology { regions: regions.collect(), members: self.states.iter().filter_map(place).collect() }
    }
}

/// A member's objects, unless they came from another cluster than the one on record.
fn accepted<'a>(id: &ClusterId, store: &'a Store, admission: Option<&Admission>) -> Option<&'a ClusterState> {
    let is_admitted = |uid: &ClusterUid| admission.is_none_or(|admission| admission.uid == *uid);
    store.get(id).filter(|state| state.uid.as_ref().is_none_or(is_admitted))
}

fn candidates<'a>(
    members: &'a BTreeMap<ClusterId, Member>,
    store: &'a Store,
    uses: &'a BTreeMap<ClusterId, Cidrs>,
    ledger: &Ledger,
) -> BTreeMap<ClusterId, Candidate<'a>> {
    let candidate = |(id, member): (&ClusterId, &'a Member)| {
        let uid = accepted(id, store, ledger.get(id)).and_then(|state| state.uid.as_ref());
        Some((id.clone(), Candidate { member, uid, uses: uses.get(id)? }))
    };
    members.iter().filter_map(candidate).collect()
}
