//! The status of a `FederationPolicy` or a `Region`, which is its conditions.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::deadline::deadline;
use crate::api::{API_VERSION, FIELD_MANAGER, FederationPolicy, Region};

/// Kinds whose status is their conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AcceptedKind {
    Policy,
    Region,
}

impl AcceptedKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "FederationPolicy",
            Self::Region => "Region",
        }
    }
}

/// The conditions that an object should have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AcceptedStatus {
    pub(crate) kind: AcceptedKind,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Arc<str>,
    pub(crate) conditions: Vec<Condition>,
}

pub(super) async fn apply(hub: &kube::Client, desired: &AcceptedStatus) -> Result<(), String> {
    match desired.kind {
        AcceptedKind::Policy => apply_to::<FederationPolicy>(hub, desired).await,
        AcceptedKind::Region => apply_to::<Region>(hub, desired).await,
    }
}

/// A server-side apply that names the UID: an object that was deleted meanwhile must not come back as an empty shell.
async fn apply_to<K>(hub: &kube::Client, desired: &AcceptedStatus) -> Result<(), String>
where
    K: kube::Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(hub.clone());
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": desired.kind.as_str(),
        "metadata": {"name": &*desired.name, "uid": &*desired.uid},
        "status": {"conditions": desired.conditions},
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    deadline(api.patch_status(&desired.name, &params, &Patch::Apply(&body))).await
}
