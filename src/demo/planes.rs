//! The control planes: this very program, once per region, as `isthmus region`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use programs::process::{Process, ProcessError};
use serde::Deserialize;

use super::error::DemoError;
use super::http;

/// How long a control plane may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(15);
const READY_PAUSE: Duration = Duration::from_millis(25);
/// How often a control plane is started, if each time another process takes one of its ports before it listens there.
const STARTS: usize = 5;
/// What a control plane prints when it ends for that reason (EADDRINUSE).
const IN_USE: &str = "Address already in use";
/// For one question to a control plane's admin page.
const ASK_LIMIT: Duration = Duration::from_millis(500);

/// Any port of this machine.
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

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

/// Where a control plane listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    xds: SocketAddr,
    admin: SocketAddr,
}

/// What all control planes are started with.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The program that has the `region` command.
    pub program: &'a Path,
    /// The folder that they serve.
    pub world: &'a Path,
    pub logs: &'a Path,
}

impl Launch<'_> {
    /// Starts one control plane. It is not ready yet.
    pub fn start(&self, region: &'static str, at: Addresses) -> Result<Plane, DemoError> {
        let Addresses { xds, admin } = at;
        let world = self.world.to_string_lossy();
        let (xds_text, admin_text) = (xds.to_string(), admin.to_string());
        let args = ["region", "--region", region, "--world", &world, "--xds", &xds_text, "--admin", &admin_text];
        let name = format!("the control plane of {region}");
        let process = Process::start(&name, self.program, &args, self.logs.join(format!("region-{region}.log")))?;
        Ok(Plane { region, xds, admin, process })
    }

    /// Returns when `plane` is ready. Its ports were free when they were chosen; if another process has taken one since, it
    /// is started again with others from `free`, so that its addresses may have changed when this returns.
    pub async fn until_ready(
        &self,
        plane: &mut Plane,
        mut free: impl FnMut() -> Result<Addresses, DemoError>,
    ) -> Result<(), DemoError> {
        let deadline = Instant::now() + READY_LIMIT;
        let mut starts = 1;
        loop {
            match plane.process.check() {
                Ok(()) => {}
                Err(ProcessError::Ended { words, .. }) if words.contains(IN_USE) && starts < STARTS => {
                    *plane = self.start(plane.region, free()?)?;
                    starts += 1;
                }
                Err(error) => return Err(error.into()),
            }
            match plane.ready().await {
                Ok(()) => return Ok(()),
                Err(reason) if Instant::now() >= deadline => {
                    return Err(DemoError::not_ready(&plane.process, READY_LIMIT, reason));
                }
                Err(_) => tokio::time::sleep(READY_PAUSE).await,
            }
        }
    }
}

impl Plane {
    /// Ready to serve; else why not.
    async fn ready(&self) -> Result<(), String> {
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

/// Two ports that no process listens on now. Another one may take one of them before it is used: see [`Launch::until_ready`].
pub fn free_addresses() -> Result<Addresses, DemoError> {
    // Both are held until both are chosen, so that they differ.
    let (xds, admin) = (bind_any("a control plane")?, bind_any("a control plane's admin page")?);
    let at = |listener: &TcpListener| listener.local_addr().map_err(|source| unusable("a control plane", source));
    Ok(Addresses { xds: at(&xds)?, admin: at(&admin)? })
}

fn bind_any(what: &str) -> Result<TcpListener, DemoError> {
    TcpListener::bind(ANY).map_err(|source| unusable(what, source))
}

fn unusable(what: &str, source: std::io::Error) -> DemoError {
    DemoError::Address { what: what.to_owned(), address: ANY.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In place of the program: it ends as `isthmus region` does if the port of its admin page is in use, and runs otherwise.
    /// The argument is the ninth.
    fn substitute(folder: &Path, taken: SocketAddr) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let text = format!(
            "#!/bin/sh\necho \"$9\" >> '{}'\n\
             if [ \"$9\" = {taken} ]; then echo 'error: cannot listen on {taken}: {IN_USE} (os error 98)'; exit 1; fi\n\
             exec sleep 60\n",
            folder.join("starts").display()
        );
        let program = folder.join("program");
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    /// Answers each connection as `/readyz` does.
    fn ready_page(listener: TcpListener) {
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n");
            }
        });
    }

    #[tokio::test]
    async fn a_control_plane_whose_port_was_taken_gets_another_one() {
        let folder = tempfile::tempdir().unwrap();
        // Another process listens there, and does not answer.
        let (taken, page) = (bind_any("x").unwrap(), bind_any("x").unwrap());
        let at = |listener: &TcpListener| {
            let admin = listener.local_addr().unwrap();
            Addresses { xds: admin, admin }
        };
        let (first, second) = (at(&taken), at(&page));
        ready_page(page);
        let program = substitute(folder.path(), first.admin);
        let launch = Launch { program: &program, world: folder.path(), logs: folder.path() };

        let mut plane = launch.start("eu", first).unwrap();
        // The port is taken once more before it is used.
        let mut next = [first, second].into_iter();
        launch.until_ready(&mut plane, || Ok(next.next().expect("three starts"))).await.unwrap();
        assert_eq!(plane.admin, second.admin);
        let expected = [first, first, second].map(|at| at.admin.to_string());
        // The page answers whether the third program has begun or not.
        let mut starts = String::new();
        for _ in 0..500 {
            starts = std::fs::read_to_string(folder.path().join("starts")).unwrap();
            if starts.lines().count() == expected.len() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(starts.lines().collect::<Vec<_>>(), expected);

        // Not forever: then the reason is reported.
        let mut plane = launch.start("eu", first).unwrap();
        let error = launch.until_ready(&mut plane, || Ok(first)).await.unwrap_err().to_string();
        assert!(error.contains(IN_USE), "{error}");
        let starts = std::fs::read_to_string(folder.path().join("starts")).unwrap();
        assert_eq!(starts.lines().count(), 3 + STARTS);
        plane.process.stop().await;
    }

    #[tokio::test]
    async fn a_control_plane_that_ends_for_another_reason_is_not_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let launch = Launch { program: Path::new("false"), world: folder.path(), logs: folder.path() };
        let mut plane = launch.start("eu", free_addresses().unwrap()).unwrap();
        let error = launch.until_ready(&mut plane, || panic!("it is not started again")).await.unwrap_err().to_string();
        assert!(error.contains("the control plane of eu ended by itself"), "{error}");
    }

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
