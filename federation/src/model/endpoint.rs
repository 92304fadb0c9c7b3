//! EndpointSlices, pruned to what a proxy can use.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Namespace, Protocol, ServiceKey, Zone};

/// `namespace/name` of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceKey {
    pub namespace: Namespace,
    pub name: Arc<str>,
}

/// One EndpointSlice of one member. Slices that Isthmus or an MCS implementation wrote are never among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub key: SliceKey,
    /// The service it belongs to (label `kubernetes.io/service-name`).
    pub service: ServiceKey,
    pub ports: Vec<SlicePort>,
    pub endpoints: Vec<Endpoint>,
    /// The Nodes of those endpoints that have no zone of their own, by index, in order. Kept apart, because mostly there are none.
    pub nodes: Box<[(u32, Arc<str>)]>,
}

impl Slice {
    /// The same endpoints, with one text for each zone instead of one for each endpoint: there are few zones, and there
    /// may be millions of endpoints.
    pub fn share_zones(mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
        let mut zones: BTreeSet<Zone> = BTreeSet::new();
        for zone in endpoints.iter_mut().filter_map(|endpoint| endpoint.zone.as_mut()) {
            match zones.get(zone) {
                Some(shared) => zone.clone_from(shared),
                None => drop(zones.insert(zone.clone())),
            }
        }
        endpoints.shrink_to_fit();
        endpoints
    }

    /// The Node of an endpoint that has no zone of its own.
    pub fn node_of(&self, index: usize) -> Option<&Arc<str>> {
        node_at(&self.nodes, index)
    }
}

/// As [`Slice::node_of`], of [`Slice::nodes`].
pub(crate) fn node_at(nodes: &[(u32, Arc<str>)], index: usize) -> Option<&Arc<str>> {
    let index = u32::try_from(index).ok()?;
    let at = nodes.binary_search_by_key(&index, |(of, _)| *of).ok()?;
    nodes.get(at).map(|(_, node)| node)
}

/// A port of a slice. The number is the backends' own: named `targetPort`s may differ between slices and clusters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlicePort {
    pub name: Arc<str>,
    pub port: u16,
    pub protocol: Protocol,
}

/// One backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The first address of the EndpointSlice's endpoint: consumers of the API use only that one.
    pub ip: IpAddr,
    pub zone: Option<Zone>,
    pub health: Health,
    /// Which pod it is. A slice holds addresses of one family, so a pod with two is in two slices.
    pub pod: PodId,
}

/// Distinguishes the pods of one service: a digest of the identity of an endpoint in its EndpointSlice. Its size fills what
/// would be padding in [`Endpoint`], of which there may be millions. Two of 100,000 pods have the same digest with a
/// probability of 2 in 100,000; two endpoints are then joined by mistake if they are of different families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId([u8; 6]);

impl PodId {
    /// FNV-1a of the text, folded to 48 bits; never [`PodId::default`], which means "not known".
    pub fn of(text: &str) -> Self {
        let digest = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let [a, b, c, d, e, f, g, h] = digest.to_le_bytes();
        Self([a ^ g, b ^ h, c, d, e, f | 1])
    }

    /// For encodings; the inverse of [`PodId::from_bytes`].
    pub fn to_bytes(self) -> [u8; 6] {
        self.0
    }

    pub fn from_bytes(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    pub fn is_known(self) -> bool {
        self != Self::default()
    }
}

/// What a client may do with a backend, best first (EndpointSlice conditions). Which of them are used depends on all
/// backends of a client together: see [`crate::ranking::Reach`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// `ready` is true or not set.
    Ready,
    /// `terminating` and still `serving`: open requests finish. A planned loss, so traffic must not move to other tiers. It takes new
    /// requests only where no backend is ready (KEP-1669).
    Draining,
    /// Neither ready nor terminating. A loss of capacity, so traffic must move to other tiers.
    NotReady,
    /// `terminating` and not `serving`: a planned loss, never used.
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowing_the_pod_costs_no_memory() {
        assert_eq!(size_of::<Endpoint>(), 40);
        assert_eq!(size_of::<crate::model::Host>(), 20);
        assert_eq!(size_of::<crate::model::Backend>(), 56);
    }

    #[test]
    fn pods_are_distinguished() {
        let ids: BTreeSet<PodId> = (0..100_000).map(|n| PodId::of(&format!("uid:{n}"))).collect();
        assert_eq!(ids.len(), 100_000);
        assert!(ids.iter().all(|id| id.is_known()) && PodId::of("").is_known());
    }

    #[test]
    fn equal_zones_share_one_text_and_nothing_else_changes() {
        let endpoint = |last: u8, zone: Option<&str>| Endpoint {
            ip: IpAddr::from([10, 0, 0, last]),
            zone: zone.map(|zone| Zone::new(zone).expect("a zone")),
            health: Health::Ready,
            pod: PodId::default(),
        };
        let endpoints = vec![endpoint(1, Some("a")), endpoint(2, None), endpoint(3, Some("b")), endpoint(4, Some("a"))];
        let shared = Slice::share_zones(endpoints.clone());
        assert_eq!(shared, endpoints);
        let texts: Vec<_> = shared.iter().filter_map(|e| e.zone.as_ref()).map(|zone| zone.as_str().as_ptr()).collect();
        assert_eq!(texts.first(), texts.last());
        assert_ne!(texts.first(), texts.get(1));
    }
}
