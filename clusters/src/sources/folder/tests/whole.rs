//! A file that is not the whole one takes nothing away, and what it never held in full is not known.

use super::follow::{NOTHING, Scene};
use super::{Folder, MEMBER, docs, service, slice};
use crate::sources::folder::GRACE;

const DUMP: &str = "clusters/eu-1/dump.yaml";

/// As kubectl writes a list of several kinds: what says that it is one comes last.
fn dump(count: usize) -> String {
    let item = |text: &str| format!("- {}", text.trim_end().replace('\n', "\n  "));
    let items: Vec<String> = (0..count).map(|n| item(&service(&format!("s{n}")))).collect();
    format!("apiVersion: v1\nitems:\n{}\nkind: List\nmetadata:\n  resourceVersion: \"\"\n", items.join("\n"))
}

/// The same in block style, as Helm and Kustomize write it.
fn block(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  ports:\n  - port: 80\n"
    )
}

fn scene(file: &str, text: &str) -> Scene {
    Scene::of(&[("hub.yaml", MEMBER), (file, text)])
}

/// Writes that, and lets a long time pass: nothing is sent, and one problem names the file.
fn takes_nothing_away(scene: &mut Scene, file: &str, text: &str, found: &str) {
    scene.folder.write(file, text);
    assert_eq!(scene.ready(&[file]), NOTHING, "{found}");
    assert_eq!(scene.after(GRACE * 10), NOTHING, "{found}");
    assert_eq!(scene.scan(), NOTHING, "{found}");
    let problems = scene.problems();
    assert!(problems.iter().any(|problem| problem.contains(file) && problem.contains(found)), "{found}: {problems:?}");
    let says = |problem: &String| problem.contains(" stays") || problem.contains("a Kubernetes object with");
    assert!(problems.iter().any(says), "{problems:?}");
}

#[test]
fn a_file_that_was_cut_short_takes_nothing_away_and_says_why() {
    let list = dump(10);
    let json = "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n".to_owned()
        + &["a", "b"].map(|name| {
            format!("{{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{{\"name\":\"{name}\",\"namespace\":\"shop\"}},\"spec\":{{\"ports\":[{{\"port\":80}}]}}}}")
        })
        .join(",\n")
        + "\n]}\n";
    let many = [block("a"), block("b"), block("c")].join("---\n");
    let at = |text: &str, mark: &str| text.get(..text.find(mark).unwrap()).unwrap().to_owned();
    let cases: [(&str, &str, String, &str); 13] = [
        (DUMP, &list, String::new(), "found an empty file"),
        (DUMP, &list, "\n \n".into(), "found an empty file"),
        (DUMP, &list, "\u{feff}".into(), "found an empty file"),
        // Cut at ends of lines, where the rest still reads as YAML.
        (DUMP, &list, at(&list, "items:"), "apiVersion and kind"),
        (DUMP, &list, at(&list, "- apiVersion"), "found a list of objects without a kind"),
        (
            DUMP,
            &list,
            at(&list, "- apiVersion: v1\n  kind: Service\n  metadata: {namespace: shop, name: s5}"),
            "without a kind",
        ),
        (DUMP, &list, at(&list, "kind: List"), "found a list of objects without a kind"),
        (DUMP, &list, at(&list, "st\nmetadata:"), "found a list of objects of kind \"Li\""),
        (
            "clusters/eu-1/all.json",
            &json,
            at(&json, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"b\""),
            "valid YAML or JSON",
        ),
        (
            "clusters/eu-1/all.yml",
            &many,
            at(&many, "  - port: 80\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: c"),
            "objects fewer than before",
        ),
        ("clusters/eu-1/all.yml", &many, at(&many, "  name: b"), "metadata.name: found nothing"),
        // What a command wrote that failed.
        (
            DUMP,
            &list,
            "{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"message\": \"Unauthorized\"}".into(),
            "the answer of an API server: \"Unauthorized\"",
        ),
        (DUMP, &list, "Unable to connect to the server: dial tcp 10.0.0.1:6443\n".into(), "kind: found nothing"),
    ];
    for (file, whole, cut, found) in cases {
        let mut scene = scene(file, whole);
        if found.contains("apiVersion and kind") {
            // All that is left is `apiVersion: v1`, which is no object at all.
            takes_nothing_away(&mut scene, file, &cut, "something that is no Kubernetes object, and 10 objects fewer");
        } else {
            takes_nothing_away(&mut scene, file, &cut, found);
        }
        scene.folder.write(file, whole);
        assert_eq!(scene.ready(&[file]), NOTHING, "it is whole again");
        assert_eq!(scene.problems(), NOTHING);
    }
}

