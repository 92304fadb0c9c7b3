//! The ports of pages: who may ask for what, and what those who ask badly take from others.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::world;
use crate::harness::ads::{AdsClient, CLUSTER};
use crate::harness::{Isthmus, SOON, Source, run};
use crate::testbed::process::Process;
use crate::testbed::{eventually, http, ports};

const PAGE_LIMIT: Duration = Duration::from_secs(10);
/// More than a port of pages takes.
const SILENT: usize = 200;

async fn status(address: SocketAddr, host: &str, path: &str) -> u16 {
    let answer = http::get(address, host, path, PAGE_LIMIT).await;
    answer.unwrap_or_else(|error| panic!("{host} {path}: {error}")).status
}

#[tokio::test]
async fn silent_connections_to_the_pages_take_nothing_from_others() {
    let world = world();
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    let files = |region: &Isthmus| std::fs::read_dir(format!("/proc/{}/fd", region.pid())).unwrap().count();
    let before = files(&region);
    let mut silent = Vec::new();
    for round in 0..SILENT {
        let mut connection = TcpStream::connect(region.admin()).await.unwrap();
        if round % 2 == 1 {
            // Half of a request is no request.
            let _ = connection.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n").await;
        }
        silent.push(connection);
    }
    eventually("most of them are closed", SOON, async || {
        let open = files(&region).saturating_sub(before);
        if open <= 64 + 8 { Ok(()) } else { Err(open) }
    })
    .await;
    assert_eq!(region.page("/livez").await, "ok\n", "a probe is answered beside them");
    let mut proxy = AdsClient::open(region.xds()).await;
    proxy.take("innocent", CLUSTER, &[], None).await;
    assert!(region.page("/debug/proxies").await.contains("innocent"));
    let metrics = region.metrics().await;
    assert!(metrics["isthmus_admin_connections_made_room_total"] >= (SILENT - 64) as f64, "{metrics:?}");
    drop(silent);
}

#[tokio::test]
async fn a_request_that_drips_is_given_up() {
    let world = world();
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    let begun = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(region.admin()).await.unwrap().into_split();
    let drip = tokio::spawn(async move {
        let text = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}", "a".repeat(200));
        for byte in text.bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(40), reader.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "closed after the time that a head may take");
    assert!(begun.elapsed() >= Duration::from_secs(9), "and not before");
    assert_eq!(region.page("/livez").await, "ok\n");
    drip.abort();
}

#[tokio::test]
async fn pages_are_served_to_whom_they_are_for() {
    let world = world();
    let probes = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let flags = [format!("--probes={probes}"), "--admin-host=pages.example".to_owned()];
    let mut region = Isthmus::region_with("eu", Source::Folder(world.path()), &flags);
    region.wait_ready().await;
    let admin = region.admin();

    // By address, by localhost, or by the name that was given; a page of a browser elsewhere says another one.
    for (host, code) in [
        ("localhost:15014", 200),
        ("127.0.0.1", 200),
        ("[::1]:15014", 200),
        ("pages.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example:15014", 421),
        ("127.0.0.1.evil.example", 421),
    ] {
        for (address, path) in [(admin, "/debug/members"), (admin, "/livez"), (probes, "/metrics")] {
            assert_eq!(status(address, host, path).await, code, "{host} {path}");
        }
    }
    let answer = http::get(admin, "evil.example", "/livez", PAGE_LIMIT).await.unwrap();
    assert!(answer.body.contains("\"evil.example\"") && answer.body.contains("--admin-host"), "{}", answer.body);
    // The whole address in the request line counts as well.
    let sneaky = http::request("GET", admin, "localhost", "http://evil.example/livez", PAGE_LIMIT).await.unwrap();
    assert_eq!(sneaky.status, 421);

    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(
            (status(probes, "localhost", path).await, status(admin, "localhost", path).await),
            (200, 200),
            "{path}"
        );
    }
    for path in ["knowledge", "members", "services", "problems", "streams", "proxies", "proxies/x", "proxies/x/dump"] {
        let path = format!("/debug/{path}");
        assert_eq!(status(probes, "localhost", &path).await, 404, "{path} is not on the public port");
    }
    assert_eq!(region.stop().await, Some(0));
}

#[tokio::test]
async fn pages_that_others_can_reach_have_to_be_meant() {
    let world = world();
    let folder = world.path().to_str().unwrap();
    for command in [&["region", "--region=eu", "--xds=127.0.0.1:0"][..], &["controller", "--mirror-out=/no/such"]] {
        for admin in ["--admin=0.0.0.0:0", "--admin=[::]:0", "--admin=10.8.0.1:15014", "--admin=[::ffff:10.0.0.1]:1"] {
            let args: Vec<&str> = command.iter().copied().chain(["--world", folder, admin]).collect();
            let output = run(&args).await;
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
            assert!(error.contains("--allow-open-admin") && error.contains("--probes"), "{error}");
        }
    }
    // Last wins: the harness gives one on loopback first.
    let port = ports::free();
    let args = [
        "region".to_owned(),
        "--region=eu".to_owned(),
        format!("--world={folder}"),
        "--xds=127.0.0.1:0".to_owned(),
        format!("--admin=0.0.0.0:{port}"),
        "--allow-open-admin".to_owned(),
    ];
    let mut process = Process::spawn("open", Path::new(env!("CARGO_BIN_EXE_isthmus")), &args, world.path());
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually("the pages are served", SOON, async || {
        process.must_run();
        let answer = http::get(address, "localhost", "/debug/members", PAGE_LIMIT).await?;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_and_logged() {
    let (world, folder) = (world(), tempfile::tempdir().unwrap());
    let admin = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let args = [
        "-c".to_owned(),
        "ulimit -Sn 256; exec \"$0\" \"$@\"".to_owned(),
        env!("CARGO_BIN_EXE_isthmus").to_owned(),
        "region".to_owned(),
        "--region=eu".to_owned(),
        format!("--world={}", world.path().display()),
        "--xds=127.0.0.1:0".to_owned(),
        format!("--admin={admin}"),
    ];
    let mut process = Process::spawn("region", Path::new("/bin/sh"), &args, folder.path());
    eventually("it is ready", SOON, async || {
        process.must_run();
        http::get(admin, "localhost", "/readyz", PAGE_LIMIT).await
    })
    .await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.trim_start_matches("Max open files").split_whitespace().take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    let log = process.log();
    assert!(log.contains("was=\"256\"") && log.contains(&format!("now=\"{}\"", numbers[0])), "{log}");
}
