//! API servers: how each is reached, what it may answer, and why it cannot be used.

pub mod answers;
pub mod bounds;
pub mod cause;
pub mod config;
pub mod connect;
pub mod hub;
pub mod kubeconfig;
pub mod member;
pub mod retry;
pub mod secret;

pub use bounds::MemberBounds;
pub use hub::HubClient;
pub use member::MemberClient;
pub use retry::Retry;
pub use secret::Access;
