//! Which services there are, and what each looks like over all clusters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::facts::Reported;
use super::ranges::Whereabouts;
use super::{Oracle, hosts};
use crate::model::{
    AppProtocol, Backend, ClusterId, Families, Family, Labels, Member, Merged, MergedPort, Network, Owner, Policy,
    RankingRule, Service, ServiceKey, ServiceKind, ServicePort, Time,
};
use crate::report::{AddressRefusal, FamilyConflict, OutsideAddress, RefusedAddress};

/// What was found of one service besides what it looks like.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub refused: Vec<(ClusterId, RefusedAddress)>,
    pub outside: Vec<(ClusterId, OutsideAddress)>,
    /// What the oldest export's policy says about ranking.
    pub rule: RankingRule,
    /// Families that do not meet.
    pub apart: Vec<(ClusterId, FamilyConflict)>,
}

pub(super) struct Part<'a> {
    exported: Time,
    pub member: &'a Member,
    pub reported: &'a Reported,
    pub service: &'a Service,
    policy: Policy,
}

/// A member of a network offers an address that is in no range.
type OutsideOffer = (Network, IpAddr, ClusterId);

/// `a=1,b=2` asks for both.
fn selected(wanted: &Labels, have: &Labels) -> bool {
    wanted.iter().all(|(key, value)| have.get(key) == Some(value))
}

fn specificity(policy: &Policy) -> usize {
    policy.namespaces.match_labels.len() + policy.services.match_labels.len()
}

