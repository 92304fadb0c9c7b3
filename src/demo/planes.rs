//! The control planes: this very program, once per region, as `isthmus region`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use programs::process::Process;
use serde::Deserialize;

use super::error::DemoError;
use super::http;

/// For one question to a control plane's admin page.
const ASK_LIMIT: Duration = Duration::from_millis(500);

/// One region's control plane.
#[derive(Debug)]
pub struct Plane {
    pub region: &'static str,
    pub xds: SocketAddr,
    pub admin: SocketAddr,
    pub process: Process,
}

/// What a control plane says about one member. Fields that a version does not send are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MemberSays {
    pub id: String,
    pub ready: bool,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub services: usize,
    pub endpoints: usize,
}

impl Plane {
    pub fn start(program: &Path, region: &'static str, world: &Path, logs: &Path) -> Result<Self, DemoError> {
        let xds = free_port(Ipv4Addr::LOCALHOST, "a control plane")?;
        let admin = free_port(Ipv4Addr::LOCALHOST, "a control plane's admin page")?;
        let world = world.to_string_lossy();
        let (xds_text, admin_text) = (xds.to_string(), admin.to_string());
        let args = ["region", "--region", region, "--world", &world, "--xds", &xds_text, "--admin", &admin_text];
        let name = format!("the control plane of {region}");
        let process = Process::start(&name, program, &args, logs.join(format!("region-{region}.log")))?;
        Ok(Self { region, xds, admin, process })
    }

    /// Ready to serve; else why not.
    pub async fn ready(&self) -> Result<(), String> {
        match http::get(self.admin, "localhost", "/readyz", ASK_LIMIT).await {
            Ok(reply) if reply.status == 200 => Ok(()),
            Ok(reply) => {
                let body = String::from_utf8_lossy(&reply.body);
                Err(format!("/readyz says {} {}", reply.status, body.trim()))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What the control plane at `admin` says about a member; `None` while it cannot be asked or does not know it.
pub async fn says_of(admin: SocketAddr, cluster: &str) -> Option<MemberSays> {
    let reply = http::get(admin, "localhost", "/debug/members", ASK_LIMIT).await.ok()?;
    if reply.status != 200 {
        return None;
    }
    let all: Vec<MemberSays> = serde_json::from_slice(&reply.body).ok()?;
    all.into_iter().find(|says| says.id == cluster)
}

/// A port that no process listens on now. Another one could take it before it is used; then the start fails and says so.
pub fn free_port(ip: Ipv4Addr, what: &str) -> Result<SocketAddr, DemoError> {
    let address = SocketAddr::from((ip, 0));
    std::net::TcpListener::bind(address)
        .and_then(|listener| listener.local_addr())
        .map_err(|source| DemoError::Address { what: what.to_owned(), address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_control_plane_says_is_read_tolerantly() -> Result<(), serde_json::Error> {
        let text = r#"[{"id":"us-2","region":"us","ready":false,"reason":"CIDROverlap","message":"m","new":{"x":1}},
                       {"id":"eu-1","ready":true,"reason":null,"services":1,"endpoints":4}]"#;
        let all: Vec<MemberSays> = serde_json::from_str(text)?;
        assert_eq!(all.iter().map(|says| (says.ready, says.endpoints)).collect::<Vec<_>>(), [(false, 0), (true, 4)]);
        assert_eq!(all.first().and_then(|says| says.reason.as_deref()), Some("CIDROverlap"));
        Ok(())
    }
}
