//! The listeners behind interception (`virtualOutbound`) of one class of clients.
//!
//! For eager clients they are constant: each VIP and port of a federated service has a listener of its own beside them.
//! For clients that fetch clusters on demand they hold a plan: what happens to connections to each port number that
//! federated services use. A further service on a port number in use changes nothing, unless it is an exception to what
//! the port usually does.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use federation::model::ServiceKey;
use ipnet::IpNet;

use crate::resource::Resource;
use crate::translate::outbound::{self, Chain, Plan, PortPlan};

/// What one service wants at one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Http,
    Tcp,
    /// It is not federated there.
    Untouched,
}

/// All destinations of one service in one member. Sorted, so that equal means equal.
pub(super) type Uses = BTreeMap<(u16, IpAddr), Use>;

/// A listener that must be there (`Some`) or must not.
pub(super) type Change = (&'static str, Option<Resource>);

pub(super) struct Listeners {
    listen: IpAddr,
    /// The member's service ranges. Empty while it is not a member, and then everything passes through.
    ranges: Vec<IpNet>,
    /// `None`: each VIP has a listener of its own.
    on_demand: Option<Destinations>,
    dirty: bool,
}

/// Where the services of one member are reached.
#[derive(Default)]
struct Destinations {
    of_services: HashMap<ServiceKey, Uses>,
    /// Port numbers that any service has, federated or not.
    ports: BTreeMap<u16, Port>,
}

#[derive(Default, PartialEq, Eq)]
struct Port {
    total: Count,
    /// Destinations that are not HTTP.
    others: BTreeMap<IpAddr, Count>,
}

/// How many services want what. While a VIP moves, two want the same destination until the batch is settled.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    http: usize,
    tcp: usize,
    untouched: usize,
}

impl Listeners {
    pub(super) fn new(listen: IpAddr, on_demand: bool) -> Self {
        Self { listen, ranges: Vec::new(), on_demand: on_demand.then(Destinations::default), dirty: true }
    }

    /// Those behind which everything passes through: for clients of no admitted member.
    pub(super) fn passthrough(listen: IpAddr, on_demand: bool) -> impl Iterator<Item = Resource> {
        Self::new(listen, on_demand).settle().into_iter().filter_map(|(_, listener)| listener)
    }

    /// Whether VIPs have no listeners of their own, and their services must be reported by [`Listeners::set`].
    pub(super) fn is_on_demand(&self) -> bool {
        self.on_demand.is_some()
    }

    /// What a service wants from now on.
    pub(super) fn set(&mut self, key: &ServiceKey, uses: Uses) {
        if let Some(destinations) = &mut self.on_demand {
            self.dirty |= destinations.set(key, uses);
        }
    }

    /// The service ranges of the member.
    pub(super) fn set_ranges(&mut self, ranges: &[IpNet]) {
        if self.ranges != ranges {
            self.ranges = ranges.to_vec();
            self.dirty = true;
        }
    }

    /// What follows from everything since the last call. To be called once per batch, so that a VIP that moves from one
    /// service to another is seen where it ends.
    pub(super) fn settle(&mut self) -> Vec<Change> {
        if !std::mem::take(&mut self.dirty) {
            return Vec::new();
        }
        let has_v6 = self.ranges.iter().any(|net| net.addr().is_ipv6());
        // A second listener is of use only to a member that has IPv6; the first serves all that passes through.
        let wanted = |index: usize| index == 0 || has_v6;
        let plan = self.on_demand.as_ref().map(|destinations| destinations.plan(&self.ranges));
        let listener = |name, at: SocketAddr| match &plan {
            Some(plan) => outbound::on_demand(name, at, plan),
            None => outbound::eager(name, at),
        };
        let addresses = outbound::addresses(self.listen).into_iter().enumerate();
        addresses.map(|(i, (name, at))| (name, wanted(i).then(|| listener(name, at)))).collect()
    }
}

impl Destinations {
    /// Returns whether the plan may differ.
    fn set(&mut self, key: &ServiceKey, new: Uses) -> bool {
        let old = match new.is_empty() {
            true => self.of_services.remove(key),
            false => self.of_services.insert(key.clone(), new.clone()),
        };
        let old = old.unwrap_or_default();
        let mut changed = false;
        for (at, was) in old.iter().filter(|(at, was)| new.get(at) != Some(was)) {
            changed |= self.change(*at, *was, false);
        }
        for (at, wish) in new.iter().filter(|(at, wish)| old.get(at) != Some(wish)) {
            changed |= self.change(*at, *wish, true);
        }
        changed
    }

    /// Adds or removes one destination; returns whether the plan may differ.
    fn change(&mut self, (number, ip): (u16, IpAddr), wish: Use, there: bool) -> bool {
        let port = self.ports.entry(number).or_default();
        let before = port.total.usually();
        port.total.count(wish, there);
        if wish != Use::Http {
            let destination = port.others.entry(ip).or_default();
            destination.count(wish, there);
            if *destination == Count::default() {
                port.others.remove(&ip);
            }
        }
        let after = port.total.usually();
        if port.total == Count::default() {
            self.ports.remove(&number);
        }
        before != after || after.is_some_and(|usually| usually != wish.chain())
    }

    fn plan(&self, ranges: &[IpNet]) -> Plan {
        let ports = self.ports.iter().filter_map(|(number, port)| Some((*number, port.plan()?)));
        Plan { ranges: ranges.to_vec(), ports: ports.collect() }
    }
}

impl Port {
    /// `None`: no federated service uses the port.
    fn plan(&self) -> Option<PortPlan> {
        let usually = self.total.usually()?;
        let exceptions = self.others.iter().map(|(ip, count)| (*ip, count.usually().unwrap_or(Chain::Passthrough)));
        Some(PortPlan { usually, exceptions: exceptions.filter(|(_, chain)| *chain != usually).collect() })
    }
}

impl Count {
    fn count(&mut self, wish: Use, there: bool) {
        let n = match wish {
            Use::Http => &mut self.http,
            Use::Tcp => &mut self.tcp,
            Use::Untouched => &mut self.untouched,
        };
        *n = if there { n.saturating_add(1) } else { n.saturating_sub(1) };
    }

    /// What a port number is mostly for. HTTP has it if both want it: bytes can be an exception, because how requests
    /// find their cluster costs nothing for each service.
    fn usually(self) -> Option<Chain> {
        match self {
            Self { http: 1.., .. } => Some(Chain::Http),
            Self { tcp: 1.., .. } => Some(Chain::Tcp),
            Self { .. } => None,
        }
    }
}

impl Use {
    fn chain(self) -> Chain {
        match self {
            Self::Http => Chain::Http,
            Self::Tcp => Chain::Tcp,
            Self::Untouched => Chain::Passthrough,
        }
    }
}
