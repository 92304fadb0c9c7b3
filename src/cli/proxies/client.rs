//! Asking the admin ports of control planes.

use anyhow::{Context, anyhow};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::admin::json::proxy::{ProxyDetail, ProxyJson};
use crate::cli::http;
use crate::outcome::{BadUsage, ProblemFound};

/// The admin address of one replica, as a URL without a slash at its end.
#[derive(Clone, Debug)]
pub struct Admin(String);

impl Admin {
    pub fn new(url: &str) -> Result<Self, BadUsage> {
        if !url.starts_with("http://") {
            return Err(BadUsage(format!(
                "--admin: {url:?} is not a URL this command can ask; expected one such as http://127.0.0.1:15014"
            )));
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }

    /// `None`: the page does not exist.
    async fn page(&self, page: &str) -> anyhow::Result<Option<bytes::Bytes>> {
        let url = format!("{}/debug/{page}", self.0);
        let answer = http::fetch(&url).await;
        let answer = answer
            .with_context(|| format!("cannot read {url}; is --admin the admin address of a running isthmus region?"));
        match answer? {
            (StatusCode::OK, body) => Ok(Some(body)),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, body) => Err(anyhow!("{url}: {status}: {}", String::from_utf8_lossy(&body).trim())),
        }
    }

    async fn json<T: DeserializeOwned>(&self, page: &str) -> anyhow::Result<Option<T>> {
        let Some(body) = self.page(page).await? else { return Ok(None) };
        let answer = serde_json::from_slice(&body);
        answer
            .map(Some)
            .with_context(|| format!("{}/debug/{page} is not what was expected; is it this version?", self.0))
    }
}

/// The proxies of all replicas, and what went wrong with those that did not answer.
pub async fn ask_list(admins: &[Admin]) -> (Vec<ProxyJson>, Vec<anyhow::Error>) {
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for admin in admins {
        match admin.json::<Vec<ProxyJson>>("proxies").await {
            Ok(found) => all.extend(found.into_iter().flatten().map(|proxy| with(proxy, admin, admins))),
            Err(error) => failed.push(error),
        }
    }
    all.sort_by(|a, b| (&a.node, &a.since).cmp(&(&b.node, &b.since)));
    (all, failed)
}

/// One proxy, from the replica that it is connected to, else from one that remembers it.
pub async fn ask_detail(admins: &[Admin], node: &str) -> anyhow::Result<ProxyDetail> {
    let (mut remembered, mut failed) = (None, None);
    for admin in admins {
        match admin.json::<ProxyDetail>(&format!("proxies/{}", segment(node))).await {
            Ok(Some(mut found)) => {
                found.proxy = with(found.proxy, admin, admins);
                if found.proxy.connected {
                    return Ok(found);
                }
                remembered = Some(found);
            }
            Ok(None) => {}
            Err(error) => failed = Some(error),
        }
    }
    remembered.ok_or_else(|| failed.unwrap_or_else(|| nowhere(node)))
}

/// What one proxy was sent.
pub async fn ask_dump(admins: &[Admin], node: &str, kind: Option<&str>) -> anyhow::Result<serde_json::Value> {
    let query = kind.map(|kind| format!("?type={kind}")).unwrap_or_default();
    let mut failed = None;
    for admin in admins {
        match admin.json(&format!("proxies/{}/dump{query}", segment(node))).await {
            Ok(Some(dump)) => return Ok(dump),
            Ok(None) => {}
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| nowhere(node)))
}

/// Of several replicas, one must say which.
fn with(mut proxy: ProxyJson, admin: &Admin, admins: &[Admin]) -> ProxyJson {
    proxy.admin = (admins.len() > 1).then(|| admin.0.clone());
    proxy
}

fn nowhere(node: &str) -> anyhow::Error {
    ProblemFound(format!("no proxy {node:?} is connected; `isthmus proxy` lists those that are")).into()
}

/// A node id as one segment of a path: they hold slashes and worse.
fn segment(node: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    // A segment of dots alone is a way through the tree.
    if node.bytes().all(|byte| byte == b'.') { node.replace('.', "%2E") } else { node.bytes().map(byte).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_is_one_segment_of_a_path() {
        assert_eq!(segment("sidecar~10.8.0.1~web-1.shop"), "sidecar~10.8.0.1~web-1.shop");
        assert_eq!(segment("a/b ?#ü%"), "a%2Fb%20%3F%23%C3%BC%25");
        assert_eq!((&*segment(".."), &*segment("..a")), ("%2E%2E", "..a"));
    }
}
