use std::error::Error;
use std::time::Instant;

use super::super::client::{Clients, Seat};
use super::super::http::get;
use super::super::record::{Failure, Outcome};
use super::super::timetable;
use super::*;

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn pods_say_who_they_are_and_clients_see_them_die_and_return() -> Result<(), Box<dyn Error>> {
    // Addresses that no other test and no demo uses.
    let world = timetable::world();
    let mut chosen = world.live().filter(|(cluster, _)| cluster.id == "eu-1").map(|(cluster, pod)| {
        let [_, b, c, d] = pod.ip.octets();
        (cluster, Pod { ip: Ipv4Addr::new(127, b + 100, c, d), ..pod.clone() })
    });
    let (cluster, pod) = chosen.next().ok_or("eu-1 has pods")?;
    let mut backends = Backends::new(&[pod.ip]).await?;
    backends.start(cluster, &pod).await?;
    let address = SocketAddr::from((pod.ip, backends.port()));
    let reply = get(address, "any", "/", LIMIT).await?;
    let answer: Answer = serde_json::from_slice(&reply.body)?;
    assert_eq!((answer.cluster.as_str(), answer.zone.as_str(), answer.pod.as_str()), ("eu-1", "eu-a", "web-a-1"));

    // A client right at the pod, without a proxy in between: a dead pod is a dead connection to it.
    let epoch = Instant::now();
    let mut clients = Clients::start(&[Seat { region: "eu", proxy: address }], "any", epoch);
    let mut records = Vec::new();
    for step in ["up", "down", "up again"] {
        match step {
            "down" => backends.kill(pod.ip),
            "up again" => backends.start(cluster, &pod).await?,
            _ => {}
        }
        let deadline = Instant::now() + LIMIT;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            records.clear();
            clients.drain(&mut records);
            let now = records.last().map(|record| record.outcome.clone());
            let settled = match &now {
                Some(Outcome::Served(spot)) => step != "down" && spot.to_string() == "eu-1/eu-a",
                Some(Outcome::Failed(failure)) => step == "down" && *failure == Failure::Proxy,
                None => false,
            };
            if settled {
                break;
            }
            assert!(Instant::now() < deadline, "{step}: {now:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_request_with_a_body_is_refused_instead_of_misread() -> Result<(), Box<dyn Error>> {
    let world = timetable::world();
    let (cluster, pod) = world.live().next().ok_or("there are pods")?;
    let pod = Pod { ip: Ipv4Addr::new(127, 109, 0, 11), ..pod.clone() };
    let mut backends = Backends::new(&[pod.ip]).await?;
    backends.start(cluster, &pod).await?;
    let mut stream = TcpStream::connect((pod.ip, backends.port())).await?;
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nGET ").await?;
    let mut text = Vec::new();
    tokio::time::timeout(LIMIT, tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut text)).await??;
    assert!(text.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&text));
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_on_one_address_is_passed_over() -> Result<(), Box<dyn Error>> {
    let ip = Ipv4Addr::new(127, 110, 0, 11);
    let _taken = TcpListener::bind((ip, PORTS.start)).await?;
    let backends = Backends::new(&[Ipv4Addr::new(127, 110, 0, 10), ip]).await?;
    assert_ne!(backends.port(), PORTS.start);
    Ok(())
}
