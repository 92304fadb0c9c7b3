//! What a member should hold so that its DNS knows a service: the plan for one object, from the desired object and the one that
//! exists. The writers have no choices left.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::desired::{Action, Desired, Key, MirrorService};
use crate::model::{Affinity, Digest, HelmRelease, Merged, MergedPort, Owner, ServiceKind, ServicePort};
use crate::packed::PackedService;

/// The plan for one Service, before it is considered whether it is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Leave,
    Apply(Arc<MirrorService>),
    /// Isthmus's, and no member backs it any more, or not with this kind; to be deleted once that is certain.
    Orphan {
        uid: Arc<str>,
        resource_version: Arc<str>,
    },
    /// A user took it over: give up Isthmus's fields.
    Release,
}

/// A service as it is merged, and the Helm release of its oldest export.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backed<'a> {
    pub merged: &'a Merged,
    pub helm: Option<&'a Arc<HelmRelease>>,
}

/// Plans one mirrored Service in one member. `hub`: the identity of this hub; `None` for processes that only read.
pub(crate) fn plan_service(backed: Option<Backed<'_>>, found: Option<&PackedService>, hub: Option<Digest>) -> Plan {
    match (backed, found) {
        (_, Some(PackedService { owner: Owner::Adopted, .. })) => Plan::Release,
        (_, Some(PackedService { owner: Owner::User | Owner::Lookalike, .. })) | (None, None) => Plan::Leave,
        // A backup of another hub's: that hub may manage the member again later.
        (_, Some(PackedService { owner: Owner::Restored(mark), .. })) if hub.is_some_and(|hub| hub != mark.hub) => {
            Plan::Leave
        }
        (Some(backed), None) => Plan::Apply(Arc::new(desired(backed))),
        (Some(backed), Some(found)) => {
            let desired = desired(backed);
            if (found.kind == ServiceKind::Headless) != desired.headless {
                return orphan(found); // a ClusterIP cannot be changed in place: it has to be deleted before it can be created again
            }
            if is_as_desired(&desired, found, hub) { Plan::Leave } else { Plan::Apply(Arc::new(desired)) }
        }
        (None, Some(found)) => orphan(found),
    }
}

fn orphan(found: &PackedService) -> Plan {
    Plan::Orphan { uid: found.identity.uid(), resource_version: found.identity.resource_version() }
}

impl Plan {
    pub fn is_apply(&self) -> bool {
        matches!(self, Self::Apply(_))
    }

    pub fn is_orphan(&self) -> bool {
        matches!(self, Self::Orphan { .. })
    }

    /// `key`: of the Service that was planned. `certain`: every source that could still back it is connected and fully listed.
    pub fn action(self, key: Key, certain: bool) -> Action {
        match self {
            Self::Apply(service) => Action::Apply(Desired::Service(service)),
            Self::Release => Action::Release(key),
            Self::Orphan { uid, resource_version } if certain => Action::Delete { key, uid, resource_version },
            Self::Leave | Self::Orphan { .. } => Action::Leave(key),
        }
    }
}

fn desired(Backed { merged, helm }: Backed<'_>) -> MirrorService {
    let mut sources = merged.sources.clone();
    sources.sort();
    // Without a virtual IP there is nothing that kube-proxy could bind to one backend.
    let affinity = if merged.headless { Affinity::None } else { merged.affinity };
    let (ports, helm) = (port_names(&merged.ports), helm.cloned());
    MirrorService { key: merged.key.clone(), headless: merged.headless, affinity, ports, sources, helm }
}

/// Whether the object is as desired.
fn is_as_desired(desired: &MirrorService, found: &PackedService, hub: Option<Digest>) -> bool {
    let Some(mark) = found.mark() else { return true };
    let written_by_us = hub.is_none_or(|hub| hub == mark.hub && matches!(found.owner, Owner::Mirror(_)));
    let helm = mark.helm_claimed || mark.helm == HelmRelease::digest(desired.helm.as_deref());
    // A user may have edited the type: the name would then resolve to another name while everything else looks right.
    let resolves = found.kind != ServiceKind::ExternalName;
    let spec = found.affinity == desired.affinity && sorted(&found.ports) == desired.ports;
    resolves && written_by_us && helm && mark.sources == desired.sources && spec
}

fn sorted(ports: &[ServicePort]) -> Vec<ServicePort> {
    let mut ports = ports.to_vec();
    ports.sort_by_key(|port| (port.port, port.protocol));
    ports
}

/// The Service API requires unique names, and no empty one as soon as there are two ports. Merged ports have unique names
/// already, so at most one is empty; the name made for it must not be another port's.
fn port_names(ports: &[MergedPort]) -> Vec<ServicePort> {
    let taken: BTreeSet<&str> = ports.iter().map(|port| &*port.name).collect();
    let named = |port: &MergedPort| {
        if !port.name.is_empty() || ports.len() == 1 {
            return Arc::clone(&port.name);
        }
        let plain = format!("{}-{}", port.protocol.as_str().to_ascii_lowercase(), port.port);
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let mut made = std::iter::once(plain.clone()).chain(numbered);
        made.find(|name| !taken.contains(name.as_str())).map_or_else(|| Arc::clone(&port.name), Arc::from)
    };
    let port = |port: &MergedPort| ServicePort {
        name: named(port),
        port: port.port,
        protocol: port.protocol,
        app_protocol: port.app_protocol.clone(),
    };
    ports.iter().map(port).collect()
}
