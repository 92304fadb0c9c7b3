//! Members with the places of their credentials, and Secrets, as the hub's watches read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation::change::{Change, Delta, Object};
use federation::model::{ClusterId, Member};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{ANNOTATION_TAKE_OVER, MemberCluster, SecretKeyRef};
use crate::client::kubeconfig::MAX_KUBECONFIG_BYTES;
use crate::client::secret::{SecretBytes, SecretRef};
use crate::convert::{Accepted, Convert, Converted};
use crate::sources::watch::Reading;

/// A member, and where its credentials are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MemberEntry {
    pub(super) member: Member,
    /// `spec.kubeconfigSecretRef`.
    pub(super) secret: Option<SecretRef>,
    /// `spec.readKubeconfigSecretRef`.
    pub(super) read_secret: Option<SecretRef>,
    /// The claim of another hub that this one should replace.
    pub(super) take_over: Option<Arc<str>>,
}

impl Object for MemberEntry {
    type Key = ClusterId;
    fn key(&self) -> &ClusterId {
        &self.member.id
    }
}

pub(super) fn member(object: &MemberCluster) -> Converted<MemberEntry> {
    let place = |secret: &SecretKeyRef| SecretRef {
        name: Arc::from(secret.name.as_str()),
        key: Arc::from(secret.key.as_str()),
    };
    let secret = object.spec.kubeconfig_secret_ref.as_ref().map(place);
    let read_secret = object.spec.read_kubeconfig_secret_ref.as_ref().map(place);
    let annotations = object.metadata.annotations.as_ref();
    let take_over = annotations.and_then(|annotations| annotations.get(ANNOTATION_TAKE_OVER));
    let take_over = take_over.map(|text| Arc::from(text.as_str()));
    Ok(object.convert()?.map(|member| MemberEntry { member, secret, read_secret, take_over }))
}

/// The same delta without the credentials' places.
pub(super) fn members(delta: &Delta<MemberEntry>) -> Delta<Member> {
    match delta {
        Delta::Full { objects, rejected } => Delta::Full {
            objects: objects.iter().map(|entry| entry.member.clone()).collect(),
            rejected: rejected.clone(),
        },
        Delta::Partial(changes) => {
            let change = |change: &Change<MemberEntry>| match change {
                Change::Put(entry) => Change::Put(entry.member.clone()),
                Change::Delete(id) => Change::Delete(id.clone()),
            };
            Delta::Partial(changes.iter().map(change).collect())
        }
    }
}

/// A Secret's content; values too large for a kubeconfig are known to be there, and not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretEntry {
    name: Arc<str>,
    pub(super) keys: BTreeMap<Arc<str>, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Here(SecretBytes),
    TooLarge(usize),
}

impl Object for SecretEntry {
    type Key = Arc<str>;
    fn key(&self) -> &Arc<str> {
        &self.name
    }
}

pub(super) struct SecretEntries;

impl Reading for SecretEntries {
    type Wire = Secret;
    type Model = SecretEntry;

    fn read(wire: &Secret) -> Converted<SecretEntry> {
        let Some(name) = Self::key(&wire.metadata) else { return Ok(Accepted::not_for_us()) };
        let value = |bytes: &[u8]| {
            if bytes.len() > MAX_KUBECONFIG_BYTES {
                Value::TooLarge(bytes.len())
            } else {
                Value::Here(SecretBytes::new(bytes))
            }
        };
        let keys = wire.data.iter().flatten().map(|(key, bytes)| (Arc::from(key.as_str()), value(&bytes.0))).collect();
        Ok(Some(SecretEntry { name, keys }).into())
    }

    fn key(meta: &ObjectMeta) -> Option<Arc<str>> {
        meta.name.as_deref().map(Arc::from)
    }
}

#[cfg(test)]
impl SecretEntry {
    pub(super) fn new(name: &str, keys: &[(&str, &str)]) -> Self {
        let value = |text: &str| Value::Here(SecretBytes::new(text.as_bytes()));
        let keys = keys.iter().map(|(key, text)| (Arc::from(*key), value(text))).collect();
        Self { name: Arc::from(name), keys }
    }
}
