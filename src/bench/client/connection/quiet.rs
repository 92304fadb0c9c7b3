//! A connection with windows so large that it hardly ever updates them. All in one task: polling it for the next message
//! also drives the connection.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{Connection as Http2, ResponseFuture};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, header};
use regions::session::Variant;
use tokio::net::TcpStream;

use super::broken::Broken;
use super::messages::Messages;
use super::path::path;

/// Envoy's windows.
const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 24 << 20;

pub struct Connection {
    http2: Http2<TcpStream>,
    requests: SendStream<Bytes>,
    responses: Responses,
    received: Messages,
}

enum Responses {
    /// The response's headers have not been received yet.
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
        let uri = format!("http://{server}{}", path(variant));
        let request = Request::builder().method(Method::POST).uri(&uri).header(header::TE, "trailers");
        let request =
            request.header(header::CONTENT_TYPE, "application/grpc").body(()).map_err(|_| Broken::Uri(uri))?;
        let (response, requests) = sender.send_request(request, false)?;
        Ok(Self { http2, requests, responses: Responses::Awaited(response), received: Messages::default() })
    }

    /// To be written as soon as the connection is polled again.
    pub fn send(&mut self, message: Bytes) -> Result<(), Broken> {
        Ok(self.requests.send_data(message, false)?)
    }

    /// The next whole message.
    pub async fn message(&mut self) -> Result<Bytes, Broken> {
        loop {
            if let Some(message) = self.received.next()? {
                return Ok(message);
            }
            let data = std::future::poll_fn(|cx| self.poll_data(cx)).await?;
            self.received.push(&data);
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        // Received data is processed before the connection writes the requests that answer it, so that they are written
        // together: Envoy, too, writes once for everything that one read returned.
        if let Responses::Open(body) = &mut self.responses
            && let Poll::Ready(Some(data)) = body.poll_data(cx)
        {
            return Poll::Ready(release(body, data?));
        }
        loop {
            // This reads from the socket, and writes requests.
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
                    Poll::Ready(Some(data)) => return Poll::Ready(release(body, data?)),
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

/// Returns the window that the data took.
fn release(body: &mut RecvStream, data: Bytes) -> Result<Bytes, Broken> {
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
