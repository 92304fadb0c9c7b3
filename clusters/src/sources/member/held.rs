//! A connection while it lasts: watches run, probes ask, credentials are exchanged underneath.

use std::collections::BTreeSet;
use std::pin::Pin;

use federation::change::{Epoch, LinkChange, LinkFailure, MemberKind};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::kinds::{Report, Seen, Watches};
use super::probe::{Failure, Schedule, probe};
use super::{FIRST_RETRY, Good, LAST_RETRY, Made, Member, failure_note, identity_note};
use crate::client::connect::{self, Allowed, ConnectError, Link};
use crate::client::retry::Retry;
use crate::client::secret::Credential;
use crate::clock::now;
use crate::sources::feed::FeedClosed;

type Pending<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Holds a connection until it is lost, and says why it was.
pub(super) async fn hold(
    member: &mut Member,
    made: Made,
    wanted: &Credential,
    epoch: Epoch,
    were_there: &Seen,
    good: &mut Option<Good>,
) -> Result<ConnectError, FeedClosed> {
    let Made { mut link, credential, note } = made;
    let mut watches = Watches {
        id: member.id.clone(),
        epoch,
        feed: member.feed.clone(),
        problems: member.problems.clone(),
        seen: member.seen.clone(),
        were_there: were_there.clone(),
        bounds: member.bounds.clone(),
    };
    tracing::info!(cluster = %member.id, version = %link.version, "connected");
    member.seen.heard(now());
    let up = LinkChange::Up { uid: link.client.uid.clone(), version: link.version.clone() };
    member.say(epoch, up).await?;
    member.clients.publish(&member.id, Some(link.client.clone()));
    let _unpublished = Unpublish(member.clients.clone(), member.id.clone());
    member.notes.set(&member.id, note.clone());

    let mut running = watches.start(&link);
    // Credentials of earlier connections stay known.
    member.problems = watches.problems.clone();
    let mut unreadable = Unreadable::default();
    let mut schedule = Schedule::new(Instant::now());
    let mut probing: Pending<Result<(), Failure>> = None;
    // A credential that did not work when this connection was made is tried again, too.
    let mut exchange = Exchange::new(credential, member.bounds.addresses.clone());
    if note.is_some() {
        exchange.want(wanted.clone());
        exchange.later();
    }
    loop {
        tokio::select! {
            changed = member.credential.changed() => {
                if changed.is_err() {
                    return Err(FeedClosed);
                }
                let wanted = member.credential.borrow_and_update().clone();
                exchange.want(wanted);
                if exchange.is_settled() {
                    member.notes.set(&member.id, None);
                }
            }
            opened = exchange.next() => match opened {
                (Ok(new), credential) if new.client.uid == link.client.uid => {
                    tracing::info!(cluster = %member.id, "the new credential works: exchanged");
                    // The old watches have ended before the new ones say a word, so that nothing old follows
                    // something new; the new ones begin with complete lists, so that nothing is missed.
                    running.tasks.shutdown().await;
                    link = new;
                    running = watches.start(&link);
                    member.problems = watches.problems.clone();
                    unreadable = Unreadable::default();
                    probing = None;
                    schedule = Schedule::new(Instant::now());
                    member.clients.publish(&member.id, Some(link.client.clone()));
                    member.notes.set(&member.id, None);
                    *good = Some(Good { credential: credential.clone(), uid: link.client.uid.clone() });
                    exchange.settle(credential);
                }
                (Ok(new), _) => {
                    let note = identity_note(&link.client.uid, &new.client.uid);
                    tracing::warn!(cluster = %member.id, "{}", note.message);
                    member.notes.set(&member.id, Some(note));
                    exchange.later();
                }
                (Err(error), _) => {
                    let note = failure_note(&error);
                    if member.notes.get(&member.id).as_ref() != Some(&note) {
                        tracing::warn!(cluster = %member.id, "{}", note.message);
                    }
                    member.notes.set(&member.id, Some(note));
                    exchange.later();
                }
            },
            answer = ready(&mut probing) => {
                if answer.is_ok() {
                    member.seen.heard(now());
                }
                if let Err(lost) = schedule.answer(Instant::now(), answer) {
                    return Ok(lost);
                }
            }
            () = sleep_until(schedule.due()), if probing.is_none() => {
                probing = Some(Box::pin(probe(link.client.clone(), link.server.clone())));
            }
            report = next_report(&mut running.reports) => match report {
                Report::Broken => schedule.watch_broke(Instant::now()),
                Report::Listed(kind) => unreadable.end(kind),
                Report::Unreadable(kind, error) => {
                    if unreadable.begin(&member.id, kind, &error) {
                        return Ok(error);
                    }
                }
                Report::Unusable(kind, error) => {
                    unreadable.begin(&member.id, kind, &error);
                }
                Report::Lost(error) => return Ok(error),
            },
            ended = running.tasks.join_next() => {
                return match ended {
                    Some(Err(_)) | None => Ok(ConnectError::new(LinkFailure::Unreachable, "a watch ended unexpectedly")),
                    Some(Ok(closed)) => Err(closed),
                };
            }
        }
    }
}

