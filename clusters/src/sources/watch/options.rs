//! How one kind is watched, and who is notified of trouble.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::health::Trouble;
use super::quota::Quota;
use crate::client::bounds::{LISTS_AT_A_TIME, MemberBounds};
use crate::problem::{ProblemBook, ProblemOrigin};
use crate::tables::SeenMark;

/// Is notified of what is wrong with a watch of a kind (its plural name).
pub trait Listener: Send {
    fn trouble(&mut self, plural: &str, trouble: Trouble);

    /// What to say of the kind itself when its watch is refused, unusable or stuck. `None`: nothing.
    fn unreadable(&self, _plural: &str, _error: &kube::Error) -> Option<Arc<str>> {
        None
    }

    /// It was completely listed.
    fn listed(&mut self, _plural: &str) {}
}

/// How to watch one kind.
pub struct Follow<L> {
    pub origin: ProblemOrigin,
    pub problems: ProblemBook,
    pub seen: SeenMark,
    pub listener: L,
    /// Drop repetitions of what was delivered already; costs a copy of each object.
    pub remember: bool,
    /// List again after this time, although the watch works. For kinds that are written to as well: what a watch once
    /// missed (an API server that was restored from a backup goes back in time) would be believed forever.
    pub relist: Option<Duration>,
    /// Set for kinds that need not exist.
    pub optional: Option<Optional>,
    /// What all watches of one member share.
    pub share: Share,
}

/// What all watches of one cluster share.
#[derive(Clone)]
pub struct Share {
    pub quota: Quota,
    /// Lists take turns: pages are held in memory.
    pub lists: Option<Arc<Semaphore>>,
}

impl Share {
    /// For a member.
    pub fn of(bounds: &MemberBounds) -> Self {
        Self { quota: Quota::new(bounds), lists: Some(Arc::new(Semaphore::new(LISTS_AT_A_TIME))) }
    }

    /// For the hub: it is the operator's own, and no list of it waits for another.
    pub fn of_hub() -> Self {
        Self { quota: Quota::new(&MemberBounds::default()), lists: None }
    }
}

/// A kind that need not exist: where it does not, there is none of it.
#[derive(Clone)]
pub struct Optional {
    /// Whether it was ever there, over all connections: then one "no such thing" is not believed.
    pub was_there: Arc<AtomicBool>,
    /// Asks whether the cluster serves the kind, for when a list is refused: API servers refuse also what they do not
    /// serve, and a right that is missing must not look like a kind that is not there. `None`: it is not known.
    pub is_served: IsServed,
}

pub type IsServed = Arc<dyn Fn() -> BoxFuture<'static, Option<bool>> + Send + Sync>;
