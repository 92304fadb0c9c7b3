//! Conversations, one for each line of the protocol checklist that they are named after: what a client sends, and what it
//! must be sent, in order, and nothing else.

mod delta;
mod expiry;
mod grpc;
mod kept;
mod model;
mod on_demand;
mod order;
mod rejection;
mod sotw;
mod unknown;
mod vhds;
mod xdstp;

use std::collections::HashMap;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use federation::Effects;

use super::*;
use crate::catalog::{Catalog, ClassSubscription};
use crate::class::Class;
use crate::resource::{Resource, version_text};
use crate::stats::Stats;
use crate::testing::*;

/// A client of a session that gets its snapshots from a real catalog.
pub(super) struct TestClient {
    catalog: Catalog,
    view: ClassSubscription,
    pub(super) session: Session,
    class: Class,
    /// The last nonce, by type.
    nonces: HashMap<ResourceType, String>,
    /// All nonces.
    nonces_seen: Vec<u64>,
}

impl TestClient {
    /// Services `a` and `b` in namespace `shop`, each with a port 80 and one endpoint.
    pub(super) fn new(variant: Variant) -> Self {
        Self::with(variant, None, services(vec![web("shop/a", &["10.8.0.1:80"]), web("shop/b", &["10.8.0.2:80"])]))
    }

    fn with(variant: Variant, member: Option<&str>, effects: Effects) -> Self {
        let mut catalog = Catalog::new(Arc::new(Stats::default()));
        catalog.apply(&two_members());
        catalog.apply(&effects);
        catalog.set_ready();
        Self::of(variant, class(member), catalog)
    }

    fn of(variant: Variant, class: Class, mut catalog: Catalog) -> Self {
        let session = Session::new(variant);
        let view = catalog.open(&class, session.interest().clone()).expect("a class");
        Self { catalog, view, session, class, nonces: HashMap::new(), nonces_seen: Vec::new() }
    }

    /// The same catalog, a new stream.
    fn reconnect(&mut self) {
        self.session = Session::new(self.session.variant());
        self.view = self.catalog.open(&self.class, self.session.interest().clone()).expect("a class");
        self.nonces.clear();
        self.nonces_seen.clear();
    }

    pub(super) fn apply(&mut self, effects: &Effects) -> Vec<String> {
        self.catalog.apply(effects);
        self.receive()
    }

    fn ask(&mut self, request: Result<Option<Request>, Refusal>) -> Vec<String> {
        let request = request.expect("a request").expect("a known type");
        self.session.on_request(request).expect("accepted");
        self.receive()
    }

    /// Time passes, and nothing else happens.
    fn wait(&mut self, time: Duration) -> Vec<String> {
        self.session.set_time(self.session.now + time);
        self.receive()
    }

    /// What is sent now, as `cds +a -b`; `~a` confirms what is there.
    fn receive(&mut self) -> Vec<String> {
        if let Some(snapshot) = self.view.snapshot() {
            self.session.on_snapshot(snapshot);
        }
        let sent = self.session.responses().expect("not too far behind");
        sent.into_iter().map(|response| self.note(&response)).collect()
    }

