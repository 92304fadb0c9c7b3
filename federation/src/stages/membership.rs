//! Which members are admitted, and with which ranges. Judged again in every round in which a range, an identity or the hub's
//! objects changed, and only then. The rules are in [`crate::admission`].

mod ranges;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hub::{Hub, HubChange};
use crate::admission::{self, Authority, Candidate, Ledger, Rules};
use crate::cidr::Claims;
use crate::effects::{Place, Topology};
use crate::model::{Admission, ClusterId, ClusterUid, Member, Network, RegionId, Time};
use crate::report::{Cidrs, Listed, PendingReason, UndeclaredRange, Verdict};
use crate::store::{ClusterState, Store, StoreChange};

pub(crate) struct Membership {
    authority: Authority,
    ledger: Ledger,
    verdicts: BTreeMap<ClusterId, Verdict>,
    /// The ranges that each member uses.
    wants: BTreeMap<ClusterId, Cidrs>,
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
            ledger: Ledger::new(),
            verdicts: BTreeMap::new(),
            wants: BTreeMap::new(),
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
        let before = self.ledger.clone();
        self.ledger.retain(|id, _| !hub_change.removed.contains(id));
        self.leave_networks(hub);
        self.judge(hub, store, now);

        let ids: BTreeSet<&ClusterId> = before.keys().chain(self.ledger.keys()).collect();
        let changed = ids.into_iter().filter(|id| before.get(id) != self.ledger.get(id));
        let admissions = changed.cloned().collect();
        let topology = self.topology_of(hub, store);
        let topology = (topology != *self.topology).then(|| {
            self.topology = Arc::new(topology);
            Arc::clone(&self.topology)
        });
        MembershipChange { judged: true, admissions, topology }
    }

    /// Admitted members, by id.
    pub fn admitted(&self) -> impl Iterator<Item = &ClusterId> {
        self.ledger.keys()
    }

    pub fn is_admitted(&self, id: &ClusterId) -> bool {
        self.ledger.contains_key(id)
    }

    /// The admission on record.
    pub fn admission(&self, id: &ClusterId) -> Option<&Admission> {
        self.ledger.get(id)
    }

    /// The identity on record.
    pub fn identity(&self, id: &ClusterId) -> Option<&ClusterUid> {
        self.ledger.get(id).map(|admission| &admission.uid)
    }

    pub fn is_refused(&self, id: &ClusterId) -> bool {
        matches!(self.verdicts.get(id), Some(Verdict::Refused(_)))
    }

    pub fn verdict(&self, id: &ClusterId) -> Verdict {
        self.verdicts.get(id).cloned().unwrap_or(Verdict::Pending(PendingReason::IdentityUnknown))
    }

    pub fn cidrs(&self, id: &ClusterId) -> Cidrs {
        self.wants.get(id).cloned().unwrap_or_default()
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

    /// An admission is for a network: a member that moves to another one is a newcomer there, so that it cannot disturb the
    /// members of that network.
    fn leave_networks(&mut self, hub: &Hub) {
        let topology = &self.topology;
        self.ledger.retain(|id, _| {
            let (was, is) = (topology.members.get(id), hub.members().get(id));
            was.is_none_or(|place| is.is_some_and(|member| member.network == place.network))
        });
    }

    fn judge(&mut self, hub: &Hub, store: &Store, now: Time) {
        let members = hub.members();
        let regions: BTreeSet<RegionId> = hub.regions().keys().cloned().collect();
        let reserved: Vec<_> = hub.policies().values().flat_map(|policy| policy.reserved.iter().copied()).collect();
        let rules = Rules { regions: &regions, reserved: &reserved, authority: self.authority };
        // Until nothing changes, so that judging the same facts again has the same result. It ends: in each iteration a member
        // is entered from a record, or moves to the ranges that it uses; both happen at most once to each member.
        let mut verdicts = loop {
            let ledger = self.ledger.clone();
            admission::honour_records(members, &rules, &mut self.ledger);
            self.wants = members
                .iter()
                .map(|(id, member)| (id.clone(), ranges::cidrs(member, self.accepted(id, store))))
                .collect();
            let candidates = candidates(members, store, &self.wants, &self.ledger);
            let verdicts = admission::judge_incumbents(&candidates, &rules, &mut self.ledger);
            if ledger == self.ledger {
                break verdicts;
            }
        };
        let undeclared =
            |(id, member)| Some((ClusterId::clone(id), ranges::undeclared(member, self.accepted(id, store)?)));
        self.undeclared = members.iter().filter_map(undeclared).collect();
        let candidates = candidates(members, store, &self.wants, &self.ledger);
        let mut newcomers = admission::judge_newcomers(&candidates, &rules, &mut self.ledger, now);
        if newcomers.values().any(|verdict| *verdict == Verdict::Admitted) {
            // Members judged earlier were not compared with those admitted later, and all clashes are to be listed.
            verdicts = admission::judge_incumbents(&candidates, &rules, &mut self.ledger);
            newcomers.extend(admission::judge_newcomers(&candidates, &rules, &mut self.ledger, now));
        }
        verdicts.extend(newcomers);
        self.verdicts = verdicts;
        self.claims = admission::claims(members, &rules, &self.ledger);
    }

    /// A member's objects, unless they came from another cluster than the one on record.
    fn accepted<'a>(&self, id: &ClusterId, store: &'a Store) -> Option<&'a ClusterState> {
        accepted(id, store, &self.ledger)
    }

    fn topology_of(&self, hub: &Hub, store: &Store) -> Topology {
        let place = |(id, admission): (&ClusterId, &Admission)| {
            let member = hub.members().get(id)?;
            let place = Place {
                region: member.region.clone(),
                network: member.network.clone(),
                traffic: member.traffic,
                weight: member.weight,
                families: ranges::families(member, self.accepted(id, store), &admission.pods),
                services: admission.services.clone(),
            };
            Some((id.clone(), place))
        };
        let regions = hub.regions().values().map(|region| (region.name.clone(), region.failover.clone()));
        Topology { regions: regions.collect(), members: self.ledger.iter().filter_map(place).collect() }
    }
}

fn accepted<'a>(id: &ClusterId, store: &'a Store, ledger: &Ledger) -> Option<&'a ClusterState> {
    let admitted = ledger.get(id).map(|admission| &admission.uid);
    store.get(id).filter(|state| admitted.is_none_or(|admitted| state.uid.as_ref().is_none_or(|uid| uid == admitted)))
}

fn candidates<'a>(
    members: &'a BTreeMap<ClusterId, Member>,
    store: &'a Store,
    wants: &'a BTreeMap<ClusterId, Cidrs>,
    ledger: &Ledger,
) -> BTreeMap<ClusterId, Candidate<'a>> {
    let candidate = |(id, member): (&ClusterId, &'a Member)| {
        let uid = accepted(id, store, ledger).and_then(|state| state.uid.as_ref());
        Some((id.clone(), Candidate { member, uid, wants: wants.get(id)? }))
    };
    members.iter().filter_map(candidate).collect()
}
