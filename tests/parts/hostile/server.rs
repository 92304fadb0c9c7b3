//! An API server of which each answer may be replaced: what the real one cannot be made to send. It is the hub of these
//! tests as well, so that they need no other process than the one that is attacked.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::testbed::http::read_head;

/// A client that neither reads nor writes for so long is left.
const IDLE: Duration = Duration::from_secs(60);
/// No attack sends more than this in one answer.
pub const MOST: u64 = 256 << 20;

/// A request.
pub struct Asked<'a> {
    pub path: &'a str,
    pub query: &'a str,
}

impl Asked<'_> {
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=")
    }
}

/// Where an answer goes.
pub struct Out<'a> {
    stream: &'a mut StreamOwned<ServerConnection, TcpStream>,
    most: &'a AtomicU64,
    sent: u64,
}

impl Out<'_> {
    /// A complete answer.
    pub fn answer(&mut self, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
        self.stream.write_all(head.as_bytes())?;
        self.write(body)
    }

    pub fn json(&mut self, body: &str) -> io::Result<()> {
        self.answer(200, "application/json", body.as_bytes())
    }

    /// Bytes as they are, head included.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The head of an answer that ends with the connection.
    pub fn begin(&mut self, status: u16) -> io::Result<()> {
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n");
        self.stream.write_all(head.as_bytes())
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()?;
        self.sent += bytes.len() as u64;
        self.most.fetch_max(self.sent, Ordering::Relaxed);
        Ok(())
    }

    /// Begins an answer and repeats a part of it until the client has had enough, then closes.
    pub fn endless(&mut self, status: u16, first: &str, part: &str) -> io::Result<()> {
        self.begin(status)?;
        self.write(first.as_bytes())?;
        let block = part.repeat((64 << 10) / part.len() + 1);
        while self.sent < MOST {
            self.write(block.as_bytes())?;
        }
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// `None`: the usual answer.
pub type Hook = dyn Fn(&Asked<'_>, &mut Out<'_>) -> Option<io::Result<()>> + Send + Sync;

struct State {
    objects: Mutex<Objects>,
    changed: Condvar,
    hook: Box<Hook>,
    uid: String,
    /// Of the longest answer.
    most: AtomicU64,
}

#[derive(Default)]
struct Objects {
    /// JSON of each object, by path of the collection.
    lists: BTreeMap<String, Vec<String>>,
    /// Watch events, by path of the collection.
    events: Vec<(String, String)>,
}

/// Serves until the process ends.
pub struct Server {
    address: SocketAddr,
    authority: String,
    state: Arc<State>,
}

impl Server {
    pub fn start(
        uid: &str,
        lists: &[(&str, Vec<String>)],
        hook: impl Fn(&Asked<'_>, &mut Out<'_>) -> Option<io::Result<()>> + Send + Sync + 'static,
    ) -> Self {
        crate::testbed::install_crypto();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("make a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
        let config = Arc::new(config.expect("a TLS configuration"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let address = listener.local_addr().expect("an address");
        let lists = lists.iter().map(|(path, objects)| ((*path).to_owned(), objects.clone())).collect();
        let state = Arc::new(State {
            objects: Mutex::new(Objects { lists, events: Vec::new() }),
            changed: Condvar::new(),
            hook: Box::new(hook),
            uid: uid.to_owned(),
            most: AtomicU64::new(0),
        });
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, state) = (Arc::clone(&config), Arc::clone(&served));
                std::thread::spawn(move || serve(stream, config, &state));
            }
        });
        let authority = serde_json::to_value(ByteString(made.cert.pem().into_bytes())).expect("base64");
        Self { address, authority: authority.as_str().expect("a string").to_owned(), state }
    }

    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: 'https://{}', certificate-authority-data: {}}}}}]\n\
             users: [{{name: u, user: {{token: the-token}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
            self.address, self.authority
        )
    }

    /// Tells a change to those who watch.
    pub fn event(&self, path: &str, kind: &str, object: &str) {
        let line = format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n");
        lock(&self.state.objects).events.push((path.to_owned(), line));
        self.state.changed.notify_all();
    }

    /// Bytes of the longest answer that a client took.
    pub fn longest(&self) -> u64 {
        self.state.most.load(Ordering::Relaxed)
    }
}

fn lock(objects: &Mutex<Objects>) -> MutexGuard<'_, Objects> {
    objects.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request after the other; whatever goes wrong ends the connection.
fn serve(tcp: TcpStream, config: Arc<ServerConfig>, state: &State) {
    let _ = tcp.set_read_timeout(Some(IDLE));
    let _ = tcp.set_write_timeout(Some(IDLE));
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = StreamOwned::new(connection, tcp);
    while let Some(head) = read_head(&mut stream) {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked = Asked { path, query };
        let mut out = Out { stream: &mut stream, most: &state.most, sent: 0 };
        let result = (state.hook)(&asked, &mut out).unwrap_or_else(|| usual(&asked, &mut out, state));
        if result.is_err() {
            return;
        }
    }
}

fn usual(asked: &Asked<'_>, out: &mut Out<'_>, state: &State) -> io::Result<()> {
    match asked.path {
        "/version" => out.json(r#"{"major":"1","minor":"37","gitVersion":"v1.37.0"}"#),
        "/livez" => out.answer(200, "text/plain", b"ok"),
        "/apis" => out.json(r#"{"kind":"APIGroupList","groups":[]}"#),
        "/api/v1/namespaces/kube-system" => {
            out.json(&format!(r#"{{"kind":"Namespace","metadata":{{"name":"kube-system","uid":"{}"}}}}"#, state.uid))
        }
        path if asked.is_watch() => watch(path, out, state),
        path => {
            let objects = lock(&state.objects);
            let items = objects.lists.get(path).map(|items| items.join(",")).unwrap_or_default();
            drop(objects);
            out.json(&list(&items, "1", ""))
        }
    }
}

pub fn list(items: &str, version: &str, token: &str) -> String {
    format!(
        r#"{{"kind":"List","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{token}"}},"items":[{items}]}}"#
    )
}

/// All events since the start: who watches has listed what was there at the start.
fn watch(path: &str, out: &mut Out<'_>, state: &State) -> io::Result<()> {
    out.begin(200)?;
    let (mut next, end) = (0, Instant::now() + IDLE);
    loop {
        let mut objects = lock(&state.objects);
        while objects.events.len() <= next {
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let waited = state.changed.wait_timeout(objects, Duration::from_secs(1));
            objects = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let fresh: Vec<(String, String)> = objects.events.iter().skip(next).cloned().collect();
        drop(objects);
        next += fresh.len();
        for (_, line) in fresh.iter().filter(|(at, _)| at == path) {
            out.write(line.as_bytes())?;
        }
    }
}
