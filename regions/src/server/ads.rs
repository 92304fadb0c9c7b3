//! `envoy.service.discovery.v3.AggregatedDiscoveryService`, both variants. Written by hand because the generated service
//! would encode every response anew for every client.

use std::convert::Infallible;
use std::task::{Context, Poll};

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body as GrpcBody;
use tonic::codegen::{Body, BoxFuture, Service, StdError, http};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::Shared;
use super::codec::{MAX_REQUEST_LEN, Outgoing, XdsCodec};
use super::stream::{self, Incoming};
use super::transport::Peer;
use crate::resource::TYPES;
use crate::session::Variant;

const SOTW: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// The gRPC service, to be added to a `tonic` server.
#[derive(Clone)]
pub struct AdsService {
    shared: Shared,
}

impl AdsService {
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

impl NamedService for AdsService {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl<B> Service<http::Request<B>> for AdsService
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<GrpcBody>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        match request.uri().path() {
            SOTW => self.stream::<DiscoveryRequest, B>(Variant::Sotw, request),
            DELTA => self.stream::<DeltaDiscoveryRequest, B>(Variant::Delta, request),
            _ => Box::pin(async { Ok(Status::unimplemented("expected one of the two methods of ADS").into_http()) }),
        }
    }
}

impl AdsService {
    fn stream<Req, B>(
        &self,
        variant: Variant,
        request: http::Request<B>,
    ) -> BoxFuture<http::Response<GrpcBody>, Infallible>
    where
        Req: Incoming + Message + Default + 'static,
        B: Body + Send + 'static,
        B::Error: Into<StdError> + Send + 'static,
    {
        let call = Call { variant, service: self.clone() };
        Box::pin(async move {
            let codec = XdsCodec::<Req>::new(variant);
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST_LEN);
            Ok(grpc.streaming(call, request).await)
        })
    }
}

struct Call {
    variant: Variant,
    service: AdsService,
}

impl<Req: Incoming> StreamingService<Req> for Call {
    type Response = Outgoing;
    type ResponseStream = ReceiverStream<Result<Outgoing, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Req>>) -> Self::Future {
        // One response of each type may be on its way, and one status that ends the stream.
        let (responses, receiver) = mpsc::channel(TYPES + 1);
        let Some(Peer { address, draining, .. }) = request.extensions().get().cloned() else {
            return Box::pin(async { Err(Status::internal("the transport does not say whose request this is")) });
        };
        let shared = self.service.shared.clone();
        tokio::spawn(stream::run(self.variant, Some(address), request.into_inner(), responses, shared, draining));
        Box::pin(async { Ok(Response::new(ReceiverStream::new(receiver))) })
    }
}
