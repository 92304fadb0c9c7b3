//! One HTTP/2 connection with one gRPC stream on it, all in one task: whoever polls it for the next message also keeps
//! the connection going.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use h2::client::{Connection as Http2, ResponseFuture};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, header};
use regions::session::Variant;
use tokio::net::TcpStream;

use super::wire::PREFIX;

/// Envoy's windows.
const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 24 << 20;
/// Room that is kept between messages.
const KEPT: usize = 16 << 10;
const SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    #[error("cannot ask for {0}")]
    Uri(String),
    #[error("the server ended the stream: gRPC status {code}, {message}")]
    Ended { code: String, message: String },
    #[error("a compressed message, which was not asked for")]
    Compressed,
}

pub struct Connection {
    http2: Http2<TcpStream>,
    requests: SendStream<Bytes>,
    responses: Responses,
    /// The beginning of a message whose end has not come yet.
    partial: BytesMut,
}

enum Responses {
    /// The head has not come yet.
    Awaited(ResponseFuture),
    Open(RecvStream),
}

impl Connection {
    pub async fn open(server: SocketAddr, variant: Variant) -> Result<Self, Broken> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
        let (mut sender, http2) = builder.handshake::<_, Bytes>(socket).await?;
        let method = match variant {
            Variant::Delta => "DeltaAggregatedResources",
            Variant::Sotw => "StreamAggregatedResources",
        };
        let uri = format!("http://{server}/{SERVICE}/{method}");
        let request = Request::builder().method(Method::POST).uri(&uri).header(header::TE, "trailers");
        let request =
            request.header(header::CONTENT_TYPE, "application/grpc").body(()).map_err(|_| Broken::Uri(uri))?;
        let (response, requests) = sender.send_request(request, false)?;
        Ok(Self { http2, requests, responses: Responses::Awaited(response), partial: BytesMut::new() })
    }

    /// To be written as soon as the connection is polled again.
    pub fn send(&mut self, message: Bytes) -> Result<(), Broken> {
        Ok(self.requests.send_data(message, false)?)
    }

    /// The next whole message.
    pub async fn message(&mut self) -> Result<Bytes, Broken> {
        loop {
            if let Some(message) = self.cut()? {
                return Ok(message);
            }
            let data = std::future::poll_fn(|cx| self.poll_data(cx)).await?;
            self.partial.extend_from_slice(&data);
        }
    }

    /// A whole message, if there is one.
    fn cut(&mut self) -> Result<Option<Bytes>, Broken> {
        let Some((prefix, rest)) = self.partial.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [compressed, length @ ..] = *prefix;
        if compressed != 0 {
            return Err(Broken::Compressed);
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if rest.len() < length {
            let lacking = length - rest.len();
            self.partial.reserve(lacking);
            return Ok(None);
        }
        self.partial.advance(PREFIX);
        let message = self.partial.split_to(length).freeze();
        if self.partial.is_empty() && length > KEPT {
            self.partial = BytesMut::new(); // a large one is not kept for the small ones that follow
        }
        Ok(Some(message))
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        // What has come is taken in before the connection writes what it was answered with, so that answers leave together:
        // Envoy, too, writes once for all that one read brought.
        if let Responses::Open(body) = &mut self.responses
            && let Poll::Ready(Some(data)) = body.poll_data(cx)
        {
            return Poll::Ready(taken(body, data?));
        }
        loop {
            // It fills the stream, and writes our requests.
            let closed = Pin::new(&mut self.http2).poll(cx)?.is_ready();
            match &mut self.responses {
                Responses::Awaited(response) => {
                    let (head, body) = match Pin::new(response).poll(cx)? {
                        Poll::Ready(response) => response.into_parts(),
                        Poll::Pending if closed => return Poll::Ready(Err(ended(None))),
                        Poll::Pending => return Poll::Pending,
                    };
                    if head.headers.contains_key("grpc-status") {
                        return Poll::Ready(Err(ended(Some(&head.headers))));
                    }
                    self.responses = Responses::Open(body);
                }
                Responses::Open(body) => match body.poll_data(cx) {
                    Poll::Ready(Some(data)) => return Poll::Ready(taken(body, data?)),
                    Poll::Ready(None) => {
                        let trailers = ready!(body.poll_trailers(cx))?;
                        return Poll::Ready(Err(ended(trailers.as_ref())));
                    }
                    Poll::Pending if closed => return Poll::Ready(Err(ended(None))),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}

/// Makes room for as much again.
fn taken(body: &mut RecvStream, data: Bytes) -> Result<Bytes, Broken> {
    body.flow_control().release_capacity(data.len())?;
    Ok(data)
}

fn ended(trailers: Option<&HeaderMap>) -> Broken {
    let text = |name: &str| {
        let value = trailers.and_then(|trailers| trailers.get(name)).and_then(|value| value.to_str().ok());
        value.unwrap_or("none").to_owned()
    };
    Broken::Ended { code: text("grpc-status"), message: text("grpc-message") }
}
