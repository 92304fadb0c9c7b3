//! A client's node, checked and reduced to what its resources depend on.

mod node;
mod version;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::google::protobuf::value::Kind;
use federation::model::{ClusterId, NameError, Namespace, Network, RegionId, Zone};
use federation::ranking::ClientClass;

pub(crate) use node::read_node;
pub use version::{LEAST, Version};

/// Longest node id that is kept, in bytes; it is shown to people and used as a key.
pub const MAX_NODE_ID_LEN: usize = 253;
/// The beginning of a value that an error shows, in bytes.
const SHOWN_LEN: usize = 80;

/// Clients that are sent the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    pub client: ClientClass,
    /// False if the node named no network: then that of the member it runs in is used, once that member is known.
    pub network_named: bool,
    pub profile: Profile,
}

/// What kind of client it is, and so how resources are encoded for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    Envoy(EnvoyProfile),
    /// A proxyless gRPC client: `api_listener`s, and load assignments without spill-over (gRFC A27, A56).
    Grpc,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvoyProfile {
    /// The address its listeners bind to.
    pub listen: IpAddr,
    pub interception: Interception,
    /// It fetches clusters when they are used, instead of following all of them. Incremental xDS only.
    pub on_demand: bool,
    /// It is sent endpoints one by one, instead of load assignment by load assignment. Incremental xDS only.
    pub leds: bool,
    /// It fetches virtual hosts when they are used, instead of following the scopes of all services. Incremental xDS and
    /// the plain HTTP port only.
    pub vhds: bool,
}

/// How traffic reaches an Envoy (Istio's `INTERCEPTION_MODE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interception {
    /// iptables redirects it to port 15001; listeners know the VIPs of the member it runs in.
    Redirect,
    /// Clients send it to the plain HTTP port, and it is routed by `Host`.
    None,
    /// The node neither sets it nor names a member. It gets the plain HTTP port, and the listeners that keep the traffic of
    /// a pod working that is intercepted after all.
    Unset,
}

/// Used where a node sets nothing else.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The region of the control plane that was reached.
    pub region: RegionId,
    /// Whether sidecars with incremental xDS get clusters on demand.
    pub on_demand: bool,
}

/// A client that may be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `node.id`, as given.
    pub node_id: String,
    /// `node.metadata.NAMESPACE`: shown to people, decides nothing.
    pub namespace: Option<Namespace>,
    /// `node.metadata.TTL`: how long it keeps what it has without a confirmation. `None`: forever. Incremental xDS
    /// only.
    pub ttl: Option<Duration>,
    /// Which Envoy it is; `None`: none, or it sends no version.
    pub version: Option<Version>,
    pub class: Class,
}

/// Why a node cannot be served. Each text names the field, what was found and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    #[error("the first request of a stream carries no `node`; expected a node with an `id`")]
    NoNode,
    #[error("`node.id` is empty; expected a name that is unique to this proxy, such as \"web-7d4b9.shop\"")]
    NoId,
    #[error("`node.id` has {found} bytes; expected at most {MAX_NODE_ID_LEN}")]
    IdTooLong { found: usize },
    #[error("`{field}` {reason}")]
    BadName { field: &'static str, reason: NameError },
    #[error("`{field}` is {found}; expected {expected}")]
    BadValue { field: &'static str, found: String, expected: &'static str },
}

impl Client {
    /// Reads `node.id`, `node.locality` and the metadata keys `CLUSTER_ID`, `NAMESPACE`, `NETWORK`, `LISTEN`,
    /// `INTERCEPTION_MODE`, `CLUSTERS`, `ENDPOINTS`, `ROUTES`, `TTL` and
    /// `GENERATOR`. `incremental`: it uses incremental xDS, which has on-demand resources.
    pub fn from_node(node: &Node, defaults: &Defaults, incremental: bool) -> Result<Self, NodeError> {
        match node.id.len() {
            0 => return Err(NodeError::NoId),
            found if found > MAX_NODE_ID_LEN => return Err(NodeError::IdTooLong { found }),
            _ => {}
        }
        let (region, zone) = node.locality.as_ref().map_or(("", ""), |l| (&*l.region, &*l.zone));
        let region = named("node.locality.region", region, RegionId::new)?.unwrap_or_else(|| defaults.region.clone());
        let zone = named("node.locality.zone", zone, Zone::new)?;
        let cluster = metadata(node, "CLUSTER_ID", "node.metadata.CLUSTER_ID")?;
        let cluster = named("node.metadata.CLUSTER_ID", cluster, ClusterId::new)?;
        let namespace = metadata(node, "NAMESPACE", "node.metadata.NAMESPACE")?;
        let namespace = named("node.metadata.NAMESPACE", namespace, Namespace::new)?;
        let network = metadata(node, "NETWORK", "node.metadata.NETWORK")?;
        let network = named("node.metadata.NETWORK", network, Network::new)?;
        let network_named = network.is_some();
        let network = network.unwrap_or_else(Network::default_network);
        // Families are those of its member, which may be admitted only later.
        let client = ClientClass { region, zone, network, cluster, families: None };
        let profile = if is_grpc(node)? {
            Profile::Grpc
        } else {
            let interception = interception(node, client.cluster.is_some())?;
            let default = defaults.on_demand && interception == Interception::Redirect;
            let on_demand = incremental && choice(node, &CLUSTERS, default)?;
            let leds = incremental && choice(node, &ENDPOINTS, false)?;
            let plain = interception != Interception::Redirect;
            let vhds = incremental && choice(node, &ROUTES, false)? && plain;
            Profile::Envoy(EnvoyProfile { listen: listen(node)?, interception, on_demand, leds, vhds })
        };
        // In state of the world Envoy 1.40 was seen to crash when the time was over.
        let ttl = if incremental && profile != Profile::Grpc { ttl(node)? } else { None };
        let (node_id, version) = (node.id.clone(), Version::of(node));
        Ok(Self { node_id, namespace, ttl, version, class: Class { client, network_named, profile } })
    }

