//! What slots are shared by.

use std::net::IpAddr;

/// Whose slot it is, for sharing them fairly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::server) struct Claim {
    pub(in crate::server) address: IpAddr,
    /// A number of the connection, unique in the process.
    pub(in crate::server) connection: u64,
}
