//! Names with an authority (xRFC TP1): `xdstp://<authority>/<type>/<name>?<context parameters>`.
//!
//! The authority is the client's own name for a set of servers: its bootstrap maps it to them, and this control plane is one
//! of them if the client asks here. Every control plane of a federation gives the same answers and can replace another one,
//! so whatever the authority, the answer is the resource of that plain name. Context parameters choose among variants, of
//! which there is one.

use crate::resource::ResourceType;

const SCHEME: &str = "xdstp://";

/// The parts of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xdstp<'a> {
    pub authority: &'a str,
    /// Decoded.
    pub name: String,
}

/// `None`: it is no such name, or one of another type.
pub fn parse(resource_type: ResourceType, name: &str) -> Option<Xdstp<'_>> {
    let rest = name.strip_prefix(SCHEME)?;
    let (authority, rest) = rest.split_once('/')?;
    let (found, rest) = rest.split_once('/')?;
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    if found != type_of(resource_type) || path.is_empty() || path.contains('#') || authority.contains(['?', '#']) {
        return None;
    }
    Some(Xdstp { authority, name: decode(path)? })
}

/// The name of a resource of this authority.
pub fn name(authority: &str, resource_type: ResourceType, plain: &str) -> String {
    let mut name = format!("{SCHEME}{authority}/{}/", type_of(resource_type));
    for byte in plain.bytes() {
        // What a path may hold (RFC 3986, `pchar` and `/`).
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

fn type_of(resource_type: ResourceType) -> &'static str {
    let url = resource_type.url();
    url.split_once('/').map_or(url, |(_, name)| name)
}

/// `None`: a malformed escape, or no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceType::{Assignment, Cluster};

    #[test]
    fn names_are_parsed_whatever_their_authority() {
        let plain = "outbound|80||web.shop.svc.cluster.local";
        let cluster = "envoy.config.cluster.v3.Cluster";
        for (text, authority) in [
            (format!("xdstp:///{cluster}/{plain}"), ""),
            (format!("xdstp://eu/{cluster}/outbound%7C80%7c%7Cweb.shop.svc.cluster.local"), "eu"),
            (format!("xdstp://mesh.example/{cluster}/{plain}?a=b&c=d/e"), "mesh.example"),
            (name("eu", Cluster, plain), "eu"),
        ] {
            let found = parse(Cluster, &text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.authority, &*found.name), (authority, plain), "{text}");
            assert_eq!(parse(Assignment, &text), None, "of another type");
        }
    }

    #[test]
    fn a_name_of_another_form_is_none() {
        for rest in ["eu", "eu/", "eu/x", "eu/envoy.config.cluster.v3.Cluster", "eu/envoy.config.cluster.v3.Cluster/"] {
            assert_eq!(parse(Cluster, &format!("xdstp://{rest}")), None, "{rest}");
        }
        for path in ["%", "%7", "%7G", "%+7", "%ff", "a#b", "?a=b"] {
            assert_eq!(parse(Cluster, &format!("xdstp:///envoy.config.cluster.v3.Cluster/{path}")), None, "{path}");
        }
        assert_eq!(parse(Cluster, "outbound|80||web.shop.svc.cluster.local"), None);
        assert_eq!(parse(Cluster, "xdstp:/envoy.config.cluster.v3.Cluster/x"), None);
    }

    #[test]
    fn what_is_written_can_be_read() {
        for plain in
            ["outbound|80||web.shop", "web.shop:80", "grpc/server?xds.resource.listening_address=[::]:80", "é %"]
        {
            let written = name("a.b", Cluster, plain);
            let rest = written.trim_start_matches("xdstp://a.b/envoy.config.cluster.v3.Cluster/");
            assert!(rest.is_ascii() && !rest.contains(['|', '?', '[', ' ']), "{rest}");
            assert_eq!(parse(Cluster, &written).map(|found| found.name).as_deref(), Some(plain));
        }
    }
}
