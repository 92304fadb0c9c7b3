//! A write to the hub within its time.

use std::time::Duration;

use crate::client::cause::{self, Side};

/// Deadline of one write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(4);

/// A write within its time; errors in few words.
pub(super) async fn deadline<T>(write: impl Future<Output = kube::Result<T>>) -> Result<(), String> {
    match tokio::time::timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) => Err(format!("{} ({}): {}", status.reason, status.code, status.message)),
        Ok(Err(error)) => Err(format!("the hub: {}", cause::of(Side::Hub, &error))),
        Err(_) => Err(format!("the hub: no answer within {} s", WRITE_TIMEOUT.as_secs())),
    }
}
