//! At most one request under way.

use std::pin::Pin;

/// The result of a request is given out once; while there is no request, it never comes.
pub(super) struct Pending<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T> Pending<T> {
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Starts a request in place of the one under way.
    pub(super) fn start(&mut self, request: impl Future<Output = T> + Send + 'static) {
        self.0 = Some(Box::pin(request));
    }

    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Waits for the result. Safe to drop and call again.
    pub(super) async fn result(&mut self) -> T {
        match &mut self.0 {
            Some(request) => {
                let result = request.await;
                self.0 = None;
                result
            }
            None => std::future::pending().await,
        }
    }
}
