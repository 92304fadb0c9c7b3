//! Objects of all kinds in one type each, and their batches for the engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use federation::change::{Batch, Change, Delta, Epoch, HubChanges, MemberChanges, MemberKind, Object as _};
use federation::model::{
    ClusterId, Export, Member, Namespace, NamespaceObject, Node, Policy, Region, RegionId, Service, ServiceCidr,
    ServiceKey, Slice, SliceKey,
};

macro_rules! kinds {
    ($($variant:ident($model:ty, $key:ty) in $changes:ident::$list:ident,)*) => {
        /// Kinds of objects, in the order in which they are sent: those that others refer to come first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum Kind {
            $($variant,)*
        }

        /// An object of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) enum Model {
            $($variant($model),)*
        }

        /// The key of an object of any kind.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Key {
            $($variant($key),)*
        }

        impl Kind {
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)*];
        }

        impl Model {
            pub(super) fn key(&self) -> Key {
                match self {
                    $(Self::$variant(object) => Key::$variant(object.key().clone()),)*
                }
            }
        }

        /// The batch of objects of one kind.
        pub(super) fn batch(kind: Kind, sent: Sent, member: Option<(&ClusterId, Epoch)>) -> Option<Batch> {
            match kind {
                $(Kind::$variant => {
                    let delta: Delta<$model> = match sent {
                        Sent::All { objects, rejected } => Delta::Full {
                            objects: objects.into_iter().filter_map(|object| match &*object {
                                Model::$variant(object) => Some(object.clone()),
                                _ => None,
                            }).collect(),
                            rejected: rejected.into_iter().filter_map(|key| match key {
                                Key::$variant(key) => Some(key),
                                _ => None,
                            }).collect(),
                        },
                        Sent::Changed { put, deleted } => {
                            let deleted = deleted.into_iter().filter_map(|key| match key {
                                Key::$variant(key) => Some(Change::Delete(key)),
                                _ => None,
                            });
                            let put = put.into_iter().filter_map(|object| match &*object {
                                Model::$variant(object) => Some(Change::Put(object.clone())),
                                _ => None,
                            });
                            Delta::Partial(deleted.chain(put).collect())
                        }
                    };
                    kinds!(@wrap $changes, $list, delta, member)
                })*
            }
        }
    };
    (@wrap HubChanges, $list:ident, $delta:ident, $member:ident) => {
        Some(Batch::Hub(HubChanges::$list($delta)))
    };
    (@wrap MemberChanges, $list:ident, $delta:ident, $member:ident) => {
        $member.map(|(cluster, epoch)| Batch::Member {
            cluster: cluster.clone(),
            epoch,
            changes: MemberChanges::$list($delta),
        })
    };
}

kinds! {
    Region(Region, RegionId) in HubChanges::Regions,
    Policy(Policy, Arc<str>) in HubChanges::Policies,
    Member(Member, ClusterId) in HubChanges::Members,
    Namespace(NamespaceObject, Namespace) in MemberChanges::Namespaces,
    Service(Service, ServiceKey) in MemberChanges::Services,
    Slice(Slice, SliceKey) in MemberChanges::Slices,
    Node(Node, Arc<str>) in MemberChanges::Nodes,
    ServiceCidr(ServiceCidr, Arc<str>) in MemberChanges::ServiceCidrs,
    Export(Export, ServiceKey) in MemberChanges::Exports,
}

impl Kind {
    /// Whether it belongs to the hub, and so outside of `clusters/`.
    pub(super) fn of_hub(self) -> bool {
        matches!(self, Self::Region | Self::Policy | Self::Member)
    }

    /// A kind of a member that decides what the member contributes.
    pub(super) fn deciding(self) -> Option<MemberKind> {
        match self {
            Self::Namespace => Some(MemberKind::Namespaces),
            Self::Service => Some(MemberKind::Services),
            Self::Slice => Some(MemberKind::Slices),
            Self::Export => Some(MemberKind::Exports),
            Self::Region | Self::Policy | Self::Member | Self::Node | Self::ServiceCidr => None,
        }
    }

    /// The kinds of one origin.
    pub(super) fn of(hub: bool) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |kind| kind.of_hub() == hub)
    }
}

/// What is sent of one kind.
#[derive(Debug)]
pub(super) enum Sent {
    All { objects: Vec<Arc<Model>>, rejected: BTreeSet<Key> },
    Changed { put: Vec<Arc<Model>>, deleted: Vec<Key> },
}

impl Sent {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Changed { put, deleted } if put.is_empty() && deleted.is_empty())
    }
}
