//! What folders hold besides objects of ours: other kinds, other tools' files, folders within folders, files that were put
//! together from others.

use super::follow::{NOTHING, Scene};
use super::{Folder, MEMBER, REGION, docs, service, slice};
use crate::sources::folder::{GRACE, MAX_FOLDER_DEPTH, MAX_PASSED_OVER_PER_FILE};

const WEB: &str = "clusters/eu-1/web.yaml";

#[test]
fn what_is_none_of_our_kinds_is_counted_and_no_problem() {
    let others = [
        ("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n", "apps/v1 Deployment"),
        (
            "knative.yaml",
            "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n",
            "serving.knative.dev/v1 Service",
        ),
        ("kustomization.yaml", "resources: [web.yaml]\nnamePrefix: a-\n", "no Kubernetes object"),
        (
            "kustomization2.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a]\n",
            "kustomize.config.k8s.io/v1beta1 Kustomization",
        ),
        ("values.yaml", "replicas: 3\nimage: {tag: '1.2'}\nkind: DaemonSet\n", "no Kubernetes object"),
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n", "no Kubernetes object"),
        ("patch.yaml", "- op: replace\n  path: /spec/replicas\n  value: 3\n", "a list of changes to other files"),
        ("package.json", "{\"name\": \"web\", \"scripts\": {}}", "no Kubernetes object"),
    ];
    for place in ["", "clusters/eu-1/"] {
        let folder = Folder::new(&[("hub.yaml", MEMBER), (WEB, &service("web"))]);
        for (file, text, _) in others {
            folder.write(&format!("{place}{file}"), text);
        }
        assert_eq!(folder.problems(), Vec::<String>::new());
        assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/web]");
        let mut expected = others.map(|(file, _, what)| format!("w/{place}{file}:1: {what}"));
        expected.sort();
        assert_eq!(folder.passed_over(), expected);
    }
    let pods = |n: usize| format!("apiVersion: example.org/v1\nkind: Kind{n}\nmetadata: {{name: a}}\n");
    let many: Vec<String> = (0..MAX_PASSED_OVER_PER_FILE + 10).map(pods).collect();
    let folder = Folder::new(&[("hub.yaml", MEMBER), (WEB, &docs(&many))]);
    let listed = folder.passed_over();
    assert_eq!(listed.len(), MAX_PASSED_OVER_PER_FILE + 1);
    assert!(listed.last().unwrap().ends_with("other kinds (10 objects)"), "{listed:?}");
}

#[test]
fn what_looks_like_an_object_of_ours_is_no_other_kind() {
    let cases = [
        ("kind: Service\n", "apiVersion: found nothing"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "kind: found nothing"),
        ("kind: Sevice\nspec: {}\n", "apiVersion: found nothing"),
        ("- apiVersion: v1\n  kind: Service\n", "found a list"),
        ("error: You must be logged in to the server\n", "kind: found nothing"),
        ("Error from server (Forbidden): services is forbidden\n", "kind: found nothing"),
        ("The connection to the server was refused\n", "found a plain value"),
    ];
    for (text, found) in cases {
        let problems = Folder::new(&[("hub.yaml", MEMBER), (WEB, text)]).problems();
        assert!(problems.len() == 1 && problems[0].contains(found), "{text}: {problems:?}");
    }
    let misplaced = [
        ("hub2.yaml", service("web"), "among the hub's files; expected it in clusters/<cluster id>/"),
        (
            "apps/shop/web.yaml",
            slice("web", "10.8.0.1"),
            "among the hub's files; expected it in clusters/<cluster id>/",
        ),
        ("clusters/eu-1/base/hub.yaml", REGION.to_owned(), "in clusters/eu-1/; expected it among the hub's files"),
        ("clusters/hub.yaml", REGION.to_owned(), "in clusters/ itself; expected it in clusters/<cluster id>/"),
    ];
    for (file, text, found) in misplaced {
        let problems = Folder::new(&[("hub.yaml", MEMBER), (file, &text)]).problems();
        assert!(problems.iter().any(|problem| problem.contains(&format!("found it {found}"))), "{file}: {problems:?}");
    }
}

#[test]
fn folders_within_folders_are_read_and_names_end_in_any_case() {
    let deep = "d/".repeat(MAX_FOLDER_DEPTH);
    let folder = Folder::new(&[
        ("infra/members/eu-1.YAML", MEMBER),
        ("infra/.git/x.yaml", "["),
        ("lost+found/x.yaml", "["),
        ("clusters/eu-1/shop/web.Yml", &service("web")),
        ("clusters/eu-1/shop/api.yaml/api.JSON", &service("api")),
        ("clusters/eu-1/.cache/x.yaml", "["),
        (&format!("clusters/eu-1/{deep}last.yaml"), &service("last")),
        (&format!("clusters/eu-1/{deep}d/over.yaml"), &service("over")),
    ]);
    let sent = folder.loaded();
    assert_eq!(
        (&*sent[2], &*sent[5]),
        ("hub members full [eu-1]", "eu-1.1 services full [shop/api, shop/last, shop/web]")
    );
    let problems = folder.problems();
    assert!(problems.len() == 1 && problems[0].contains("found more than 16 folders around it"), "{problems:?}");

    let mut scene = Scene::over(folder);
    let sent = scene.scan();
    assert_eq!(sent, NOTHING);
    // What moves between folders is no news, and a folder that is gone takes its objects along.
    scene.folder.rename("clusters/eu-1/shop", "clusters/eu-1/store");
    assert_eq!([scene.scan(), scene.after(GRACE * 3)].concat(), NOTHING);
    scene.folder.remove_folder("clusters/eu-1/store");
    assert_eq!([scene.scan(), scene.after(GRACE * 3)].concat(), ["eu-1.1 services delete shop/api, delete shop/web"]);
}

