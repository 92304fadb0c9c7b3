//! The request that writes the status of an object in the hub.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::ClusterResourceScope;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::{API_VERSION, FIELD_MANAGER};
use crate::client::cause::{self, Side};

/// Deadline of one write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(4);

/// A server-side apply that names the UID: an object that was deleted meanwhile must not come back as an empty shell. Errors in
/// few words.
pub(super) async fn apply<K>(hub: &kube::Client, name: &str, uid: &str, status: impl Serialize) -> Result<(), String>
where
    K: kube::Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(hub.clone());
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": uid},
        "status": status,
    });
    let (params, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&body));
    match tokio::time::timeout(WRITE_TIMEOUT, api.patch_status(name, &params, &patch)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) => Err(format!("{} ({}): {}", status.reason, status.code, status.message)),
        Ok(Err(error)) => Err(format!("the hub: {}", cause::of(Side::Hub, &error))),
        Err(_) => Err(format!("the hub: no answer within {} s", WRITE_TIMEOUT.as_secs())),
    }
}
