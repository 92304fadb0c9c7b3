//! How an Envoy applies listeners and scopes: which it rejects, and where it sends a connection. Written from Envoy's
//! documentation and from what Envoy 1.36 to 1.40 did, independently of how the resources are made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as pb;
use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;
use envoy_types::pb::envoy::extensions::matching::input_matchers::ip::v3::Ip;
use envoy_types::pb::google::protobuf::{Any, StringValue};
use envoy_types::pb::xds::r#type::matcher::v3 as xds;
use ipnet::IpNet;
use prost::Message;
use xds::matcher::matcher_list::Predicate;
use xds::matcher::matcher_list::predicate::single_predicate::Matcher as Test;
use xds::matcher::matcher_list::predicate::{MatchType, SinglePredicate};
use xds::matcher::matcher_tree::TreeType;
use xds::matcher::{MatcherType, OnMatch, on_match};

use crate::resource::{Resource, ResourceType};

/// Resources of the types whose content must fit together, by name, as one client holds them.
#[derive(Clone, Default)]
pub(crate) struct Held {
    listeners: BTreeMap<Arc<str>, pb::Listener>,
    scopes: BTreeMap<Arc<str>, route::ScopedRouteConfiguration>,
}

impl Held {
    /// All that there is, as a client that connects now would hold it.
    pub fn all<'a>(resources: impl Iterator<Item = &'a Resource>, t: ResourceType) -> Self {
        let mut held = Self::default();
        resources.for_each(|resource| held.put(t, resource));
        held
    }

    /// Applies one response; panics with what Envoy would reject it for. `whole`: it is the state of the world.
    pub fn apply(&mut self, t: ResourceType, put: &[Resource], removed: &[Arc<str>], whole: bool) {
        let names: BTreeSet<_> = put.iter().map(|resource| resource.name().clone()).collect();
        assert_eq!(names.len(), put.len(), "a name twice in one response: {put:?}");
        let before = self.clone();
        if whole {
            self.remove_all(t);
        }
        removed.iter().for_each(|name| self.remove(t, name));
        put.iter().for_each(|resource| self.put(t, resource));
        self.check();
        self.check_kept(&before);
    }

    fn put(&mut self, t: ResourceType, resource: &Resource) {
        let name = resource.name().clone();
        match t {
            ResourceType::Listener => drop(self.listeners.insert(name, resource.message().expect("a listener"))),
            ResourceType::Scope => drop(self.scopes.insert(name, resource.message().expect("a scope"))),
            _ => {}
        }
    }

    fn remove(&mut self, t: ResourceType, name: &Arc<str>) {
        match t {
            ResourceType::Listener => drop(self.listeners.remove(name)),
            ResourceType::Scope => drop(self.scopes.remove(name)),
            _ => {}
        }
    }

    fn remove_all(&mut self, t: ResourceType) {
        match t {
            ResourceType::Listener => self.listeners.clear(),
            ResourceType::Scope => self.scopes.clear(),
            _ => {}
        }
    }

    /// Envoy's own rules.
    pub fn check(&self) {
        let mut addresses = BTreeMap::new();
        for (name, listener) in &self.listeners {
            for at in addresses_of(listener) {
                let other = addresses.insert(at, name);
                assert_eq!(other, None, "{name} has a duplicate address {at}");
            }
            check_chains(listener);
        }
        let mut keys = BTreeMap::new();
        for (name, scope) in &self.scopes {
            let key = format!("{:?}", scope.key);
            let other = keys.insert(key.clone(), name);
            assert_eq!(other, None, "{name} has a duplicate scope key {key}");
            scope.route_configuration.iter().for_each(check_table);
        }
    }

    /// Nothing but its own virtual IP may change a listener in a way that closes connections: the shared ones change in
    /// their matcher alone.
    fn check_kept(&self, before: &Self) {
        for (name, old) in before.listeners.iter().filter(|(name, _)| name.starts_with("virtualOutbound")) {
            let Some(new) = self.listeners.get(name) else { continue };
            let constant = |listener: &pb::Listener| pb::Listener { filter_chain_matcher: None, ..listener.clone() };
            assert_eq!(constant(old), constant(new), "{name} is replaced, and with it all its connections");
        }
    }

    /// Where a redirected connection from another address to this destination goes: `http outbound|80||…`,
    /// `tcp vip|10.0.0.1:80`, `passthrough`, or `refused`.
    pub fn goes(&self, to: SocketAddr) -> String {
        let is_at = |listener: &&pb::Listener, at: SocketAddr| addresses_of(listener).contains(&at);
        let any = SocketAddr::new(if to.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0_u8; 16]) }, 15_001);
        let Some(first) = self.listeners.values().find(|listener| is_at(listener, any)) else {
            return "refused".into();
        };
        let handed = first.use_original_dst.as_ref().is_some_and(|on| on.value);
        let exact = self.listeners.values().find(|listener| handed && is_at(listener, to));
        let wildcard = SocketAddr::new(any.ip(), to.port());
        let wildcard = self.listeners.values().find(|listener| handed && is_at(listener, wildcard));
        let listener = exact.or(wildcard).unwrap_or(first);
        chain_for(listener, to).map_or_else(|| "refused".to_owned(), |chain| destination(chain, to))
    }

    /// Clusters that resources of this type refer to by name.
    pub fn clusters(&self, t: ResourceType) -> BTreeSet<String> {
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let chains = self.listeners.values().flat_map(|l| l.filter_chains.iter().chain(&l.default_filter_chain));
        let tables = self.scopes.values().filter_map(|scope| scope.route_configuration.as_ref());
        let targets: Vec<String> = match t {
            ResourceType::Listener => chains.map(|chain| destination(chain, anywhere)).collect(),
            ResourceType::Scope => tables.flat_map(|t| &t.virtual_hosts).map(|host| route_of(host, anywhere)).collect(),
            _ => Vec::new(),
        };
        let named = targets.iter().filter_map(|to| to.split_once(' ').map(|(_, name)| name.to_owned()));
        named.filter(|name| name.starts_with("outbound|")).collect()
    }

    pub fn listeners(&self) -> impl Iterator<Item = (&str, &pb::Listener)> {
        self.listeners.iter().map(|(name, listener)| (&**name, listener))
    }
}

