//! Which regions, zones and networks exist. Clients may name any, and those that name one where there is nothing are ranked
//! alike.

use std::collections::{BTreeMap, BTreeSet};

use federation::Topology;
use federation::model::{Merged, Network, RegionId, Zone};
use federation::ranking::ClientClass;

/// Zones remembered beyond those that have endpoints: so one whose last pod is replaced is not dropped and added again.
const MAX_EMPTY: usize = 1_024;

#[derive(Default)]
pub(super) struct Locations {
    zones: Zones,
    tolerated: Tolerated,
    unused: Unused,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Location {
    Region(RegionId),
    Zone(Zone),
    Network(Network),
}

impl Locations {
    /// A service changed. Returns whether there are other zones now. Costs the service's localities.
    pub(super) fn replace(&mut self, old: Option<&Merged>, new: Option<&Merged>) -> bool {
        self.zones.replace(old, new)
    }

    pub(super) fn set_topology(&mut self, topology: &Topology) {
        self.unused = Unused::beside(topology);
    }

    /// Replaces locations where there is nothing by one such location: clients there are ranked alike, so they share load
    /// assignments, however many such locations clients name.
    pub(super) fn merge_empty(&self, client: &mut ClientClass, topology: &Topology) {
        for location in locations_of(client) {
            if self.exists(&location, topology) || self.tolerated.contains(&location) {
                continue;
            }
            match (location, &self.unused) {
                (Location::Region(_), Unused { region: Some(unused), .. }) => client.region.clone_from(unused),
                (Location::Network(_), Unused { network: Some(unused), .. }) => client.network.clone_from(unused),
                (Location::Zone(_), _) => client.zone = None,
                (Location::Region(_) | Location::Network(_), _) => {}
            }
        }
    }

    /// A class of clients is opened, see [`Tolerated`].
    pub(super) fn tolerate(&mut self, client: &ClientClass, topology: &Topology) {
        for location in locations_of(client).filter(|location| !self.exists(location, topology)).collect::<Vec<_>>() {
            self.tolerated.add(location);
        }
    }

    /// Only these classes of clients are left.
    pub(super) fn retain_tolerated<'a>(&mut self, clients: impl Iterator<Item = &'a ClientClass>) {
        self.tolerated.retain(clients);
    }

    fn exists(&self, location: &Location, topology: &Topology) -> bool {
        let Topology { members, regions, .. } = topology;
        let mut members = members.values();
        match location {
            Location::Region(id) => regions.contains_key(id) || members.any(|member| member.region == *id),
            Location::Zone(zone) => self.zones.contains(zone),
            Location::Network(network) => members.any(|member| member.network == *network),
        }
    }
}

fn locations_of(client: &ClientClass) -> impl Iterator<Item = Location> + use<> {
    let zone = client.zone.clone().map(Location::Zone);
    [Location::Region(client.region.clone()), Location::Network(client.network.clone())].into_iter().chain(zone)
}

/// Zones that have, or had, endpoints.
#[derive(Debug, Default)]
struct Zones {
    /// With the number of services that have endpoints there.
    services: BTreeMap<Zone, usize>,
}

impl Zones {
    fn contains(&self, zone: &Zone) -> bool {
        self.services.contains_key(zone)
    }

    fn replace(&mut self, old: Option<&Merged>, new: Option<&Merged>) -> bool {
        let (old, new) = (zones_of(old), zones_of(new));
        let mut changed = false;
        for zone in new.difference(&old) {
            *self.services.entry((*zone).clone()).or_insert_with(|| {
                changed = true;
                0
            }) += 1;
        }
        for zone in old.difference(&new) {
            if let Some(count) = self.services.get_mut(*zone) {
                *count = count.saturating_sub(1);
            }
        }
        if self.services.len() > MAX_EMPTY {
            let before = self.services.len();
            self.services.retain(|_, count| *count > 0);
            changed |= before != self.services.len();
        }
        changed
    }
}

fn zones_of(service: Option<&Merged>) -> BTreeSet<&Zone> {
    let backends = service.into_iter().flat_map(|service| &service.ports).flat_map(|port| &port.backends);
    backends.filter_map(|backend| backend.zone.as_ref()).collect()
}

/// Locations that clients name and where there is nothing, as far as they have load assignments of their own all the same.
/// So the first endpoint of a zone is a change like any other for the clients that are there already; only beyond
/// [`MAX_TOLERATED`] do such clients share what they are sent, and change over when their zone gets endpoints.
#[derive(Debug, Default)]
struct Tolerated {
    locations: BTreeSet<Location>,
}

/// Of regions, zones and networks together.
pub(in crate::catalog) const MAX_TOLERATED: usize = 32;

impl Tolerated {
    fn contains(&self, location: &Location) -> bool {
        self.locations.contains(location)
    }

    /// Clients that name this location connected, if there is nothing there.
    fn add(&mut self, location: Location) {
        if self.locations.len() < MAX_TOLERATED {
            self.locations.insert(location);
        }
    }

    fn retain<'a>(&mut self, clients: impl Iterator<Item = &'a ClientClass>) {
        let used: BTreeSet<Location> = clients.flat_map(locations_of).collect();
        self.locations.retain(|location| used.contains(location));
    }
}

/// Names that no region and no network of the topology has.
#[derive(Debug, Default)]
struct Unused {
    region: Option<RegionId>,
    network: Option<Network>,
}

impl Unused {
    fn beside(topology: &Topology) -> Self {
        let names = || (0..).map(|number: u32| format!("nowhere-{number}"));
        let members = || topology.members.values();
        let is_region = |id: &RegionId| topology.regions.contains_key(id) || members().any(|place| place.region == *id);
        let is_network = |network: &Network| members().any(|place| place.network == *network);
        Self {
            region: names().filter_map(|name| RegionId::new(&name).ok()).find(|id| !is_region(id)),
            network: names().filter_map(|name| Network::new(&name).ok()).find(|network| !is_network(network)),
        }
    }
}
