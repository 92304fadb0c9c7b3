//! The filter chains of the listeners that interception sends connections to.

/// How a connection is handled; each is a filter chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// As HTTP, each request to the cluster of its destination.
    Http,
    /// As bytes, to the cluster of its destination.
    Tcp,
    /// To its destination, untouched.
    Passthrough,
}

impl Chain {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Passthrough => "passthrough",
        }
    }
}
