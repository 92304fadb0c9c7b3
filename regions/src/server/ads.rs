//! The gRPC services: ADS, and the per-type services that serve a part of it (xDS protocol, "Aggregated Discovery
//! Service"). These are written by hand because generated ones would encode every response again for every client, and
//! pass it from task to task. The other services are called seldom, and are generated.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use envoy_types::pb::envoy::service::status::v3::client_status_discovery_service_server::ClientStatusDiscoveryServiceServer;
use futures::future::Either;
use http_body::Body;
use tonic::Status;
use tonic::body::Body as GrpcBody;
use tower::Service;

use super::Shared;
use super::body::{Mailbox, StreamBody};
use super::csds::Csds;
use super::lrs::Lrs;
use super::method::{Called, Method, called};
use super::requests::Requests;
use super::stream;
use super::transport::Peer;

/// Largest request for client status, in bytes: decoded, it may take fifty times as much.
const MAX_STATUS_REQUEST_LEN: usize = 256 << 10;

type Answer = Result<http::Response<GrpcBody>, Infallible>;

/// Every service of the xDS port, to be served by a transport.
#[derive(Clone)]
pub struct AdsService(Arc<Services>);

/// Each connection has a reference to these.
struct Services {
    shared: Shared,
    status: ClientStatusDiscoveryServiceServer<Csds>,
    loads: Lrs,
}

impl AdsService {
    pub fn new(shared: Shared) -> Self {
        let status = ClientStatusDiscoveryServiceServer::new(Csds::new(shared.streams.clone()));
        let loads = Lrs::new(shared.loads.clone(), shared.stats.clone(), shared.start_limits.clone());
        Self(Arc::new(Services { shared, status: status.max_decoding_message_size(MAX_STATUS_REQUEST_LEN), loads }))
    }
}

impl Services {
    fn answer<B>(&self, method: Method, request: http::Request<B>) -> Result<http::Response<GrpcBody>, Status>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let encoding = request.headers().get("grpc-encoding").and_then(|value| value.to_str().ok());
        if let Some(encoding) = encoding.filter(|encoding| *encoding != "identity") {
            return Err(Status::unimplemented(format!("messages are encoded as {encoding:?}; expected \"identity\"")));
        }
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            return Err(Status::internal("the transport did not attach the request's peer"));
        };
        Ok(self.stream(method, peer, request))
    }

    fn stream<B>(&self, method: Method, peer: Peer, request: http::Request<B>) -> http::Response<GrpcBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let requests =
            Requests::new(request.into_body(), method.variant, peer.clone(), self.shared.start_limits.clone());
        let mailbox = Mailbox::default();
        let driver = Box::pin(stream::run(method, peer, requests, mailbox.clone(), self.shared.clone()));
        let mut response = http::Response::new(GrpcBody::new(StreamBody::new(mailbox, driver)));
        let content_type = http::HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
        response
    }
}

impl<B> Service<http::Request<B>> for AdsService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = http::Response<GrpcBody>;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, Pin<Box<dyn Future<Output = Answer> + Send>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let path = request.uri().path();
        let answer = match called(path) {
            Some(Called::Status) => return Either::Right(self.0.status.clone().call(request)),
            Some(Called::Loads) => {
                let answer = self.0.loads.clone().answer(request);
                return Either::Right(Box::pin(async move { Ok(answer.await) }));
            }
            Some(Called::Discovery(method)) => self.0.answer(method, request),
            None => Err(Status::unimplemented(format!(
                "{path} is not served here; expected a stream of the aggregated discovery service or of one of its parts"
            ))),
        };
        Either::Left(ready(Ok(answer.unwrap_or_else(Status::into_http))))
    }
}
