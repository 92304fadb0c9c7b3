//! One watch of one kind, kept alive: the first list as one `Full`, then what changes, then a `Full` again whenever the
//! API server could no longer say what was missed. An interrupted list is never told.
//!
//! Events come from [`wire`](crate::client::answers), which lists and resumes within bounds. What they mean for the watch is decided
//! here: when to list again, when a kind counts as not there, what is said of one that cannot be read.

mod events;
mod intake;
mod object;
pub mod quota;
mod reading;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use federation::change::{Batch, Delta, Object};
use futures::future::BoxFuture;
use futures::{Stream, StreamExt as _};
use kube::Api;
use kube::runtime::watcher;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::client::answers::Fault;
use crate::client::bounds::MemberBounds;
use crate::client::connect::LIST_TIMEOUT;
use crate::client::retry::Retry;
use crate::clock::now;
use crate::problem::{ProblemBook, ProblemOrigin};
use crate::sources::feed::{Feed, FeedClosed};
use crate::sources::watch::events::{Ask, events};
use crate::sources::watch::object::Entry;
use crate::tables::SeenMark;
use intake::Intake;
pub use quota::{Over, Quota};
pub(crate) use reading::guarded;
pub use reading::{Guarded, Plain, Reading, RemoteSlices};

/// Events taken into one batch at most.
pub const MAX_EVENTS_PER_BATCH: usize = 256;
/// Failures in a row after which the watcher is built anew, which lists again.
const REBUILD_AFTER_FAILURES: u32 = 3;
/// A watch that has failed for so long is no watch: the connection is not what it claims to be.
const STUCK_AFTER: Duration = Duration::from_secs(30);
/// How often a kind that is not there is looked for again.
const ABSENT_RECHECK: Duration = Duration::from_secs(30);
/// Times in a row that a kind which was there must be missing before it is believed to be gone.
const ABSENT_STRIKES: u32 = 3;
/// Failures further apart than this have nothing to do with each other.
const FORGIVEN_AFTER: Duration = Duration::from_secs(45);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How long a list that was too long is not asked for again.
const OVER_RECHECK: Duration = Duration::from_secs(60);
/// How often it is looked whether there is room for what was turned away.
const LET_IN_EVERY: Duration = Duration::from_secs(30);
/// Pause after events of which some were turned away, or of which many came and none changed anything: nothing else slows
/// down a member that sends them without end.
const USELESS_PAUSE: Duration = Duration::from_millis(100);

/// Where deltas go.
pub trait Sink<T: Object>: Send {
    fn take(&mut self, delta: Delta<T>) -> impl Future<Output = Result<(), FeedClosed>> + Send;

    /// The kind cannot be read now; the next complete list ends this.
    fn unreadable(&mut self, _message: Arc<str>) -> impl Future<Output = Result<(), FeedClosed>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Straight to the engine, as the batch that `wrap` makes of it.
pub struct ToFeed<F> {
    pub feed: Feed,
    pub wrap: F,
}

impl<T, F> Sink<T> for ToFeed<F>
where
    T: Object + Send,
    T::Key: Send,
    F: Fn(Delta<T>) -> Batch + Send,
{
    async fn take(&mut self, delta: Delta<T>) -> Result<(), FeedClosed> {
        self.feed.send((self.wrap)(delta)).await
    }
}

/// What is wrong with a watch. It is retried whatever the answer; whoever hears of it decides about the connection.
#[derive(Debug)]
pub enum Trouble {
    /// It broke, or could not be opened. Often the first sign of a dead API server.
    Broken(kube::Error),
    /// 401 or 403: asking again changes nothing.
    Refused(kube::Error),
    /// What it sent cannot be read, or is too much.
    Unusable(kube::Error),
    /// It has failed for longer than [`STUCK_AFTER`].
    Stuck(kube::Error),
}

/// Hears what is wrong with a watch of a kind (its plural name).
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
    /// Drop repetitions of what was told already; costs a copy of each object.
    pub remember: bool,
    /// List again after this time, although the watch is fine. For kinds that are written to as well: what a watch once
    /// missed (an API server that was restored from a backup goes back in time) would be believed for ever.
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
        Self {
            quota: Quota::new(bounds),
            lists: Some(Arc::new(Semaphore::new(crate::client::bounds::LISTS_AT_A_TIME))),
        }
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
    /// serve, and a right that is missing must not look like a kind that is not there. `None`: it cannot be told.
    pub is_served: IsServed,
}

pub type IsServed = Arc<dyn Fn() -> BoxFuture<'static, Option<bool>> + Send + Sync>;

/// Watches until the feed closes; dropping the future stops it.
pub async fn follow<R: Reading, L: Listener>(
    api: Api<R::Wire>,
    how: Follow<L>,
    sink: impl Sink<R::Model>,
) -> FeedClosed {
    follow_as::<R, L>(api, None, how, sink).await
}

