//! Files of version 1 that were written when it was made. If one of these tests fails, recordings and saved state that exist
//! can no longer be read: the change that made it fail must keep the old encoding, or be a new version.

use std::fmt::Write as _;

use federation::change::{Batch, Change, Delta, Epoch, LinkChange, LinkFailure, MemberChanges, MemberKind};
use federation::model::{
    Affinity, ClusterWeight, Digest, Failover, Families, Family, Federate, Health, Labels, Mark, Member, Owner, PodId,
    Policy, Service, Tier, Traffic, product,
};
use federation::testing::{TestFederation, make};

use crate::{decode, encode};

/// One frame after another, in hexadecimal digits, 32 bytes a line.
const GOLDEN: &str = include_str!("golden/version-1.hex");

#[test]
fn version_1_is_read_and_written_as_ever() {
    let batches = batches();
    let bytes: Vec<u8> = batches.iter().flat_map(|batch| encode(batch).expect("within the limits")).collect();
    if std::env::var_os("ISTHMUS_WRITE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/golden/version-1.hex");
        std::fs::write(path, hex(&bytes)).expect("written");
        return;
    }
    let golden = unhex(GOLDEN);
    let mut reader = crate::frame::Reader::new(&*golden);
    for batch in &batches {
        let at = reader.at();
        let frame = reader.next_frame().expect("whole").expect("one more");
        let found: Batch = crate::codec::from_bytes(frame.payload, frame.payload_at).expect("a batch");
        assert_eq!(&found, batch, "at byte {at}");
    }
    assert!(reader.next_frame().expect("the end").is_none());
    assert_eq!(hex(&bytes), GOLDEN, "the encoding has changed");
}

#[test]
fn every_golden_frame_is_a_batch_of_its_own() {
    for batch in batches() {
        assert_eq!(decode(&encode(&batch).expect("bytes")).expect("a batch"), batch);
    }
}

/// Every field of every type with a value that is not its default, and every variant.
fn batches() -> Vec<Batch> {
    let federation = TestFederation::new()
        .region("eu", &["us", "ap"])
        .member_object(member())
        .policy(policy())
        .namespace(
            "eu-1",
            federation::model::NamespaceObject {
                terminating: true,
                hint: Some("a hint".into()),
                helm: make::helm("shop/chart"),
                ..make::namespace("shop", "team=a tier=front")
            },
        )
        .service_object("eu-1", service())
        .slice("eu-1", slice())
        .export("eu-1", "shop/web", 4);
    let mut batches = federation.hub();
    let mut contents = federation;
    contents.contents("eu-1").nodes = vec![federation::model::Node {
        zone: Some(make::zone("z1")),
        ..make::addressed_node("n1", "10.0.1.0/24 fd00:1::/64", "172.16.0.1 fd00::1")
    }];
    contents.contents("eu-1").service_cidrs = vec![make::service_cidr("kubernetes", "10.96.0.0/16")];
    batches.extend(contents.listing("eu-1", 7));
    let of_member = |changes| Batch::Member { cluster: make::cluster("eu-1"), epoch: Epoch(u64::MAX), changes };
    let owners = [Owner::User, Owner::Lookalike, Owner::Adopted, Owner::Restored(make::mark("us-1", "hub", "shop/a"))];
    let owned = owners.into_iter().map(|owner| Change::Put(Service { owner, ..make::service("shop/api", ":80", "") }));
    let deleted = Change::Delete(make::key("shop/old"));
    batches.push(of_member(MemberChanges::Services(Delta::Partial(owned.chain([deleted]).collect()))));
    let rejected = vec![make::key("shop/bad")];
    batches.push(of_member(MemberChanges::Exports(Delta::Full { objects: Vec::new(), rejected })));
    let reasons = [
        LinkFailure::SecretMissing,
        LinkFailure::KubeconfigInvalid,
        LinkFailure::CredentialRefused,
        LinkFailure::Unreachable,
    ];
    for reason in reasons {
        batches.push(of_member(MemberChanges::Link(LinkChange::Down { reason, message: "why".into() })));
    }
    let kinds = MemberKind::DECIDING.into_iter().chain([MemberKind::Nodes, MemberKind::ServiceCidrs]);
    for kind in kinds {
        batches.push(of_member(MemberChanges::Unreadable { kind, message: "no right".into(), partly: true }));
    }
    batches
}

fn member() -> Member {
    Member {
        network: make::network("vpc-1"),
        exports: Some(make::patterns("team-a shop-* *")),
        traffic: Traffic::Drained,
        weight: Some(0),
        created: make::at(-5),
        generation: 3,
        recorded: Some(make::admission(9, "uid-eu-1", "10.0.0.0/16 fd00:1::/48", "10.96.0.0/16")),
        ..make::member("eu-1", "eu", "10.0.0.0/16 fd00:1::/48", "10.96.0.0/16")
    }
}

fn policy() -> Policy {
    use Tier::{Any, Cluster, Ordered, Region, Zone};
    let clusters = vec![ClusterWeight { cluster: make::cluster("eu-1"), weight: 7 }];
    Policy {
        created: make::at(2),
        namespaces: make::selector("team=a"),
        services: make::selector("tier=front"),
        reserved: make::nets("192.168.0.0/24"),
        strict_cidrs: true,
        failover: Failover { tiers: vec![Cluster, Zone, Region, Ordered, Any], clusters },
        ..make::policy("front", Federate::None)
    }
}

fn service() -> Service {
    let mark = Mark { helm_claimed: true, hub: Digest::from_bits(1), ..*make::mark("us-1 us-2", "", "shop/chart") };
    Service {
        created: make::at(3),
        labels: [("team", "a"), ("ü", "")].into_iter().collect::<Labels>(),
        families: Some(Families::Both(Family::V6)),
        affinity: Affinity::ClientIp { timeout_s: 10_800 },
        owner: Owner::Mirror(Box::new(mark)),
        node_local: true,
        derived_by: Some(product::LINKERD),
        hint: Some("".into()),
        helm: make::helm("shop/chart"),
        ..make::service("shop/web", "http:80=grpc dns:53/UDP sig:9/SCTP", "fd00::9 10.96.0.9")
    }
}

fn slice() -> federation::model::Slice {
    let texts = ["10.0.0.1@z1=a", "10.0.0.2@z2!", "10.0.0.3@node:n1~", "fd00::4@z1#"];
    let slice = make::slice("shop/web", "web-1", "http:8080 dns:5353/UDP", &texts);
    assert_eq!(slice.endpoints[0].pod, PodId::of("a"));
    assert!(slice.endpoints.iter().any(|endpoint| endpoint.health == Health::Ended));
    slice
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        line.iter().for_each(|byte| _ = write!(text, "{byte:02x}"));
        text.push('\n');
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("a byte");
    digits.chunks(2).map(byte).collect()
}
