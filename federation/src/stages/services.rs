//! The merged services: what each touched service looks like over all members now, and what its merge found.

mod notices;
mod rules;
mod tally;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::hub::{Hub, HubChange};
use super::membership::{Membership, MembershipChange};
use crate::addresses::{self, OutsideOffers};
use crate::explain::{Participation, ServiceExplanation};
use crate::merge::{self, Contribution, Outcome};
use crate::model::{Affinity, ClusterId, Merged, Namespace, Protocol, RankingRule, ServiceKey};
use crate::selection::LeftOut;
use crate::store::{Store, StoreChange};

pub(crate) use tally::Tally;

use rules::Rules;

#[derive(Default)]
pub(crate) struct Services {
    merged: HashMap<ServiceKey, Arc<Merged>>,
    names: BTreeMap<Namespace, BTreeSet<Arc<str>>>,
    rules: Rules,
    tally: Tally,
    offers: OutsideOffers,
    /// Services merged again, and how many of them came out as they were.
    merges: u64,
    unchanged: u64,
}

/// What one round changed in the merged services.
#[derive(Debug, Default)]
pub(crate) struct ServicesChange {
    /// Sorted. `None`: the service is gone.
    pub services: Vec<(ServiceKey, Option<Arc<Merged>>)>,
    /// Of these, the ones whose shape changed: sources, ports, kind or affinity.
    pub shapes: BTreeSet<ServiceKey>,
    /// What policies say about the ranking of a service, sorted by service. `None`: the service is gone.
    pub rankings: Vec<(ServiceKey, Option<Arc<RankingRule>>)>,
    /// Members of which counts or findings changed.
    pub members: BTreeSet<ClusterId>,
}

/// The earlier stages, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Earlier<'a> {
    pub hub: &'a Hub,
    pub store: &'a Store,
    pub membership: &'a Membership,
}

/// What the members have under one name.
struct Parts<'a> {
    contributions: Vec<Contribution<'a>>,
    /// Members whose own Service does not take part.
    left_out: Vec<(&'a ClusterId, LeftOut)>,
    /// Members that export a Service which they do not have.
    without_service: Vec<&'a ClusterId>,
}

