//! A control plane that starts while a member cannot be reached: what proxies have of it goes on working, readiness says
//! what is missing, and what is really gone goes once that is known.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::files::replace;
use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, Traffic, eventually, http};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
const PAGE_LIMIT: Duration = Duration::from_secs(5);
const PER_SECOND: u32 = 40;
const NEAR: &str = "127.8.41.1";
const FAR: &str = "127.9.41.1";
/// How long it is watched that nothing is lost.
const WATCHED: Duration = Duration::from_secs(4);

/// `near` is backed by both members, `far` by `us-1` alone.
fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    let members = [
        objects::region("eu", &["us"]),
        objects::region("us", &[]),
        objects::member_cluster("eu-1", "eu", &["127.8.0.0/16"], &["10.100.0.0/16"]),
        objects::member_cluster("us-1", "us", &["127.9.0.0/16"], &["10.101.0.0/16"]),
    ];
    replace(world.path(), "hub.yaml", &members.concat());
    let near = |pod: &str, zone: &str| {
        [
            objects::namespace("shop"),
            objects::federated("shop", "near"),
            objects::slice("shop", "near", &[pod.to_owned()], zone),
        ]
        .concat()
    };
    replace(&world.path().join("clusters/eu-1"), "near.yaml", &near(NEAR, "eu-a"));
    replace(&world.path().join("clusters/us-1"), "near.yaml", &near(FAR, "us-a"));
    replace(&world.path().join("clusters/us-1"), "far.yaml", &far());
    world
}

fn far() -> String {
    objects::federated("shop", "far") + &objects::slice("shop", "far", &[FAR.to_owned()], "us-a")
}

fn away(world: &Path, from: &str, to: &str) {
    std::fs::rename(world.join(from), world.join(to)).unwrap();
}

async fn readyz(plane: &Isthmus) -> (u16, String) {
    let answer = http::get(plane.admin(), "localhost", "/readyz", PAGE_LIMIT).await;
    answer.map_or_else(|error| (0, error), |answer| (answer.status, answer.body))
}

async fn until_says(plane: &Isthmus, status: u16, texts: &[&str]) {
    eventually(&format!("readyz says {status} and {texts:?}"), SOON, async || {
        let (found, body) = readyz(plane).await;
        if found == status && texts.iter().all(|text| body.contains(text)) {
            Ok(())
        } else {
            Err(format!("{found} {body}"))
        }
    })
    .await;
}

async fn until_connected(envoy: &Envoy) {
    eventually("the proxy is connected", SOON, async || {
        let connected = envoy.stats("control_plane.connected_state").await;
        if connected.values().all(|state| *state == 1) && !connected.is_empty() {
            Ok(())
        } else {
            Err(format!("{connected:?}"))
        }
    })
    .await;
}

/// No request failed through any of the proxies; prints for each that lost some how many, since when, and its counters.
async fn nothing_was_lost(proxies: &[(&str, Envoy, Traffic)], began: Instant, when: &str) {
    let mut lost = String::new();
    for (name, envoy, traffic) in proxies {
        let errors = traffic.so_far().since(began).errors();
        if let Some((first, text)) = errors.first() {
            let counters = ["update_success", "update_attempt", "config_reload", "active_scopes", "on_demand_scopes"];
            let stats: Vec<_> = envoy.stats("(rds|srds|lds|cds)").await.into_iter().collect();
            let stats: Vec<_> =
                stats.into_iter().filter(|(name, _)| counters.iter().any(|end| name.contains(end))).collect();
            lost += &format!(
                "{name}: {} errors, the first {:?} after the kill: {text}; {stats:?}\n",
                errors.len(),
                *first - began
            );
        }
    }
    assert!(lost.is_empty(), "{when}:\n{lost}");
}

