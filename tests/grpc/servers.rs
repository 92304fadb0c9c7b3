//! Servers that wait for their listener before they serve (gRFC A36).

use super::peer::{Library, Peer};
use super::test_region::TestRegion;

#[tokio::test(flavor = "multi_thread")]
async fn c53_servers_serve_once_the_control_plane_says_so() {
    let setup = TestRegion::start().await;
    let client = Peer::start(Library::Grpcio, setup.region.xds()).await;
    for (library, number) in Library::ALL.into_iter().zip(1..) {
        let server = Peer::start(library, setup.region.xds()).await;
        let address = setup.pod("eu-1", number);
        server.serve_over_xds(address, "over-xds").await;
        client.settles(&format!("ipv4:{address}"), &["over-xds"]).await;

        // The proof that it waited: the same with a control plane that sends nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let lonely = Peer::start(library, silent.local_addr().unwrap()).await;
        let address = setup.pod("eu-2", number);
        lonely.serve_over_xds(address, "not-allowed").await;
        let answers = client.call(&format!("ipv4:{address}"), 3).await;
        assert!(answers.keys().all(|answer| answer.starts_with("UNAVAILABLE")), "{library:?}: {answers:?}");
    }
    setup.nothing_was_rejected(&["lds"]).await;
}
