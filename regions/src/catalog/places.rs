//! Which places exist. Clients may name any, and those that name one where there is nothing are ranked alike.

use std::collections::{BTreeMap, BTreeSet};

use federation::Topology;
use federation::model::{Merged, Network, RegionId, Zone};
use federation::view::ClientClass;

/// Zones remembered beyond those that have endpoints: one whose last pod is replaced need not go and come back.
const MAX_EMPTY: usize = 1_024;

/// Zones that have, or had, endpoints.
#[derive(Debug, Default)]
pub(super) struct Zones {
    /// With the number of services that have endpoints there.
    services: BTreeMap<Zone, usize>,
}

impl Zones {
    pub(super) fn contains(&self, zone: &Zone) -> bool {
        self.services.contains_key(zone)
    }

    /// A service changed. Returns whether there are other zones now. Costs the service's localities.
    pub(super) fn replace(&mut self, old: Option<&Merged>, new: Option<&Merged>) -> bool {
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

/// Places that clients name and where there is nothing, as far as they have load assignments of their own all the same. So
/// the first endpoint of a zone is a change like any other for the clients that are there already; only beyond
/// [`MAX_TOLERATED`] of a kind do such clients share what they are sent, and change over when their zone gets endpoints.
#[derive(Debug, Default)]
pub(super) struct Tolerated {
    places: BTreeSet<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Region(RegionId),
    Zone(Zone),
    Network(Network),
}

/// Of regions, zones and networks together.
pub(super) const MAX_TOLERATED: usize = 32;

impl Tolerated {
    pub(super) fn contains(&self, place: &Place) -> bool {
        self.places.contains(place)
    }

    /// Clients that name this place come, if there is nothing there.
    pub(super) fn add(&mut self, place: Place) {
        if self.places.len() < MAX_TOLERATED {
            self.places.insert(place);
        }
    }

    /// Only these are left.
    pub(super) fn retain<'a>(&mut self, clients: impl Iterator<Item = &'a ClientClass>) {
        let used: BTreeSet<Place> = clients.flat_map(places_of).collect();
        self.places.retain(|place| used.contains(place));
    }
}

pub(super) fn places_of(client: &ClientClass) -> impl Iterator<Item = Place> + use<> {
    let zone = client.zone.clone().map(Place::Zone);
    [Place::Region(client.region.clone()), Place::Network(client.network.clone())].into_iter().chain(zone)
}

/// Names that no region and no network of the topology has.
#[derive(Debug, Default)]
pub(super) struct Nowhere {
    pub(super) region: Option<RegionId>,
    pub(super) network: Option<Network>,
}

impl Nowhere {
    pub(super) fn beside(topology: &Topology) -> Self {
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
