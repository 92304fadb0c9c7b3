//! What should stand in a member so that its DNS knows a service: the plan for one object, from what is wanted and what
//! is there. The writers have no choices left.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::effects::{MirrorAction, MirrorService};
use crate::model::{Affinity, Digest, HelmRelease, Merged, MergedPort, Owner, Service, ServiceKind, ServicePort};

/// What the plan says of one Service, before doubt is taken into account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Leave,
    Apply(Arc<MirrorService>),
    /// Ours, and nobody backs it any more, or not in this shape; to be deleted once that is certain.
    Orphan {
        uid: Arc<str>,
        resource_version: Arc<str>,
    },
    /// Somebody made it theirs: give up our fields.
    Release,
}

/// A service as it is merged, and the Helm release of its oldest export.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backed<'a> {
    pub merged: &'a Merged,
    pub helm: Option<&'a Arc<HelmRelease>>,
}

/// Plans one mirrored Service in one member. `hub`: who we are; `None` for those that only read.
pub(crate) fn plan_service(backed: Option<Backed<'_>>, found: Option<&Service>, hub: Option<Digest>) -> Plan {
    match (backed, found) {
        (_, Some(Service { owner: Owner::Adopted, .. })) => Plan::Release,
        (_, Some(Service { owner: Owner::User | Owner::Lookalike, .. })) | (None, None) => Plan::Leave,
        // A backup of another hub's: it may hold the member again tomorrow.
        (_, Some(Service { owner: Owner::Restored(mark), .. })) if hub.is_some_and(|hub| hub != mark.hub) => {
            Plan::Leave
        }
        (Some(backed), None) => Plan::Apply(Arc::new(wanted(backed))),
        (Some(backed), Some(found)) => {
            let wanted = wanted(backed);
            if (found.kind == ServiceKind::Headless) != wanted.headless {
                return orphan(found); // a ClusterIP cannot be changed in place: it has to go before it can come back
            }
            if stands(&wanted, found, hub) { Plan::Leave } else { Plan::Apply(Arc::new(wanted)) }
        }
        (None, Some(found)) => orphan(found),
    }
}

fn orphan(found: &Service) -> Plan {
    Plan::Orphan { uid: Arc::clone(&found.uid), resource_version: Arc::clone(&found.resource_version) }
}

impl Plan {
    pub fn is_apply(&self) -> bool {
        matches!(self, Self::Apply(_))
    }

    pub fn is_orphan(&self) -> bool {
        matches!(self, Self::Orphan { .. })
    }

    /// `certain`: every source that could still back the object is connected and fully listed.
    pub fn action(self, certain: bool) -> MirrorAction {
        match self {
            Self::Apply(service) => MirrorAction::ApplyService(service),
            Self::Release => MirrorAction::Release,
            Self::Orphan { uid, resource_version } if certain => MirrorAction::Delete { uid, resource_version },
            Self::Leave | Self::Orphan { .. } => MirrorAction::Leave,
        }
    }
}

fn wanted(Backed { merged, helm }: Backed<'_>) -> MirrorService {
    let mut sources = merged.sources.clone();
    sources.sort();
    // Without a virtual IP there is nothing that kube-proxy could bind to one backend.
    let affinity = if merged.headless { Affinity::None } else { merged.affinity };
    let (ports, helm) = (port_names(&merged.ports), helm.cloned());
    MirrorService { headless: merged.headless, affinity, ports, sources, helm }
}

/// Whether the object is as it should be.
fn stands(wanted: &MirrorService, found: &Service, hub: Option<Digest>) -> bool {
    let Some(mark) = found.mark() else { return true };
    let written_by_us = hub.is_none_or(|hub| hub == mark.hub && matches!(found.owner, Owner::Mirror(_)));
    let helm = mark.helm_claimed || mark.helm == HelmRelease::digest(wanted.helm.as_deref());
    // Somebody may have edited the type: the name would then lead elsewhere while everything else looks right.
    let answers = found.kind != ServiceKind::ExternalName;
    let spec = found.affinity == wanted.affinity && sorted(&found.ports) == wanted.ports;
    answers && written_by_us && helm && mark.sources == wanted.sources && spec
}

fn sorted(ports: &[ServicePort]) -> Vec<ServicePort> {
    let mut ports = ports.to_vec();
    ports.sort_by_key(|port| (port.port, port.protocol));
    ports
}

/// The Service API wants unique names, and no empty one as soon as there are two ports. Merged ports have unique names
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
