//! The custom resources of Isthmus, and every name that it writes on Kubernetes objects or looks for on them.
//! The Rust types are the source: `manifests/crds/` is generated from them.

mod duration;
mod federation_policy;
mod manifest;
mod member_cluster;
mod region;
mod schema;
mod service_export;
#[cfg(test)]
mod tests;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use duration::{DurationError, MAX_DURATION, Period};
pub use federation_policy::{
    Failover, Federate, FederationPolicy, FederationPolicySpec, FederationPolicyStatus, LabelSelector, Mirror, Safety,
    Selects, Tier, Weight, not_in_effect,
};
pub use manifest::{file_name, render_crd, render_crds};
pub use member_cluster::{
    AdmissionRecord, CidrSourceName, DeclaredCidrs, Exports, MemberCluster, MemberClusterSpec, MemberClusterStatus,
    MemberCounts, ObservedCidrs, SecretKeyRef, Traffic,
};
pub use region::{Region, RegionSpec};
pub use schema::{
    MAX_CIDRS, MAX_CLUSTER_WEIGHTS, MAX_EXPORT_PATTERNS, MAX_FAILOVER_REGIONS, MAX_MATCH_LABELS, MAX_STATUS_PROBLEMS,
    MAX_WEIGHT,
};
pub use service_export::{MCS_GROUP, MCS_VERSIONS, ServiceExport, ServiceExportStatus};

pub const GROUP: &str = "isthmus.dev";
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of all custom resources here.
pub const API_VERSION: &str = "isthmus.dev/v1alpha1";

/// Who we are in `managedFields`: every write is a server-side apply under this name.
pub const FIELD_MANAGER: &str = "isthmus";
/// The namespace Isthmus lives in, and where kubeconfig Secrets are read from.
pub const SYSTEM_NAMESPACE: &str = "isthmus-system";

/// The well-known label that names an object's manager.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Our value of [`LABEL_MANAGED_BY`] and of [`LABEL_SLICE_MANAGED_BY`].
pub const MANAGED_BY: &str = "isthmus";
/// Helm's value of [`LABEL_MANAGED_BY`]: it takes over an existing object only if it finds this, and both annotations
/// below with the release that is being installed.
pub const MANAGED_BY_HELM: &str = "Helm";
pub const ANNOTATION_HELM_NAME: &str = "meta.helm.sh/release-name";
pub const ANNOTATION_HELM_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// Where `kubectl apply` without `--server-side` keeps what was applied.
pub const ANNOTATION_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// On mirrors: the UID of the hub that wrote them (of its `kube-system` namespace).
pub const ANNOTATION_HUB: &str = "isthmus.dev/hub";
/// On a `MemberCluster`: the hub that holds the member, to be replaced by this one. See docs/mirroring.md.
pub const ANNOTATION_TAKE_OVER: &str = "isthmus.dev/take-over";
/// What a world in a folder has in place of a hub's UID.
pub const FOLDER_HUB: &str = "folder";
/// `"true"` on every object that we created as a mirror.
pub const LABEL_MIRROR: &str = "isthmus.dev/mirror";
/// Cluster ids that back a mirror, sorted, joined by commas.
pub const ANNOTATION_SOURCES: &str = "isthmus.dev/sources";
/// `"true"` on a Service or Namespace marks it as federated.
pub const LABEL_FEDERATE: &str = federation::FEDERATE_LABEL;

/// Names the Service that an EndpointSlice belongs to.
pub const LABEL_SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Names the controller that writes an EndpointSlice.
pub const LABEL_SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// On EndpointSlices that an MCS implementation (KEP-1645) imported: the cluster they came from.
pub const LABEL_SOURCE_CLUSTER: &str = "multicluster.kubernetes.io/source-cluster";
/// On EndpointSlices that an MCS implementation (KEP-1645) imported: the imported service.
pub const LABEL_MCS_SERVICE_NAME: &str = "multicluster.kubernetes.io/service-name";

/// The definitions to install, in the order people read them: regions, members, policies.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![Region::crd(), MemberCluster::crd(), FederationPolicy::crd()]
}
