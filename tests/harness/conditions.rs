//! What the hub says of its members.

use std::time::Duration;

use clusters::api::{MemberCluster, MemberClusterStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;

use super::{Federation, SOON};
use crate::testbed::eventually;

impl Federation {
    pub async fn object(&self, id: &str) -> MemberCluster {
        let found = Api::<MemberCluster>::all(self.hub.client()).get(id).await;
        found.unwrap_or_else(|error| panic!("MemberCluster {id}: {error}"))
    }

    pub async fn status(&self, id: &str) -> MemberClusterStatus {
        self.object(id).await.status.unwrap_or_default()
    }

    pub async fn condition(&self, id: &str, kind: &str) -> Option<Condition> {
        self.status(id).await.conditions.into_iter().find(|condition| condition.type_ == kind)
    }

    /// Waits until a condition is like this. An empty `reason` fits all.
    pub async fn until(&self, id: &str, kind: &str, status: &str, reason: &str) -> Condition {
        self.until_within(id, kind, status, reason, SOON).await
    }

    pub async fn until_within(&self, id: &str, kind: &str, status: &str, reason: &str, limit: Duration) -> Condition {
        self.until_fits(id, kind, limit, &format!("{status} {reason}"), |found| {
            found.status == status && (reason.is_empty() || found.reason == reason)
        })
        .await
    }

    /// Waits until a condition is like this and its message fits as well.
    pub async fn until_message(
        &self,
        id: &str,
        kind: &str,
        status: &str,
        reason: &str,
        what: &str,
        fits: impl Fn(&Condition) -> bool,
    ) -> Condition {
        self.until_fits(id, kind, SOON, what, |found| found.status == status && found.reason == reason && fits(found))
            .await
    }

    async fn until_fits(
        &self,
        id: &str,
        kind: &str,
        limit: Duration,
        what: &str,
        fits: impl Fn(&Condition) -> bool,
    ) -> Condition {
        let api = Api::<MemberCluster>::all(self.hub.client());
        eventually(&format!("{id}: {kind}: {what}"), limit, async || {
            let object = api.get(id).await.map_err(|error| error.to_string())?;
            let all = object.status.unwrap_or_default().conditions;
            let found = all.into_iter().find(|condition| condition.type_ == kind).ok_or("no such condition")?;
            if fits(&found) { Ok(found) } else { Err(format!("{found:?}")) }
        })
        .await
    }

    pub async fn until_ready(&self, id: &str) {
        self.until(id, "Ready", "True", "").await;
    }

    /// Waits until the whole status of a member fits.
    pub async fn until_status(
        &self,
        id: &str,
        what: &str,
        fits: impl Fn(&MemberClusterStatus) -> bool,
    ) -> MemberClusterStatus {
        eventually(&format!("{id}: {what}"), SOON, async || {
            let status = self.status(id).await;
            if fits(&status) { Ok(status) } else { Err(format!("{status:?}")) }
        })
        .await
    }
}
