//! What sources report to the engine, and its only input: a cluster watched through its API server, a folder of YAML and a feed
//! from another control plane all produce these batches, and the engine cannot distinguish them.

use std::sync::Arc;

use crate::model::{
    ClusterId, ClusterUid, Export, Member, Namespace, NamespaceObject, Node, Policy, Region, RegionId, Service,
    ServiceCidr, ServiceKey, Slice, SliceKey,
};

/// Changes of one kind from one origin, in the order they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// From the hub: members, and the rules for them.
    Hub(HubChanges),
    /// From one member cluster.
    Member { cluster: ClusterId, epoch: Epoch, changes: MemberChanges },
}

/// Counts a source's connections to one member. Batches of an older connection are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubChanges {
    Regions(Delta<Region>),
    Members(Delta<Member>),
    Policies(Delta<Policy>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChanges {
    Link(LinkChange),
    Namespaces(Delta<NamespaceObject>),
    Services(Delta<Service>),
    Slices(Delta<Slice>),
    Nodes(Delta<Node>),
    ServiceCidrs(Delta<ServiceCidr>),
    Exports(Delta<Export>),
    /// One kind cannot be read although the connection works: a right is missing, or its lists fail. Its objects
    /// stay as they are. The next complete list of the kind ends this.
    Unreadable {
        kind: MemberKind,
        message: Arc<str>,
        /// The full list before this was not complete: a source that has a part of a member's objects reports that part, and the
        /// member still counts as not known.
        partly: bool,
    },
}

/// The lists of the hub. Without all of them it is not known who is a member, or by which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HubKind {
    Regions,
    Members,
    Policies,
}

impl HubKind {
    pub const ALL: [Self; 3] = [Self::Regions, Self::Members, Self::Policies];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regions => "Regions",
            Self::Members => "MemberClusters",
            Self::Policies => "FederationPolicies",
        }
    }
}

/// The kinds of objects that are watched in a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberKind {
    Namespaces,
    Services,
    Slices,
    Exports,
    /// Needed only to discover pod ranges.
    Nodes,
    /// Needed only to discover service ranges.
    ServiceCidrs,
}

impl MemberKind {
    /// The kinds that decide what a member contributes. Until each was listed once, nothing of the member is known.
    pub const DECIDING: [Self; 4] = [Self::Namespaces, Self::Services, Self::Slices, Self::Exports];

    /// The resource's name in the Kubernetes API.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Services => "services",
            Self::Slices => "endpointslices",
            Self::Exports => "serviceexports",
            Self::Nodes => "nodes",
            Self::ServiceCidrs => "servicecidrs",
        }
    }

    pub fn is_deciding(self) -> bool {
        Self::DECIDING.contains(&self)
    }
}

/// The state of the link to a member's API server. It says nothing about the member's workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// A new connection (a new epoch), and the cluster that answered. Lists follow.
    Up { uid: ClusterUid, version: Arc<str> },
    /// The connection is lost, or could not be made.
    Down { reason: LinkFailure, message: Arc<str> },
}

/// Why the link to a member is down; each is a condition reason that users see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkFailure {
    /// The Secret, or the key in it, does not exist.
    SecretMissing,
    /// The kubeconfig was refused: it cannot be parsed, or it holds what must not come from a Secret.
    KubeconfigInvalid,
    /// The API server answered 401 or 403.
    CredentialRefused,
    /// The API server did not answer, or not in time.
    Unreachable,
}

/// Changes of one kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta<T: Object> {
    /// The complete list: an object that is not in it is gone, except `rejected`, whose last good state stays.
    Full { objects: Vec<T>, rejected: Vec<T::Key> },
    /// Only what changed.
    Partial(Vec<Change<T>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T: Object> {
    Put(T),
    Delete(T::Key),
}

/// An object with a key that is unique within its kind and origin.
pub trait Object {
    type Key: Clone + Eq + Ord + std::hash::Hash + std::fmt::Debug;
    fn key(&self) -> &Self::Key;
}

impl<T: Object> Delta<T> {
    /// A complete list with nothing rejected.
    pub fn full(objects: Vec<T>) -> Self {
        Self::Full { objects, rejected: Vec::new() }
    }

    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    pub fn put(object: T) -> Self {
        Self::Partial(vec![Change::Put(object)])
    }

    pub fn delete(key: T::Key) -> Self {
        Self::Partial(vec![Change::Delete(key)])
    }
}

macro_rules! object {
    ($kind:ty, $key:ty, $field:ident) => {
        impl Object for $kind {
            type Key = $key;
            fn key(&self) -> &$key {
                &self.$field
            }
        }
    };
}

object!(Region, RegionId, name);
object!(Member, ClusterId, id);
object!(Policy, Arc<str>, name);
object!(NamespaceObject, Namespace, name);
object!(Service, ServiceKey, key);
object!(Slice, SliceKey, key);
object!(Node, Arc<str>, name);
object!(ServiceCidr, Arc<str>, name);
object!(Export, ServiceKey, key);
