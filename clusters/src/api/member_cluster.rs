//! `MemberCluster`: a cluster that asks to belong, and what became of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// What a cluster brings along when it joins. The object's name is the cluster id.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "isthmus.dev",
    version = "v1alpha1",
    kind = "MemberCluster",
    plural = "memberclusters",
    shortname = "mc",
    category = "isthmus",
    status = "MemberClusterStatus",
    derive = "PartialEq",
    doc = "A member cluster of the federation. Its name is the cluster id.",
    validation = Rule::new("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')")
        .message("metadata.name is the cluster id: it must be an RFC 1123 label of at most 63 characters"),
    printcolumn = r#"{"name":"REGION","type":"string","jsonPath":".spec.region"}"#,
    printcolumn = r#"{"name":"READY","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"REASON","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"SERVICES","type":"integer","jsonPath":".status.counts.services"}"#,
    printcolumn = r#"{"name":"ENDPOINTS","type":"integer","jsonPath":".status.counts.endpoints"}"#,
    printcolumn = r#"{"name":"NETWORK","type":"string","jsonPath":".spec.network","priority":1}"#,
    printcolumn = r#"{"name":"TRAFFIC","type":"string","jsonPath":".spec.traffic","priority":1}"#,
    printcolumn = r#"{"name":"WEIGHT","type":"integer","jsonPath":".spec.weight","priority":1}"#,
    printcolumn = r#"{"name":"VERSION","type":"string","jsonPath":".status.kubernetesVersion","priority":1}"#,
    printcolumn = r#"{"name":"SEEN","type":"date","jsonPath":".status.lastSeen"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct MemberClusterSpec {
    /// The name of the Region this cluster is in. It cannot be changed.
    #[schemars(schema_with = "schema::immutable_region")]
    pub region: String,
    /// Members of one network reach each other's pod addresses directly. Left out: "default".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::network")]
    pub network: Option<String>,
    /// The Secret with this cluster's kubeconfig, in Isthmus's own namespace. The controller writes mirrors with it. Left
    /// out only where the cluster's objects come from a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig_secret_ref: Option<SecretKeyRef>,
    /// The Secret with a kubeconfig that may only read, for the control planes of regions. Left out: they use
    /// kubeconfigSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_kubeconfig_secret_ref: Option<SecretKeyRef>,
    /// Address ranges. A list that is left out is discovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidrs: Option<DeclaredCidrs>,
    /// What it may export. Left out: everything that policy federates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports: Option<Exports>,
    /// Drained: it keeps its membership, but is offered to no client while others can serve.
    #[serde(default)]
    #[schemars(schema_with = "schema::traffic")]
    pub traffic: Traffic,
    /// Relative weight inside its tier. Left out: its ready endpoints count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::weight")]
    pub weight: Option<u32>,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    #[schemars(schema_with = "schema::secret_name")]
    pub name: String,
    /// Left out: "kubeconfig".
    #[serde(default = "SecretKeyRef::default_key")]
    #[schemars(schema_with = "schema::secret_key")]
    pub key: String,
}

impl SecretKeyRef {
    fn default_key() -> String {
        "kubeconfig".to_owned()
    }
}

/// Ranges that the cluster is declared to use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeclaredCidrs {
    /// Left out: discovered from the podCIDRs of its Nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cidrs")]
    pub pods: Option<Vec<String>>,
    /// Left out: discovered from its ServiceCIDR objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cidrs")]
    pub services: Option<Vec<String>>,
}

/// The export allow-list of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exports {
    /// Namespace names, or prefixes that end in one '*'.
    #[schemars(schema_with = "schema::export_patterns")]
    pub namespaces: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traffic {
    #[default]
    Active,
    Drained,
}

impl From<federation::model::Traffic> for Traffic {
    fn from(traffic: federation::model::Traffic) -> Self {
        match traffic {
            federation::model::Traffic::Active => Self::Active,
            federation::model::Traffic::Drained => Self::Drained,
        }
    }
}

impl Traffic {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Drained => "Drained",
        }
    }
}

/// What was found, what was decided, and when it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberClusterStatus {
    /// Connected, Admitted, Synced, and Ready as the summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// UID of the cluster's kube-system namespace: its identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::short_text")]
    pub cluster_uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::short_text")]
    pub kubernetes_version: Option<String>,
    /// The ranges it uses, and how we know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidrs: Option<ObservedCidrs>,
    /// The admission that was granted. Who came first is decided by this record, so it must not be edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission: Option<AdmissionRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<MemberCounts>,
    /// When its API last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Time>,
    /// Objects of this cluster that are not used, and why. The first ones only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::problems")]
    pub problems: Vec<String>,
    /// What works, but not as one might expect: Services that are not exported although others of their name are, or although
    /// a user asked for it, marks that are misspelt, and the like. The first ones only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::problems")]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedCidrs {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::observed_cidrs")]
    pub pods: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::observed_cidrs")]
    pub services: Vec<String>,
    #[serde(default)]
    #[schemars(schema_with = "schema::cidr_source")]
    pub pods_source: CidrSourceName,
    #[serde(default)]
    #[schemars(schema_with = "schema::cidr_source")]
    pub services_source: CidrSourceName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CidrSourceName {
    #[default]
    Unknown,
    Declared,
    Discovered,
}

/// An admission as it is kept: to whom, when, and for which ranges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdmissionRecord {
    pub at: MicroTime,
    #[schemars(schema_with = "schema::short_text")]
    pub uid: String,
    #[serde(default)]
    #[schemars(schema_with = "schema::observed_cidrs")]
    pub pods: Vec<String>,
    #[serde(default)]
    #[schemars(schema_with = "schema::observed_cidrs")]
    pub services: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberCounts {
    /// Federated services it contributes to.
    #[schemars(schema_with = "schema::count")]
    pub services: u64,
    /// Endpoints it contributes: (address, port) pairs of federated services.
    #[schemars(schema_with = "schema::count")]
    pub endpoints: u64,
    /// Mirrored Services in it.
    #[schemars(schema_with = "schema::count")]
    pub mirrored: u64,
}
