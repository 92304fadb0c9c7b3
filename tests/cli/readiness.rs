//! Not ready before the state of the members is known. A newcomer that hangs delays nothing: only members on record have to
//! be known.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::harness::{Federation, objects};
use crate::testbed::process::Process;
use crate::testbed::{eventually, http, ports};

/// Less than the time after which a call to a member counts as failed.
const SHORT_DEADLINE: Duration = Duration::from_secs(2);
const LONG_DEADLINE: Duration = Duration::from_secs(300);
const LIMIT: Duration = Duration::from_secs(60);
const PAGE_LIMIT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_member_on_record_that_hangs_delays_readiness_but_not_forever() {
    let federation = Federation::start(&[]).await;
    // Accepts connections and sends nothing, as behind a broken firewall.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let hang = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    let kubeconfig = federation.hub.kubeconfig().replace(&federation.hub.server_url(), &format!("https://{address}"));
    federation.hub.apply(&objects::region("eu", &[])).await;
    federation.hub.apply(&objects::secret("eu-1", "kubeconfig", &kubeconfig)).await;
    federation.hub.apply(&objects::member_cluster("eu-1", "eu", &["10.1.0.0/16"], &["10.101.0.0/16"])).await;

    let (waited, ready) = until_ready(&federation, LONG_DEADLINE, "").await;
    assert!(waited < LONG_DEADLINE);
    assert_eq!(ready, "ok\n", "a newcomer that is not admitted does not delay readiness");

    // On record it has to be known: for so long as the two deadlines say.
    let admission =
        r#"{"at": "2026-11-01T00:00:00Z", "uid": "some-uid", "pods": ["10.1.0.0/16"], "services": ["10.101.0.0/16"]}"#;
    let patch = format!(r#"{{"status": {{"admission": {admission}}}}}"#);
    federation
        .hub
        .kubectl(&["patch", "membercluster", "eu-1", "--subresource=status", "--type=merge", "-p", &patch])
        .await;
    let (waited, ready) = until_ready(&federation, SHORT_DEADLINE, "waiting for members").await;
    assert!(waited >= SHORT_DEADLINE, "it has waited for the member: {waited:?}");
    assert!(ready.contains("ok, but these members are not known") && ready.contains("eu-1"), "{ready}");
    hang.abort();
}

/// Starts a region's control plane and sees it wait, become ready and end; how long it waited, and what `/readyz` answered then.
async fn until_ready(federation: &Federation, deadline: Duration, first_text: &str) -> (Duration, String) {
    let admin = format!("127.0.0.1:{}", ports::free());
    let hub = federation.hub_kubeconfig("isthmus-region");
    let args = [
        "region".to_owned(),
        "--region=eu".to_owned(),
        format!("--hub-kubeconfig={}", hub.display()),
        format!("--xds=127.0.0.1:{}", ports::free()),
        format!("--admin={admin}"),
        format!("--sync-deadline={}", deadline.as_secs()),
        format!("--member-deadline={}", deadline.as_secs() + 1),
    ];
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let mut region = Process::spawn("region", Path::new(env!("CARGO_BIN_EXE_isthmus")), &args, folder.path());
    let admin = admin.parse().unwrap();
    let page = async |path: &str| http::get(admin, "localhost", path, PAGE_LIMIT).await;
    let first = eventually("the probes answer", LIMIT, async || {
        region.must_run();
        page("/readyz").await
    })
    .await;
    if first.status == 503 {
        let waits = first.body.starts_with("waiting for the hub") || first.body.starts_with("waiting for members");
        assert!(waits, "{}", first.body);
    }
    if !first_text.is_empty() {
        eventually("it says for whom it waits", LIMIT, async || {
            let body = page("/readyz").await?.body;
            if body.contains(first_text) && body.contains("eu-1") { Ok(()) } else { Err(body) }
        })
        .await;
    }
    assert_eq!(page("/livez").await.unwrap().status, 200, "to wait is not to be dead");

    let ready = eventually("it is ready without the member", LIMIT, async || {
        region.must_run();
        match page("/readyz").await? {
            answer if answer.status == 200 => Ok(answer.body),
            answer => Err(answer.body),
        }
    })
    .await;
    let waited = begun.elapsed();
    eprintln!("testbed: a hanging member delayed readiness by {waited:.1?} of at most {deadline:?}: {}", ready.trim());
    region.terminate();
    let status = eventually("it ends in spite of the member", LIMIT, async || region.ended().ok_or("it runs")).await;
    assert_eq!(status.code(), Some(0), "{}", region.log_tail(10));
    (waited, ready)
}
