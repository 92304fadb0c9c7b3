//! Bytes from anywhere: whatever they are, they are a request or an error, and never the end of the process.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use bytes::{BufMut, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::Locality;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value};
use http_body_util::Full;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::class::Client;
use crate::server::requests::Requests;
use crate::server::start_limits::StartLimits;
use crate::server::transport::Peer;
use crate::session::{RawRequest, Request, Session, Variant};
use crate::snapshot::Snapshot;

pub(super) const KEYS: [&str; 9] = [
    "CLUSTER_ID",
    "NAMESPACE",
    "NETWORK",
    "LISTEN",
    "INTERCEPTION_MODE",
    "CLUSTERS",
    "ENDPOINTS",
    "GENERATOR",
    "other",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "*", WEB, "1", "2", "eu-1", "REDIRECT", "eager", "127.0.0.1", "a"]).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => (0..2_000usize).prop_map(|len| "é".repeat(len)),
    ]
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..6)
}

fn type_url() -> impl Strategy<Value = String> {
    prop_oneof![8 => prop::sample::select(ResourceType::ALL.to_vec()).prop_map(url), 1 => text()]
}

fn value() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        4 => text().prop_map(Kind::StringValue),
        1 => any::<f64>().prop_map(Kind::NumberValue),
        1 => any::<bool>().prop_map(Kind::BoolValue),
        1 => any::<i32>().prop_map(Kind::NullValue),
        1 => Just(Kind::StructValue(Struct::default())),
        1 => Just(Kind::ListValue(ListValue::default())),
    ];
    prop::option::of(kind).prop_map(|kind| Value { kind })
}

fn any_node() -> impl Strategy<Value = Option<Node>> {
    let metadata = prop::collection::btree_map(prop::sample::select(KEYS.to_vec()), value(), 0..4);
    let metadata = metadata.prop_map(|fields: BTreeMap<_, _>| Struct {
        fields: fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    });
    let locality = (text(), text(), text()).prop_map(|(region, zone, sub_zone)| Locality { region, zone, sub_zone });
    let node = (text(), text(), prop::option::of(locality), prop::option::of(metadata));
    let node = node.prop_map(|(id, user_agent_name, locality, metadata)| Node {
        id,
        user_agent_name,
        locality,
        metadata,
        ..Node::default()
    });
    prop::option::of(node)
}

fn error() -> impl Strategy<Value = Option<rpc::Status>> {
    prop::option::of(text().prop_map(|message| rpc::Status { message, ..rpc::Status::default() }))
}

pub(super) fn sotw() -> impl Strategy<Value = xds::DiscoveryRequest> {
    (any_node(), type_url(), names(), text(), text(), error()).prop_map(
        |(node, type_url, resource_names, version_info, response_nonce, error_detail)| xds::DiscoveryRequest {
            node,
            type_url,
            resource_names,
            version_info,
            response_nonce,
            error_detail,
            ..xds::DiscoveryRequest::default()
        },
    )
}

pub(super) fn delta() -> impl Strategy<Value = xds::DeltaDiscoveryRequest> {
    let known = prop::collection::hash_map(text(), text(), 0..4);
    (any_node(), type_url(), names(), names(), known, text(), error()).prop_map(
        |(node, type_url, subscribe, unsubscribe, known, response_nonce, error_detail)| xds::DeltaDiscoveryRequest {
            node,
            type_url,
            resource_names_subscribe: subscribe,
            resource_names_unsubscribe: unsubscribe,
            initial_resource_versions: known as HashMap<_, _>,
            response_nonce,
            error_detail,
            ..xds::DeltaDiscoveryRequest::default()
        },
    )
}

/// Bytes that were changed here and there: (where, to what), and what is cut off at the end.
fn mutated(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8)], cut: prop::sample::Index) -> Vec<u8> {
    for (at, to) in changes {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = *to;
        }
    }
    bytes.truncate(bytes.len() - cut.index(bytes.len().max(1)).min(bytes.len()) / 4);
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)
}

/// Reads all of a body as the server does, and does with each request what a stream would do. Returns how many were served.
pub(super) fn read(variant: Variant, body: Vec<u8>) -> usize {
    let body = Full::new(Bytes::from(body));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a clock");
    let _clock = runtime.enter();
    let mut requests = Requests::new(body, variant, Peer::alone(([127, 0, 0, 1], 1).into()), StartLimits::default());
    let mut session = session(variant);
    let mut cx = Context::from_waker(Waker::noop());
    for served in 0.. {
        let Poll::Ready(message) = pin!(requests.next()).poll(&mut cx) else { panic!("all of the body is there") };
        let Ok(Some(request)) = message else { return served };
        if apply(&mut session, request).is_err() {
            return served;
        }
    }
    0
}

