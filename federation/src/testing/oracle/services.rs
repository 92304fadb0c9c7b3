//! Which services there are, and what each looks like over all clusters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Oracle;
use super::facts::Told;
use crate::model::{
    AppProtocol, Backend, ClusterId, Failover, Federate, Health, Host, Labels, Member, Merged, MergedPort, Owner,
    Policy, Service, ServiceKey, ServiceKind, ServicePort, Time, Zone,
};
use crate::report::Trespass;

type Trespasses = Vec<(ClusterId, Trespass)>;

struct Part<'a> {
    exported: Time,
    member: &'a Member,
    told: &'a Told,
    service: &'a Service,
    failover: Failover,
}

/// `a=1,b=2` asks for both.
fn selected(wanted: &Labels, have: &Labels) -> bool {
    wanted.iter().all(|(key, value)| have.get(key) == Some(value))
}

fn specificity(policy: &Policy) -> usize {
    policy.namespaces.match_labels.len() + policy.services.match_labels.len()
}

impl Oracle {
    /// All merged services, each with the addresses that were left out of it.
    pub(super) fn merged(&self) -> BTreeMap<ServiceKey, (Merged, Trespasses)> {
        let mut keys: Vec<ServiceKey> =
            self.told.values().flat_map(|told| told.objects.services.iter().map(|s| s.key.clone())).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter().filter_map(|key| Some((key.clone(), self.merge(&key)?))).collect()
    }

    fn merge(&self, key: &ServiceKey) -> Option<(Merged, Trespasses)> {
        let mut parts: Vec<Part<'_>> = self.members.iter().filter_map(|member| self.part(member, key)).collect();
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
            backends: self.backends(&parts, winner),
        };
        let merged = Merged {
            key: key.clone(),
            sources: parts.iter().map(|part| part.member.id.clone()).collect(),
            headless: oldest.service.kind == ServiceKind::Headless,
            affinity: oldest.service.affinity,
            ports: winners.iter().map(merged_port).collect(),
            failover: Arc::new(oldest.failover.clone()),
        };
        let trespasses = parts.iter().flat_map(|part| self.trespasses(part)).collect();
        Some((merged, trespasses))
    }

    /// A member's part in a service, if it has one.
    fn part<'a>(&'a self, member: &'a Member, key: &ServiceKey) -> Option<Part<'a>> {
        self.ledger.get(&member.id)?;
        let told = self.told.get(&member.id).filter(|told| told.is_known())?;
        let service = told.objects.services.iter().find(|service| service.key == *key)?;
        let namespace = key.namespace.as_str();
        let never = matches!(namespace, "kube-system" | "kube-public" | "kube-node-lease")
            || key.namespace == self.own_namespace
            || key.to_string() == "default/kubernetes"
            || matches!(service.owner, Owner::Mirror(_) | Owner::Restored(_) | Owner::Lookalike)
            || service.kind == ServiceKind::ExternalName;
        let allowed = member.exports.as_ref().is_none_or(|list| list.iter().any(|entry| entry.matches(namespace)));
        if never || !allowed {
            return None;
        }
        let unlabelled = Labels::default();
        let object = told.objects.namespaces.iter().find(|object| object.name == key.namespace);
        let outer = object.map_or(&unlabelled, |object| &object.labels);
        let export = told.objects.exports.iter().find(|export| export.key == *key);

        let mut policies: Vec<&Policy> = self.policies.iter().collect();
        policies.retain(|policy| {
            selected(&policy.namespaces.match_labels, outer) && selected(&policy.services.match_labels, &service.labels)
        });
        policies.sort_by_key(|policy| (usize::MAX - specificity(policy), policy.created, policy.name.clone()));
        let built_in = Policy::built_in();
        let policy = policies.first().copied().unwrap_or(&built_in);
        let marked = export.is_some()
            || [outer, &service.labels].iter().any(|labels| labels.get("isthmus.dev/federate") == Some("true"));
        let takes_part = policy.federate == Federate::All || (policy.federate == Federate::Marked && marked);
        let exported = export.map_or(service.created, |export| export.created);
        takes_part.then(|| Part { exported, member, told, service, failover: policy.failover.clone() })
    }

    /// Everybody who answers on a port: only clusters whose own Service has that number.
    fn backends(&self, parts: &[Part<'_>], winner: &ServicePort) -> Vec<Backend> {
        let mut groups: BTreeMap<(ClusterId, Option<Zone>), Vec<Host>> = BTreeMap::new();
        for part in parts {
            let own = part.service.ports.iter().find(|own| own.port == winner.port && own.protocol == winner.protocol);
            let Some(own) = own else { continue };
            let mut sightings: Vec<(SocketAddr, Health, Option<Zone>)> = Vec::new();
            for slice in part.told.objects.slices.iter().filter(|slice| slice.service == part.service.key) {
                let ports = slice.ports.iter().filter(|port| port.name == own.name && port.protocol == own.protocol);
                for port in ports {
                    for endpoint in slice.endpoints.iter().filter(|endpoint| self.is_usable(part, endpoint.ip)) {
                        let address = SocketAddr::new(endpoint.ip, port.port);
                        sightings.push((address, endpoint.health, endpoint.zone.clone()));
                    }
                }
            }
            sightings.sort();
            sightings.dedup_by_key(|(address, ..)| *address); // the best sighting of an address comes first
            for (address, health, zone) in sightings {
                groups.entry((part.member.id.clone(), zone)).or_default().push(Host::new(address, health));
            }
        }
        groups.into_iter().map(|((cluster, zone), hosts)| Backend { cluster, zone, hosts }).collect()
    }

    fn is_usable(&self, part: &Part<'_>, ip: std::net::IpAddr) -> bool {
        is_of_family(part, ip) && self.trespassed(part.member, ip).is_none()
    }

    fn trespasses(&self, part: &Part<'_>) -> Trespasses {
        let slices = part.told.objects.slices.iter().filter(|slice| slice.service == part.service.key);
        let offered = slices.flat_map(|slice| &slice.endpoints).map(|endpoint| endpoint.ip);
        let trespass = |ip| {
            let owner = self.trespassed(part.member, ip)?;
            Some((part.member.id.clone(), Trespass { service: part.service.key.clone(), ip, owner }))
        };
        offered.filter(|ip| is_of_family(part, *ip)).filter_map(trespass).collect()
    }
}

/// Of a pod's two addresses only the one of the Service's first family counts; headless ones prefer IPv4.
fn is_of_family(part: &Part<'_>, ip: std::net::IpAddr) -> bool {
    let slices = part.told.objects.slices.iter().filter(|slice| slice.service == part.service.key);
    let any_v4 = || slices.flat_map(|slice| &slice.endpoints).any(|endpoint| endpoint.ip.is_ipv4());
    let v4 = part.service.cluster_ips.first().map_or_else(any_v4, std::net::IpAddr::is_ipv4);
    ip.is_ipv4() == v4
}
