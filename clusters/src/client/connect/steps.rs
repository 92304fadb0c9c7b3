//! A connector that knows how far it came: an error names the step under way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tower::{BoxError, Service};

use crate::client::cause::{ConnectFailure, Step};

tokio::task_local! {
    /// Of the connection that is being made.
    static REACHED: Reached;
}

/// The step that a connection has come to.
#[derive(Clone, Default)]
struct Reached(Arc<AtomicU8>);

impl Reached {
    fn step(&self) -> Step {
        const DIAL: u8 = Step::Dial as u8;
        const HANDSHAKE: u8 = Step::Handshake as u8;
        match self.0.load(Relaxed) {
            DIAL => Step::Dial,
            HANDSHAKE => Step::Handshake,
            _ => Step::Lookup,
        }
    }
}

/// Notes that a step begins. Outside of a [`Stepped`] connector it does nothing.
pub(super) fn begins(step: Step) {
    let _ = REACHED.try_with(|reached| reached.0.store(step as u8, Relaxed));
}

/// The outermost connector: gives the whole of a connection its time.
#[derive(Clone)]
pub(super) struct Stepped<C> {
    connector: C,
    limit: Duration,
}

impl<C> Stepped<C> {
    pub(super) fn new(connector: C, limit: Duration) -> Self {
        Self { connector, limit }
    }
}

impl<C> Service<Uri> for Stepped<C>
where
    C: Service<Uri, Future: Send + 'static>,
    C::Error: Into<BoxError>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (reached, limit) = (Reached::default(), self.limit);
        let connecting = REACHED.sync_scope(reached.clone(), || self.connector.call(uri));
        Box::pin(async move {
            let made = tokio::time::timeout(limit, REACHED.scope(reached.clone(), connecting)).await;
            let failure = match made {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => ConnectFailure { step: reached.step(), late: None, source: Some(error.into()) },
                Err(_) => ConnectFailure { step: reached.step(), late: Some(limit), source: None },
            };
            Err(failure.into())
        })
    }
}
