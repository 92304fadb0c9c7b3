//! Who is served, and who is not.

use super::super::accept::Accepted;
use std::net::IpAddr;

use super::*;

#[tokio::test]
async fn a_request_says_whose_it_is() {
    let host = Host::start(Limits::default(), None);
    let tcp = TcpStream::connect(host.at).await.unwrap();
    let own = tcp.local_addr().unwrap();
    let mut client = Client::over(tcp).await.unwrap();
    let answer = client.get("/peer").await;
    assert_eq!(text(answer).await, format!("{own} "));
    let stats = &host.stats.connections;
    assert_eq!((stats.accepted.get(), stats.open.get()), (1, 1));
    drop(client);
    host.until("the client has left", |stats| stats.open.get() == 0).await;
}

#[tokio::test]
async fn streams_need_no_task_of_their_own() {
    let host = Host::start(Limits::default(), None);
    let mut client = host.client().await;
    let first = client.get("/hold").await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let with_one = tasks();
    let mut more = Vec::new();
    for _ in 0..50 {
        more.push(client.get("/hold").await);
    }
    assert_eq!(tasks(), with_one);
    drop((first, more));
}

#[tokio::test]
async fn several_listeners_are_served_in_turn() {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners: Vec<_> = (0..3).map(|_| Listening { listener: listen(local).unwrap(), tls: None }).collect();
    let addresses: Vec<_> = listeners.iter().map(|listening| listening.listener.local_addr().unwrap()).collect();
    let stats = Arc::new(Stats::default());
    let service = tower::service_fn(answer);
    let served = tokio::spawn(serve(listeners, service, Limits::default(), stats, std::future::pending()));
    for at in addresses {
        let mut client = Client::over(TcpStream::connect(at).await.unwrap()).await.unwrap();
        assert_eq!(client.get("/peer").await.status(), 200);
    }
    served.abort();
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let host = Host::start(Limits { max_connections: 2, ..Limits::default() }, None);
    let (mut first, second) = (host.client().await, host.client().await);
    host.until("two are in", |stats| stats.accepted.get() == 2).await;
    assert_eq!(Raw::connect(host.at).await.until_closed().await, [] as [u8; 0]);
    assert_eq!(host.stats.connections.refused.get(), 1);
    assert_eq!(first.get("/peer").await.status(), 200, "the others are not disturbed");
    drop(second);
    host.until("one has left", |stats| stats.open.get() == 1).await;
    assert_eq!(host.client().await.get("/peer").await.status(), 200, "and there is room again");
}

/// From another address of this machine.
async fn from(address: [u8; 4], at: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::from(address), 0).into()).unwrap();
    socket.connect(at).await.unwrap()
}

#[tokio::test]
async fn connections_that_one_address_holds_shut_no_other_address_out() {
    const LIMIT: usize = 20;
    // Some send nothing, some begin HTTP/2 and ask for nothing.
    for begins in [false, true] {
        let host = Host::start(Limits { max_connections: LIMIT, ..Limits::default() }, None);
        let mut held = Vec::new();
        for _ in 0..LIMIT + 10 {
            let mut raw = Raw(from([127, 0, 0, 2], host.at).await);
            if begins && held.len() < LIMIT {
                raw.greet().await;
            }
            held.push(raw);
        }
        host.until("all were seen", |stats| stats.accepted.get() + stats.refused.get() == LIMIT as u64 + 10).await;
        assert_eq!(host.stats.connections.displaced.get(), 0, "among its own it gets no more than there are");
        let mut innocents = Vec::new();
        for _ in 0..5 {
            let mut client = host.client().await;
            text(client.get("/peer").await).await;
            innocents.push(client);
        }
        assert_eq!(host.stats.connections.displaced.get(), 5);
        for client in &mut innocents {
            text(client.get("/peer").await).await; // and they stay
        }
    }
}

#[tokio::test]
async fn one_stream_too_many_waits() {
    let host = Host::start(Limits { max_streams_per_connection: 2, ..Limits::default() }, None);
    let mut client = host.client().await;
    let (first, _second) = (client.get("/stay").await, client.get("/stay").await);
    let mut third = std::pin::pin!(client.send.send_request(get("/peer")));
    assert!(futures::poll!(&mut third).is_pending());
    drop(first);
    assert_eq!(within(third).await.unwrap().status(), 200);
}

/// Beside what HTTP/2 itself needs, which is allocated once it is known whether it is over TLS.
#[tokio::test]
async fn a_connection_that_waits_is_small() {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (tcp, peer) = listener.accept().await.unwrap();
    let common = Arc::new(Common::new(tower::service_fn(answer), Limits::default(), Arc::default()));
    let run = connection::run(Accepted { tcp, peer, tls: None }, Arc::default(), common, oneshot::channel().1);
    let bytes = size_of_val(&run);
    assert!(bytes < 1_024, "{bytes} bytes");
}
