//! Which filter chain takes a connection, decided by where the connection was going (Envoy's unified matcher, field
//! `filter_chain_matcher` of a listener).
//!
//! The messages that may hold a `map` are declared here, with sorted maps: those of `envoy-types` encode a map in an
//! order that differs from process to process, and equal content must have equal bytes.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::extensions::matching::common_inputs::network::v3 as input;
use envoy_types::pb::envoy::extensions::matching::input_matchers::ip::v3::Ip;
use envoy_types::pb::google::protobuf::StringValue;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
use envoy_types::pb::xds::r#type::matcher::v3 as pb;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::matcher_list::Predicate;
use ipnet::IpNet;
use pb::matcher::matcher_list::predicate::single_predicate::Matcher as Test;
use pb::matcher::matcher_list::predicate::{MatchType, PredicateList, SinglePredicate};
use prost::{Message, Name};

use super::proto::{any, cidr};

/// `xds.type.matcher.v3.Matcher`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Matcher {
    #[prost(message, optional, tag = "1")]
    list: Option<List>,
    #[prost(message, optional, tag = "2")]
    tree: Option<Tree>,
    #[prost(message, optional, boxed, tag = "3")]
    on_no_match: Option<Box<OnMatch>>,
}

/// What to do with a connection: `xds.type.matcher.v3.Matcher.OnMatch`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OnMatch {
    #[prost(message, optional, boxed, tag = "1")]
    matcher: Option<Box<Matcher>>,
    #[prost(message, optional, tag = "2")]
    action: Option<TypedExtensionConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    matchers: Vec<Case>,
}

#[derive(Clone, PartialEq, Message)]
struct Case {
    #[prost(message, optional, tag = "1")]
    predicate: Option<Predicate>,
    #[prost(message, optional, tag = "2")]
    on_match: Option<OnMatch>,
}

#[derive(Clone, PartialEq, Message)]
struct Tree {
    #[prost(message, optional, tag = "1")]
    input: Option<TypedExtensionConfig>,
    #[prost(message, optional, tag = "2")]
    exact: Option<Exact>,
}

#[derive(Clone, PartialEq, Message)]
struct Exact {
    #[prost(btree_map = "string, message", tag = "1")]
    map: BTreeMap<String, OnMatch>,
}

impl Matcher {
    /// The first case that holds decides. Without any case `otherwise` does.
    pub fn first_of(cases: Vec<(Predicate, OnMatch)>, otherwise: OnMatch) -> Self {
        let case = |(predicate, then)| Case { predicate: Some(predicate), on_match: Some(then) };
        let matchers: Vec<_> = cases.into_iter().map(case).collect();
        // Envoy rejects a list without cases.
        let list = (!matchers.is_empty()).then_some(List { matchers });
        Self { list, tree: None, on_no_match: Some(Box::new(otherwise)) }
    }
}

impl OnMatch {
    /// The filter chain of this name takes the connection.
    pub fn chain(name: &str) -> Self {
        let name_of_chain = any(&StringValue { value: name.to_owned() });
        let action = TypedExtensionConfig { name: name.to_owned(), typed_config: Some(name_of_chain) };
        Self { matcher: None, action: Some(action) }
    }

    /// The destination's port decides. Without any port `otherwise` does.
    pub fn by_port(ports: BTreeMap<String, Self>, otherwise: Self) -> Self {
        if ports.is_empty() {
            return otherwise;
        }
        let tree = Tree { input: Some(destination_port()), exact: Some(Exact { map: ports }) };
        Self::nested(Matcher { list: None, tree: Some(tree), on_no_match: Some(Box::new(otherwise)) })
    }

    /// The first case that holds decides. Without any case `otherwise` does.
    pub fn first_of(cases: Vec<(Predicate, Self)>, otherwise: Self) -> Self {
        if cases.is_empty() { otherwise } else { Self::nested(Matcher::first_of(cases, otherwise)) }
    }

    fn nested(matcher: Matcher) -> Self {
        Self { matcher: Some(Box::new(matcher)), action: None }
    }
}

/// The destination's address is in one of these ranges.
pub(super) fn in_ranges(ranges: impl IntoIterator<Item = IpNet>) -> Predicate {
    let ip =
        Ip { cidr_ranges: ranges.into_iter().map(|net| cidr(&net)).collect(), stat_prefix: "destination".to_owned() };
    let test = Test::CustomMatch(extension("ip", &ip));
    single(extension("ip", &input::DestinationIpInput {}), test)
}

/// The connection comes from this very host and its destination has this port.
pub(super) fn local_to_port(port: u16) -> Predicate {
    let is = |input, value: &str| single(input, Test::ValueMatch(exactly(value)));
    let local = is(extension("source", &input::SourceTypeInput {}), "local");
    let predicate = vec![is(destination_port(), &port.to_string()), local];
    Predicate { match_type: Some(MatchType::AndMatcher(PredicateList { predicate })) }
}

fn destination_port() -> TypedExtensionConfig {
    extension("port", &input::DestinationPortInput {})
}

fn exactly(value: &str) -> pb::StringMatcher {
    let exact = pb::string_matcher::MatchPattern::Exact(value.to_owned());
    pb::StringMatcher { match_pattern: Some(exact), ..pb::StringMatcher::default() }
}

fn single(input: TypedExtensionConfig, test: Test) -> Predicate {
    let single = SinglePredicate { input: Some(input), matcher: Some(test) };
    Predicate { match_type: Some(MatchType::SinglePredicate(single)) }
}

fn extension(name: &str, config: &impl Name) -> TypedExtensionConfig {
    TypedExtensionConfig { name: name.to_owned(), typed_config: Some(any(config)) }
}
