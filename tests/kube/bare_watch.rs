//! How much later than a bare watch on the API server a proxy hears of the same change. Times are printed; with
//! `ISTHMUS_BINARY` they are those of a release build. What is asserted is that both hear of every change, once.

use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::json;
use tokio::sync::mpsc;

use crate::harness::{Federation, SOON, Witness, objects};
use crate::testbed::eventually;

const CHANGES: usize = 100;
/// Between changes, so that none of them waits for another.
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_hears_of_what_a_bare_watch_hears_of() {
    let federation = Federation::joined(&["eu-1"]).await;
    let _controller = federation.controller().await;
    federation.all_ready().await;
    let eu = federation.member("eu-1");
    eu.serve("shop", "web", 2).await;
    let plane = federation.region("eu").await;
    plane.has_service("shop/web", &["eu-1"], 2).await;
    let proxy = Witness::start(plane.xds(), "eu", "eu-a").await;
    proxy.has_endpoints("web.shop", 2).await;

    let api = Api::<EndpointSlice>::namespaced(eu.cluster.client(), "shop");
    let name = objects::slice_name("web");
    let slice = api.get(&name).await.unwrap();
    let mut seen = watch(api.clone(), slice.metadata.resource_version.unwrap());
    let mut endpoints = serde_json::to_value(&slice.endpoints).unwrap();
    let (mut watched, mut proxied) = (Vec::new(), Vec::new());
    for change in 0..CHANGES {
        let responses = proxy.response_times().len();
        endpoints[0]["conditions"]["ready"] = json!(change % 2 == 1);
        let patch = Patch::Merge(json!({"endpoints": endpoints}));
        let written = Instant::now();
        api.patch(&name, &PatchParams::default(), &patch).await.unwrap();
        let watch_saw = tokio::time::timeout(SOON, seen.recv()).await.expect("in time").expect("a watch");
        eventually("the proxy gets a response", SOON, async || {
            let now = proxy.response_times().len();
            if now > responses { Ok(()) } else { Err(format!("change {change}: {now} responses")) }
        })
        .await;
        tokio::time::sleep(PAUSE).await;
        let at = proxy.response_times();
        assert_eq!(at.len(), responses + 1, "one change, one response");
        watched.push(watch_saw.duration_since(written));
        proxied.push(at[responses].duration_since(written));
    }
    let later = proxied.iter().zip(&watched).map(|(proxied, watched)| proxied.saturating_sub(*watched)).collect();
    let ratio = median(&mut proxied.clone()).as_secs_f64() / median(&mut watched.clone()).as_secs_f64();
    shown("slice write to a bare watch", watched);
    shown("slice write to a proxy", proxied);
    shown("a proxy after the bare watch", later);
    eprintln!("testbed: ratio of the medians: {ratio:.2}");
}

/// When each event came.
fn watch(api: Api<EndpointSlice>, from: String) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let stream = api.watch(&WatchParams::default(), &from).await.expect("a watch");
        let mut stream = std::pin::pin!(stream);
        while let Some(Ok(event)) = stream.next().await {
            let at = Instant::now();
            if matches!(event, WatchEvent::Modified(_)) && sender.send(at).is_err() {
                return;
            }
        }
    });
    receiver
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn shown(what: &str, mut times: Vec<Duration>) {
    let median = median(&mut times);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let worst = times.last().copied().unwrap_or_default();
    eprintln!("testbed: {what}: median {:.2} ms, worst {:.2} ms, of {}", ms(median), ms(worst), times.len());
}
