use envoy_types::pb::xds::r#type::matcher::v3 as xds;

use super::*;

const AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), INTERCEPT_PORT);

fn plan(ports: impl IntoIterator<Item = u16>, exceptions: u8) -> Plan {
    let exceptions: BTreeMap<_, _> =
        (0..exceptions).map(|i| (IpAddr::from([10, 12, 200, i]), Chain::Passthrough)).collect();
    let port = |number| (number, PortPlan { usually: Chain::Http, exceptions: exceptions.clone() });
    Plan { ranges: vec!["10.12.0.0/16".parse().expect("a range")], ports: ports.into_iter().map(port).collect() }
}

fn size(plan: &Plan) -> usize {
    on_demand(names::VIRTUAL_OUTBOUND, AT, plan).delta_bytes().len()
}

#[test]
fn what_a_port_number_and_an_exception_cost() {
    let nothing = size(&Plan::default());
    assert!(nothing < 4_000, "{nothing} bytes without any service");
    let port = size(&plan([80, 8080], 0)) - size(&plan([80], 0));
    assert!(port < 130, "{port} bytes for a port number more");
    let exception = (size(&plan([80], 101)) - size(&plan([80], 1))) / 100;
    assert!(exception <= 24, "{exception} bytes for an exception more");
}

#[test]
fn equal_plans_have_equal_bytes_in_whatever_order_they_were_made() {
    let one = plan(1..200, 3);
    let ports = one.ports.iter().rev().map(|(number, port)| (*number, port.clone())).collect();
    let other = Plan { ports, ranges: one.ranges.clone() };
    let bytes = |plan| on_demand(names::VIRTUAL_OUTBOUND, AT, plan).delta_bytes().clone();
    assert_eq!(bytes(&one), bytes(&other));
    // Read as Envoy reads it, the map holds every port.
    let listener: pb::Listener = on_demand(names::VIRTUAL_OUTBOUND, AT, &one).message().expect("a listener");
    let text = format!("{:?}", listener.filter_chain_matcher);
    let Some(xds::matcher::MatcherType::MatcherList(list)) = listener.filter_chain_matcher.and_then(|m| m.matcher_type)
    else {
        panic!("{text}")
    };
    assert_eq!(list.matchers.len(), 2, "who dials the interception port, and the member's ranges");
    assert!((1..200).all(|port| text.contains(&format!("\"{port}\""))));
}

#[test]
fn each_family_has_a_listener_that_the_other_does_not_change() {
    let v4 = |plan: &Plan| on_demand(names::VIRTUAL_OUTBOUND, AT, plan);
    let mut both = plan([80], 0);
    let one = v4(&both);
    both.ranges.push("fd00:12::/112".parse().expect("a range"));
    assert_eq!(v4(&both), one);
    let names: Vec<_> = addresses(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["virtualOutbound", "virtualOutbound6"]);
    let specific = addresses([127, 0, 0, 9].into());
    assert_eq!(specific.len(), 1, "a proxy that listens to one address listens to no other");
}
