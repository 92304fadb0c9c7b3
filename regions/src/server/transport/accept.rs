//! New connections, from all listeners in turn.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;

use super::rarely::Rarely;
use super::{Listening, TlsSource};

/// Out of file descriptors or memory: trying again at once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection nobody has looked at yet.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) tcp: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) tls: Option<TlsSource>,
}

pub(super) struct Acceptor {
    listeners: Vec<Listening>,
    failures: Rarely,
}

impl Acceptor {
    pub(super) fn new(listeners: Vec<Listening>) -> Self {
        Self { listeners, failures: Rarely::default() }
    }

    /// The next connection. May be dropped and called again.
    pub(super) async fn accept(&mut self) -> Accepted {
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Ok(accepted) => return accepted,
                Err(error) if of_one_connection(&error) => {}
                Err(error) => {
                    if let Some(unsaid) = self.failures.due() {
                        tracing::error!(%error, unsaid, "cannot accept connections; is the limit of open files too low?");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        for (index, listening) in self.listeners.iter().enumerate() {
            if let Poll::Ready(result) = listening.listener.poll_accept(cx) {
                let tls = listening.tls.clone();
                // The others first, the next time.
                let turn = (index + 1) % self.listeners.len();
                self.listeners.rotate_left(turn);
                return Poll::Ready(result.map(|(tcp, peer)| Accepted { tcp, peer, tls }));
            }
        }
        Poll::Pending
    }
}

/// The client was gone before it was its turn: nothing is wrong here.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
