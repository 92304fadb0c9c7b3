//! The only writer of federation state: batches in, effects out, synchronously.
//!
//! Each round: store what came → judge membership if a range, an identity or a rule changed → merge the services that
//! were touched → plan mirrors and VIPs where a merged service changed its face → report. Every stage stops where its
//! result equals what it was, so the cost of a round is what changed, not what there is.

mod judge;
mod knowledge;
mod mirrors;
mod services;

pub use knowledge::{Awaits, HubKind};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::addresses::OutsideOffers;
use crate::admission::{Authority, Ledger};
use crate::change::{Batch, HubChanges};
use crate::cidr::Claims;
use crate::dirty::Dirty;
use crate::effects::{Effects, MirrorAction, MirrorKey, Topology, Vips};
use crate::federate::Policies;
use crate::members::Tally;
use crate::model::{ClusterId, Digest, Member, Merged, Namespace, Network, Policy, Region, RegionId, ServiceKey, Time};
use crate::references::{self, HubNotice};
use crate::report::{Cidrs, Listed, MemberReport, UndeclaredRange, Verdict};
use crate::stats::Stats;
use crate::store::{ClusterState, apply_table};

/// What an engine is made with.
#[derive(Clone, Debug)]
pub struct Config {
    pub authority: Authority,
    /// Isthmus's own namespace, which is never federated.
    pub own_namespace: Namespace,
    pub awaits: Awaits,
    /// The identity that mirrors carry, so that two hubs tell theirs apart. `None` for those that write none.
    pub hub: Option<Digest>,
}

pub struct Engine {
    config: Config,
    regions: BTreeMap<RegionId, Region>,
    members: BTreeMap<ClusterId, Member>,
    policies: BTreeMap<Arc<str>, Policy>,
    ordered_policies: Policies,
    hub_listed: BTreeSet<HubKind>,

    clusters: BTreeMap<ClusterId, ClusterState>,
    wants: BTreeMap<ClusterId, Cidrs>,
    /// Where members' own objects contradict what is declared; as `wants`, as of the last judgement.
    undeclared: BTreeMap<ClusterId, Listed<UndeclaredRange>>,
    ledger: Ledger,
    verdicts: BTreeMap<ClusterId, Verdict>,
    claims: BTreeMap<Network, Claims>,
    topology: Arc<Topology>,

    merged: HashMap<ServiceKey, Arc<Merged>>,
    merged_names: BTreeMap<Namespace, BTreeSet<Arc<str>>>,
    tally: Tally,
    offers: OutsideOffers,
    vips: BTreeMap<ClusterId, HashMap<ServiceKey, Arc<Vips>>>,
    /// Actions that are not `Leave`, as last told.
    actions: BTreeMap<ClusterId, BTreeMap<MirrorKey, MirrorAction>>,
    /// Mirrored objects that nobody backs any more. Whether they may go depends on who is heard, so each change of that
    /// asks again, in both directions: a delete that was told is taken back when a source falls silent.
    orphans: BTreeSet<(ClusterId, MirrorKey)>,
    reports: BTreeMap<ClusterId, Arc<MemberReport>>,
    /// Members that have to be known and are not.
    unknown: Arc<BTreeSet<ClusterId>>,
    hub_notices: Arc<Vec<HubNotice>>,
    /// Mirrors (cluster, key) that were made for a member that is not known: to be looked at when it is.
    awaiting: BTreeSet<(ClusterId, ClusterId, ServiceKey)>,
    stats: Stats,
}

impl Engine {
    pub fn new(config: Config) -> Self {
        let ordered_policies = Policies::new(&BTreeMap::new(), config.own_namespace.clone());
        Self {
            config,
            regions: BTreeMap::new(),
            members: BTreeMap::new(),
            policies: BTreeMap::new(),
            ordered_policies,
            hub_listed: BTreeSet::new(),
            clusters: BTreeMap::new(),
            wants: BTreeMap::new(),
            undeclared: BTreeMap::new(),
            ledger: Ledger::new(),
            verdicts: BTreeMap::new(),
            claims: BTreeMap::new(),
            topology: Arc::default(),
            merged: HashMap::new(),
            merged_names: BTreeMap::new(),
            tally: Tally::default(),
            offers: OutsideOffers::default(),
            vips: BTreeMap::new(),
            actions: BTreeMap::new(),
            orphans: BTreeSet::new(),
            reports: BTreeMap::new(),
            unknown: Arc::default(),
            hub_notices: Arc::default(),
            awaiting: BTreeSet::new(),
            stats: Stats::default(),
        }
    }

