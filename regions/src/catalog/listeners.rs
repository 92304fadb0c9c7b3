//! Which listeners one class of clients needs: the sum of what all its services ask for.
//!
//! An HTTP port is shared by all services that use it. An exact destination (VIP and port) belongs to one service: TCP
//! to its cluster, or, where an HTTP listener would catch bytes that are not federated, straight through.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use federation::model::ServiceKey;
use ipnet::IpNet;

use crate::resource::Resource;
use crate::translate::{listener, names};

/// What one service wants at one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Share the port's HTTP listener.
    Http,
    /// Send bytes to this cluster.
    Tcp(Arc<str>),
    /// Be left alone, should the port have an HTTP listener.
    Untouched,
}

/// All destinations of one service in one member. Sorted, so that equal means equal.
pub(super) type Uses = BTreeMap<(u16, IpAddr), Use>;

/// A listener that must be there (`Some`) or must not.
pub(super) type Change = (String, Option<Resource>);

/// How many destinations share a port's listener. HTTP has it if both want it: bytes then need exceptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Users {
    http: usize,
    tcp: usize,
}

/// What a port's shared listener takes connections for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Tcp,
}

pub(super) struct Listeners {
    listen: IpAddr,
    /// TCP clusters are asked for by address, so a port is enough and no VIP needs a listener of its own.
    on_demand: bool,
    /// The member's service ranges; `None` while it is not a member, and then nothing is listened to.
    prefixes: Option<Vec<IpNet>>,
    /// Ports with listeners for all VIPs, and how many destinations share them.
    shared: BTreeMap<u16, Users>,
    exact: BTreeMap<(u16, IpAddr), BTreeMap<ServiceKey, Use>>,
    dirty_base: bool,
    dirty_ports: BTreeSet<u16>,
    dirty_exact: BTreeSet<(u16, IpAddr)>,
}

impl Listeners {
    pub(super) fn new(listen: IpAddr, on_demand: bool) -> Self {
        Self {
            listen,
            on_demand,
            prefixes: None,
            shared: BTreeMap::new(),
            exact: BTreeMap::new(),
            dirty_base: false,
            dirty_ports: BTreeSet::new(),
            dirty_exact: BTreeSet::new(),
        }
    }

    /// A service's wishes change from `old` to `new`.
    pub(super) fn replace(&mut self, key: &ServiceKey, old: &Uses, new: &Uses) {
        for (at, was) in old {
            if new.get(at) != Some(was) {
                self.withdraw(key, *at, was);
            }
        }
        for (at, wish) in new {
            if old.get(at) != Some(wish) {
                self.claim(key, *at, wish);
            }
        }
    }

    /// The member's service ranges as the topology has them now.
    pub(super) fn set_prefixes(&mut self, prefixes: Option<&[IpNet]>) {
        if self.prefixes.as_deref() != prefixes {
            self.prefixes = prefixes.map(<[IpNet]>::to_vec);
            self.dirty_base = true;
            self.dirty_ports.extend(self.shared.keys());
            self.dirty_exact.extend(self.exact.keys());
        }
    }

    /// What follows from everything since the last call. To be called once per batch, so that a VIP that moves from one
    /// service to another is seen where it ends.
    pub(super) fn settle(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        if std::mem::take(&mut self.dirty_base) {
            let base = self.prefixes.as_deref().map(|prefixes| listener::virtual_outbound(self.listen, prefixes));
            changes.push((names::VIRTUAL_OUTBOUND.to_owned(), base));
        }
        for port in std::mem::take(&mut self.dirty_ports) {
            changes.extend([false, true].map(|v6| (names::port_listener(port, v6), self.port(port, v6))));
        }
        for at in std::mem::take(&mut self.dirty_exact) {
            changes.push((names::vip_listener(SocketAddr::new(at.1, at.0)), self.exact(at)));
        }
        changes
    }

    fn claim(&mut self, key: &ServiceKey, at: (u16, IpAddr), wish: &Use) {
        if *wish != Use::Http {
            self.exact.entry(at).or_default().insert(key.clone(), wish.clone());
            self.dirty_exact.insert(at);
        }
        self.count(at.0, wish, |users| *users += 1);
    }

    fn withdraw(&mut self, key: &ServiceKey, at: (u16, IpAddr), was: &Use) {
        if let Some(claims) = self.exact.get_mut(&at) {
            claims.remove(key);
            if claims.is_empty() {
                self.exact.remove(&at);
            }
            self.dirty_exact.insert(at);
        }
        self.count(at.0, was, |users| *users = users.saturating_sub(1));
    }

    fn count(&mut self, port: u16, wish: &Use, step: impl FnOnce(&mut usize)) {
        let before = self.kind(port);
        let users = self.shared.entry(port).or_default();
        match wish {
            Use::Http => step(&mut users.http),
            Use::Tcp(_) if self.on_demand => step(&mut users.tcp),
            Use::Tcp(_) | Use::Untouched => {}
        }
        if *users == Users::default() {
            self.shared.remove(&port);
        }
        if self.kind(port) != before {
            self.port_turned(port);
        }
    }

    /// What the listener that all VIPs of a port share does, if there is one.
    fn kind(&self, port: u16) -> Option<Kind> {
        match self.shared.get(&port)? {
            Users { http: 0, tcp: 0 } => None,
            Users { http: 0, .. } => Some(Kind::Tcp),
            Users { .. } => Some(Kind::Http),
        }
    }

    /// A port's shared listener came, went or does something else now: those on it that it is not for need their
    /// exception, or not.
    fn port_turned(&mut self, port: u16) {
        self.dirty_ports.insert(port);
        let lowest = (port, IpAddr::from([0, 0, 0, 0]));
        let on_port = self.exact.range(lowest..).take_while(|((p, _), _)| *p == port);
        self.dirty_exact.extend(on_port.map(|(at, _)| *at));
    }

    fn port(&self, port: u16, v6: bool) -> Option<Resource> {
        let prefixes = self.prefixes.as_deref()?;
        let kind = self.kind(port)?;
        // Without a range of this family there is nothing to recognise federated traffic by.
        prefixes.iter().any(|net| matches!(net, IpNet::V6(_)) == v6).then(|| match kind {
            Kind::Http => listener::http_port(port, v6, prefixes, self.on_demand),
            Kind::Tcp => listener::tcp_port(port, v6, prefixes),
        })
    }

    fn exact(&self, at: (u16, IpAddr)) -> Option<Resource> {
        self.prefixes.as_ref()?;
        let (_, wish) = self.exact.get(&at)?.first_key_value()?;
        let vip = SocketAddr::new(at.1, at.0);
        match (wish, self.kind(at.0)) {
            (Use::Tcp(cluster), _) if !self.on_demand => Some(listener::tcp_vip(vip, cluster)),
            (Use::Tcp(_), Some(Kind::Http)) => Some(listener::tcp_vip_on_demand(vip)),
            (Use::Untouched, Some(_)) => Some(listener::tcp_vip(vip, names::PASSTHROUGH)),
            (Use::Tcp(_) | Use::Untouched | Use::Http, _) => None,
        }
    }
}
