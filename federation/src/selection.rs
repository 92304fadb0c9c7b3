//! Which Services take part, and why the others do not: policy, marks, and what never does. One function decides and
//! gives the reason, so that what is reported is what was done.
//!
//! The nearest mark counts, see [`Policies::select`]. `docs/federation.md` has the same order as a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::explain::SelectedBy;
use crate::model::{Federate, Labels, Member, Namespace, NamespacePattern, Policy, RankingRule, ServiceKind, Time};
use crate::packed::PackedService;
use crate::report::NotExported;
use crate::store::ClusterState;

/// The label that marks a Service, or all Services of a Namespace: `true` or `false`.
pub const FEDERATE_LABEL: &str = "isthmus.dev/federate";

/// Namespaces that belong to Kubernetes itself, and the one that is Isthmus's in every member, whatever it is called in the
/// hub: the name of a region's control plane is there, and must mean the same in each member.
const NEVER: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "isthmus-system"];

/// The value of the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FederateMark {
    Yes,
    No,
    /// The label is not there, or its value is neither a yes nor a no.
    Nothing,
}

impl FederateMark {
    /// Only `true` is a yes. A misspelt no still is a no: its author did not want the Service to be reachable from other clusters.
    /// A misspelt yes is ignored, so a typing error never exports and never withdraws anything.
    pub fn of(labels: &Labels) -> Self {
        match labels.get(FEDERATE_LABEL) {
            Some("true") => Self::Yes,
            Some(text)
                if ["false", "no", "off", "0", "n", "disabled"].iter().any(|no| no.eq_ignore_ascii_case(text)) =>
            {
                Self::No
            }
            Some(_) | None => Self::Nothing,
        }
    }
}

/// How a Service of one member takes part.
#[derive(Clone, Debug)]
pub(crate) struct Selected<'a> {
    /// When it was exported: the `ServiceExport`'s creation, else the Service's own.
    pub since: Time,
    pub rule: &'a Arc<RankingRule>,
    /// Whether addresses outside of the member's ranges are refused.
    pub strict_cidrs: bool,
    pub by: SelectedBy,
}

/// Why a Service does not take part.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    pub why: NotExported,
    /// Its owner has reason to expect that it does, so it is reported.
    pub unexpected: bool,
}

/// Policies in the order in which they are tried: the most specific first, then the oldest, then by name.
pub(crate) struct Policies {
    ordered: Vec<(Policy, Arc<RankingRule>)>,
    built_in: (Policy, Arc<RankingRule>),
    own_namespace: Namespace,
}

impl Policies {
    pub fn new(policies: &BTreeMap<Arc<str>, Policy>, own_namespace: Namespace) -> Self {
        let with_rule = |policy: &Policy| (policy.clone(), Arc::new(policy.ranking_rule()));
        let mut ordered: Vec<_> = policies.values().map(with_rule).collect();
        ordered.sort_by(|(a, _), (b, _)| {
            let specificity = |policy: &Policy| policy.namespaces.specificity() + policy.services.specificity();
            (specificity(b), a.created, &a.name).cmp(&(specificity(a), b.created, &b.name))
        });
        Self { ordered, built_in: with_rule(&Policy::built_in()), own_namespace }
    }

    /// What each policy says about ranking, by the policy's name.
    pub fn rule(&self, policy: &str) -> Option<&Arc<RankingRule>> {
        self.ordered.iter().map(|(_, rule)| rule).find(|rule| &*rule.policy == policy)
    }

    fn of(&self, namespace: &Labels, service: &Labels) -> &(Policy, Arc<RankingRule>) {
        self.ordered.iter().find(|(policy, _)| policy.selects(namespace, service)).unwrap_or(&self.built_in)
    }

    /// Whether this member's own Service (not a mirror) takes part. In this order:
    ///
    /// 1. what can never take part: Kubernetes' own namespaces, what another product derived, `ExternalName`, `internalTrafficPolicy: Local`;
    /// 2. what the hub forbids: the member's `exports`, a policy that federates `None`;
    /// 3. the nearest mark: `false` on the Service, a `ServiceExport`, `true` on the Service, then the Namespace's label;
    /// 4. the policy's default: `All` or `Marked`.
    pub fn select<'a>(
        &'a self,
        member: &Member,
        state: &ClusterState,
        service: &PackedService,
    ) -> Result<Selected<'a>, LeftOut> {
        let none = Labels::default();
        let namespace = state.namespaces.get(&service.key.namespace).map_or(&none, |object| &object.labels);
        let export = state.exports.get(&service.key);
        let own_mark = FederateMark::of(&service.labels);
        let (policy, rule) = self.of(namespace, &service.labels);
        let marked = match (own_mark, export, FederateMark::of(namespace)) {
            (FederateMark::No, ..) => Err(NotExported::MarkedFalse { on_namespace: false }),
            (_, Some(_), _) => Ok(SelectedBy::Export),
            (FederateMark::Yes, ..) => Ok(SelectedBy::ServiceLabel),
            (_, _, FederateMark::Yes) => Ok(SelectedBy::NamespaceLabel),
            (_, _, FederateMark::No) => Err(NotExported::MarkedFalse { on_namespace: true }),
            (_, _, FederateMark::Nothing) if policy.federate == Federate::All => Ok(SelectedBy::Policy),
            (_, _, FederateMark::Nothing) => Err(NotExported::NotMarked),
        };
        let by_marks = marked.is_ok();
        let why = match (self.forbidden(member, service, policy), marked) {
            (Some(why), _) | (None, Err(why)) => why,
            (None, Ok(by)) => {
                let since = export.map_or(service.created, |export| export.created);
                return Ok(Selected { since, rule, strict_cidrs: policy.strict_cidrs, by });
            }
        };
        let asked_for = export.is_some()
            || own_mark == FederateMark::Yes
            || (own_mark == FederateMark::Nothing && FederateMark::of(namespace) == FederateMark::Yes);
        let unexpected = match why {
            NotExported::NotMarked => false,
            NotExported::MarkedFalse { .. } => export.is_some(),
            NotExported::Derived { .. } => by_marks,
            NotExported::System
            | NotExported::ExternalName
            | NotExported::NodeLocal
            | NotExported::NotInExports
            | NotExported::PolicyExcludes { .. } => asked_for,
        };
        Err(LeftOut { why, unexpected })
    }

    /// What holds whatever the marks are.
    fn forbidden(&self, member: &Member, service: &PackedService, policy: &Policy) -> Option<NotExported> {
        let namespace = &service.key.namespace;
        let kubernetes = namespace.as_str() == "default" && &*service.key.name == "kubernetes";
        if NEVER.contains(&namespace.as_str()) || *namespace == self.own_namespace || kubernetes {
            return Some(NotExported::System);
        }
        if let Some(by) = service.derived_by() {
            return Some(NotExported::Derived { by });
        }
        if service.kind == ServiceKind::ExternalName {
            return Some(NotExported::ExternalName);
        }
        if service.node_local {
            return Some(NotExported::NodeLocal);
        }
        let allows = |list: &Vec<NamespacePattern>| list.iter().any(|pattern| pattern.matches(namespace.as_str()));
        if !member.exports.as_ref().is_none_or(allows) {
            return Some(NotExported::NotInExports);
        }
        (policy.federate == Federate::None).then(|| NotExported::PolicyExcludes { policy: Arc::clone(&policy.name) })
    }
}
