//! One HTTP/2 connection with one gRPC stream on it, in the client's own task. Two kinds: one that writes nothing but
//! requests and rare window updates, and one that writes what grpc-go writes.

mod broken;
mod grpc;
mod messages;
mod path;
mod quiet;

use std::net::SocketAddr;

use bytes::Bytes;
use clap::ValueEnum;
use regions::session::Variant;

pub use broken::Broken;

/// How clients behave below gRPC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ClientKind {
    /// Large windows, as Envoy has: requests, and hardly anything else, are written
    #[default]
    Quiet,
    /// As grpc-go: small windows that grow, and a PING after received data to estimate the bandwidth
    Grpc,
}

pub enum Connection {
    Quiet(Box<quiet::Connection>),
    Grpc(Box<grpc::Connection>),
}

impl Connection {
    pub async fn open(server: SocketAddr, variant: Variant, kind: ClientKind) -> Result<Self, Broken> {
        Ok(match kind {
            ClientKind::Quiet => Self::Quiet(Box::new(quiet::Connection::open(server, variant).await?)),
            ClientKind::Grpc => Self::Grpc(Box::new(grpc::Connection::open(server, variant).await?)),
        })
    }

    /// To be written as soon as the connection is polled again.
    pub fn send(&mut self, message: Bytes) -> Result<(), Broken> {
        match self {
            Self::Quiet(connection) => connection.send(message),
            Self::Grpc(connection) => {
                connection.send(message);
                Ok(())
            }
        }
    }

    /// The next whole message. May be dropped and called again.
    pub async fn message(&mut self) -> Result<Bytes, Broken> {
        match self {
            Self::Quiet(connection) => connection.message().await,
            Self::Grpc(connection) => connection.message().await,
        }
    }
}
