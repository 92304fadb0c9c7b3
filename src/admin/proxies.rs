//! `/debug/proxies`: which proxies are connected, and their states; one of them; what it was sent.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clusters::foreign;
use regions::json::{JsonError, Reader};
use regions::resource::{ResourceType, version_text};
use regions::server::{StreamInfo, Streams};
use regions::session::Held;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::page::json;
use super::sources::{Proxies, Sources};
use crate::admin::json::proxy::{LoadState, ProxyDetail, ProxyJson, ResourceState, state_text};

/// One dump is put together at a time: it may be large.
static DUMPING: Semaphore = Semaphore::const_new(1);

pub async fn list(State(sources): State<Sources>) -> Response {
    let members = sources.engine.published.borrow().members.clone();
    let Some(Proxies { streams, .. }) = sources.proxies else { return json(&Vec::<ProxyJson>::new()) };
    let mut nodes: BTreeMap<String, Vec<StreamInfo>> = BTreeMap::new();
    for stream in streams.list() {
        if let Some(client) = &stream.client {
            nodes.entry(client.node_id.clone()).or_default().push(stream);
        }
    }
    let view = |(node, open): (&String, &Vec<StreamInfo>)| {
        ProxyJson::new(node, open, &streams.complaints(node)).placed(&members)
    };
    let refused = streams.refused();
    let refused = refused.iter().map(ProxyJson::refused_client);
    json(&nodes.iter().map(view).chain(refused).collect::<Vec<_>>())
}

/// A node that is gone is shown as long as its rejections are remembered, one that is refused as long as it connects again.
pub async fn detail(State(sources): State<Sources>, Path(node): Path<String>) -> Response {
    let members = sources.engine.published.borrow().members.clone();
    let Some(Proxies { streams, loads, .. }) = sources.proxies else { return unknown(&node) };
    let (open, complaints) = (of(&streams, &node), streams.complaints(&node));
    if open.is_empty() && complaints.values().all(Option::is_none) {
        let refused = streams.refused().into_iter().find(|client| *client.node == *node);
        let Some(proxy) = refused.as_ref().map(ProxyJson::refused_client) else { return unknown(&node) };
        return json(&ProxyDetail { proxy, resources: Vec::new(), unanswered: None, loads: Vec::new() });
    }
    let (held, unanswered) = held(&streams, &open).await;
    json(&ProxyDetail {
        proxy: ProxyJson::new(&node, &open, &complaints).placed(&members),
        resources: held.iter().map(|(t, held)| ResourceState::new(*t, held)).collect(),
        unanswered,
        loads: LoadState::all(&loads.of(&node)),
    })
}

/// What a proxy was sent, as canonical JSON.
#[derive(Serialize)]
struct Dump<'a> {
    node: &'a str,
    resources: Vec<Dumped>,
}

#[derive(Serialize)]
struct Dumped {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    state: &'static str,
    version: Option<String>,
    /// `None`: it changed since it was sent, and what is outdated is not kept.
    resource: Option<Box<RawValue>>,
}

/// `?type=cds` for one type only.
pub async fn dump(State(sources): State<Sources>, Path(node): Path<String>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let only = ResourceType::ALL.into_iter().find(|t| query.strip_prefix("type=") == Some(t.label()));
    if only.is_none() && !query.is_empty() {
        let known = ResourceType::ALL.map(ResourceType::label).join(", ");
        let text = format!("the query is {query:?}; expected none, or type= and one of {known}\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let Some(Proxies { streams, .. }) = sources.proxies else { return unknown(&node) };
    let open = of(&streams, &node);
    if open.is_empty() {
        return unknown(&node);
    }
    let _turn = DUMPING.acquire().await; // fails only when closed, and it is never closed
    let (mut held, unanswered) = held(&streams, &open).await;
    if let Some(reason) = unanswered {
        return (StatusCode::GATEWAY_TIMEOUT, format!("{reason}\n")).into_response();
    }
    held.retain(|(t, held)| only.is_none_or(|only| only == *t) && held.version.is_some());
    // It may take seconds, and threads that serve must not wait for it.
    let text = tokio::task::spawn_blocking(move || {
        let resources = expand(held).map_err(anyhow::Error::from)?;
        Ok::<_, anyhow::Error>(foreign::json(serde_json::to_string(&Dump { node: &node, resources })?))
    });
    match text.await.map_err(anyhow::Error::from).and_then(|text| text) {
        Ok(text) => ([(axum::http::header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot show what was sent: {error:#}\n")).into_response()
        }
    }
}

fn expand(held: Vec<(ResourceType, Held)>) -> Result<Vec<Dumped>, JsonError> {
    let reader = Reader::new()?;
    let one = |(t, held): (ResourceType, Held)| {
        let resource = held.resource.as_ref().map(|resource| reader.json(t, resource)).transpose()?;
        let (state, version) = (state_text(held.state), held.version.map(version_text));
        Ok(Dumped { kind: t.label(), name: held.name.to_string(), state, version, resource })
    };
    held.into_iter().map(one).collect()
}

fn of(streams: &Streams, node: &str) -> Vec<StreamInfo> {
    let is = |stream: &StreamInfo| stream.client.as_ref().is_some_and(|client| client.node_id == node);
    streams.list().into_iter().filter(is).collect()
}

/// What a node has, over all its streams: the newest knows best. Also why that may not be all.
async fn held(streams: &Streams, open: &[StreamInfo]) -> (Vec<(ResourceType, Held)>, Option<String>) {
    let (mut seen, mut found, mut unanswered) = (BTreeSet::new(), Vec::new(), None);
    for stream in open.iter().rev() {
        match streams.inspect(stream.id).await {
            Ok(inspection) => {
                let all =
                    ResourceType::ALL.into_iter().flat_map(|t| inspection.held(t).into_iter().map(move |h| (t, h)));
                found.extend(all.filter(|(t, held)| seen.insert((*t, held.name.clone()))));
            }
            Err(reason) => unanswered = Some(reason.to_string()),
        }
    }
    found.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.name.cmp(&other.name)));
    (found, unanswered)
}

fn unknown(node: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("no proxy {node:?} is connected here\n")).into_response()
}
