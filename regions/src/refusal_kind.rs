//! Why the server ends streams: the values of a metric's label.

/// Why a stream was ended that the client would have kept. A closed set: it labels a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalKind {
    /// Its node cannot be served.
    Node,
    /// A request that cannot be read, or that is not allowed on this stream.
    Request,
    /// It asks for more than a client may have.
    Bounds,
    /// It sent nothing.
    Silent,
    /// It is too far behind, and has to begin again.
    Behind,
    Other,
}

impl RefusalKind {
    pub const ALL: [Self; 6] = [Self::Node, Self::Request, Self::Bounds, Self::Silent, Self::Behind, Self::Other];

    pub fn label(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Request => "request",
            Self::Bounds => "bounds",
            Self::Silent => "silent",
            Self::Behind => "behind",
            Self::Other => "other",
        }
    }

    pub fn index(self) -> usize {
        self as usize
    }
}