    /// Applies what is waiting, in order, as one round. `now` is the time of the round.
    pub fn apply(&mut self, batches: impl IntoIterator<Item = Batch>, now: Time) -> Effects {
        let mut dirty = Dirty::default();
        let mut effects = Effects::default();
        let hub_was_listed = self.hub_is_listed();
        for batch in batches {
            self.stats.batches += 1;
            match batch {
                Batch::Hub(changes) => self.store_hub(changes, &mut dirty),
                Batch::Member { cluster, epoch, changes } => {
                    let admitted = match self.config.authority {
                        Authority::Own => self.ledger.get(&cluster),
                        // Not the ledger: it lags behind until this round is judged, and rounds must not matter.
                        Authority::Recorded => self.members.get(&cluster).and_then(|member| member.recorded.as_ref()),
                    };
                    let admitted = admitted.map(|admission| &admission.uid);
                    // Only members are heard: what a connection says after its member was removed is dropped.
                    if let Some(state) = self.clusters.get_mut(&cluster) {
                        let touched = state.apply(epoch, changes, admitted, now);
                        dirty.add(cluster, touched);
                    }
                }
            }
        }
        if !self.hub_is_listed() {
            return effects; // by half of the rules nothing is decided
        }
        if !hub_was_listed {
            dirty.hub = true;
            self.begin(&mut dirty);
        }
        if dirty.admission {
            self.judge(&mut dirty, &mut effects, now);
        }
        if dirty.hub {
            self.refresh_hub_notices(&mut effects);
        }
        self.refresh_unknown(&mut dirty, &mut effects);
        self.merge_dirty(&mut dirty, &mut effects);
        self.refresh_vips(&dirty, &mut effects);
        self.plan_mirrors(&mut dirty, &mut effects);
        self.report(&dirty, &mut effects);
        effects
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    pub fn reports(&self) -> &BTreeMap<ClusterId, Arc<MemberReport>> {
        &self.reports
    }

    pub fn merged(&self) -> &HashMap<ServiceKey, Arc<Merged>> {
        &self.merged
    }

    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// VIPs by member and service, as told so far.
    pub fn vips(&self) -> &BTreeMap<ClusterId, HashMap<ServiceKey, Arc<Vips>>> {
        &self.vips
    }

    /// Mirror work that is not done yet, by member.
    pub fn mirror_work(&self) -> &BTreeMap<ClusterId, BTreeMap<MirrorKey, MirrorAction>> {
        &self.actions
    }

    /// What the hub's objects name that does not exist, or say without an effect; sorted.
    pub fn hub_notices(&self) -> &Arc<Vec<HubNotice>> {
        &self.hub_notices
    }

    fn refresh_hub_notices(&mut self, effects: &mut Effects) {
        let fresh = references::notices(&self.regions, &self.members, &self.policies);
        if fresh != *self.hub_notices {
            self.hub_notices = Arc::new(fresh);
            effects.hub_notices = Some(Arc::clone(&self.hub_notices));
        }
    }

    fn store_hub(&mut self, changes: HubChanges, dirty: &mut Dirty) {
        dirty.admission = true;
        dirty.hub = true;
        match changes {
            HubChanges::Regions(delta) => {
                self.note_listed(HubKind::Regions, delta.is_full());
                apply_table(delta, &mut self.regions, |_, _, _| {});
            }
            HubChanges::Policies(delta) => {
                self.note_listed(HubKind::Policies, delta.is_full());
                let mut changed = false;
                apply_table(delta, &mut self.policies, |_, _, _| changed = true);
                if changed {
                    self.ordered_policies = Policies::new(&self.policies, self.config.own_namespace.clone());
                    dirty.all_services = true;
                }
            }
            HubChanges::Members(delta) => {
                self.note_listed(HubKind::Members, delta.is_full());
                // What a service looks like depends on a member's export list and network. Its region, drain and weight
                // only re-rank endpoints, and the admission on record comes back to us after each of our own decisions.
                let merges = |member: Option<&Member>| {
                    member.map(|Member { exports, network, .. }| (exports.clone(), network.clone()))
                };
                let mut steps = Vec::new();
                apply_table(delta, &mut self.members, |id, old, new| {
                    dirty.all_services |= merges(old) != merges(new);
                    steps.push((id.clone(), new.is_some()));
                });
                for (id, present) in steps {
                    if present {
                        self.clusters.entry(id.clone()).or_default();
                    } else {
                        self.forget(&id, dirty);
                    }
                    dirty.members.insert(id);
                }
            }
        }
        dirty.links = true; // what is certain depends on the hub having been listed
    }

    /// A member was removed: its objects and its admission go, and whatever was told of it is looked at again. One of
    /// the same name that comes back, even in the same round, is a new member.
    fn forget(&mut self, id: &ClusterId, dirty: &mut Dirty) {
        let Some(state) = self.clusters.remove(id) else { return };
        self.ledger.remove(id);
        self.wants.remove(id);
        self.undeclared.remove(id);
        dirty.vips.extend(state.services.keys().map(|key| (id.clone(), key.clone())));
        dirty.services.extend(state.services.into_keys().chain(state.exports.into_keys()));
        let told = self.actions.get(id).into_iter().flat_map(|work| work.keys());
        dirty.mirrors.extend(told.map(|key| (id.clone(), key.clone())));
        self.orphans.retain(|(cluster, _)| cluster != id);
        self.awaiting.retain(|(_, cluster, _)| cluster != id);
    }

    fn refresh_vips(&mut self, dirty: &Dirty, effects: &mut Effects) {
        let mut keys: BTreeSet<(ClusterId, ServiceKey)> = dirty.vips.clone();
        for id in &dirty.faces {
            let services = self.clusters.get(id).into_iter().flat_map(|state| state.services.keys());
            keys.extend(services.map(|key| (id.clone(), key.clone())));
        }
        for key in &dirty.changed_faces {
            keys.extend(self.ledger.keys().map(|id| (id.clone(), key.clone())));
        }
        for (id, key) in keys {
            self.note_awaiting(&id, &key);
            let fresh = self.vips_of(&id, &key);
            let told = self.vips.get(&id).and_then(|told| told.get(&key));
            if told.map(Arc::as_ref) == fresh.as_ref() {
                continue;
            }
            let fresh = fresh.map(Arc::new);
            match &fresh {
                Some(vips) => _ = self.vips.entry(id.clone()).or_default().insert(key.clone(), Arc::clone(vips)),
                None => {
                    if let Some(told) = self.vips.get_mut(&id) {
                        told.remove(&key);
                        if told.is_empty() {
                            self.vips.remove(&id);
                        }
                    }
                }
            }
            effects.vips.push((id, key, fresh));
        }
    }

    fn vips_of(&self, id: &ClusterId, key: &ServiceKey) -> Option<Vips> {
        let service = self.clusters.get(id).filter(|state| state.is_known())?.services.get(key)?;
        if !self.ledger.contains_key(id) {
            return None;
        }
        let merged = self.merged.get(key);
        let federated = merged.is_some_and(|merged| service.is_mirror() || merged.sources.contains(id));
        let mut ports: Vec<_> = service.ports.iter().map(|port| (port.port, port.protocol)).collect();
        ports.sort_unstable();
        let awaits_source = self.awaits_source(service);
        let vips = Vips { ips: service.cluster_ips.clone(), ports, federated, awaits_source };
        (!vips.ips.is_empty() || vips.is_kept_local(merged.is_some())).then_some(vips)
    }

    fn report(&mut self, dirty: &Dirty, effects: &mut Effects) {
        for id in &dirty.members {
            let (Some(member), Some(state)) = (self.members.get(id), self.clusters.get(id)) else {
                if self.reports.remove(id).is_some() {
                    effects.members.push((id.clone(), None));
                }
                continue;
            };
            self.stats.reported += 1;
            let report = MemberReport {
                id: id.clone(),
                region: member.region.clone(),
                network: member.network.clone(),
                traffic: member.traffic,
                weight: member.weight,
                generation: member.generation,
                uid: state.uid.clone(),
                version: state.version.clone(),
                link: state.link.clone(),
                admission: self
                    .verdicts
                    .get(id)
                    .cloned()
                    .unwrap_or(Verdict::Pending(crate::report::PendingReason::IdentityUnknown)),
                admitted: self.ledger.get(id).cloned(),
                cidrs: self.wants.get(id).cloned().unwrap_or_default(),
                region_missing: !self.regions.contains_key(&member.region),
                undeclared: self.undeclared.get(id).cloned().unwrap_or_default(),
                listed: state.is_listed(),
                known: state.is_known(),
                missing: self.unknown.contains(id),
                unreadable: state.unreadable.iter().map(|(kind, why)| (*kind, Arc::clone(why))).collect(),
                counts: self.tally.counts(id, state.mirrored),
                strangers: state.strangers(self.config.hub),
                mirrors_pending: self.actions.get(id).map_or(0, BTreeMap::len),
                refused: self.tally.refused.of(id),
                outside: self.tally.outside.of(id),
                notices: self.tally.notices(id, &state.hints),
                family_conflicts: self.tally.family_conflicts.of(id).first,
            };
            if self.reports.get(id).map(Arc::as_ref) != Some(&report) {
                let report = Arc::new(report);
                self.reports.insert(id.clone(), Arc::clone(&report));
                effects.members.push((id.clone(), Some(report)));
            }
        }
    }
}
