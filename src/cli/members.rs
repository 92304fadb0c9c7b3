//! What is kept of each member, and where its API server may be.

use clusters::client::bounds::MemberBounds;
use clusters::client::bounds::{MAX_MEMBER_BYTES, MAX_MEMBER_OBJECTS};
use clusters::client::connect::Allowed;
use clusters::convert::parse_cidr_flag;
use ipnet::IpNet;

/// Flags of every command that watches members.
#[derive(Clone, Debug, clap::Args)]
pub struct MemberArgs {
    /// Also call API servers of members in this range, which is refused by default: loopback, link-local, cloud metadata,
    /// multicast, reserved. May be given several times.
    #[arg(long, value_name = "CIDR", value_parser = parse_cidr_flag)]
    allow_member_cidrs: Vec<IpNet>,
    /// Objects kept of one member, of all kinds together. Those beyond are rejected; what was there first stays.
    #[arg(long, value_name = "NUMBER", default_value_t = MAX_MEMBER_OBJECTS as u32, value_parser = clap::value_parser!(u32).range(1..))]
    max_member_objects: u32,
    /// The same in bytes, as its API server sends them.
    #[arg(long, value_name = "BYTES", default_value_t = MAX_MEMBER_BYTES, value_parser = clap::value_parser!(u64).range(1..))]
    max_member_bytes: u64,
}

impl MemberArgs {
    pub fn bounds(&self) -> MemberBounds {
        let Self { allow_member_cidrs, max_member_objects, max_member_bytes } = self;
        MemberBounds {
            objects: *max_member_objects as usize,
            bytes: *max_member_bytes,
            addresses: Allowed::new(allow_member_cidrs),
        }
    }
}
