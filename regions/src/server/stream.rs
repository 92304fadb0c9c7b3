//! One stream: it waits for the client or for a new snapshot, lets the session decide, and passes on what it sends.

mod notes;
mod old;

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tonic::Status;
use tracing::{Instrument as _, Span, debug, debug_span, field, warn};

use super::Shared;
use super::body::Mailbox;
use super::codec::Writer;
use super::method::Method;
use super::open::Open;
use super::requests::Requests;
use super::slots::Slot;
use super::start_limits::{FIRST_REQUEST, FIRST_REQUEST_WHOLE, PATIENCE};
use super::streams::Entry;
use super::transport::Peer;
use crate::catalog::{ClassSubscription, OpenError};
use crate::class::{Client, MAX_NODE_ID_LEN, cut};
use crate::refusal_kind::RefusalKind;
use crate::resource::ResourceType;
use crate::session::{Answer, RawRequest, Refusal, Session};
use old::Old;

/// Runs a stream to its end, and returns the status that the client is sent.
pub(super) fn run(
    method: Method,
    peer: Peer,
    requests: Requests,
    mailbox: Mailbox,
    shared: Shared,
) -> impl Future<Output = Status> + Send {
    let open = Open::new(shared.stats.clone(), method.variant);
    let session = Session::new(method.variant);
    // One for the whole stream: nothing if the level is off. The client's names follow with its first request.
    let span = debug_span!(
        "stream",
        region = %shared.defaults.region,
        peer = %peer.address,
        variant = ?method.variant,
        client = field::Empty,
        cluster = field::Empty,
    );
    let stream = Stream {
        only: method.only,
        entry: shared.streams.enter(method.variant, Some(peer.address), session.interest().clone()),
        peer: peer.clone(),
        node: String::new(),
        began: Instant::now(),
        session,
        refused: None,
        old: None,
        subscription: None,
        outside: None,
        mailbox,
        shared,
    };
    // Not one function with what is above: a future keeps memory for its arguments, moved away or not.
    until_drained(stream, requests, peer, open).instrument(span)
}

async fn until_drained(
    mut stream: Stream,
    mut requests: Requests,
    Peer { address, mut draining, .. }: Peer,
    _open: Open,
) -> Status {
    let drained = async { drop(draining.wait_for(|draining| *draining).await) };
    let end = tokio::select! {
        biased;
        () = drained => None,
        end = stream.serve(&mut requests) => Some(end),
    };
    let end = match end {
        Some(end) => end,
        None => stream.leave(),
    };
    let Err(status) = end else { return Status::ok("") };
    stream.shared.stats.streams.refused.inc();
    stream.note_refusal(&status);
    debug!(node = stream.node, peer = %address, code = ?status.code(), message = status.message(), "stream ended by us");
    status
}

struct Stream {
    only: Option<ResourceType>,
    entry: Entry,
    peer: Peer,
    /// `node.id`, once it is known.
    node: String,
    began: Instant,
    session: Session,
    /// Why it is refused, if that does not follow from the status.
    refused: Option<RefusalKind>,
    /// Counts an old Envoy, for as long as its stream lives.
    old: Option<Old>,
    subscription: Option<ClassSubscription>,
    /// Whether the log has the client outside the federation; `None`: it has nothing yet.
    outside: Option<bool>,
    mailbox: Mailbox,
    shared: Shared,
}

impl Stream {
    async fn serve(&mut self, requests: &mut Requests) -> Result<(), Status> {
        // Boxed: the memory that only the beginning needs is not kept until the end.
        let Some(slot) = Box::pin(self.begin(requests)).await? else { return Ok(()) };
        let mut slot = Some(slot);
        let mut patience = pin!(tokio::time::sleep(PATIENCE));
        let heartbeat = self.session.heartbeat();
        let mut woken = false;
        let mut alarm = Alarm::default();
        let mut beat = pin!(tokio::time::sleep(heartbeat.unwrap_or_default()));
        loop {
            self.send()?;
            if std::mem::take(&mut woken) {
                self.entry.answer(&self.session);
            }
            alarm.set(self.session.wake_at(), self.began);
            let interest = self.session.interest().clone();
            tokio::select! {
                // In this order: nothing can starve, since each turn sends what is new.
                biased;
                request = requests.next() => match request? {
                    Some(request) => {
                        self.session.identify(request.node.as_ref(), &self.shared.defaults).map_err(refuse)?;
                        self.read(request)?;
                        // It answers, so it has read: another stream may start.
                        slot = None;
                    }
                    None => return Ok(()),
                },
                // A new snapshot, or a question.
                () = poll_fn(|cx| interest.poll_woken(cx)) => woken = true,
                () = alarm.ring() => {}
                () = &mut patience, if slot.is_some() => slot = None,
                () = &mut beat, if heartbeat.is_some() => {
                    self.session.confirm();
                    beat.set(tokio::time::sleep(heartbeat.unwrap_or_default()));
                }
            }
        }
    }

