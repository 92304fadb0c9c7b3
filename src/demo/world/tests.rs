use std::error::Error;

use serde_json::Value;

use super::folder::Folder;
use super::yaml::{Files, files};
use super::*;
use crate::demo::scratch::Scratch;
use crate::demo::timetable;

fn ready(world: &DemoFederation) -> Vec<String> {
    world.live().map(|(cluster, pod)| format!("{}/{}", cluster.id, pod.name)).collect()
}

#[test]
fn losses_add_up_and_everything_returns() {
    let start = timetable::world();
    let zone = Change::Lose(Pick { zone: Some("eu-a"), ..Pick::default() });
    let region = Change::Lose(Pick { region: Some("eu"), ..Pick::default() });
    let pod = Change::Lose(Pick { cluster: Some("us-1"), pod: Some("web-a-1"), ..Pick::default() });
    let dark = start.after(&zone).after(&region).after(&pod);
    assert_eq!(ready(&dark), ["us-1/web-a-2", "us-1/cart-a-1", "ap-1/web-a-1", "ap-1/web-a-2"]);
    assert_eq!(dark.after(&Change::Restore), start);
    assert_eq!(start.after(&Change::Nothing), start);
    // What has to be killed and started follows from the two worlds.
    let lost: Vec<&str> = start.live_only_here(&start.after(&zone)).map(|(_, pod)| pod.name).collect();
    assert_eq!(lost, ["web-a-1", "web-a-2"]);
    assert_eq!(start.after(&zone).live_only_here(&start).count(), 0);
}

#[test]
fn a_cluster_that_asks_again_replaces_its_first_answer() {
    let start = timetable::world();
    let joins: Vec<Change> = timetable::events().into_iter().map(|event| event.change).collect();
    let after = joins.iter().filter(|change| matches!(change, Change::Join(_))).fold(start.clone(), |w, c| w.after(c));
    assert_eq!(after.clusters.len(), start.clusters.len() + 1);
    assert!(after.clusters.iter().any(|cluster| cluster.id == "us-2" && cluster.pod_cidr == "127.20.0.0/16"));
}

/// Every document of every file, as values.
fn documents(files: &Files) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut all = Vec::new();
    for text in files.values() {
        all.extend(serde_saphyr::from_multiple::<Value>(text)?);
    }
    Ok(all)
}

#[test]
fn the_files_say_what_the_world_is() -> Result<(), Box<dyn Error>> {
    let lost = Change::Lose(Pick { cluster: Some("eu-1"), pod: Some("web-a-2"), ..Pick::default() });
    let files = files(&timetable::world().after(&lost), 8088);
    assert_eq!(files.keys().filter(|name| name.starts_with("clusters/eu-1/")).count(), 2);
    let documents = documents(&files)?;
    let kinds = |kind: &str| documents.iter().filter(|value| value.get("kind") == Some(&Value::from(kind))).count();
    assert_eq!((kinds("Region"), kinds("MemberCluster"), kinds("Namespace")), (3, 4, 8));
    // web everywhere, cart in us-1 only.
    assert_eq!((kinds("Service"), kinds("EndpointSlice")), (5, 5));
    let mut slices =
        documents.iter().filter(|value| value.pointer("/metadata/uid") == Some(&Value::from("eu-1-web-1")));
    let slice = slices.next().ok_or("eu-1 has a slice of web")?;
    assert_eq!(slice.pointer("/ports/0/port"), Some(&Value::from(8088)));
    let ready: Vec<&Value> =
        (0..4).filter_map(|i| slice.pointer(&format!("/endpoints/{i}/conditions/ready"))).collect();
    assert_eq!(ready, [&Value::from(true), &Value::from(false), &Value::from(true), &Value::from(true)]);
    Ok(())
}

#[test]
fn only_what_changed_is_written_and_nothing_half() -> Result<(), Box<dyn Error>> {
    let scratch = Scratch::new(None)?;
    let mut folder = Folder::create(scratch.path())?;
    let start = timetable::world();
    let before = files(&start, 8080);
    assert_eq!(folder.apply(&before)?, before.len());
    assert_eq!(folder.apply(&before)?, 0);
    let zone = start.after(&Change::Lose(Pick { zone: Some("eu-a"), ..Pick::default() }));
    assert_eq!(folder.apply(&files(&zone, 8080))?, 1, "one slice file of eu-1");
    let text = std::fs::read_to_string(folder.path().join("clusters/eu-1/endpoints.yaml"))?;
    assert_eq!(Some(&text), files(&zone, 8080).get("clusters/eu-1/endpoints.yaml"));
    let strays = std::fs::read_dir(folder.path())?.filter_map(Result::ok).map(|entry| entry.file_name());
    assert!(strays.into_iter().all(|name| name == "clusters" || before.contains_key(&*name.to_string_lossy())));
    Ok(())
}
