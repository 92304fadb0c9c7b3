//! The status of a `MemberCluster`.

use std::sync::Arc;

use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::deadline::deadline;
use crate::api::{API_VERSION, FIELD_MANAGER, MemberCluster, MemberClusterStatus};
use crate::conditions::known::MEMBER_KIND;

/// The status that a `MemberCluster` should have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MemberStatus {
    pub(crate) name: Arc<str>,
    pub(crate) uid: Arc<str>,
    pub(crate) status: MemberClusterStatus,
}

/// A server-side apply that names the UID: an object that was deleted meanwhile must not come back as an empty shell.
pub(super) async fn apply(hub: &kube::Client, desired: &MemberStatus) -> Result<(), String> {
    let api: Api<MemberCluster> = Api::all(hub.clone());
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": MEMBER_KIND,
        "metadata": {"name": &*desired.name, "uid": &*desired.uid},
        "status": desired.status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    deadline(api.patch_status(&desired.name, &params, &Patch::Apply(&body))).await
}