impl Oracle {
    /// All merged services, each with what was found on the way.
    pub(super) fn merged(&self) -> BTreeMap<ServiceKey, (Merged, Found)> {
        let mut keys: Vec<ServiceKey> = self
            .reported
            .values()
            .flat_map(|reported| reported.objects.services.iter().map(|s| s.key.clone()))
            .collect();
        keys.sort();
        keys.dedup();
        let parts = |key: &ServiceKey| self.members.iter().filter_map(|member| self.part(member, key)).collect();
        let all: Vec<(ServiceKey, Vec<Part<'_>>)> = keys.into_iter().map(|key| (key.clone(), parts(&key))).collect();
        let offers: Vec<OutsideOffer> =
            all.iter().flat_map(|(_, parts)| parts).flat_map(|part| self.offers(part)).collect();
        let merge = |(key, parts)| Some((ServiceKey::clone(&key), self.merge(&key, parts, &offers)?));
        all.into_iter().filter_map(merge).collect()
    }

    fn merge(&self, key: &ServiceKey, mut parts: Vec<Part<'_>>, offers: &[OutsideOffer]) -> Option<(Merged, Found)> {
        parts.sort_by(|a, b| a.exported.cmp(&b.exported).then(a.member.id.cmp(&b.member.id)));
        let oldest = parts.first()?;

        let mut winners: Vec<&ServicePort> = Vec::new();
        for port in parts.iter().flat_map(|part| &part.service.ports) {
            let same_number = |won: &&ServicePort| won.port == port.port && won.protocol == port.protocol;
            if !winners.iter().any(|won| same_number(won) || won.name == port.name) {
                winners.push(port);
            }
        }
        winners.sort_by_key(|port| (port.port, port.protocol));
        let merged_port = |winner: &&ServicePort| MergedPort {
            name: winner.name.clone(),
            port: winner.port,
            protocol: winner.protocol,
            app: AppProtocol::of(winner),
            app_protocol: winner.app_protocol.clone(),
            backends: self.backends(&parts, winner, offers),
        };
        let merged = Merged {
            key: key.clone(),
            sources: parts.iter().map(|part| part.member.id.clone()).collect(),
            headless: oldest.service.kind == ServiceKind::Headless,
            affinity: oldest.service.affinity,
            family: oldest.service.families.map_or(Family::V4, Families::first),
            ports: winners.iter().map(merged_port).collect(),
        };
        let Policy { name, failover, .. } = oldest.policy.clone();
        let mut found = Found { rule: RankingRule { policy: name, failover }, ..Found::default() };
        for part in &parts {
            for ip in offered(part) {
                let (by, service) = (part.member.id.clone(), part.service.key.clone());
                match self.objection(part, ip, offers) {
                    Some(why) => found.refused.push((by, RefusedAddress { why, service, ip })),
                    None if self.is_unexpected(part, ip) => {
                        found.outside.push((by, OutsideAddress { service, ip }));
                    }
                    None => {}
                }
            }
        }
        let both = |part: &Part<'_>| part.service.families.zip(oldest.service.families);
        let apart = parts.iter().filter_map(|part| {
            let (mine, theirs) = both(part)?;
            let common = [Family::V4, Family::V6].into_iter().any(|family| mine.has(family) && theirs.has(family));
            let conflict = FamilyConflict { service: key.clone(), mine, theirs, with: oldest.member.id.clone() };
            (!common).then(|| (part.member.id.clone(), conflict))
        });
        found.apart = apart.collect();
        Some((merged, found))
    }

    /// A member's part in a service, if it has one.
    fn part<'a>(&'a self, member: &'a Member, key: &ServiceKey) -> Option<Part<'a>> {
        self.ledger.get(&member.id)?;
        let reported = self.reported.get(&member.id).filter(|reported| reported.is_known())?;
        let service = reported.objects.services.iter().find(|service| service.key == *key)?;
        let is_mirror = matches!(service.owner, Owner::Mirror(_) | Owner::Restored(_) | Owner::Lookalike);
        if is_mirror || self.why_not(member, reported, service).is_some() {
            return None;
        }
        let export = reported.objects.exports.iter().find(|export| export.key == *key);
        let exported = export.map_or(service.created, |export| export.created);
        let policy = self.policy_of(reported, service);
        Some(Part { exported, member, reported, service, policy })
    }

    /// The policy that decides about a Service.
    pub(super) fn policy_of(&self, reported: &Reported, service: &Service) -> Policy {
        let outer = reported.labels_of(&service.key.namespace);
        let mut policies: Vec<&Policy> = self.policies.iter().collect();
        policies.retain(|policy| {
            selected(&policy.namespaces.match_labels, &outer)
                && selected(&policy.services.match_labels, &service.labels)
        });
        policies.sort_by_key(|policy| (usize::MAX - specificity(policy), policy.created, policy.name.clone()));
        policies.first().map_or_else(Policy::built_in, |policy| (*policy).clone())
    }

    /// All backends of a port: only of clusters whose own Service has that number.
    fn backends(&self, parts: &[Part<'_>], winner: &ServicePort, offers: &[OutsideOffer]) -> Vec<Backend> {
        let part = |part: &Part<'_>| {
            let own = part.service.ports.iter().find(|own| own.port == winner.port && own.protocol == winner.protocol);
            let is_usable = |ip| is_of_family(part, ip) && self.objection(part, ip, offers).is_none();
            own.map(|own| hosts::backends(part, own, is_usable)).unwrap_or_default()
        };
        let mut backends: Vec<Backend> = parts.iter().flat_map(part).collect();
        backends.sort_by_key(|backend| (backend.cluster.clone(), backend.zone.clone()));
        backends
    }

    /// Why an address is not served.
    fn objection(&self, part: &Part<'_>, ip: IpAddr, offers: &[OutsideOffer]) -> Option<AddressRefusal> {
        let network = &part.member.network;
        let mut rivals: Vec<&ClusterId> = Vec::new();
        for (there, address, by) in offers {
            if there == network && *address == ip && *by != part.member.id {
                rivals.push(by);
            }
        }
        match self.whereabouts(part.member, ip) {
            Whereabouts::OwnPods => None,
            Whereabouts::OwnServices => Some(AddressRefusal::VirtualIp),
            Whereabouts::Of(owner) => Some(AddressRefusal::InRangeOf(owner)),
            Whereabouts::Loopback => Some(AddressRefusal::Loopback),
            Whereabouts::NoRange => match rivals.into_iter().min() {
                Some(rival) => Some(AddressRefusal::AlsoOfferedBy(rival.clone())),
                None => {
                    (part.policy.strict_cidrs && self.is_unexpected(part, ip)).then_some(AddressRefusal::OutsideRanges)
                }
            },
        }
    }

    /// In no member's range, and no Node has it.
    fn is_unexpected(&self, part: &Part<'_>, ip: IpAddr) -> bool {
        let of_node = part.reported.objects.nodes.iter().any(|node| node.addresses.contains(&ip));
        self.whereabouts(part.member, ip) == Whereabouts::NoRange && !of_node
    }

    fn offers(&self, part: &Part<'_>) -> Vec<OutsideOffer> {
        let mut offers = Vec::new();
        for ip in offered(part) {
            if self.whereabouts(part.member, ip) == Whereabouts::NoRange {
                offers.push((part.member.network.clone(), ip, part.member.id.clone()));
            }
        }
        offers
    }
}

/// All addresses that a part brings in.
fn offered(part: &Part<'_>) -> Vec<IpAddr> {
    let slices = part.reported.objects.slices.iter().filter(|slice| slice.service == part.service.key);
    let ips = slices.flat_map(|slice| &slice.endpoints).map(|endpoint| endpoint.ip);
    ips.filter(|ip| is_of_family(part, *ip)).collect()
}

/// A Service that declares its families has no endpoints of another one.
fn is_of_family(part: &Part<'_>, ip: std::net::IpAddr) -> bool {
    let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
    part.service.families.is_none_or(|families| families.has(family))
}