    fn note(&mut self, response: &Response) -> String {
        assert!(!self.nonces_seen.contains(&response.nonce), "C04: nonces are unique");
        self.nonces_seen.push(response.nonce);
        self.nonces.insert(response.resource_type, nonce_text(response.nonce));
        let sign = |r: &Resource| if r.is_nothing() && response.ttl.is_some() { '~' } else { '+' };
        let names =
            response.resources.iter().map(|r| (sign(r), r.name())).chain(response.removed.iter().map(|n| ('-', n)));
        let mut unique: Vec<_> = names.clone().map(|(_, name)| name).collect();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), names.clone().count(), "C29: no name twice, none both sent and removed");
        let names = names.chain(response.missing.iter().map(|name| ('?', name)));
        let names: String = names.map(|(sign, name)| format!(" {sign}{}", short(name))).collect();
        format!("{}{names}", response.resource_type.label())
    }

    pub(super) fn nonce(&self, t: ResourceType) -> String {
        self.nonces.get(&t).cloned().unwrap_or_default()
    }

    pub(super) fn version(&self, t: ResourceType, name: &str) -> String {
        let snapshot = self.view.snapshot().expect("a snapshot");
        version_text(snapshot.find(t, &long(name)).expect("a resource").version())
    }

    // Delta.

    pub(super) fn delta(&mut self, t: ResourceType, subscribe: &[&str], unsubscribe: &[&str]) -> Vec<String> {
        self.delta_full(t, subscribe, unsubscribe, &[], "", None)
    }

    pub(super) fn delta_full(
        &mut self,
        t: ResourceType,
        subscribe: &[&str],
        unsubscribe: &[&str],
        known: &[(&str, String)],
        nonce: &str,
        error: Option<&str>,
    ) -> Vec<String> {
        self.ask(Request::delta(DeltaDiscoveryRequest {
            type_url: t.url().to_owned(),
            resource_names_subscribe: subscribe.iter().map(|name| long(name)).collect(),
            resource_names_unsubscribe: unsubscribe.iter().map(|name| long(name)).collect(),
            initial_resource_versions: known.iter().map(|(name, version)| (long(name), version.clone())).collect(),
            response_nonce: nonce.to_owned(),
            error_detail: error.map(status),
            ..DeltaDiscoveryRequest::default()
        }))
    }

    pub(super) fn ack(&mut self, t: ResourceType) -> Vec<String> {
        self.delta_full(t, &[], &[], &[], &self.nonce(t), None)
    }

    pub(super) fn nack(&mut self, t: ResourceType) -> Vec<String> {
        self.delta_full(t, &[], &[], &[], &self.nonce(t), Some("no good"))
    }

    // State of the world.

    /// The first request of a client that has something from an earlier stream.
    pub(super) fn sotw_back(&mut self, t: ResourceType, names: &[&str]) -> Vec<String> {
        self.ask(Request::sotw(DiscoveryRequest {
            type_url: t.url().to_owned(),
            version_info: "an earlier one".to_owned(),
            resource_names: names.iter().map(|name| long(name)).collect(),
            ..DiscoveryRequest::default()
        }))
    }

    /// Names everything that is wanted, with the newest nonce.
    pub(super) fn sotw(&mut self, t: ResourceType, names: &[&str]) -> Vec<String> {
        self.sotw_full(t, names, &self.nonce(t), None)
    }

    pub(super) fn sotw_full(
        &mut self,
        t: ResourceType,
        names: &[&str],
        nonce: &str,
        error: Option<&str>,
    ) -> Vec<String> {
        self.ask(Request::sotw(DiscoveryRequest {
            type_url: t.url().to_owned(),
            resource_names: names.iter().map(|name| long(name)).collect(),
            response_nonce: nonce.to_owned(),
            error_detail: error.map(status),
            ..DiscoveryRequest::default()
        }))
    }
}

fn status(message: &str) -> envoy_types::pb::google::rpc::Status {
    envoy_types::pb::google::rpc::Status { code: 3, message: message.to_owned(), details: Vec::new() }
}

pub(super) const NOTHING: [&str; 0] = [];

/// `a` for `outbound|80||a.shop.svc.cluster.local`.
pub(super) fn short(name: &str) -> String {
    let middle = name.strip_prefix("outbound|80||").and_then(|rest| rest.strip_suffix(".shop.svc.cluster.local"));
    match (middle, name) {
        (Some(middle), _) => middle.to_owned(),
        (None, "BlackHoleCluster") => "hole".to_owned(),
        (None, "PassthroughCluster") => "pass".to_owned(),
        (None, name) => name.to_owned(),
    }
}

