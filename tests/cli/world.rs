//! A small folder for `--world` that has no mistakes.

use std::path::Path;

use tempfile::TempDir;

use crate::harness::objects;

const WEB: &str = "shop/web";

/// Two members in two regions; `web` is served by eu-1 alone, so us-1 needs a mirror.
pub(super) fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    let hub = [
        objects::region("eu", &["us"]),
        objects::region("us", &[]),
        objects::member_cluster("eu-1", "eu", &["10.1.0.0/16"], &["10.101.0.0/16"]),
        objects::member_cluster("us-1", "us", &["10.2.0.0/16"], &["10.102.0.0/16"]),
    ];
    write(world.path(), "hub.yaml", &hub.concat());
    serve(world.path(), "eu-1");
    write(world.path(), "clusters/us-1/namespaces.yaml", &objects::namespace("other"));
    world
}

/// Adds `shop/web` with two pods to a member's folder.
pub(super) fn serve(world: &Path, id: &str) {
    serve_with(world, id, 2);
}

/// The same with so many pods.
pub(super) fn serve_with(world: &Path, id: &str, pods: usize) {
    let (namespace, name) = WEB.split_once('/').unwrap();
    let member = 1 + u8::from(id == "us-1");
    let pods: Vec<String> = (1..=pods).map(|pod| format!("10.{member}.0.{pod}")).collect();
    let all = [
        objects::namespace(namespace),
        objects::federated(namespace, name),
        objects::slice(namespace, name, &pods, "a"),
    ];
    write(world, &format!("clusters/{id}/web.yaml"), &all.concat());
}

fn write(world: &Path, name: &str, text: &str) {
    let path = world.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // As the docs ask: written beside, then renamed.
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}
