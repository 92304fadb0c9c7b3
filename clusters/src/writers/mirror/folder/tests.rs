#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use federation::desired::{MirrorNamespace, MirrorService};
use federation::model::{Affinity, Namespace, Protocol, ServiceKey, ServicePort};

use super::*;

fn actions(port: u16) -> Vec<(ClusterId, Action)> {
    let cluster = ClusterId::new("eu-1").unwrap();
    let ports = vec![ServicePort {
        name: Arc::from("http"),
        port,
        protocol: Protocol::Tcp,
        app_protocol: Some(Arc::from("http")),
    }];
    let sources = vec![ClusterId::new("us-1").unwrap(), ClusterId::new("us-2").unwrap()];
    let service = Action::Apply(Desired::Service(Arc::new(MirrorService {
        key: ServiceKey::new("shop", "web").unwrap(),
        headless: false,
        affinity: Affinity::None,
        ports,
        sources,
        helm: None,
    })));
    let namespace = MirrorNamespace { name: Namespace::new("shop").unwrap(), helm: None };
    vec![(cluster.clone(), Action::Apply(Desired::Namespace(namespace))), (cluster, service)]
}

fn delete(key: Key) -> Action {
    Action::Delete { key, uid: Arc::from(""), resource_version: Arc::from("") }
}

fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn actions_become_files_and_go_again() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = Folder::new(root.path());
    assert!(folder.submit(&actions(80)).is_empty());
    assert_eq!(files(root.path()), ["eu-1/shop/_namespace.yaml", "eu-1/shop/web.yaml"]);
    let path = root.path().join("eu-1/shop/web.yaml");
    let object: k8s_openapi::api::core::v1::Service =
        serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let spec = object.spec.unwrap();
    assert!(spec.selector.is_none(), "a mirror selects nothing");
    assert_eq!(spec.ports.unwrap()[0].port, 80);
    assert_eq!(object.metadata.annotations.unwrap()["isthmus.dev/sources"], "us-1,us-2");
    assert_eq!(object.metadata.labels.unwrap()["isthmus.dev/mirror"], "true");

    folder.submit(&actions(81));
    assert!(std::fs::read_to_string(&path).unwrap().contains("port: 81"));
    let gone: Vec<_> = actions(81).into_iter().map(|(cluster, action)| (cluster, delete(action.key()))).collect();
    assert!(folder.submit(&gone).is_empty());
    assert!(folder.submit(&gone).is_empty(), "twice is OK");
    assert!(files(root.path()).is_empty());
}

#[test]
fn what_cannot_be_written_is_reported_and_the_rest_is_written() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("eu-1/shop/web.yaml")).unwrap();
    let errors = Folder::new(root.path()).submit(&actions(80));
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].to_string().contains("eu-1/shop/web.yaml: found something that Isthmus did not write"),
        "{}",
        errors[0]
    );
    assert!(root.path().join("eu-1/shop/_namespace.yaml").is_file());
}

fn leave(key: Key) -> Effects {
    let cluster = ClusterId::new("eu-1").unwrap();
    Effects { mirrors: vec![(cluster, Action::Leave(key))], ..Effects::default() }
}

/// All that may change whether something is wanted.
fn all_changed() -> Effects {
    Effects { unknown: Some(Arc::default()), ..Effects::default() }
}

#[test]
fn what_is_not_wanted_any_more_goes_whichever_process_wrote_it_and_whether_or_not_it_was_applied() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = Folder::new(root.path());
    folder.submit(&actions(80));
    let keys: Vec<Key> = actions(80).into_iter().map(|(_, action)| action.key()).collect();
    // It was never applied, so that there is nothing to delete in the member; and nothing is known as long as there is doubt.
    for wanted in [None, Some(true)] {
        for key in &keys {
            assert!(folder.follow(&leave(key.clone()), |_, _| wanted).is_empty());
        }
        assert_eq!(files(root.path()).len(), 2, "{wanted:?}");
    }
    folder.follow(&leave(keys[1].clone()), |_, key| Some(matches!(key, Key::Namespace(_))));
    assert_eq!(files(root.path()), ["eu-1/shop/_namespace.yaml"]);

    // Files of an earlier run: for a member that is gone, for a service that is, and in doubt at first.
    folder.submit(&actions(80));
    std::fs::create_dir_all(root.path().join("us-9/shop")).unwrap();
    std::fs::copy(root.path().join("eu-1/shop/web.yaml"), root.path().join("us-9/shop/web.yaml")).unwrap();
    let mut later = Folder::new(root.path());
    assert!(later.follow(&all_changed(), |_, _| None).is_empty());
    assert_eq!(files(root.path()).len(), 3);
    assert!(later.follow(&Effects::default(), |_, _| Some(false)).is_empty(), "nothing changed");
    assert_eq!(files(root.path()).len(), 3);
    assert!(later.follow(&all_changed(), |cluster, _| Some(cluster.as_str() == "eu-1")).is_empty());
    assert_eq!(files(root.path()), ["eu-1/shop/_namespace.yaml", "eu-1/shop/web.yaml"]);
    let gone = Effects { members: vec![(ClusterId::new("eu-1").unwrap(), None)], ..Effects::default() };
    later.follow(&gone, |_, _| Some(false));
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "and the folders with them");
}

#[test]
fn a_file_that_another_program_wrote_is_neither_changed_nor_removed() {
    let root = tempfile::tempdir().unwrap();
    Folder::new(root.path()).submit(&actions(80));
    let path = root.path().join("eu-1/shop/web.yaml");
    let ours = std::fs::read_to_string(&path).unwrap();
    let foreign = [
        ours.replace("isthmus.dev/mirror:", "isthmus.dev/other:"),
        ours.replace("isthmus.dev/hub: folder", "isthmus.dev/hub: 5d1b-uid-of-a-hub"),
        ours.replace("name: web", "name: api"),
        ours.replace("namespace: shop", "namespace: store"),
        format!("{ours}---\n{ours}"),
        "kind: [".to_owned(),
        String::new(),
    ];
    for text in foreign {
        assert_ne!(text, ours);
        std::fs::write(&path, &text).unwrap();
        let mut folder = Folder::new(root.path());
        folder.follow(&all_changed(), |_, _| Some(false));
        let errors = folder.submit(&actions(81));
        assert_eq!(errors.len(), 1, "{text}");
        assert!(
            errors[0].to_string().contains("web.yaml: found something that Isthmus did not write"),
            "{}",
            errors[0]
        );
        let (cluster, action) = actions(80).remove(1);
        folder.submit(&[(cluster, delete(action.key()))]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    // A link is none of ours, even if it leads to such a file.
    let elsewhere = root.path().join("elsewhere.yaml");
    std::fs::write(&elsewhere, &ours).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    Folder::new(root.path()).follow(&all_changed(), |_, _| Some(false));
    assert!(path.is_symlink() && elsewhere.is_file());
}
