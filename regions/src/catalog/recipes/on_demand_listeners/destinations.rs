//! What the services of one member need at each address and port, and the plan that follows.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use federation::model::ServiceKey;
use ipnet::IpNet;

use crate::translate::chain::Chain;
use crate::translate::outbound::{Plan, PortPlan};

/// Where the services of one member are reached.
#[derive(Default)]
pub(in crate::catalog::recipes) struct Destinations {
    of_services: HashMap<ServiceKey, Uses>,
    /// Port numbers that any service has, federated or not.
    ports: BTreeMap<u16, Port>,
}

/// What one service needs at one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Http,
    Tcp,
    /// It is not federated there.
    Untouched,
}

/// All destinations of one service in one member. Sorted, so that equal means equal.
pub(super) type Uses = BTreeMap<(u16, IpAddr), Use>;

#[derive(Default, PartialEq, Eq)]
struct Port {
    total: Count,
    /// Destinations that are not HTTP.
    others: BTreeMap<IpAddr, Count>,
}

/// How many services need what. While a VIP moves, two need the same destination until the whole batch was applied.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    http: usize,
    tcp: usize,
    untouched: usize,
}

impl Destinations {
    /// What a service needs from now on. Returns whether the plan may differ.
    pub(super) fn set(&mut self, key: &ServiceKey, new: Uses) -> bool {
        let old = match new.is_empty() {
            true => self.of_services.remove(key),
            false => self.of_services.insert(key.clone(), new.clone()),
        };
        let old = old.unwrap_or_default();
        let mut changed = false;
        for (at, was) in old.iter().filter(|(at, was)| new.get(at) != Some(was)) {
            changed |= self.change(*at, *was, false);
        }
        for (at, needed) in new.iter().filter(|(at, needed)| old.get(at) != Some(needed)) {
            changed |= self.change(*at, *needed, true);
        }
        changed
    }

    /// Adds or removes one destination; returns whether the plan may differ.
    fn change(&mut self, (number, ip): (u16, IpAddr), needed: Use, there: bool) -> bool {
        let port = self.ports.entry(number).or_default();
        let before = port.total.usually();
        port.total.count(needed, there);
        if needed != Use::Http {
            let destination = port.others.entry(ip).or_default();
            destination.count(needed, there);
            if *destination == Count::default() {
                port.others.remove(&ip);
            }
        }
        let after = port.total.usually();
        if port.total == Count::default() {
            self.ports.remove(&number);
        }
        before != after || after.is_some_and(|usually| usually != needed.chain())
    }

    pub(in crate::catalog::recipes) fn plan(&self, ranges: &[IpNet]) -> Plan {
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
    fn count(&mut self, needed: Use, there: bool) {
        let n = match needed {
            Use::Http => &mut self.http,
            Use::Tcp => &mut self.tcp,
            Use::Untouched => &mut self.untouched,
        };
        *n = if there { n.saturating_add(1) } else { n.saturating_sub(1) };
    }

    /// What a port number is mostly for. HTTP has it if services need both: bytes can be an exception, because how requests
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