/// One proxy of each kind, with traffic to `far` that flows.
async fn proxies_of(plane: &Isthmus, addresses: &str) -> Vec<(&'static str, Envoy, Traffic)> {
    let kinds = [("eager", true, "eager"), ("on-demand", true, "on-demand"), ("sotw", false, "eager")];
    let mut proxies = Vec::new();
    for (number, (name, delta, clusters)) in (1..).zip(kinds) {
        let listen = format!("{addresses}.{number}");
        let spec = EnvoySpec::new(name, "eu", "eu-a", plane.xds());
        let spec = spec.metadata("CLUSTER_ID", "eu-1").metadata("INTERCEPTION_MODE", "NONE");
        let spec = spec.metadata("LISTEN", listen.clone()).metadata("CLUSTERS", clusters);
        let envoy = Envoy::start(if delta { spec } else { spec.state_of_the_world() }).await;
        envoy.wait_live(LIVE_LIMIT).await;
        let traffic = Traffic::start(format!("{listen}:15080").parse().unwrap(), "far.shop", PER_SECOND);
        proxies.push((name, envoy, traffic));
    }
    for (name, _, traffic) in &proxies {
        eventually(&format!("{name}: traffic flows"), SOON, async || {
            let answered = traffic.so_far().by_identity();
            if answered.get("far").is_some_and(|count| *count > 20) { Ok(()) } else { Err(format!("{answered:?}")) }
        })
        .await;
    }
    proxies
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proxies_have_of_a_member_that_is_away_at_a_restart_goes_on_working() {
    let world = world();
    let flags = ["--sync-deadline=1", "--member-deadline=600"].map(str::to_owned);
    let mut plane = Isthmus::region_with("eu", Source::Folder(world.path()), &flags);
    plane.wait_ready().await;
    let _pods = [
        Backend::start(format!("{NEAR}:8080").parse().unwrap(), "near").await,
        Backend::start(format!("{FAR}:8080").parse().unwrap(), "far").await,
    ];
    let proxies = proxies_of(&plane, "127.0.41").await;

    // us-1 is away when a new process starts.
    let began = Instant::now();
    plane.kill();
    away(world.path(), "clusters/us-1", "us-1.away");
    plane.restart();
    until_says(&plane, 503, &["serving, but not ready before", "us-1: Unreachable: there is no folder"]).await;
    for (_, envoy, _) in &proxies {
        until_connected(envoy).await;
    }
    tokio::time::sleep(WATCHED).await;
    nothing_was_lost(&proxies, began, "while us-1 is away").await;
    let status = crate::harness::run(&["status", "--admin", &format!("http://{}", plane.admin())]).await;
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("not all is known: serving, but not ready") && text.contains("us-1"), "{text}");
    assert_eq!(plane.metrics().await["isthmus_unknown_members"], 1.0);

    // It is back: nothing moves, and the process is ready.
    away(world.path(), "us-1.away", "clusters/us-1");
    until_says(&plane, 200, &["ok\n"]).await;
    nothing_was_lost(&proxies, began, "when us-1 is back").await;

    // Away again at a restart, and when it is back the service is really gone.
    plane.kill();
    away(world.path(), "clusters/us-1", "us-1.away");
    plane.restart();
    until_says(&plane, 503, &["us-1"]).await;
    for (_, envoy, _) in &proxies {
        until_connected(envoy).await;
    }
    std::fs::remove_file(world.path().join("us-1.away/far.yaml")).unwrap();
    away(world.path(), "us-1.away", "clusters/us-1");
    until_says(&plane, 200, &["ok\n"]).await;
    for (name, _, traffic) in proxies {
        eventually(&format!("{name}: what is gone is gone"), SOON, async || {
            let newest = traffic.so_far().samples.into_iter().rev().take(5).collect::<Vec<_>>();
            if newest.iter().all(|sample| sample.outcome.is_err()) { Ok(()) } else { Err(format!("{newest:?}")) }
        })
        .await;
    }
}

/// A member whose folder is there, with a file that a failed dump left empty, or one that was cut off.
#[tokio::test(flavor = "multi_thread")]
async fn what_proxies_have_of_a_file_that_is_broken_at_a_restart_goes_on_working() {
    let world = world();
    let flags = ["--sync-deadline=1", "--member-deadline=600"].map(str::to_owned);
    let mut plane = Isthmus::region_with("eu", Source::Folder(world.path()), &flags);
    plane.wait_ready().await;
    let _pod = Backend::start(format!("{FAR}:8081").parse().unwrap(), "far").await;
    let file = world.path().join("clusters/us-1/far.yaml");
    let far = far().replace("port: 8080", "port: 8081");
    assert_ne!(far, self::far());
    std::fs::write(&file, &far).unwrap();
    let proxies = proxies_of(&plane, "127.0.42").await;

    let began = Instant::now();
    let half = far.get(..far.find("addressType").unwrap()).unwrap().to_owned() + "endpoints: [";
    for (text, found) in [(String::new(), "an empty file"), (half, "a document that cannot be parsed")] {
        plane.kill();
        std::fs::write(&file, text).unwrap();
        plane.restart();
        let why = format!("far.yaml: found {found}");
        until_says(&plane, 503, &["serving, but not ready before", "us-1: KindUnreadable", &why]).await;
        // What the member's other files say is served.
        plane.has_service("shop/near", &["eu-1", "us-1"], 2).await;
        for (_, envoy, _) in &proxies {
            until_connected(envoy).await;
        }
        tokio::time::sleep(WATCHED).await;
        nothing_was_lost(&proxies, began, found).await;
        std::fs::write(&file, &far).unwrap();
        until_says(&plane, 200, &["ok\n"]).await;
        plane.has_service("shop/far", &["us-1"], 1).await;
        nothing_was_lost(&proxies, began, "when the file is whole again").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_stays_away_does_not_block_for_ever_and_its_deletion_is_knowledge() {
    let world = world();
    away(world.path(), "clusters/us-1", "us-1.away");
    let flags = ["--sync-deadline=1", "--member-deadline=3"].map(str::to_owned);
    let plane = Isthmus::region_with("eu", Source::Folder(world.path()), &flags);
    until_says(&plane, 503, &["waiting for members, nothing is served before", "us-1"]).await;
    until_says(&plane, 503, &["serving, but not ready before", "us-1"]).await;
    until_says(&plane, 200, &["ok, but these members are not known", "us-1: Unreachable"]).await;
    let members = [
        objects::region("eu", &["us"]),
        objects::region("us", &[]),
        objects::member_cluster("eu-1", "eu", &["127.8.0.0/16"], &["10.100.0.0/16"]),
    ];
    replace(world.path(), "hub.yaml", &members.concat());
    until_says(&plane, 200, &["ok\n"]).await;
}
