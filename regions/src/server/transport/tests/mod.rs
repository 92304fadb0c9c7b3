//! The transport with a service of no importance, over real sockets.

mod ending;
mod serving;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::server::listen;

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running transport.
struct Host {
    at: SocketAddr,
    stats: Arc<Stats>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Host {
    fn start(limits: Limits, tls: Option<TlsSource>) -> Self {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let at = listener.local_addr().unwrap();
        let stats = Arc::new(Stats::default());
        let (stop, stopped) = oneshot::channel();
        let listeners = vec![Listening { listener, tls }];
        let service = tower::service_fn(answer);
        let served = tokio::spawn(serve(listeners, service, limits, Arc::clone(&stats), async move {
            drop(stopped.await);
        }));
        Self { at, stats, stop: Some(stop), served }
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn ended(self) {
        within(self.served).await.unwrap();
        assert_eq!(self.stats.connections.open.get(), 0);
    }

    async fn client(&self) -> Client {
        Client::over(TcpStream::connect(self.at).await.unwrap()).await.unwrap()
    }

    async fn until(&self, what: &str, condition: impl Fn(&crate::stats::ConnectionStats) -> bool) {
        let wait = async {
            while !condition(&self.stats.connections) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: {:?}", self.stats.connections));
    }
}

/// A client that behaves.
struct Client {
    send: http2::SendRequest<Empty<Bytes>>,
    connection: JoinHandle<hyper::Result<()>>,
}

impl Client {
    async fn over<I>(io: I) -> hyper::Result<Self>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        Ok(Self { send, connection: tokio::spawn(connection) })
    }

    async fn try_get(&mut self, path: &str) -> hyper::Result<http::Response<Incoming>> {
        within(self.send.send_request(get(path))).await
    }

    async fn get(&mut self, path: &str) -> http::Response<Incoming> {
        self.try_get(path).await.unwrap()
    }
}

fn get(path: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(format!("http://isthmus{path}")).body(Empty::new()).unwrap()
}

async fn text(response: http::Response<Incoming>) -> String {
    let body = within(response.into_body().collect()).await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// `/peer`: who asks. `/hold`: a stream that ends when it should. `/stay`: one that does not. `/flood`: one that never
/// ends and has always more to say.
fn answer(request: http::Request<Incoming>) -> BoxFuture<'static, Result<http::Response<Reply>, Infallible>> {
    let peer: Peer = request.extensions().get().cloned().expect("the transport says who");
    let body = match request.uri().path() {
        "/hold" => {
            let mut draining = peer.draining;
            let until = async move {
                drop(draining.wait_for(|drain| *drain).await);
                Ok(Frame::data(Bytes::from_static(b"drained")))
            };
            BoxBody::new(StreamBody::new(stream::once(until)))
        }
        "/stay" => BoxBody::new(StreamBody::new(stream::pending())),
        "/flood" => {
            let block = Bytes::from(vec![0; 16 * 1024]);
            BoxBody::new(StreamBody::new(stream::repeat(block).map(|block| Ok(Frame::data(block)))))
        }
        _ => {
            let chain = peer.certificates.iter().flat_map(|chain| chain.iter());
            let digest: Vec<String> =
                chain.map(|certificate| xxhash_rust::xxh3::xxh3_64(certificate).to_string()).collect();
            BoxBody::new(Full::new(Bytes::from(format!("{} {}", peer.address, digest.join(" ")))))
        }
    };
    async { Ok(http::Response::new(body)) }.boxed()
}

type Reply = BoxBody<Bytes, Infallible>;

/// Writes frames, and answers nothing by itself.
struct Raw(TcpStream);

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

impl Raw {
    async fn connect(at: SocketAddr) -> Self {
        Self(TcpStream::connect(at).await.unwrap())
    }

    /// The connection preface, with settings that say nothing.
    async fn greet(&mut self) {
        self.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        self.0.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await.unwrap();
    }

    /// Types of the frames that came until the server closed.
    async fn until_closed(mut self) -> Vec<u8> {
        let mut types = Vec::new();
        let read = async {
            let mut head = [0; 9];
            while self.0.read_exact(&mut head).await.is_ok() {
                types.push(head[3]);
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; length as usize];
                self.0.read_exact(&mut payload).await.unwrap();
            }
        };
        within(read).await;
        types
    }
}
