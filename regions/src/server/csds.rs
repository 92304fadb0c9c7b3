//! CSDS: what every client has, resource by resource, for tools that use it.
//!
//! It shows everything about every client, so it answers only requests from this machine: those of an operator there, or of
//! one with the right to forward a port into the pod. These may read the admin pages as well. A client certificate would
//! not do: it proves that the peer is some workload of the mesh, and no workload may see what the others are sent. (Should something ever accept xDS connections on behalf of this process, on the same machine, it must
//! not pass this service on.)

mod answer;
mod matcher;

use std::pin::Pin;
use std::sync::Arc;

use envoy_types::pb::envoy::service::status::v3::client_status_discovery_service_server::ClientStatusDiscoveryService;
use envoy_types::pb::envoy::service::status::v3::{ClientStatusRequest, ClientStatusResponse};
use futures::stream::{self, Stream};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

use super::streams::Streams;
use super::transport::Peer;
use answer::answer;
use matcher::Matcher;

pub(super) struct Csds {
    streams: Streams,
    /// One answer is worked out at a time: it may be large.
    turn: Arc<Semaphore>,
}

impl Csds {
    pub(super) fn new(streams: Streams) -> Self {
        Self { streams, turn: Arc::new(Semaphore::new(1)) }
    }
}

/// Accepts requests from this machine.
fn admit<T>(request: &Request<T>) -> Result<Peer, Status> {
    let Some(peer) = request.extensions().get::<Peer>() else {
        return Err(Status::internal("the transport did not attach the request's peer"));
    };
    if peer.address.ip().to_canonical().is_loopback() {
        return Ok(peer.clone());
    }
    Err(Status::permission_denied(format!(
        "client status is served on this machine only, and this request came from {}; connect from this machine, for example through kubectl port-forward",
        peer.address.ip()
    )))
}

async fn fetch(
    request: ClientStatusRequest,
    streams: &Streams,
    turn: &Semaphore,
) -> Result<ClientStatusResponse, Status> {
    let matcher = Matcher::new(request.node_matchers)?;
    let _turn = turn.acquire().await; // fails only when closed, and it is never closed
    answer(&matcher, !request.exclude_resource_contents, streams).await
}

#[tonic::async_trait]
impl ClientStatusDiscoveryService for Csds {
    type StreamClientStatusStream = Pin<Box<dyn Stream<Item = Result<ClientStatusResponse, Status>> + Send>>;

    async fn fetch_client_status(
        &self,
        request: Request<ClientStatusRequest>,
    ) -> Result<Response<ClientStatusResponse>, Status> {
        admit(&request)?;
        Ok(Response::new(fetch(request.into_inner(), &self.streams, &self.turn).await?))
    }

    /// Each request is answered once, with what is so at that moment.
    async fn stream_client_status(
        &self,
        request: Request<Streaming<ClientStatusRequest>>,
    ) -> Result<Response<Self::StreamClientStatusStream>, Status> {
        let Peer { draining, .. } = admit(&request)?;
        let state = (request.into_inner(), draining, self.streams.clone(), self.turn.clone());
        let answers = stream::try_unfold(state, |(mut requests, mut draining, streams, turn)| async move {
            let request = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => {
                    return Err(Status::unavailable("this control plane ends the connection in good order"));
                }
                request = requests.message() => request?,
            };
            let Some(request) = request else { return Ok(None) };
            let answer = fetch(request, &streams, &turn).await?;
            Ok(Some((answer, (requests, draining, streams, turn))))
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    async fn ask_from(ip: &str) -> Result<Response<ClientStatusResponse>, Status> {
        let mut request = Request::new(ClientStatusRequest::default());
        let address = (ip.parse::<IpAddr>().expect("an address"), 40_000).into();
        // As if it had proved to be a workload of the mesh.
        let certificates = Some(Arc::from([]));
        request.extensions_mut().insert(Peer { certificates, ..Peer::alone(address) });
        Csds::new(Streams::default()).fetch_client_status(request).await
    }

    #[tokio::test]
    async fn c46_it_is_served_on_this_machine_only() {
        for here in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert!(ask_from(here).await.is_ok(), "{here}");
        }
        for elsewhere in ["10.8.0.1", "::ffff:10.8.0.1", "fd00::1", "0.0.0.0"] {
            let refusal = ask_from(elsewhere).await.expect_err("refused");
            assert_eq!(refusal.code(), tonic::Code::PermissionDenied, "{elsewhere}");
        }
    }
}