async fn next_report(reports: &mut mpsc::Receiver<Report>) -> Report {
    match reports.recv().await {
        Some(report) => report,
        // All watches are gone; that is told by their tasks.
        None => std::future::pending().await,
    }
}

/// The result of what is pending, once; waits for ever if nothing is.
async fn ready<T>(pending: &mut Pending<T>) -> T {
    match pending {
        Some(future) => {
            let result = future.await;
            *pending = None;
            result
        }
        None => std::future::pending().await,
    }
}

/// Kinds that cannot be read on this connection. The others are followed all the same.
#[derive(Default)]
struct Unreadable(BTreeSet<MemberKind>);

impl Unreadable {
    /// True if nothing is left that is worth a connection.
    fn begin(&mut self, id: &federation::model::ClusterId, kind: MemberKind, error: &ConnectError) -> bool {
        if self.0.insert(kind) {
            tracing::warn!(cluster = %id, kind = kind.plural(), "cannot be read; what is known of it stays: {error}");
        }
        MemberKind::DECIDING.iter().all(|kind| self.0.contains(kind) || *kind == MemberKind::Exports)
    }

    fn end(&mut self, kind: MemberKind) {
        self.0.remove(&kind);
    }
}

/// The way from the credential in use to the one that is wanted.
struct Exchange {
    used: Credential,
    allowed: Allowed,
    wanted: Option<Credential>,
    opening: Pending<Result<Link, ConnectError>>,
    retry: Retry,
    due: Instant,
}

impl Exchange {
    fn new(used: Credential, allowed: Allowed) -> Self {
        let retry = Retry::new(FIRST_RETRY, LAST_RETRY);
        Self { used, allowed, wanted: None, opening: None, retry, due: Instant::now() }
    }

    fn want(&mut self, wanted: Credential) {
        let new = wanted != self.used && wanted != Credential::Unknown;
        self.wanted = new.then_some(wanted);
        self.opening = None;
        self.retry.reset();
        self.due = Instant::now();
    }

    fn is_settled(&self) -> bool {
        self.wanted.is_none()
    }

    fn settle(&mut self, used: Credential) {
        self.used = used;
        self.wanted = None;
    }

    fn later(&mut self) {
        self.due = Instant::now() + self.retry.delay();
    }

    /// Opens the wanted credential when it is due; never ready while there is none. Safe to drop and call again.
    async fn next(&mut self) -> (Result<Link, ConnectError>, Credential) {
        let Some(wanted) = self.wanted.clone() else { return std::future::pending().await };
        if self.opening.is_none() {
            sleep_until(self.due).await;
            let (credential, allowed) = (wanted.clone(), self.allowed.clone());
            self.opening = Some(Box::pin(async move { connect::open_fully(&credential, &allowed).await }));
        }
        (ready(&mut self.opening).await, wanted)
    }
}

/// Whoever writes to the member must not believe in a connection that is lost.
struct Unpublish(crate::tables::Clients, federation::model::ClusterId);

impl Drop for Unpublish {
    fn drop(&mut self) {
        self.0.publish(&self.1, None);
    }
}
