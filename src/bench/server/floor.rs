//! The least a server could do: accept streams, and write one prebuilt message to each of them. What a control plane needs
//! beyond this is the cost of sessions, order and versions.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use http::{HeaderValue, Response, header};
use regions::resource::ResourceType;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::super::client::wire;
use super::super::protocol::{Answer, Command, Counters, now_ns};
use super::{Commands, print};

/// Serves until standard input is closed.
pub async fn run() -> anyhow::Result<()> {
    let listener = regions::server::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let (news, latest) = watch::channel(Bytes::new());
    // Streams that would receive a message.
    let open = Arc::new(AtomicI64::new(0));
    let counted = Arc::clone(&open);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (latest, open) = (latest.clone(), Arc::clone(&counted));
            // If a connection fails, the bench notices that a client is missing.
            tokio::spawn(async move { drop(serve(socket, latest, &open).await) });
        }
    });
    print(&Answer::Listening { address });
    let mut commands = Commands::read()?;
    while let Some(command) = commands.next().await {
        print(&match command {
            Command::Push { name, version, bytes } => {
                let message = wire::pushed(ResourceType::Assignment, &name, version, bytes);
                let at_ns = now_ns();
                news.send_replace(message);
                Answer::Done { at_ns }
            }
            Command::Count => {
                let streams = open.load(Ordering::Acquire);
                Answer::Counters(Counters { streams, ..Counters::default() })
            }
            _ => Answer::Done { at_ns: now_ns() },
        });
    }
    Ok(())
}

async fn serve(socket: TcpStream, mut latest: watch::Receiver<Bytes>, open: &AtomicI64) -> Result<(), h2::Error> {
    let _ = socket.set_nodelay(true); // if this fails, the figures show it
    let mut connection = h2::server::handshake(socket).await?;
    let Some(accepted) = connection.accept().await else { return Ok(()) };
    let (request, mut respond) = accepted?;
    let mut requests = request.into_body();
    let mut responses = begin(&mut respond)?;
    latest.mark_unchanged();
    open.fetch_add(1, Ordering::AcqRel);
    loop {
        tokio::select! {
            ended = read(&mut connection, &mut requests) => return ended,
            news = latest.changed() => {
                if news.is_err() {
                    return Ok(());
                }
                let message = latest.borrow_and_update().clone();
                responses.send_data(message, false)?;
            }
        }
    }
}

fn begin(respond: &mut SendResponse<Bytes>) -> Result<h2::SendStream<Bytes>, h2::Error> {
    let mut head = Response::new(());
    head.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    respond.send_response(head, false)
}

/// Reads and discards requests, and drives the connection; returns when it is closed.
async fn read(connection: &mut Connection<TcpStream, Bytes>, requests: &mut RecvStream) -> Result<(), h2::Error> {
    std::future::poll_fn(|cx| {
        while let std::task::Poll::Ready(data) = requests.poll_data(cx) {
            let Some(data) = data else { break };
            let length = data?.len();
            requests.flow_control().release_capacity(length)?;
        }
        match connection.poll_accept(cx) {
            std::task::Poll::Ready(None) => std::task::Poll::Ready(Ok(())),
            std::task::Poll::Ready(Some(Err(error))) => std::task::Poll::Ready(Err(error)),
            // Clients open one stream only.
            std::task::Poll::Ready(Some(Ok(_))) | std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}
