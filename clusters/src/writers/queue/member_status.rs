//! The status of a `MemberCluster`.

use std::sync::Arc;

use super::hub_status;
use crate::api::{MemberCluster, MemberClusterStatus};

/// The status that a `MemberCluster` should have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MemberStatus {
    pub(crate) name: Arc<str>,
    pub(crate) uid: Arc<str>,
    pub(crate) status: MemberClusterStatus,
}

pub(super) async fn apply(hub: &kube::Client, desired: &MemberStatus) -> Result<(), String> {
    hub_status::apply::<MemberCluster>(hub, &desired.name, &desired.uid, &desired.status).await
}
