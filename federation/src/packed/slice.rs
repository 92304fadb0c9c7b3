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
            ports: pools.slice_ports(&ports),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::make;

    #[test]
    fn it_is_equal_to_what_it_was_made_of_and_to_nothing_else() {
        let slices = || {
            let all = ["10.0.0.1@z1=a", "10.0.0.2@node:n2=b"];
            vec![
                make::slice("shop/web", "web-1", "http:8080", &all),
                make::slice("shop/web", "web-2", "http:8080", &all),
                make::slice("other/web", "web-1", "http:8080", &all),
                make::slice("shop/api", "web-1", "http:8080", &all),
                make::slice("shop/web", "web-1", "http:8081", &all),
                make::slice("shop/web", "web-1", "http:8080", &all[..1]),
                make::slice("shop/web", "web-1", "http:8080", &[all[0], "10.0.0.2@node:n3=b"]),
                make::slice("shop/web", "web-1", "http:8080", &[all[0], "10.0.0.2@z1=b"]),
                make::slice("shop/web", "web-1", "http:8080", &["10.0.0.2@node:n2=b", all[0]]),
            ]
        };
        let mut pools = Pools::default();
        let packed: Vec<_> = slices().into_iter().map(|slice| PackedSlice::pack(slice, &mut pools)).collect();
        for (i, packed) in packed.iter().enumerate() {
            for (j, slice) in slices().iter().enumerate() {
                assert_eq!(packed == slice, i == j, "{packed:?} and {slice:?}");
            }
        }
    }
}
