//! What should stand in a member so that its DNS knows a service: the plan for one object, from what is wanted and what
//! is there. The writers have no choices left.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::effects::{MirrorAction, MirrorService};
use crate::model::{Merged, MergedPort, Owner, Service, ServiceKind, ServicePort};

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

/// Plans one mirrored Service in one member.
pub(crate) fn plan_service(merged: Option<&Merged>, found: Option<&Service>) -> Plan {
    match (merged, found) {
        (_, Some(Service { owner: Owner::Adopted, .. })) => Plan::Release,
        (_, Some(Service { owner: Owner::User, .. })) | (None, None) => Plan::Leave,
        (Some(merged), None) => Plan::Apply(Arc::new(wanted(merged))),
        (Some(merged), Some(found)) => {
            let wanted = wanted(merged);
            if (found.kind == ServiceKind::Headless) != wanted.headless {
                return orphan(found); // a ClusterIP cannot be changed in place: it has to go before it can come back
            }
            if stands(&wanted, found) { Plan::Leave } else { Plan::Apply(Arc::new(wanted)) }
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

fn wanted(merged: &Merged) -> MirrorService {
    let mut sources = merged.sources.clone();
    sources.sort();
    MirrorService { headless: merged.headless, ports: port_names(&merged.ports), sources }
}

/// Whether the object is as it should be.
fn stands(wanted: &MirrorService, found: &Service) -> bool {
    let Owner::Mirror { sources } = &found.owner else { return true };
    // Somebody may have edited the type: the name would then lead elsewhere while everything else looks right.
    let answers = found.kind != ServiceKind::ExternalName;
    answers && *sources == wanted.sources && sorted(&found.ports) == wanted.ports
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
