//! What is reported about each member, its place, and whether enough is known to serve.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::Oracle;
use super::services::Found;
use crate::change::MemberKind;
use crate::desired::{Action, Key};
use crate::model::{ClusterId, Families, Family, Member, Merged, Owner, ServiceKey, ServiceKind};
use crate::references::HubNotice;
use crate::report::{
    CidrSource, Cidrs, Counts, Listed, MemberReport, PendingReason, RangeUse, Refusal, UndeclaredRange, Verdict,
};
use crate::{Awaits, Place, Topology};

/// As documented: a report names at most this many.
const NAMED: usize = 16;

impl Oracle {
    pub(super) fn wants(&self, member: &Member) -> Cidrs {
        let with = |kind: MemberKind| {
            self.reported.get(&member.id).filter(|reported| reported.ever_listed.contains(&kind)).into_iter()
        };
        let nodes =
            with(MemberKind::Nodes).flat_map(|reported| &reported.objects.nodes).flat_map(|n| n.pod_cidrs.clone());
        let cidrs = with(MemberKind::ServiceCidrs).flat_map(|reported| &reported.objects.service_cidrs);
        let cidrs = cidrs.flat_map(|object| object.cidrs.clone());
        let (pods, pods_source) = ranges(member.pods.as_deref(), nodes.collect());
        let (services, services_source) = ranges(member.services.as_deref(), cidrs.collect());
        Cidrs { pods, pods_source, services, services_source }
    }

    pub(super) fn topology(&self) -> Topology {
        let mut members = BTreeMap::new();
        for member in &self.members {
            if let Some((admission, _)) = self.ledger.get(&member.id) {
                let place = Place {
                    region: member.region.clone(),
                    network: member.network.clone(),
                    traffic: member.traffic,
                    weight: member.weight,
                    families: self.families(member, &admission.pods),
                    services: admission.services.clone(),
                };
                members.insert(member.id.clone(), place);
            }
        }
        let regions = self.regions.iter().map(|region| (region.name.clone(), region.failover.clone())).collect();
        Topology { regions, members }
    }

    /// What its pods can dial, by the ranges on record; the first range that is declared, or that a Node has, goes first.
    fn families(&self, member: &Member, admitted: &[IpNet]) -> Option<Families> {
        let mut nodes: Vec<_> =
            self.reported.get(&member.id).map(|reported| reported.objects.nodes.clone()).unwrap_or_default();
        nodes.sort_by_key(|node| node.name.clone());
        let discovered = nodes.iter().flat_map(|node| node.pod_cidrs.first()).next();
        let first = member.pods.as_ref().map_or(discovered, |pods| pods.first());
        let (v4, v6) =
            (admitted.iter().any(|net| net.addr().is_ipv4()), admitted.iter().any(|net| net.addr().is_ipv6()));
        match (v4, v6) {
            (false, false) => None,
            (true, false) => Some(Families::Only(Family::V4)),
            (false, true) => Some(Families::Only(Family::V6)),
            (true, true) if first.is_some_and(|net| net.addr().is_ipv6()) => Some(Families::Both(Family::V6)),
            (true, true) => Some(Families::Both(if first.is_some() || admitted[0].addr().is_ipv4() {
                Family::V4
            } else {
                Family::V6
            })),
        }
    }

    /// Members of which everything that they contribute has to be known, and is not.
    pub(super) fn unknown(&self) -> BTreeSet<ClusterId> {
        let mut unknown = BTreeSet::new();
        for Member { id, .. } in &self.members {
            let expected = match self.awaits {
                Awaits::Admitted => self.ledger.contains_key(id),
                Awaits::NotRefused => !matches!(
                    self.verdicts.get(id),
                    Some(Verdict::Refused(
                        Refusal::CidrOverlap(_) | Refusal::DuplicateCluster { .. } | Refusal::UnknownRegion
                    ))
                ),
            };
            if expected && !self.reported.get(id).is_some_and(super::facts::Reported::is_known_wholly) {
                unknown.insert(id.clone());
            }
        }
        unknown
    }

    pub(super) fn reports(
        &self,
        merged: &BTreeMap<ServiceKey, Merged>,
        work: &BTreeMap<(ClusterId, Key), Action>,
        found: &[Found],
    ) -> BTreeMap<ClusterId, MemberReport> {
        let (mut reports, missing) = (BTreeMap::new(), self.unknown());
        let notices = self.notices(merged);
        for member in &self.members {
            let Some(reported) = self.reported.get(&member.id) else { continue };
            let id = &member.id;
            let unknown = Verdict::Pending(PendingReason::IdentityUnknown);
            let report = MemberReport {
                id: id.clone(),
                region: member.region.clone(),
                network: member.network.clone(),
                traffic: member.traffic,
                weight: member.weight,
                generation: member.generation,
                uid: reported.uid.clone(),
                version: reported.version.clone(),
                link: reported.link.clone(),
                admission: self.verdicts.get(id).cloned().unwrap_or(unknown),
                admitted: self.ledger.get(id).map(|(admission, _)| admission.clone()),
                cidrs: self.wants(member),
                region_missing: !self.regions.iter().any(|region| region.name == member.region),
                undeclared: self.undeclared(member),
                listed: reported.is_listed(),
                known: reported.is_known(),
                missing: missing.contains(id),
                unreadable: reported.unreadable.clone().into_iter().collect(),
                counts: self.counts(id, merged),
                mirrors_pending: work.keys().filter(|(in_cluster, _)| in_cluster == id).count(),
                refused: listed(id, found.iter().flat_map(|found| &found.refused)),
                outside: listed(id, found.iter().flat_map(|found| &found.outside)),
                notices: named(notices.get(id).cloned().unwrap_or_default()),
                family_conflicts: listed(id, found.iter().flat_map(|found| &found.apart)).first,
                strangers: self.strangers(id),
            };
            reports.insert(id.clone(), report);
        }
        reports
    }

