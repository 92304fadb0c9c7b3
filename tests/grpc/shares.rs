//! Who gets how much: each host the same without declared weights, and by weight with them, less what was lost. gRPC goes
//! by the weights of localities alone, so all of this is the control plane's arithmetic.

use super::peer::{Library, Peer};
use super::test_region::State::{NotReady, Ready};
use super::test_region::{Pod, TestRegion};

const CALLS: usize = 4_000;
/// In percent. One standard deviation of so many calls is 0.8 at most.
const TOLERANCE: f64 = 4.0;

#[tokio::test(flavor = "multi_thread")]
async fn c52_traffic_is_shared_by_hosts_or_by_declared_weight() {
    let setup = TestRegion::start().await;
    let clients = [
        Peer::start(Library::Grpcio, setup.region.xds()).await,
        Peer::start(Library::GrpcGo, setup.region.xds()).await,
    ];
    setup.start_pods(&clients[1], "eu-1", &[1, 2, 3, 4]).await;
    setup.start_pods(&clients[1], "eu-2", &[1, 2, 3, 4]).await;
    let all = [1, 2, 3, 4].map(|number| (number, Ready));
    let half = [(1, Ready), (2, Ready), (3, NotReady), (4, NotReady)];
    // Name, kind of share, pods of eu-1, its share in percent.
    for (name, share, first, expected) in [
        ("equal", "equal", &all[..3], 75.0),
        ("equal-half", "equal", &half, 200.0 / 3.0),
        ("declared", "declared", &all, 75.0),
        // 3 · min(1, 1.4 · 2/4) : 1
        ("declared-half", "declared", &half, 67.7),
    ] {
        let second = if share == "equal" { &all[..1] } else { &all };
        setup.serve("eu-1", name, share, first);
        setup.serve("eu-2", name, share, second);
        let hosts = |member: &str, pods: &[Pod]| -> Vec<String> {
            pods.iter().filter(|pod| pod.1 == Ready).map(|pod| format!("{member}/{}", pod.0)).collect()
        };
        let mut expected_hosts = hosts("eu-1", first);
        expected_hosts.extend(hosts("eu-2", second));
        let expected_hosts: Vec<&str> = expected_hosts.iter().map(String::as_str).collect();
        for client in &clients {
            client.settles(&TestRegion::target(name), &expected_hosts).await;
            let answers = client.call(&TestRegion::target(name), CALLS).await;
            let from = answers.iter().filter(|(answer, _)| answer.starts_with("eu-1/")).map(|(_, count)| *count);
            let found = 100.0 * from.sum::<usize>() as f64 / CALLS as f64;
            eprintln!("testbed: shares: {name} by {:?}: expected {expected:.1}, counted {found:.1}", client.library());
            assert!(
                (found - expected).abs() <= TOLERANCE,
                "{name}: found {found:.1} %, expected {expected:.1}: {answers:?}"
            );
            assert!(answers.keys().map(String::as_str).eq(expected_hosts.iter().copied()), "{answers:?}");
        }
    }
    setup.nothing_was_rejected(&["eds"]).await;
}
