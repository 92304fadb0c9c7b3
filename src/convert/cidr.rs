//! Address ranges. A range with host bits set is an error, not a guess: nobody knows which half was the slip.

use ipnet::IpNet;

use super::check::Check;

/// Ranges of one Node: one for each family, with room.
pub const MAX_CIDRS_PER_NODE: usize = 8;
/// Ranges of one ServiceCIDR: the API allows two.
pub const MAX_CIDRS_PER_SERVICECIDR: usize = 8;

/// Why a text is no range. The text of the error is what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    #[error("a range in CIDR notation such as 10.8.0.0/14 or fd00:8::/32")]
    NotARange,
    #[error("{expected} (host bits are set)")]
    HostBits { expected: IpNet },
    #[error("the IPv4 range itself, not its IPv4-mapped form")]
    Mapped,
}

/// One range, as exact as it must be.
pub fn parse_cidr(text: &str) -> Result<IpNet, CidrError> {
    let net: IpNet = text.parse().map_err(|_| CidrError::NotARange)?;
    if let IpNet::V6(v6) = net
        && v6.prefix_len() >= 96
        && v6.addr().to_ipv4_mapped().is_some()
    {
        return Err(CidrError::Mapped);
    }
    let expected = net.trunc();
    if expected == net { Ok(net) } else { Err(CidrError::HostBits { expected }) }
}

impl Check {
    /// Ranges that a member was found to use. One that cannot be read is left out; an object of which none can be read is
    /// not taken, so that what was known of it stays claimed.
    pub(super) fn ranges_of_member(&mut self, field: &str, texts: &[String], max: usize) -> Vec<IpNet> {
        self.some_of(|check| {
            check.losing("the range is not counted among the member's", |check| check.cidrs(field, texts, max))
        })
    }

    /// A list of ranges, at most `max`.
    pub(super) fn cidrs(&mut self, field: &str, texts: &[String], max: usize) -> Vec<IpNet> {
        let mut nets: Vec<IpNet> = Vec::new();
        for (index, text) in self.first(field, texts, max, "ranges").iter().enumerate() {
            match parse_cidr(text) {
                Ok(net) if nets.contains(&net) => self.losing("it counts once", |check| {
                    check.report(format!("{field}[{index}]"), format!("{net} again"), "each range once");
                }),
                Ok(net) => nets.push(net),
                Err(error) => self.report(format!("{field}[{index}]"), format!("{text:?}"), error.to_string()),
            }
        }
        nets
    }
}
