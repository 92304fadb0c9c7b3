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

/// One EndpointSlice of one member. Slices that we or an MCS implementation wrote never get here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub key: SliceKey,
    /// The service it belongs to (label `kubernetes.io/service-name`).
    pub service: ServiceKey,
    pub ports: Vec<SlicePort>,
    pub endpoints: Vec<Endpoint>,
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
}

/// A port of a slice. The number is the backends' own: named `targetPort`s may differ between slices and clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// What a client may do with a backend, best first (EndpointSlice conditions). Which of them are used is a matter of all
/// backends of a client together: see [`crate::view::Reach`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// `ready` is true or not set.
    Ready,
    /// `terminating` and still `serving`: finish what is under way. A planned loss, so it must not spill. It takes new
    /// requests only where no backend is ready (KEP-1669).
    Draining,
    /// Neither ready nor terminating. A loss of capacity, so it must spill.
    NotReady,
    /// `terminating` and not `serving`: a planned loss, never used.
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_zones_share_one_text_and_nothing_else_changes() {
        let endpoint = |last: u8, zone: Option<&str>| Endpoint {
            ip: IpAddr::from([10, 0, 0, last]),
            zone: zone.map(|zone| Zone::new(zone).expect("a zone")),
            health: Health::Ready,
        };
        let endpoints = vec![endpoint(1, Some("a")), endpoint(2, None), endpoint(3, Some("b")), endpoint(4, Some("a"))];
        let shared = Slice::share_zones(endpoints.clone());
        assert_eq!(shared, endpoints);
        let texts: Vec<_> = shared.iter().filter_map(|e| e.zone.as_ref()).map(|zone| zone.as_str().as_ptr()).collect();
        assert_eq!(texts.first(), texts.last());
        assert_ne!(texts.first(), texts.get(1));
    }
}
