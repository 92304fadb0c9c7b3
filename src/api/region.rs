//! `Region`: where clients go when their own region cannot serve.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::schema;

/// A region of the federation and the order in which its clients fail over to other regions.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "isthmus.dev",
    version = "v1alpha1",
    kind = "Region",
    plural = "regions",
    shortname = "rg",
    category = "isthmus",
    derive = "PartialEq",
    doc = "A region of the federation, and where its clients go when it cannot serve them.",
    validation = Rule::new("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')")
        .message("metadata.name must be an RFC 1123 label of at most 63 characters"),
    printcolumn = r#"{"name":"FAILOVER","type":"string","jsonPath":".spec.failover"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RegionSpec {
    /// Regions to try after this one, in this order. Regions not named follow, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::failover_regions")]
    pub failover: Vec<String>,
}
