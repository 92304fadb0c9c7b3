//! `isthmus demo` as a user runs it: the whole show must hold, and however it ends it leaves nothing running.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is missing is a failed test")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::slots;
use crate::testbed::eventually;

const BINARY: &str = env!("CARGO_BIN_EXE_isthmus");
/// The shortest timetable, starting and stopping on a busy machine, and perhaps the one fetch of Envoy.
const RUN_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// A show that did not hold while the machine had no time for it says nothing about the product: it is shown again.
const MAX_LAG_MS: f64 = 200.0;
const ATTEMPTS: u32 = 3;

#[tokio::test]
async fn every_failover_of_the_show_holds() {
    // The show measures, so nothing heavy may run beside it.
    let _alone = slots::of_clusters(usize::MAX).await;
    for attempt in 1..=ATTEMPTS {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        let (code, shown) = show(&kept).await;
        assert_eq!(running(&kept), Vec::<String>::new());
        let events = shown.pointer("/events").and_then(Value::as_array).unwrap();
        let lag = events.iter().filter_map(|event| event.get("lagMs")?.as_f64()).fold(0.0, f64::max);
        if lag > MAX_LAG_MS && code == Some(1) && attempt < ATTEMPTS {
            eprintln!("not counted: this machine held the demo up for {lag} ms");
            continue;
        }
        check(code, &shown, events);
        return;
    }
}

async fn show(kept: &Path) -> (Option<i32>, Value) {
    let mut child = demo(kept, &["--json", "--for", "20s"]);
    let stdout = child.stdout.take().unwrap();
    let read = tokio::task::spawn_blocking(move || std::io::read_to_string(stdout));
    let text = tokio::time::timeout(RUN_LIMIT, read).await.expect("the show ends").unwrap().unwrap();
    let shown = serde_json::from_str(&text).expect("one JSON document and nothing else");
    (child.wait().unwrap().code(), shown)
}

fn check(code: Option<i32>, shown: &Value, events: &[Value]) {
    let names: Vec<&str> = events.iter().filter_map(|event| event.get("name")?.as_str()).collect();
    assert_eq!(
        names,
        ["start", "podLost", "zoneLost", "regionLost", "allBack", "clashRefused", "clusterJoined"],
        "{shown:#}"
    );
    for event in events {
        assert_eq!(event.get("reasons"), Some(&Value::Array(vec![])), "{event:#}");
    }
    assert_eq!((code, shown.get("held")), (Some(0), Some(&Value::Bool(true))));
    let refusals = shown.pointer("/events/5/verdicts").and_then(Value::as_array).unwrap();
    assert_eq!(refusals.len(), 3, "each control plane refuses the clashing cluster");
    assert!(refusals.iter().all(|verdict| verdict.get("reason") == Some(&"CIDROverlap".into())));
}

#[tokio::test]
async fn an_interrupted_show_ends_soon_and_leaves_nothing_running() {
    for signal in ["-INT", "-KILL"] {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        let mut child = demo(&kept, &[]);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let begun = tokio::task::spawn_blocking(move || {
            let mut lines = lines.map_while(Result::ok);
            let begun = lines.any(|line| line.contains("Everyone is served at home"));
            (begun, lines)
        });
        let (begun, rest) = tokio::time::timeout(RUN_LIMIT, begun).await.expect("the show begins").unwrap();
        assert!(begun, "the show begins");
        // Three control planes and three Envoys.
        assert_eq!(running(&kept).iter().filter(|line| !line.contains(" demo ")).count(), 6);

        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let asked = Instant::now();
        // Read on, or its last words would find a closed pipe.
        let rest = tokio::task::spawn_blocking(move || rest.collect::<Vec<_>>().join("\n"));
        let rest = tokio::time::timeout(STOP_LIMIT, rest).await.expect("the demo ends").unwrap();
        let status = child.wait().unwrap();
        assert!(asked.elapsed() < STOP_LIMIT);
        if signal == "-INT" {
            assert_eq!(status.code(), Some(1));
            assert!(!rest.contains("Held."), "what was not shown has not held: {rest}");
            assert_eq!(running(&kept), Vec::<String>::new(), "all are gone when it ends");
        }
        let what = format!("everything ends after {signal}");
        eventually(&what, STOP_LIMIT, async || match running(&kept) {
            left if left.is_empty() => Ok(()),
            left => Err(left.join("; ")),
        })
        .await;
    }
}

fn demo(kept: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(BINARY);
    command.arg("demo").arg("--keep").arg(kept).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("start the demo")
}

/// Command lines of the processes that name this folder.
fn running(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&*folder))
        .collect()
}
