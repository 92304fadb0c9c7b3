//! Text that others wrote, where people read it: no name steers a terminal, forges a line of the log, fills it, or takes
//! memory for its length.

use std::path::Path;
use std::time::Duration;

use clusters::foreign::is_hidden;
use serde_json::Value;
use tempfile::TempDir;

use super::world::world;
use crate::harness::ads::{ASSIGNMENT, AdsClient, CLUSTER};
use crate::harness::{Isthmus, SOON, Source, objects, run};
use crate::testbed::process::Process;
use crate::testbed::{eventually, http, ports};

/// A forged line, a sequence that clears the screen, the same in C1, an override, an isolate, a line separator, a zero-width
/// space, a tag, DEL, a Hangul filler.
const MISLEADING: &str =
    "x\n2026-11-30T21:00:02Z  WARN healthy\u{1b}[2J\u{9b}2J\u{202e}\u{2067}\u{2028}\u{200b}\u{e0041}\u{7f}\u{3164}";
/// By how much the memory of a region may exceed that of one without the objects, in KiB.
const ROOM_KIB: u64 = 64 << 10;
const PAGE_LIMIT: Duration = Duration::from_secs(20);

fn add(world: &TempDir, file: &str, text: &str) {
    std::fs::write(world.path().join(file), text).unwrap();
}

/// Rejected, because of its name; with a label of that text too, and a kind of it beside.
fn named(name: &str) -> String {
    let name = clusters::foreign::yaml(serde_json::to_string(name).unwrap());
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{namespace: shop, name: {name}, labels: {{{name}: {name}}}}}\n\
         spec: {{ports: [{{port: 80}}], type: {name}}}\n\
         ---\napiVersion: v1\nkind: {name}\nmetadata: {{name: x}}\n"
    )
}

fn hidden(text: &str) -> String {
    text.chars().filter(|c| is_hidden(*c) && *c != '\n').collect()
}

#[tokio::test]
async fn no_name_steers_a_terminal_or_hides_in_a_page() {
    let world = world();
    add(&world, "clusters/eu-1/odd.yaml", &named(MISLEADING));
    add(&world, &format!("clusters/eu-1/{}.yaml", MISLEADING.replace('/', "")), "kind: [");
    std::fs::create_dir(world.path().join("clusters").join(MISLEADING)).unwrap();
    let folder = world.path().to_str().unwrap();
    let plain = world_lines(&["check", "--world", folder]).await;
    assert!(
        plain.contains("Service shop/x\\n2026-11-30T21:00:02Z  WARN healthy\\u{1b}[2J\\u{9b}2J\\u{202e}"),
        "{plain}"
    );
    assert!(!plain.lines().any(|line| line.starts_with("2026")), "{plain}");
    for args in [["check", "json"], ["check", "yaml"], ["status", "wide"], ["status", "json"], ["status", "yaml"]] {
        world_lines(&[args[0], "-o", args[1], "--world", folder]).await;
    }
    let yaml = run(&["check", "-o", "yaml", "--world", folder]).await;
    let yaml: Value = serde_saphyr::from_slice(&yaml.stdout).unwrap();
    let output = run(&["check", "-o", "json", "--world", folder]).await;
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> =
        document["problems"].as_array().unwrap().iter().filter_map(|p| p["object"]["name"].as_str()).collect();
    assert!(names.contains(&MISLEADING), "JSON says what was written: {names:?}");
    assert_eq!(yaml, document, "and so does YAML");

    let mut region = Isthmus::region_with("eu", Source::Folder(world.path()), &SHORT.map(str::to_owned));
    region.wait_ready().await;
    region.has_service("shop/web", &["eu-1"], 2).await;
    for page in ["/debug/problems", "/debug/members", "/debug/knowledge", "/readyz", "/metrics"] {
        let text = region.page(page).await;
        assert_eq!(hidden(&text), "", "{page}: {text:?}");
    }
    assert!(region.page("/debug/problems").await.contains("WARN healthy"));
    let admin = format!("--admin=http://{}", region.admin());
    world_lines(&["status", &admin]).await;
    assert_eq!(hidden(&region.log()), "");
}

/// What a command prints, on both sides, of which nothing is hidden.
async fn world_lines(args: &[&str]) -> String {
    let output = run(args).await;
    let text = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    assert_eq!(hidden(&text), "", "{args:?}: {text:?}");
    assert!(!text.is_empty(), "{args:?}");
    text
}

