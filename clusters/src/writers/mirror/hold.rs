//! Which hub writes mirrors into a member. Two hubs that write into one cluster would undo each other's work forever, so
//! a hub writes only where it holds a Lease in the member itself, and another one that comes later writes nothing there.
//! The Lease is never renewed and does not expire: a hub that is silent is no reason to take its members from it. It
//! changes hands when a person says so, by an annotation on the `MemberCluster` that names the claim it replaces.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation::model::ClusterId;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{ObjectMeta, PostParams, WatchParams};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::api::{FIELD_MANAGER, SYSTEM_NAMESPACE};
use crate::client::MemberClient;
use crate::client::cause::{self, Side};
use crate::conditions::progress::{Claim, Hold};
use crate::tables::Clients;

/// The Lease, in [`SYSTEM_NAMESPACE`] of the member.
pub const LEASE: &str = "isthmus-hub";
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// The API server ends a watch of the Lease after this; then it is read again.
const WATCH_TIMEOUT_S: u32 = 60;
/// A watch that is silent for longer is broken.
const WATCH_LIMIT: Duration = Duration::from_secs(75);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(15);
/// A Lease of another hub that vanishes is left to that hub for so long: it was deleted, and its holder still writes.
const LEFT_TO_HOLDER: Duration = Duration::from_secs(30);

/// What to do about a Lease as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Keep,
    Create,
    /// Write our claim with this number.
    Claim(i32),
    LeaveTo(Claim),
}

/// `take_over`: the annotation of the `MemberCluster`.
fn step(found: Option<&LeaseSpec>, hub: &str, take_over: Option<&str>) -> Step {
    let Some(spec) = found else { return Step::Create };
    let number = spec.lease_transitions.unwrap_or(0);
    match spec.holder_identity.as_deref().unwrap_or_default() {
        holder if holder == hub => Step::Keep,
        "" => Step::Claim(number.saturating_add(1)),
        holder => {
            let claim = Claim { hub: Arc::from(holder), number };
            if take_over == Some(claim.to_string().as_str()) {
                Step::Claim(number.saturating_add(1))
            } else {
                Step::LeaveTo(claim)
            }
        }
    }
}

/// What one member's holder works with.
pub(super) struct Holder {
    pub(super) id: ClusterId,
    pub(super) hub: Arc<str>,
    pub(super) clients: Clients,
    pub(super) take_overs: watch::Receiver<BTreeMap<ClusterId, Arc<str>>>,
    pub(super) holds: watch::Sender<BTreeMap<ClusterId, Hold>>,
}

