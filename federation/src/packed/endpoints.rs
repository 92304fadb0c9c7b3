//! The endpoints of one slice.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::Pools;
use crate::model::{Endpoint, Health, PodId, Zone};

/// The same as a list of [`Endpoint`]s, in the same order: 16 bytes for each IPv4 address, 28 if there is any other.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// The zones that they are in, sorted, each once; `None` is that of an endpoint without one. There are few zones, so that most
    /// slices share a list.
    zones: Arc<[Option<Zone>]>,
    packed: Packed,
}

/// A slice holds addresses of one family.
#[derive(Debug)]
enum Packed {
    V4(Box<[PackedEndpoint<Ipv4Addr>]>),
    Any(Box<[PackedEndpoint<IpAddr>]>),
}

#[derive(Clone, Copy, Debug)]
struct PackedEndpoint<A> {
    /// Index of its zone.
    zone: u32,
    ip: A,
    pod: PodId,
    health: Health,
}

/// An [`Endpoint`] as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndpointRef<'a> {
    pub ip: IpAddr,
    pub zone: Option<&'a Zone>,
    pub health: Health,
    pub pod: PodId,
}

impl Endpoints {
    pub fn pack(endpoints: &[Endpoint], pools: &mut Pools) -> Self {
        let mut zones: Vec<&Option<Zone>> = endpoints.iter().map(|endpoint| &endpoint.zone).collect();
        zones.sort_unstable();
        zones.dedup();
        let zones = pools.zones(&zones.into_iter().cloned().collect::<Vec<_>>());
        let v4 = |endpoint: &Endpoint| match endpoint.ip {
            IpAddr::V4(ip) => Some(pack(endpoint, ip, &zones)),
            IpAddr::V6(_) => None,
        };
        let packed = match endpoints.iter().map(v4).collect() {
            Some(list) => Packed::V4(list),
            None => Packed::Any(endpoints.iter().map(|endpoint| pack(endpoint, endpoint.ip, &zones)).collect()),
        };
        Self { zones, packed }
    }

    pub fn len(&self) -> usize {
        match &self.packed {
            Packed::V4(list) => list.len(),
            Packed::Any(list) => list.len(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = EndpointRef<'_>> {
        let (v4, any): (&[_], &[_]) = match &self.packed {
            Packed::V4(list) => (list, &[]),
            Packed::Any(list) => (&[], list),
        };
        v4.iter().map(|packed| self.read(packed)).chain(any.iter().map(|packed| self.read(packed)))
    }

    fn read<A: Copy + Into<IpAddr>>(&self, packed: &PackedEndpoint<A>) -> EndpointRef<'_> {
        let PackedEndpoint { zone, ip, pod, health } = *packed;
        EndpointRef { ip: ip.into(), zone: self.zones.get(zone as usize).and_then(Option::as_ref), health, pod }
    }
}

impl PartialEq<[Endpoint]> for Endpoints {
    fn eq(&self, other: &[Endpoint]) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter().map(EndpointRef::from))
    }
}

impl<'a> From<&'a Endpoint> for EndpointRef<'a> {
    fn from(Endpoint { ip, zone, health, pod }: &'a Endpoint) -> Self {
        Self { ip: *ip, zone: zone.as_ref(), health: *health, pod: *pod }
    }
}

fn pack<A>(endpoint: &Endpoint, ip: A, zones: &[Option<Zone>]) -> PackedEndpoint<A> {
    // It is always found: the list was made of these endpoints.
    let zone = zones.binary_search(&endpoint.zone).unwrap_or_else(|at| at);
    PackedEndpoint { zone: u32::try_from(zone).unwrap_or(u32::MAX), ip, pod: endpoint.pod, health: endpoint.health }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn any_endpoint() -> impl Strategy<Value = Endpoint> {
        let ip = prop_oneof![9 => any::<Ipv4Addr>().prop_map(IpAddr::V4), 1 => any::<IpAddr>()];
        let zone = option::of("[a-e]").prop_map(|name| name.map(|name| Zone::new(&name).expect("a zone")));
        let health = prop::sample::select(vec![Health::Ready, Health::Draining, Health::NotReady, Health::Ended]);
        let pod = any::<[u8; 6]>().prop_map(PodId::from_bytes);
        (ip, zone, health, pod).prop_map(|(ip, zone, health, pod)| Endpoint { ip, zone, health, pod })
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_is_read(endpoints in vec(any_endpoint(), 0..8)) {
            let packed = Endpoints::pack(&endpoints, &mut Pools::default());
            prop_assert_eq!(packed.len(), endpoints.len());
            let read: Vec<_> = packed.iter().collect();
            prop_assert_eq!(read, endpoints.iter().map(EndpointRef::from).collect::<Vec<_>>());
        }

        #[test]
        fn only_equal_lists_are_equal(
            one in vec(any_endpoint(), 0..4), other in vec(any_endpoint(), 0..4), at in any::<prop::sample::Index>()
        ) {
            let mut pools = Pools::default();
            let packed = Endpoints::pack(&one, &mut pools);
            prop_assert!(packed == *one);
            prop_assert_eq!(packed == *other, one == other);
            // And with one endpoint that differs.
            if let (false, Some(another)) = (one.is_empty(), other.first()) {
                let mut changed = one.clone();
                changed[at.index(one.len())] = another.clone();
                prop_assert_eq!(packed == *changed, one == changed);
            }
        }
    }

    #[test]
    fn an_endpoint_is_small() {
        assert_eq!(size_of::<PackedEndpoint<Ipv4Addr>>(), 16);
        assert_eq!(size_of::<PackedEndpoint<IpAddr>>(), 28);
    }
}