fn long(name: &str) -> String {
    match name {
        "*" | "egress" | "virtualOutbound" => name.to_owned(),
        name if name.contains(['|', ':', '/']) => name.to_owned(),
        name => format!("outbound|80||{name}.shop.svc.cluster.local"),
    }
}

fn node(id: &str) -> Node {
    Node { id: id.to_owned(), ..Node::default() }
}

#[test]
fn c01_the_first_request_needs_a_node_with_an_id_and_later_ones_do_not() {
    let mut session = Session::new(Variant::Delta);
    assert_eq!(session.identify(None, &defaults()), Err(NodeError::NoNode.into()));
    assert_eq!(session.identify(Some(&node("")), &defaults()), Err(NodeError::NoId.into()));
    let client = session.identify(Some(&node("web-1")), &defaults()).expect("accepted").expect("a client");
    assert_eq!(client.node_id, "web-1");
    assert_eq!(session.identify(None, &defaults()), Ok(None));
    assert_eq!(session.identify(Some(&node("")), &defaults()), Ok(None));
    assert_eq!(session.identify(Some(&node("web-1")), &defaults()), Ok(None));
}

#[test]
fn c02_a_stream_does_not_change_its_node() {
    let mut session = Session::new(Variant::Sotw);
    session.identify(Some(&node("web-1")), &defaults()).expect("accepted");
    let refusal = session.identify(Some(&node("web-2")), &defaults()).expect_err("refused").to_string();
    assert!(refusal.contains("web-1") && refusal.contains("web-2"), "{refusal}");
}

#[test]
fn c03_a_type_is_required_and_an_unknown_one_is_no_error() {
    assert_eq!(Request::sotw(DiscoveryRequest::default()), Err(Refusal::NoType));
    assert_eq!(Request::delta(DeltaDiscoveryRequest::default()), Err(Refusal::NoType));
    let type_url = "type.googleapis.com/envoy.service.runtime.v3.Runtime".to_owned();
    assert_eq!(Request::delta(DeltaDiscoveryRequest { type_url: type_url.clone(), ..<_>::default() }), Ok(None));
    assert_eq!(Request::sotw(DiscoveryRequest { type_url, ..<_>::default() }), Ok(None));
}

#[test]
fn subscriptions_are_bounded() {
    for variant in [Variant::Sotw, Variant::Delta] {
        let request = |names: Vec<String>| {
            let ask = match variant {
                Variant::Sotw => Ask::Sotw { names, returning: false },
                Variant::Delta => Ask::Delta { subscribe: names, unsubscribe: Vec::new(), known: Known::default() },
            };
            Request { resource_type: ResourceType::Assignment, nonce: String::new(), error: None, ask }
        };
        let many = request((0..=MAX_NAMES).map(|i| i.to_string()).collect());
        let refusal = Session::new(variant).on_request(many).expect_err("refused");
        assert_eq!(refusal, SubscriptionError::TooManyNames(ResourceType::Assignment).into());
        let long = request(vec!["x".repeat(MAX_NAME_LEN + 1)]);
        let refusal = Session::new(variant).on_request(long).expect_err("refused");
        assert_eq!(refusal, SubscriptionError::NameTooLong { found: MAX_NAME_LEN + 1 }.into());
    }
}

#[test]
fn c26_nothing_is_sent_before_there_is_a_snapshot() {
    for variant in [Variant::Sotw, Variant::Delta] {
        let mut session = Session::new(variant);
        let request = match variant {
            Variant::Sotw => Request::sotw(DiscoveryRequest {
                type_url: ResourceType::Cluster.url().to_owned(),
                ..DiscoveryRequest::default()
            }),
            Variant::Delta => Request::delta(DeltaDiscoveryRequest {
                type_url: ResourceType::Cluster.url().to_owned(),
                ..DeltaDiscoveryRequest::default()
            }),
        };
        session.on_request(request.expect("a request").expect("a known type")).expect("accepted");
        assert_eq!(session.responses(), Ok(Vec::new()));
    }
}
