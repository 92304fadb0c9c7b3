//! What can be served.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use tower::Service;

/// The bounds of a service that can be served. Implemented for every service that satisfies them.
pub trait Served:
    Service<http::Request<Incoming>, Response = http::Response<Self::Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> Served for S
where
    S: Service<http::Request<Incoming>, Response = http::Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
}
