//! How a connection ends.

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    #[error("HTTP/2: {0}")]
    Frame(&'static str),
    #[error("cannot ask for {0}")]
    Uri(String),
    #[error("the server ended the stream: gRPC status {code}, {message}")]
    Ended { code: String, message: String },
    #[error("a compressed message, which was not asked for")]
    Compressed,
}