    fn undeclared(&self, member: &Member) -> Listed<UndeclaredRange> {
        let reported =
            |kind: MemberKind| self.reported.get(&member.id).filter(|reported| reported.ever_listed.contains(&kind));
        let nodes = reported(MemberKind::Nodes).into_iter().flat_map(|reported| &reported.objects.nodes);
        let cidrs = reported(MemberKind::ServiceCidrs).into_iter().flat_map(|reported| &reported.objects.service_cidrs);
        let uses = [
            (RangeUse::Pods, &member.pods, nodes.flat_map(|node| node.pod_cidrs.clone()).collect::<Vec<IpNet>>()),
            (RangeUse::Services, &member.services, cidrs.flat_map(|object| object.cidrs.clone()).collect()),
        ];
        let mut found = BTreeSet::new();
        for (used_for, declared, mut shown) in uses {
            let Some(declared) = declared else { continue };
            shown.retain(|net| !IpNet::aggregate(declared).iter().any(|own| own.contains(net)));
            found.extend(IpNet::aggregate(&shown).into_iter().map(|range| UndeclaredRange { used_for, range }));
        }
        named(found)
    }

    pub(super) fn hub_notices(&self) -> Vec<HubNotice> {
        let mut found = BTreeSet::new();
        for region in &self.regions {
            for named in &region.failover {
                if !self.regions.iter().any(|other| other.name == *named) {
                    found.insert(HubNotice::UnknownRegion { region: region.name.clone(), named: named.clone() });
                }
            }
        }
        let mut policies: Vec<_> = self.policies.iter().collect();
        policies.sort_by_key(|policy| (policy.created, policy.name.clone()));
        for (index, policy) in policies.iter().enumerate() {
            for weight in &policy.failover.clusters {
                if !self.members.iter().any(|member| member.id == weight.cluster) {
                    let (policy, named) = (policy.name.clone(), weight.cluster.clone());
                    found.insert(HubNotice::UnknownCluster { policy, named });
                }
            }
            let same = policies[..index]
                .iter()
                .find(|o| (&o.namespaces, &o.services) == (&policy.namespaces, &policy.services));
            if let Some(first) = same {
                found.insert(HubNotice::Shadowed { policy: policy.name.clone(), by: first.name.clone() });
            }
        }
        found.into_iter().collect()
    }

    fn counts(&self, id: &ClusterId, merged: &BTreeMap<ServiceKey, Merged>) -> Counts {
        let objects = self.reported.get(id).into_iter().flat_map(|reported| &reported.objects.services);
        let mirrors: Vec<_> =
            objects.filter(|service| matches!(service.owner, Owner::Mirror(_) | Owner::Restored(_))).collect();
        let backends = merged.values().flat_map(|service| &service.ports).flat_map(|port| &port.backends);
        Counts {
            services: merged.values().filter(|service| service.sources.contains(id)).count(),
            endpoints: backends.filter(|backend| backend.cluster == *id).map(|backend| backend.hosts.len()).sum(),
            mirrored: mirrors.len(),
            headless_mirrors: mirrors.iter().filter(|service| service.kind == ServiceKind::Headless).count(),
        }
    }

    /// What looks like a mirror and is not one of this hub's.
    fn strangers(&self, id: &ClusterId) -> Vec<ServiceKey> {
        let mut names: Vec<ServiceKey> = Vec::new();
        for service in self.reported.get(id).into_iter().flat_map(|reported| &reported.objects.services) {
            match &service.owner {
                Owner::Lookalike => names.push(service.key.clone()),
                Owner::Restored(mark) if self.hub.is_some() && self.hub != Some(mark.hub) => {
                    names.push(service.key.clone());
                }
                _ => {}
            }
        }
        names.sort();
        names.truncate(NAMED);
        names
    }
}

/// One member's items, each once.
fn listed<'a, T: Ord + Clone + 'a>(id: &ClusterId, all: impl Iterator<Item = &'a (ClusterId, T)>) -> Listed<T> {
    named(all.filter(|(by, _)| by == id).map(|(_, item)| item.clone()).collect())
}

fn named<T>(all: BTreeSet<T>) -> Listed<T> {
    Listed { total: all.len(), first: all.into_iter().take(NAMED).collect() }
}

/// Declared ranges as they are, discovered ones joined where they touch.
fn ranges(declared: Option<&[IpNet]>, discovered: Vec<IpNet>) -> (Vec<IpNet>, CidrSource) {
    if let Some(declared) = declared {
        let unique: BTreeSet<IpNet> = declared.iter().map(IpNet::trunc).collect();
        return (unique.into_iter().collect(), CidrSource::Declared);
    }
    if discovered.is_empty() {
        (Vec::new(), CidrSource::Unknown)
    } else {
        (IpNet::aggregate(&discovered), CidrSource::Discovered)
    }
}
