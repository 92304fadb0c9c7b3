//! What the mirrors are decided from: the earlier stages, and questions about them that more than one kind of object asks.

use crate::model::{ClusterId, Namespace, ServiceKey};
use crate::stages::hub::{Hub, HubChange};
use crate::stages::knowledge::{KnowledgeChange, KnowledgeStage};
use crate::stages::membership::{Membership, MembershipChange};
use crate::stages::services::{Services, ServicesChange};
use crate::store::{ClusterState, Store, StoreChange};

/// What the earlier stages changed in this round.
#[derive(Clone, Copy)]
pub(crate) struct Changes<'a> {
    pub hub: &'a HubChange,
    pub store: &'a StoreChange,
    pub membership: &'a MembershipChange,
    pub knowledge: &'a KnowledgeChange,
    pub services: &'a ServicesChange,
}

/// The earlier stages, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Earlier<'a> {
    pub hub: &'a Hub,
    pub store: &'a Store,
    pub membership: &'a Membership,
    pub knowledge: &'a KnowledgeStage,
    pub services: &'a Services,
}

impl<'a> Earlier<'a> {
    /// What is known of a member, if objects are desired in it: it is admitted, and what it has is completely listed.
    pub(super) fn member(self, id: &ClusterId) -> Option<&'a ClusterState> {
        let state = self.store.get(id)?;
        (state.lists.names_are_listed() && self.membership.is_admitted(id)).then_some(state)
    }

    /// Every member that may contribute is connected and completely listed.
    pub(super) fn all_are_fresh(self) -> bool {
        self.membership.admitted().all(|id| self.store.get(id).is_some_and(ClusterState::is_fresh))
    }

    /// The federated services in a Namespace.
    pub(super) fn services_in(self, namespace: &Namespace) -> impl Iterator<Item = ServiceKey> {
        let names = self.services.names().get(namespace).into_iter().flatten();
        names.map(|name| ServiceKey { namespace: namespace.clone(), name: name.clone() })
    }
}
