//! EndpointSlices.

mod endpoint;

use std::sync::Arc;

use federation::model::{Namespace, ServiceKey, Slice, SliceKey, SlicePort};
use k8s_openapi::api::discovery::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub use endpoint::MAX_ENDPOINTS_PER_SLICE;

use super::check::Check;
use super::service::protocol;
use super::{Accepted, Converted, derived, meta};
use crate::api::{LABEL_MIRROR, LABEL_SERVICE_NAME, LABEL_SLICE_MANAGED_BY, MANAGED_BY};

/// Ports of one slice.
pub const MAX_PORTS_PER_SLICE: usize = 1_000;

/// Not for us: written by us or by another multi-cluster product (it repeats what another cluster says), of no Service, or
/// made of names instead of addresses.
pub fn slice(object: &k8s::EndpointSlice) -> Converted<Slice> {
    convert(object, false)
}

/// The same for a member that is another machine. A loopback address there would make our proxies call themselves, their
/// own admin ports included. API servers let none through; one that does is broken or means harm. (A folder that describes
/// this very machine may hold them.)
pub fn remote_slice(object: &k8s::EndpointSlice) -> Converted<Slice> {
    convert(object, true)
}

fn convert(object: &k8s::EndpointSlice, remote: bool) -> Converted<Slice> {
    let label = |key: &str| object.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let ours = label(LABEL_SLICE_MANAGED_BY) == Some(MANAGED_BY) || label(LABEL_MIRROR) == Some("true");
    let imported = derived::by(&object.metadata).is_some();
    let Some(service) = label(LABEL_SERVICE_NAME) else { return Ok(Accepted::not_for_us()) };
    if ours || imported || object.address_type == "FQDN" {
        return Ok(Accepted::not_for_us());
    }

    let mut check = Check::new("EndpointSlice", &object.metadata);
    let name = meta::checked_subdomain(&mut check, &object.metadata);
    let namespace =
        check.name("metadata.namespace", object.metadata.namespace.as_deref().unwrap_or_default(), Namespace::new);
    let label_field = format!("metadata.labels[{LABEL_SERVICE_NAME:?}]");
    let service = check.name(label_field, service, |text| ServiceKey::new("any", text));
    let ports = ports(&mut check, object.ports.as_deref().unwrap_or_default());
    let (endpoints, nodes) = endpoint::endpoints(&mut check, object, remote);
    let slice = name.zip(namespace).zip(service).map(|((name, namespace), service)| Slice {
        key: SliceKey { namespace: namespace.clone(), name },
        service: ServiceKey { namespace, name: service.name },
        ports,
        endpoints,
        nodes,
    });
    check.finish(slice)
}

pub fn key_slice(meta: &ObjectMeta) -> Option<SliceKey> {
    let namespace = Namespace::new(meta.namespace.as_deref()?).ok()?;
    Some(SliceKey { namespace, name: meta::subdomain(meta)? })
}

fn ports(check: &mut Check, list: &[k8s::EndpointPort]) -> Vec<SlicePort> {
    let few = check
        .losing("the ports after these are not used", |check| check.first("ports", list, MAX_PORTS_PER_SLICE, "ports"));
    let each = |check: &mut Check| -> Vec<SlicePort> {
        let ports = few.iter().enumerate();
        ports
            .filter_map(|(index, port)| check.losing("the port is not used", |check| one(check, index, port)))
            .collect()
    };
    // One without a number is right, if of no use.
    if list.iter().all(|port| port.port.is_none()) { each(check) } else { check.some_of(each) }
}

fn one(check: &mut Check, index: usize, port: &k8s::EndpointPort) -> Option<SlicePort> {
    let at = |field: &str| format!("ports[{index}].{field}");
    let name = port.name.as_deref().unwrap_or_default();
    let named = name.is_empty() || check.name(at("name"), name, Namespace::new).is_some();
    let protocol = protocol(check, at("protocol"), port.protocol.as_deref());
    let Some(number) = port.port else {
        // "Not restricted, to be interpreted by the consumer" (EndpointSlice API): there is nothing in it to dial.
        check.report(at("port"), "nothing", "a number from 1 to 65535");
        return None;
    };
    let number = check.number(at("port"), i64::from(number), 1..=65_535);
    let (port, protocol) = number.zip(protocol).filter(|_| named)?;
    Some(SlicePort { name: Arc::from(name), port, protocol })
}
