#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use federation::MirrorService;
use federation::model::{Affinity, Namespace, Protocol, ServiceKey, ServicePort};

use super::*;

fn wishes(port: u16) -> Vec<(ClusterId, MirrorKey, MirrorAction)> {
    let cluster = ClusterId::new("eu-1").unwrap();
    let ports = vec![ServicePort {
        name: Arc::from("http"),
        port,
        protocol: Protocol::Tcp,
        app_protocol: Some(Arc::from("http")),
    }];
    let sources = vec![ClusterId::new("us-1").unwrap(), ClusterId::new("us-2").unwrap()];
    let service = MirrorAction::ApplyService(Arc::new(MirrorService {
        headless: false,
        affinity: Affinity::None,
        ports,
        sources,
        helm: None,
    }));
    vec![
        (cluster.clone(), MirrorKey::Namespace(Namespace::new("shop").unwrap()), MirrorAction::ApplyNamespace(None)),
        (cluster, MirrorKey::Service(ServiceKey::new("shop", "web").unwrap()), service),
    ]
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
fn wishes_become_files_and_go_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path());
    assert!(folder.submit(&wishes(80)).is_empty());
    assert_eq!(files(root.path()), ["eu-1/shop/_namespace.yaml", "eu-1/shop/web.yaml"]);
    let path = root.path().join("eu-1/shop/web.yaml");
    let object: k8s_openapi::api::core::v1::Service =
        serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let spec = object.spec.unwrap();
    assert!(spec.selector.is_none(), "a mirror selects nothing");
    assert_eq!(spec.ports.unwrap()[0].port, 80);
    assert_eq!(object.metadata.annotations.unwrap()["isthmus.dev/sources"], "us-1,us-2");
    assert_eq!(object.metadata.labels.unwrap()["isthmus.dev/mirror"], "true");

    folder.submit(&wishes(81));
    assert!(std::fs::read_to_string(&path).unwrap().contains("port: 81"));
    let gone = MirrorAction::Delete { uid: Arc::from(""), resource_version: Arc::from("") };
    let gone: Vec<_> = wishes(81).into_iter().map(|(cluster, key, _)| (cluster, key, gone.clone())).collect();
    assert!(folder.submit(&gone).is_empty());
    assert!(folder.submit(&gone).is_empty(), "twice is fine");
    assert!(files(root.path()).is_empty());
}

#[test]
fn what_cannot_be_written_is_told_and_the_rest_is_written() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("eu-1/shop/web.yaml")).unwrap();
    let errors = Folder::new(root.path()).submit(&wishes(80));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("eu-1/shop/web.yaml: cannot be written"), "{}", errors[0]);
    assert!(root.path().join("eu-1/shop/_namespace.yaml").is_file());
}
