//! The only writer of federation state: batches in, effects out, synchronously.
//!
//! The engine holds the [`crate::stages`] and calls them in order. Each stage stops where its result equals what it was, so the
//! cost of a round is what changed, and not how much there is.

pub mod invariants;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::admission::Authority;
use crate::change::Batch;
use crate::change::HubKind;
use crate::desired::{Action, Key};
use crate::effects::{Effects, Topology, Vips};
use crate::explain::ServiceExplanation;
use crate::knowledge::{Deadlines, Knowledge};
use crate::model::{ClusterId, Digest, Merged, Namespace, RankingRule, ServiceKey, Time};
use crate::references::HubNotice;
use crate::report::MemberReport;
use crate::stages::hub::Hub;
use crate::stages::knowledge::{self, Awaits, KnowledgeStage};
use crate::stages::membership::Membership;
use crate::stages::mirrors::{self, Mirrors};
use crate::stages::reports::Reports;
use crate::stages::services::{self, Services};
use crate::stages::vips::{self, VipTable};
use crate::stats::Stats;
use crate::store::Store;

/// What an engine is made with.
#[derive(Clone, Debug)]
pub struct Config {
    pub authority: Authority,
    /// Isthmus's own namespace, which is never federated.
    pub own_namespace: Namespace,
    pub awaits: Awaits,
    pub deadlines: Deadlines,
    /// The identity that mirrors carry, so that two hubs can distinguish theirs. `None` for processes that write none.
    pub hub: Option<Digest>,
}

/// The state of the federation, by stage, in the order in which they are called.
pub struct Engine {
    hub: Hub,
    store: Store,
    membership: Membership,
    knowledge: KnowledgeStage,
    services: Services,
    vips: VipTable,
    mirrors: Mirrors,
    reports: Reports,
    batches: u64,
}

impl Engine {
    pub fn new(config: Config) -> Self {
        let Config { authority, own_namespace, awaits, deadlines, hub } = config;
        Self {
            hub: Hub::new(own_namespace),
            store: Store::new(authority),
            membership: Membership::new(authority),
            knowledge: KnowledgeStage::new(awaits, deadlines),
            services: Services::default(),
            vips: VipTable::default(),
            mirrors: Mirrors::new(hub),
            reports: Reports::new(hub),
            batches: 0,
        }
    }

    /// Applies the waiting batches, in order, as one round. `now` is the time of the round; it may step back or jump. The caller
    /// calls again at [`Effects::wake_at`], with no batches if none arrived until then.
    pub fn apply(&mut self, batches: impl IntoIterator<Item = Batch>, now: Time) -> Effects {
        let Self { hub, store, membership, knowledge, services, vips, mirrors, reports, batches: count } = self;
        let (hub_change, inputs) = hub.update(batches.into_iter().inspect(|_| *count += 1));
        let mut store_change = store.update(inputs, now);
        if !hub.is_listed() {
            return Effects::default(); // nothing is decided by a part of the rules
        }
        if hub_change.completed {
            store.all_changed(&mut store_change);
        }
        let of_membership = membership.update(&hub_change, &store_change, hub, store, now);
        if of_membership.judged {
            store.settle_identities(|id| membership.identity(id), now, &mut store_change);
        }
        let (of_hub, of_store) = (&hub_change, &store_change);
        let changes = knowledge::Changes { hub: of_hub, store: of_store, membership: &of_membership };
        let of_knowledge = knowledge.update(changes, store, membership, now);
        let earlier = services::Earlier { hub, store, membership };
        let of_services = services.update(of_hub, of_store, &of_membership, earlier);
        let earlier = vips::Earlier { store, membership, knowledge, services };
        let of_vips = vips.update(of_store, &of_membership, &of_knowledge, &of_services, earlier);
        let changes = mirrors::Changes {
            hub: of_hub,
            store: of_store,
            membership: &of_membership,
            knowledge: &of_knowledge,
            services: &of_services,
        };
        let earlier = mirrors::Earlier { hub, store, membership, knowledge, services };
        let of_mirrors = mirrors.update(changes, earlier);
        let members = reports.update(changes, &of_mirrors, earlier, mirrors);
        Effects {
            services: of_services.services,
            rankings: of_services.rankings,
            vips: of_vips,
            topology: of_membership.topology,
            mirrors: of_mirrors.actions,
            members,
            unknown: of_knowledge.unknown,
            knowledge: of_knowledge.knowledge,
            wake_at: knowledge.wake_at(),
            hub_notices: hub_change.notices,
        }
    }

    #[cfg(test)]
    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    pub fn stats(&self) -> Stats {
        let (merged, merged_unchanged) = self.services.merges();
        Stats {
            batches: self.batches,
            merged,
            merged_unchanged,
            planned: self.mirrors.planned(),
            judged: self.membership.judged(),
            reported: self.reports.built(),
        }
    }

    pub fn reports(&self) -> &BTreeMap<ClusterId, Arc<MemberReport>> {
        self.reports.reports()
    }

    pub fn merged(&self) -> &HashMap<ServiceKey, Arc<Merged>> {
        self.services.merged()
    }

    /// What the policy of each merged service says about ranking.
    pub fn rankings(&self) -> &HashMap<ServiceKey, Arc<RankingRule>> {
        self.services.rankings()
    }

    /// Why a service is what it is. `None`: no member has or exports it. It costs as much as one merge of it.
    pub fn explain(&self, key: &ServiceKey) -> Option<ServiceExplanation> {
        let Self { hub, store, membership, services, .. } = self;
        services.explain(key, services::Earlier { hub, store, membership })
    }

    pub fn topology(&self) -> &Arc<Topology> {
        self.membership.topology()
    }

    /// VIPs by member and service, as published.
    pub fn vips(&self) -> &BTreeMap<ClusterId, HashMap<ServiceKey, Arc<Vips>>> {
        self.vips.by_member()
    }

    /// Mirror work that is not done yet, by member.
    pub fn mirror_work(&self) -> &BTreeMap<ClusterId, BTreeMap<Key, Action>> {
        self.mirrors.actions()
    }

    /// Whether an object that Isthmus makes should be in a member, whatever is there now. `None`: that is not known, or Isthmus
    /// does not decide it.
    pub fn mirror_is_wanted(&self, id: &ClusterId, key: &Key) -> Option<bool> {
        let Self { hub, store, membership, knowledge, services, .. } = self;
        mirrors::is_desired(id, key, mirrors::Earlier { hub, store, membership, knowledge, services })
    }

    /// Names in the hub's objects that refer to nothing, and objects without an effect; sorted.
    pub fn hub_notices(&self) -> &Arc<Vec<HubNotice>> {
        self.hub.notices()
    }

    /// Lists of the hub that were not completed yet.
    pub fn hub_missing(&self) -> Vec<HubKind> {
        self.hub.missing()
    }

    pub fn hub_is_listed(&self) -> bool {
        self.hub.is_listed()
    }

    /// Members that have to be known and are not. Empty as long as the hub's lists are not complete: see
    /// [`Engine::hub_missing`].
    pub fn unknown(&self) -> &Arc<BTreeSet<ClusterId>> {
        self.knowledge.unknown()
    }

    /// What is known, and what may be done before everything is.
    pub fn knowledge(&self) -> Knowledge {
        self.knowledge.knowledge(&self.hub)
    }

    /// True when everything that has to be known is known.
    pub fn synced(&self) -> bool {
        self.hub.is_listed() && self.knowledge.unknown().is_empty()
    }
}
