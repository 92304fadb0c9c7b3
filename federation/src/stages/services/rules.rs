//! What the policy of each merged service says about ranking, beside the merged service.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::{RankingRule, ServiceKey};
use crate::selection::Policies;

#[derive(Debug, Default)]
pub(super) struct Rules {
    by_service: HashMap<ServiceKey, Arc<RankingRule>>,
    /// What was published of the services that changed in this round.
    before: BTreeMap<ServiceKey, Option<Arc<RankingRule>>>,
}

impl Rules {
    pub(super) fn by_service(&self) -> &HashMap<ServiceKey, Arc<RankingRule>> {
        &self.by_service
    }

    /// The rule of a service that was merged; `None`: it is gone.
    pub(super) fn set(&mut self, key: &ServiceKey, rule: Option<Arc<RankingRule>>) {
        let old = self.by_service.get(key);
        let same = match (old, &rule) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old == new,
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        let old = match rule {
            Some(rule) => self.by_service.insert(key.clone(), rule),
            None => self.by_service.remove(key),
        };
        self.before.entry(key.clone()).or_insert(old);
    }

    /// These policies changed in what they say about ranking, and in nothing else. O(services), as such a policy may be the one of
    /// all services.
    pub(super) fn follow_policies(&mut self, changed: &BTreeSet<Arc<str>>, policies: &Policies) {
        if changed.is_empty() {
            return;
        }
        let follow = |(key, rule): (&ServiceKey, &Arc<RankingRule>)| {
            let rule = changed.contains(&rule.policy).then(|| policies.rule(&rule.policy))??;
            Some((key.clone(), Arc::clone(rule)))
        };
        let fresh: Vec<_> = self.by_service.iter().filter_map(follow).collect();
        for (key, rule) in fresh {
            self.set(&key, Some(rule));
        }
    }

    /// What changed since the last call, sorted by service.
    pub(super) fn take_changes(&mut self) -> Vec<(ServiceKey, Option<Arc<RankingRule>>)> {
        let before = std::mem::take(&mut self.before);
        let now = before.into_iter().map(|(key, old)| (self.by_service.get(&key).cloned(), key, old));
        now.filter(|(rule, _, old)| rule != old).map(|(rule, key, _)| (key, rule)).collect()
    }
}