impl Services {
    pub fn update(
        &mut self,
        hub_change: &HubChange,
        store_change: &StoreChange,
        membership_change: &MembershipChange,
        earlier: Earlier<'_>,
    ) -> ServicesChange {
        let mut change = ServicesChange::default();
        // An address in no range may be offered by services that were not touched. Which members offer it is known only when all
        // touched services were merged: services that offer any such address come last.
        let mut last: BTreeSet<ServiceKey> = BTreeSet::new();
        let others = self.touched_by_others(hub_change, store_change, membership_change, earlier);
        for key in store_change.services.union(&others) {
            let mut outcome = self.merge(key, earlier);
            let offers = std::mem::take(&mut outcome.offers);
            let depends = !offers.is_empty();
            last.extend(self.offers.replace(key, offers));
            if depends {
                last.insert(key.clone());
            } else {
                self.settle(key.clone(), outcome, &mut change);
            }
        }
        if !last.is_empty() {
            for key in last {
                let outcome = self.merge(&key, earlier);
                self.settle(key, outcome, &mut change);
            }
            change.services.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        self.rules.follow_policies(&hub_change.rankings, earlier.hub.ordered_policies());
        change.rankings = self.rules.take_changes();
        change
    }

    pub fn merged(&self) -> &HashMap<ServiceKey, Arc<Merged>> {
        &self.merged
    }

    /// Names of merged services, by namespace. No set is empty.
    pub fn names(&self) -> &BTreeMap<Namespace, BTreeSet<Arc<str>>> {
        &self.names
    }

    /// What the policy of each merged service says about ranking.
    pub fn rankings(&self) -> &HashMap<ServiceKey, Arc<RankingRule>> {
        self.rules.by_service()
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Why a service is what it is, from the same decisions as its merge. `None`: no member has or exports it. It costs one merge.
    pub fn explain(&self, key: &ServiceKey, earlier: Earlier<'_>) -> Option<ServiceExplanation> {
        let Parts { contributions, left_out, without_service } = self.parts(key, earlier);
        let selected = contributions.iter().map(|part| {
            let policy = Arc::clone(&part.rule.policy);
            (part.cluster, Participation::Selected { by: part.by, policy, exported: part.exported })
        });
        let left_out = left_out.into_iter().map(|(id, left_out)| (id, Participation::LeftOut(left_out.why)));
        let without = without_service.into_iter().map(|id| (id, Participation::NoService));
        let members: BTreeMap<_, _> = selected.chain(left_out).chain(without).collect();
        if members.is_empty() {
            return None;
        }
        let members = members.into_iter().map(|(id, participation)| (id.clone(), participation)).collect();
        let Outcome { rule, conflicts, .. } = merge::merge(key, contributions);
        Some(ServiceExplanation { key: key.clone(), members, conflicts, rule })
    }

    /// Services merged again since the start, and how many of them came out as they were.
    pub fn merges(&self) -> (u64, u64) {
        (self.merges, self.unchanged)
    }

    /// Services to be merged again although nothing of their own changed in any member.
    fn touched_by_others(
        &self,
        hub_change: &HubChange,
        store_change: &StoreChange,
        membership_change: &MembershipChange,
        earlier: Earlier<'_>,
    ) -> BTreeSet<ServiceKey> {
        let mut touched = BTreeSet::new();
        // Which members contribute, and in whose range an address is, depends on every admission.
        if hub_change.selection || !membership_change.admissions.is_empty() {
            touched.extend(self.merged.keys().chain(earlier.store.service_keys()).cloned());
        }
        for (id, ip) in &store_change.addresses {
            if let Some(member) = earlier.hub.members().get(id) {
                touched.extend(self.offers.services_at(&member.network, *ip).cloned());
            }
        }
        touched
    }

    fn merge(&mut self, key: &ServiceKey, earlier: Earlier<'_>) -> Outcome {
        self.merges += 1;
        let Parts { contributions, left_out, without_service } = self.parts(key, earlier);
        let mut outcome = merge::merge(key, contributions);
        outcome.notices = notices::of_service(key, &outcome, left_out, without_service);
        outcome
    }

    /// Stores the outcome of a merge.
    fn settle(&mut self, key: ServiceKey, outcome: Outcome, change: &mut ServicesChange) {
        let Outcome { merged: fresh, rule, refused, outside, family_conflicts, notices, .. } = outcome;
        self.rules.set(&key, rule);
        change.members.extend(self.tally.refused.set(&key, refused));
        change.members.extend(self.tally.outside.set(&key, outside));
        change.members.extend(self.tally.family_conflicts.set(&key, family_conflicts));
        change.members.extend(self.tally.notices.set(&key, notices));
        let old = self.merged.get(&key);
        if old.map(Arc::as_ref) == fresh.as_ref() {
            self.unchanged += 1;
            return;
        }
        change.members.extend(self.tally.count(old.map(Arc::as_ref), fresh.as_ref()));
        if shape(old.map(Arc::as_ref)) != shape(fresh.as_ref()) {
            change.shapes.insert(key.clone());
        }
        let fresh = fresh.map(Arc::new);
        match &fresh {
            Some(merged) => {
                self.names.entry(key.namespace.clone()).or_default().insert(Arc::clone(&key.name));
                self.merged.insert(key.clone(), Arc::clone(merged));
            }
            None => {
                self.merged.remove(&key);
                if let Some(names) = self.names.get_mut(&key.namespace) {
                    names.remove(&key.name);
                    if names.is_empty() {
                        self.names.remove(&key.namespace);
                    }
                }
            }
        }
        change.services.push((key, fresh));
    }

    fn parts<'a>(&'a self, key: &'a ServiceKey, earlier: Earlier<'a>) -> Parts<'a> {
        let Earlier { hub, store, membership } = earlier;
        let mut parts = Parts { contributions: Vec::new(), left_out: Vec::new(), without_service: Vec::new() };
        for id in membership.admitted() {
            let (Some(member), Some(state)) = (hub.members().get(id), store.get(id)) else { continue };
            if !state.lists.is_known() {
                continue;
            }
            let Some(service) = state.services.get(key).filter(|service| !service.is_mirror()) else {
                if state.exports.contains_key(key) {
                    parts.without_service.push(id);
                }
                continue;
            };
            match hub.ordered_policies().select(member, state, service) {
                Ok(selected) => parts.contributions.push(Contribution {
                    cluster: id,
                    service,
                    exported: selected.since,
                    slices: state.slices_of(key).collect(),
                    nodes: &state.nodes,
                    rule: selected.rule,
                    by: selected.by,
                    addresses: addresses::Rules {
                        cluster: id,
                        network: &member.network,
                        claims: membership.claims(&member.network),
                        offers: &self.offers,
                        nodes: &state.node_addresses,
                        strict: selected.strict_cidrs,
                    },
                }),
                Err(left_out) => parts.left_out.push((id, left_out)),
            }
        }
        parts
    }
}

/// A service without its endpoints: what mirrors and VIPs depend on.
#[derive(PartialEq)]
struct Shape<'a> {
    sources: &'a [ClusterId],
    headless: bool,
    affinity: Affinity,
    ports: Vec<(&'a str, u16, Protocol, Option<&'a str>)>,
}

fn shape(merged: Option<&Merged>) -> Option<Shape<'_>> {
    merged.map(|merged| Shape {
        sources: &merged.sources,
        headless: merged.headless,
        affinity: merged.affinity,
        ports: merged
            .ports
            .iter()
            .map(|port| (&*port.name, port.port, port.protocol, port.app_protocol.as_deref()))
            .collect(),
    })
}
