//! Address ranges. A range with host bits set is an error, not a guess: which half is wrong is not known.

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
    /// Some programs read such numbers as octal, others as decimal.
    #[error("numbers without leading zeros: 10.64.0.0/14, not 010.64.0.0/14")]
    LeadingZeros,
}

/// One range, as exact as it must be.
pub fn parse_cidr(text: &str) -> Result<IpNet, CidrError> {
    let plain = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/');
    if text.bytes().all(plain) && has_leading_zeros(text) {
        return Err(CidrError::LeadingZeros);
    }
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

/// A range as a flag, as exact as in an object.
pub fn parse_cidr_flag(text: &str) -> Result<IpNet, String> {
    parse_cidr(text).map_err(|error| format!("expected {error}"))
}

/// Whether a decimal number of an address, or of a prefix's length, begins with a zero. Groups of an IPv6 address are hexadecimal
/// for all parsers.
fn has_leading_zeros(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, "0"));
    let dotted = address.rsplit(':').next().filter(|last| last.contains('.'));
    let mut numbers = dotted.unwrap_or_default().split('.').chain([length]);
    numbers.any(|number| number.len() > 1 && number.starts_with('0'))
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
