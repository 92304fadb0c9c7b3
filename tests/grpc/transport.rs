//! Mutual TLS to the control plane, and connections that it ends in good order all the time.

use serde_json::json;

use super::peer::{Library, Peer};
use super::test_region::State::{NotReady, Ready};
use super::test_region::TestRegion;
use crate::harness::SOON;
use crate::harness::files::replace;
use crate::testbed::pki::Authority;
use crate::testbed::{eventually, ports};

const NAME: &str = "localhost";
const ROUNDS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn c55_calls_and_news_survive_connections_that_end() {
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str| files.path().join(name).display().to_string();
    let (ours, theirs, strangers) = (Authority::new("ours"), Authority::new("theirs"), Authority::new("strangers"));
    for (name, identity) in
        [("server", ours.sign(NAME)), ("client", theirs.sign("peer")), ("stranger", strangers.sign("peer"))]
    {
        replace(files.path(), &format!("{name}.crt"), &identity.cert);
        replace(files.path(), &format!("{name}.key"), &identity.key);
    }
    replace(files.path(), "ours.crt", &ours.pem());
    replace(files.path(), "theirs.crt", &theirs.pem());
    let port = ports::free();
    let setup = TestRegion::start_with(&[
        format!("--xds-tls=127.0.0.1:{port}"),
        format!("--tls-cert={}", file("server.crt")),
        format!("--tls-key={}", file("server.key")),
        format!("--tls-client-ca={}", file("theirs.crt")),
        "--max-connection-age=1".to_owned(),
    ])
    .await;
    let credentials = |identity: &str| {
        json!({"type": "tls", "config": {
            "ca_certificate_file": file("ours.crt"),
            "certificate_file": file(&format!("{identity}.crt")),
            "private_key_file": file(&format!("{identity}.key")),
        }})
    };
    let (uri, target) = (format!("{NAME}:{port}"), TestRegion::target("web"));
    let server = Peer::start(Library::GrpcGo, setup.region.xds()).await;
    setup.start_pods(&server, "eu-1", &[1, 2]).await;
    let (one, two) = (["eu-1/1"], ["eu-1/2"]);

    for library in Library::ALL {
        let stranger = Peer::start_with(library, &uri, credentials("stranger")).await;
        let client = Peer::start_with(library, &uri, credentials("client")).await;
        setup.serve("eu-1", "web", "equal", &[(1, Ready), (2, NotReady)]);
        client.settles(&target, &one).await;
        for _ in 0..ROUNDS {
            for (first, second, expected) in [(NotReady, Ready, &two), (Ready, NotReady, &one)] {
                ended(&setup).await;
                setup.serve("eu-1", "web", "equal", &[(1, first), (2, second)]);
                let others = client.settles(&target, expected).await;
                assert!(others.keys().all(|answer| answer == one[0] || answer == two[0]), "{library:?}: {others:?}");
            }
        }
        let answers = stranger.call(&target, 1).await;
        assert!(
            answers.keys().all(|answer| !answer.starts_with("eu-1/")),
            "{library:?} let a stranger in: {answers:?}"
        );
    }
    setup.nothing_was_rejected(&["lds", "rds", "cds", "eds"]).await;
}

/// Waits until one more connection was ended for its age.
async fn ended(setup: &TestRegion) {
    const ENDED: &str = "isthmus_xds_connections_aged_total";
    let so_far = setup.region.metrics().await.get(ENDED).copied().unwrap_or_default();
    eventually("a connection is ended", SOON, async || {
        let found = setup.region.metrics().await.get(ENDED).copied().unwrap_or_default();
        if found > so_far { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}
