//! What was recorded of a federation comes to what a control plane serves: the same resources by name and version, and
//! the same about every member.

use serde_json::Value;

use super::ads::{self, ASSIGNMENT, CLUSTER, LISTENER, SCOPE};
use crate::harness::recording::{Recording, Versions, members, versions};
use crate::harness::{Federation, Isthmus, SOON, Source, objects, run};
use crate::testbed::eventually;

/// The client: an Envoy in `eu-1`, as a node and as flags of a replay.
const CLIENT: [&str; 3] = ["--region=eu", "--zone=eu-a", "--cluster=eu-1"];

/// What the client is served.
async fn served(region: &Isthmus) -> Versions {
    let node = ads::node("eu", "eu-a", Some("eu-1"));
    let label = |url| match url {
        CLUSTER => "cds",
        ASSIGNMENT => "eds",
        LISTENER => "lds",
        SCOPE => "srds",
        other => panic!("{other} was not asked for"),
    };
    let all = ads::everything(region.xds(), &node).await;
    all.into_iter().map(|((url, name), (version, _))| ((label(url).to_owned(), name), version)).collect()
}

/// Waits until the recording, as far as it is there, comes to what is served; then ends it, and compares it whole.
async fn equal(region: &Isthmus, recording: &mut Recording) -> Versions {
    let so_far = [&CLIENT[..], &["--allow-cut"]].concat();
    eventually("the recording has all that is served", SOON, async || {
        let (live, replay) = (served(region).await, recording.replay(&so_far).await?);
        differing(&live, &versions(&replay))
    })
    .await;
    recording.stop().await;
    let (first, second) = (recording.replay(&CLIENT).await.unwrap(), recording.replay(&CLIENT).await.unwrap());
    assert_eq!(first, second, "two replays of one recording are equal byte for byte");
    let live = served(region).await;
    assert_eq!(differing(&live, &versions(&first)), Ok(()));
    let (document, page): (Value, Value) =
        (serde_json::from_str(&first).unwrap(), serde_json::from_str(&region.page("/debug/members").await).unwrap());
    assert_eq!(members(&document["members"]), members(&page));
    let page: Value = serde_json::from_str(&region.page("/debug/services").await).unwrap();
    assert_eq!(document["services"], page);
    live
}

/// Of the types that were asked for, everything.
fn differing(live: &Versions, replayed: &Versions) -> Result<(), String> {
    let kinds = ["cds", "eds", "lds", "srds"];
    let replayed: Versions = replayed
        .iter()
        .filter(|((kind, _), _)| kinds.contains(&kind.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let names = live.keys().chain(replayed.keys());
    let differing: Vec<_> = names.filter(|name| live.get(*name) != replayed.get(*name)).collect();
    if differing.is_empty() { Ok(()) } else { Err(format!("{differing:?}")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_a_folder_comes_to_what_is_served() {
    let world = tempfile::tempdir().unwrap();
    let member = |id: &str, region: &str, n: u8| {
        objects::member_cluster(id, region, &[&format!("10.{n}.0.0/16")], &[&format!("10.10{n}.0.0/16")])
    };
    let hub =
        [objects::region("eu", &["us"]), objects::region("us", &[]), member("eu-1", "eu", 1), member("us-1", "us", 2)];
    std::fs::write(world.path().join("hub.yaml"), hub.concat()).unwrap();
    for id in ["eu-1", "us-1"] {
        std::fs::create_dir_all(world.path().join("clusters").join(id)).unwrap();
    }
    let mark = "isthmus.dev/federate: 'true'";
    let web = objects::service("shop", "web", mark, "clusterIP: 10.101.0.9, ports: [{name: http, port: 80}]");
    std::fs::write(world.path().join("clusters/eu-1/web.yaml"), objects::namespace("shop") + &web).unwrap();
    std::fs::write(world.path().join("clusters/us-1/ns.yaml"), objects::namespace("shop")).unwrap();

    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    let mut recording = Recording::start(Source::Folder(world.path()), &[]);
    region.wait_ready().await;
    region.has_service("shop/web", &["eu-1"], 0).await;
    let api = objects::service("shop", "api", mark, "clusterIP: 10.102.0.9, ports: [{name: grpc, port: 9000}]");
    std::fs::write(world.path().join("clusters/us-1/api.yaml"), api).unwrap();
    region.has_service("shop/api", &["us-1"], 0).await;
    std::fs::remove_file(world.path().join("clusters/eu-1/web.yaml")).unwrap();
    eventually("web is gone", SOON, async || match region.services().await.contains_key("shop/web") {
        true => Err("it is there"),
        false => Ok(()),
    })
    .await;
    let live = equal(&region, &mut recording).await;
    assert!(live.keys().any(|(_, name)| name.contains("api")), "{live:?}");

    refused(&recording).await;
    region.must_run();
}

/// Files that are cut, damaged or none, and a file that exists already.
async fn refused(recording: &Recording) {
    let whole = std::fs::read(recording.file()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad");
    let name = path.to_string_lossy();
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    let cases: [(&[u8], &str); 4] = [
        (&whole[..whole.len() - 5], "it was cut"),
        (&damaged, "it is damaged"),
        (b"apiVersion: v1", "is no recording: at byte 0: begins with"),
        (b"", "is empty; expected a recording"),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&path, bytes).unwrap();
        let output = run(&["debug", "replay", &name]).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let output = run(&["debug", "replay", &name, "--allow-cut"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not all of the recording was played"));
    let output = run(&["debug", "record", "--world", &folder.path().to_string_lossy(), "--out", &name]).await;
    assert_eq!(output.status.code(), Some(2), "it would overwrite a file");
    assert!(!String::from_utf8(run(&["help"]).await.stdout).unwrap().contains("\n  debug"), "it is hidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_api_servers_comes_to_what_is_served() {
    let ids = ["eu-1", "us-1"];
    let federation = Federation::joined(&ids).await;
    let controller = federation.controller().await;
    federation.all_ready().await;
    federation.member("eu-1").serve("shop", "web", 2).await;
    for id in ids {
        federation.member(id).until_service("shop", "web", "is there", |_| true).await;
    }
    let kubeconfig = federation.hub_kubeconfig("isthmus-region");
    let mut recording = Recording::start(Source::Hub(&kubeconfig), &[]);
    let mut region = federation.region("eu").await;
    region.has_service("shop/web", &["eu-1"], 2).await;

    // Endpoints more, a service more, and one that goes, while it is recorded.
    federation.member("eu-1").serve("shop", "web", 3).await;
    federation.member("us-1").serve("shop", "api", 2).await;
    federation.member("us-1").serve("shop", "old", 1).await;
    region.has_service("shop/old", &["us-1"], 1).await;
    federation.member("us-1").withdraw("shop", "old").await;
    region.has_service("shop/web", &["eu-1"], 3).await;
    region.has_service("shop/api", &["us-1"], 2).await;
    federation.member("eu-1").until_gone("shop", "old").await;
    federation.member("eu-1").until_mirror("shop", "api", &["us-1"]).await;
    let live = equal(&region, &mut recording).await;
    for kind in ["cds", "eds", "lds"] {
        assert!(live.keys().any(|(found, _)| found == kind), "{kind}: {live:?}");
    }
    region.must_run();
    drop(controller);
}
