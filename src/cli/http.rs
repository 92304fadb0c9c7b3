//! One small HTTP client, for the admin pages of a process like this one.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use axum::http::StatusCode;
use bytes::Bytes;
use clusters::client::cause::{self, Side};
use clusters::foreign::cut;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// An admin page that takes longer does not work.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest page read, in bytes.
const MAX_PAGE: usize = 256 * 1024 * 1024;

/// What is repeated of an answer that is no page, in bytes.
const MAX_ANSWER: usize = 300;

/// Fetches a page over plain HTTP.
pub async fn get(url: &str) -> anyhow::Result<Bytes> {
    match fetch(url).await? {
        (status, body) if status.is_success() => Ok(body),
        (status, body) => {
            let answer = cut(String::from_utf8_lossy(&body).trim(), MAX_ANSWER).into_owned();
            bail!("the answer is {status}: {answer}")
        }
    }
}

/// The same, where an answer that is no success has something to say too.
pub async fn fetch(url: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let uri: axum::http::Uri = url.parse().context("not a URL")?;
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let fetch = async {
        let answer = client.get(uri).await.map_err(|error| anyhow!("{}", cause::of(Side::Hub, &error).found))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_PAGE).collect().await;
        anyhow::Ok((status, body.map_err(anyhow::Error::from_boxed).context("the answer broke off")?.to_bytes()))
    };
    tokio::time::timeout(TIMEOUT, fetch).await.context("no answer in time")?
}
