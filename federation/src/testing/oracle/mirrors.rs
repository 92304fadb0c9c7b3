//! What each member's DNS knows, and what is still to be written there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Oracle;
use super::facts::Reported;
use crate::Vips;
use crate::change::MemberKind;
use crate::desired::{Action, Desired, Key, MirrorNamespace, MirrorService};
use crate::model::{
    Affinity, ClusterId, HelmRelease, Merged, Namespace, Owner, Service, ServiceKey, ServiceKind, ServicePort,
};

impl Oracle {
    pub(super) fn vips(&self, merged: &BTreeMap<ServiceKey, Merged>) -> BTreeMap<(ClusterId, ServiceKey), Vips> {
        let mut all = BTreeMap::new();
        for id in self.ledger.keys() {
            let Some(reported) = self.reported.get(id).filter(|reported| reported.is_known()) else { continue };
            for service in &reported.objects.services {
                let merged = merged.get(&service.key);
                let ours = matches!(service.owner, Owner::Mirror(_) | Owner::Restored(_) | Owner::Lookalike);
                let takes_part = merged.is_some_and(|merged| ours || merged.sources.contains(id));
                let keeps_its_own = merged.is_some() && !takes_part;
                if service.cluster_ips.is_empty() && !keeps_its_own {
                    continue;
                }
                let mut ports: Vec<_> = service.ports.iter().map(|port| (port.port, port.protocol)).collect();
                ports.sort_unstable();
                let awaits_source = self.is_made_for_the_unknown(service);
                let vips = Vips { ips: service.cluster_ips.clone(), ports, federated: takes_part, awaits_source };
                all.insert((id.clone(), service.key.clone()), vips);
            }
        }
        all
    }

    pub(super) fn mirror_work(&self, merged: &BTreeMap<ServiceKey, Merged>) -> BTreeMap<(ClusterId, Key), Action> {
        let mut work = BTreeMap::new();
        for (id, reported) in &self.reported {
            let is_mapped = [MemberKind::Services, MemberKind::Namespaces].iter().all(|k| reported.listed.contains(k));
            if !self.ledger.contains_key(id) || !is_mapped {
                continue;
            }
            for namespace in merged.keys().map(|key| &key.namespace) {
                if !reported.objects.namespaces.iter().any(|object| object.name == *namespace) {
                    let helm = self.namespace_helm(merged, namespace);
                    let desired = MirrorNamespace { name: namespace.clone(), helm };
                    let action = Action::Apply(Desired::Namespace(desired));
                    work.insert((id.clone(), Key::Namespace(namespace.clone())), action);
                }
            }
            let found = reported.objects.services.iter().map(|service| &service.key);
            for key in merged.keys().chain(found).collect::<BTreeSet<_>>() {
                if let Some(action) = self.service_action(id, reported, key, merged.get(key)) {
                    work.insert((id.clone(), Key::Service(key.clone())), action);
                }
            }
        }
        work
    }

    fn service_action(
        &self,
        id: &ClusterId,
        reported: &Reported,
        key: &ServiceKey,
        merged: Option<&Merged>,
    ) -> Option<Action> {
        let mut namespaces = reported.objects.namespaces.iter();
        if namespaces.any(|object| object.name == key.namespace && object.terminating) {
            return None;
        }
        let found = reported.objects.services.iter().find(|service| service.key == *key);
        let apply = || merged.map(|merged| Action::Apply(Desired::Service(Arc::new(self.wanted(merged)))));
        let Some(found) = found else { return apply() };
        let mark = match &found.owner {
            Owner::User | Owner::Lookalike => return None,
            Owner::Adopted => return Some(Action::Release(Key::Service(key.clone()))),
            Owner::Restored(mark) if self.hub.is_some() && Some(mark.hub) != self.hub => return None,
            Owner::Mirror(mark) | Owner::Restored(mark) => mark,
        };
        let is_written = self.hub.is_none() || (self.hub == Some(mark.hub) && matches!(found.owner, Owner::Mirror(_)));
        let is_headless = found.kind == ServiceKind::Headless;
        if let Some(merged) = merged.filter(|merged| merged.headless == is_headless) {
            let wanted = self.wanted(merged);
            let helm = HelmRelease::digest(wanted.helm.as_deref());
            let mut ports = found.ports.clone();
            ports.sort_by_key(|port| (port.port, port.protocol));
            let is_right = is_written
                && found.kind != ServiceKind::ExternalName
                && mark.sources == wanted.sources
                && (mark.helm == helm || mark.helm_claimed)
                && ports == wanted.ports
                && found.affinity == wanted.affinity;
            let is_doubtful = self.is_made_for_the_unknown(found);
            return if is_right || is_doubtful { None } else { apply() };
        }
        self.is_certain(id, &mark.sources).then(|| delete(found))
    }

