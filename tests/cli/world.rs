//! A small world that has nothing wrong with it.

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
    let (namespace, name) = WEB.split_once('/').unwrap();
    let pods = [format!("10.{}.0.1", 1 + u8::from(id == "us-1")), format!("10.{}.0.2", 1 + u8::from(id == "us-1"))];
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
    std::fs::write(path, text).unwrap();
}
