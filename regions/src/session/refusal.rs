//! Why a stream must end.

use super::SubscriptionError;
use crate::class::NodeError;
use crate::resource::ResourceType;
use crate::snapshot::MIN_LOG_CHANGES;

/// Why a stream must end. The text goes to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("`node.id` is {found:?} in a later request; expected the one this stream began with, {expected:?}")]
    OtherNode { found: String, expected: String },
    #[error("`type_url` is empty; expected one such as {}", ResourceType::Cluster.url())]
    NoType,
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    #[error(
        "this stream has not acknowledged the last {MIN_LOG_CHANGES} changes, too many to know what it lacks; open a new one with what it has in `initial_resource_versions`"
    )]
    TooFarBehind,
}