    fn wanted(&self, merged: &Merged) -> MirrorService {
        MirrorService { helm: self.helm_of(merged), ..shape(merged) }
    }

    /// By which Helm release the oldest export was installed.
    fn helm_of(&self, merged: &Merged) -> Option<Arc<HelmRelease>> {
        let services = &self.reported.get(merged.sources.first()?)?.objects.services;
        services.iter().find(|service| service.key == merged.key)?.helm.clone()
    }

    /// The same of the Namespace: asked where the oldest export of the first service in it is.
    fn namespace_helm(&self, merged: &BTreeMap<ServiceKey, Merged>, namespace: &Namespace) -> Option<Arc<HelmRelease>> {
        let first = merged.values().find(|service| service.key.namespace == *namespace)?;
        let namespaces = &self.reported.get(first.sources.first()?)?.objects.namespaces;
        namespaces.iter().find(|object| object.name == *namespace)?.helm.clone()
    }

    /// A mirror one of whose sources should be known and is not.
    fn is_made_for_the_unknown(&self, service: &Service) -> bool {
        let unknown = self.unknown();
        matches!(&service.owner, Owner::Mirror(mark) | Owner::Restored(mark) if mark.sources.iter().any(|id| unknown.contains(id)))
    }

    /// Every member that could still back the object is connected.
    fn is_certain(&self, id: &ClusterId, sources: &[ClusterId]) -> bool {
        let still_members = sources.iter().filter(|source| self.reported.contains_key(source));
        self.hub_is_listed()
            && self.is_fresh(id)
            && self.ledger.keys().all(|id| self.is_fresh(id))
            && still_members.into_iter().all(|source| self.is_fresh(source))
    }
}

fn delete(found: &Service) -> Action {
    let key = Key::Service(found.key.clone());
    Action::Delete { key, uid: found.uid.clone(), resource_version: found.resource_version.clone() }
}

/// All but the Helm release.
fn shape(merged: &Merged) -> MirrorService {
    let mut sources = merged.sources.clone();
    sources.sort();
    let single = merged.ports.len() == 1;
    let mut ports: Vec<ServicePort> = Vec::new();
    for port in &merged.ports {
        let mut name = port.name.clone();
        if name.is_empty() && !single {
            let plain = format!("{}-{}", port.protocol.as_str().to_lowercase(), port.port);
            let numbered = (2..).map(|n| format!("{plain}-{n}"));
            let is_free = |name: &String| merged.ports.iter().all(|other| *other.name != **name);
            if let Some(free) = std::iter::once(plain.clone()).chain(numbered).find(is_free) {
                name = Oracle::text(&free);
            }
        }
        ports.push(ServicePort {
            name,
            port: port.port,
            protocol: port.protocol,
            app_protocol: port.app_protocol.clone(),
        });
    }
    // kube-proxy binds clients to backends behind virtual IPs only.
    let affinity = match merged.headless {
        true => Affinity::None,
        false => merged.affinity,
    };
    MirrorService { key: merged.key.clone(), headless: merged.headless, affinity, ports, sources, helm: None }
}
