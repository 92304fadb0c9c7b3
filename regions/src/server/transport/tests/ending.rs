//! How connections end: by age, with the process, or because the client is gone.

use super::super::one_task::{OneTask, Spawner};
use super::*;

const SHORT: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(3_600);

fn aging() -> Limits {
    Limits { max_connection_age: SHORT, age_jitter: 0.0, drain: NEVER, ..Limits::default() }
}

#[tokio::test]
async fn an_old_connection_ends_in_good_order() {
    let host = Host::start(aging(), None);
    let mut client = host.client().await;
    let held = client.get("/hold").await;
    assert_eq!(text(held).await, "drained", "streams end themselves");
    within(client.connection).await.unwrap().expect("no error");
    host.until("it is gone", |stats| stats.open.get() == 0).await;
    let stats = &host.stats.connections;
    assert_eq!((stats.aged.get(), stats.cut_off.get(), stats.silent.get()), (1, 0, 0));
    assert_eq!(host.client().await.get("/peer").await.status(), 200, "a new one is welcome");
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end_and_then_cut_off() {
    let host = Host::start(Limits { drain: SHORT, ..aging() }, None);
    let mut raw = Raw::connect(host.at).await;
    raw.greet().await;
    // It never answers the ping by which the server finds out that the GOAWAY has arrived.
    let frames = raw.until_closed().await;
    assert!(frames.contains(&GOAWAY) && frames.contains(&PING), "{frames:?}");
    host.until("it is gone", |stats| stats.open.get() == 0).await;
    assert_eq!((host.stats.connections.aged.get(), host.stats.connections.cut_off.get()), (1, 1));
}

#[test]
fn ages_differ() {
    let limits = Limits { max_connection_age: Duration::from_secs(1_000), ..Limits::default() };
    let mut ages: Vec<Duration> = (0..1_000).map(|_| limits.age()).collect();
    ages.sort();
    let (youngest, median, oldest) = (ages[0].as_secs(), ages[500].as_secs(), ages[999].as_secs());
    assert!((800..820).contains(&youngest), "{youngest}");
    assert!((960..1_040).contains(&median), "{median}");
    assert!((1_180..=1_200).contains(&oldest), "{oldest}");
    assert_eq!(Limits { age_jitter: 0.0, ..limits }.age(), Duration::from_secs(1_000));
}

#[tokio::test]
async fn the_end_of_the_process_lets_streams_end() {
    let mut host = Host::start(Limits { drain: NEVER, ..Limits::default() }, None);
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = host.client().await;
        let held = client.get("/hold").await;
        clients.push((client, held));
    }
    host.stop();
    for (client, held) in clients {
        assert_eq!(text(held).await, "drained");
        within(client.connection).await.unwrap().expect("no error");
    }
    assert!(TcpStream::connect(host.at).await.is_err(), "nothing listens any more");
    host.ended().await;
}

#[tokio::test]
async fn the_end_of_the_process_waits_for_no_client_forever() {
    let mut host = Host::start(Limits { drain: SHORT, ..Limits::default() }, None);
    let mut client = host.client().await;
    let stays = client.get("/stay").await;
    let mut greeted = Raw::connect(host.at).await;
    greeted.greet().await;
    let _says_nothing = Raw::connect(host.at).await;
    host.until("all are in", |stats| stats.accepted.get() == 3).await;
    host.stop();
    host.ended().await;
    assert!(within(stays.into_body().collect()).await.is_err(), "it was cut off");
}

fn impatient() -> Limits {
    Limits { keepalive_interval: SHORT, keepalive_timeout: SHORT, ..Limits::default() }
}

#[tokio::test]
async fn who_answers_no_ping_is_given_up() {
    let host = Host::start(impatient(), None);
    let mut raw = Raw::connect(host.at).await;
    raw.greet().await;
    let frames = raw.until_closed().await;
    assert!(frames.contains(&PING), "{frames:?}");
    host.until("it is gone", |stats| stats.open.get() == 0).await;
    assert_eq!(host.stats.connections.silent.get(), 1);
}

#[tokio::test]
async fn who_answers_pings_stays() {
    let host = Host::start(impatient(), None);
    let mut client = host.client().await;
    let held = client.get("/stay").await;
    // Several times as long as it takes to give up a client; the other one is the proof that time has passed.
    for _ in 0..3 {
        let mut raw = Raw::connect(host.at).await;
        raw.greet().await;
        raw.until_closed().await;
    }
    assert_eq!(client.get("/peer").await.status(), 200);
    assert_eq!(host.stats.connections.silent.get(), 3);
    drop(held);
}

/// Even a ping finds no room when the client does not read: only the socket can tell.
#[tokio::test]
async fn who_does_not_read_is_given_up() {
    let host = Host::start(impatient(), None);
    let tcp = TcpStream::connect(host.at).await.unwrap();
    // Nothing of this client runs unless it is polled here.
    let spawner = Spawner::default();
    let mut builder = http2::Builder::new(spawner.clone());
    builder.initial_stream_window_size(1 << 30).initial_connection_window_size(1 << 30);
    let (mut send, connection) = builder.handshake(TokioIo::new(tcp)).await.unwrap();
    let mut connection = OneTask::new(connection, spawner);
    let response = within(async {
        tokio::select! {
            _ = &mut connection => panic!("the connection ended"),
            response = send.send_request(get("/flood")) => response.unwrap(),
        }
    });
    let response = response.await;
    // From here on no client does, and the connection stays open.
    host.until("it is gone", |stats| stats.open.get() == 0).await;
    assert_eq!(host.stats.connections.silent.get(), 1);
    drop((response, connection));
}

#[tokio::test]
async fn a_client_that_does_not_use_http2_is_given_up() {
    let host = Host::start(Limits { handshake_timeout: SHORT, ..Limits::default() }, None);
    let mut raw = Raw::connect(host.at).await;
    raw.0.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    raw.until_closed().await;
    host.until("it is gone", |stats| stats.open.get() == 0).await;
    assert_eq!(host.stats.connections.silent.get(), 1);
}
