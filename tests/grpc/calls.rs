//! Calls through `xds:///`: they work, they follow readiness from tier to tier and back, and they fail at once where
//! no pod serves.

use super::peer::{Answers, Library, Peer};
use super::test_region::State::{NotReady, Ready, Terminating};
use super::test_region::{State, TestRegion};
use crate::harness::SOON;
use crate::testbed::eventually;

const TYPES: [&str; 4] = ["lds", "rds", "cds", "eds"];
const NEAR: [&str; 2] = ["eu-1/1", "eu-1/2"];
const FAR: [&str; 1] = ["us-1/1"];

#[tokio::test(flavor = "multi_thread")]
async fn c49_to_c52_calls_follow_readiness() {
    let setup = TestRegion::start().await;
    let clients = [
        Peer::start(Library::Grpcio, setup.region.xds()).await,
        Peer::start(Library::GrpcGo, setup.region.xds()).await,
    ];
    // Each library serves what both call.
    setup.start_pods(&clients[0], "eu-1", &[1, 2]).await;
    setup.start_pods(&clients[1], "us-1", &[1]).await;
    let near = |states: [State; 2]| setup.serve("eu-1", "web", "equal", &[(1, states[0]), (2, states[1])]);
    let far = |state| setup.serve("us-1", "web", "equal", &[(1, state)]);
    near([Ready; 2]);
    far(Ready);
    setup.region.has_service("shop/web", &["eu-1", "us-1"], 3).await;

    // All pods, then one fewer, no near one by loss and by draining; each time back again.
    for (states, expected) in [
        ([Ready; 2], &NEAR[..]),
        ([Ready, NotReady], &NEAR[..1]),
        ([NotReady; 2], &FAR),
        ([Ready; 2], &NEAR),
        ([Terminating; 2], &FAR),
        ([Ready; 2], &NEAR),
    ] {
        near(states);
        for client in &clients {
            let others = client.settles(&TestRegion::target("web"), expected).await;
            only_pods(&others);
        }
    }

    // No pod is ready, and some still serve: the nearest of them, until one is ready again.
    for (states, last, expected) in [
        ([Terminating; 2], NotReady, &NEAR[..]),
        ([Terminating, NotReady], NotReady, &NEAR[..1]),
        ([NotReady; 2], Terminating, &FAR),
        ([Terminating; 2], Ready, &FAR),
        ([Ready; 2], Terminating, &NEAR),
    ] {
        far(last);
        near(states);
        for client in &clients {
            client.settles(&TestRegion::target("web"), expected).await;
        }
    }

    // No pod at all: calls fail at once, and not because their time is over. Then some again.
    near([NotReady; 2]);
    far(NotReady);
    for client in &clients {
        fails_at_once(client, "web").await;
    }
    near([Ready; 2]);
    for client in &clients {
        client.settles(&TestRegion::target("web"), &NEAR).await;
    }
    setup.nothing_was_rejected(&TYPES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_a_name_that_is_not_there_fails_at_once_and_works_once_it_is_born() {
    let setup = TestRegion::start().await;
    let server = Peer::start(Library::GrpcGo, setup.region.xds()).await;
    setup.start_pods(&server, "eu-1", &[1]).await;
    for library in Library::ALL {
        let client = Peer::start(library, setup.region.xds()).await;
        let name = format!("born-{library:?}").to_lowercase();
        fails_at_once(&client, &name).await;
        setup.serve("eu-1", &name, "equal", &[(1, Ready)]);
        client.settles(&TestRegion::target(&name), &["eu-1/1"]).await;
        setup.withdraw("eu-1", &name);
        fails_at_once(&client, &name).await;
        // On a new channel as well.
        client.forget(&TestRegion::target(&name)).await;
        fails_at_once(&client, &name).await;
    }
    setup.nothing_was_rejected(&TYPES).await;
}

/// The default control plane is not there, so every subscribed name has to contain the authority.
#[tokio::test(flavor = "multi_thread")]
async fn c44_calls_by_an_authority_use_no_other_control_plane() {
    let setup = TestRegion::start().await;
    let server = Peer::start(Library::GrpcGo, setup.region.xds()).await;
    setup.start_pods(&server, "eu-1", &[1]).await;
    setup.start_pods(&server, "us-1", &[1]).await;
    for library in Library::ALL {
        setup.serve("eu-1", "web", "equal", &[(1, Ready)]);
        setup.serve("us-1", "web", "equal", &[(1, Ready)]);
        let client = Peer::start_by_authority(library, setup.region.xds(), "mesh.example").await;
        let target = TestRegion::target("web").replace("xds:///", "xds://mesh.example/");
        client.settles(&target, &NEAR[..1]).await;
        setup.serve("eu-1", "web", "equal", &[(1, NotReady)]);
        only_pods(&client.settles(&target, &FAR).await);
    }
    setup.nothing_was_rejected(&TYPES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_its_way_to_a_server_that_ends_is_answered() {
    for library in Library::ALL {
        let setup = TestRegion::start().await;
        let client = Peer::start(library, setup.region.xds()).await;
        let server = Peer::start(library, setup.region.xds()).await;
        setup.start_pods(&server, "eu-1", &[1]).await;
        setup.start_pods(&server, "us-1", &[1]).await;
        setup.serve("eu-1", "web", "equal", &[(1, Ready)]);
        setup.serve("us-1", "web", "equal", &[(1, Ready)]);
        let target = TestRegion::target("web");
        client.settles(&target, &NEAR[..1]).await;

        let ending = async {
            server.holds(1).await;
            setup.serve("eu-1", "web", "equal", &[(1, Terminating)]);
            only_pods(&client.settles(&target, &FAR).await);
            server.release().await;
        };
        let (answer, ()) = futures::join!(client.hold(&target), ending);
        assert!(answer.keys().eq(&NEAR[..1]), "{library:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_outlive_the_control_plane_and_follow_it_again() {
    let mut setup = TestRegion::start().await;
    let clients = [
        Peer::start(Library::Grpcio, setup.region.xds()).await,
        Peer::start(Library::GrpcGo, setup.region.xds()).await,
    ];
    setup.start_pods(&clients[1], "eu-1", &[1]).await;
    setup.start_pods(&clients[1], "us-1", &[1]).await;
    setup.serve("eu-1", "web", "equal", &[(1, Ready)]);
    setup.serve("us-1", "web", "equal", &[(1, Ready)]);
    for client in &clients {
        client.settles(&TestRegion::target("web"), &NEAR[..1]).await;
    }

    setup.region.kill();
    for client in &clients {
        let answers = client.call(&TestRegion::target("web"), 500).await;
        assert!(answers.keys().eq(&NEAR[..1]), "no control plane, and no need of one: {answers:?}");
    }
    setup.serve("eu-1", "web", "equal", &[(1, NotReady)]);
    setup.region.restart();
    setup.region.wait_ready().await;
    for client in &clients {
        let others = client.settles(&TestRegion::target("web"), &FAR).await;
        only_pods(&others);
    }
    setup.nothing_was_rejected(&["eds"]).await;
}

/// On the way from one place to the other both answer, and no call fails.
fn only_pods(answers: &Answers) {
    let pods = || NEAR.iter().chain(&FAR);
    assert!(answers.keys().all(|answer| pods().any(|pod| answer == pod)), "{answers:?}");
}

/// Unavailable is what the control plane leads to; "deadline exceeded" would mean that it sent nothing.
async fn fails_at_once(client: &Peer, name: &str) {
    let what = format!("{:?} fails at once for {name}, which no pod serves", client.library());
    eventually(&what, SOON, async || {
        let answers = client.call(&TestRegion::target(name), 5).await;
        assert!(answers.keys().all(|answer| !answer.starts_with("DEADLINE")), "{answers:?}\n{}", client.log_tail());
        if answers.keys().all(|answer| answer.starts_with("UNAVAILABLE")) {
            Ok(())
        } else {
            Err(format!("{answers:?}"))
        }
    })
    .await;
}
