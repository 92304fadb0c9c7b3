//! A connection while it lasts: watches run, the API server is probed, a new credential replaces the one in use.

use federation::change::{Epoch, LinkChange, LinkFailure};
use federation::model::ClusterId;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Member;
use super::exchange::Exchange;
use super::kinds::{Report, Running, Seen, Watches};
use super::open::{Good, Opened, failure_note, identity_note};
use super::pending::Pending;
use super::probe::{Failure, Schedule, probe};
use super::unreadable::Unreadable;
use crate::client::connect::{ConnectError, Link};
use crate::client::secret::Credential;
use crate::clock::now;
use crate::sources::feed::FeedClosed;
use crate::tables::{Clients, Note};

/// Holds a connection until it is lost, and returns why it was.
#[tracing::instrument(name = "connection", level = "debug", skip_all, fields(epoch = epoch.0))]
pub(super) async fn hold(
    member: &mut Member,
    opened: Opened,
    wanted: &Credential,
    epoch: Epoch,
    were_there: &Seen,
    good: &mut Option<Good>,
) -> Result<ConnectError, FeedClosed> {
    let mut held = Held::begin(member, opened, wanted, epoch, were_there, good).await?;
    loop {
        let lost = tokio::select! {
            changed = held.member.credential.changed() => {
                changed.map_err(|_| FeedClosed)?;
                held.credential_changed();
                None
            }
            (opened, credential) = held.exchange.next() => {
                held.credential_tried(opened, credential).await;
                None
            }
            answer = held.probing.result() => held.probe_answered(answer).err(),
            () = sleep_until(held.schedule.due()), if held.probing.is_none() => {
                held.probing.start(probe(held.link.client.clone(), held.link.server.clone()));
                None
            }
            report = next_report(&mut held.running.reports) => held.watch_reported(report).err(),
            ended = held.running.tasks.join_next() => match ended {
                Some(Ok(closed)) => return Err(closed),
                Some(Err(_)) | None => {
                    Some(ConnectError::new(LinkFailure::Unreachable, "a watch ended unexpectedly"))
                }
            },
        };
        if let Some(lost) = lost {
            return Ok(lost);
        }
    }
}

struct Held<'a> {
    member: &'a mut Member,
    good: &'a mut Option<Good>,
    exchange: Exchange,
    probing: Pending<Result<(), Failure>>,
    schedule: Schedule,
    unreadable: Unreadable,
    running: Running,
    link: Link,
    watches: Watches,
    _unpublish: Unpublish,
}

impl<'a> Held<'a> {
    /// Reports and publishes the connection, and starts its watches.
    async fn begin(
        member: &'a mut Member,
        Opened { link, credential, note }: Opened,
        wanted: &Credential,
        epoch: Epoch,
        were_there: &Seen,
        good: &'a mut Option<Good>,
    ) -> Result<Self, FeedClosed> {
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
        member.seen.answered(now());
        let up = LinkChange::Up { uid: link.client.uid.clone(), version: link.version.clone() };
        member.report_link(epoch, up).await?;
        member.clients.publish(&member.id, Some(link.client.clone()));
        let unpublish = Unpublish(member.clients.clone(), member.id.clone());
        member.notes.set(&member.id, note.clone());

        let running = watches.start(&link);
        // Credentials of earlier connections stay known.
        member.problems = watches.problems.clone();
        // A credential that did not work when this connection was opened is tried again, too.
        let mut exchange = Exchange::new(credential, member.bounds.addresses.clone());
        if note.is_some() {
            exchange.want(wanted.clone());
            exchange.later();
        }
        Ok(Self {
            member,
            good,
            exchange,
            probing: Pending::none(),
            schedule: Schedule::new(Instant::now()),
            unreadable: Unreadable::default(),
            running,
            link,
            watches,
            _unpublish: unpublish,
        })
    }

    fn credential_changed(&mut self) {
        let wanted = self.member.credential.borrow_and_update().clone();
        self.exchange.want(wanted);
        if self.exchange.is_settled() {
            self.member.notes.set(&self.member.id, None);
        }
    }

    async fn credential_tried(&mut self, opened: Result<Link, ConnectError>, credential: Credential) {
        match opened {
            Ok(link) if link.client.uid == self.link.client.uid => self.replace(link, credential).await,
            Ok(link) => {
                let note = identity_note(&self.link.client.uid, &link.client.uid);
                tracing::warn!(cluster = %self.member.id, "{}", note.message);
                self.stay(note);
            }
            Err(error) => {
                let note = failure_note(&error);
                if self.member.notes.get(&self.member.id).as_ref() != Some(&note) {
                    tracing::warn!(cluster = %self.member.id, "{}", note.message);
                }
                self.stay(note);
            }
        }
    }

    /// Goes on with another connection to the same cluster.
    async fn replace(&mut self, link: Link, credential: Credential) {
        tracing::info!(cluster = %self.member.id, "the new credential works: exchanged");
        // The old watches end before the new ones report, so that nothing old follows something new; the new ones begin
        // with complete lists, so that nothing is missed.
        self.running.tasks.shutdown().await;
        self.link = link;
        self.running = self.watches.start(&self.link);
        self.member.problems = self.watches.problems.clone();
        self.unreadable = Unreadable::default();
        self.probing.stop();
        self.schedule = Schedule::new(Instant::now());
        self.member.clients.publish(&self.member.id, Some(self.link.client.clone()));
        self.member.notes.set(&self.member.id, None);
        *self.good = Some(Good { credential: credential.clone(), uid: self.link.client.uid.clone() });
        self.exchange.settle(credential);
    }

    /// Goes on with the credential in use, and notes why; the new one is tried again later.
    fn stay(&mut self, note: Note) {
        self.member.notes.set(&self.member.id, Some(note));
        self.exchange.later();
    }

    fn probe_answered(&mut self, answer: Result<(), Failure>) -> Result<(), ConnectError> {
        if answer.is_ok() {
            self.member.seen.answered(now());
        }
        self.schedule.answer(Instant::now(), answer)
    }

    /// An error ends the connection.
    fn watch_reported(&mut self, report: Report) -> Result<(), ConnectError> {
        match report {
            Report::Broken => self.schedule.watch_broke(Instant::now()),
            Report::Listed(kind) => self.unreadable.end(kind),
            Report::Unreadable(kind, error) => {
                if self.unreadable.begin(&self.member.id, kind, &error) {
                    return Err(error);
                }
            }
            Report::Unusable(kind, error) => {
                self.unreadable.begin(&self.member.id, kind, &error);
            }
            Report::Lost(error) => return Err(error),
        }
        Ok(())
    }
}

async fn next_report(reports: &mut mpsc::Receiver<Report>) -> Report {
    match reports.recv().await {
        Some(report) => report,
        // All watches have ended; their tasks give the reason.
        None => std::future::pending().await,
    }
}

/// Writers must not use a connection that is lost.
struct Unpublish(Clients, ClusterId);

impl Drop for Unpublish {
    fn drop(&mut self) {
        self.0.publish(&self.1, None);
    }
}