/// The same for the one object of this name, which need not exist.
pub async fn follow_one<R: Reading, L: Listener>(
    api: Api<R::Wire>,
    name: &str,
    how: Follow<L>,
    sink: impl Sink<R::Model>,
) -> FeedClosed {
    follow_as::<R, L>(api, Some(format!("metadata.name={name}")), how, sink).await
}

async fn follow_as<R: Reading, L: Listener>(
    api: Api<R::Wire>,
    fields: Option<String>,
    mut how: Follow<L>,
    mut sink: impl Sink<R::Model>,
) -> FeedClosed {
    let quota = how.share.quota.clone();
    let mut intake = Intake::<R>::new(how.origin.clone(), how.problems.clone(), quota, how.remember);
    let mut health = Health::new();
    loop {
        let (url, client) = (api.resource_url().to_owned(), api.clone().into_client());
        let stream = events::<R>(Ask { client, url, fields: fields.clone(), turns: how.share.lists.clone() });
        if let Err(closed) = run(stream, &mut intake, &mut health, &mut how, &mut sink).await {
            return closed;
        }
    }
}

/// Runs one watcher until it must be rebuilt.
async fn run<R: Reading>(
    stream: impl Stream<Item = watcher::Result<watcher::Event<Entry<R>>>> + Send,
    intake: &mut Intake<R>,
    health: &mut Health,
    how: &mut Follow<impl Listener>,
    sink: &mut impl Sink<R::Model>,
) -> Result<(), FeedClosed> {
    let mut chunks = Some(Box::pin(stream.ready_chunks(MAX_EVENTS_PER_BATCH)));
    let relist_at = how.relist.map(|after| Instant::now() + jittered(after));
    let mut let_in_at = Instant::now() + LET_IN_EVERY;
    while let Some(open) = &mut chunks {
        // A watch may rightly be silent for hours; a list that is silent hangs.
        let chunk = if intake.is_listing() {
            tokio::time::timeout(LIST_TIMEOUT, open.next()).await.unwrap_or_else(|_| Some(vec![Err(stalled())]))
        } else {
            tokio::select! {
                chunk = open.next() => chunk,
                () = tokio::time::sleep_until(relist_at.unwrap_or_else(Instant::now)), if relist_at.is_some() => {
                    return Ok(());
                }
                () = tokio::time::sleep_until(let_in_at), if intake.turned_away() > 0 => {
                    if intake.may_let_in() {
                        return Ok(());
                    }
                    let_in_at = Instant::now() + LET_IN_EVERY;
                    continue;
                }
            }
        };
        let turned_away = intake.turned_away();
        let mut failure = None;
        let mut given_up = false;
        let chunk = chunk.unwrap_or_else(|| vec![Err(stalled())]);
        let many = chunk.len() >= MAX_EVENTS_PER_BATCH;
        for event in chunk {
            match event {
                Ok(event) => {
                    // Starting to list is our own doing, not a sign of life.
                    if !matches!(event, watcher::Event::Init) {
                        health.good();
                        how.seen.heard(now());
                    }
                    if let Some(full) = intake.event(event) {
                        if let Some(optional) = &how.optional {
                            optional.was_there.store(true, Ordering::Relaxed);
                        }
                        how.listener.listed(R::plural());
                        sink.take(full).await?;
                    }
                    if let Some(over) = intake.take_over() {
                        failure = Some(watcher::Error::InitialListFailed(Fault::Over(over).into_kube()));
                        given_up = true;
                        break;
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        let changes = intake.drain();
        let useless = many && changes.is_none();
        if let Some(partial) = changes {
            sink.take(partial).await?;
        }
        if failure.is_none() && !intake.is_listing() && (useless || intake.turned_away() > turned_away) {
            tokio::time::sleep(USELESS_PAUSE).await;
        }
        if let Some(error) = failure {
            // A list that failed or stalled is no list.
            let listing = intake.is_listing() || given_up;
            let after = after(error);
            if listing || !matches!(after, After::Resume(_)) {
                chunks = None; // it is not gone on with, and must not take a turn while this waits
            }
            match after {
                After::Relist => return Ok(()),
                After::Absent(error) if how.optional.is_some() => {
                    absent(error, intake, health, how, sink).await?;
                    return Ok(());
                }
                After::Absent(error) | After::Resume(error) => {
                    if bad::<R>(error, health, how, sink).await? || listing {
                        return Ok(());
                    }
                }
                After::Rebuild(error) => {
                    bad::<R>(error, health, how, sink).await?;
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Up to twice the time, so that the watches of many clusters do not list together.
fn jittered(time: Duration) -> Duration {
    Retry::new(time, time * 2).delay()
}

/// The kind is not there, or we may not know.
async fn absent<R: Reading>(
    error: kube::Error,
    intake: &mut Intake<R>,
    health: &mut Health,
    how: &mut Follow<impl Listener>,
    sink: &mut impl Sink<R::Model>,
) -> Result<(), FeedClosed> {
    let Some(optional) = how.optional.clone() else { return Ok(()) };
    let was_there = optional.was_there.load(Ordering::Relaxed);
    let forbidden = matches!(&error, kube::Error::Api(status) if status.code == 403);
    // Not being allowed to look is no reason to believe that there is nothing.
    let hidden = forbidden && (was_there || (optional.is_served)().await != Some(false));
    health.absent += u32::from(!hidden);
    // An API server that starts may not know its custom resources yet.
    if hidden || (was_there && health.absent < ABSENT_STRIKES) {
        bad::<R>(error, health, how, sink).await?;
        return Ok(());
    }
    if health.absent == 1 || was_there {
        tracing::debug!(kind = R::plural(), "the cluster does not have this kind: there is none of it");
        how.listener.listed(R::plural());
        sink.take(intake.nothing()).await?;
    }
    optional.was_there.store(false, Ordering::Relaxed);
    tokio::time::sleep(ABSENT_RECHECK).await;
    Ok(())
}

/// Takes in a failure: says it, waits, and tells whether the watcher should be rebuilt.
async fn bad<R: Reading>(
    error: kube::Error,
    health: &mut Health,
    how: &mut Follow<impl Listener>,
    sink: &mut impl Sink<R::Model>,
) -> Result<bool, FeedClosed> {
    let trouble = health.trouble(error);
    let message = match &trouble {
        Trouble::Refused(error) | Trouble::Unusable(error) | Trouble::Stuck(error) => {
            how.listener.unreadable(R::plural(), error)
        }
        Trouble::Broken(_) => None,
    };
    let over = matches!(&trouble, Trouble::Unusable(error) if matches!(Fault::of(error), Some(Fault::Over(_))));
    // What was said to be unreadable is readable again with a complete list, so that one has to come.
    let must_list = message.is_some();
    if let Some(message) = message {
        sink.unreadable(message).await?;
    }
    how.listener.trouble(R::plural(), trouble);
    tokio::time::sleep(if over { jittered(OVER_RECHECK) } else { health.retry.delay() }).await;
    Ok(must_list || health.failures >= REBUILD_AFTER_FAILURES)
}

/// How long a watch has been failing.
struct Health {
    failures: u32,
    first: Option<Instant>,
    last: Option<Instant>,
    absent: u32,
    retry: Retry,
}

impl Health {
    fn new() -> Self {
        let retry = Retry::new(FIRST_RETRY, LAST_RETRY);
        Self { failures: 0, first: None, last: None, absent: 0, retry }
    }

    fn good(&mut self) {
        if self.failures > 0 || self.absent > 0 {
            // The delays stay long: a server that answers and fails by turns is not asked without pause.
            (self.failures, self.first, self.absent) = (0, None, 0);
        }
    }

    /// One more failure.
    fn trouble(&mut self, error: kube::Error) -> Trouble {
        let at = Instant::now();
        // A watch that runs again but has nothing to say does not call `good`.
        if self.last.is_some_and(|last| at.duration_since(last) > FORGIVEN_AFTER) {
            *self = Self::new();
        }
        self.failures += 1;
        self.last = Some(at);
        let first = *self.first.get_or_insert(at);
        match &error {
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => Trouble::Refused(error),
            _ if Fault::of(&error).is_some() => Trouble::Unusable(error),
            _ if at.duration_since(first) >= STUCK_AFTER => Trouble::Stuck(error),
            _ => Trouble::Broken(error),
        }
    }
}

/// What an error of the watcher asks for.
#[derive(Debug)]
enum After {
    /// The version we were at is gone, and the watcher would ask for it for ever.
    Relist,
    /// 403 or 404.
    Absent(kube::Error),
    /// The watcher goes on from where it was.
    Resume(kube::Error),
    /// An event may have been lost.
    Rebuild(kube::Error),
}

fn after(error: watcher::Error) -> After {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410 => After::Relist,
        watcher::Error::InitialListFailed(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
            After::Absent(kube::Error::Api(status))
        }
        // After an error event the watcher goes on as if nothing was missed, unless the code is 410: then it lists again.
        watcher::Error::WatchError(status) if status.code == 410 => After::Resume(kube::Error::Api(status)),
        watcher::Error::WatchError(status) => After::Rebuild(kube::Error::Api(status)),
        // An event that cannot be read was skipped.
        watcher::Error::WatchFailed(error) if Fault::of(&error).is_some() => After::Rebuild(error),
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => After::Resume(error),
        watcher::Error::NoResourceVersion => After::Rebuild(Fault::NoVersion.into_kube()),
    }
}

fn stalled() -> watcher::Error {
    let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
    watcher::Error::InitialListFailed(kube::Error::Service(late.into()))
}
