//! Hostile and oversized files: each is refused with words, none takes the process with it.

use std::fmt::Write as _;

use super::{Folder, MEMBER, load, service};
use crate::problem::{MAX_BYTES_PER_ORIGIN, Problem};
use crate::sources::folder::{MAX_ALIASES, MAX_DEPTH, MAX_FILE_BYTES, MAX_PROBLEMS_PER_FILE};

fn problems_of(text: impl AsRef<[u8]>) -> Vec<String> {
    let folder = Folder::new(&[("hub.yaml", MEMBER)]);
    folder.write("clusters/eu-1/good.yaml", service("web"));
    folder.write("clusters/eu-1/f.yaml", text);
    let services = |line: &String| line.starts_with("eu-1.1 services full [shop/web]");
    assert!(folder.loaded().iter().any(services), "other files are served");
    folder.problems().iter().map(|text| text.replace("w/clusters/eu-1/f.yaml", "f")).collect()
}

#[test]
fn bombs() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let refs = vec![format!("*a{}", n - 1); 9].join(", ");
        writeln!(bomb, "a{n}: &a{n} [{refs}]").unwrap();
    }
    let problems = problems_of(&bomb);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("found more than one file may hold"), "{problems:?}");

    let nested = format!("a: {}{}", "[".repeat(MAX_DEPTH + 2), "]".repeat(MAX_DEPTH + 2));
    let deep: String = (0..100_000).map(|_| "{a: ").collect();
    let many: String = (0..=MAX_ALIASES).map(|n| format!("k{n}: *x\n")).collect();
    for text in [nested, deep, format!("x: &x 1\n{many}")] {
        let problems = problems_of(&text);
        assert_eq!(problems.len(), 1, "{:?}", text.get(..50));
        assert!(problems[0].contains("found more than one file may hold"), "{problems:?}");
    }
}

#[test]
fn aliases_within_reason_are_accepted() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: api, labels: &l {a: b}}\nspec:\n  selector: *l\n  ports:\n  - &p {name: a, port: 80}\n  - {<<: *p, name: b, port: 81}\n";
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/f.yaml", text)]);
    assert_eq!(folder.loaded()[5], "eu-1.1 services full [shop/api]");
    assert_eq!(folder.problems(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/f.yaml", "")]);
    let file = std::fs::File::options().write(true).open(folder.path().join("clusters/eu-1/f.yaml")).unwrap();
    file.set_len(MAX_FILE_BYTES + 1).unwrap();
    assert_eq!(
        folder.problems(),
        [
            "w/clusters/eu-1/f.yaml:1: File clusters/eu-1/f.yaml: found 67108865 bytes; expected at most 67108864 bytes; what it held before stays"
        ]
    );
}

#[test]
fn problems_of_one_file_are_bounded() {
    let text: String = (0..300).map(|n| service(&format!("s{n}")).replace("port: 80", "port: 0") + "---\n").collect();
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/eu-1/f.yaml", &text)]);
    let world = load(&folder.path()).unwrap();
    assert_eq!((world.problems.len(), world.unlisted), (MAX_PROBLEMS_PER_FILE, 300 - MAX_PROBLEMS_PER_FILE));
}

#[test]
fn problems_of_one_cluster_are_bounded_in_bytes_and_those_of_others_are_listed_all_the_same() {
    let folder = Folder::new(&[("hub.yaml", MEMBER), ("clusters/us-1/f.yaml", "kind: [")]);
    for file in 0..6 {
        let long = |n: usize| format!("{}-{file}-{n}", "s".repeat(1_024));
        let text: String = (0..200).map(|n| service(&long(n)) + "---\n").collect();
        folder.write(&format!("clusters/eu-1/{file}.yaml"), text);
    }
    let world = load(&folder.path()).unwrap();
    let bytes = |id: &str| -> usize {
        let of =
            |problem: &&Problem| problem.place.as_ref().is_some_and(|place| place.file.to_string_lossy().contains(id));
        world.problems.iter().filter(of).map(Problem::weight).sum()
    };
    assert!(bytes("eu-1") <= MAX_BYTES_PER_ORIGIN && bytes("eu-1") > MAX_BYTES_PER_ORIGIN / 2, "{}", bytes("eu-1"));
    assert!(bytes("us-1") > 0, "{:?}", world.problems.last());
    let listed = world.problems.iter().filter(|problem| problem.object.kind == "Service").count();
    assert_eq!(listed + world.unlisted, 6 * 200);
}

#[test]
fn bytes_that_are_no_text() {
    assert_eq!(
        problems_of(b"kind: A\nname: \xff\n"),
        [
            "f:2: File clusters/eu-1/f.yaml: found bytes that are not UTF-8; expected UTF-8 text; what it held before stays"
        ]
    );
    let zeros = problems_of([0_u8; 4096]);
    assert_eq!(zeros.len(), 1, "{zeros:?}");
}