fn addresses_of(listener: &pb::Listener) -> Vec<SocketAddr> {
    let more = listener.additional_addresses.iter().map(|more| &more.address);
    let socket = |address: &core::Address| match &address.address {
        Some(core::address::Address::SocketAddress(socket)) => {
            let Some(core::socket_address::PortSpecifier::PortValue(port)) = socket.port_specifier else { return None };
            Some(SocketAddr::new(socket.address.parse().expect("an address"), port.try_into().expect("a port")))
        }
        _ => None,
    };
    std::iter::once(&listener.address).chain(more).map(|a| a.as_ref().and_then(socket).expect("a socket")).collect()
}

fn check_chains(listener: &pb::Listener) {
    let name = &listener.name;
    let matches: BTreeSet<_> = listener.filter_chains.iter().map(|c| format!("{:?}", c.filter_chain_match)).collect();
    let Some(matcher) = &listener.filter_chain_matcher else {
        return assert_eq!(matches.len(), listener.filter_chains.len(), "{name}: a duplicate filter chain match");
    };
    let chains: BTreeSet<&str> = listener.filter_chains.iter().map(|chain| &*chain.name).collect();
    assert_eq!(chains.len(), listener.filter_chains.len(), "{name}: a chain name twice");
    for action in actions(matcher) {
        assert!(chains.contains(&*action), "{name}: no chain {action}");
    }
}

fn check_table(table: &route::RouteConfiguration) {
    let domains = table.virtual_hosts.iter().flat_map(|host| &host.domains).map(|domain| domain.to_lowercase());
    let unique: BTreeSet<_> = domains.clone().collect();
    assert_eq!(unique.len(), domains.count(), "{}: a duplicate domain", table.name);
    let names: BTreeSet<_> = table.virtual_hosts.iter().map(|host| &host.name).collect();
    assert_eq!(names.len(), table.virtual_hosts.len(), "{}: a virtual host's name twice", table.name);
}

/// Every chain that the matcher may choose.
fn actions(matcher: &xds::Matcher) -> Vec<String> {
    let cases: Vec<&OnMatch> = match &matcher.matcher_type {
        Some(MatcherType::MatcherList(list)) => {
            list.matchers.iter().filter_map(|case| case.on_match.as_ref()).collect()
        }
        Some(MatcherType::MatcherTree(tree)) => match &tree.tree_type {
            Some(TreeType::ExactMatchMap(map)) => map.map.values().collect(),
            other => panic!("not supported here: {other:?}"),
        },
        None => panic!("Envoy requires a matcher type"),
    };
    assert!(!cases.is_empty(), "Envoy requires a case");
    let all = cases.into_iter().chain(matcher.on_no_match.as_deref());
    all.flat_map(|on| match &on.on_match {
        Some(on_match::OnMatch::Matcher(nested)) => actions(nested),
        Some(on_match::OnMatch::Action(action)) => vec![chosen(action)],
        None => panic!("Envoy requires an action"),
    })
    .collect()
}

fn chosen(action: &envoy_types::pb::xds::core::v3::TypedExtensionConfig) -> String {
    assert!(!action.name.is_empty());
    open::<StringValue>(action.typed_config.as_ref()).value
}

fn open<T: Message + Default>(any: Option<&Any>) -> T {
    T::decode(&*any.expect("a configuration").value).expect("the message that its type URL names")
}

