//! A connection that writes what grpc-go writes (`internal/transport` of google.golang.org/grpc 1.76): windows of 64 KiB
//! that grow with the bandwidth (`http2_client.go`, `handleData` and `updateFlowControl`), and after received data a window
//! update and a PING, unless a PING is still without its acknowledgement. An HTTP/2 client of its own, because no library
//! lets its user choose when those frames are written.

mod bandwidth;
mod frames;
mod windows;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use regions::session::Variant;
use tokio::net::TcpStream;

use self::bandwidth::Bandwidth;
use self::frames::{Frame, MAX_PAYLOAD, STREAM};
use self::windows::{ConnectionWindow, SendWindows, StreamWindow};
use super::broken::Broken;
use super::messages::Messages;
use super::path::path;

/// Payload of the PINGs that estimate the bandwidth, as grpc-go's have.
const BANDWIDTH_PING: [u8; 8] = [2, 4, 16, 16, 9, 14, 7, 7];
/// Room for one read. Most responses are one small frame.
const READ: usize = 4 << 10;

pub struct Connection {
    socket: TcpStream,
    input: BytesMut,
    /// Frames to be written, in this order.
    output: BytesMut,
    /// Requests whose frames are not in `output` yet, for want of a window.
    requests: VecDeque<Bytes>,
    received: Messages,
    send: SendWindows,
    connection_window: ConnectionWindow,
    stream_window: StreamWindow,
    bandwidth: Bandwidth,
    /// The server's first SETTINGS frame was received.
    is_open: bool,
}

impl Connection {
    pub async fn open(server: SocketAddr, variant: Variant) -> Result<Self, Broken> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        let mut connection = Self {
            socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            requests: VecDeque::new(),
            received: Messages::default(),
            send: SendWindows::default(),
            connection_window: ConnectionWindow::default(),
            stream_window: StreamWindow::default(),
            bandwidth: Bandwidth::default(),
            is_open: false,
        };
        frames::put_preface(&mut connection.output);
        // As grpc-go does: no request before the server sent how large its windows are.
        while !connection.is_open {
            std::future::poll_fn(|cx| connection.poll_turn(cx)).await?;
        }
        frames::put_headers(&server.to_string(), path(variant), &mut connection.output);
        Ok(connection)
    }

    /// To be written as soon as the connection is polled again.
    pub fn send(&mut self, message: Bytes) {
        self.requests.push_back(message);
    }

    /// The next whole message. May be dropped and called again.
    pub async fn message(&mut self) -> Result<Bytes, Broken> {
        loop {
            if let Some(message) = self.received.next()? {
                return Ok(message);
            }
            std::future::poll_fn(|cx| self.poll_turn(cx)).await?;
        }
    }

    /// Writes what can be written, reads once, and writes what that calls for. grpc-go too writes window updates and PINGs at
    /// once, and the request that answers a message when the message was processed.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.write(cx)?;
        self.input.reserve(READ);
        let read = loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read_buf(&mut self.input) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => break read?,
            }
        };
        if read == 0 {
            return Poll::Ready(Err(ended("the connection is closed")));
        }
        while let Some(frame) = frames::cut(&mut self.input)? {
            self.take(frame)?;
        }
        self.write(cx)?;
        Poll::Ready(Ok(()))
    }

    /// Writes until nothing is left or the socket is full; then the task is woken when it has room.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Broken> {
        self.queue_requests();
        while !self.output.is_empty() {
            match self.socket.poll_write_ready(cx)? {
                Poll::Pending => return Ok(()),
                Poll::Ready(()) => match self.socket.try_write(&self.output) {
                    Ok(written) => drop(self.output.split_to(written)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    fn queue_requests(&mut self) {
        while let Some(request) = self.requests.front_mut() {
            let length = self.send.take(request.len().min(MAX_PAYLOAD));
            if length == 0 {
                return;
            }
            frames::put_data(&request.split_to(length), &mut self.output);
            if request.is_empty() {
                self.requests.pop_front();
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<(), Broken> {
        match frame {
            Frame::Data { payload, ends } => {
                self.take_data(&payload)?;
                if ends {
                    return Err(ended("without trailers"));
                }
            }
            Frame::Headers { ends: true } => return Err(ended("the trailers are not decoded")),
            Frame::Reset => return Err(ended("it was reset")),
            Frame::Settings { initial_window } => {
                self.is_open = true;
                if let Some(window) = initial_window {
                    self.send.set_initial(window);
                }
                frames::put_settings_ack(&mut self.output);
            }
            Frame::WindowUpdate { stream, increment } => self.send.add(stream, increment),
            Frame::Ping { payload } => frames::put_ping(true, payload, &mut self.output),
            Frame::PingAck { payload: BANDWIDTH_PING } => self.grow(),
            Frame::PingAck { .. } | Frame::Headers { .. } | Frame::Other => {}
        }
        Ok(())
    }

    fn take_data(&mut self, payload: &[u8]) -> Result<(), Broken> {
        let length = u32::try_from(payload.len()).unwrap_or_default();
        let needs_ping = self.bandwidth.received(length, Instant::now());
        frames::put_window_update(0, self.connection_window.received(length), &mut self.output);
        if needs_ping {
            // Servers that count PINGs as abuse do not count those that follow a window update.
            frames::put_window_update(0, self.connection_window.reset(), &mut self.output);
            frames::put_ping(false, BANDWIDTH_PING, &mut self.output);
        }
        self.received.push(payload);
        frames::put_window_update(STREAM, self.stream_window.received(length), &mut self.output);
        let message = self.received.length()?.and_then(|length| u32::try_from(length).ok());
        frames::put_window_update(STREAM, self.stream_window.expects(message), &mut self.output);
        Ok(())
    }

    /// The estimate was finished. If it is larger than the windows, they grow to it.
    fn grow(&mut self) {
        if let Some(window) = self.bandwidth.acknowledged(Instant::now()) {
            frames::put_window_update(0, self.connection_window.set_limit(window), &mut self.output);
            self.stream_window.set_limit(window);
            frames::put_settings(window, &mut self.output);
        }
    }
}

fn ended(why: &str) -> Broken {
    Broken::Ended { code: "unknown".to_owned(), message: why.to_owned() }
}