    /// What it does not do because it is an old Envoy.
    pub fn lacks(&self) -> Option<String> {
        self.version?.lacks()
    }
}

/// `GENERATOR: grpc`, or the user agent of a gRPC library: "gRPC C-core linux", "gRPC Go", "gRPC Java".
fn is_grpc(node: &Node) -> Result<bool, NodeError> {
    const FIELD: &str = "node.metadata.GENERATOR";
    match metadata(node, "GENERATOR", FIELD)? {
        "" => Ok(cut(&node.user_agent_name, 4).eq_ignore_ascii_case("grpc")),
        text if text.eq_ignore_ascii_case("grpc") => Ok(true),
        text => {
            let expected = "\"grpc\", or left out for an Envoy";
            Err(NodeError::BadValue { field: FIELD, found: shown(text), expected })
        }
    }
}

/// A node that names a member and sets nothing else is a sidecar's.
fn interception(node: &Node, has_member: bool) -> Result<Interception, NodeError> {
    const FIELD: &str = "node.metadata.INTERCEPTION_MODE";
    match metadata(node, "INTERCEPTION_MODE", FIELD)? {
        "REDIRECT" => Ok(Interception::Redirect),
        "" if has_member => Ok(Interception::Redirect),
        "" => Ok(Interception::Unset),
        "NONE" => Ok(Interception::None),
        text => Err(NodeError::BadValue { field: FIELD, found: shown(text), expected: "\"REDIRECT\" or \"NONE\"" }),
    }
}

/// A metadata key with two values.
struct Choice {
    key: &'static str,
    field: &'static str,
    yes: &'static str,
    no: &'static str,
    expected: &'static str,
}

const CLUSTERS: Choice = Choice {
    key: "CLUSTERS",
    field: "node.metadata.CLUSTERS",
    yes: "on-demand",
    no: "eager",
    expected: "\"on-demand\" or \"eager\"",
};

const ENDPOINTS: Choice = Choice {
    key: "ENDPOINTS",
    field: "node.metadata.ENDPOINTS",
    yes: "single",
    no: "whole",
    expected: "\"single\" (LEDS) or \"whole\"",
};

const ROUTES: Choice = Choice {
    key: "ROUTES",
    field: "node.metadata.ROUTES",
    yes: "on-demand",
    no: "eager",
    expected: "\"on-demand\" (VHDS) or \"eager\"",
};

fn choice(node: &Node, choice: &Choice, default: bool) -> Result<bool, NodeError> {
    let Choice { key, field, yes, no, expected } = *choice;
    match metadata(node, key, field)? {
        "" => Ok(default),
        text if text == yes => Ok(true),
        text if text == no => Ok(false),
        text => Err(NodeError::BadValue { field, found: shown(text), expected }),
    }
}

/// Shorter ones would cost too many confirmations, longer ones would expire too late to be of use.
const TTL_SECONDS: RangeInclusive<u64> = 30..=86_400;

fn ttl(node: &Node) -> Result<Option<Duration>, NodeError> {
    const FIELD: &str = "node.metadata.TTL";
    let text = metadata(node, "TTL", FIELD)?;
    match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(seconds) if TTL_SECONDS.contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
        _ => {
            Err(NodeError::BadValue { field: FIELD, found: shown(text), expected: "seconds, from \"30\" to \"86400\"" })
        }
    }
}

fn listen(node: &Node) -> Result<IpAddr, NodeError> {
    const FIELD: &str = "node.metadata.LISTEN";
    match metadata(node, "LISTEN", FIELD)? {
        "" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        text => text.parse().map_err(|_| NodeError::BadValue {
            field: FIELD,
            found: shown(text),
            expected: "an IP address such as \"127.0.0.1\"",
        }),
    }
}

/// A string from the node's metadata; empty if it is not there.
fn metadata<'a>(node: &'a Node, key: &str, field: &'static str) -> Result<&'a str, NodeError> {
    let value = node.metadata.as_ref().and_then(|metadata| metadata.fields.get(key));
    let found = match value.and_then(|value| value.kind.as_ref()) {
        None | Some(Kind::NullValue(_)) => return Ok(""),
        Some(Kind::StringValue(text)) => return Ok(text),
        Some(Kind::NumberValue(_)) => "a number",
        Some(Kind::BoolValue(_)) => "a boolean",
        Some(Kind::StructValue(_)) => "an object",
        Some(Kind::ListValue(_)) => "a list",
    };
    Err(NodeError::BadValue { field, found: found.to_owned(), expected: "a string" })
}

fn named<T>(
    field: &'static str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<Option<T>, NodeError> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|reason| NodeError::BadName { field, reason })
}

fn shown(text: &str) -> String {
    format!("{:?}", cut(text, SHOWN_LEN))
}

/// The first `max` bytes or less, cut between characters.
pub(crate) fn cut(text: &str, max: usize) -> String {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
