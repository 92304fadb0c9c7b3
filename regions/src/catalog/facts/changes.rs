//! What changed in the facts, as far as recipes have to know.

use std::collections::{BTreeMap, BTreeSet};

use federation::model::{ClusterId, ServiceKey};

#[derive(Default)]
pub(in crate::catalog) struct Changes {
    /// Services of which anything changed, their endpoints included.
    pub(in crate::catalog) services: BTreeSet<ServiceKey>,
    /// Services of which more changed than their endpoints.
    pub(in crate::catalog) shapes: BTreeSet<ServiceKey>,
    /// By member: services whose VIPs there changed.
    pub(in crate::catalog) vips: BTreeMap<ClusterId, BTreeSet<ServiceKey>>,
    /// The ranking of all endpoints.
    pub(in crate::catalog) topology: bool,
    /// Which members are not known.
    pub(in crate::catalog) unknown: bool,
    /// Which load assignments lack something of a member that is not known.
    pub(in crate::catalog) awaited: bool,
    /// Which zones have endpoints.
    pub(in crate::catalog) zones: bool,
}

impl Changes {
    /// Services whose shape changed, and those whose VIPs in the member did.
    pub(in crate::catalog) fn shapes_and_vips_of(&self, member: &ClusterId) -> Vec<&ServiceKey> {
        match self.vips.get(member) {
            Some(vips) => self.shapes.union(vips).collect(),
            None => self.shapes.iter().collect(),
        }
    }
}