#[test]
fn only_the_document_that_cannot_be_parsed_is_lost() {
    let json = |name: &str| {
        format!(
            "{{\n\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{{\"name\":\"{name}\",\"namespace\":\"shop\"}},\n\"spec\":{{\"ports\":[{{\"port\":80}}]}}\n}}"
        )
    };
    let (a, b) = (service("a"), service("b"));
    // The text, and the lines of what is lost.
    let cases: [(String, &[&str]); 14] = [
        (format!("{a}---\nkind: [\n---\n{b}"), &["6: found unclosed"]),
        (format!("{a}---\nkind: {{\n---\nkind: \"\n---\n{b}"), &["6: found", "9: found"]),
        (format!("kind: Service\n\tname: x\n---\n{a}---\n{b}"), &["1: found"]),
        (format!("{a}---\n{b}---\nx: 1\nx: 2\n"), &["12: found the key \"x\" again"]),
        (
            format!("{a}---\napiVersion: v1\nitems:\n- {{a: b}}\n---\n{b}"),
            &["6: found a list of objects without a kind"],
        ),
        // Several files in one.
        (format!("{}{}", json("a"), json("b")), &[]),
        (format!("{}\n{}\n", json("a"), json("b")), &[]),
        (format!("{}\n{{\"kind\": [}}\n{}\n", json("a"), json("b")), &["5: found mismatched"]),
        (format!("{}\n{}\n{{\"kind\": [\n", json("a"), json("b")), &["9: found unclosed"]),
        (format!("\u{feff}{a}---\n{b}"), &[]),
        (format!("{a}\u{feff}---\n{b}"), &[]),
        (format!("{a}---\n\u{feff}{b}"), &[]),
        (format!("{a}\u{feff}{b}"), &[]),
        (format!("\u{feff}{}\n\u{feff}---\n{b}", json("a")), &[]),
    ];
    for (text, lost) in cases {
        let folder = Folder::new(&[("hub.yaml", MEMBER), (WEB, &text)]);
        let sent = folder.loaded();
        assert!(sent.contains(&"eu-1.1 services full [shop/a, shop/b]".to_owned()), "{text:?}: {sent:?}");
        let problems = folder.problems();
        assert_eq!(problems.len(), lost.len(), "{text:?}: {problems:?}");
        for (problem, lost) in problems.iter().zip(lost) {
            let at = lost.replacen(": ", ": File clusters/eu-1/web.yaml: ", 1);
            assert!(problem.starts_with(&format!("w/{WEB}:{at}")), "{text:?}: {problem}");
        }
        // What is lost is not gone.
        let mut scene = Scene::of(&[("hub.yaml", MEMBER), (WEB, &docs(&[a.clone(), b.clone(), service("c")]))]);
        scene.folder.write(WEB, &text);
        let sent = [scene.ready(&[WEB]), scene.after(GRACE * 2)].concat();
        assert_eq!(sent.is_empty(), !lost.is_empty(), "{text:?}: {sent:?}");
    }
    // The line of a field is that in the file.
    let text = format!("{a}---\nkind: [\n---\n{}", b.replace("port: 80", "port: 0"));
    let problems = Folder::new(&[("hub.yaml", MEMBER), (WEB, &text)]).problems();
    assert!(problems[1].starts_with(&format!("w/{WEB}:11: Service shop/b: spec.ports[0].port")), "{problems:?}");
}

#[test]
fn a_text_that_yaml_reads_as_something_else_is_shown_as_it_is_written() {
    let cases = [
        (
            "name: web",
            "name: no",
            "metadata.name: found no, which YAML reads as false; expected a text: write \"no\", in quotes",
        ),
        ("name: web", "name: 1e3", "metadata.name: found 1e3, which YAML reads as the number 1000"),
        (
            "name: web",
            "name: 0x10",
            "metadata.name: found 0x10, which YAML reads as the number 16; expected a text: write \"0x10\"",
        ),
        ("name: web", "name: ~", "metadata.name: found ~, which YAML reads as nothing; expected a text: write \"~\""),
        ("name: web", "name: null", "metadata.name: found null, which YAML reads as nothing"),
        ("name: web", "name: 12", "metadata.name: found 12, which YAML reads as the number 12"),
        ("name: web", "name: [a]", "metadata.name: found a list; expected a text"),
        ("namespace: shop", "namespace: on", "metadata.namespace: found on, which YAML reads as true"),
        ("kind: Service", "kind: yes", "kind: found yes, which YAML reads as true"),
        ("apiVersion: v1", "apiVersion: 1", "apiVersion: found 1, which YAML reads as the number 1"),
        (
            "spec: {",
            "spec: {clusterIP: 10, ",
            "spec.clusterIP: found 10, which YAML reads as the number 10; expected a text: write \"10\"",
        ),
        ("spec: {", "spec: {selector: {app: off}, ", "spec.selector.app: found off, which YAML reads as false"),
    ];
    for (from, to, found) in cases {
        let text = service("web").replace(from, to);
        let problems = Folder::new(&[("hub.yaml", MEMBER), (WEB, &text)]).problems();
        assert!(problems.len() == 1 && problems[0].contains(found), "{to}: {problems:?}");
    }
    // kubectl takes a date for the text that it is written as.
    let date = Folder::new(&[("hub.yaml", MEMBER), (WEB, &service("2026-01-01"))]);
    assert_eq!(date.problems(), Vec::<String>::new());
    let quoted = Folder::new(&[("hub.yaml", MEMBER), (WEB, &service("'no'"))]);
    assert_eq!(quoted.loaded()[5], "eu-1.1 services full [shop/no]");
}