#[test]
fn what_is_whole_and_holds_less_takes_away() {
    let one = "eu-1.1 services delete shop/s0";
    let shorter =
        ["", "# nothing left\n", "---\n---\n", "kind: List\nitems: []\n", "apiVersion: v1\nitems: []\nkind: List\n"];
    for text in shorter.iter().skip(1) {
        let mut scene = scene(DUMP, &dump(1));
        scene.folder.write(DUMP, text);
        let sent = [scene.ready(&[DUMP]), scene.after(GRACE * 2)].concat();
        assert_eq!(sent, [one], "{text:?}");
        assert_eq!(scene.problems(), NOTHING, "{text:?}");
    }
    let mut gone = scene(DUMP, &dump(1));
    gone.folder.remove(DUMP);
    assert_eq!([gone.ready(&[DUMP]), gone.after(GRACE * 2)].concat(), [one]);
    // A key without a value at the end is suspicious only where something is missing.
    let mut open = scene(DUMP, &docs(&[service("s1"), block("s0") + "  selector:\n"]));
    assert_eq!(open.problems(), NOTHING);
    takes_nothing_away(
        &mut open,
        DUMP,
        &(block("s0") + "  selector:\n"),
        "a key that has no value, and 1 objects fewer",
    );
    open.folder.write(DUMP, block("s0") + "  selector: {}\n");
    assert_eq!(open.ready(&[DUMP]), ["eu-1.1 services delete shop/s1"]);
}

