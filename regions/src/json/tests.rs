use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use federation::model::{AppProtocol, Protocol};
use prost::Message;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use serde_json::Value;

use super::*;
use crate::catalog::Catalog;
use crate::class::{Class, Profile};
use crate::interest::Interest;
use crate::stats::Stats;
use crate::testing::*;

/// Set to write the descriptions again, after the crate or what is served has changed.
const WRITE: &str = "ISTHMUS_WRITE_DESCRIPTORS";
/// Files with messages that resources hold as `Any`.
const ROOTS: [&str; 14] = [
    "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/filters/http/on_demand/v3/on_demand.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/listener/original_dst/v3/original_dst.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.proto",
    "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
    "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.proto",
    "envoy/extensions/matching/common_inputs/network/v3/network_inputs.proto",
    "envoy/extensions/matching/input_matchers/ip/v3/ip.proto",
    "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto",
    "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
];

/// The output of a program such as `cargo`.
fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(std::env::var_os(program.to_uppercase()).unwrap_or_else(|| program.into()))
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The folder of a dependency's source.
fn source_of(package: &str) -> PathBuf {
    // For this platform only, so that little has to be downloaded if this crate is tested by itself.
    let version = output_of("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a platform");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let args = ["--format-version=1", "--locked", "--filter-platform", host, "--manifest-path", manifest];
    let metadata = output_of("cargo", &[&["metadata"], &args[..]].concat());
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let found = packages.iter().find(|found| found["name"] == package).expect("a dependency");
    Path::new(found["manifest_path"].as_str().expect("a path")).parent().expect("a folder").to_owned()
}

/// Whether a file declares the message of a resource type.
fn declares_resource(file: &FileDescriptorProto) -> bool {
    let names = file.message_type.iter().map(|message| format!("{}.{}", file.package(), message.name()));
    names.into_iter().any(|name| ResourceType::ALL.iter().any(|t| t.message() == name))
}

/// The roots, the files of all resource types, and what they import, without comments and without options of other makers.
fn wanted() -> Vec<u8> {
    let all = std::fs::read(source_of("envoy-types").join("src/generated/types.bin")).expect("the descriptors");
    let all = FileDescriptorSet::decode(&*all).expect("a set of descriptors");
    let by_name: BTreeMap<&str, &FileDescriptorProto> = all.file.iter().map(|file| (file.name(), file)).collect();
    let resources = all.file.iter().filter(|file| declares_resource(file)).map(FileDescriptorProto::name);
    let mut open: Vec<&str> = resources.chain(ROOTS).collect();
    let mut names = BTreeSet::new();
    while let Some(name) = open.pop() {
        if names.insert(name) {
            let file = by_name.get(name).unwrap_or_else(|| panic!("no {name}"));
            open.extend(file.dependency.iter().map(String::as_str));
        }
    }
    let file = all.file.iter().filter(|file| names.contains(file.name())).cloned();
    let file = file.map(|file| FileDescriptorProto { source_code_info: None, ..file }).collect();
    FileDescriptorSet { file }.encode_to_vec()
}

#[test]
fn descriptions_are_those_of_the_crate() {
    let wanted = wanted();
    if std::env::var_os(WRITE).is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/json/descriptors.bin");
        std::fs::write(path, &wanted).expect("written");
        return;
    }
    assert!(wanted == DESCRIPTORS, "src/json/descriptors.bin is outdated; run this test with {WRITE}=1");
}

/// A catalog in which everything that can be served is served.
fn catalog() -> Catalog {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    let backends = || vec![backend("eu-1", "eu-a", &["10.8.0.1:80", "10.8.0.2:80!", "10.8.0.3:80~"])];
    let ports = [AppProtocol::Http, AppProtocol::Http2, AppProtocol::Tcp];
    let ports = (80u16..).zip(ports).map(|(number, app)| port(number, app, backends())).collect::<Vec<_>>();
    assert!(ports.iter().all(|port| port.protocol == Protocol::Tcp));
    catalog.apply(&services(vec![merged("shop/web", ports)]));
    catalog.apply(&vips("eu-1", "shop/web", &["10.12.0.1"], &[80, 81, 82], true));
    catalog.set_ready();
    catalog
}

fn classes() -> Vec<Class> {
    let mut leds = class(None);
    if let Profile::Envoy(envoy) = &mut leds.profile {
        envoy.leds = true;
    }
    vec![class(None), class(Some("eu-1")), on_demand(), leds, vhds(), Class { profile: Profile::Grpc, ..class(None) }]
}

/// Type URLs of all `Any`s, however deep.
fn types(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("@type").and_then(Value::as_str).map(str::to_owned));
            assert!(!(fields.contains_key("typeUrl") && fields.contains_key("value")), "an `Any` as it is: {value}");
            fields.values().for_each(|value| types(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| types(value, into)),
        _ => {}
    }
}

#[test]
fn whatever_is_served_can_be_shown() {
    let mut catalog = catalog();
    let reader = Reader::new().expect("descriptions");
    let (mut seen, mut anys) = (BTreeSet::new(), BTreeSet::new());
    for class in classes() {
        let view = catalog.open(&class, Arc::new(Interest::default())).expect("a class");
        let snapshot = view.snapshot().expect("a snapshot");
        for t in ResourceType::ALL {
            let named = [
                "outbound|80||web.shop.svc.cluster.local",
                "vip|10.12.0.1:82",
                "web.shop.svc.cluster.local:80",
                "no.shop.svc.cluster.local:80",
                "egress/web.shop",
            ];
            let named = named.into_iter().filter_map(|name| snapshot.find(t, name));
            for resource in snapshot.of(t).under("").cloned().chain(named) {
                let shown = reader.json(t, &resource).unwrap_or_else(|error| panic!("{resource:?}: {error:?}"));
                types(&serde_json::from_str(shown.get()).expect("JSON"), &mut anys);
                seen.insert(t.label());
            }
        }
    }
    assert_eq!(seen.len(), ResourceType::ALL.len(), "{seen:?}");
    assert!(anys.len() >= 9, "{anys:?}");
    assert!(anys.contains("type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"), "{anys:?}");
}

#[test]
fn field_names_are_those_of_proto_json() {
    let mut catalog = catalog();
    let view = catalog.open(&class(None), Arc::new(Interest::default())).expect("a class");
    let name = "outbound|80||web.shop.svc.cluster.local";
    let load = view.snapshot().expect("a snapshot").find(ResourceType::Assignment, name).expect("a load assignment");
    let shown = Reader::new().expect("descriptions").json(ResourceType::Assignment, &load).expect("shown");
    let shown: Value = serde_json::from_str(shown.get()).expect("JSON");
    assert_eq!(shown["clusterName"], name);
    let host = &shown["endpoints"][0]["lbEndpoints"][1];
    assert_eq!(host["healthStatus"], "UNHEALTHY");
    assert_eq!(host["endpoint"]["address"]["socketAddress"]["portValue"], 80);
}
