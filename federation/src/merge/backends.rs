//! From the endpoints of one contributor's slices to the hosts of one port. One pod is one host, although it may be in
//! several slices: in two for a moment while the EndpointSlice controller moves it, and always in one for each family.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::model::{Backend, ClusterId, Health, Host, Node, PodId, Protocol, SecondAddresses, Zone};
use crate::packed::{EndpointRef, PackedSlice};

/// An endpoint as one slice shows it.
#[derive(Clone, Copy)]
pub(super) struct Sighting<'a> {
    ip: IpAddr,
    health: Health,
    zone: Option<&'a Zone>,
    pod: PodId,
}

impl<'a> Sighting<'a> {
    /// The endpoint's own zone, else that of its Node.
    pub(super) fn of(
        slice: &'a PackedSlice,
        index: usize,
        endpoint: EndpointRef<'a>,
        nodes: &'a BTreeMap<Arc<str>, Node>,
    ) -> Self {
        let of_node = || nodes.get(slice.node_of(index)?)?.zone.as_ref();
        let EndpointRef { ip, zone, health, pod } = endpoint;
        Self { ip, health, zone: zone.or_else(of_node), pod }
    }
}

/// All sightings of an address, or of a pod's two addresses, joined.
struct Found<'a> {
    address: SocketAddr,
    second: Option<IpAddr>,
    health: Health,
    zone: Option<&'a Zone>,
    pod: PodId,
}

impl<'a> Found<'a> {
    /// Both are the same host. The best state counts: a slice may be updated late. A zone that is known is
    /// better than none.
    fn absorb(&mut self, other: &Self) {
        self.health = self.health.min(other.health);
        self.zone = self.zone.or(other.zone);
        if !self.pod.is_known() {
            self.pod = other.pod;
        }
    }

    fn of(sighting: Sighting<'a>, port: u16) -> Self {
        let Sighting { ip, health, zone, pod } = sighting;
        Self { address: SocketAddr::new(ip, port), second: None, health, zone, pod }
    }

    /// By address, then the best first, then the known before the unknown: the order of the slices does not matter.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let key = |found: &Self| (found.address, found.health, found.zone.is_none());
        key(self).cmp(&key(other)).then_with(|| (self.zone, other.pod).cmp(&(other.zone, self.pod)))
    }
}

/// Slices with their endpoints that may be served.
type Usable<'a> = [(&'a PackedSlice, Vec<Sighting<'a>>)];

/// Where the ports of a contributor's slices are: each service port is looked up in it, instead of in every slice's list.
pub(super) struct PortIndex<'a>(HashMap<(&'a str, Protocol), Vec<(usize, u16)>>);

impl<'a> PortIndex<'a> {
    pub(super) fn of(endpoints: &Usable<'a>) -> Self {
        let mut index: HashMap<_, Vec<(usize, u16)>> = HashMap::new();
        for (at, (slice, _)) in endpoints.iter().enumerate() {
            for port in &*slice.ports {
                index.entry((&*port.name, port.protocol)).or_default().push((at, port.port));
            }
        }
        Self(index)
    }

    /// Slices by index, with the number of the port there.
    pub(super) fn of_port<'s>(&'s self, name: &'s str, protocol: Protocol) -> &'s [(usize, u16)] {
        self.0.get(&(name, protocol)).map_or(&[], Vec::as_slice)
    }
}

/// The hosts of one port of one contributor.
pub(super) struct Gathered {
    pub(super) backends: Vec<Backend>,
    /// How many there was no room for, counted before sightings of the same host are joined.
    pub(super) left_out: usize,
}

/// Hosts of one port by zone. `room`: how many more the service may have; what is taken is deducted.
pub(super) fn backends<'a>(
    cluster: &ClusterId,
    endpoints: &Usable<'a>,
    at: &[(usize, u16)],
    room: &mut usize,
) -> Gathered {
    let mut found: Vec<Found<'a>> = Vec::new();
    let mut left_out = 0;
    for (slice, port) in at {
        let Some((_, sightings)) = endpoints.get(*slice) else { continue };
        let taken = sightings.len().min(*room - found.len());
        left_out += sightings.len() - taken;
        found.extend(sightings.iter().take(taken).map(|sighting| Found::of(*sighting, *port)));
    }
    found.sort_unstable_by(Found::order);
    found.dedup_by(|later, kept| {
        let same = later.address == kept.address;
        if same {
            kept.absorb(later);
        }
        same
    });
    join_families(&mut found);
    *room -= found.len();
    Gathered { backends: by_zone(cluster, &found), left_out }
}

/// Joins the two addresses of each pod, where it is clear which these are: one of each family, on one port. Costs nothing
/// where there is only one family.
fn join_families(found: &mut Vec<Found<'_>>) {
    let first_v6 = found.partition_point(|found| found.address.is_ipv4());
    if first_v6 == 0 || first_v6 == found.len() {
        return;
    }
    let mut pods: HashMap<(PodId, u16), [Vec<usize>; 2]> = HashMap::new();
    for (index, found) in found.iter().enumerate().filter(|(_, found)| found.pod.is_known()) {
        let [v4, v6] = pods.entry((found.pod, found.address.port())).or_default();
        if index < first_v6 { v4 } else { v6 }.push(index);
    }
    let mut v6 = found.split_off(first_v6);
    let mut joined = vec![false; v6.len()];
    for places in pods.into_values() {
        let [[v4], [at]] = [places[0].as_slice(), places[1].as_slice()] else { continue };
        let at = at - first_v6;
        let (Some(host), Some(second), Some(joined)) = (found.get_mut(*v4), v6.get(at), joined.get_mut(at)) else {
            continue;
        };
        host.absorb(second);
        host.second = Some(second.address.ip());
        *joined = true;
    }
    let mut joined = joined.into_iter();
    v6.retain(|_| !joined.next().unwrap_or_default());
    found.append(&mut v6);
}

type WithSeconds = (Vec<Host>, Vec<(u32, IpAddr)>);

fn by_zone(cluster: &ClusterId, found: &[Found<'_>]) -> Vec<Backend> {
    let mut zones: BTreeMap<Option<&Zone>, WithSeconds> = BTreeMap::new();
    for Found { address, second, health, zone, .. } in found {
        let (hosts, seconds) = zones.entry(*zone).or_default();
        if let (Some(second), Ok(index)) = (second, u32::try_from(hosts.len())) {
            seconds.push((index, *second));
        }
        hosts.push(Host::new(*address, *health));
    }
    let backend = |(zone, (hosts, seconds)): (Option<&Zone>, WithSeconds)| Backend {
        cluster: cluster.clone(),
        zone: zone.cloned(),
        hosts: hosts.into(),
        second: SecondAddresses::new(seconds),
    };
    zones.into_iter().map(backend).collect()
}
