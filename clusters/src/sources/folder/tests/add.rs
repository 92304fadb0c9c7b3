use std::path::PathBuf;

use super::{Folder, MEMBER, REGION, docs, sent, service};
use crate::sources::folder::{add_to, load_with};
use crate::sources::hub::HubObjects;

fn loaded(folder: &Folder, add: &[PathBuf]) -> (Vec<String>, Vec<String>) {
    let world = load_with(&folder.path(), add).unwrap();
    let batches = world.batches.iter().map(|batch| folder.shown(sent(batch))).collect();
    (batches, world.problems.iter().map(|problem| folder.shown(problem)).collect())
}

#[test]
fn an_added_member_counts_as_reached_and_replaces_one_of_its_name() {
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/a.yaml", &service("web"))]);
    let add = folder.dir.path().join("add.yaml");
    std::fs::write(&add, docs(&[MEMBER.replace("eu-1", "us-1"), MEMBER.replace("eu}", "us}")])).unwrap();
    let (batches, problems) = loaded(&folder, std::slice::from_ref(&add));
    assert_eq!(problems, Vec::<String>::new(), "it is no duplicate");
    assert_eq!(batches[2..4], ["hub members full [eu-1, us-1]", "eu-1.1 up as folder:eu-1 (folder)"]);
    assert_eq!(batches[10], "us-1.1 up as folder:us-1 (folder)");
    let world = load_with(&folder.path(), std::slice::from_ref(&add)).unwrap();
    let members = format!("{:?}", world.batches[2]);
    assert_eq!(members.matches("region: \"us\"").count(), 1, "{members}");

    std::fs::write(&add, MEMBER.replace("region", "regin")).unwrap();
    let (batches, problems) = loaded(&folder, std::slice::from_ref(&add));
    assert_eq!(batches[2], "hub members full [eu-1]", "what is rejected changes nothing");
    assert_eq!(problems.len(), 2, "{problems:?}");
    std::fs::write(&add, "kind: [").unwrap();
    assert_eq!(loaded(&folder, std::slice::from_ref(&add)).1.len(), 1);
    std::fs::remove_file(&add).unwrap();
    assert!(load_with(&folder.path(), &[add]).is_err());
}

#[test]
fn objects_are_added_to_those_of_a_hub() {
    let read = |text: &str| serde_json::from_value(serde_saphyr::from_str(text).unwrap()).unwrap();
    let old = "{metadata: {name: eu-1, creationTimestamp: \"2026-11-01T00:00:00Z\"}, spec: {region: old}, status: {clusterUid: u}}";
    let mut hub = HubObjects { members: vec![read(old)], ..HubObjects::default() };
    let folder = Folder::new(&[(
        "add.yaml",
        &docs(&[
            MEMBER.into(),
            MEMBER.replace("eu-1", "us-1"),
            REGION.into(),
            MEMBER.replace("eu-1", "BAD"),
            service("web"),
        ]),
    )]);
    let add = folder.path().join("add.yaml");
    let problems = add_to(&mut hub, std::slice::from_ref(&add)).unwrap();
    let shown: Vec<_> = problems.0.iter().map(|problem| folder.shown(problem)).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].starts_with("w/add.yaml:18: MemberCluster BAD: metadata.name:"), "{shown:?}");
    assert!(shown[1].starts_with("w/add.yaml:21: Service shop/web: found it among the hub's files"), "{shown:?}");
    let names: Vec<_> = hub.members.iter().filter_map(|member| member.metadata.name.as_deref()).collect();
    assert_eq!(names, ["eu-1", "us-1"]);
    let eu = &hub.members[0];
    assert_eq!(eu.spec.region, "eu");
    assert!(eu.metadata.creation_timestamp.is_some());
    assert_eq!(eu.status.as_ref().and_then(|status| status.cluster_uid.as_deref()), Some("u"));
    assert_eq!((hub.regions.len(), hub.policies.len()), (1, 0));
    assert!(add_to(&mut hub, &[folder.path().join("nothing.yaml")]).is_err());
}
