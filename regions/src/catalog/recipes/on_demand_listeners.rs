//! Listeners of a sidecar that fetches clusters when it needs them. They hold a plan: what happens to connections to each
//! port number that federated services use. A further service on a port number in use changes nothing, unless it is an
//! exception to what the port usually does.

mod destinations;

use std::collections::BTreeMap;
use std::net::IpAddr;

use federation::model::{AppProtocol, ClusterId, Protocol, ServiceKey};

use super::interception::Outbound;
use super::{Maker, Recipe};
use crate::catalog::facts::{Changes, Facts};
use crate::catalog::output::Output;
use crate::resource::ResourceType;
pub(super) use destinations::Destinations;
use destinations::{Use, Uses};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct OnDemandListeners {
    pub(in crate::catalog) member: ClusterId,
    pub(in crate::catalog) listen: IpAddr,
}

impl Recipe for OnDemandListeners {
    const TYPE: ResourceType = ResourceType::Listener;

    fn start(&self) -> Box<dyn Maker> {
        let outbound = Outbound::new(self.listen);
        Box::new(Planned { member: self.member.clone(), outbound, destinations: Destinations::default() })
    }
}

struct Planned {
    member: ClusterId,
    outbound: Outbound,
    destinations: Destinations,
}

impl Maker for Planned {
    fn fill(&mut self, facts: &Facts, output: &mut Output<'_>) {
        self.outbound.set_ranges(facts.service_ranges(&self.member));
        let keys: Vec<&ServiceKey> = facts.known_in(&self.member).collect();
        self.renew(&keys, facts, output);
    }

    fn update(&mut self, changes: &Changes, facts: &Facts, output: &mut Output<'_>) {
        if changes.topology {
            self.outbound.set_ranges(facts.service_ranges(&self.member));
        }
        self.renew(&changes.shapes_and_vips_of(&self.member), facts, output);
    }
}

impl Planned {
    /// The listeners follow from all of these together, so that a VIP that moves from one service to another is seen where
    /// it ends.
    fn renew(&mut self, keys: &[&ServiceKey], facts: &Facts, output: &mut Output<'_>) {
        for key in keys {
            output.count_key();
            if self.destinations.set(key, uses(&self.member, key, facts)) {
                self.outbound.plan_changed();
            }
        }
        self.outbound.settle_planned(&self.destinations, output);
    }
}

/// The destinations that one service needs in a member.
fn uses(member: &ClusterId, key: &ServiceKey, facts: &Facts) -> Uses {
    let mut uses: Uses = BTreeMap::new();
    let Some((known, ips)) = facts.vips(member, key) else { return uses };
    let federated = known.federated && facts.services.contains_key(key);
    for ip in &ips {
        // A mirror whose source is not known yet may well be federated: then it must not be left alone.
        let local = known.ports.iter().filter(|(_, protocol)| *protocol == Protocol::Tcp && !known.awaits_source);
        uses.extend(local.map(|(port, _)| ((*port, *ip), Use::Untouched)));
        if federated {
            uses.extend(facts.routed_ports(key).into_iter().map(|port| match port.app {
                AppProtocol::Http | AppProtocol::Http2 => ((port.port, *ip), Use::Http),
                AppProtocol::Tcp => ((port.port, *ip), Use::Tcp),
            }));
        }
    }
    uses
}
