//! Brings about one wish in one member.
//!
//! The first write of an object is a plain create: a server-side apply would merge into whatever somebody else made
//! under that name a moment ago, and thereby take it over. Later writes are server-side applies that name the UID and
//! resourceVersion that were looked at. An apply cannot remove what others added to our object (list entries belong to
//! whoever wrote them, and what our own create wrote counts as another writer), so where the answer still differs,
//! the object as answered is put back with our fields exactly as wished.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use federation::model::{Namespace as NamespaceName, ServiceKey};
use federation::{MirrorAction, MirrorKey, MirrorService};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde::de::DeserializeOwned;

use super::objects::{self, Standing};
use super::work::Outcome;
use crate::api::FIELD_MANAGER;
use crate::clusters::MemberClient;

/// Deadline of one write, with the reads that belong to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) async fn apply(member: &MemberClient, key: &MirrorKey, action: &MirrorAction) -> Outcome {
    let work = async {
        match (key, action) {
            (_, MirrorAction::Leave) => Ok(()),
            (MirrorKey::Namespace(name), MirrorAction::ApplyNamespace) => create_namespace(member, name).await,
            (MirrorKey::Service(service), MirrorAction::ApplyService(wish)) => put_service(member, service, wish).await,
            (MirrorKey::Namespace(name), MirrorAction::Delete { uid, resource_version }) => {
                delete(&Api::<Namespace>::all(member.client.clone()), name.as_str(), uid, resource_version).await
            }
            (MirrorKey::Service(service), MirrorAction::Delete { uid, resource_version }) => {
                delete(&services(member, service), &service.name, uid, resource_version).await
            }
            (MirrorKey::Service(service), MirrorAction::Release) => release(member, service).await,
            // The engine pairs keys and actions of one kind.
            (_, MirrorAction::ApplyNamespace | MirrorAction::ApplyService(_) | MirrorAction::Release) => Ok(()),
        }
    };
    let text = match tokio::time::timeout(WRITE_TIMEOUT, work).await {
        Ok(Ok(())) => return Outcome::Accepted,
        Ok(Err(kube::Error::Api(status))) => format!("{key}: {}: {} ({})", status.reason, status.message, status.code),
        Ok(Err(_)) => format!("{key}: the connection failed"),
        Err(_) => format!("{key}: not written within {} s", WRITE_TIMEOUT.as_secs()),
    };
    Outcome::Retry(Arc::from(member.scrub(&text)))
}

fn services(member: &MemberClient, key: &ServiceKey) -> Api<Service> {
    Api::namespaced(member.client.clone(), key.namespace.as_str())
}

fn post() -> PostParams {
    PostParams { dry_run: false, field_manager: Some(FIELD_MANAGER.to_owned()) }
}

/// A Namespace that is there, whosever it is, is all that is asked for.
async fn create_namespace(member: &MemberClient, name: &NamespaceName) -> kube::Result<()> {
    let api: Api<Namespace> = Api::all(member.client.clone());
    taken(api.create(&post(), &objects::namespace(name)).await)
}

async fn put_service(member: &MemberClient, key: &ServiceKey, wish: &MirrorService) -> kube::Result<()> {
    let api = services(member, key);
    let wanted = objects::service(key, wish);
    let Some(found) = api.get_opt(&key.name).await? else {
        return taken(api.create(&post(), &wanted).await);
    };
    match objects::compare(&found, wish) {
        Standing::NotForUs | Standing::AsWished => Ok(()),
        Standing::Different => {
            let mut applied = wanted.clone();
            applied.metadata.uid.clone_from(&found.metadata.uid);
            applied.metadata.resource_version.clone_from(&found.metadata.resource_version);
            let params = PatchParams::apply(FIELD_MANAGER).force();
            let mut answer = match api.patch(&key.name, &params, &Patch::Apply(&applied)).await {
                Ok(answer) => answer,
                // Merged with what others added, ours need not be valid: their port may bear our port's name.
                Err(kube::Error::Api(status)) if status.code == 422 => found,
                Err(error) => return Err(error),
            };
            if objects::compare(&answer, wish) == Standing::Different {
                objects::overwrite(&mut answer, &wanted);
                api.replace(&key.name, &post(), &answer).await?;
            }
            Ok(())
        }
    }
}

/// Somebody made our object theirs: our labels, our annotation and our claims on its fields go, all else stays.
async fn release(member: &MemberClient, key: &ServiceKey) -> kube::Result<()> {
    let api = services(member, key);
    let Some(mut found) = api.get_opt(&key.name).await? else { return Ok(()) };
    if objects::release(&mut found) {
        // The resourceVersion that was read is sent back, so that nothing newer is overwritten.
        api.replace(&key.name, &post(), &found).await?;
    }
    Ok(())
}

/// Somebody was faster: their object stays, and the watch will show it to the engine.
fn taken<K>(created: kube::Result<K>) -> kube::Result<()> {
    match created {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        Err(error) => Err(error),
    }
}

/// Deletes exactly the object that was looked at. If it is gone or has changed since, nothing is to be done: the engine
/// judges anew from the watch.
async fn delete<K>(api: &Api<K>, name: &str, uid: &str, resource_version: &str) -> kube::Result<()>
where
    K: Clone + DeserializeOwned + Debug,
{
    let preconditions =
        Preconditions { uid: Some(uid.to_owned()), resource_version: Some(resource_version.to_owned()) };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error),
    }
}