    /// Reads the first request, before which nothing is known of the client. `None`: the client sent none.
    async fn begin(&mut self, requests: &mut Requests) -> Result<Option<Slot>, Status> {
        match timeout(FIRST_REQUEST, requests.begun()).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) => {
                let text = format!(
                    "no request came within {FIRST_REQUEST:?} of the stream's beginning; expected the first one at once"
                );
                return Err(Status::deadline_exceeded(text));
            }
        }
        // Before any more is read: a stream that waits for its slot costs no more than its flow-control window.
        let slot = self.shared.start_limits.enter(&self.peer).await;
        let first = timeout(FIRST_REQUEST_WHOLE, requests.next()).await;
        let first = first.map_err(|_| {
            Status::deadline_exceeded(format!(
                "the first request did not arrive completely within {FIRST_REQUEST_WHOLE:?}"
            ))
        })?;
        let Some(first) = first? else { return Ok(None) };
        if let Some(node) = &first.node {
            self.node = cut(&node.id, MAX_NODE_ID_LEN);
            Span::current().record("client", &*self.node);
        }
        let client = self.session.identify(first.node.as_ref(), &self.shared.defaults).map_err(|refusal| {
            self.refused = Some(RefusalKind::Node);
            refuse(refusal)
        })?;
        let Some(client) = client else { return Ok(None) };
        if let Some(cluster) = &client.class.client.cluster {
            Span::current().record("cluster", field::display(cluster));
        }
        self.subscription = Some(self.open(&client).await?);
        self.note_version(&client);
        debug!(node = self.node, variant = ?self.session.variant(), class = ?client.class, "stream opened");
        self.peer.connection.note_identified();
        self.entry.identified(client);
        self.read(first)?;
        Ok(Some(slot))
    }

    /// The connection is to end. A client that was sent nothing yet would count that as a failure of all its targets, so
    /// everything that may be sent is sent first.
    fn leave(&mut self) -> Result<(), Status> {
        self.send()?;
        Err(Status::unavailable("this control plane ends the connection in good order; another one may serve you"))
    }

    async fn open(&self, client: &Client) -> Result<ClassSubscription, Status> {
        let opened = {
            let address = self.peer.address.ip().to_canonical();
            self.shared.catalog.open(client.class.clone(), address, self.session.interest().clone()).await
        };
        let opened = opened.map_err(|closed| Status::unavailable(closed.to_string()))?;
        opened.map_err(|error: OpenError| Status::resource_exhausted(error.to_string()))
    }

    /// Applies one request. The node, its extensions included, is dropped here.
    fn read(&mut self, mut request: RawRequest) -> Result<(), Status> {
        if let Some(only) = self.only {
            let url = &mut request.type_url;
            if url.is_empty() {
                only.url().clone_into(url);
            } else if *url != only.url() {
                return Err(Status::invalid_argument(format!(
                    "`type_url` is {url:?} on a stream of another type; expected {:?}",
                    only.url()
                )));
            }
        }
        let Some(request) = request.into_request().map_err(refuse)? else { return Ok(()) };
        let resource_type = request.resource_type;
        let stats = self.shared.stats.streams.of(resource_type);
        stats.requests.inc();
        self.session.set_time(self.began.elapsed());
        match self.session.on_request(request).map_err(refuse)? {
            Answer::None => {}
            Answer::Ack(_) => {
                stats.acks.inc();
                if !self.session.rejects(resource_type) {
                    self.entry.accepted(&self.node, resource_type);
                }
            }
            Answer::Nack(_) => {
                stats.nacks.inc();
                let error = self.session.status(resource_type).last_error.unwrap_or_default();
                warn!(node = self.node, peer = %self.peer.address, resource_type = resource_type.label(), %error, "configuration rejected");
                self.entry.rejected(&self.node, resource_type, error);
            }
        }
        self.entry.update(resource_type, &self.session);
        Ok(())
    }

    /// Gives the session the newest snapshot and passes on what it sends.
    fn send(&mut self) -> Result<(), Status> {
        if let Some(snapshot) = self.subscription.as_ref().and_then(ClassSubscription::snapshot) {
            self.note_outside(snapshot.is_outside());
            self.session.on_snapshot(snapshot);
        }
        self.session.set_time(self.began.elapsed());
        for response in self.session.responses().map_err(refuse)? {
            let resource_type = response.resource_type;
            let totals = &self.shared.stats.streams;
            let stats = totals.of(resource_type);
            stats.responses.inc();
            stats.resources_sent.add(response.resources.len() as u64);
            stats.removals_sent.add(response.removed.len() as u64);
            let writer = Writer::new(self.session.variant(), response, self.shared.identifier.clone());
            totals.sent_bytes.add(writer.message_len() as u64);
            self.mailbox.push(writer);
            self.entry.update(resource_type, &self.session);
        }
        // One response of a type waits for its ACK. A client with more of them waiting to be written acknowledges what it has
        // not read. That cannot happen: its requests are not read while there is something to write.
        debug_assert!(self.mailbox.len() <= 2 * ResourceType::ALL.len(), "responses wait for their ACKs");
        Ok(())
    }
}

/// Wakes a stream whose session has something to send later. Boxed: few streams ever need it.
#[derive(Default)]
struct Alarm(Option<(Duration, Pin<Box<Sleep>>)>);

impl Alarm {
    fn set(&mut self, at: Option<Duration>, began: Instant) {
        if self.0.as_ref().map(|(set, _)| *set) != at {
            self.0 = at.map(|at| (at, Box::pin(sleep_until(began + at))));
        }
    }

    async fn ring(&mut self) {
        match &mut self.0 {
            Some((_, sleep)) => sleep.as_mut().await,
            None => pending().await,
        }
        self.0 = None;
    }
}

fn refuse(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Subscription(error) => Status::resource_exhausted(error.to_string()),
        Refusal::TooFarBehind => Status::aborted(refusal.to_string()),
        other => Status::invalid_argument(other.to_string()),
    }
}