/// What is in its place is not the file, whatever it is.
#[test]
fn a_file_that_cannot_be_read_any_more_takes_nothing_away() {
    type Make = fn(&Folder);
    let makes: [(&str, Make); 4] = [
        ("a folder", |folder| std::fs::create_dir(folder.path().join(DUMP)).unwrap()),
        ("a FIFO", |folder| {
            let made = std::process::Command::new("mkfifo").arg(folder.path().join(DUMP)).status();
            assert!(made.unwrap().success());
        }),
        ("No such file", |folder| std::os::unix::fs::symlink("nothing", folder.path().join(DUMP)).unwrap()),
        ("a device", |folder| std::os::unix::fs::symlink("/dev/zero", folder.path().join(DUMP)).unwrap()),
    ];
    for (found, make) in makes {
        let mut scene = scene(DUMP, &dump(3));
        scene.folder.remove(DUMP);
        make(&scene.folder);
        let sent = [scene.ready(&[DUMP]), scene.after(GRACE * 10), scene.scan(), scene.after(GRACE * 4)].concat();
        assert_eq!(sent, NOTHING, "{found}");
        let problems = scene.problems();
        assert!(
            problems.iter().any(|problem| problem.contains(&format!("found {found}")) && problem.contains(DUMP)),
            "{problems:?}"
        );
        let path = scene.folder.path().join(DUMP);
        if path.is_dir() {
            std::fs::remove_dir(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        scene.folder.write(DUMP, dump(3));
        let sent = [scene.scan(), scene.after(GRACE * 2)].concat();
        assert_eq!((sent, scene.problems()), (Vec::new(), Vec::new()), "{found}");
    }
    // A folder with files of its own is what was meant.
    let mut moved = scene(DUMP, &dump(1));
    moved.folder.remove(DUMP);
    moved.folder.write(&format!("{DUMP}/web.yaml"), service("web"));
    let sent = [moved.scan(), moved.after(GRACE * 4)].concat();
    assert_eq!(sent, ["eu-1.1 services delete shop/s0, put shop/web"]);
}

#[test]
fn what_was_never_understood_is_not_known_and_the_rest_is_used() {
    let cases = [
        ("", "an empty file"),
        ("kind: [", "unclosed bracket '['"),
        ("apiVersion: v1\nitems:\n- a: b\n", "a list of objects without a kind"),
        ("kind: Service\n---\nkind: [\n", "a document that cannot be parsed"),
        ("\u{0}\u{0}\u{0}", ""),
    ];
    for (text, found) in cases {
        let folder = Folder::new(&[("hub.yaml", MEMBER), (DUMP, text), ("clusters/eu-1/web.yaml", &service("web"))]);
        let sent = folder.loaded();
        assert!(sent.contains(&"eu-1.1 services full [shop/web]".to_owned()), "{sent:?}");
        for kind in ["namespaces", "services", "endpointslices", "serviceexports"] {
            let start = format!("eu-1.1 {kind} unreadable in part: File {DUMP}: found {found}");
            assert!(sent.iter().any(|line| line.starts_with(&start)), "{start}: {sent:?}");
        }
        let mut scene = Scene::over(folder);
        // What changes meanwhile is reported all the same.
        scene.folder.write("clusters/eu-1/web.yaml", docs(&[service("web"), service("api")]));
        assert_eq!(scene.ready(&["clusters/eu-1/web.yaml"]), ["eu-1.1 services put shop/api"]);
        scene.folder.write(DUMP, slice("web-1", "10.8.0.1"));
        let sent = scene.ready(&[DUMP]);
        assert_eq!(
            sent[1..3],
            ["eu-1.1 services full [shop/api, shop/web]", "eu-1.1 slices full [shop/web-1]"],
            "{text:?}"
        );
        assert!(!sent.iter().any(|line| line.contains("unreadable")), "all is known: {sent:?}");
        // From now on a broken file is one that was known, and a new one says nothing that was.
        scene.folder.write(DUMP, text);
        scene.folder.write("clusters/eu-1/more.yaml", text);
        assert_eq!(scene.ready(&[DUMP, "clusters/eu-1/more.yaml"]), NOTHING);
    }
    let deleted = Folder::new(&[("hub.yaml", MEMBER), (DUMP, "")]);
    let mut scene = Scene::over(deleted);
    scene.folder.remove(DUMP);
    let sent = [scene.ready(&[DUMP]), scene.after(GRACE * 2)].concat();
    assert!(sent.contains(&"eu-1.1 services full []".to_owned()), "{sent:?}");
}

/// Every place at which a dump of kubectl can be cut, between characters and between lines.
#[test]
fn wherever_a_dump_is_cut_nothing_is_taken_away() {
    let yaml = dump(3);
    let value: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    let json = serde_json::to_string_pretty(&value).unwrap() + "\n";
    let two = format!("{json}{json}").replacen("s0", "a0", 1).replacen("s1", "a1", 1).replacen("s2", "a2", 1);
    for (file, text) in [(DUMP, &yaml), ("clusters/eu-1/all.json", &json), ("clusters/eu-1/two.json", &two)] {
        // Behind the last character that says that it is whole.
        let whole = if file == DUMP { text.find("metadata:\n  resource").unwrap() - 1 } else { text.len() - 1 };
        let mut scene = scene(file, text);
        // The end of the first of two documents is the end of a shorter file.
        let between = |at: usize| file.ends_with("two.json") && (json.len() - 1..=json.len()).contains(&at);
        for at in (0..whole).filter(|at| text.is_char_boundary(*at) && !between(*at)) {
            let cut = text.get(..at).unwrap();
            scene.folder.write(file, cut);
            let sent = [scene.ready(&[file]), scene.after(GRACE * 2)].concat();
            assert_eq!(sent, NOTHING, "{cut:?}");
            assert!(!scene.problems().is_empty(), "{cut:?}");
        }
        scene.folder.write(file, text.get(..whole).unwrap());
        scene.ready(&[file]);
        assert_eq!((scene.after(GRACE * 2), scene.problems()), (Vec::new(), Vec::new()));
    }
}

/// Several documents, as Helm and Kustomize write them. An end that is no end of a line shows where it was cut.
#[test]
fn a_file_of_documents_that_is_cut_within_a_line_changes_nothing() {
    let text = [block("a"), block("b"), block("c").replace("80", "8080")].join("---\n");
    let file = "clusters/eu-1/all.yaml";
    let mut scene = scene(file, &text);
    for at in (0..text.len() - 1).filter(|at| !text.get(..*at).unwrap().ends_with('\n')) {
        let cut = text.get(..at).unwrap();
        scene.folder.write(file, cut);
        let sent = [scene.ready(&[file]), scene.after(GRACE * 2)].concat();
        assert_eq!(sent, NOTHING, "{cut:?}");
        assert!(!scene.problems().is_empty(), "{cut:?}");
    }
    scene.folder.write(file, &text);
    assert_eq!([scene.ready(&[file]), scene.after(GRACE * 2), scene.problems()].concat(), NOTHING);
    // Without the last line break it says the same, and a file that never had one may go on without.
    scene.folder.write(file, text.trim_end());
    assert_eq!([scene.ready(&[file]), scene.after(GRACE * 2), scene.problems()].concat(), NOTHING);
    scene.folder.write(file, block("a").trim_end());
    assert_eq!(scene.ready(&[file]), ["eu-1.1 services delete shop/b, delete shop/c"]);
}
