//! An API server that says the caller's token wherever it may say anything, to have it shown to others: in refusals, as
//! its version, in headers.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::testbed::http::read_head;

/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// Serves until the process ends.
pub struct EchoServer {
    address: SocketAddr,
    /// PEM, base64: as kubeconfigs want it.
    authority: String,
}

impl EchoServer {
    pub fn start() -> Self {
        crate::testbed::install_crypto();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("make a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
        let config = Arc::new(config.expect("a TLS configuration"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                std::thread::spawn(move || serve(stream, config));
            }
        });
        let authority = serde_json::to_value(ByteString(made.cert.pem().into_bytes())).expect("base64");
        Self { address, authority: authority.as_str().expect("a string").to_owned() }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// One request after the other; whatever goes wrong ends the connection.
fn serve(stream: TcpStream, config: Arc<ServerConfig>) {
    let _ = stream.set_read_timeout(Some(IDLE));
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = StreamOwned::new(connection, stream);
    while let Some(head) = read_head(&mut stream) {
        let token = head.lines().find_map(|line| line.split_once("Bearer ").or(line.split_once("bearer ")));
        let token = token.map_or("no-token", |(_, token)| token.trim());
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (status, body) = answer(path, token);
        let text = format!(
            "HTTP/1.1 {status} {token}\r\ncontent-type: application/json\r\nx-token: {token}\r\n\
             warning: 299 - \"{token}\"\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn answer(path: &str, token: &str) -> (u16, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // Rejected, so that each is listed with the token: as a name, as a value, in a name that is cut within it, and in the
    // form of Basic authentication.
    let object = |namespace: &str, name: &str, kind: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"{namespace}","uid":"1","resourceVersion":"1",
                "labels":{{"{token}":"{token}{token}"}}}},"spec":{{"type":"{kind}"}}}}"#
        )
    };
    let basic = serde_json::to_value(ByteString(format!("user:{token}").into_bytes())).expect("base64");
    let basic = basic.as_str().expect("a string");
    let service = [
        object("shop", "web", "Odd"),
        object("shop", token, token),
        object(token, "api", basic),
        object("shop", &format!("{}{token}{}", "n".repeat(30), "n".repeat(300)), "Odd"),
    ]
    .join(",");
    let list = |items: &str| {
        format!(r#"{{"kind":"List","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{items}]}}"#)
    };
    match path {
        "/version" => (
            200,
            format!(
                r#"{{"major":"1","minor":"37","gitVersion":"{token}","gitCommit":"{token}","gitTreeState":"","buildDate":"",
                    "goVersion":"","compiler":"","platform":""}}"#
            ),
        ),
        "/api/v1/namespaces/kube-system" => {
            (200, r#"{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":"echo"}}"#.to_owned())
        }
        // Not JSON at all.
        "/apis/networking.k8s.io/v1/servicecidrs" => (200, token.to_owned()),
        "/livez" => (200, "ok".to_owned()),
        "/api/v1/services" if !query.contains("watch") => (200, list(&service)),
        _ if !query.contains("watch") && query.contains("limit") => (200, list("")),
        _ => {
            let reason = format!(
                r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"{token}","reason":"{token}","code":403}}"#
            );
            (403, reason)
        }
    }
}
