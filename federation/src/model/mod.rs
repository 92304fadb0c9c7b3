//! The types of the federation: validated where objects are converted, plain values afterwards.
//! No Kubernetes and no protobuf type is used here.

mod cluster;
mod endpoint;
mod family;
mod ids;
mod labels;
mod merged;
mod policy;
pub mod product;
mod service;
mod time;

pub use cluster::{Admission, ClusterUid, Member, NamespacePattern, Node, PatternError, Region, ServiceCidr, Traffic};
pub(crate) use endpoint::node_at;
pub use endpoint::{Endpoint, Health, PodId, Slice, SliceKey, SlicePort};
pub use family::{Families, Family};
pub use ids::{ClusterId, MAX_LABEL_LEN, MAX_PLACE_LEN, NameError, Namespace, Network, RegionId, ServiceKey, Zone};
pub(crate) use labels::Label;
pub use labels::{Labels, Selector};
pub use merged::{Backend, Host, Merged, MergedPort, SecondAddresses};
pub use policy::{ClusterWeight, Failover, Federate, Policy, RankingRule, Tier};
pub use service::{
    Affinity, AppProtocol, Digest, Export, HelmRelease, Mark, NamespaceObject, Owner, Protocol, Service, ServiceKind,
    ServicePort,
};
pub use time::Time;
