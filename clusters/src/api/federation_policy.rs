//! `FederationPolicy`: what is federated, and how its clients fail over.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Rules for the services it selects. The one named "default" is the federation's.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "isthmus.dev",
    version = "v1alpha1",
    kind = "FederationPolicy",
    plural = "federationpolicies",
    shortname = "fp",
    category = "isthmus",
    status = "FederationPolicyStatus",
    derive = "PartialEq",
    doc = "What is federated and how its clients fail over. The most specific selector wins, then the oldest policy.",
    validation = Rule::new("self.metadata.name != 'default' || !has(self.spec.selects) || \
         ((!has(self.spec.selects.namespaces) || !has(self.spec.selects.namespaces.matchLabels) || \
         self.spec.selects.namespaces.matchLabels.size() == 0) && \
         (!has(self.spec.selects.services) || !has(self.spec.selects.services.matchLabels) || \
         self.spec.selects.services.matchLabels.size() == 0))")
        .message("the policy named \"default\" is the federation's and selects everything: spec.selects must ask for no labels"),
    printcolumn = r#"{"name":"FEDERATE","type":"string","jsonPath":".spec.federate"}"#,
    printcolumn = r#"{"name":"ACCEPTED","type":"string","jsonPath":".status.conditions[?(@.type==\"Accepted\")].status"}"#,
    printcolumn = r#"{"name":"REASON","type":"string","jsonPath":".status.conditions[?(@.type==\"Accepted\")].reason"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct FederationPolicySpec {
    /// Which services it is for. Left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selects: Option<Selects>,
    /// Marked: what has a ServiceExport, or the label isthmus.dev/federate=true on the Service or its Namespace. The label
    /// "false" takes a Service out, of All as well; None takes out all, whatever they are marked.
    #[serde(default)]
    #[schemars(schema_with = "schema::federate")]
    pub federate: Federate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// Ranges that no member may use: node, VPC and on-premises networks. Those of all policies count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::reserved_cidrs")]
    pub reserved_cidrs: Vec<String>,
    /// Endpoints of the selected services whose addresses lie in none of their member's ranges, and are no Node's, are not
    /// served. Left out: they are served, and the member's status names them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_cidrs: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Selects {
    /// Namespaces by their labels. Left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    /// Services by their labels. Left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<LabelSelector>,
}

/// Every pair must be there. Empty matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::match_labels")]
    pub match_labels: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Federate {
    #[default]
    Marked,
    All,
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// Also write EndpointSlices with remote pods, for clients without a sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_slices: Option<bool>,
    /// Remove namespaces that Isthmus created once they hold nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune_namespaces: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failover {
    /// Who serves, nearest first. Left out: Zone, Region, Ordered, Any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::tiers")]
    pub tiers: Option<Vec<Tier>>,
    /// Weights across clusters inside a tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::cluster_weights")]
    pub clusters: Vec<Weight>,
    /// Below this share of healthy endpoints a tier spills to the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::percent")]
    pub min_healthy_percent: Option<u32>,
}

/// Cluster: the client's own cluster. Ordered: the client Region's failover list. Any: all that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tier {
    Cluster,
    Zone,
    Region,
    Ordered,
    Any,
}

/// A cluster's share inside a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    pub name: String,
    pub weight: u32,
}

/// What may be withdrawn, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Safety {
    /// How long a member may be unseen before fresh ones go first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::period")]
    pub demote_after: Option<String>,
    /// How long a member may be unseen before its endpoints are withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::period")]
    pub withdraw_after: Option<String>,
    /// More than this lost by one member within lossWindow is held back and alarmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::percent")]
    pub max_loss_percent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::period")]
    pub loss_window: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FederationPolicyStatus {
    /// Accepted. Its message names fields that are accepted but not in effect yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// Fields of this policy that are accepted but do nothing yet, in the order of the schema. Only those that ask for
/// something else than what happens anyway: `endpointSlices: false` is in effect.
pub fn not_in_effect(spec: &FederationPolicySpec) -> Vec<&'static str> {
    let mirror = spec.mirror.unwrap_or_default();
    let percent = spec.failover.as_ref().and_then(|failover| failover.min_healthy_percent);
    let safety = spec.safety.clone().unwrap_or_default();
    [
        (mirror.endpoint_slices == Some(true), "spec.mirror.endpointSlices"),
        (mirror.prune_namespaces == Some(true), "spec.mirror.pruneNamespaces"),
        (percent.is_some(), "spec.failover.minHealthyPercent"),
        (safety.demote_after.is_some(), "spec.safety.demoteAfter"),
        (safety.withdraw_after.as_deref().is_some_and(|text| text != "Never"), "spec.safety.withdrawAfter"),
        (safety.max_loss_percent.is_some(), "spec.safety.maxLossPercent"),
        (safety.loss_window.is_some(), "spec.safety.lossWindow"),
    ]
    .into_iter()
    .filter_map(|(set, field)| set.then_some(field))
    .collect()
}
