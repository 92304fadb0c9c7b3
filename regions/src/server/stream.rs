//! One task per stream: it waits for the client or for news, lets the session decide, and hands on what it says.

use std::net::SocketAddr;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use tokio::sync::{mpsc, watch};
use tonic::{Code, Status, Streaming};
use tracing::{debug, info, warn};

use super::Shared;
use super::codec::{Outgoing, encoded_len};
use super::streams::Entry;
use crate::catalog::{CatalogClosed, ClassSubscription, OpenError};
use crate::class::Client;
use crate::session::{Heard, Refusal, Request, Session, Variant};
use crate::stats::{Gauge, StreamStats};

/// A request off the wire.
pub(super) trait Incoming: Send + Sized + 'static {
    fn node(&self) -> Option<&Node>;
    fn read(self) -> Result<Option<Request>, Refusal>;
}

impl Incoming for DiscoveryRequest {
    fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }
    fn read(self) -> Result<Option<Request>, Refusal> {
        Request::sotw(self)
    }
}

impl Incoming for DeltaDiscoveryRequest {
    fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }
    fn read(self) -> Result<Option<Request>, Refusal> {
        Request::delta(self)
    }
}

type Responses = mpsc::Sender<Result<Outgoing, Status>>;

/// Runs a stream to its end. An error of ours, or the end of the process, is the last thing the client hears.
pub(super) async fn run<Req: Incoming>(
    variant: Variant,
    peer: Option<SocketAddr>,
    mut requests: Streaming<Req>,
    responses: Responses,
    shared: Shared,
    mut stopping: watch::Receiver<bool>,
) {
    let _open = Open::new(shared.stats.clone(), variant);
    let mut stream = Stream {
        entry: shared.streams.enter(variant, peer),
        node: String::new(),
        session: Session::new(variant),
        responses,
        shared,
    };
    let stopped = async move { drop(stopping.wait_for(|stop| *stop).await) };
    let end = tokio::select! {
        end = stream.serve(&mut requests) => end,
        () = stopped => Err(Status::unavailable("this control plane is shutting down; another one may serve you")),
    };
    if let Err(status) = end {
        stream.shared.stats.streams.refused.inc();
        debug!(node = stream.node, ?peer, code = ?status.code(), message = status.message(), "stream ended by us");
        // Full or closed: the client does not listen any more.
        drop(stream.responses.try_send(Err(status)));
    }
}

struct Stream {
    entry: Entry,
    /// `node.id`, once it is known.
    node: String,
    session: Session,
    responses: Responses,
    shared: Shared,
}

impl Stream {
    async fn serve<Req: Incoming>(&mut self, requests: &mut Streaming<Req>) -> Result<(), Status> {
        // Nothing is known before the first request says who it is.
        let Some(first) = next(requests).await? else { return Ok(()) };
        let client = self.session.identify(first.node(), &self.shared.region).map_err(refuse)?;
        let Some(client) = client else { return Ok(()) };
        let ClassSubscription { mut snapshots } = self.open(&client).await?;
        self.node.clone_from(&client.node_id);
        debug!(node = self.node, variant = ?self.session.variant(), class = ?client.class, "stream opened");
        self.entry.identified(client);
        self.hear(first)?;
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if let Some(snapshot) = snapshot {
                self.session.on_snapshot(snapshot);
            }
            self.speak()?;
            tokio::select! {
                request = next(requests) => match request? {
                    Some(request) => {
                        self.session.identify(request.node(), &self.shared.region).map_err(refuse)?;
                        self.hear(request)?;
                    }
                    None => return Ok(()),
                },
                news = snapshots.changed() => {
                    news.map_err(|_| Status::unavailable(CatalogClosed.to_string()))?;
                }
                () = self.responses.closed() => return Ok(()),
            }
        }
    }

    async fn open(&self, client: &Client) -> Result<ClassSubscription, Status> {
        let opened = self.shared.catalog.open(client.class.clone()).await;
        let opened = opened.map_err(|closed| Status::unavailable(closed.to_string()))?;
        opened.map_err(|error: OpenError| {
            warn!(node = client.node_id, %error, "client refused");
            Status::resource_exhausted(error.to_string())
        })
    }

    /// Takes in one request. The node, its extensions included, ends here.
    fn hear<Req: Incoming>(&mut self, request: Req) -> Result<(), Status> {
        let Some(request) = request.read().map_err(refuse)? else { return Ok(()) };
        let resource_type = request.resource_type;
        let stats = self.shared.stats.streams.of(resource_type);
        stats.requests.inc();
        match self.session.on_request(request).map_err(refuse)? {
            Heard::Nothing => {}
            Heard::Ack(_) => stats.acks.inc(),
            Heard::Nack(_) => {
                stats.nacks.inc();
                let error = self.session.status(resource_type).last_error;
                warn!(
                    node = self.node,
                    resource_type = resource_type.label(),
                    error = error.as_deref(),
                    "configuration rejected"
                );
            }
        }
        self.entry.update(&self.session);
        Ok(())
    }

    fn speak(&mut self) -> Result<(), Status> {
        let said = self.session.responses();
        if said.is_empty() {
            return Ok(());
        }
        for response in said {
            let totals = &self.shared.stats.streams;
            let stats = totals.of(response.resource_type);
            stats.responses.inc();
            stats.resources_sent.add(response.resources.len() as u64);
            stats.removals_sent.add(response.removed.len() as u64);
            let outgoing = Outgoing { response, identifier: self.shared.identifier.clone() };
            totals.sent_bytes.add(encoded_len(self.session.variant(), &outgoing) as u64);
            // There is room for a response of each type, and the next one waits for an ACK. Who fills the channel all
            // the same acknowledges what it has not read. The last place is for telling it so.
            let room = self.responses.capacity() > 1;
            if !room || self.responses.try_send(Ok(outgoing)).is_err() {
                return Err(Status::resource_exhausted(
                    "responses are acknowledged but not read; expected one ACK for each response, once it was read",
                ));
            }
        }
        self.entry.update(&self.session);
        Ok(())
    }
}

/// The next request, or none if the client is gone. An error is one that it should hear.
async fn next<Req>(requests: &mut Streaming<Req>) -> Result<Option<Req>, Status> {
    requests.message().await.or_else(|status| match status.code() {
        // What does not decode, or is too long.
        Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted | Code::Unimplemented => Err(status),
        code => {
            info!(?code, message = status.message(), "stream broke");
            Ok(None)
        }
    })
}

fn refuse(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Subscription(error) => Status::resource_exhausted(error.to_string()),
        other => Status::invalid_argument(other.to_string()),
    }
}

/// Counts an open stream.
struct Open {
    stats: Arc<crate::stats::Stats>,
    variant: Variant,
}

impl Open {
    fn new(stats: Arc<crate::stats::Stats>, variant: Variant) -> Self {
        stats.streams.accepted.inc();
        gauge(&stats.streams, variant).add(1);
        Self { stats, variant }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge(&self.stats.streams, self.variant).add(-1);
    }
}

fn gauge(stats: &StreamStats, variant: Variant) -> &Gauge {
    match variant {
        Variant::Sotw => &stats.open_sotw,
        Variant::Delta => &stats.open_delta,
    }
}
