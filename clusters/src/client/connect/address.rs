//! Where the API server of a member may be. A user who may write a Secret names an address that Isthmus then calls from
//! where it runs: its own ports, the node's, and a cloud's metadata are none of a member's. An address is checked when
//! it is dialled, after its name was resolved, so that a name that resolves to something else later gains nothing.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, FutureExt as _, Map};
use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use tower::{BoxError, Service};

use super::steps::begins;
use crate::client::cause::Step;

/// Ranges that no member's API server is in, and what they are.
const REFUSED: [(&str, &str); 14] = [
    ("0.0.0.0/8", "unspecified"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local, cloud metadata included"),
    ("100.100.100.200/32", "cloud metadata"),
    ("168.63.129.16/32", "cloud metadata"),
    ("192.0.0.192/32", "cloud metadata"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved, broadcast included"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("fe80::/10", "link-local"),
    ("fd00:ec2::254/128", "cloud metadata"),
    ("fd20:ce::254/128", "cloud metadata"),
    ("ff00::/8", "multicast"),
];

/// Addresses that members' API servers may have: all that are not in [`REFUSED`], and what a user allowed.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    ranges: Arc<[IpNet]>,
    /// The hub's address is the operator's own.
    everywhere: bool,
}

/// An address that may not be called. The text does not say which it is: it may be what a name resolved to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "server address is not allowed: it is in {range} ({what}); give the address by which Isthmus reaches the API server, or \
     start Isthmus with --allow-member-cidrs {range} if this one is meant"
)]
pub struct NotAllowed {
    range: &'static str,
    what: &'static str,
}

impl Allowed {
    pub fn new(ranges: &[IpNet]) -> Self {
        Self { ranges: ranges.into(), everywhere: false }
    }

    pub(crate) fn everywhere() -> Self {
        Self { ranges: Arc::default(), everywhere: true }
    }

    pub fn check(&self, ip: IpAddr) -> Result<(), NotAllowed> {
        let meant = meant(ip);
        if self.everywhere || self.ranges.iter().any(|range| range.contains(&ip) || range.contains(&meant)) {
            return Ok(());
        }
        let hit = REFUSED
            .iter()
            .find(|(range, _)| range.parse::<IpNet>().is_ok_and(|range| range.contains(&ip) || range.contains(&meant)));
        hit.map_or(Ok(()), |(range, what)| Err(NotAllowed { range, what }))
    }

    /// Checks a host that is an address already. Names are checked when they are resolved.
    pub(super) fn check_host(&self, uri: &Uri) -> Result<(), NotAllowed> {
        address(uri).map_or(Ok(()), |ip| self.check(ip))
    }
}

/// The host of a URL if it is an address and no name.
fn address(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The IPv4 address that an IPv6 address leads to, if it leads to one: mapped, compatible, NAT64, 6to4.
fn meant(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f] {
        _ if v6 == Ipv6Addr::UNSPECIFIED || v6 == Ipv6Addr::LOCALHOST => ip,
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => v4(g, h),
        [0x2002, high, low, ..] => v4(high, low),
        _ => ip,
    }
}

/// A resolver whose answers hold allowed addresses only; none is left of what is not allowed.
#[derive(Clone)]
pub(super) struct Checked<R> {
    resolver: R,
    allowed: Allowed,
}

impl<R> Checked<R> {
    pub(super) fn new(resolver: R, allowed: Allowed) -> Self {
        Self { resolver, allowed }
    }
}

type Addresses = std::vec::IntoIter<SocketAddr>;
type Filter<R> = Box<dyn FnOnce(Result<<R as Service<Name>>::Response, <R as Service<Name>>::Error>) -> Found + Send>;
type Found = Result<Addresses, BoxError>;

impl<R> Service<Name> for Checked<R>
where
    R: Service<Name>,
    R::Response: Iterator<Item = SocketAddr>,
    R::Error: Into<BoxError>,
{
    type Response = Addresses;
    type Error = BoxError;
    type Future = Map<R::Future, Filter<R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.resolver.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allowed = self.allowed.clone();
        let filter: Filter<R> = Box::new(move |found| {
            let mut refused = None;
            let mut good = Vec::new();
            for address in found.map_err(Into::into)? {
                match allowed.check(address.ip()) {
                    Ok(()) => good.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(why) if good.is_empty() => Err(why.into()),
                _ => {
                    begins(Step::Dial);
                    Ok(good.into_iter())
                }
            }
        });
        self.resolver.call(name).map(filter)
    }
}

/// A connector that checks hosts which are addresses already; its resolver checks the others.
#[derive(Clone)]
pub(super) struct Gate<C> {
    connector: C,
    allowed: Allowed,
}

impl<C> Gate<C> {
    pub(super) fn new(connector: C, allowed: Allowed) -> Self {
        Self { connector, allowed }
    }
}

impl<C> Service<Uri> for Gate<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Either<Ready<Result<C::Response, BoxError>>, Map<C::Future, Boxed<C>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self.allowed.check_host(&uri) {
            Err(why) => Either::Left(ready(Err(why.into()))),
            Ok(()) => {
                if address(&uri).is_some() {
                    begins(Step::Dial);
                }
                Either::Right(self.connector.call(uri).map(boxed::<C>))
            }
        }
    }
}

type Boxed<C> = fn(
    Result<<C as Service<Uri>>::Response, <C as Service<Uri>>::Error>,
) -> Result<<C as Service<Uri>>::Response, BoxError>;

fn boxed<C>(result: Result<C::Response, C::Error>) -> Result<C::Response, BoxError>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
{
    if result.is_ok() {
        begins(Step::Handshake);
    }
    result.map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        Allowed::default().check(text.parse().expect("an address")).is_err()
    }

    #[test]
    fn what_is_no_members_is_refused_in_every_form() {
        let all = [
            "0.0.0.0",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "::ffff:0.0.0.0",
        ];
        for text in all {
            assert!(refused(text), "{text}");
        }
        for text in [
            "10.0.0.1",
            "172.18.0.2",
            "192.168.1.1",
            "203.0.113.7",
            "100.64.0.1",
            "fd00::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!refused(text), "{text}");
        }
    }

    #[test]
    fn a_user_allows_ranges() {
        let allowed = Allowed::new(&["127.0.0.0/8".parse().expect("a range")]);
        for text in ["127.0.0.1", "::ffff:127.0.0.1"] {
            assert_eq!(allowed.check(text.parse().expect("an address")), Ok(()), "{text}");
        }
        for text in ["::1", "169.254.169.254"] {
            let why = allowed.check(text.parse().expect("an address")).expect_err(text).to_string();
            assert!(why.starts_with("server address is not allowed") && !why.contains("169.254.169.254"), "{why}");
            assert!(why.contains("--allow-member-cidrs"), "{why}");
        }
    }
}
