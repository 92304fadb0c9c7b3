//! Requests to members that more than one kind makes, and errors in words.

use std::fmt::Debug;

use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use serde::de::DeserializeOwned;

use crate::api::FIELD_MANAGER;
use crate::client::cause::{self, Side};

#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("it does not keep what is written; an admission webhook or policy in the member changes it")]
    Unruly,
}

impl WriteError {
    /// For conditions and the log. It may hold what the member sent, so it is scrubbed before it is shown.
    pub(super) fn explain(&self) -> String {
        match self {
            Self::Kube(kube::Error::Api(status)) => format!("{}: {} ({})", status.reason, status.message, status.code),
            Self::Kube(error) => cause::of(Side::Member, error).to_string(),
            Self::Unruly => self.to_string(),
        }
    }
}

pub(super) fn post() -> PostParams {
    PostParams { dry_run: false, field_manager: Some(FIELD_MANAGER.to_owned()) }
}

/// `None`: another client was faster. Their object stays, and the watch will show it to the engine.
pub(super) fn created<K>(answer: kube::Result<K>) -> kube::Result<Option<K>> {
    match answer {
        Ok(made) => Ok(Some(made)),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes exactly the object that was looked at. If it is gone or has changed since, nothing is to be done: the engine
/// decides again from the watch.
pub(super) async fn delete<K>(api: &Api<K>, name: &str, uid: &str, resource_version: &str) -> Result<(), WriteError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let preconditions =
        Preconditions { uid: Some(uid.to_owned()), resource_version: Some(resource_version.to_owned()) };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
