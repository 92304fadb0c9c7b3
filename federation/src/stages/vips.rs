//! How each member's own DNS and kube-proxy know the services.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::knowledge::{KnowledgeChange, KnowledgeStage};
use super::membership::{Membership, MembershipChange};
use super::services::{Services, ServicesChange};
use crate::effects::Vips;
use crate::model::{ClusterId, ServiceKey};
use crate::store::{Store, StoreChange};

#[derive(Default)]
pub(crate) struct VipTable {
    /// As published.
    by_member: BTreeMap<ClusterId, HashMap<ServiceKey, Arc<Vips>>>,
}

/// The VIPs that one round changed, sorted. `None`: gone.
pub(crate) type VipsChange = Vec<(ClusterId, ServiceKey, Option<Arc<Vips>>)>;

/// The earlier stages, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Earlier<'a> {
    pub store: &'a Store,
    pub membership: &'a Membership,
    pub knowledge: &'a KnowledgeStage,
    pub services: &'a Services,
}

impl VipTable {
    pub fn update(
        &mut self,
        store_change: &StoreChange,
        membership_change: &MembershipChange,
        knowledge_change: &KnowledgeChange,
        services_change: &ServicesChange,
        earlier: Earlier<'_>,
    ) -> VipsChange {
        let mut keys: BTreeSet<(ClusterId, ServiceKey)> =
            store_change.objects.union(&store_change.dropped).cloned().collect();
        keys.extend(knowledge_change.mirrors.iter().cloned());
        for id in store_change.links.union(&membership_change.admissions) {
            let services = earlier.store.get(id).into_iter().flat_map(|state| state.services.keys());
            keys.extend(services.map(|key| (id.clone(), key.clone())));
        }
        for key in &services_change.shapes {
            keys.extend(earlier.membership.admitted().map(|id| (id.clone(), key.clone())));
        }
        let mut change = VipsChange::new();
        for (id, key) in keys {
            let fresh = earlier.vips(&id, &key);
            if self.get(&id, &key) != fresh.as_ref() {
                let fresh = fresh.map(Arc::new);
                self.set(&id, &key, fresh.clone());
                change.push((id, key, fresh));
            }
        }
        change
    }

    pub fn by_member(&self) -> &BTreeMap<ClusterId, HashMap<ServiceKey, Arc<Vips>>> {
        &self.by_member
    }

    fn get(&self, id: &ClusterId, key: &ServiceKey) -> Option<&Vips> {
        self.by_member.get(id)?.get(key).map(Arc::as_ref)
    }

    fn set(&mut self, id: &ClusterId, key: &ServiceKey, vips: Option<Arc<Vips>>) {
        match vips {
            Some(vips) => _ = self.by_member.entry(id.clone()).or_default().insert(key.clone(), vips),
            None => {
                if let Some(table) = self.by_member.get_mut(id) {
                    table.remove(key);
                    if table.is_empty() {
                        self.by_member.remove(id);
                    }
                }
            }
        }
    }
}

impl Earlier<'_> {
    fn vips(self, id: &ClusterId, key: &ServiceKey) -> Option<Vips> {
        let service = self.store.get(id).filter(|state| state.lists.is_known())?.services.get(key)?;
        if !self.membership.is_admitted(id) {
            return None;
        }
        let merged = self.services.merged().get(key);
        let federated = merged.is_some_and(|merged| service.is_mirror() || merged.sources.contains(id));
        let mut ports: Vec<_> = service.ports.iter().map(|port| (port.port, port.protocol)).collect();
        ports.sort_unstable();
        let awaits_source = self.knowledge.awaits_source(service);
        let vips = Vips { ips: service.cluster_ips.to_vec(), ports, federated, awaits_source };
        (!vips.ips.is_empty() || vips.is_kept_local(merged.is_some())).then_some(vips)
    }
}
