//! EndpointSlices. There may be millions of endpoints, so they name their zones by number.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{Endpoint, Health, PodId, Protocol, ServiceKey, Slice, SliceKey, SlicePort, Zone};
use prost::encoding::WireType;

use crate::codec::limits::MAX_ITEMS;
use crate::codec::{
    DecodeError, EncodeError, GROWING, Reader, Reason, Value, Writer, check, complete, enumeration, message,
};

const ENDPOINTS: u32 = 5;

/// A slice without its endpoints.
struct Head {
    key: SliceKey,
    service: ServiceKey,
    ports: Vec<SlicePort>,
    /// Zones of the endpoints, each once.
    zones: Vec<Zone>,
    nodes: Vec<NodeOf>,
}

message!(Head {
    1 => key: SliceKey,
    2 => service: ServiceKey,
    3 => ports: Vec<SlicePort>,
    4 => zones: Vec<Zone>,
    6 => nodes: Vec<NodeOf>,
});

message!(SlicePort { 1 => name: Arc<str>, 2 => port: u16, 3 => protocol: Protocol });

/// Where one endpoint runs that has no zone.
struct NodeOf {
    endpoint: u32,
    node: Arc<str>,
}

message!(NodeOf { 1 => endpoint: u32, 2 => node: Arc<str> });

struct EncodedEndpoint {
    ip: IpAddr,
    /// 1 is the first of the slice's zones; 0: none.
    zone: u32,
    health: Health,
    pod: PodId,
}

message!(EncodedEndpoint { 1 => ip: IpAddr, 2 => zone: u32, 3 => health: Health, 4 => pod: PodId });

enumeration!(Health { 0 => Ready, 1 => Draining, 2 => NotReady, 3 => Ended });

/// 6 bytes, or none if the pod is not known.
impl Value for PodId {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        if self.is_known() {
            to.bytes(&self.to_bytes());
        }
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = match from.rest() {
            [] => Self::default(),
            bytes => Self::from_bytes(bytes.try_into().map_err(|_| {
                let found = format!("of {} bytes", bytes.len());
                from.error(Reason::Value { found, expected: "a digest of 6 bytes".to_owned() })
            })?),
        };
        from.end();
        Ok(id)
    }
}

impl Value for Slice {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let Self { key, service, ports, endpoints, nodes } = self;
        let mut numbers: BTreeMap<&Zone, u32> = BTreeMap::new();
        let mut zones = Vec::new();
        for zone in endpoints.iter().filter_map(|endpoint| endpoint.zone.as_ref()) {
            numbers.entry(zone).or_insert_with(|| {
                zones.push(zone.clone());
                number(zones.len())
            });
        }
        let node_of = |(endpoint, node): &(u32, Arc<str>)| NodeOf { endpoint: *endpoint, node: Arc::clone(node) };
        let nodes = nodes.iter().map(node_of).collect();
        let head = Head { key: key.clone(), service: service.clone(), ports: ports.clone(), zones, nodes };
        head.put_body(to)?;
        if endpoints.len() > MAX_ITEMS {
            return Err(EncodeError::new(Reason::TooManyItems).within("endpoints"));
        }
        for Endpoint { ip, zone, health, pod } in endpoints {
            let zone = zone.as_ref().and_then(|zone| numbers.get(zone)).copied().unwrap_or(0);
            EncodedEndpoint { ip: *ip, zone, health: *health, pod: *pod }.put_always(ENDPOINTS, to)?;
        }
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // Fields may come in any order, and endpoints need the zones: so the body is read twice.
        let mut again = from.clone();
        let Head { key, service, ports, zones, nodes } = Head::take_body(from)?;
        let endpoints = take_endpoints(&mut again, &zones)?;
        let nodes = in_order(nodes, endpoints.len(), from).map_err(|error| error.within("nodes"))?;
        Ok(Self { key, service, ports, endpoints, nodes })
    }
}

fn take_endpoints(from: &mut Reader<'_>, zones: &[Zone]) -> Result<Vec<Endpoint>, DecodeError> {
    let mut endpoints = Vec::new();
    while let Some((tag, wire_type)) = from.key()? {
        if tag != ENDPOINTS {
            from.skip(wire_type)?;
            continue;
        }
        if endpoints.len() >= MAX_ITEMS {
            return Err(from.error(Reason::TooManyItems).within("endpoints"));
        }
        from.allocate(GROWING * size_of::<Endpoint>())?;
        let endpoint = take_endpoint(wire_type, from, zones);
        endpoints.push(endpoint.map_err(|error| error.within(format!("[{}]", endpoints.len())).within("endpoints"))?);
    }
    Ok(complete(endpoints, from))
}

fn take_endpoint(wire_type: WireType, from: &mut Reader<'_>, zones: &[Zone]) -> Result<Endpoint, DecodeError> {
    check(wire_type, WireType::LengthDelimited, from)?;
    let start = from.clone();
    let EncodedEndpoint { ip, zone, health, pod } = EncodedEndpoint::take_body(&mut from.sized()?)?;
    let zone = match zone.checked_sub(1) {
        None => None,
        Some(index) => Some(zones.get(index as usize).cloned().ok_or_else(|| {
            let (found, expected) = (format!("zone number {zone}"), format!("at most {}", zones.len()));
            start.error(Reason::Value { found, expected }).within("zone")
        })?),
    };
    Ok(Endpoint { ip, zone, health, pod })
}

/// The number of an endpoint, and the Node it is on.
type Nodes = Box<[(u32, Arc<str>)]>;

/// They must be in ascending order, because they are found by binary search.
fn in_order(list: Vec<NodeOf>, endpoints: usize, end: &Reader<'_>) -> Result<Nodes, DecodeError> {
    let mut nodes: Vec<(u32, Arc<str>)> = Vec::with_capacity(list.len());
    for NodeOf { endpoint, node } in list {
        let ascends = nodes.last().is_none_or(|(last, _)| *last < endpoint);
        if !ascends || endpoint as usize >= endpoints {
            let expected = format!("numbers of {endpoints} endpoints in ascending order");
            return Err(end.error(Reason::Value { found: format!("endpoint number {endpoint}"), expected }));
        }
        nodes.push((endpoint, node));
    }
    Ok(nodes.into_boxed_slice())
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
