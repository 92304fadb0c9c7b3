//! A backend that answers with given bytes, and keeps what it received.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::message::is_whole_request;

/// A client that sends nothing for so long has sent all, where the bytes alone do not show it.
const QUIET: Duration = Duration::from_millis(400);
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Scripted {
    answer: Arc<Mutex<Vec<u8>>>,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    pub async fn start(at: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).await.unwrap_or_else(|error| panic!("{at}: {error}"));
        let (answer, received) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<Vec<u8>>>>::default());
        let task = tokio::spawn({
            let (answer, received) = (Arc::clone(&answer), Arc::clone(&received));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&received)));
                }
            }
        });
        Self { answer, received, task }
    }

    /// What every connection is answered from now on. What was received before is forgotten.
    pub fn answers_with(&self, answer: &[u8]) {
        *self.answer.lock().expect("a lock") = answer.to_vec();
        self.received.lock().expect("a lock").clear();
    }

    pub fn received(&self) -> Vec<Vec<u8>> {
        self.received.lock().expect("a lock").clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request, one answer, and the end: a connection that is kept would let rows disturb each other.
async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Vec<u8>>>, received: Arc<Mutex<Vec<Vec<u8>>>>) {
    let request = read_whole(&mut stream, is_whole_request).await;
    if request.is_empty() {
        return;
    }
    received.lock().expect("a lock").push(request);
    let answer = answer.lock().expect("a lock").clone();
    // Who has gone away by then shows in what the client got.
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
}

/// Reads until it is whole, the other side ends or is quiet.
pub async fn read_whole(stream: &mut TcpStream, whole: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut request = Vec::new();
    while !whole(&request) {
        let wait = if request.is_empty() { PATIENCE } else { QUIET };
        match tokio::time::timeout(wait, stream.read_buf(&mut request)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => break,
        }
    }
    request
}
