//! EndpointSlices, pruned to what a proxy can use.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Namespace, Protocol, ServiceKey, Zone};

/// `namespace/name` of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceKey {
    pub namespace: Namespace,
    pub name: Arc<str>,
}

/// One EndpointSlice of one member. Slices that we or an MCS implementation wrote never get here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub key: SliceKey,
    /// The service it belongs to (label `kubernetes.io/service-name`).
    pub service: ServiceKey,
    pub ports: Vec<SlicePort>,
    pub endpoints: Vec<Endpoint>,
}

/// A port of a slice. The number is the backends' own: named `targetPort`s may differ between slices and clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePort {
    pub name: Arc<str>,
    pub port: u16,
    pub protocol: Protocol,
}

/// One backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The first address of the EndpointSlice's endpoint: consumers of the API use only that one.
    pub ip: IpAddr,
    pub zone: Option<Zone>,
    pub health: Health,
}

/// What a client may do with a backend, best first (EndpointSlice conditions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// `ready` is true or not set.
    Ready,
    /// `terminating`: finish what is under way, start nothing. A planned loss, so it must not spill.
    Draining,
    /// Neither ready nor terminating. A loss of capacity, so it must spill.
    NotReady,
}
