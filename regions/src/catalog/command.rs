//! How streams, which are asynchronous, send commands to the catalog, which is not.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{ClassSubscription, OpenError};
use crate::class::Class;
use crate::interest::Interest;

/// Commands that may wait. Each stream sends one and waits for its answer.
pub const COMMAND_CAPACITY: usize = 1_024;

/// What a stream asks of the catalog.
#[derive(Debug)]
pub enum CatalogCommand {
    Open {
        class: Class,
        /// The client's address.
        opener: IpAddr,
        interest: Arc<Interest>,
        reply: oneshot::Sender<Result<ClassSubscription, OpenError>>,
    },
}

/// The sender, for streams. The thread that has the catalog receives, and calls [`super::Catalog::handle_command`].
#[derive(Clone, Debug)]
pub struct CatalogHandle {
    sender: mpsc::Sender<CatalogCommand>,
}

/// The thread that has the catalog has ended: the process is shutting down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the control plane is shutting down")]
pub struct CatalogClosed;

/// A handle for streams, and the receiver of their commands.
pub fn channel() -> (CatalogHandle, mpsc::Receiver<CatalogCommand>) {
    let (sender, receiver) = mpsc::channel(COMMAND_CAPACITY);
    (CatalogHandle { sender }, receiver)
}

impl CatalogHandle {
    /// Opens a class for a stream from this address that wants what `interest` says. Dropping the subscription releases it.
    pub async fn open(
        &self,
        class: Class,
        opener: IpAddr,
        interest: Arc<Interest>,
    ) -> Result<Result<ClassSubscription, OpenError>, CatalogClosed> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(CatalogCommand::Open { class, opener, interest, reply }).await.map_err(|_| CatalogClosed)?;
        answer.await.map_err(|_| CatalogClosed)
    }
}
