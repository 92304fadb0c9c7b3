//! One request, and its whole answer.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use serde::de::DeserializeOwned;

use super::{Fault, budget};
use crate::client::bounds::MAX_PAGE_BYTES;

/// Reads what is at a path as `T`; `what` and `expected` are for the error.
pub async fn get<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    what: &'static str,
    expected: &str,
) -> Result<T, kube::Error> {
    let text = get_text(client, path, what).await?;
    budget::read(&text, what, expected).map_err(Fault::into_kube)
}

/// The same as it was sent.
pub async fn get_text(client: &Client, path: &str, what: &'static str) -> Result<Vec<u8>, kube::Error> {
    let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    collect(open(client, request).await?, what).await
}

/// Sends a request; only a success comes back as an answer.
pub async fn open(client: &Client, request: Request<Vec<u8>>) -> Result<Body, kube::Error> {
    let response: Response<Body> = client.send(request.map(Body::from)).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response.into_body());
    }
    if !status.is_client_error() && !status.is_server_error() {
        return Err(Fault::Status(status.as_u16()).into_kube());
    }
    // Read so that the connection can be used again. The code says enough, and nothing a server writes is repeated.
    let _ = collect(response.into_body(), "a refusal").await;
    Err(kube::Error::Api(Status::failure("", "").with_code(status.as_u16()).boxed()))
}

/// The whole of a body, which is as long as its kind of answer may be at most.
pub async fn collect(mut body: Body, what: &'static str) -> Result<Vec<u8>, kube::Error> {
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => add(&mut text, frame.data_ref()),
            Err(error) if Fault::of(&error).is_some() => return Err(error),
            Err(_) => return Err(Fault::CutShort { what, bytes: text.len() }.into_kube()),
        }
    }
    Ok(text)
}

fn add(text: &mut Vec<u8>, data: Option<&Bytes>) {
    let Some(data) = data else { return };
    if text.len() + data.len() > text.capacity() {
        // Doubles, but not beyond the longest that may come.
        let more = text.capacity().min(MAX_PAGE_BYTES.saturating_sub(text.capacity())).max(data.len());
        text.reserve_exact(more);
    }
    text.extend_from_slice(data);
}
