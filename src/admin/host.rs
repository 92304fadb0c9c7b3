//! Who a request says it is for. A page in a browser may be made to ask an address inside of the network by a name of its
//! own ("DNS rebinding"); then it says that name, and is refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{Request, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Names besides `localhost` by which the pages may be asked for, in lower case.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    fn allows(&self, authority: &str) -> bool {
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        host.parse::<IpAddr>().is_ok() || host == "localhost" || self.0.contains(&host)
    }
}

/// Passes on what is asked of an address, of `localhost`, or of a name that was given.
pub(super) async fn check(State(hosts): State<Hosts>, request: Request<Body>, next: Next) -> Response {
    let sent: Vec<String> = request
        .headers()
        .get_all(HOST)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .chain(request.uri().authority().map(ToString::to_string))
        .collect();
    // HTTP/1.0 has no Host, and no browser uses it.
    if sent.is_empty() && request.version() != Version::HTTP_10 {
        return (StatusCode::BAD_REQUEST, "found no Host; expected one\n").into_response();
    }
    match sent.iter().find(|host| !hosts.allows(host)) {
        None => next.run(request).await,
        Some(host) => {
            let text =
                format!("found Host {host:?}; expected an IP address, localhost, or a name that --admin-host gives\n");
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_that_were_given_are_allowed() {
        let hosts = Hosts::new(["Pages.Example".to_owned()]);
        for host in [
            "127.0.0.1",
            "127.0.0.1:15014",
            "[::1]:15014",
            "[fd00::1]",
            "10.8.0.1:80",
            "localhost",
            "LOCALHOST:1",
            "pages.example:15014",
        ] {
            assert!(hosts.allows(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:15014",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "pages.example.evil",
            "localhost.",
            "",
            "user@127.0.0.1",
            "127.0.0.1/x",
            "a b",
            "\u{e9}",
        ] {
            assert!(!hosts.allows(host), "{host}");
        }
        assert!(!Hosts::default().allows("pages.example"));
    }
}
