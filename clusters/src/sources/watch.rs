//! One watch of one kind, kept alive: the first list as one `Full`, then what changes, then a `Full` again whenever the
//! API server could no longer send what was missed. An interrupted list is never delivered.
//!
//! [`mod@events`] lists and resumes within bounds; [`intake`] converts the objects and counts them ([`quota`]). What an event
//! or an error means for the watch is decided here ([`mod@after`], [`health`]): when to list again, when a kind counts as not
//! there, what is reported of one that cannot be read. [`options`] is how one kind is watched, [`sink`] where it goes.

mod after;
mod events;
mod health;
mod intake;
mod object;
mod options;
pub mod quota;
mod reading;
mod sink;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::Api;
use kube::runtime::watcher;
use tokio::time::Instant;

use crate::client::answers::Fault;
use crate::client::bounds::LIST_TIMEOUT;
use crate::client::retry::Retry;
use crate::clock::now;
use crate::sources::feed::FeedClosed;
use after::{After, after};
use events::{Ask, events};
use health::Health;
use intake::Intake;
use object::Entry;

pub use health::Trouble;
pub use options::{Follow, IsServed, Listener, Optional, Share};
pub use quota::Quota;
pub(crate) use reading::guarded;
pub use reading::{Plain, Reading, RemoteSlices};
pub use sink::{Sink, ToFeed};

/// Events taken into one batch at most.
pub const MAX_EVENTS_PER_BATCH: usize = 256;
/// Failures in a row after which the watcher is built again, which lists again.
const REBUILD_AFTER_FAILURES: u32 = 3;
/// How often a kind that is not there is looked for again.
const ABSENT_RECHECK: Duration = Duration::from_secs(30);
/// Times in a row that a kind which was there must be missing before it is believed to be gone.
const ABSENT_STRIKES: u32 = 3;
/// How long a list that was too long is not asked for again.
const OVER_RECHECK: Duration = Duration::from_secs(60);
/// How often it is looked whether there is room for what was excluded.
const LET_IN_EVERY: Duration = Duration::from_secs(30);
/// Pause after events of which some were excluded, or of which many came and none changed anything: nothing else slows
/// down a member that sends them without end.
const USELESS_PAUSE: Duration = Duration::from_millis(100);

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

#[tracing::instrument(name = "watch", level = "debug", skip_all, fields(cluster = %how.origin, kind = R::plural()))]
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

/// Runs one watcher until it must be built again.
async fn run<R: Reading>(
    stream: impl Stream<Item = Event<R>> + Send,
    intake: &mut Intake<R>,
    health: &mut Health,
    how: &mut Follow<impl Listener>,
    sink: &mut impl Sink<R::Model>,
) -> Result<(), FeedClosed> {
    let mut chunks = Some(Box::pin(stream.ready_chunks(MAX_EVENTS_PER_BATCH)));
    let relist_at = how.relist.map(|after| Instant::now() + jittered(after));
    let mut let_in_at = Instant::now() + LET_IN_EVERY;
    while let Some(open) = &mut chunks {
        let Some(chunk) = next_chunk(open, intake, relist_at, &mut let_in_at).await else { return Ok(()) };
        let excluded = intake.excluded();
        let many = chunk.len() >= MAX_EVENTS_PER_BATCH;
        let failure = take_events(chunk, intake, health, how, sink).await?;
        let changes = intake.drain();
        let useless = many && changes.is_none();
        if let Some(partial) = changes {
            sink.take(partial).await?;
        }
        let Some(Failure { error, given_up }) = failure else {
            if !intake.is_listing() && (useless || intake.excluded() > excluded) {
                tokio::time::sleep(USELESS_PAUSE).await;
            }
            continue;
        };
        // A list that failed or stalled is no list.
        let listing = intake.is_listing() || given_up;
        let after = after(error);
        if listing || !matches!(after, After::Resume(_)) {
            chunks = None; // it is not gone on with, and must not take a turn while this waits
        }
        match after {
            After::Relist => return Ok(()),
            After::Absent(error) if how.optional.is_some() => return absent(error, intake, health, how, sink).await,
            After::Absent(error) | After::Resume(error) => {
                if bad::<R>(error, health, how, sink).await? || listing {
                    return Ok(());
                }
            }
            After::Rebuild(error) => return bad::<R>(error, health, how, sink).await.map(|_| ()),
        }
    }
    Ok(())
}

type Event<R> = watcher::Result<watcher::Event<Entry<R>>>;

/// Waits for events. `None`: it is time to list again.
async fn next_chunk<R: Reading>(
    events: &mut (impl Stream<Item = Vec<Event<R>>> + Unpin + Send),
    intake: &mut Intake<R>,
    relist_at: Option<Instant>,
    let_in_at: &mut Instant,
) -> Option<Vec<Event<R>>> {
    let stalled = || vec![Err(stalled())];
    // A watch may rightly be silent for hours; a list that is silent hangs.
    if intake.is_listing() {
        let chunk = tokio::time::timeout(LIST_TIMEOUT, events.next()).await.unwrap_or_default();
        return Some(chunk.unwrap_or_else(stalled));
    }
    loop {
        tokio::select! {
            chunk = events.next() => return Some(chunk.unwrap_or_else(stalled)),
            () = tokio::time::sleep_until(relist_at.unwrap_or_else(Instant::now)), if relist_at.is_some() => {
                return None;
            }
            () = tokio::time::sleep_until(*let_in_at), if intake.excluded() > 0 => {
                if intake.may_let_in() {
                    return None;
                }
                *let_in_at = Instant::now() + LET_IN_EVERY;
            }
        }
    }
}

/// The last error among some events.
struct Failure {
    error: watcher::Error,
    /// It is a list that was too long; the events after it are not used.
    given_up: bool,
}

/// Takes events in, and delivers complete lists.
async fn take_events<R: Reading>(
    events: Vec<Event<R>>,
    intake: &mut Intake<R>,
    health: &mut Health,
    how: &mut Follow<impl Listener>,
    sink: &mut impl Sink<R::Model>,
) -> Result<Option<Failure>, FeedClosed> {
    let mut failure = None;
    for event in events {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                failure = Some(Failure { error, given_up: false });
                continue;
            }
        };
        // This process starts a list; that is no answer of the API server.
        if !matches!(event, watcher::Event::Init) {
            health.good();
            how.seen.answered(now());
        }
        if let Some(full) = intake.event(event) {
            if let Some(optional) = &how.optional {
                optional.was_there.store(true, Ordering::Relaxed);
            }
            how.listener.listed(R::plural());
            sink.take(full).await?;
        }
        if let Some(over) = intake.take_over() {
            let error = watcher::Error::InitialListFailed(Fault::Over(over).into_kube());
            return Ok(Some(Failure { error, given_up: true }));
        }
    }
    Ok(failure)
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

/// Reports a failure and waits; returns whether the watcher should be built again.
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
    // What was reported as unreadable is readable again with a complete list, so that one has to come.
    let must_list = message.is_some();
    if let Some(message) = message {
        sink.unreadable(message).await?;
    }
    how.listener.trouble(R::plural(), trouble);
    tokio::time::sleep(if over { jittered(OVER_RECHECK) } else { health.retry.delay() }).await;
    Ok(must_list || health.failures >= REBUILD_AFTER_FAILURES)
}

fn stalled() -> watcher::Error {
    let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
    watcher::Error::InitialListFailed(kube::Error::Service(late.into()))
}
