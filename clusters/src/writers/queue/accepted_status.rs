//! The status of a `FederationPolicy` or a `Region`, which is its conditions.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;

use super::hub_status;
use crate::api::{FederationPolicy, Region};

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
    let AcceptedStatus { kind, name, uid, conditions } = desired;
    let status = json!({"conditions": conditions});
    match kind {
        AcceptedKind::Policy => hub_status::apply::<FederationPolicy>(hub, name, uid, status).await,
        AcceptedKind::Region => hub_status::apply::<Region>(hub, name, uid, status).await,
    }
}
