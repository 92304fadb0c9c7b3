//! Envoys over mutual TLS, while the control plane's certificate changes.
//!
//! The proof that a new certificate is in use is an Envoy that trusts nothing else.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{Isthmus, SOON, Source, objects};
use crate::testbed::pki::{Authority, Identity};
use crate::testbed::{Envoy, EnvoySpec, eventually, ports};

const NAME: &str = "isthmus-region-eu.isthmus-system";
const WEB: &str = "outbound|80||web.shop.svc.cluster.local";
const LIVE_LIMIT: Duration = Duration::from_secs(60);
/// An Envoy that is not let in must not give up waiting and call itself live.
const FOR_EVER: Duration = Duration::from_secs(3_600);
const HANDSHAKES: &str = "cluster.xds.ssl.handshake";

#[tokio::test(flavor = "multi_thread")]
async fn envoys_come_back_with_the_new_certificate() {
    let world = tempfile::tempdir().unwrap();
    let hub = [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["10.1.0.0/16"], &["10.101.0.0/16"])];
    write(world.path(), "hub.yaml", &hub.concat());
    set_pods(&world, 1);

    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let (clients, strangers) = (Authority::new("clients"), Authority::new("strangers"));
    let files = tempfile::tempdir().unwrap();
    write(files.path(), "ca.crt", &clients.pem());
    set_certificate(&files, &first.sign(NAME));
    let at = format!("127.0.0.1:{}", ports::free());
    let file = |name: &str| files.path().join(name).display().to_string();
    let flags = [
        format!("--xds-tls={at}"),
        format!("--tls-cert={}", file("tls.crt")),
        format!("--tls-key={}", file("tls.key")),
        format!("--tls-client-ca={}", file("ca.crt")),
        // Soon enough to see it happen, long enough to be of use meanwhile.
        "--max-connection-age=3".to_owned(),
    ];
    let mut region = Isthmus::region_with("eu", Source::Folder(world.path()), &flags);
    region.wait_ready().await;
    let at = at.parse().unwrap();

    let spec = |id: &str, octet: u8, trusts: &str, identity: &Identity| {
        let spec = EnvoySpec::new(id, "eu", "eu-a", at).metadata("LISTEN", format!("127.13.0.{octet}"));
        let spec = spec.tls(NAME, trusts, Some((&identity.cert, &identity.key)));
        EnvoySpec { first_config_limit: FOR_EVER, ..spec }
    };
    let both = [first.pem(), second.pem()].concat();
    let stays = Envoy::start(spec("stays", 1, &both, &clients.sign("stays"))).await;
    stays.wait_live(LIVE_LIMIT).await;
    has_pods(&stays, 1).await;

    // Neither may come in: one does not trust us, the other we do not.
    let mut waits = Envoy::start(spec("waits", 2, &second.pem(), &clients.sign("waits"))).await;
    let stranger = Envoy::start(spec("stranger", 3, &both, &strangers.sign("stranger"))).await;
    counts(&waits, "cluster.xds.ssl.fail_verify_error", 1).await;
    counts(&stranger, "cluster.xds.ssl.connection_error", 1).await;
    metric(&region, "isthmus_xds_handshakes_failed_total", 2.0).await;
    assert_eq!(waits.hosts(WEB).await, []);
    assert_eq!(stranger.hosts(WEB).await, []);

    let renewed = second.sign(NAME);
    set_certificate(&files, &renewed);
    metric(&region, "isthmus_tls_certificates_taken_total", 2.0).await;
    waits.wait_live(LIVE_LIMIT).await;
    has_pods(&waits, 1).await;

    // The one that was connected all the time comes back too, and goes on hearing what is new.
    let so_far = stays.stats(HANDSHAKES).await[HANDSHAKES];
    counts(&stays, HANDSHAKES, so_far + 1).await;
    metric(&region, "isthmus_xds_connections_aged_total", 1.0).await;
    set_pods(&world, 2);
    has_pods(&stays, 2).await;
    has_pods(&waits, 2).await;

    // A certificate whose key does not fit is reported, and changes nothing.
    let unfit = Identity { key: first.sign(NAME).key, ..renewed.clone() };
    set_certificate(&files, &unfit);
    metric(&region, "isthmus_tls_certificates_rejected_total", 1.0).await;
    let problems = region.page("/debug/problems").await;
    assert!(problems.contains("--tls-key") && problems.contains("does not belong to the certificate"), "{problems}");
    waits.restart().await;
    waits.wait_live(LIVE_LIMIT).await;
    has_pods(&waits, 2).await;

    assert_eq!(stranger.hosts(WEB).await, [], "and who may not come in never did");
    let log = region.log();
    for secret in [&renewed.key, &unfit.key].map(|key| key.lines().nth(1).unwrap().to_owned()) {
        assert!(!log.contains(&secret), "a key in the log");
    }
    region.must_run();
    assert_eq!(region.stop().await, Some(0));
}

/// As Kubernetes' tools and people do: one file after the other.
fn set_certificate(folder: &TempDir, identity: &Identity) {
    write(folder.path(), "tls.crt", &identity.cert);
    write(folder.path(), "tls.key", &identity.key);
}

fn set_pods(world: &TempDir, count: u8) {
    let pods: Vec<String> = (1..=count).map(|pod| format!("10.1.0.{pod}")).collect();
    let all =
        [objects::namespace("shop"), objects::federated("shop", "web"), objects::slice("shop", "web", &pods, "eu-a")];
    write(world.path(), "clusters/eu-1/web.yaml", &all.concat());
}

/// Whole, or not at all.
fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let part = path.with_extension("part");
    std::fs::write(&part, text).unwrap();
    std::fs::rename(part, path).unwrap();
}

async fn has_pods(envoy: &Envoy, count: usize) {
    let what = format!("{WEB} has {count} hosts");
    envoy
        .wait_until(&what, SOON, async |envoy| match envoy.hosts(WEB).await {
            hosts if hosts.len() == count => Ok(()),
            hosts => Err(format!("{hosts:?}")),
        })
        .await;
}

async fn counts(envoy: &Envoy, stat: &str, least: u64) {
    let what = format!("{stat} is {least} or more");
    envoy
        .wait_until(&what, SOON, async |envoy| {
            let found = envoy.stats("cluster.xds.ssl").await;
            if found.get(stat).is_some_and(|count| *count >= least) { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
}

async fn metric(region: &Isthmus, name: &str, least: f64) {
    let what = format!("{name} is {least} or more");
    eventually(&what, SOON, async || {
        let found = region.metrics().await.get(name).copied();
        if found.is_some_and(|value| value >= least) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}
