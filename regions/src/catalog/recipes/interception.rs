//! The listeners that interception sends every connection of a pod to (`virtualOutbound`).

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::on_demand_listeners::Destinations;
use super::{Constant, Maker, Recipe};
use crate::catalog::output::Output;
use crate::resource::{Resource, ResourceType};
use crate::translate::outbound::{self, Plan};

/// Everything passes through: for sidecars whose cluster is no admitted member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct PassthroughListeners {
    pub(in crate::catalog) listen: IpAddr,
    pub(in crate::catalog) on_demand: bool,
}

impl Recipe for PassthroughListeners {
    const TYPE: ResourceType = ResourceType::Listener;

    fn start(&self) -> Box<dyn Maker> {
        Box::new(Constant(Outbound::passthrough(self.listen, self.on_demand).collect()))
    }
}

/// The listeners of one member's sidecars, and whether they have to be made again.
pub(super) struct Outbound {
    listen: IpAddr,
    /// The member's service ranges. Empty while it is not a member, and then everything passes through.
    ranges: Vec<IpNet>,
    is_outdated: bool,
}

impl Outbound {
    pub(super) fn new(listen: IpAddr) -> Self {
        Self { listen, ranges: Vec::new(), is_outdated: true }
    }

    /// Those behind which everything passes through: for clients of no admitted member.
    pub(super) fn passthrough(listen: IpAddr, on_demand: bool) -> impl Iterator<Item = Resource> {
        let mut outbound = Self::new(listen);
        let plan = on_demand.then(Plan::default);
        outbound.make(plan.as_ref()).into_iter().filter_map(|(_, listener)| listener)
    }

    /// The service ranges of the member.
    pub(super) fn set_ranges(&mut self, ranges: &[IpNet]) {
        if self.ranges != ranges {
            self.ranges = ranges.to_vec();
            self.is_outdated = true;
        }
    }

    pub(super) fn plan_changed(&mut self) {
        self.is_outdated = true;
    }

    /// Puts what changed, where each VIP has a listener of its own.
    pub(super) fn settle_eager(&mut self, output: &mut Output<'_>) {
        if self.is_outdated {
            put(self.make(None), output);
        }
    }

    /// Puts what changed, where these destinations have no listeners of their own.
    pub(super) fn settle_planned(&mut self, destinations: &Destinations, output: &mut Output<'_>) {
        if self.is_outdated {
            let plan = destinations.plan(&self.ranges);
            put(self.make(Some(&plan)), output);
        }
    }

    /// Listeners that must be there (`Some`) or must not.
    fn make(&mut self, plan: Option<&Plan>) -> Vec<(&'static str, Option<Resource>)> {
        self.is_outdated = false;
        let has_v6 = self.ranges.iter().any(|net| net.addr().is_ipv6());
        // A second listener is of use only to a member that has IPv6; the first serves all that passes through.
        let wanted = |index: usize| index == 0 || has_v6;
        let listener = |name, at: SocketAddr| match plan {
            Some(plan) => outbound::on_demand(name, at, plan),
            None => outbound::eager(name, at),
        };
        let addresses = outbound::addresses(self.listen).into_iter().enumerate();
        addresses.map(|(i, (name, at))| (name, wanted(i).then(|| listener(name, at)))).collect()
    }
}

fn put(listeners: Vec<(&'static str, Option<Resource>)>, output: &mut Output<'_>) {
    for (name, listener) in listeners {
        match listener {
            Some(listener) => output.put(listener),
            None => output.remove(name),
        }
    }
}
