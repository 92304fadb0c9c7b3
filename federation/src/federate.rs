//! Which services take part: policy, marks, and what never does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Failover, Federate, Labels, Member, Namespace, Policy, Service, ServiceKind, Time};
use crate::store::ClusterState;

/// The label that marks a Service, or all Services of a Namespace.
pub const FEDERATE_LABEL: &str = "isthmus.dev/federate";

/// Namespaces that belong to Kubernetes itself.
const NEVER: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Policies in the order in which they are asked: the most specific first, then the oldest, then by name.
pub(crate) struct Policies {
    ordered: Vec<(Policy, Arc<Failover>)>,
    built_in: (Policy, Arc<Failover>),
    own_namespace: Namespace,
}

impl Policies {
    pub fn new(policies: &BTreeMap<Arc<str>, Policy>, own_namespace: Namespace) -> Self {
        let with_failover = |policy: &Policy| (policy.clone(), Arc::new(policy.failover.clone()));
        let mut ordered: Vec<_> = policies.values().map(with_failover).collect();
        ordered.sort_by(|(a, _), (b, _)| {
            let specificity = |policy: &Policy| policy.namespaces.specificity() + policy.services.specificity();
            (specificity(b), a.created, &a.name).cmp(&(specificity(a), b.created, &b.name))
        });
        Self { ordered, built_in: with_failover(&Policy::built_in()), own_namespace }
    }

    fn of(&self, namespace: &Labels, service: &Labels) -> &(Policy, Arc<Failover>) {
        self.ordered.iter().find(|(policy, _)| policy.selects(namespace, service)).unwrap_or(&self.built_in)
    }

    /// Whether this member's Service takes part, and if so since when and with which failover.
    pub fn exported<'a>(
        &'a self,
        member: &Member,
        state: &ClusterState,
        service: &Service,
    ) -> Option<(Time, &'a Arc<Failover>)> {
        let namespace = &service.key.namespace;
        let kubernetes = namespace.as_str() == "default" && &*service.key.name == "kubernetes";
        let never = NEVER.contains(&namespace.as_str()) || *namespace == self.own_namespace || kubernetes;
        if never || service.is_mirror() || service.kind == ServiceKind::ExternalName {
            return None;
        }
        if member
            .exports
            .as_ref()
            .is_some_and(|allowed| !allowed.iter().any(|pattern| pattern.matches(namespace.as_str())))
        {
            return None;
        }
        let none = Labels::default();
        let namespace_labels = state.namespaces.get(namespace).map_or(&none, |object| &object.labels);
        let (policy, failover) = self.of(namespace_labels, &service.labels);
        let export = state.exports.get(&service.key);
        let marked = || {
            let label = |labels: &Labels| labels.get(FEDERATE_LABEL) == Some("true");
            export.is_some() || label(&service.labels) || label(namespace_labels)
        };
        let takes_part = match policy.federate {
            Federate::All => true,
            Federate::None => false,
            Federate::Marked => marked(),
        };
        takes_part.then(|| (export.map_or(service.created, |export| export.created), failover))
    }
}
