//! Services.

use std::net::IpAddr;
use std::sync::Arc;

use super::identity::Identity;
use super::pool::Pools;
use crate::change::Object;
use crate::model::{
    Affinity, Families, HelmRelease, Labels, Mark, Owner, Service, ServiceKey, ServiceKind, ServicePort, Time,
};

/// The same as a [`Service`].
#[derive(Debug)]
pub(crate) struct PackedService {
    pub key: ServiceKey,
    pub identity: Identity,
    pub created: Time,
    pub labels: Labels,
    pub kind: ServiceKind,
    pub cluster_ips: Box<[IpAddr]>,
    pub families: Option<Families>,
    /// Most services have the same ports in all members, and many have those of others.
    pub ports: Arc<[ServicePort]>,
    pub affinity: Affinity,
    pub owner: Owner,
    pub node_local: bool,
    pub helm: Option<Arc<HelmRelease>>,
    rare: Option<Box<Rare>>,
}

/// What most Services do not have.
#[derive(Debug, Default, PartialEq)]
struct Rare {
    derived_by: Option<&'static str>,
    hint: Option<Arc<str>>,
}

impl PackedService {
    pub fn pack(service: Service, pools: &mut Pools) -> Self {
        let Service {
            key,
            uid,
            resource_version,
            created,
            labels,
            kind,
            cluster_ips,
            families,
            ports,
            affinity,
            owner,
            node_local,
            derived_by,
            hint,
            helm,
        } = service;
        let rare = Rare { derived_by, hint };
        Self {
            key: pools.service_key(key),
            identity: Identity::pack(uid, resource_version),
            created,
            labels: pools.labels(labels),
            kind,
            cluster_ips: cluster_ips.into(),
            families,
            ports: pools.service_ports(&ports),
            affinity,
            owner,
            node_local,
            helm,
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        }
    }

    /// As [`Service::is_mirror`].
    pub fn is_mirror(&self) -> bool {
        self.owner.is_mirror()
    }

    /// As [`Service::mark`].
    pub fn mark(&self) -> Option<&Mark> {
        self.owner.mark()
    }

    /// As [`Service::derived_by`].
    pub fn derived_by(&self) -> Option<&'static str> {
        self.rare.as_ref()?.derived_by
    }

    /// As [`Service::hint`].
    pub fn hint(&self) -> Option<&Arc<str>> {
        self.rare.as_ref()?.hint.as_ref()
    }
}

impl Object for PackedService {
    type Key = ServiceKey;
    fn key(&self) -> &ServiceKey {
        &self.key
    }
}

impl PartialEq<Service> for PackedService {
    fn eq(&self, other: &Service) -> bool {
        let Service {
            key,
            uid,
            resource_version,
            created,
            labels,
            kind,
            cluster_ips,
            families,
            ports,
            affinity,
            owner,
            node_local,
            derived_by,
            hint,
            helm,
        } = other;
        self.identity.is(uid, resource_version)
            && self.key == *key
            && (self.created, self.kind, self.families) == (*created, *kind, *families)
            && (self.affinity, self.node_local) == (*affinity, *node_local)
            && *self.cluster_ips == **cluster_ips
            && *self.ports == **ports
            && self.labels == *labels
            && self.owner == *owner
            && (self.derived_by(), self.hint()) == (*derived_by, hint.as_ref())
            && self.helm == *helm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::make;

    /// Services that differ from each other in one field or more.
    fn services() -> Vec<Service> {
        let base = || make::service("shop/web", "http:80", "10.0.0.1");
        let mirror = |sources: &str| make::mirror("shop/web", "http:80", "10.0.0.1", sources);
        let hint = |text: &str| Service { hint: Some(text.into()), ..base() };
        vec![
            base(),
            Service { key: make::key("shop/api"), ..base() },
            Service { key: make::key("other/web"), ..base() },
            Service { uid: "other".into(), ..base() },
            Service { uid: "7f0c12ab-3b1d-4c7e-9a52-00005e8d9b7a".into(), ..base() },
            Service { resource_version: "2".into(), ..base() },
            Service { created: make::at(7), ..base() },
            Service { labels: make::labels("app=web"), ..base() },
            Service { labels: make::labels("app=web tier=front"), ..base() },
            Service { kind: ServiceKind::ExternalName, ..base() },
            Service { cluster_ips: make::ips("10.0.0.2"), ..base() },
            Service { cluster_ips: make::ips("10.0.0.1 fd00::1"), ..base() },
            Service { cluster_ips: Vec::new(), ..base() },
            Service { families: None, ..base() },
            Service { ports: make::ports("http:81"), ..base() },
            Service { ports: make::ports("http:80 dns:53/UDP"), ..base() },
            Service { ports: make::ports("http:80=grpc"), ..base() },
            Service { affinity: Affinity::ClientIp { timeout_s: 5 }, ..base() },
            Service { owner: Owner::Lookalike, ..base() },
            mirror("eu-1"),
            mirror("eu-1 us-1"),
            Service { node_local: true, ..base() },
            Service { derived_by: Some(crate::model::product::GKE), ..base() },
            hint("a"),
            hint("b"),
            Service { derived_by: Some(crate::model::product::GKE), ..hint("a") },
            Service { helm: make::helm("shop/web"), ..base() },
        ]
    }

    #[test]
    fn it_is_equal_to_what_it_was_made_of_and_to_nothing_else() {
        let mut pools = Pools::default();
        let packed: Vec<_> = services().into_iter().map(|service| PackedService::pack(service, &mut pools)).collect();
        for (i, packed) in packed.iter().enumerate() {
            for (j, service) in services().iter().enumerate() {
                assert_eq!(packed == service, i == j, "{packed:?} and {service:?}");
            }
        }
    }

    #[test]
    fn what_is_read_is_what_was_packed() {
        for service in services() {
            let packed = PackedService::pack(service.clone(), &mut Pools::default());
            assert_eq!(
                (packed.identity.uid(), packed.identity.resource_version()),
                (service.uid.clone(), service.resource_version.clone())
            );
            assert_eq!((packed.derived_by(), packed.hint()), (service.derived_by, service.hint.as_ref()));
            assert_eq!((packed.is_mirror(), packed.mark()), (service.is_mirror(), service.mark()));
        }
    }

    #[test]
    fn equal_labels_and_ports_are_one_list() {
        let mut pools = Pools::default();
        let mut pack = |name: &str| {
            let service = make::service(name, "http:80", "10.0.0.1");
            PackedService::pack(Service { labels: make::labels("app=web"), ..service }, &mut pools)
        };
        let (one, other) = (pack("shop/web"), pack("shop/api"));
        assert!(Arc::ptr_eq(&one.ports, &other.ports));
        let texts = |service: &PackedService| service.labels.get("app").map(str::as_ptr);
        assert_eq!(texts(&one), texts(&other));
    }
}
