//! `isthmus proxy`, about a scripted client that takes its clusters and rejects its load assignments.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::world::world;
use crate::harness::ads::{ASSIGNMENT, AdsClient, CLUSTER};
use crate::harness::{Isthmus, SOON, Source, run};
use crate::testbed::eventually;

const WEB: &str = "outbound|80||web.shop.svc.cluster.local";
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `isthmus proxy` on these replicas.
async fn proxy(admins: &[SocketAddr], args: &[&str]) -> (Option<i32>, String, String) {
    let admins: Vec<String> = admins.iter().map(|admin| format!("--admin=http://{admin}")).collect();
    let args: Vec<&str> =
        ["proxy"].into_iter().chain(args.iter().copied()).chain(admins.iter().map(|a| &**a)).collect();
    let output = run(&args).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn proxies_are_listed_shown_and_dumped() {
    let world = world();
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    let admin = [region.admin()];
    let (code, out, _) = proxy(&admin, &[]).await;
    assert_eq!(code, Some(0), "no proxy is connected, and that is not an error: {out}");
    assert!(out.starts_with("no proxies are connected"), "{out}");

    // An id that a path cannot hold as it is.
    let node = "team/web 1";
    let mut client = AdsClient::open(region.xds()).await;
    client.take(node, CLUSTER, &[], None).await;
    client.take(node, ASSIGNMENT, &[WEB, "no such thing"], Some("not\n\u{1b}[31mmine")).await;
    eventually("the rejection is known", SOON, async || {
        let (code, out, error) = proxy(&admin, &["-o", "json"]).await;
        if code == Some(1) { Ok(()) } else { Err(format!("{code:?} {out} {error}")) }
    })
    .await;

    let (_, out, _) = proxy(&admin, &[]).await;
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split("   ").map(str::trim).collect()).collect();
    assert_eq!(lines[0].first(), Some(&"NODE"), "{out}");
    assert!(out.contains("CDS") && out.contains("REJECTED(1)") && out.contains("SYNCED"), "{out}");
    assert!(
        out.contains("team/web 1 rejects eds: not\\n\\u{1b}[31mmine"),
        "what clients say steers no terminal: {out:?}"
    );
    assert!(!out.contains('\u{1b}'), "no colours when the output is not a terminal: {out:?}");

    let (code, out, _) = proxy(&admin, &[node, "-o", "json"]).await;
    let detail = json(&out);
    assert_eq!((code, &detail["proxy"]["node"]), (Some(1), &node.into()));
    let types = detail["proxy"]["types"].as_array().unwrap();
    let states: Vec<(&str, &str)> =
        types.iter().map(|t| (t["type"].as_str().unwrap(), t["state"].as_str().unwrap())).collect();
    assert_eq!(states, [("cds", "SYNCED"), ("eds", "REJECTED")]);
    assert_eq!(types[0]["version"], types[0]["ackedVersion"]);
    assert_eq!((&types[1]["ackedVersion"], &types[1]["lastError"]["count"]), (&Value::Null, &1.into()));
    let resources = detail["resources"].as_array().unwrap();
    let state = |kind: &str, name: &str| {
        let found = resources.iter().find(|found| found["type"] == kind && found["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {resources:?}"))["state"].as_str().unwrap()
    };
    assert_eq!((state("cds", WEB), state("eds", WEB), state("eds", "no such thing")), ("SYNCED", "ERROR", "NOT_SENT"));
    let (_, out, _) = proxy(&admin, &[node]).await;
    assert!(out.contains("eds was rejected once") && out.contains("no such thing"), "{out}");

    let (code, out, error) = proxy(&admin, &[node, "--dump", "--type", "eds"]).await;
    assert_eq!(code, Some(0), "{error}");
    let dump = json(&out);
    let [load] = &dump["resources"].as_array().unwrap()[..] else { panic!("one load assignment: {dump:#}") };
    assert_eq!((&load["name"], &load["state"]), (&WEB.into(), &"ERROR".into()));
    assert_eq!(load["resource"]["clusterName"], WEB);
    let host = &load["resource"]["endpoints"][0]["lbEndpoints"][0]["endpoint"]["address"]["socketAddress"];
    assert_eq!(host["address"], "10.1.0.1");
    let (_, out, _) = proxy(&admin, &[node, "--dump", "-o", "yaml"]).await;
    let dump: Value = serde_saphyr::from_str(&out).unwrap();
    assert_eq!(dump["resources"].as_array().unwrap().len(), 4, "three clusters, one load assignment: {out}");

    // Disconnected, but its rejections are remembered; and a listing of others exits with 0 again.
    drop(client);
    eventually("the client is gone", SOON, async || {
        let (code, out, _) = proxy(&admin, &["-o", "json"]).await;
        if code == Some(0) && json(&out).as_array().unwrap().is_empty() { Ok(()) } else { Err(out) }
    })
    .await;
    let (code, out, _) = proxy(&admin, &[node]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("no; its last rejections are remembered") && out.contains("[31mmine"), "{out}");
}

#[tokio::test]
async fn several_replicas_are_asked_and_mistakes_are_reported() {
    let world = world();
    let mut replicas =
        [Isthmus::region("eu", Source::Folder(world.path())), Isthmus::region("eu", Source::Folder(world.path()))];
    for replica in &mut replicas {
        replica.wait_ready().await;
    }
    let admins = [replicas[0].admin(), replicas[1].admin()];
    let mut clients = [AdsClient::open(replicas[0].xds()).await, AdsClient::open(replicas[1].xds()).await];
    clients[0].take("web-1", CLUSTER, &[], None).await;
    clients[1].take("web-2", CLUSTER, &[], None).await;
    let (code, out, _) = proxy(&admins, &["-o", "json"]).await;
    let listed = json(&out);
    let found: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|proxy| (proxy["node"].as_str().unwrap(), proxy["admin"].as_str().unwrap()))
        .collect();
    let expected = [format!("http://{}", admins[0]), format!("http://{}", admins[1])];
    assert_eq!((code, found), (Some(0), vec![("web-1", &*expected[0]), ("web-2", &*expected[1])]));
    let (code, out, _) = proxy(&admins, &["web-2"]).await;
    assert_eq!(code, Some(0), "found on the second one: {out}");
    assert!(out.contains(&expected[1]), "{out}");

    let (code, _, error) = proxy(&admins, &["no-such"]).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("no proxy \"no-such\" is connected"), "{error}");
    let (code, _, error) = proxy(&admins, &["no-such", "--dump"]).await;
    assert_eq!(code, Some(1), "{error}");
    let (code, _, error) = proxy(&admins, &["web-1", "--dump", "--type", "xds"]).await;
    assert_eq!(code, Some(2));
    assert!(error.contains("cds, eds, leds, lds, srds, rds"), "{error}");
    let output = run(&["proxy", "--admin=localhost:15014"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));

    // One that is down is reported, and the others are listed all the same.
    let [_first, second] = replicas;
    assert_eq!(second.stop().await, Some(0));
    let (code, out, error) = proxy(&admins, &[]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("web-1") && error.contains(&expected[1]), "{out} {error}");
    let page = crate::testbed::http::get(admins[0], "localhost", "/debug/proxies/web-1/dump?kind=cds", PATIENCE).await;
    assert_eq!(page.unwrap().status, 400);
}