fn raw(variant: Variant, request: &impl Message) -> RawRequest {
    RawRequest::read(variant, &request.encode_to_vec()).expect("a request")
}

/// A session whose client may have anything of a small catalog.
fn session(variant: Variant) -> Session {
    static SNAPSHOT: OnceLock<Arc<Snapshot>> = OnceLock::new();
    let snapshot = SNAPSHOT.get_or_init(|| {
        let mut catalog = Catalog::new(Arc::new(Stats::default()));
        catalog.apply(&two_members());
        catalog.apply(&services(vec![web("shop/web", &["10.8.0.1:80"])]));
        catalog.set_ready();
        let view = catalog.open(&class(None), Arc::default()).expect("a class");
        view.snapshot().expect("a snapshot")
    });
    let mut session = Session::new(variant);
    session.on_snapshot(snapshot.clone());
    session
}

fn apply(session: &mut Session, request: RawRequest) -> Result<(), crate::session::Refusal> {
    session.identify(request.node.as_ref(), &defaults())?;
    if let Some(request) = request.into_request()? {
        session.on_request(request)?;
    }
    session.responses()?;
    for t in ResourceType::ALL {
        session.status(t);
        session.inspect().held(t);
    }
    Ok(())
}

pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).expect("short"));
    body.put_slice(message);
    body.to_vec()
}

/// What is read here arrives where it should, or the properties below would show nothing.
#[test]
fn undamaged_requests_are_served() {
    let sotw = xds::DiscoveryRequest { node: node("web-1"), type_url: url(ResourceType::Cluster), ..<_>::default() };
    let two = framed(&sotw.encode_to_vec()).repeat(2);
    assert_eq!(read(Variant::Sotw, two.clone()), 2);
    assert_eq!(read(Variant::Sotw, two[..two.len() - 1].to_vec()), 1);
    let delta =
        xds::DeltaDiscoveryRequest { node: node("web-1"), type_url: url(ResourceType::Scope), ..<_>::default() };
    assert_eq!(read(Variant::Delta, framed(&delta.encode_to_vec())), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bodies(body in prop::collection::vec(any::<u8>(), 0..600)) {
        read(Variant::Sotw, body.clone());
        read(Variant::Delta, body);
    }

    #[test]
    fn arbitrary_messages(message in prop::collection::vec(any::<u8>(), 0..600)) {
        read(Variant::Sotw, framed(&message));
        read(Variant::Delta, framed(&message));
    }

    #[test]
    fn valid_requests_damaged(
        sotw in sotw(), delta in delta(), changes in changes(), cut in any::<prop::sample::Index>(),
    ) {
        // Inside the frame, so that it arrives, and the frame itself.
        for (variant, message) in [(Variant::Sotw, sotw.encode_to_vec()), (Variant::Delta, delta.encode_to_vec())] {
            let inside = framed(&mutated(message.clone(), &changes, cut));
            let outside = mutated(framed(&message), &changes, cut);
            for body in [inside, outside] {
                read(variant, body);
            }
        }
    }

    #[test]
    fn requests_of_any_content_in_any_order_sotw(requests in prop::collection::vec(sotw(), 1..12)) {
        let mut session = session(Variant::Sotw);
        let _ = requests.into_iter().try_for_each(|request| apply(&mut session, raw(Variant::Sotw, &request)));
    }

    #[test]
    fn requests_of_any_content_in_any_order_delta(requests in prop::collection::vec(delta(), 1..12)) {
        let mut session = session(Variant::Delta);
        let _ = requests.into_iter().try_for_each(|request| apply(&mut session, raw(Variant::Delta, &request)));
    }

    #[test]
    fn nodes_of_any_content(node in any_node(), incremental in any::<bool>()) {
        if let Some(node) = node {
            let client = Client::from_node(&node, &defaults(), incremental);
            // What is read is what was given, and the rest is an error with a short text.
            match client {
                Ok(client) => prop_assert_eq!(client.node_id, node.id),
                Err(error) => prop_assert!(error.to_string().len() < 1_000, "{}", error),
            }
        }
    }

    #[test]
    fn requests_without_a_type_are_refused_and_others_read(sotw in sotw(), delta in delta()) {
        prop_assert_eq!(Request::sotw(sotw.clone()).is_err(), sotw.type_url.is_empty());
        prop_assert_eq!(Request::delta(delta.clone()).is_err(), delta.type_url.is_empty());
    }
}
