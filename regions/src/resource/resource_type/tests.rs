use prost::Name;

use super::*;

#[test]
fn type_urls_are_those_of_the_messages() {
    use envoy_types::pb::envoy::config::{endpoint::v3 as e, listener::v3 as l, route::v3 as r};
    assert_eq!(ResourceType::Assignment.url(), e::ClusterLoadAssignment::type_url());
    assert_eq!(ResourceType::Listener.url(), l::Listener::type_url());
    assert_eq!(ResourceType::Scope.url(), r::ScopedRouteConfiguration::type_url());
    assert_eq!(ResourceType::Route.url(), r::RouteConfiguration::type_url());
    for (index, t) in ResourceType::ALL.into_iter().enumerate() {
        assert_eq!((ResourceType::from_url(t.url()), t.index()), (Some(t), index));
    }
    assert_eq!(ResourceType::from_url(""), None);
}
