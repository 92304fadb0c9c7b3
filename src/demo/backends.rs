//! The pods: one real HTTP server per pod, each on the pod's own loopback address. Killing one does what the kernel
//! does to a killed process: its listener is gone and every connection it had is closed, whatever was going on in it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::error::DemoError;
use super::http::read_head;
use super::record::Answer;
use super::world::{Cluster, Pod};

/// How long a pod thinks about a request. Real work takes time, and so a killed pod has requests in flight.
const SERVICE_TIME: Duration = Duration::from_millis(2);
/// Connections one pod takes at a time.
const MAX_CONNECTIONS: usize = 256;
/// Port numbers tried for the pods: whatever else runs on this machine may have some of them.
const PORTS: std::ops::Range<u16> = 8080..8112;
/// No pod's address. The demo that listens there has the port for its pods, so that demos side by side do not share one.
const CLAIM: Ipv4Addr = Ipv4Addr::new(127, 8, 255, 254);

/// All pods that run now.
#[derive(Debug)]
pub struct Backends {
    port: u16,
    running: BTreeMap<Ipv4Addr, AbortHandle>,
    tasks: JoinSet<()>,
    _claim: TcpListener,
}

impl Backends {
    /// Finds one port that is free on every given address and claims it.
    pub async fn new(addresses: &[Ipv4Addr]) -> Result<Self, DemoError> {
        let mut last = None;
        for port in PORTS {
            match claim(addresses, port).await {
                Ok(claim) => {
                    return Ok(Self { port, running: BTreeMap::new(), tasks: JoinSet::new(), _claim: claim });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(DemoError::Interrupted))
    }

    /// The port that every pod listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts one pod; it accepts connections when this returns.
    pub async fn start(&mut self, cluster: &Cluster, pod: &Pod) -> Result<(), DemoError> {
        while self.tasks.try_join_next().is_some() {} // reap the killed
        let address = SocketAddr::from((pod.ip, self.port));
        let listener = bind(address).await?;
        let answer = Answer {
            service: pod.service.to_owned(),
            region: cluster.region.to_owned(),
            cluster: cluster.id.to_owned(),
            zone: pod.zone.to_owned(),
            pod: pod.name.to_owned(),
        };
        let body = serde_json::to_string(&answer).unwrap_or_default();
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let handle = self.tasks.spawn(accept(listener, reply.into()));
        self.running.insert(pod.ip, handle);
        Ok(())
    }

    /// Ends one pod at once, its connections with it.
    pub fn kill(&mut self, ip: Ipv4Addr) {
        if let Some(handle) = self.running.remove(&ip) {
            handle.abort();
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, DemoError> {
    TcpListener::bind(address).await.map_err(|source| DemoError::Address { what: "a pod".to_owned(), address, source })
}

async fn claim(addresses: &[Ipv4Addr], port: u16) -> Result<TcpListener, DemoError> {
    let claim = bind(SocketAddr::from((CLAIM, port))).await?;
    for ip in addresses {
        bind(SocketAddr::from((*ip, port))).await?;
    }
    Ok(claim)
}

/// Owns the connections, so that aborting this task ends them too.
async fn accept(listener: TcpListener, reply: Arc<str>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&reply)));
            }
            // Out of file descriptors, or a connection that was gone before it was taken: neither is the end.
            Err(_) => tokio::time::sleep(SERVICE_TIME).await,
        }
    }
}

async fn serve(stream: TcpStream, reply: Arc<str>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut stream = BufReader::new(stream);
    while let Ok(Some(head)) = read_head(&mut stream).await {
        if has_body(&head) {
            // Only GET is handled here; a body that is not read would be taken for the next request.
            let _ =
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
            return;
        }
        tokio::time::sleep(SERVICE_TIME).await;
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn has_body(head: &[String]) -> bool {
    head.iter().skip(1).filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("transfer-encoding")
            || (name.eq_ignore_ascii_case("content-length") && value.trim() != "0")
    })
}

#[cfg(test)]
mod tests;
