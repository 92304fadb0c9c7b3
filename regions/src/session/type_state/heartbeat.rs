//! Heartbeats: "what you have is still good" (xDS protocol, "TTL").
//!
//! A client that set a time to live drops what it has once that was not confirmed for so long. Everything that it has is
//! confirmed three times in that time, by name and version and without a body.

use std::time::Duration;

use crate::resource::ResourceType;
use crate::session::Variant;

/// Of a type that has a time to live.
pub(super) struct Heartbeat {
    pub(super) ttl: Duration,
    /// What the client has is to be confirmed.
    pub(super) is_due: bool,
}

impl Heartbeat {
    /// `None`: the type has no time to live.
    pub(super) fn new(variant: Variant, resource_type: ResourceType, ttl: Duration) -> Option<Self> {
        may_expire(variant, resource_type).then_some(Self { ttl, is_due: false })
    }
}

/// Whether a client can do without this type. To Envoy a route that expires is none that goes away, and for a virtual host
/// a message without a body means something else. Nor load assignments in state of the world: Envoy 1.40 was seen to crash
/// when their time was over, heartbeats or not.
fn may_expire(variant: Variant, resource_type: ResourceType) -> bool {
    match resource_type {
        ResourceType::Cluster | ResourceType::Listener => true,
        ResourceType::Assignment => variant == Variant::Delta,
        _ => false,
    }
}
