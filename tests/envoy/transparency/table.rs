//! The table, row by row, on every way to the service.

use tokio::io::AsyncWriteExt as _;

use super::message::{Message, is_whole};
use super::rows::{Expect, Row, rows};
use super::script::{Scripted, read_whole};
use super::stage::{HOME, HTTP, Stage, Way};
use crate::testbed::netns;

#[test]
fn http1_is_the_same_with_an_on_demand_sidecar() {
    netns::isolated_without_clusters(compare("on-demand"));
}

#[test]
fn http1_is_the_same_with_an_eager_sidecar() {
    netns::isolated_without_clusters(compare("eager"));
}

async fn compare(clusters: &str) {
    let stage = Stage::start(clusters, &[HOME]).await;
    let backend = Scripted::start((HOME.pod(1), HTTP.1).into()).await;
    let mut wrong = Vec::new();
    let rows = rows();
    for row in &rows {
        let direct = once(&stage, &backend, row, Way::Direct).await;
        for way in [Way::Sidecar, Way::Egress] {
            if way == Way::Egress && !row.plain_port {
                continue;
            }
            let proxied = once(&stage, &backend, row, way).await;
            if let Err(difference) = judge(row, &direct, proxied) {
                wrong.push(format!("{} ({way:?}): {difference}", row.name));
            }
        }
    }
    stage.nothing_was_rejected().await;
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    eprintln!("testbed: {clusters}: {} rows compared", rows.len());
}

/// What the backend received and what came back.
struct Exchange {
    request: Option<Message>,
    response: Message,
}

async fn once(stage: &Stage, backend: &Scripted, row: &Row, way: Way) -> Exchange {
    backend.answers_with(&row.response);
    let mut stream = stage.dial(way, HTTP).await;
    stream.write_all(&row.request).await.expect("send");
    let head = row.request.starts_with(b"HEAD");
    let answer = read_whole(&mut stream, |bytes| is_whole(bytes, head)).await;
    Exchange {
        request: backend.received().first().map(|bytes| Message::parse(bytes, false)),
        response: Message::parse(&answer, head),
    }
}

fn judge(row: &Row, direct: &Exchange, proxied: Exchange) -> Result<(), String> {
    let response = proxied.response.without_added("date", &direct.response);
    match &row.expect {
        Expect::Same => {
            if proxied.request != direct.request {
                return Err(format!(
                    "the pod received\n  {:?}\nand without proxy\n  {:?}",
                    proxied.request, direct.request
                ));
            }
            if response != direct.response {
                return Err(format!("the client received\n  {response:?}\nand without proxy\n  {:?}", direct.response));
            }
        }
        Expect::SameAnswer => {
            if response != direct.response {
                return Err(format!("the client received\n  {response:?}\nand without proxy\n  {:?}", direct.response));
            }
        }
        Expect::Received(needle) => {
            let request = format!("{:?}", proxied.request);
            if !request.contains(needle) || response.status() != direct.response.status() {
                return Err(format!("the pod received\n  {request}\nthe client\n  {response:?}"));
            }
        }
        Expect::Status(status) => {
            if response.status() != Some(*status) {
                return Err(format!("documented: {status}; the client received\n  {response:?}"));
            }
        }
    }
    Ok(())
}
