//! LRS: what proxies report of the load they see. Kept for people to look at, for as long as the proxy is connected; it
//! decides nothing.

mod locality;
mod metered;
mod report;
mod table;

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use envoy_types::pb::envoy::service::load_stats::v3::LoadStatsResponse;
use envoy_types::pb::google::protobuf::Duration;
use futures::stream::{self, Stream};
use tokio::sync::watch;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::start_limits::StartLimits;
use super::transport::Peer;
use crate::class::{MAX_NODE_ID_LEN, NodeError};
use crate::stats::Stats;
pub use locality::{LocalityLoad, MAX_LOCALITIES};
use metered::Metered;
pub use report::{MAX_CLUSTERS_READ, MAX_LOCALITIES_READ, MAX_REPORT_LEN};
use report::{Report, ReportCodec};
use table::Row;
pub use table::{ClusterLoad, LoadReport, Loads, MAX_CLUSTERS as MAX_LOADS};

/// Reports come this often.
const INTERVAL_S: i64 = 10;

#[derive(Clone)]
pub(super) struct Lrs {
    loads: Loads,
    stats: Arc<Stats>,
    start_limits: StartLimits,
}

impl Lrs {
    pub(super) fn new(loads: Loads, stats: Arc<Stats>, start_limits: StartLimits) -> Self {
        Self { loads, stats, start_limits }
    }

    /// Answers a call of `StreamLoadStats`, the only method of this service.
    pub(super) async fn answer<B>(self, request: http::Request<B>) -> http::Response<tonic::body::Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            return Status::internal("the transport did not attach the request's peer").into_http();
        };
        let charge = self.start_limits.charge(&peer);
        let request = request.map(|body| Metered::new(body, charge));
        let mut grpc = Grpc::new(ReportCodec).max_decoding_message_size(MAX_REPORT_LEN);
        grpc.streaming(StreamLoads { lrs: self, peer }, request).await
    }
}

/// A stream of reports.
struct Reports {
    requests: Streaming<Report>,
    draining: watch::Receiver<bool>,
    loads: Loads,
    stats: Arc<Stats>,
    /// Once the node is known.
    row: Option<Row>,
}

impl Reports {
    /// Records a report and returns what the next one should hold. That is always the same, but has to be sent each time:
    /// for Envoy, "all clusters" are those that it has when it receives that, and these change.
    async fn next(mut self) -> Result<Option<(LoadStatsResponse, Self)>, Status> {
        let request = tokio::select! {
            biased;
            _ = self.draining.wait_for(|draining| *draining) => {
                return Err(Status::unavailable("this control plane ends the connection in good order"));
            }
            request = self.requests.message() => request?,
        };
        let Some(request) = request else { return Ok(None) };
        let row = match self.row.take() {
            Some(row) => row,
            None => self.loads.enter(identify(&request)?, self.stats.clone()),
        };
        row.report(request.clusters, SystemTime::now());
        self.row = Some(row);
        Ok(Some((requested(), self)))
    }
}

fn identify(request: &Report) -> Result<&str, Status> {
    let refuse = |error: NodeError| Status::invalid_argument(error.to_string());
    match request.node.as_deref() {
        None => Err(refuse(NodeError::NoNode)),
        Some("") => Err(refuse(NodeError::NoId)),
        Some(id) if id.len() > MAX_NODE_ID_LEN => Err(refuse(NodeError::IdTooLong { found: id.len() })),
        Some(id) => Ok(id),
    }
}

/// Reports of all clusters, in sums: endpoints change too fast to be reported one by one.
fn requested() -> LoadStatsResponse {
    LoadStatsResponse {
        send_all_clusters: true,
        load_reporting_interval: Some(Duration { seconds: INTERVAL_S, nanos: 0 }),
        ..LoadStatsResponse::default()
    }
}

/// One call.
struct StreamLoads {
    lrs: Lrs,
    peer: Peer,
}

impl StreamingService<Report> for StreamLoads {
    type Response = LoadStatsResponse;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<LoadStatsResponse, Status>> + Send>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Report>>) -> Self::Future {
        let (loads, stats) = (self.lrs.loads.clone(), self.lrs.stats.clone());
        let draining = self.peer.draining.clone();
        let reports = Reports { requests: request.into_inner(), draining, loads, stats, row: None };
        ready(Ok(Response::new(Box::pin(stream::try_unfold(reports, Reports::next)) as Self::ResponseStream)))
    }
}
