//! Namespaces in members.

use federation::desired::MirrorNamespace;
use federation::model::Namespace as Name;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

use super::requests::{self, WriteError, created, post};
use crate::client::MemberClient;
use crate::writers::mirror::objects;

/// A Namespace that is there, whosever it is, is all that is asked for.
pub(super) async fn apply(member: &MemberClient, desired: &MirrorNamespace, hub: &str) -> Result<(), WriteError> {
    created(api(member).create(&post(), &objects::namespace(desired, hub)).await)?;
    Ok(())
}

pub(super) async fn delete(
    member: &MemberClient,
    name: &Name,
    uid: &str,
    resource_version: &str,
) -> Result<(), WriteError> {
    requests::delete(&api(member), name.as_str(), uid, resource_version).await
}

fn api(member: &MemberClient) -> Api<Namespace> {
    Api::all(member.client.clone())
}
