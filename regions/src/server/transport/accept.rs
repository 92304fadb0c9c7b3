//! New connections, from all listeners in turn.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;

use super::listening::Listening;
use super::rarely::Rarely;
use super::tls::TlsSource;

/// Pause after running out of file descriptors or memory: retrying at once would only use up CPU.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that was accepted and is not served yet.
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
                    if let Some(omitted) = self.failures.due() {
                        tracing::error!(%error, omitted, "cannot accept connections; is the limit of open files too low?");
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
                // The other listeners are polled first the next time.
                let turn = (index + 1) % self.listeners.len();
                self.listeners.rotate_left(turn);
                return Poll::Ready(result.map(|(tcp, peer)| Accepted { tcp, peer, tls }));
            }
        }
        Poll::Pending
    }
}

/// The client closed its connection before it was accepted: nothing is wrong with the listener.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
