use crate::sources::folder::document::{Body, Position};
use crate::sources::folder::locate::{Step, line_of};
use crate::sources::folder::parse::parse;
use crate::sources::folder::path::{join, steps};

/// `line:column name` of each object.
fn objects(input: &str) -> Vec<String> {
    let parsed = parse(input.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let show = |body: &Body| match body {
        Body::Object(fields) => {
            let kind = fields.get("kind").and_then(|kind| kind.as_str()).unwrap_or("?");
            let name = fields.get("metadata").and_then(|meta| meta["name"].as_str()).unwrap_or("?");
            format!("{kind}/{name}")
        }
        Body::NotAMapping(what) => (*what).to_owned(),
        Body::Patch => "a patch".to_owned(),
    };
    let objects = parsed.documents.iter().map(|d| format!("{}:{} {}", d.at.line, d.at.column, show(&d.body)));
    objects.chain(parsed.broken.iter().map(ToString::to_string)).collect()
}

fn error(input: &[u8]) -> String {
    parse(input).map_or_else(|error| error.to_string(), |documents| format!("{documents:?}"))
}

#[test]
fn documents_and_lists_know_where_they_start() {
    let cases = [
        ("# nothing", &[][..]),
        ("# nothing\n", &[]),
        ("---\n---\n...\n---\n", &[]),
        ("null\n---\n~\n", &[]),
        ("kind: A\nmetadata: {name: a}\n", &["1:1 A/a"]),
        ("\u{feff}kind: A\nmetadata: {name: a}\n", &["1:1 A/a"]),
        ("kind: A\r\nmetadata:\r\n  name: a\r\n---\r\nkind: B\r\nmetadata: {name: b}\r\n", &["1:1 A/a", "5:1 B/b"]),
        ("# x\n---\n# y\nkind: A\n---\n\n---\n\n  kind: B\n...\n---\nkind: C\n", &["4:1 A/?", "9:3 B/?", "12:1 C/?"]),
        ("kind: List\nitems:\n- kind: A\n  metadata: {name: a}\n\n- kind: B\n", &["3:3 A/a", "6:3 B/?"]),
        ("{\"kind\": \"List\", \"items\": [\n\t{\"kind\": \"A\"},\n\t{\"kind\": \"B\"}\n]}", &["2:2 A/?", "3:2 B/?"]),
        ("kind: ServiceList\napiVersion: v1\nitems:\n- metadata: {name: a}\n", &["4:3 Service/a"]),
        ("kind: List\nitems: []\n", &[]),
        ("kind: List\nitems:\n", &[]),
        ("kind: A\nitems: 7\n", &["1:1 A/?"]),
        ("- a\n- b\n", &["1:1 a list"]),
        ("hello\n", &["1:1 a plain value"]),
        ("kind: List\nitems:\n- 7\n- []\n-\n", &["3:3 a plain value", "4:3 a list", "5:2 nothing"]),
        ("kind: A\nmetadata: {name: \"---\\n\"}\ndata: |\n  ---\n  kind: no\n", &["1:1 A/---\n"]),
    ];
    for (input, expected) in cases {
        assert_eq!(objects(input), expected, "{input:?}");
    }
}

#[test]
fn broken_text_is_reported_with_its_line() {
    let valid = "expected valid YAML or JSON";
    let cases: [(&[u8], String); 9] = [
        (b"# A\n---\nkind: [B\n", format!("line 3: found unclosed bracket '['; {valid}")),
        (b"kind: A\n\tname: b\n", format!("line 1: found while scanning a plain scalar, found a tab; {valid}")),
        (b"kind: A\nkind: B\n", "line 2: found the key \"kind\" again; expected each key of a mapping once".into()),
        (
            b"# b\n---\nmetadata:\n  name: a\n name: b\n",
            format!("line 5: found while parsing a block mapping, did not find expected key; {valid}"),
        ),
        (b"kind: A\nmeta\xff: b\n", "line 2: found bytes that are not UTF-8; expected UTF-8 text".into()),
        (b"kind: *a\n", format!("line 1: found alias references unknown anchor; {valid}")),
        (b"kind: \"A\n", format!("line 2: found invalid indentation in multiline quoted scalar; {valid}")),
        (b"{\"kind\": \"A\",\n\"x\": [}", format!("line 2: found mismatched bracket '[' closed by '}}'; {valid}")),
        (b"\xfe\xff\0k\0i", "line 1: found UTF-16, as some shells write it; expected UTF-8 text".into()),
    ];
    for (input, expected) in cases {
        assert_eq!(error(input), expected, "{:?}", String::from_utf8_lossy(input));
    }
}

#[test]
fn paths_and_steps() {
    let field = |text: &str| Step::Field(text.into());
    let cases = [
        ("", vec![]),
        ("spec", vec![field("spec")]),
        ("spec.ports[12].port", vec![field("spec"), field("ports"), Step::Index(12), field("port")]),
        ("metadata.labels[\"a.b/c\"]", vec![field("metadata"), field("labels"), field("a.b/c")]),
        ("endpoints[0].addresses[1]", vec![field("endpoints"), Step::Index(0), field("addresses"), Step::Index(1)]),
        ("spec[x].y", vec![field("spec")]),
        ("spec[", vec![field("spec")]),
        ("a..b", vec![field("a")]),
    ];
    for (text, expected) in cases {
        assert_eq!(steps(text), expected, "{text}");
    }
    assert_eq!(join("metadata.labels", "a.b/c"), "metadata.labels[\"a.b/c\"]");
    assert_eq!(join("", "spec"), "spec");
}

#[test]
fn lines_of_fields() {
    let text = "a: 1\nb:\n  c:\n  - x: 1\n    y: 2\n  - x: 3\n    y: {z: 4,\n        w: 5}\nd: |\n  b:\n    c\ne: 6\n";
    let at = Position { line: 1, column: 1 };
    for (path, line) in [
        ("", 1),
        ("a", 1),
        ("b", 2),
        ("b.c[0].y", 5),
        ("b.c[1]", 6),
        ("b.c[1].y", 7),
        ("b.c[1].y.w", 8),
        ("b.c[1].y.nothing", 7),
        ("b.c[7].y", 3),
        ("e", 12),
        ("nothing.at.all", 1),
    ] {
        assert_eq!(line_of(text, at, &steps(path)), line, "{path}");
    }
    assert_eq!(line_of("{{{", at, &steps("a")), 1, "text that is broken gives the line of the object");
    assert_eq!(line_of(text, Position { line: 99, column: 1 }, &steps("a")), 99);
}
