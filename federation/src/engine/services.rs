//! The round's merges: what each touched service looks like now, and what is to be said about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Engine;
use crate::addresses::Rules;
use crate::dirty::Dirty;
use crate::effects::Effects;
use crate::federate::LeftOut;
use crate::merge::{self, Contribution, Outcome};
use crate::model::{Affinity, ClusterId, Merged, Protocol, ServiceKey};
use crate::report::{Notable, Notice, Subject};

/// What the members have under one name.
struct Parts<'a> {
    contributions: Vec<Contribution<'a>>,
    /// Members whose own Service does not take part.
    left_out: Vec<(&'a ClusterId, LeftOut)>,
    /// Members that export a Service which they do not have.
    without_service: Vec<&'a ClusterId>,
}

impl Engine {
    pub(super) fn merge_dirty(&mut self, dirty: &mut Dirty, effects: &mut Effects) {
        if dirty.all_services {
            dirty.services.extend(self.merged.keys().cloned());
            for state in self.clusters.values() {
                dirty.services.extend(state.services.keys().chain(state.exports.keys()).cloned());
            }
        }
        for (id, ip) in std::mem::take(&mut dirty.addresses) {
            if let Some(member) = self.members.get(&id) {
                dirty.services.extend(self.offers.services_at(&member.network, ip).cloned());
            }
        }
        // Who offers an address in nobody's range is known only once all touched services have been looked at, and may
        // concern services that were not touched: those that offer any come last.
        let mut last: BTreeSet<ServiceKey> = BTreeSet::new();
        for key in std::mem::take(&mut dirty.services) {
            let mut outcome = self.merge(&key);
            let offers = std::mem::take(&mut outcome.offers);
            let depends = !offers.is_empty();
            last.extend(self.offers.replace(&key, offers));
            if depends {
                last.insert(key);
            } else {
                self.settle(key, outcome, dirty, effects);
            }
        }
        if !last.is_empty() {
            for key in last {
                let outcome = self.merge(&key);
                self.settle(key, outcome, dirty, effects);
            }
            effects.services.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
    }

    fn merge(&mut self, key: &ServiceKey) -> Outcome {
        self.stats.merged += 1;
        let Parts { contributions, left_out, without_service } = self.parts(key);
        let mut outcome = merge::merge(key, contributions);
        outcome.notices = notices(key, &outcome, left_out, without_service);
        outcome
    }

    /// Takes in what came of a merge.
    fn settle(&mut self, key: ServiceKey, outcome: Outcome, dirty: &mut Dirty, effects: &mut Effects) {
        let Outcome { merged: fresh, refused, outside, family_conflicts, notices, offers: _, left_out: _ } = outcome;
        dirty.members.extend(self.tally.refused.set(&key, refused));
        dirty.members.extend(self.tally.outside.set(&key, outside));
        dirty.members.extend(self.tally.family_conflicts.set(&key, family_conflicts));
        dirty.members.extend(self.tally.notices.set(&key, notices));
        let old = self.merged.get(&key);
        if old.map(Arc::as_ref) == fresh.as_ref() {
            self.stats.merged_unchanged += 1;
            return;
        }
        dirty.members.extend(self.tally.count(old.map(Arc::as_ref), fresh.as_ref()));
        if face(old.map(Arc::as_ref)) != face(fresh.as_ref()) {
            dirty.changed_faces.insert(key.clone());
        }
        let fresh = fresh.map(Arc::new);
        match &fresh {
            Some(merged) => {
                self.merged_names.entry(key.namespace.clone()).or_default().insert(Arc::clone(&key.name));
                self.merged.insert(key.clone(), Arc::clone(merged));
            }
            None => {
                self.merged.remove(&key);
                if let Some(names) = self.merged_names.get_mut(&key.namespace) {
                    names.remove(&key.name);
                    if names.is_empty() {
                        self.merged_names.remove(&key.namespace);
                    }
                }
            }
        }
        effects.services.push((key, fresh));
    }

    fn parts<'a>(&'a self, key: &'a ServiceKey) -> Parts<'a> {
        let mut parts = Parts { contributions: Vec::new(), left_out: Vec::new(), without_service: Vec::new() };
        for id in self.ledger.keys() {
            let (Some(member), Some(state)) = (self.members.get(id), self.clusters.get(id)) else { continue };
            if !state.is_known() {
                continue;
            }
            let service = state.services.get(key);
            if service.is_none_or(|service| service.is_mirror()) {
                if state.exports.contains_key(key) {
                    parts.without_service.push(id);
                }
                continue;
            }
            let Some(service) = service else { continue };
            match self.ordered_policies.select(member, state, service) {
                Ok(selected) => parts.contributions.push(Contribution {
                    cluster: id,
                    service,
                    exported: selected.since,
                    slices: state.slices_of(key).collect(),
                    nodes: &state.nodes,
                    failover: selected.failover,
                    addresses: Rules {
                        cluster: id,
                        network: &member.network,
                        claims: self.claims.get(&member.network),
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

/// What the owners of these Services should know. Whoever follows the standard exports what was meant to be exported, so
/// mostly this is nothing.
fn notices(
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

/// What mirrors and VIPs depend on: everything about a merged service but its endpoints.
#[derive(PartialEq)]
struct Face<'a> {
    sources: &'a [ClusterId],
    headless: bool,
    affinity: Affinity,
    ports: Vec<(&'a str, u16, Protocol, Option<&'a str>)>,
}

fn face(merged: Option<&Merged>) -> Option<Face<'_>> {
    merged.map(|merged| Face {
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