fn chain_for(listener: &pb::Listener, to: SocketAddr) -> Option<&pb::FilterChain> {
    if let Some(matcher) = &listener.filter_chain_matcher {
        let name = decide(matcher, to)?;
        return listener.filter_chains.iter().find(|chain| chain.name == name);
    }
    let takes = |chain: &&pb::FilterChain| {
        let Some(wanted) = &chain.filter_chain_match else { return true };
        assert!(wanted.prefix_ranges.is_empty(), "not supported here");
        // The connections asked about come from elsewhere.
        wanted.source_type != pb::filter_chain_match::ConnectionSourceType::SameIpOrLoopback as i32
            && wanted.destination_port.as_ref().is_none_or(|port| port.value == u32::from(to.port()))
    };
    listener.filter_chains.iter().find(takes).or(listener.default_filter_chain.as_ref())
}

fn decide(matcher: &xds::Matcher, to: SocketAddr) -> Option<String> {
    let found = match &matcher.matcher_type {
        Some(MatcherType::MatcherList(list)) => {
            let holds = |predicate: &Option<Predicate>| predicate.as_ref().is_some_and(|p| holds(p, to));
            list.matchers.iter().find(|case| holds(&case.predicate)).and_then(|case| case.on_match.as_ref())
        }
        Some(MatcherType::MatcherTree(tree)) => match &tree.tree_type {
            Some(TreeType::ExactMatchMap(map)) => map.map.get(&input(tree.input.as_ref(), to)),
            _ => None,
        },
        None => None,
    };
    match found.or(matcher.on_no_match.as_deref())?.on_match.as_ref()? {
        on_match::OnMatch::Matcher(nested) => decide(nested, to),
        on_match::OnMatch::Action(action) => Some(chosen(action)),
    }
}

fn holds(predicate: &Predicate, to: SocketAddr) -> bool {
    match predicate.match_type.as_ref().expect("a predicate") {
        MatchType::SinglePredicate(single) => single_holds(single, to),
        MatchType::AndMatcher(all) => all.predicate.iter().all(|predicate| holds(predicate, to)),
        other => panic!("not supported here: {other:?}"),
    }
}

fn single_holds(single: &SinglePredicate, to: SocketAddr) -> bool {
    let value = input(single.input.as_ref(), to);
    match single.matcher.as_ref().expect("a test") {
        Test::ValueMatch(wanted) => wanted.match_pattern == Some(xds::string_matcher::MatchPattern::Exact(value)),
        Test::CustomMatch(custom) => {
            let ip: Ip = open(custom.typed_config.as_ref());
            assert!(!ip.cidr_ranges.is_empty() && !ip.stat_prefix.is_empty(), "Envoy requires both");
            let value: IpAddr = value.parse().expect("an address");
            let net = |range: &core::CidrRange| {
                let len = range.prefix_len.as_ref().map_or(0, |len| len.value);
                IpNet::new(range.address_prefix.parse().expect("an address"), len.try_into().expect("a length"))
            };
            ip.cidr_ranges.iter().any(|range| net(range).expect("a range").contains(&value))
        }
    }
}

fn input(input: Option<&envoy_types::pb::xds::core::v3::TypedExtensionConfig>, to: SocketAddr) -> String {
    let url = input.and_then(|input| input.typed_config.as_ref()).map_or("", |any| &*any.type_url);
    match url.rsplit('.').next() {
        Some("DestinationIPInput") => to.ip().to_string(),
        Some("DestinationPortInput") => to.port().to_string(),
        // Neither a loopback address nor the destination itself.
        Some("SourceTypeInput") => String::new(),
        other => panic!("not supported here: {other:?}"),
    }
}

fn destination(chain: &pb::FilterChain, to: SocketAddr) -> String {
    target(chain.filters.last().expect("a filter"), to)
}

/// Where the last filter of a chain sends to.
fn target(filter: &pb::Filter, to: SocketAddr) -> String {
    let Some(pb::filter::ConfigType::TypedConfig(config)) = &filter.config_type else { panic!("a configuration") };
    if config.type_url.ends_with("TcpProxy") {
        let proxy: tcp::TcpProxy = open(Some(config));
        let Some(tcp::tcp_proxy::ClusterSpecifier::Cluster(cluster)) = proxy.cluster_specifier else { panic!("one") };
        return match &*cluster {
            "PassthroughCluster" => "passthrough".to_owned(),
            _ if proxy.on_demand.is_some() => format!("tcp vip|{to}"),
            _ => format!("tcp {cluster}"),
        };
    }
    let manager: hcm::HttpConnectionManager = open(Some(config));
    match manager.route_specifier {
        Some(hcm::http_connection_manager::RouteSpecifier::RouteConfig(table)) => {
            check_table(&table);
            route_of(table.virtual_hosts.first().expect("a host"), to)
        }
        _ => "http by scope or table".to_owned(),
    }
}

fn route_of(host: &route::VirtualHost, to: SocketAddr) -> String {
    let action = host.routes.first().and_then(|route| route.action.clone());
    let Some(route::route::Action::Route(action)) = action else { panic!("a route") };
    match action.cluster_specifier {
        Some(route::route_action::ClusterSpecifier::Cluster(cluster)) => format!("http {cluster}"),
        Some(route::route_action::ClusterSpecifier::ClusterHeader(_)) => format!("http vip|{to}"),
        other => panic!("not supported here: {other:?}"),
    }
}
