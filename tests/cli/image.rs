//! The Dockerfile, as far as it can be checked without building it: it agrees with the manifests, with the toolchain and
//! with the binary. That an image comes of it is not shown here, because that needs a container engine and a registry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::run;

/// Libraries in the base image of the last stage (distroless/cc): of glibc and libgcc.
const PROVIDED: [&str; 7] = [
    "linux-vdso.so.1",
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "ld-linux-x86-64.so.2",
];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The instructions, in order; comments are gone.
fn instructions() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root("Dockerfile")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let split = |line: &str| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.to_owned()));
    lines.map(|line| split(line).unwrap_or_else(|| panic!("no instruction: {line}"))).collect()
}

fn values<'a>(instructions: &'a [(String, String)], word: &str) -> Vec<&'a str> {
    instructions.iter().filter(|(found, _)| found == word).map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn what_the_image_runs_is_what_the_manifests_expect() {
    let all = instructions();
    let last = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let last = &all[last..];
    // Arguments of the manifests are given to the entry point, so that has to be the binary, in exec form.
    let [entry] = values(last, "ENTRYPOINT")[..] else { panic!("one ENTRYPOINT") };
    let entry: Vec<String> = serde_json::from_str(entry).unwrap();
    let [copied] = values(last, "COPY")[..] else { panic!("one COPY") };
    assert_eq!(copied.split(' ').collect::<Vec<_>>(), ["--from=build", "/src/target/release/isthmus", &entry[0]]);
    assert_eq!(entry.len(), 1);
    assert_eq!(values(last, "CMD"), [""; 0], "without arguments it should say what it can do");
    assert_eq!(values(last, "RUN"), [""; 0], "there is no shell to run anything");

    let args = ["manifests", "deployments", "--image=a:1", "--region=eu"];
    let text = String::from_utf8(run(&args).await.stdout).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let pods: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == "Deployment")
        .map(|object| &object["spec"]["template"]["spec"])
        .collect();
    assert_eq!(pods.len(), 2);
    let mut ports = BTreeSet::new();
    for pod in pods {
        let user = format!("{}:{}", pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]);
        assert_eq!(values(last, "USER"), [user]);
        assert!(pod["containers"][0]["command"].is_null(), "the entry point of the image is used");
        for port in pod["containers"][0]["ports"].as_array().unwrap() {
            ports.insert(port["containerPort"].to_string());
        }
    }
    let [exposed] = values(last, "EXPOSE")[..] else { panic!("one EXPOSE") };
    assert_eq!(exposed.split(' ').map(str::to_owned).collect::<BTreeSet<_>>(), ports);
}

#[test]
fn it_is_built_with_our_toolchain_from_what_is_locked() {
    let all = instructions();
    let toolchain = std::fs::read_to_string(root("rust-toolchain.toml")).unwrap();
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let from = values(&all, "FROM");
    assert_eq!(from[0], format!("docker.io/library/rust:{channel}-bookworm AS build"));
    // Bookworm is Debian 12: a newer glibc in the build than in the image would not start.
    assert!(from[1].contains("debian12:nonroot") && from.len() == 2, "{from:?}");
    assert_eq!(values(&all, "ENV"), [format!("RUSTUP_TOOLCHAIN={channel}")]);
    let runs = values(&all, "RUN");
    assert_eq!(runs, ["cargo fetch --locked", "cargo build --frozen --release --bin isthmus"], "--frozen: no network");
    // What cargo has to see is not held back.
    let ignored = std::fs::read_to_string(root(".dockerignore")).unwrap();
    for needed in ["Cargo.toml", "Cargo.lock", "src", "federation", "regions", "manifests", "tests", ".cargo"] {
        assert!(!ignored.lines().any(|line| line.trim_end_matches('/') == needed), "{needed}");
    }
}

#[tokio::test]
async fn the_binary_needs_no_library_that_the_image_lacks() {
    let listed = tokio::process::Command::new("ldd").arg(env!("CARGO_BIN_EXE_isthmus")).output().await.unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(|path| path.rsplit('/').next().unwrap_or(path))
        .collect();
    assert!(names.contains(&"libc.so.6"), "{text}");
    for name in names {
        assert!(PROVIDED.contains(&name) || name.starts_with("ld-linux-"), "{name} is not in the base image: {text}");
    }
}
