//! Objects from YAML text, by server-side apply.

use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams, TypeMeta};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::Value;

use super::Cluster;
use crate::testbed::wait::eventually;

const FIELD_MANAGER: &str = "test";
/// A kind whose definition was applied a moment ago is not served at once.
const KIND_LIMIT: Duration = Duration::from_secs(20);

impl Cluster {
    /// Applies every document of `yaml` (objects or `List`s) in order, as field
    /// manager `test`, taking over conflicting fields. An object without a
    /// namespace goes to `default`. Panics on what the API server refuses.
    pub async fn apply(&self, yaml: &str) {
        for object in documents(yaml) {
            self.try_apply(object, false).await.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Applies the `status` of every document: what a kubelet or a controller
    /// would write.
    pub async fn apply_status(&self, yaml: &str) {
        for object in documents(yaml) {
            self.try_apply(object, true).await.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// [`Cluster::apply`] that gives back what the API server refused, and stops
    /// there.
    pub async fn apply_or_refusal(&self, yaml: &str) -> Result<(), String> {
        for object in documents(yaml) {
            self.try_apply(object, false).await?;
        }
        Ok(())
    }

    async fn try_apply(&self, object: Value, status: bool) -> Result<(), String> {
        let mut object: DynamicObject =
            serde_json::from_value(object).map_err(|error| format!("not a Kubernetes object: {error}"))?;
        let types = object.types.clone().ok_or("an object without apiVersion and kind")?;
        let name = object.metadata.name.clone().ok_or_else(|| format!("a {} without a name", types.kind))?;
        let client = self.client();
        let (resource, capabilities) = resource_of(&client, &types).await;
        let api: Api<DynamicObject> = if capabilities.scope == Scope::Cluster {
            Api::all_with(client, &resource)
        } else {
            let namespace = object.metadata.namespace.get_or_insert_with(|| "default".to_owned());
            Api::namespaced_with(client, namespace, &resource)
        };
        let (params, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&object));
        let answer = if status {
            api.patch_status(&name, &params, &patch).await
        } else {
            api.patch(&name, &params, &patch).await
        };
        answer.map(|_| ()).map_err(|error| format!("{}: apply {} {name}: {error}", self.name, types.kind))
    }
}

/// The documents of a YAML text, with `List`s unfolded and empty ones dropped.
fn documents(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("not YAML: {error}"));
    let unfold = |mut document: Value| match document.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if document["kind"] == "List" => items,
        Some(items) => {
            document["items"] = items;
            vec![document]
        }
        None => vec![document],
    };
    documents.into_iter().filter(|document| !document.is_null()).flat_map(unfold).collect()
}

async fn resource_of(client: &Client, types: &TypeMeta) -> (ApiResource, ApiCapabilities) {
    let gvk = GroupVersionKind::try_from(types).unwrap_or_else(|error| panic!("{types:?}: {error}"));
    let what = format!("{} {} is served", types.api_version, types.kind);
    eventually(&what, KIND_LIMIT, async || pinned_kind(client, &gvk).await).await
}
