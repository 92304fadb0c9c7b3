//! Mirrored Services in members.
//!
//! The first write of an object is a plain create: a server-side apply would merge into whatever another client made
//! under that name a moment ago, and thereby take it over. Later writes are server-side applies that name the UID and
//! resourceVersion that were looked at. An apply cannot remove what others added to our object (list entries belong to
//! whichever client wrote them), so where the answer still differs, the object as answered is put back with our fields exactly
//! as desired. Whatever was written in another way than by an apply, our claims are cut down afterwards (`fields`).

use federation::desired::MirrorService;
use federation::model::ServiceKey;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{Patch, PatchParams};

use super::requests::{self, WriteError, created, post};
use crate::api::FIELD_MANAGER;
use crate::client::MemberClient;
use crate::writers::mirror::objects::{self, Standing};
use crate::writers::mirror::{fields, release};

/// Tries to cut down our claims while others write the object.
const SETTLE_TRIES: u32 = 3;

pub(super) async fn apply(member: &MemberClient, desired: &MirrorService, hub: &str) -> Result<(), WriteError> {
    let key = &desired.key;
    let api = api(member, key);
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
    if standing == Standing::Different { Err(WriteError::Unruly) } else { Ok(()) }
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
pub(super) async fn let_go(member: &MemberClient, key: &ServiceKey) -> Result<(), WriteError> {
    let api = api(member, key);
    let Some(mut found) = api.get_opt(&key.name).await? else { return Ok(()) };
    if release::release(&mut found) {
        // The resourceVersion that was read is sent back, so that nothing newer is overwritten.
        api.replace(&key.name, &post(), &found).await?;
    }
    Ok(())
}

pub(super) async fn delete(
    member: &MemberClient,
    key: &ServiceKey,
    uid: &str,
    resource_version: &str,
) -> Result<(), WriteError> {
    requests::delete(&api(member, key), &key.name, uid, resource_version).await
}

fn api(member: &MemberClient, key: &ServiceKey) -> Api<Service> {
    Api::namespaced(member.client.clone(), key.namespace.as_str())
}