impl Holder {
    /// Claims the member if no hub holds it, and follows who does. Ends when the member is not connected.
    pub(super) async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        let mut others_until: Option<Instant> = None;
        while let Some(member) = self.clients.get(&self.id) {
            let take_over = self.take_overs.borrow_and_update().get(&self.id).cloned();
            let was_anothers = others_until.is_some_and(|until| until > Instant::now());
            match self.look(&member, take_over.as_deref(), was_anothers).await {
                Ok((hold, version)) => {
                    retry = FIRST_RETRY;
                    others_until = matches!(hold, Hold::Another(_)).then(|| Instant::now() + LEFT_TO_HOLDER);
                    self.publish(hold);
                    self.wait(&member, version.as_deref()).await;
                }
                Err(Trouble::Again) => sleep(FIRST_RETRY).await,
                Err(Trouble::Failed(text)) => {
                    self.publish(Hold::Failed(Arc::from(member.scrub(&text))));
                    sleep(retry).await;
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
    }

    async fn look(
        &self,
        member: &MemberClient,
        take_over: Option<&str>,
        was_anothers: bool,
    ) -> Result<(Hold, Option<String>), Trouble> {
        let api: Api<Lease> = Api::namespaced(member.client.clone(), SYSTEM_NAMESPACE);
        let found = call("read", api.get_opt(LEASE)).await?;
        let lease = match (step(found.as_ref().and_then(|lease| lease.spec.as_ref()), &self.hub, take_over), found) {
            (Step::Keep, Some(found)) => found,
            (Step::LeaveTo(claim), Some(found)) => return Ok((Hold::Another(claim), found.metadata.resource_version)),
            (Step::Claim(number), Some(found)) => {
                let lease = Lease { spec: Some(self.claim(number)), ..found };
                tracing::info!(cluster = %self.id, number, "claiming the member for this hub");
                call("write", api.replace(LEASE, &post(), &lease)).await?
            }
            (_, None) if was_anothers => return Err(Trouble::Again),
            (step, None) => {
                let number = if let Step::Claim(number) = step { number } else { 0 };
                let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(self.claim(number)) };
                match call("create", api.create(&post(), &lease)).await {
                    Err(Trouble::Failed(_)) if self.make_namespace(member).await => return Err(Trouble::Again),
                    made => made?,
                }
            }
            (Step::Create, Some(found)) => {
                call("write", api.replace(LEASE, &post(), &Lease { spec: Some(self.claim(0)), ..found })).await?
            }
        };
        Ok((Hold::Ours, lease.metadata.resource_version))
    }

    /// Whether the member had no namespace of ours, and has one now.
    async fn make_namespace(&self, member: &MemberClient) -> bool {
        let api: Api<Namespace> = Api::all(member.client.clone());
        if !matches!(timeout(CALL_TIMEOUT, api.get_opt(SYSTEM_NAMESPACE)).await, Ok(Ok(None))) {
            return false;
        }
        let metadata = ObjectMeta { name: Some(SYSTEM_NAMESPACE.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        matches!(timeout(CALL_TIMEOUT, api.create(&post(), &namespace)).await, Ok(Ok(_)))
    }

    fn claim(&self, number: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.hub.to_string()),
            acquire_time: Some(MicroTime(Timestamp::now())),
            lease_transitions: Some(number),
            ..LeaseSpec::default()
        }
    }

    fn publish(&self, hold: Hold) {
        self.holds.send_if_modified(|holds| {
            if let Hold::Another(claim) = &hold
                && holds.get(&self.id) != Some(&hold)
            {
                tracing::warn!(cluster = %self.id, hub = %claim.hub, "another hub holds the member; nothing is written there");
            }
            holds.insert(self.id.clone(), hold.clone()) != Some(hold)
        });
    }

    /// Until the Lease may have changed, or a person decided something.
    async fn wait(&mut self, member: &MemberClient, version: Option<&str>) {
        let api: Api<Lease> = Api::namespaced(member.client.clone(), SYSTEM_NAMESPACE);
        let one = WatchParams::default().fields(&format!("metadata.name={LEASE}")).timeout(WATCH_TIMEOUT_S);
        let limit = Instant::now() + WATCH_LIMIT;
        let news = async {
            match api.watch(&one, version.unwrap_or("0")).await {
                // Whatever the news is: the Lease is read again.
                Ok(stream) => std::pin::pin!(stream).next().await.is_some_and(|event| event.is_ok()),
                Err(_) => false,
            }
        };
        let is_news = tokio::select! {
            is_news = news => is_news,
            _ = self.take_overs.changed() => true,
            () = sleep_until(limit) => true,
        };
        if !is_news {
            sleep(FIRST_RETRY).await; // the watch ended or broke: not in a hot loop
        }
    }
}

/// Why nothing is known about a Lease.
enum Trouble {
    /// Another hub was faster, or should get the time to be.
    Again,
    Failed(String),
}

async fn call<T>(what: &str, request: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    let lease = format!("Lease {SYSTEM_NAMESPACE}/{LEASE}");
    match timeout(CALL_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Err(Trouble::Again),
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(Trouble::Failed(format!(
            "may not {what} {lease}: apply what `isthmus manifests member-rbac` prints in the member ({})",
            status.message
        ))),
        Ok(Err(kube::Error::Api(status))) => Err(Trouble::Failed(format!(
            "cannot {what} {lease}: {}: {} ({})",
            status.reason, status.message, status.code
        ))),
        Ok(Err(error)) => Err(Trouble::Failed(format!("cannot {what} {lease}: {}", cause::of(Side::Member, &error)))),
        Err(_) => Err(Trouble::Failed(format!("cannot {what} {lease}: no answer within {} s", CALL_TIMEOUT.as_secs()))),
    }
}

fn post() -> PostParams {
    PostParams { dry_run: false, field_manager: Some(FIELD_MANAGER.to_owned()) }
}
