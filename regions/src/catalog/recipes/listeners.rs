//! The listener of the plain HTTP port.

use std::net::IpAddr;

use super::interception::Outbound;
use super::{Constant, Maker, Recipe};
use crate::resource::ResourceType;
use crate::translate::listener;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct EgressListener {
    pub(in crate::catalog) listen: IpAddr,
    pub(in crate::catalog) on_demand: bool,
    pub(in crate::catalog) vhds: bool,
    /// With the listeners that keep the traffic of a pod working that is intercepted after all.
    pub(in crate::catalog) passthrough: bool,
}

impl Recipe for EgressListener {
    const TYPE: ResourceType = ResourceType::Listener;

    fn start(&self) -> Box<dyn Maker> {
        let Self { listen, on_demand, vhds, passthrough } = *self;
        let mut listeners = vec![listener::egress(listen, on_demand, vhds)];
        if passthrough {
            listeners.extend(Outbound::passthrough(listen, false));
        }
        Box::new(Constant(listeners))
    }
}
