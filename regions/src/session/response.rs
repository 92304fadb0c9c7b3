//! What a stream sends, and what a request means for it.

use std::sync::Arc;
use std::time::Duration;

use crate::resource::{Resource, ResourceType};

/// The two variants of the xDS protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// State of the world: each request names everything that is wanted, and responses to wildcards hold the complete list.
    Sotw,
    /// Incremental: both sides send what changed.
    Delta,
}

/// A response to be sent. The encoder splices the resources' own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub resource_type: ResourceType,
    /// Unique within the stream, never 0.
    pub nonce: u64,
    /// Of the type as a whole: equal on every replica that serves the same.
    pub version: u64,
    pub resources: Vec<Resource>,
    /// How long the client may use these without a confirmation.
    pub ttl: Option<Duration>,
    /// Delta only.
    pub removed: Vec<Arc<str>>,
    /// State of the world only: what was asked for and does not exist, for clients that need to know at once.
    pub missing: Vec<Arc<str>>,
}

/// What a request means for the response before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the request only changes the subscription, or its type is unknown or its nonce outdated.
    None,
    Ack(ResourceType),
    Nack(ResourceType),
}
