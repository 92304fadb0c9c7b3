//! One xDS resource, encoded once, ready to be spliced into any number of responses.

mod per_type;
mod protobuf;
mod resource_type;
mod version;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use envoy_types::pb::google::protobuf::Any;
use prost::Message;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub use per_type::PerType;
pub(crate) use protobuf::{field_len, put_field, put_head};
pub use resource_type::ResourceType;
use version::VERSION_LEN;
pub use version::{parse_version, version_text};

/// A resource with its bytes. Cloning costs one reference count.
#[derive(Clone)]
pub struct Resource(Arc<Body>);

struct Body {
    name: Arc<str>,
    version: u64,
    /// A whole `envoy.service.discovery.v3.Resource` message.
    delta: Bytes,
    /// Where in `delta` the `google.protobuf.Any` is.
    any: Range<u32>,
    /// What has to follow it, see [`Resource::load`].
    load: Option<Arc<str>>,
    /// See [`Resource::is_usable`].
    usable: bool,
}

// Field numbers of envoy.service.discovery.v3.Resource and google.protobuf.Any.
const RESOURCE_VERSION: u32 = 1;
const RESOURCE_RESOURCE: u32 = 2;
const RESOURCE_NAME: u32 = 3;
const RESOURCE_ALIASES: u32 = 4;
const ANY_TYPE_URL: u32 = 1;
const ANY_VALUE: u32 = 2;

impl Resource {
    /// The same, with another copy of its name: successive resources of a name share it.
    pub(crate) fn sharing(mut self, name: &Arc<str>) -> Self {
        if let Some(body) = Arc::get_mut(&mut self.0)
            && body.name == *name
        {
            body.name = Arc::clone(name);
        }
        self
    }

    /// Encodes a message once. Its version is the xxh3 hash of its bytes, so it is equal on every replica and after
    /// every restart. The message must encode deterministically: no map in it may hold more than one entry.
    pub fn encode(resource_type: ResourceType, name: &str, message: &impl Message) -> Self {
        Self::encoded(resource_type, name, &message.encode_to_vec())
    }

    /// The same for a message that is encoded already.
    pub fn encoded(resource_type: ResourceType, name: &str, value: &[u8]) -> Self {
        let version = xxh3_64(value);
        let url = resource_type.url();
        let any_len = field_len(ANY_TYPE_URL, url.len()) + field_len(ANY_VALUE, value.len());
        let total = field_len(RESOURCE_VERSION, VERSION_LEN)
            + field_len(RESOURCE_RESOURCE, any_len)
            + field_len(RESOURCE_NAME, name.len());
        let mut delta = BytesMut::with_capacity(total);
        put_field(RESOURCE_VERSION, version_text(version).as_bytes(), &mut delta);
        put_head(RESOURCE_RESOURCE, any_len, &mut delta);
        let any = offset(delta.len())..offset(delta.len() + any_len);
        put_field(ANY_TYPE_URL, url.as_bytes(), &mut delta);
        put_field(ANY_VALUE, value, &mut delta);
        put_field(RESOURCE_NAME, name.as_bytes(), &mut delta);
        Self(Arc::new(Body { name: Arc::from(name), version, delta: delta.freeze(), any, load: None, usable: true }))
    }

    /// No resource of this name exists: the name as an alias of nothing (VHDS, "on-demand requests" in its documentation).
    /// Incremental xDS only.
    pub fn nothing(name: &str) -> Self {
        let version = xxh3_64(&[]);
        let mut delta = BytesMut::new();
        put_field(RESOURCE_VERSION, version_text(version).as_bytes(), &mut delta);
        put_field(RESOURCE_NAME, name.as_bytes(), &mut delta);
        put_field(RESOURCE_ALIASES, name.as_bytes(), &mut delta);
        Self(Arc::new(Body {
            name: Arc::from(name),
            version,
            delta: delta.freeze(),
            any: 0..0,
            load: None,
            usable: true,
        }))
    }

    /// The same resource, marked as needing this to follow it.
    pub fn followed_by(self, load: &str) -> Self {
        let Body { name, version, delta, any, usable, .. } = &*self.0;
        // Most clusters and their load assignments share a name, and then its bytes too.
        let load = if load == &**name { name.clone() } else { Arc::from(load) };
        Self(Arc::new(Body {
            name: name.clone(),
            version: *version,
            delta: delta.clone(),
            any: any.clone(),
            load: Some(load),
            usable: *usable,
        }))
    }

    /// The same resource, with [`Resource::is_usable`] set.
    pub(crate) fn usable(mut self, usable: bool) -> Self {
        if let Some(body) = Arc::get_mut(&mut self.0) {
            body.usable = usable;
        }
        self
    }

    /// False for a load assignment without a host that could answer. As long as a member is not known, that is no reason to
    /// take away what a client has.
    pub fn is_usable(&self) -> bool {
        self.0.usable
    }

    /// What has to follow, asked for or not, because Envoy holds this back until then: a cluster's load assignment, or a
    /// load assignment's endpoints, by the beginning of their names.
    pub fn load(&self) -> Option<&Arc<str>> {
        self.0.load.as_ref()
    }

    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// A whole delta `Resource` message.
    pub fn delta_bytes(&self) -> &Bytes {
        &self.0.delta
    }

    /// The same resource as the `Any` that a state-of-the-world response holds.
    pub fn any_bytes(&self) -> Bytes {
        self.0.delta.slice(self.0.any.start as usize..self.0.any.end as usize)
    }

    /// Confirms that the client's resource of this name and version is still valid (xDS protocol, "TTL").
    pub fn heartbeat(&self) -> Self {
        Self::heartbeat_of(self.name(), self.version())
    }

    /// The same for a resource that only the client has.
    pub(crate) fn heartbeat_of(name: &str, version: u64) -> Self {
        let mut delta = BytesMut::new();
        put_field(RESOURCE_VERSION, version_text(version).as_bytes(), &mut delta);
        put_field(RESOURCE_NAME, name.as_bytes(), &mut delta);
        let (name, delta) = (Arc::from(name), delta.freeze());
        Self(Arc::new(Body { name, version, delta, any: 0..0, load: None, usable: true }))
    }

    /// Whether it has no body, see [`Resource::nothing`] and [`Resource::heartbeat`].
    pub fn is_nothing(&self) -> bool {
        self.0.any.is_empty()
    }

    /// The message that it was encoded from. `None`: not such a message.
    pub fn message<T: Message + Default>(&self) -> Option<T> {
        T::decode(&*Any::decode(self.any_bytes()).ok()?.value).ok()
    }

    pub fn any_len(&self) -> usize {
        self.0.any.len()
    }

    /// The summand of this resource in the digest of its type, see [`crate::snapshot::TypeSnapshot::digest`].
    pub fn digest(&self) -> u64 {
        xxh3_64_with_seed(self.0.name.as_bytes(), self.0.version)
    }
}

impl PartialEq for Resource {
    /// By name and version, and so by content.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.version == other.0.version && self.0.name == other.0.name)
    }
}

impl Eq for Resource {}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:016x}", self.0.name, self.0.version)
    }
}

/// Resources are far below 4 GiB: the largest, a load assignment of 100,000 endpoints, has 4 MiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
