//! Leader election with a `coordination.k8s.io` Lease: one controller writes at a time.
//!
//! Every change is a `replace` with the resourceVersion that was read, so two candidates can never both win. How old a
//! holder's claim is, is judged by our own monotonic clock from when we first saw it: clocks of machines do not agree.
//! Work stops before the lease can run out, and the lease is released only after work has stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::client::hub::HubClient;
use crate::shutdown::{Shutdown, ShutdownTrigger};

/// How long a claim holds after its last renewal.
const DURATION: Duration = Duration::from_secs(15);
/// How often it is renewed, and how often others look.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// Without a renewal for this long, work stops: well before others may take over.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// One request must not eat the whole margin.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

// What could not be done.
const ACQUIRE: &str = "read or write the lease";
const RENEW: &str = "renew the lease";
const RELEASE: &str = "release the lease";

/// A place in the race for one lease.
pub struct Candidate {
    hub: HubClient,
    api: Api<Lease>,
    name: String,
    identity: String,
    /// Another candidate's claim (its renewal as a whole, not its time) and when we first saw it.
    observed: Option<(LeaseSpec, Instant)>,
    /// Who holds it, if that is another controller.
    leader: watch::Sender<Option<Arc<str>>>,
}

/// The lease as we last wrote it.
pub struct Held {
    candidate: Candidate,
    lease: Lease,
    renewed: Instant,
}

impl Candidate {
    pub fn new(hub: HubClient, namespace: &str, name: &str, identity: String) -> Self {
        let leader = watch::Sender::new(None);
        let api = Api::namespaced(hub.client(), namespace);
        Self { api, hub, name: name.to_owned(), identity, observed: None, leader }
    }

    /// Who leads, while it is another one.
    pub fn leader(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.leader.subscribe()
    }

    /// Waits until the lease is ours; `None` if the process should end first.
    pub async fn acquire(mut self, shutdown: &mut Shutdown) -> Option<Held> {
        let mut reported = false;
        loop {
            let started = Instant::now();
            match timeout(REQUEST_TIMEOUT, self.try_acquire()).await {
                Ok(Ok(Some(lease))) => {
                    tracing::info!(identity = self.identity, "leading");
                    return Some(Held { candidate: self, lease, renewed: started });
                }
                Ok(Ok(None)) if !reported => {
                    reported = true;
                    let leader = self.leader.borrow().as_deref().unwrap_or_default().to_owned();
                    tracing::info!(identity = self.identity, leader, "another controller leads; standing by");
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!("no lease yet: {}", self.hub.describe(ACQUIRE, &error)),
                Err(_) => tracing::warn!("no lease yet: {}", self.hub.late(ACQUIRE, REQUEST_TIMEOUT)),
            }
            tokio::select! {
                () = shutdown.wait() => return None,
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
        }
    }

    async fn try_acquire(&mut self) -> kube::Result<Option<Lease>> {
        let Some(found) = self.api.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.claim(0)) };
            return conflict_is_none(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = found.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if !holder.is_empty() && holder != self.identity {
            let _ = self.leader.send_if_modified(|known| {
                let changed = known.as_deref() != Some(holder);
                *known = Some(Arc::from(holder));
                changed
            });
            let held_for = Duration::from_secs(u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0));
            match &self.observed {
                Some((seen, since)) if *seen == spec && since.elapsed() >= held_for => {}
                Some((seen, _)) if *seen == spec => return Ok(None),
                _ => {
                    self.observed = Some((spec, Instant::now()));
                    return Ok(None);
                }
            }
        }
        let lease = Lease { spec: Some(self.claim(spec.lease_transitions.unwrap_or(0) + 1)), ..found };
        conflict_is_none(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    fn claim(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

impl Held {
    /// Renews until the process should end or the lease is lost, in which case `stop` is fired.
    /// Returns whether the lease is still ours.
    pub async fn keep(&mut self, shutdown: &mut Shutdown, stop: &ShutdownTrigger) -> bool {
        loop {
            tokio::select! {
                () = shutdown.wait() => return true,
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
            let started = Instant::now();
            match timeout(REQUEST_TIMEOUT, self.renew()).await {
                Ok(Ok(Some(lease))) => {
                    self.lease = lease;
                    self.renewed = started;
                }
                Ok(Ok(None)) => {
                    tracing::error!("another controller took the lease; stopping");
                    stop.fire();
                    return false;
                }
                Ok(Err(error)) => tracing::warn!("{}", self.candidate.hub.describe(RENEW, &error)),
                Err(_) => tracing::warn!("{}", self.candidate.hub.late(RENEW, REQUEST_TIMEOUT)),
            }
            if self.renewed.elapsed() >= GIVE_UP_AFTER {
                tracing::error!("the lease could not be renewed for {} s; stopping", GIVE_UP_AFTER.as_secs());
                stop.fire();
                return false;
            }
        }
    }

    async fn renew(&self) -> kube::Result<Option<Lease>> {
        let mut lease = self.lease.clone();
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        conflict_is_none(self.candidate.api.replace(&self.candidate.name, &PostParams::default(), &lease).await)
    }

    /// Lets others take over at once. To be called after all work has stopped.
    pub async fn release(self) -> anyhow::Result<()> {
        let mut lease = self.lease;
        lease.spec.get_or_insert_default().holder_identity = None;
        let Candidate { hub, api, name, .. } = &self.candidate;
        let replaced = timeout(REQUEST_TIMEOUT, api.replace(name, &PostParams::default(), &lease)).await;
        let replaced = replaced.map_err(|_| anyhow!(hub.late(RELEASE, REQUEST_TIMEOUT)))?;
        replaced.map_err(|error| anyhow!(hub.describe(RELEASE, &error)))?;
        Ok(())
    }
}

/// A conflict means that another candidate was faster, which is an answer and not an error.
fn conflict_is_none(result: kube::Result<Lease>) -> kube::Result<Option<Lease>> {
    match result {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}