/// A region whose log is for people.
async fn talkative(world: &Path, folder: &Path) -> (Process, std::net::SocketAddr, std::net::SocketAddr) {
    let [xds, admin] = [ports::free(), ports::free()].map(|port| std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    let args = [
        "region".to_owned(),
        "--region=eu".to_owned(),
        format!("--world={}", world.display()),
        format!("--xds={xds}"),
        format!("--admin={admin}"),
    ];
    let mut process = Process::spawn("region", Path::new(env!("CARGO_BIN_EXE_isthmus")), &args, folder);
    eventually("the region is ready", SOON, async || {
        process.must_run();
        match http::get(admin, "localhost", "/readyz", PAGE_LIMIT).await {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    (process, xds, admin)
}

#[tokio::test]
async fn a_client_forges_no_line_of_the_log_and_does_not_fill_it() {
    const REJECTIONS: usize = 400;
    let (world, folder) = (world(), tempfile::tempdir().unwrap());
    let (process, xds, admin) = talkative(world.path(), folder.path()).await;
    let mut loud = AdsClient::open(xds).await;
    for i in 0..REJECTIONS {
        // Each name brings one answer to reject.
        loud.take("loud", ASSIGNMENT, &[&format!("none-{i}")], Some(MISLEADING)).await;
    }
    // Whatever a client calls itself, its lines count for its address.
    let mut innocent = AdsClient::open_from(xds, [127, 0, 0, 2]).await;
    innocent.take("innocent", CLUSTER, &[], Some("I cannot use this")).await;
    eventually("the rejection of the other client is logged", SOON, async || {
        let log = process.log();
        if log.contains("I cannot use this") && log.contains("node=\"innocent\"") { Ok(()) } else { Err(log) }
    })
    .await;
    let log = process.log();
    assert_eq!(hidden(&log), "", "{log:?}");
    for line in log.lines() {
        let level = line.split_whitespace().nth(1);
        assert!(level.is_some_and(|level| ["INFO", "WARN"].contains(&level)) && line.starts_with("20"), "{line}");
        assert!(!line.starts_with("2026-11-30T21:00:02Z  WARN healthy"), "{line}");
    }
    let loud_lines = log.lines().filter(|line| line.contains("node=\"loud\"")).count();
    assert!((1..=40).contains(&loud_lines), "{REJECTIONS} rejections made {loud_lines} lines:\n{log}");
    let metrics = http::get(admin, "localhost", "/metrics", PAGE_LIMIT).await.unwrap().body;
    let of = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let suppressed = of("isthmus_log_lines_suppressed_total");
    assert!(suppressed as usize >= REJECTIONS / 2, "{suppressed} of {REJECTIONS} left out");
}

#[tokio::test]
async fn long_names_are_cut_and_many_are_counted() {
    const MANY: usize = 300;
    const LONG: usize = 16 << 10;
    let (plain, world) = (world(), world());
    // Each alike for longer than what is kept of it.
    let broken: String = (0..MANY).map(|i| objects::federated("shop", &format!("{}-{i}", "n".repeat(LONG)))).collect();
    add(&world, "clusters/eu-1/long.yaml", &broken);
    let folder = world.path().to_str().unwrap();
    let text = world_lines(&["check", "--world", folder]).await;
    assert!(text.len() < 256 << 10, "{} bytes of listing", text.len());
    assert!(text.contains("256 shown, 44 more objects with problems"), "{}", &text[text.len() - 800..]);
    assert!(text.contains("300 objects with problems"), "{}", &text[text.len() - 800..]);
    let output = run(&["check", "-o", "json", "--world", folder]).await;
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((document["problems"].as_array().unwrap().len(), &document["problemsNotListed"]), (256, &44.into()));

    let mut innocent = Isthmus::region("eu", Source::Folder(plain.path()));
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    innocent.wait_ready().await;
    region.wait_ready().await;
    region.has_service("shop/web", &["eu-1"], 2).await;
    assert_eq!(region.metrics().await["isthmus_rejected_objects{origin=\"eu-1\"}"], MANY as f64);
    for _ in 0..4 {
        let problems: Vec<Value> = serde_json::from_str(&region.page("/debug/problems").await).unwrap();
        assert_eq!(problems.len(), 257);
        let last = problems.last().unwrap();
        assert_eq!(
            (&last["object"]["name"], &last["found"]),
            (&"eu-1".into(), &"256 shown, 44 more objects with problems".into())
        );
        let page = region.page("/debug/members").await;
        assert!(page.contains("256 shown, 44 more objects with problems") && page.len() < 256 << 10, "{}", page.len());
    }
    let admin = format!("--admin=http://{}", region.admin());
    let status = run(&["status", &admin, "-o", "json"]).await;
    assert!(String::from_utf8(status.stdout).unwrap().contains("44 more objects with problems"));
    let (with, without) = (region.resident_kib(), innocent.resident_kib());
    assert!(with < without + ROOM_KIB, "{with} KiB, {without} KiB without them");
}

#[tokio::test]
async fn what_blocks_or_has_no_end_in_a_folder_is_reported_and_the_rest_is_used() {
    let world = world();
    let at = |name: &str| world.path().join("clusters/eu-1").join(name);
    for (name, target) in [
        ("console.yaml", "/dev/tty"),
        ("endless.yaml", "/dev/zero"),
        ("messages.yaml", "/proc/kmsg"),
        ("state.yaml", "/proc/self/status"),
        ("sys.yaml", "/sys/kernel/mm/transparent_hugepage/enabled"),
    ] {
        std::os::unix::fs::symlink(target, at(name)).unwrap();
    }
    let made =
        std::process::Command::new("mkfifo").arg(at("pipe.yaml")).arg(world.path().join("hub-pipe.yaml")).status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.yaml")).unwrap();

    let output = run(&["check", "-v", "--world", world.path().to_str().unwrap()]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for (file, found) in [
        ("console.yaml", "a device"),
        ("endless.yaml", "a device"),
        ("pipe.yaml", "a FIFO"),
        ("hub-pipe.yaml", "a FIFO"),
        ("socket.yaml", "a socket"),
    ] {
        let expected = format!("{file}: found {found}; expected a regular file, or a link to one");
        assert!(text.contains(&expected), "{expected}: {text}");
    }
    assert!(text.contains("messages.yaml: found "), "{text}");
    assert!(
        text.contains("state.yaml:1: no Kubernetes object; passed over")
            || text.contains("File clusters/eu-1/state.yaml"),
        "{text}"
    );

    // What the files that cannot be read would say is not known.
    let mut region = Isthmus::region_with("eu", Source::Folder(world.path()), &SHORT.map(str::to_owned));
    region.wait_ready().await;
    region.has_service("shop/web", &["eu-1"], 2).await;
}

/// How long a region waits for a member that is not known.
const SHORT: [&str; 2] = ["--sync-deadline=1", "--member-deadline=1"];
