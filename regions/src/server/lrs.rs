//! LRS: what proxies say of the load they see. Kept for people to look at, for as long as the proxy is connected; it
//! decides nothing.

mod table;

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use envoy_types::pb::envoy::service::load_stats::v3::load_reporting_service_server::LoadReportingService;
use envoy_types::pb::envoy::service::load_stats::v3::{LoadStatsRequest, LoadStatsResponse};
use envoy_types::pb::google::protobuf::Duration;
use futures::stream::{self, Stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use super::transport::Peer;
use crate::class::{MAX_NODE_ID_LEN, NodeError};
use crate::stats::Stats;
use table::Row;
pub use table::{ClusterLoad, LoadReport, Loads, LocalityLoad};

/// Largest report, in bytes.
pub(super) const MAX_REPORT_LEN: usize = 16 << 20;
/// Reports come this often.
const INTERVAL_S: i64 = 10;

pub(super) struct Lrs {
    loads: Loads,
    stats: Arc<Stats>,
}

impl Lrs {
    pub(super) fn new(loads: Loads, stats: Arc<Stats>) -> Self {
        Self { loads, stats }
    }
}

/// A stream of reports.
struct Reports {
    requests: Streaming<LoadStatsRequest>,
    draining: watch::Receiver<bool>,
    loads: Loads,
    stats: Arc<Stats>,
    /// Once it is known whose reports these are.
    row: Option<Row>,
}

impl Reports {
    /// Takes in a report and says what the next one should hold. That is always the same, but has to be said each time:
    /// for Envoy, "all clusters" are those that it has when it hears it, and clusters come and go.
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
        row.report(request, SystemTime::now());
        self.row = Some(row);
        Ok(Some((wish(), self)))
    }
}

fn identify(request: &LoadStatsRequest) -> Result<&str, Status> {
    let refuse = |error: NodeError| Status::invalid_argument(error.to_string());
    match request.node.as_ref().map(|node| &*node.id) {
        None => Err(refuse(NodeError::NoNode)),
        Some("") => Err(refuse(NodeError::NoId)),
        Some(id) if id.len() > MAX_NODE_ID_LEN => Err(refuse(NodeError::IdTooLong { found: id.len() })),
        Some(id) => Ok(id),
    }
}

/// Reports of all clusters, in sums: endpoints come and go too fast to be told one by one.
fn wish() -> LoadStatsResponse {
    LoadStatsResponse {
        send_all_clusters: true,
        load_reporting_interval: Some(Duration { seconds: INTERVAL_S, nanos: 0 }),
        ..LoadStatsResponse::default()
    }
}

#[tonic::async_trait]
impl LoadReportingService for Lrs {
    type StreamLoadStatsStream = Pin<Box<dyn Stream<Item = Result<LoadStatsResponse, Status>> + Send>>;

    async fn stream_load_stats(
        &self,
        request: Request<Streaming<LoadStatsRequest>>,
    ) -> Result<Response<Self::StreamLoadStatsStream>, Status> {
        let Some(Peer { draining, .. }) = request.extensions().get::<Peer>().cloned() else {
            return Err(Status::internal("the transport does not say whose request this is"));
        };
        let (loads, stats) = (self.loads.clone(), self.stats.clone());
        let reports = Reports { requests: request.into_inner(), draining, loads, stats, row: None };
        Ok(Response::new(Box::pin(stream::try_unfold(reports, Reports::next))))
    }
}
