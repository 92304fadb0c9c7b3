//! Listeners of a sidecar that follows all clusters: one for each VIP and port of a federated service, and one that sends
//! everything else on, untouched.

use std::net::{IpAddr, SocketAddr};

use federation::model::{AppProtocol, ClusterId, ServiceKey};

use super::interception::Outbound;
use super::{Keyed, KeyedRecipe, Maker, Recipe};
use crate::catalog::facts::{Changes, Facts};
use crate::catalog::output::Output;
use crate::resource::{Resource, ResourceType};
use crate::translate::route::RoutedPort;
use crate::translate::{listener, names, outbound};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct VipListeners {
    pub(in crate::catalog) member: ClusterId,
    pub(in crate::catalog) listen: IpAddr,
}

impl Recipe for VipListeners {
    const TYPE: ResourceType = ResourceType::Listener;

    fn start(&self) -> Box<dyn Maker> {
        let of_vips = Keyed::new(OfVips(self.clone()));
        Box::new(All { of_vips, outbound: Outbound::new(self.listen) })
    }
}

/// Those of the VIPs, and the one that interception sends everything to.
struct All {
    of_vips: Keyed<OfVips>,
    outbound: Outbound,
}

impl Maker for All {
    fn fill(&mut self, facts: &Facts, output: &mut Output<'_>) {
        self.of_vips.fill(facts, output);
        self.outbound.set_ranges(facts.service_ranges(&self.of_vips.recipe.0.member));
        self.outbound.settle_eager(output);
    }

    fn update(&mut self, changes: &Changes, facts: &Facts, output: &mut Output<'_>) {
        self.of_vips.update(changes, facts, output);
        if changes.topology {
            self.outbound.set_ranges(facts.service_ranges(&self.of_vips.recipe.0.member));
            self.outbound.settle_eager(output);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OfVips(VipListeners);

impl KeyedRecipe for OfVips {
    const TYPE: ResourceType = ResourceType::Listener;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.known_in(&self.0.member).collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes_and_vips_of(&self.0.member)
    }

    /// A listener for each TCP-transport port of each VIP.
    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let vips = facts.federated_vips(&self.0.member, key);
        let ports = facts.routed_ports(key).into_iter();
        let all = ports.flat_map(|port| vips.iter().map(move |vip| (port, SocketAddr::new(*vip, port.port))));
        // Envoy rejects a second listener of one address, and the one that interception sends everything to is the more
        // important.
        let taken = outbound::addresses(self.0.listen);
        let others = all.filter(|(_, at)| taken.iter().all(|(_, taken)| taken != at));
        let listener = |(port, at): (RoutedPort, SocketAddr)| {
            let cluster = names::outbound(port.port, key);
            match port.app {
                AppProtocol::Http | AppProtocol::Http2 => listener::http_vip(at, &cluster),
                AppProtocol::Tcp => listener::tcp_vip(at, &cluster),
            }
        };
        others.map(listener).collect()
    }
}
