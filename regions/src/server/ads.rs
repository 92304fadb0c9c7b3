//! The gRPC services: ADS, and the per-type services that serve a part of it (xDS protocol, "Aggregated Discovery
//! Service"). Written by hand because generated ones would encode every response anew for every client, and hand it from
//! task to task.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use http_body::Body;
use tonic::Status;
use tonic::body::Body as GrpcBody;
use tower::Service;

use super::Shared;
use super::body::{Mailbox, StreamBody};
use super::method::{Method, method};
use super::requests::Requests;
use super::stream::{self, Incoming};
use super::transport::Peer;
use crate::session::Variant;

/// Every discovery service, to be served by a transport.
#[derive(Clone)]
pub struct AdsService {
    shared: Shared,
}

impl AdsService {
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }

    fn answer<B>(&self, request: http::Request<B>) -> Result<http::Response<GrpcBody>, Status>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path();
        let Some(method) = method(path) else {
            return Err(Status::unimplemented(format!(
                "{path} is not served here; expected a stream of the aggregated discovery service or of one of its parts"
            )));
        };
        let encoding = request.headers().get("grpc-encoding").and_then(|value| value.to_str().ok());
        if let Some(encoding) = encoding.filter(|encoding| *encoding != "identity") {
            return Err(Status::unimplemented(format!("messages are encoded as {encoding:?}; expected \"identity\"")));
        }
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            return Err(Status::internal("the transport does not say whose request this is"));
        };
        Ok(match method.variant {
            Variant::Sotw => self.stream::<DiscoveryRequest, B>(method, peer, request),
            Variant::Delta => self.stream::<DeltaDiscoveryRequest, B>(method, peer, request),
        })
    }

    fn stream<Req, B>(&self, method: Method, peer: Peer, request: http::Request<B>) -> http::Response<GrpcBody>
    where
        Req: Incoming,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let requests = Requests::new(request.into_body());
        let mailbox = Mailbox::default();
        let driver = Box::pin(stream::run::<Req>(method, peer, requests, mailbox.clone(), self.shared.clone()));
        let mut response = http::Response::new(GrpcBody::new(StreamBody::new(mailbox, driver)));
        let content_type = http::HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
        response
    }
}

impl<B> Service<http::Request<B>> for AdsService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = http::Response<GrpcBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        ready(Ok(self.answer(request).unwrap_or_else(Status::into_http)))
    }
}
