//! Tiny HTTP/1.1 servers in place of pods: each answers with its own name.
//!
//! All of 127.0.0.0/8 is local on Linux, so every pod can have an address of its
//! own, as in a cluster. Take the port from [`ports::free`](super::ports::free)
//! to stay clear of other tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::wait::eventually;

const BIND_LIMIT: Duration = Duration::from_secs(5);
const MAX_HEAD_BYTES: usize = 16 << 10;

/// One backend. It serves until it is killed or dropped.
pub struct Backend {
    address: SocketAddr,
    identity: Arc<str>,
    served: Arc<AtomicU64>,
    running: Option<Running>,
}

struct Running {
    /// `true` resets every connection.
    killed: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Listens on `address`; every answer is 200 with `identity` as its body, by
    /// convention `cluster/zone/pod`.
    pub async fn start(address: SocketAddr, identity: &str) -> Self {
        let mut backend = Self { address, identity: identity.into(), served: Arc::default(), running: None };
        backend.restore().await;
        backend
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Requests answered so far, over all its lives.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// As when a pod dies: open connections are reset and new ones refused once
    /// this returns.
    pub async fn kill(&mut self) {
        if let Some(Running { killed, task }) = self.running.take() {
            killed.send_replace(true);
            task.await.expect("a backend's task");
        }
    }

    /// Serves again after [`Backend::kill`].
    pub async fn restore(&mut self) {
        if self.running.is_some() {
            return;
        }
        let what = format!("{} listens on {}", self.identity, self.address);
        let listener = eventually(&what, BIND_LIMIT, async || TcpListener::bind(self.address).await).await;
        let (killed, watcher) = watch::channel(false);
        let task = tokio::spawn(accept(listener, watcher, Arc::clone(&self.identity), Arc::clone(&self.served)));
        self.running = Some(Running { killed, task });
    }
}

/// Serves until it gets a stop signal; dropping the sender is one.
async fn accept(listener: TcpListener, killed: watch::Receiver<bool>, identity: Arc<str>, served: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    let mut over = killed.clone();
    loop {
        tokio::select! {
            _ = over.wait_for(|killed| *killed) => break,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(connection(stream, killed.clone(), Arc::clone(&identity), Arc::clone(&served)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    mut stream: TcpStream,
    mut killed: watch::Receiver<bool>,
    identity: Arc<str>,
    served: Arc<AtomicU64>,
) {
    tokio::select! {
        _ = killed.wait_for(|killed| *killed) => {}
        // The client's errors are the client's to report.
        _ = serve(&mut stream, &identity, &served) => return,
    }
    // Closing then sends RST, as the kernel does for a process that is gone.
    let _ = stream.set_zero_linger();
}

/// Requests one after another until the client closes. Bodies are not expected.
async fn serve(stream: &mut TcpStream, identity: &str, served: &AtomicU64) -> std::io::Result<()> {
    let length = identity.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{identity}");
    let mut pending = Vec::new();
    loop {
        while let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&pending[..end]).to_ascii_lowercase();
            pending.drain(..end + 4);
            served.fetch_add(1, Ordering::Relaxed);
            stream.write_all(answer.as_bytes()).await?;
            if head.lines().any(|line| line == "connection: close") {
                return stream.shutdown().await;
            }
        }
        if pending.len() > MAX_HEAD_BYTES || stream.read_buf(&mut pending).await? == 0 {
            return Ok(());
        }
    }
}
