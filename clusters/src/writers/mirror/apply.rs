//! Applies one action in one member.
//!
//! The first write of an object is a plain create: a server-side apply would merge into whatever another client made
//! under that name a moment ago, and thereby take it over. Later writes are server-side applies that name the UID and
//! resourceVersion that were looked at. An apply cannot remove what others added to our object (list entries belong to
//! whichever client wrote them), so where the answer still differs, the object as answered is put back with our fields exactly
//! as desired. Whatever was written in another way than by an apply, our claims are cut down afterwards (`fields`).

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use federation::desired::{Action, Desired, Key, MirrorNamespace, MirrorService};
use federation::model::ServiceKey;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde::de::DeserializeOwned;

use super::objects::{self, Standing};
use super::work::Outcome;
use super::{fields, release};
use crate::api::FIELD_MANAGER;
use crate::client::MemberClient;
use crate::client::cause::{self, Side};

/// Deadline of one write, with the reads that belong to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Tries to cut down our claims while others write the object.
const SETTLE_TRIES: u32 = 3;

#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("it does not keep what is written; an admission webhook or policy in the member changes it")]
    Unruly,
}

pub(super) async fn apply(member: &MemberClient, hub: &str, action: &Action) -> Outcome {
    let work = async {
        match action {
            Action::Apply(Desired::Namespace(desired)) => Ok(create_namespace(member, desired, hub).await?),
            Action::Apply(Desired::Service(desired)) => put_service(member, desired, hub).await,
            Action::Delete { key: Key::Namespace(name), uid, resource_version } => {
                Ok(delete(&Api::<Namespace>::all(member.client.clone()), name.as_str(), uid, resource_version).await?)
            }
            Action::Delete { key: Key::Service(service), uid, resource_version } => {
                Ok(delete(&services(member, service), &service.name, uid, resource_version).await?)
            }
            Action::Release(Key::Service(service)) => Ok(let_go(member, service).await?),
            // A Namespace holds nothing of ours that its owner could miss.
            Action::Release(Key::Namespace(_)) | Action::Leave(_) => Ok(()),
        }
    };
    let text = match tokio::time::timeout(WRITE_TIMEOUT, work).await {
        Ok(Ok(())) => return Outcome::Accepted,
        Ok(Err(error)) => format!("{}: {}", action.key(), explain(&error)),
        Err(_) => format!("{}: not written within {} s", action.key(), WRITE_TIMEOUT.as_secs()),
    };
    Outcome::Retry(Arc::from(member.scrub(&text)))
}

fn explain(error: &ApplyError) -> String {
    match error {
        ApplyError::Kube(kube::Error::Api(status)) => {
            format!("{}: {} ({})", status.reason, status.message, status.code)
        }
        ApplyError::Kube(error) => cause::of(Side::Member, error).to_string(),
        ApplyError::Unruly => error.to_string(),
    }
}

fn services(member: &MemberClient, key: &ServiceKey) -> Api<Service> {
    Api::namespaced(member.client.clone(), key.namespace.as_str())
}

fn post() -> PostParams {
    PostParams { dry_run: false, field_manager: Some(FIELD_MANAGER.to_owned()) }
}

/// A Namespace that is there, whosever it is, is all that is asked for.
async fn create_namespace(member: &MemberClient, desired: &MirrorNamespace, hub: &str) -> kube::Result<()> {
    let api: Api<Namespace> = Api::all(member.client.clone());
    created(api.create(&post(), &objects::namespace(desired, hub)).await).map(|_| ())
}

async fn put_service(member: &MemberClient, desired: &MirrorService, hub: &str) -> Result<(), ApplyError> {
    let key = &desired.key;
    let api = services(member, key);
    let mut wanted = objects::service(desired, hub);
    let found = match api.get_opt(&key.name).await? {
        Some(found) => found,
        None => match created(api.create(&post(), &wanted).await)? {
            Some(made) => made,
            None => return Ok(()),
        },
    };
    objects::respect(&mut wanted, &found);
    let written = match objects::compare(&found, desired, hub) {
        Standing::NotForUs => return Ok(()),
        Standing::AsDesired => found,
        Standing::Different => change(&api, found, &wanted, desired, hub).await?,
    };
    let standing = objects::compare(&written, desired, hub);
    settle(&api, key, written, &wanted).await?;
    if standing == Standing::Different { Err(ApplyError::Unruly) } else { Ok(()) }
}

/// Writes what differs; returns the object as it was answered last.
async fn change(
    api: &Api<Service>,
    found: Service,
    wanted: &Service,
    desired: &MirrorService,
    hub: &str,
) -> kube::Result<Service> {
    let mut applied = wanted.clone();
    applied.metadata.uid.clone_from(&found.metadata.uid);
    applied.metadata.resource_version.clone_from(&found.metadata.resource_version);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let mut answer = match api.patch(&desired.key.name, &params, &Patch::Apply(&applied)).await {
        Ok(answer) => answer,
        // Merged with what others added, ours need not be valid: their port may bear our port's name.
        Err(kube::Error::Api(status)) if status.code == 422 => found,
        Err(error) => return Err(error),
    };
    if objects::compare(&answer, desired, hub) == Standing::Different {
        objects::overwrite(&mut answer, wanted);
        answer = api.replace(&desired.key.name, &post(), &answer).await?;
    }
    Ok(answer)
}

/// Cuts our claims down to what we applied. If others keep writing the object, it is left for the next time.
async fn settle(api: &Api<Service>, key: &ServiceKey, mut object: Service, wanted: &Service) -> kube::Result<()> {
    for _ in 0..SETTLE_TRIES {
        if fields::are_settled(&object) {
            return Ok(());
        }
        fields::settle(&mut object, wanted);
        match api.replace(&key.name, &post(), &object).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(error),
        }
        match api.get_opt(&key.name).await? {
            Some(newer) if newer.metadata.uid == object.metadata.uid => object = newer,
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// A user made our object theirs: what is ours goes, all else stays.
async fn let_go(member: &MemberClient, key: &ServiceKey) -> kube::Result<()> {
    let api = services(member, key);
    let Some(mut found) = api.get_opt(&key.name).await? else { return Ok(()) };
    if release::release(&mut found) {
        // The resourceVersion that was read is sent back, so that nothing newer is overwritten.
        api.replace(&key.name, &post(), &found).await?;
    }
    Ok(())
}

/// `None`: another client was faster. Their object stays, and the watch will show it to the engine.
fn created<K>(answer: kube::Result<K>) -> kube::Result<Option<K>> {
    match answer {
        Ok(made) => Ok(Some(made)),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes exactly the object that was looked at. If it is gone or has changed since, nothing is to be done: the engine
/// decides again from the watch.
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
