//! EndpointSlices.

use std::sync::Arc;

use super::endpoints::{EndpointRef, Endpoints};
use super::pool::Pools;
use crate::change::Object;
use crate::model::{ServiceKey, Slice, SliceKey, SlicePort, node_at};

/// The same as a [`Slice`].
#[derive(Debug)]
pub(crate) struct PackedSlice {
    pub key: SliceKey,
    pub service: ServiceKey,
    pub ports: Arc<[SlicePort]>,
    endpoints: Endpoints,
    /// As [`Slice::nodes`].
    pub nodes: Box<[(u32, Arc<str>)]>,
}

impl PackedSlice {
    pub fn pack(slice: Slice, pools: &mut Pools) -> Self {
        let Slice { key: SliceKey { namespace, name }, service, ports, endpoints, nodes } = slice;
        Self {
            // Its name is its own; all others are those of other objects as well.
            key: SliceKey { namespace: pools.namespace(namespace), name },
            service: pools.service_key(service),
            ports: pools.slice_ports(ports),
            endpoints: Endpoints::pack(&endpoints, pools),
            nodes,
        }
    }

    /// How many endpoints it has.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    pub fn endpoints(&self) -> impl Iterator<Item = EndpointRef<'_>> {
        self.endpoints.iter()
    }

    /// The Node of an endpoint that has no zone of its own.
    pub fn node_of(&self, index: usize) -> Option<&Arc<str>> {
        node_at(&self.nodes, index)
    }
}

impl Object for PackedSlice {
    type Key = SliceKey;
    fn key(&self) -> &SliceKey {
        &self.key
    }
}

impl PartialEq<Slice> for PackedSlice {
    fn eq(&self, other: &Slice) -> bool {
        let Slice { key, service, ports, endpoints, nodes } = other;
        self.key == *key
            && self.service == *service
            && *self.ports == **ports
            && self.endpoints == **endpoints
            && self.nodes == *nodes
    }
}
